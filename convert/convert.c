/* convert.c: one conversion from beginning to end: what may be written, the part file and its
 * journal, the order in which things become durable. */
#include "convert.h"
#include "digest.h"
#include "draft.h"
#include "journal.h"
#include "parallel.h"
#include "pipeline.h"
#include "platform.h"
#include "proof.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MODE = 0666, THREADS_MAX = 64, CHECK_STEP = 1 << 19, ALIGNMENT = 32 };

struct conversion {
    const struct convert_options *options;
    const struct source *source;
    uint32_t tensor_count;
    char *part, *journal_path; /* owned */
    struct parallel *team;
    struct digest *file_digests; /* [source_file_count] */
    uint64_t *file_sizes;        /* the same */
    struct digest metadata;      /* proof.h */
    uint64_t *offsets;           /* [tensor_count] */
    uint64_t size;               /* of the file */
    struct draft *draft;
    struct journal *journal;
    struct convert_proof proof;
    bool published;
};

/* what may be written */

static bool check_output(const struct convert_options *options, struct fault *fault)
{
    const char *path = options->output;
    for (uint32_t i = 0; i < source_file_count(options->source); i++)
        if (path_same(path, source_file_path(options->source, i)))
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: is the input itself (%s); choose another output", path,
                             source_file_path(options->source, i));
    if (!path_check_output(path, fault))
        return false;
    bool is_broken = path_is_broken_link(path);
    if (path_kind(path) == PATH_NONE && !is_broken)
        return true;
    if (!is_broken && !path_is_regular(path))
        return fault_set(fault, FAULT_ARGUMENT, "%s: is not a regular file", path);
    return options->force || fault_set(fault, FAULT_ARGUMENT, "%s: exists%s; --force replaces it",
                                       path, is_broken ? ", a link to what is not there" : "");
}

static bool check_source(const struct source *source, struct fault *fault)
{
    if (source_unsupported(source))
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "%s: no file can be made of it: %s (--dry-run lists its tensors)",
                         source_file_count(source) ? source_file_path(source, 0) : "the source",
                         source_unsupported(source));
    return source_tensor_count(source) > 0 ||
           fault_set(fault, FAULT_UNSUPPORTED, "the source has no tensors");
}

/* A part file without a journal is not ours. */
static bool check_part(const struct conversion *conversion, struct fault *fault)
{
    for (uint32_t i = 0; i < source_file_count(conversion->source); i++)
        if (path_same(conversion->part, source_file_path(conversion->source, i)) ||
            path_same(conversion->journal_path, source_file_path(conversion->source, i)))
            return fault_set(fault, FAULT_ARGUMENT, "%s: the input has the name of its part file",
                             conversion->options->output);
    if (path_kind(conversion->part) == PATH_NONE ||
        path_kind(conversion->journal_path) != PATH_NONE || conversion->options->force)
        return true;
    return fault_set(fault, FAULT_ARGUMENT,
                     "%s: exists, but not from a conversion (there is no %s); move it away, or "
                     "--force replaces it",
                     conversion->part, conversion->journal_path);
}

static char *with_suffix(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s", path, suffix);
    return text;
}

/* what it is made of */

struct hashing {
    struct conversion *conversion;
    struct parallel *team; /* of one file; NULL: each file on a thread of its own */
    struct fault *faults;  /* [source_file_count] */
};

static void hash_file(void *context, uint32_t item, uint32_t thread)
{
    struct hashing *hashing = context;
    struct conversion *conversion = hashing->conversion;
    (void)thread;
    digest_file(source_file_path(conversion->source, item), hashing->team,
                &conversion->file_digests[item], &conversion->file_sizes[item],
                &hashing->faults[item]);
}

static bool hash_source(struct conversion *conversion, struct fault *fault)
{
    uint32_t count = source_file_count(conversion->source);
    struct hashing hashing = {conversion, count == 1 ? conversion->team : NULL,
                              calloc(count ? count : 1, sizeof(struct fault))};
    conversion->file_digests = calloc(count ? count : 1, sizeof *conversion->file_digests);
    conversion->file_sizes = calloc(count ? count : 1, sizeof *conversion->file_sizes);
    bool done = hashing.faults && conversion->file_digests && conversion->file_sizes;
    if (done)
        parallel_for(conversion->team, count, hash_file, &hashing);
    else
        fault_set(fault, FAULT_MEMORY, "no memory for the source's hashes");
    for (uint32_t i = 0; done && i < count; i++)
        if (hashing.faults[i].kind != FAULT_NONE)
            done = fault_set(fault, hashing.faults[i].kind, "%s", hashing.faults[i].text);
    free(hashing.faults);
    return done;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* the header */

/* Weights have a hash of their own, whatever files they come in: the same ones in another container
 * give the same file. */
static bool holds_weights(const char *path)
{
    static const char *const ends[] = {".safetensors", ".bin", ".pt", ".pth", ".index.json"};
    size_t size = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);
        if (size >= end && strcmp(path + size - end, ends[i]) == 0)
            return true;
    }
    return false;
}

static bool put_source(const struct conversion *conversion, struct gguf_writer *writer,
                       struct fault *fault)
{
    uint32_t files = source_file_count(conversion->source);
    size_t count = 0;
    struct gguf_string *names = calloc(files + 1, sizeof *names);
    struct gguf_string *hashes = calloc(files + 1, sizeof *hashes);
    char(*texts)[DIGEST_TEXT_SIZE] = calloc(files + 1, sizeof *texts);
    bool done =
        (names && hashes && texts) || fault_set(fault, FAULT_MEMORY, "no memory for hashes");
    for (uint32_t i = 0; done && i < files; i++) {
        const char *name = base_name(source_file_path(conversion->source, i));
        if (holds_weights(name))
            continue;
        digest_text(conversion->file_digests[i], texts[count]);
        names[count] = (struct gguf_string){name, strlen(name)};
        hashes[count] = (struct gguf_string){texts[count], DIGEST_TEXT_SIZE - 1};
        count++;
    }
    done = done &&
           gguf_put_array(writer, "lichen.source.files", GGUF_STRING, names, count, fault) &&
           gguf_put_array(writer, "lichen.source.hashes", GGUF_STRING, hashes, count, fault);
    free(texts);
    free(hashes);
    free(names);
    return done;
}

/* By name alone: paths are of no use elsewhere, and say more than they should. */
static bool put_corpus(const struct calibration *calibration, struct gguf_writer *writer,
                       struct fault *fault)
{
    const struct gguf_string *texts;
    size_t count = calibration ? calibration_corpus(calibration, &texts) : 0;
    if (count == 0)
        return true;
    struct gguf_string *names = calloc(count, sizeof *names);
    if (!names)
        return fault_set(fault, FAULT_MEMORY, "no memory for the names of %zu texts", count);
    for (size_t i = 0; i < count; i++) {
        names[i] = texts[i];
        for (size_t k = 0; k < texts[i].size; k++)
            if (texts[i].bytes[k] == '/')
                names[i] = (struct gguf_string){texts[i].bytes + k + 1, texts[i].size - k - 1};
    }
    bool done =
        gguf_put_array(writer, "lichen.calibration.corpus", GGUF_STRING, names, count, fault);
    free(names);
    return done;
}

static bool describe(const struct conversion *conversion, struct gguf_writer *writer,
                     struct fault *fault)
{
    const struct recipe *recipe = conversion->options->recipe;
    const char *text = recipe_text(recipe);
    bool done =
        source_put_metadata(conversion->source, writer, fault) &&
        gguf_put_u32(writer, "general.file_type", recipe_file_type(recipe), fault) &&
        gguf_put_u32(writer, "general.quantization_version", 2, fault) &&
        gguf_put_text(writer, "lichen.version", LICHEN_VERSION, strlen(LICHEN_VERSION), fault) &&
        gguf_put_text(writer, "lichen.recipe", text, strlen(text), fault) &&
        put_source(conversion, writer, fault) &&
        put_corpus(conversion->options->calibration, writer, fault);
    for (uint32_t i = 0; done && i < conversion->tensor_count; i++) {
        const struct source_tensor *tensor = source_tensor_at(conversion->source, i);
        done = gguf_put_tensor(writer, tensor->name, recipe_choice(recipe, i)->dtype,
                               tensor->dim_count, tensor->dims, fault);
    }
    return done;
}

static bool build_writer(const struct conversion *conversion, const struct proof_tensors *tensors,
                         struct gguf_writer **writer, struct fault *fault)
{
    if (!gguf_writer_create(writer, fault))
        return false;
    if (describe(conversion, *writer, fault) &&
        (!tensors || proof_put(*writer, conversion->metadata, tensors, &conversion->proof, fault)))
        return true;
    gguf_writer_destroy(*writer);
    *writer = NULL;
    return false;
}

/* The header without the proof gives the hash of it; the one with it the places of the tensors. */
static bool plan_file(struct conversion *conversion, struct fault *fault)
{
    struct gguf_writer *writer = NULL;
    uint8_t *header = NULL;
    size_t size;
    bool done = build_writer(conversion, NULL, &writer, fault) &&
                gguf_writer_header(writer, &header, &size, fault);
    if (done)
        conversion->metadata = digest_of(header, size);
    free(header);
    gguf_writer_destroy(writer);
    struct proof_tensors nothing = {.count = conversion->tensor_count};
    if (!done || !build_writer(conversion, &nothing, &writer, fault))
        return false;
    uint64_t offset = gguf_writer_offset(writer, 0);
    for (uint32_t i = 0; i < conversion->tensor_count; i++) {
        uint64_t bytes = recipe_choice(conversion->options->recipe, i)->size;
        conversion->offsets[i] = offset;
        offset += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    conversion->size = gguf_writer_size(writer);
    gguf_writer_destroy(writer);
    return offset == conversion->size ||
           fault_set(fault, FAULT_FORMAT, "the tensors end at %llu, the file at %llu",
                     (unsigned long long)offset, (unsigned long long)conversion->size);
}

/* Of all tensors that are written. */
static bool hash_weights(const struct conversion *conversion, struct digest *digest,
                         struct fault *fault)
{
    struct digester *digester;
    if (!digester_create(&digester, fault))
        return false;
    for (uint32_t i = 0; i < journal_count(conversion->journal); i++)
        digester_add(digester, &journal_at(conversion->journal, i)->source, sizeof(struct digest));
    *digest = digester_result(digester);
    digester_destroy(digester);
    return true;
}

/* Header bytes with all that is known now; without the magic. */
static bool build_header(const struct conversion *conversion, uint8_t **header, size_t *size,
                         struct fault *fault)
{
    uint32_t count = conversion->tensor_count, have = journal_count(conversion->journal);
    struct digest *digests = calloc(count, sizeof *digests);
    float *errors = calloc(count, sizeof *errors);
    struct proof_tensors tensors = {.digests = digests, .errors = errors, .count = count};
    struct gguf_writer *writer = NULL;
    bool done = (digests && errors) || fault_set(fault, FAULT_MEMORY, "no memory for the header");
    done = done && hash_weights(conversion, &tensors.weights, fault);
    for (uint32_t i = 0; done && i < have; i++) {
        const struct journal_entry *entry = journal_at(conversion->journal, i);
        digests[i] = entry->digest;
        errors[i] =
            entry->stats.signal > 0 ? (float)sqrt(entry->stats.error / entry->stats.signal) : 0.0f;
    }
    done = done && build_writer(conversion, &tensors, &writer, fault) &&
           gguf_writer_header(writer, header, size, fault);
    gguf_writer_destroy(writer);
    free(errors);
    free(digests);
    if (done)
        memset(*header, 0, 4);
    return done;
}

static bool write_header(struct conversion *conversion, struct digest *digest, struct fault *fault)
{
    uint8_t *header;
    size_t size;
    if (!build_header(conversion, &header, &size, fault))
        return false;
    bool done = size == conversion->offsets[0] ||
                fault_set(fault, FAULT_FORMAT, "the header has %zu bytes, %llu were planned", size,
                          (unsigned long long)conversion->offsets[0]);
    done = done && draft_write(conversion->draft, 0, header, size, fault);
    if (digest)
        *digest = digest_of(header, size);
    free(header);
    return done;
}

/* part file and journal */

/* What the file is made of, a line each: journal.h. */
static char *print_head(const struct conversion *conversion)
{
    uint32_t count = source_file_count(conversion->source);
    size_t capacity = 256 + strlen(recipe_text(conversion->options->recipe));
    for (uint32_t i = 0; i < count; i++)
        capacity += strlen(source_file_path(conversion->source, i)) + 80;
    char *head = malloc(capacity), digest[DIGEST_TEXT_SIZE];
    if (!head)
        return NULL;
    size_t size = (size_t)snprintf(head, capacity, "version %s\n", LICHEN_VERSION);
    for (uint32_t i = 0; i < count; i++) {
        digest_text(conversion->file_digests[i], digest);
        size += (size_t)snprintf(head + size, capacity - size, "source %s %llu %s\n", digest,
                                 (unsigned long long)conversion->file_sizes[i],
                                 base_name(source_file_path(conversion->source, i)));
    }
    size += (size_t)snprintf(head + size, capacity - size, "type %s\n",
                             recipe_text(conversion->options->recipe));
    digest_text(conversion->metadata, digest);
    snprintf(head + size, capacity - size, "header %s\n", digest);
    return head;
}

static bool open_part(struct conversion *conversion, struct fault *fault)
{
    bool resume = conversion->options->resume;
    char *head = print_head(conversion);
    if (!head)
        return fault_set(fault, FAULT_MEMORY, "no memory for the journal");
    bool done = check_part(conversion, fault) &&
                journal_open(conversion->journal_path, head, resume, conversion->tensor_count,
                             &conversion->journal, fault) &&
                draft_open(conversion->part, resume, FILE_MODE, &conversion->draft, fault);
    free(head);
    return done;
}

struct checking {
    const struct conversion *conversion;
    bool *wrong;          /* [journal_count] */
    struct fault *faults; /* [thread_count] */
};

static bool read_digest(const struct conversion *conversion, uint32_t tensor, struct digest *digest,
                        struct fault *fault)
{
    struct digester *digester = NULL;
    uint8_t *bytes = malloc(CHECK_STEP);
    bool done = (bytes || fault_set(fault, FAULT_MEMORY, "no memory to read it again")) &&
                digester_create(&digester, fault);
    uint64_t offset = conversion->offsets[tensor];
    uint64_t left = recipe_choice(conversion->options->recipe, tensor)->size;
    while (done && left > 0) {
        size_t step = left < CHECK_STEP ? (size_t)left : CHECK_STEP;
        done = draft_read(conversion->draft, offset, bytes, step, fault);
        if (done)
            digester_add(digester, bytes, step);
        offset += step;
        left -= step;
    }
    if (done)
        *digest = digester_result(digester);
    digester_destroy(digester);
    free(bytes);
    return done;
}

static void check_tensor(void *context, uint32_t item, uint32_t thread)
{
    struct checking *checking = context;
    struct digest digest;
    checking->wrong[item] =
        !read_digest(checking->conversion, item, &digest, &checking->faults[thread]) ||
        !digest_same(digest, journal_at(checking->conversion->journal, item)->digest);
}

/* *first = the first tensor in the journal that the part file does not hold; their count when it
 * holds all. Not being able to read is no fault: then it does not hold it. */
static bool check_tensors(const struct conversion *conversion, uint32_t *first, struct fault *fault)
{
    uint32_t count = journal_count(conversion->journal);
    uint32_t threads = parallel_thread_count(conversion->team);
    struct checking checking = {conversion, calloc(count + 1, sizeof(bool)),
                                calloc(threads, sizeof(struct fault))};
    bool done = (checking.wrong && checking.faults) ||
                fault_set(fault, FAULT_MEMORY, "no memory to read it again");
    if (done)
        parallel_for(conversion->team, count, check_tensor, &checking);
    *first = 0;
    while (done && *first < count && !checking.wrong[*first])
        ++*first;
    free(checking.faults);
    free(checking.wrong);
    return done;
}

/* The magic goes first, so that what follows can never be taken for a whole file. */
static bool prepare(struct conversion *conversion, struct fault *fault)
{
    static const uint8_t nothing[4];
    uint32_t first;
    return (draft_size(conversion->draft) == 0 ||
            draft_write(conversion->draft, 0, nothing, sizeof nothing, fault)) &&
           draft_reserve(conversion->draft, conversion->size, fault) &&
           check_tensors(conversion, &first, fault) &&
           journal_cut(conversion->journal, first, fault) && write_header(conversion, NULL, fault);
}

/* the end */

static bool prove(struct conversion *conversion, struct fault *fault)
{
    const struct convert_options *options = conversion->options;
    if (!options->prove)
        return true;
    for (size_t i = 0; i < CONVERT_PROOF_PROMPTS; i++)
        conversion->proof.prompts[i] = proof_prompts[i];
    conversion->proof.reason[0] = 0;
    return options->prove(options->context, conversion->part, &conversion->proof, fault);
}

static bool read_again(const struct conversion *conversion, struct digest header,
                       struct fault *fault)
{
    uint32_t first;
    size_t size = (size_t)conversion->offsets[0];
    uint8_t *bytes = malloc(size);
    bool done = (bytes || fault_set(fault, FAULT_MEMORY, "no memory to read it again")) &&
                draft_read(conversion->draft, 0, bytes, size, fault);
    if (done && !digest_same(digest_of(bytes, size), header))
        done = fault_set(fault, FAULT_FILE, "%s: the header reads back differently; the disk lies",
                         conversion->part);
    free(bytes);
    if (!done || !check_tensors(conversion, &first, fault))
        return false;
    return first == conversion->tensor_count ||
           fault_set(fault, FAULT_FILE,
                     "%s: tensor '%s' reads back differently from what was written; the disk lies",
                     conversion->part, source_tensor_at(conversion->source, first)->name);
}

static bool finish(struct conversion *conversion, struct fault *fault)
{
    struct digest header;
    bool proves = conversion->options->prove != NULL; /* what it reads needs the header */
    if ((proves && !write_header(conversion, NULL, fault)) || !prove(conversion, fault) ||
        !write_header(conversion, &header, fault) || !draft_sync(conversion->draft, fault) ||
        !read_again(conversion, header, fault) ||
        !draft_write(conversion->draft, 0, "GGUF", 4, fault) ||
        !draft_sync(conversion->draft, fault))
        return false;
    conversion->published = true; /* whatever happens now, the part file is whole */
    return draft_publish(conversion->draft, conversion->options->output, fault);
}

static bool run_pipeline(struct conversion *conversion, struct fault *fault)
{
    struct pipeline_job job = {.options = conversion->options,
                               .offsets = conversion->offsets,
                               .total = conversion->size,
                               .alignment = ALIGNMENT,
                               .team = conversion->team,
                               .draft = conversion->draft,
                               .journal = conversion->journal};
    return pipeline_run(&job, fault);
}

static bool begin(struct conversion *conversion, struct fault *fault)
{
    uint32_t threads = conversion->options->threads;
    conversion->part = with_suffix(conversion->options->output, ".part");
    conversion->journal_path = with_suffix(conversion->options->output, ".part.journal");
    conversion->offsets = calloc(conversion->tensor_count, sizeof *conversion->offsets);
    snprintf(conversion->proof.reason, sizeof conversion->proof.reason, "it was not run");
    if (!conversion->part || !conversion->journal_path || !conversion->offsets)
        return fault_set(fault, FAULT_MEMORY, "no memory to convert");
    threads = threads ? threads : processor_count();
    return parallel_create(threads < THREADS_MAX ? threads : THREADS_MAX, &conversion->team,
                           fault) &&
           hash_source(conversion, fault) && plan_file(conversion, fault) &&
           open_part(conversion, fault);
}

static void fill_results(const struct conversion *conversion, struct convert_result *results)
{
    for (uint32_t i = 0; results && i < conversion->tensor_count; i++) {
        const struct source_tensor *tensor = source_tensor_at(conversion->source, i);
        const struct recipe_choice *choice = recipe_choice(conversion->options->recipe, i);
        const struct journal_entry *entry = journal_at(conversion->journal, i);
        double weights = (double)tensor->dims[0] * (double)tensor->rows;
        results[i] = (struct convert_result){
            .name = tensor->name,
            .dtype = choice->dtype,
            .size = choice->size,
            .rmse = sqrt(entry->stats.error / weights),
            .relative =
                entry->stats.signal > 0 ? sqrt(entry->stats.error / entry->stats.signal) : 0,
            .error_max = entry->stats.error_max,
            .nonfinite = entry->stats.nonfinite,
            .hash = {entry->digest.low, entry->digest.high},
        };
    }
}

/* A failure that a later run can go on behind leaves the part file and its journal. */
static bool can_resume(const struct conversion *conversion, const struct fault *fault)
{
    enum fault_kind kind = fault->kind;
    bool passing = kind == FAULT_FILE || kind == FAULT_MEMORY || kind == FAULT_CANCELLED ||
                   kind == FAULT_DEVICE || kind == FAULT_DEVICE_LOST;
    return passing && journal_count(conversion->journal) > 0;
}

/* Not when another run's part file could not be opened: then its journal stays with it. */
static bool owns_part(const struct conversion *conversion)
{
    return conversion->journal && (conversion->draft || path_kind(conversion->part) == PATH_NONE);
}

static void end(struct conversion *conversion, bool done, const struct fault *fault)
{
    if (done) {
        draft_close(conversion->draft);
        journal_remove(conversion->journal);
    } else if (!conversion->published && owns_part(conversion) && !can_resume(conversion, fault)) {
        draft_remove(conversion->draft);
        journal_remove(conversion->journal);
    } else {
        draft_close(conversion->draft);
        journal_close(conversion->journal);
    }
    parallel_destroy(conversion->team);
    free(conversion->offsets);
    free(conversion->file_sizes);
    free(conversion->file_digests);
    free(conversion->journal_path);
    free(conversion->part);
}

bool convert_can_resume(const char *output)
{
    char *part = with_suffix(output, ".part"), *journal = with_suffix(output, ".part.journal");
    bool can = part && journal && path_is_regular(part) && path_is_regular(journal);
    free(journal);
    free(part);
    return can;
}

/* Hashes have the same size whatever they are. */
bool convert_size(const struct convert_options *options, uint64_t *size, struct fault *fault)
{
    uint32_t files = source_file_count(options->source);
    struct conversion conversion = {.options = options,
                                    .source = options->source,
                                    .tensor_count = source_tensor_count(options->source)};
    conversion.file_digests = calloc(files + 1, sizeof *conversion.file_digests);
    conversion.offsets = calloc(conversion.tensor_count + 1, sizeof *conversion.offsets);
    bool done = conversion.file_digests && conversion.offsets;
    done = done ? check_source(options->source, fault) && plan_file(&conversion, fault)
                : fault_set(fault, FAULT_MEMORY, "no memory to plan the file");
    *size = conversion.size;
    free(conversion.offsets);
    free(conversion.file_digests);
    return done;
}

static bool write_outline(const char *path, const uint8_t *header, size_t size, uint64_t file_size,
                          struct fault *fault)
{
    FILE *file = fopen(path, "wb");
    errno = 0;
    bool done = file && fwrite(header, 1, size, file) == size &&
                (file_size == size ||
                 (file_size - 1 <= LONG_MAX && fseek(file, (long)(file_size - 1), SEEK_SET) == 0 &&
                  fputc(0, file) == 0));
    if (file && fclose(file) != 0)
        done = false;
    if (done)
        return true;
    fault_set(fault, FAULT_FILE, "%s: %s", path, errno ? strerror(errno) : "cannot be written");
    remove(path);
    return false;
}

bool convert_outline(const struct convert_options *options, const char *path, struct fault *fault)
{
    struct conversion conversion = {.options = options,
                                    .source = options->source,
                                    .tensor_count = source_tensor_count(options->source)};
    struct gguf_writer *writer = NULL;
    uint8_t *header = NULL;
    size_t size = 0;
    conversion.file_digests =
        calloc(source_file_count(options->source) + 1, sizeof *conversion.file_digests);
    bool done = conversion.file_digests
                    ? check_source(options->source, fault) &&
                          build_writer(&conversion, NULL, &writer, fault) &&
                          gguf_writer_header(writer, &header, &size, fault) &&
                          write_outline(path, header, size, gguf_writer_size(writer), fault)
                    : fault_set(fault, FAULT_MEMORY, "no memory to plan the file");
    gguf_writer_destroy(writer);
    free(header);
    free(conversion.file_digests);
    return done;
}

bool convert_run(const struct convert_options *options, struct convert_result *results,
                 struct fault *fault)
{
    struct fault own = {.kind = FAULT_NONE};
    struct conversion conversion = {.options = options,
                                    .source = options->source,
                                    .tensor_count = source_tensor_count(options->source)};
    bool done = check_source(options->source, &own) && check_output(options, &own) &&
                begin(&conversion, &own) && prepare(&conversion, &own) &&
                run_pipeline(&conversion, &own) && finish(&conversion, &own);
    if (done)
        fill_results(&conversion, results);
    end(&conversion, done, &own);
    return done || fault_set(fault, own.kind, "%s", own.text);
}
