/* cmd_verify.c: lichen verify: is a file whole, and does this machine run it as it ran when it was
 * made? Each check is right, wrong, or absent (the file carries no such proof). */
#include "command.h"
#include "prove.h"
#include "text.h"
#include "verify.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_MAX = 8, DETAIL_SIZE = 320 };

/* Largest difference that is allowed between a logit now and when the file was made, as a share of
 * the larger of 1 and the best logit: the C executor; float activations on a device; 16 bits; 8. */
static const double bounds[] = {1e-4, 1e-3, 5e-3, 0.1};

struct check {
    const char *name;
    enum verify_state state;
    char detail[DETAIL_SIZE];
};

struct checking {
    struct common common;
    struct verify *verify;
    struct lichen_engine *engine;
    struct lichen_session *session;
    struct check checks[CHECK_MAX];
    size_t count;
};

static void add(struct checking *checking, const char *name, enum verify_state state,
                const char *format, ...) FAULT_PRINTF(4, 5);

static void add(struct checking *checking, const char *name, enum verify_state state,
                const char *format, ...)
{
    struct check *check = &checking->checks[checking->count++];
    va_list arguments;
    check->name = name;
    check->state = state;
    va_start(arguments, format);
    vsnprintf(check->detail, sizeof check->detail, format, arguments);
    va_end(arguments);
}

static enum verify_state state_of(bool right)
{
    return right ? VERIFY_RIGHT : VERIFY_WRONG;
}

/* the file */

static void check_metadata(struct checking *checking)
{
    enum verify_state state = verify_metadata(checking->verify);
    add(checking, "metadata", state, "%s",
        state == VERIFY_ABSENT  ? "no hash of it"
        : state == VERIFY_RIGHT ? "hash as written"
                                : "its hash is another than the one written");
}

static void check_tensors(struct checking *checking)
{
    uint32_t count = verify_tensor_count(checking->verify), wrong = 0;
    for (uint32_t i = 0; i < count; i++)
        wrong += verify_tensor_at(checking->verify, i)->hash == VERIFY_WRONG;
    if (!verify_has_proof(checking->verify))
        add(checking, "tensors", VERIFY_ABSENT, "no hashes; %u tensors could be read",
            (unsigned)count);
    else
        add(checking, "tensors", state_of(wrong == 0), "%u of %u have the hash as written",
            (unsigned)(count - wrong), (unsigned)count);
}

static void check_values(struct checking *checking)
{
    uint64_t nonfinite = 0;
    for (uint32_t i = 0; i < verify_tensor_count(checking->verify); i++)
        nonfinite += verify_tensor_at(checking->verify, i)->nonfinite;
    add(checking, "values", state_of(nonfinite == 0), "%llu NaN or infinite",
        (unsigned long long)nonfinite);
}

/* the run */

static void check_ids(struct checking *checking)
{
    const struct convert_proof *proof = verify_proof(checking->verify);
    uint32_t total = 0;
    for (uint32_t i = 0; i < CONVERT_PROOF_PROMPTS; i++) {
        int32_t ids[64];
        uint32_t count = 0;
        struct fault fault = {.kind = FAULT_NONE};
        if (!prove_ids(checking->engine, proof->prompts[i], ids, &count, &fault) ||
            count != proof->id_count[i] || memcmp(ids, proof->ids[i], count * sizeof *ids) != 0) {
            add(checking, "tokens", VERIFY_WRONG, "prompt %u: %u ids, other than the %u written %s",
                (unsigned)i, (unsigned)count, (unsigned)proof->id_count[i], fault.text);
            return;
        }
        total += count;
    }
    add(checking, "tokens", VERIFY_RIGHT, "%u ids of %d prompts", (unsigned)total,
        CONVERT_PROOF_PROMPTS);
}

static void check_template(struct checking *checking)
{
    const struct convert_proof *proof = verify_proof(checking->verify);
    uint64_t hash[2];
    struct fault fault = {.kind = FAULT_NONE};
    if (!proof->template_hash[0] && !proof->template_hash[1]) {
        add(checking, "template", VERIFY_ABSENT,
            "none in the file, or its text depends on the day");
        return;
    }
    bool right = prove_template(checking->engine, proof->prompts[0], hash, &fault) &&
                 memcmp(hash, proof->template_hash, sizeof hash) == 0;
    add(checking, "template", state_of(right), "%s %s",
        right ? "the text as written" : "its text is another than the one written", fault.text);
}

static double bound_of(const struct checking *checking)
{
    const struct lichen_device *device = lichen_engine_device(checking->engine);
    struct lichen_stats stats;
    lichen_stats(checking->session, &stats);
    if (device->index < 0)
        return bounds[0];
    return stats.activations && strcmp(stats.activations, "A16") == 0  ? bounds[2]
           : stats.activations && strcmp(stats.activations, "A8") == 0 ? bounds[3]
                                                                       : bounds[1];
}

/* Largest difference of a written logit; infinite where an id is out of range or it is not a
 * number. */
static double difference(const struct convert_proof *proof, uint32_t prompt, const float *logits,
                         uint32_t vocab)
{
    double largest = 0;
    for (uint32_t i = 0; i < CONVERT_PROOF_TOP; i++) {
        int32_t id = proof->top_ids[prompt][i];
        if (id < 0) /* a vocabulary of fewer */
            continue;
        double top = fabs((double)proof->top_logits[prompt][0]);
        double now = (uint32_t)id < vocab ? (double)logits[id] : INFINITY;
        double error = fabs(now - (double)proof->top_logits[prompt][i]) / (top > 1 ? top : 1);
        largest = error <= largest ? largest : error; /* a NaN stays */
    }
    return largest;
}

static bool check_logits(struct checking *checking)
{
    const struct convert_proof *proof = verify_proof(checking->verify);
    struct fault *fault = &checking->common.fault;
    struct lichen_model_info info;
    lichen_model_info(checking->engine, &info);
    float *logits = malloc(info.vocab * sizeof *logits);
    bool done = logits || fault_set(fault, FAULT_MEMORY, "out of memory for logits");
    double largest = 0;
    for (uint32_t i = 0; done && i < CONVERT_PROOF_PROMPTS; i++) {
        done = prove_logits(checking->session, proof->ids[i], proof->id_count[i], logits, fault);
        double error = done ? difference(proof, i, logits, info.vocab) : 0;
        largest = error <= largest ? largest : error;
    }
    free(logits);
    if (!done)
        return false;
    double bound = bound_of(checking);
    add(checking, "logits", state_of(largest <= bound),
        "largest difference %.2g of the best logit (allowed %.2g) on %s", largest, bound,
        lichen_engine_device(checking->engine)->name);
    return true;
}

static bool run_file(struct checking *checking)
{
    const struct convert_proof *proof = verify_proof(checking->verify);
    if (!verify_has_proof(checking->verify) || !proof->present) {
        const char *reason = verify_has_proof(checking->verify) ? proof->reason : "no proof at all";
        add(checking, "tokens", VERIFY_ABSENT, "no ids to compare with: %.200s", reason);
        add(checking, "template", VERIFY_ABSENT, "no text to compare with");
        add(checking, "logits", VERIFY_ABSENT, "none to compare with");
        return true;
    }
    if (!common_open(&checking->common, false, &checking->engine, NULL) ||
        !prove_session(checking->engine, &checking->session, &checking->common.fault))
        return false;
    check_ids(checking);
    check_template(checking);
    return check_logits(checking);
}

/* results */

static const char *state_text(enum verify_state state)
{
    return state == VERIFY_RIGHT ? "right" : state == VERIFY_WRONG ? "wrong" : "absent";
}

static bool is_wrong(const struct verify_tensor *tensor)
{
    return tensor->hash == VERIFY_WRONG || tensor->nonfinite > 0;
}

static bool print_tensor(const struct verify_tensor *tensor, struct fault *fault)
{
    char expected[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    digest_text(tensor->expected, expected);
    digest_text(tensor->found, found);
    printf("  tensor '");
    bool done = text_print_safe(stdout, tensor->name, strlen(tensor->name), fault);
    printf("':");
    if (tensor->hash == VERIFY_WRONG)
        printf(" expected %s, found %s", expected, found);
    if (tensor->nonfinite)
        printf(" %llu values are NaN or infinite", (unsigned long long)tensor->nonfinite);
    putchar('\n');
    return done;
}

static bool print_checks(struct checking *checking)
{
    struct fault *fault = &checking->common.fault;
    const struct verify *verify = checking->verify;
    const char *version = verify_version(verify);
    char size[32];
    bool done = true;
    printf("%-10s right   ", "structure");
    printf("%s, %u tensors\n", size_text(verify_size(verify), size),
           (unsigned)verify_tensor_count(verify));
    for (size_t i = 0; done && i < checking->count; i++) {
        const struct check *check = &checking->checks[i];
        printf("%-10s %-7s ", check->name, state_text(check->state));
        done = text_print_safe(stdout, check->detail, strlen(check->detail), fault);
        putchar('\n');
    }
    for (uint32_t i = 0; done && i < verify_tensor_count(verify); i++)
        if (is_wrong(verify_tensor_at(verify, i)))
            done = print_tensor(verify_tensor_at(verify, i), fault);
    if (!verify_has_proof(verify))
        printf("the file carries no proof (lichen convert writes one)\n");
    else
        printf("made by lichen %s\n", version[0] ? version : "of unknown version");
    return done;
}

static json_t *json_of_tensor(const struct verify_tensor *tensor)
{
    char expected[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    digest_text(tensor->expected, expected);
    digest_text(tensor->found, found);
    return json_pack("{s:o, s:s, s:I, s:s, s:o, s:s, s:I, s:o}", "name",
                     json_of_text(tensor->name, strlen(tensor->name)), "type", tensor->type,
                     "bytes", (json_int_t)tensor->size, "hash", state_text(tensor->hash),
                     "expected",
                     tensor->hash == VERIFY_ABSENT ? json_null() : json_string(expected), "found",
                     found, "nonfinite", (json_int_t)tensor->nonfinite, "relative_error",
                     tensor->relative < 0 ? json_null() : json_real(tensor->relative));
}

static json_t *json_of_checks(const struct checking *checking, bool right)
{
    const struct verify *verify = checking->verify;
    const char *version = verify_version(verify);
    json_t *checks = json_array(), *tensors = json_array();
    for (size_t i = 0; checks && i < checking->count; i++)
        json_array_append_new(checks, json_pack("{s:s, s:s, s:s}", "name", checking->checks[i].name,
                                                "state", state_text(checking->checks[i].state),
                                                "detail", checking->checks[i].detail));
    for (uint32_t i = 0; tensors && i < verify_tensor_count(verify); i++)
        json_array_append_new(tensors, json_of_tensor(verify_tensor_at(verify, i)));
    return json_pack("{s:i, s:o, s:I, s:b, s:b, s:o, s:o, s:o}", "schema", 1, "file",
                     json_of_text(checking->common.path, strlen(checking->common.path)), "bytes",
                     (json_int_t)verify_size(verify), "right", (int)right, "has_proof",
                     (int)verify_has_proof(verify), "version",
                     version[0] ? json_string(version) : json_null(), "checks", checks, "tensors",
                     tensors);
}

/* Right unless a check is wrong; the first that is becomes the fault. */
static bool judge(const struct checking *checking, struct fault *fault)
{
    for (uint32_t i = 0; i < verify_tensor_count(checking->verify); i++) {
        const struct verify_tensor *tensor = verify_tensor_at(checking->verify, i);
        if (tensor->hash == VERIFY_WRONG)
            return fault_set(fault, FAULT_FORMAT, "%s: tensor '%s' is not what was written",
                             checking->common.path, tensor->name);
        if (tensor->nonfinite)
            return fault_set(
                fault, FAULT_FORMAT, "%s: tensor '%s': %llu values are NaN or infinite",
                checking->common.path, tensor->name, (unsigned long long)tensor->nonfinite);
    }
    for (size_t i = 0; i < checking->count; i++)
        if (checking->checks[i].state == VERIFY_WRONG)
            return fault_set(fault, FAULT_FORMAT, "%s: %s: %s", checking->common.path,
                             checking->checks[i].name, checking->checks[i].detail);
    return true;
}

static bool read_file(struct checking *checking)
{
    struct verify_options options = {.threads = checking->common.threads,
                                     .progress = output_progress,
                                     .context = &checking->common.output};
    if (!model_find(checking->common.model, checking->common.path, &checking->common.fault))
        return false;
    checking->common.output.activity = "verifying";
    bool done =
        verify_open(checking->common.path, &options, &checking->verify, &checking->common.fault);
    output_progress_end(&checking->common.output);
    if (!done)
        return false;
    check_metadata(checking);
    check_tensors(checking);
    check_values(checking);
    return true;
}

static bool verify_file(struct checking *checking)
{
    struct fault *fault = &checking->common.fault, verdict = {.kind = FAULT_NONE};
    if (!read_file(checking))
        return false;
    /* A file that is damaged is not run: what it would answer says nothing more. */
    if (judge(checking, &verdict) && !run_file(checking))
        return false;
    bool right = judge(checking, &verdict);
    bool shown = checking->common.output.json ? output_json(json_of_checks(checking, right), fault)
                                              : print_checks(checking);
    return shown && (right || fault_set(fault, verdict.kind, "%s", verdict.text));
}

static int verify_main(const struct command *command, int argc, char **argv)
{
    struct checking checking = {.count = 0};
    struct option_set set = {.count = 0};
    int status;
    common_init(&checking.common);
    common_add_model(&checking.common, &set);
    common_add_output(&checking.common, &set, true);
    if (!command_begin_model(command, &checking.common, &set, argc, argv, &status))
        return status;
    bool done = verify_file(&checking);
    status = output_end(done, &checking.common.fault);
    lichen_session_close(checking.session);
    lichen_engine_close(checking.engine);
    verify_close(checking.verify);
    return status;
}

const struct command command_verify = {
    "verify", "[MODEL]", "is a model file whole, and does it run here as it was made to",
    "Reads all of the file and compares it with the proof that lichen convert wrote into it: "
    "hashes\n"
    "of metadata and tensors, token ids, the rendered template, logits. Exit status 1 when\n"
    "something is wrong; what the file carries no proof of is called absent.",
    verify_main};
