/* test_run.c: conversions in this process: bytes that do not depend on threads, interruption and
 * --resume, what is refused, weights that are no numbers, the proof in the file and verify. */
#define _GNU_SOURCE /* symlink, link */
#include "convert.h"
#include "gguf_model.h"
#include "platform.h"
#include "testing.h"
#include "verify.h"

#include <math.h>
#include <unistd.h>

#define FOLDER LICHEN_TEST_OUTPUT
#define SOURCE FOLDER "/run.gguf"
#define OTHER FOLDER "/run-other.gguf"
#define OUTPUT FOLDER "/run-out.gguf"
#define PART OUTPUT ".part"
#define JOURNAL PART ".journal"

static const struct gguf_model small = {
    .layers = 2, .dim = 256, .ffn = 768, .kv_dim = 128, .vocab = 1500, .dtype = DTYPE_F16};

static void clean(void)
{
    static const char *const paths[] = {OUTPUT, PART, JOURNAL};
    for (size_t i = 0; i < 3; i++)
        remove(paths[i]);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static uint8_t *bytes_of(const char *path, size_t *size)
{
    char *bytes = NULL;
    struct fault fault = {.kind = FAULT_NONE};
    if (!file_load(path, 1 << 30, &bytes, size, &fault))
        fail_msg("%s", fault.text);
    return (uint8_t *)bytes;
}

static void save(const char *path, const void *bytes, size_t size)
{
    struct fault fault = {.kind = FAULT_NONE};
    if (!file_save(path, bytes, size, 0600, &fault))
        fail_msg("%s", fault.text);
}

/* One conversion of `path`; changes sets what differs from the usual options. */
struct run {
    struct convert_options options;
    struct convert_result *results;
    struct source *source;
    struct recipe *recipe;
    struct fault fault;
    bool done;
};

static void open_run(struct run *run, const char *path, const char *preset)
{
    *run = (struct run){.done = false};
    if (!source_open(path, NULL, &run->source, &run->fault) ||
        !recipe_create(run->source, preset, false, &run->recipe, &run->fault))
        fail_msg("%s", run->fault.text);
    run->results = calloc(source_tensor_count(run->source), sizeof *run->results);
    run->options = (struct convert_options){
        .output = OUTPUT, .source = run->source, .recipe = run->recipe, .threads = 2};
}

static void start(struct run *run)
{
    run->done = convert_run(&run->options, run->results, &run->fault);
}

static void close_run(struct run *run)
{
    free(run->results);
    recipe_destroy(run->recipe);
    source_close(run->source);
}

static void convert(const char *path, const char *preset)
{
    struct run run;
    clean();
    open_run(&run, path, preset);
    start(&run);
    if (!run.done)
        fail_msg("%s", run.fault.text);
    close_run(&run);
}

static void expect_refusal(struct run *run, enum fault_kind kind, const char *text)
{
    start(run);
    assert_false(run->done);
    if (run->fault.kind != kind || !strstr(run->fault.text, text))
        fail_msg("kind %d '%s', expected %d '%s'", run->fault.kind, run->fault.text, kind, text);
    run->fault = (struct fault){.kind = FAULT_NONE};
}

/* bytes */

static void test_threads_change_nothing(void **state)
{
    (void)state;
    static const char *const presets[] = {"q4_k_m", "iq4_xs", "q8_0", "f32"};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        size_t size, other_size;
        convert(SOURCE, presets[i]);
        uint8_t *bytes = bytes_of(OUTPUT, &size);
        for (uint32_t threads = 1; threads <= 7; threads += 3) {
            struct run run;
            clean();
            open_run(&run, SOURCE, presets[i]);
            run.options.threads = threads;
            start(&run);
            assert_true(run.done);
            close_run(&run);
            uint8_t *other = bytes_of(OUTPUT, &other_size);
            assert_int_equal(size, other_size);
            assert_memory_equal(bytes, other, size);
            free(other);
        }
        free(bytes);
        assert_false(exists(PART));
        assert_false(exists(JOURNAL));
    }
}

/* What is written decodes to what encode_row promises; sizes are those of the plan. */
static void test_size_is_known_before(void **state)
{
    (void)state;
    struct run run;
    uint64_t planned;
    size_t size;
    clean();
    open_run(&run, SOURCE, "q4_k_m");
    assert_true(convert_size(&run.options, &planned, &run.fault));
    start(&run);
    assert_true(run.done);
    free(bytes_of(OUTPUT, &size));
    assert_int_equal(planned, size);
    for (uint32_t i = 0; i < source_tensor_count(run.source); i++) {
        const struct convert_result *result = &run.results[i];
        assert_int_equal(result->size, recipe_choice(run.recipe, i)->size);
        assert_true(result->relative < 0.12);
        assert_true((result->relative == 0) == (result->dtype == DTYPE_F32));
        assert_true(result->hash[0] || result->hash[1]);
    }
    close_run(&run);
}

static void test_same_type_is_copied(void **state)
{
    (void)state;
    struct run run;
    convert(SOURCE, "q4_k_m");
    assert_int_equal(rename(OUTPUT, OTHER), 0);
    open_run(&run, OTHER, "q4_k_m");
    start(&run);
    assert_true(run.done);
    for (uint32_t i = 0; i < source_tensor_count(run.source); i++)
        assert_true(run.results[i].relative == 0);
    close_run(&run);
    struct verify *first, *second;
    const struct verify_options options = {.threads = 1};
    struct fault fault = {.kind = FAULT_NONE};
    assert_true(verify_open(OTHER, &options, &first, &fault));
    assert_true(verify_open(OUTPUT, &options, &second, &fault));
    assert_int_equal(verify_tensor_count(first), verify_tensor_count(second));
    for (uint32_t i = 0; i < verify_tensor_count(first); i++)
        assert_true(
            digest_same(verify_tensor_at(first, i)->found, verify_tensor_at(second, i)->found));
    verify_close(first);
    verify_close(second);
    remove(OTHER);
}

/* interruption */

static bool stop_later(void *context, const struct convert_progress *progress)
{
    int *left = context;
    assert_true(progress->bytes_done <= progress->bytes_total && progress->tensor);
    return --*left > 0;
}

static void assert_no_magic(void)
{
    size_t size;
    uint8_t *bytes = bytes_of(PART, &size);
    struct gguf *gguf;
    assert_true(size > 4 && memcmp(bytes, "\0\0\0\0", 4) == 0);
    assert_false(gguf_open(PART, &gguf, NULL));
    free(bytes);
}

static void test_resumes_after_each_stop(void **state)
{
    (void)state;
    size_t size, other_size;
    convert(SOURCE, "q4_k_s");
    uint8_t *bytes = bytes_of(OUTPUT, &size);
    int stops = 0;
    for (int stop = 1;; stop++) {
        struct run run;
        int left = stop;
        clean();
        open_run(&run, SOURCE, "q4_k_s");
        run.options.progress = stop_later;
        run.options.context = &left;
        run.options.threads = 1;
        start(&run);
        if (run.done) {
            close_run(&run);
            break;
        }
        assert_int_equal(run.fault.kind, FAULT_CANCELLED);
        assert_false(exists(OUTPUT));
        if (exists(PART)) {
            assert_no_magic();
            stops++;
        }
        run.fault = (struct fault){.kind = FAULT_NONE};
        run.options.progress = NULL;
        run.options.resume = true;
        run.options.threads = 3;
        start(&run);
        assert_true(run.done);
        close_run(&run);
        uint8_t *other = bytes_of(OUTPUT, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(bytes, other, size);
        free(other);
        assert_false(exists(PART) || exists(JOURNAL));
    }
    free(bytes);
    assert_true(stops >= 2);
}

static void interrupt_one(const char *path, const char *preset)
{
    struct run run;
    int left = 2;
    clean();
    open_run(&run, path, preset);
    run.options.progress = stop_later;
    run.options.context = &left;
    run.options.threads = 1;
    start(&run);
    assert_false(run.done);
    assert_true(exists(PART) && exists(JOURNAL));
    close_run(&run);
}

static void test_what_changed_is_named(void **state)
{
    (void)state;
    struct run run;
    interrupt_one(SOURCE, "q4_k_m");
    open_run(&run, SOURCE, "q4_k_s");
    run.options.resume = true;
    expect_refusal(&run, FAULT_ARGUMENT, "'type q4_k_m', now it is 'type q4_k_s'");
    close_run(&run);

    struct gguf_model changed = small;
    changed.seed = 7;
    gguf_model_write(OTHER, &changed);
    open_run(&run, OTHER, "q4_k_m");
    run.options.resume = true;
    expect_refusal(&run, FAULT_ARGUMENT, "cannot resume: it was begun with 'source ");
    assert_true(exists(PART) && exists(JOURNAL)); /* nothing is lost */
    close_run(&run);
    remove(OTHER);

    open_run(&run, SOURCE, "q4_k_m"); /* without --resume it begins again */
    start(&run);
    assert_true(run.done);
    close_run(&run);
}

/* What the journal says is believed only where the part file agrees. */
static void test_damaged_part_files(void **state)
{
    (void)state;
    size_t size, other_size, part_size, journal_size;
    convert(SOURCE, "q4_k_m");
    uint8_t *bytes = bytes_of(OUTPUT, &size);
    interrupt_one(SOURCE, "q4_k_m");
    uint8_t *part = bytes_of(PART, &part_size), *journal = bytes_of(JOURNAL, &journal_size);
    for (int i = 0; i < 40; i++) {
        uint64_t random = (uint64_t)i + 1;
        uint8_t *damaged = malloc(part_size);
        memcpy(damaged, part, part_size);
        damaged[test_random(&random) % part_size] ^= 0x10;
        save(PART, damaged, i % 3 == 0 ? test_random(&random) % part_size : part_size);
        memcpy(damaged, journal, journal_size);
        damaged[test_random(&random) % journal_size] ^= i % 2 ? 0x04 : 0;
        save(JOURNAL, damaged, i % 5 ? journal_size : test_random(&random) % journal_size);
        free(damaged);
        struct run run;
        remove(OUTPUT);
        open_run(&run, SOURCE, "q4_k_m");
        run.options.resume = true;
        start(&run);
        if (!run.done)
            fail_msg("damage %d: %s", i, run.fault.text);
        close_run(&run);
        uint8_t *other = bytes_of(OUTPUT, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(bytes, other, size);
        free(other);
    }
    free(journal);
    free(part);
    free(bytes);
}

/* what is refused */

static void test_never_over_the_input(void **state)
{
    (void)state;
    static const char *const names[] = {FOLDER "/run-hard.gguf", FOLDER "/run-soft.gguf"};
    struct run run;
    clean();
    open_run(&run, SOURCE, "q8_0");
    run.options.force = true;
    run.options.output = SOURCE;
    expect_refusal(&run, FAULT_ARGUMENT, "is the input itself");
    for (size_t i = 0; i < 2; i++) {
        remove(names[i]);
        assert_int_equal(i ? symlink(SOURCE, names[i]) : link(SOURCE, names[i]), 0);
        run.options.output = names[i];
        expect_refusal(&run, FAULT_ARGUMENT, "is the input itself");
        remove(names[i]);
    }
    close_run(&run);
}

static void test_what_is_in_the_way(void **state)
{
    (void)state;
    struct run run;
    size_t size;
    clean();
    open_run(&run, SOURCE, "q8_0");
    save(OUTPUT, "mine", 4);
    expect_refusal(&run, FAULT_ARGUMENT, "exists; --force");
    free(bytes_of(OUTPUT, &size));
    assert_int_equal(size, 4);
    run.options.output = FOLDER;
    expect_refusal(&run, FAULT_ARGUMENT, "is a folder; name a file in it");
    run.options.output = "/dev/null";
    run.options.force = true;
    expect_refusal(&run, FAULT_ARGUMENT, "not a regular file");
    run.options.output = FOLDER "/no/such/folder/out.gguf";
    expect_refusal(&run, FAULT_FILE, "/no/such/folder does not exist; create that folder first");
    run.options.output = SOURCE "/out.gguf";
    expect_refusal(&run, FAULT_FILE, "is a file, not a folder");
    run.options.output = OUTPUT;
    run.options.force = false;
    remove(OUTPUT);
    save(PART, "somebody's", 10);
    expect_refusal(&run, FAULT_ARGUMENT, "not from a conversion");
    assert_true(exists(PART));
    remove(PART);
    assert_int_equal(symlink(SOURCE, PART), 0);
    run.options.force = true;
    expect_refusal(&run, FAULT_ARGUMENT, "name of its part file");
    remove(PART);
    save(OUTPUT, "mine", 4);
    start(&run);
    assert_true(run.done);
    close_run(&run);
}

/* A link that leads to nothing is something of the user's, too. */
static void test_broken_link_in_the_way(void **state)
{
    (void)state;
    struct run run;
    char target[16];
    clean();
    open_run(&run, SOURCE, "q8_0");
    assert_int_equal(symlink("nowhere", OUTPUT), 0);
    expect_refusal(&run, FAULT_ARGUMENT, "exists, a link to what is not there; --force");
    assert_true(path_link(OUTPUT, target, sizeof target));
    assert_string_equal(target, "nowhere");
    run.options.force = true;
    start(&run);
    assert_true(run.done && path_is_regular(OUTPUT));
    assert_false(path_link(OUTPUT, target, sizeof target));
    close_run(&run);
}

static void test_weights_that_are_no_numbers(void **state)
{
    (void)state;
    static const enum dtype dtypes[] = {DTYPE_F16, DTYPE_F32};
    for (size_t i = 0; i < 2; i++) {
        struct gguf_model spoiled = small;
        struct run run;
        spoiled.spoiled = "blk.1.ffn_up.weight";
        spoiled.dtype = dtypes[i];
        clean();
        gguf_model_write(OTHER, &spoiled);
        open_run(&run, OTHER, "q4_0");
        expect_refusal(&run, FAULT_FORMAT, "tensor 'blk.1.ffn_up.weight': 2 of its weights");
        assert_false(exists(OUTPUT) || exists(PART) || exists(JOURNAL));
        run.options.allow_nonfinite = true;
        start(&run);
        assert_true(run.done);
        uint64_t count = 0;
        for (uint32_t k = 0; k < source_tensor_count(run.source); k++)
            count += run.results[k].nonfinite;
        assert_int_equal(count, 2);
        close_run(&run);
        remove(OTHER);
    }
}

/* Weights beyond what a half-float scale holds saturate; the report says how badly. */
static void test_scales_that_overflow(void **state)
{
    (void)state;
    static const char *const presets[] = {"q4_0", "q5_1",   "q8_0", "q4_k_m",
                                          "q6_k", "iq4_nl", "f16"};
    struct gguf_model large = small;
    large.scale = 3e9f;
    large.dtype = DTYPE_F32;
    gguf_model_write(OTHER, &large);
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        struct run run;
        struct verify *verify;
        const struct verify_options options = {.threads = 1};
        clean();
        open_run(&run, OTHER, presets[i]);
        start(&run);
        assert_true(run.done);
        for (uint32_t k = 0; k < source_tensor_count(run.source); k++)
            if (run.results[k].dtype != DTYPE_F32)
                assert_true(isfinite(run.results[k].relative) && run.results[k].relative > 0.3);
        close_run(&run);
        assert_true(verify_open(OUTPUT, &options, &verify, &run.fault));
        for (uint32_t k = 0; k < verify_tensor_count(verify); k++)
            assert_int_equal(verify_tensor_at(verify, k)->nonfinite, 0);
        verify_close(verify);
    }
    remove(OTHER);
}

/* the proof */

static bool prove(void *context, const char *part_path, struct convert_proof *proof,
                  struct fault *fault)
{
    struct gguf *gguf;
    int *calls = context;
    ++*calls;
    assert_false(gguf_open(part_path, &gguf, NULL));
    if (!gguf_open_unfinished(part_path, &gguf, fault))
        return false;
    gguf_close(gguf);
    proof->present = true;
    for (int32_t i = 0; i < CONVERT_PROOF_PROMPTS; i++) {
        assert_non_null(proof->prompts[i]);
        proof->id_count[i] = (uint32_t)i + 5;
        for (int32_t k = 0; k < i + 5; k++)
            proof->ids[i][k] = 100 * i + k;
        for (int32_t k = 0; k < CONVERT_PROOF_TOP; k++) {
            proof->top_ids[i][k] = 10 * i + k;
            proof->top_logits[i][k] = 20.5f - (float)k;
        }
    }
    proof->template_hash[0] = 12;
    proof->template_hash[1] = 34;
    return true;
}

static void test_proof_comes_back(void **state)
{
    (void)state;
    struct run run;
    struct verify *verify;
    const struct verify_options options = {.threads = 2};
    int calls = 0;
    clean();
    open_run(&run, SOURCE, "q4_k_m");
    run.options.prove = prove;
    run.options.context = &calls;
    start(&run);
    assert_true(run.done);
    close_run(&run);
    assert_int_equal(calls, 1);
    assert_true(verify_open(OUTPUT, &options, &verify, &run.fault));
    assert_true(verify_has_proof(verify));
    assert_int_equal(verify_metadata(verify), VERIFY_RIGHT);
    const struct convert_proof *proof = verify_proof(verify);
    assert_true(proof->present);
    assert_string_equal(proof->reason, "");
    assert_int_equal(proof->id_count[2], 7);
    assert_int_equal(proof->ids[2][6], 206);
    assert_int_equal(proof->top_ids[1][7], 17);
    assert_true(proof->top_logits[1][7] == 13.5f);
    assert_true(proof->template_hash[0] == 12 && proof->template_hash[1] == 34);
    verify_close(verify);
}

/* One bit of each tensor, and each of many bits of the header: found, and the tensor named. */
static void test_every_flipped_bit_is_found(void **state)
{
    (void)state;
    struct gguf *gguf;
    struct fault fault = {.kind = FAULT_NONE};
    const struct verify_options options = {.threads = 2};
    size_t size;
    uint64_t random = 5;
    convert(SOURCE, "q4_k_m");
    uint8_t *bytes = bytes_of(OUTPUT, &size);
    assert_true(gguf_open(OUTPUT, &gguf, &fault));
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        for (int k = 0; k < 3; k++) {
            uint64_t at = k == 0   ? tensor->offset
                          : k == 1 ? tensor->offset + tensor->size - 1
                                   : tensor->offset + test_random(&random) % tensor->size;
            uint8_t bit = (uint8_t)(1 << test_random(&random) % 8);
            struct verify *verify;
            bytes[at] ^= bit;
            save(OTHER, bytes, size);
            bytes[at] ^= bit;
            assert_true(verify_open(OTHER, &options, &verify, &fault));
            for (uint32_t j = 0; j < verify_tensor_count(verify); j++)
                assert_int_equal(verify_tensor_at(verify, j)->hash,
                                 i == j ? VERIFY_WRONG : VERIFY_RIGHT);
            verify_close(verify);
        }
    }
    gguf_close(gguf);
    free(bytes);
    remove(OTHER);
}

static void test_changed_metadata_is_found(void **state)
{
    (void)state;
    static const char *const parts[] = {"noise", "llama.context_length", "blk.1.attn_q.weight",
                                        "q4_k_m"};
    const struct verify_options options = {.threads = 1};
    size_t size;
    convert(SOURCE, "q4_k_m");
    uint8_t *bytes = bytes_of(OUTPUT, &size);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint8_t *at = memmem(bytes, size, parts[i], strlen(parts[i]));
        struct fault fault = {.kind = FAULT_NONE};
        struct verify *verify;
        assert_non_null(at);
        at[0] ^= 1;
        save(OTHER, bytes, size);
        at[0] ^= 1;
        assert_true(verify_open(OTHER, &options, &verify, &fault));
        assert_int_equal(verify_metadata(verify), VERIFY_WRONG);
        verify_close(verify);
    }
    free(bytes);
    remove(OTHER);
}

static void test_files_of_others(void **state)
{
    (void)state;
    struct gguf_model spoiled = small;
    const struct verify_options options = {.threads = 1};
    struct fault fault = {.kind = FAULT_NONE};
    struct verify *verify;
    uint64_t nonfinite = 0;
    assert_true(verify_open(SOURCE, &options, &verify, &fault));
    assert_false(verify_has_proof(verify));
    assert_int_equal(verify_metadata(verify), VERIFY_ABSENT);
    verify_close(verify);
    spoiled.spoiled = "output_norm.weight";
    gguf_model_write(OTHER, &spoiled);
    assert_true(verify_open(OTHER, &options, &verify, &fault));
    for (uint32_t i = 0; i < verify_tensor_count(verify); i++)
        nonfinite += verify_tensor_at(verify, i)->nonfinite;
    assert_int_equal(nonfinite, 2);
    verify_close(verify);
    assert_false(verify_open(FOLDER "/none.gguf", &options, &verify, &fault));
    remove(OTHER);
}

static int prepare(void **state)
{
    (void)state;
    gguf_model_write(SOURCE, &small);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    clean();
    remove(SOURCE);
    remove(OTHER);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_size_is_known_before),
        cmocka_unit_test(test_same_type_is_copied),
        cmocka_unit_test(test_resumes_after_each_stop),
        cmocka_unit_test(test_what_changed_is_named),
        cmocka_unit_test(test_damaged_part_files),
        cmocka_unit_test(test_never_over_the_input),
        cmocka_unit_test(test_what_is_in_the_way),
        cmocka_unit_test(test_broken_link_in_the_way),
        cmocka_unit_test(test_weights_that_are_no_numbers),
        cmocka_unit_test(test_scales_that_overflow),
        cmocka_unit_test(test_proof_comes_back),
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_changed_metadata_is_found),
        cmocka_unit_test(test_files_of_others),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
