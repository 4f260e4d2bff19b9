/* prove.c: the prompts of a proof through lichen.h. */
#include "prove.h"
#include "digest.h"
#include "interrupt.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_MAX = 64, MEMORY_MAX = 1 << 30 };

static uint32_t context_of(const struct lichen_engine *engine)
{
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    uint32_t trained = info.context_trained;
    return trained && trained < IDS_MAX ? trained : IDS_MAX;
}

bool prove_ids(const struct lichen_engine *engine, const char *prompt, int32_t ids[64],
               uint32_t *count, struct fault *fault)
{
    struct lichen_ids all = {0};
    if (!lichen_tokenize(engine, prompt, strlen(prompt), true, false, &all, fault))
        return false;
    uint32_t limit = context_of(engine);
    *count = all.count < limit ? (uint32_t)all.count : limit;
    if (*count)
        memcpy(ids, all.ids, *count * sizeof *ids);
    lichen_free(all.ids);
    return *count > 0 || fault_set(fault, FAULT_FORMAT, "the tokenizer gives no tokens");
}

/* Templates that ask for the day take date_string, where they know it, and else differ by day. */
static bool template_is_fixed(const struct lichen_engine *engine)
{
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    return info.chat_template && (!strstr(info.chat_template, "strftime_now") ||
                                  strstr(info.chat_template, "date_string"));
}

bool prove_template(const struct lichen_engine *engine, const char *question, uint64_t hash[2],
                    struct fault *fault)
{
    hash[0] = hash[1] = 0;
    if (!template_is_fixed(engine))
        return true;
    json_t *document = json_pack("{s:[{s:s, s:s}], s:s}", "messages", "role", "user", "content",
                                 question, "date_string", "26 Jul 2024");
    char *json = document ? json_dumps(document, JSON_COMPACT) : NULL, *text = NULL;
    size_t size = 0;
    bool done = json ? lichen_render(engine, json, strlen(json), &text, &size, fault)
                     : fault_set(fault, FAULT_MEMORY, "out of memory for a template");
    if (done) {
        struct digest digest = digest_of(text, size);
        hash[0] = digest.low;
        hash[1] = digest.high;
    }
    lichen_free(text);
    free(json);
    json_decref(document);
    return done;
}

bool prove_session(struct lichen_engine *engine, struct lichen_session **session,
                   struct fault *fault)
{
    struct lichen_session_options options;
    lichen_session_defaults(&options);
    options.context = context_of(engine);
    options.kv = LICHEN_KV_F32;
    return lichen_session_open(engine, &options, session, fault);
}

bool prove_logits(struct lichen_session *session, const int32_t *ids, uint32_t count, float *logits,
                  struct fault *fault)
{
    lichen_rewind(session, 0);
    return lichen_feed_logits(session, ids, count, 1, logits, fault);
}

/* Best first; of equal ones the smaller id. */
static void choose_top(const float *logits, uint32_t vocab, struct convert_proof *proof,
                       uint32_t prompt)
{
    int32_t *ids = proof->top_ids[prompt];
    float *top = proof->top_logits[prompt];
    uint32_t count = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        uint32_t k = count < CONVERT_PROOF_TOP ? count++ : CONVERT_PROOF_TOP;
        for (; k > 0 && logits[i] > top[k - 1]; k--)
            if (k < CONVERT_PROOF_TOP) {
                ids[k] = ids[k - 1];
                top[k] = top[k - 1];
            }
        if (k < CONVERT_PROOF_TOP) {
            ids[k] = (int32_t)i;
            top[k] = logits[i];
        }
    }
    for (; count < CONVERT_PROOF_TOP; count++) {
        ids[count] = -1;
        top[count] = 0;
    }
}

static bool all_finite(const float *logits, uint32_t vocab, struct fault *fault)
{
    for (uint32_t i = 0; i < vocab; i++)
        if (!isfinite(logits[i]))
            return fault_set(fault, FAULT_FORMAT, "its logits are not finite");
    return true;
}

static bool answer(struct lichen_engine *engine, struct lichen_session *session,
                   struct convert_proof *proof, struct fault *fault)
{
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    float *logits = malloc(info.vocab * sizeof *logits);
    bool done = logits || fault_set(fault, FAULT_MEMORY, "out of memory for logits");
    for (uint32_t i = 0; done && i < CONVERT_PROOF_PROMPTS; i++) {
        done = prove_ids(engine, proof->prompts[i], proof->ids[i], &proof->id_count[i], fault) &&
               prove_logits(session, proof->ids[i], proof->id_count[i], logits, fault) &&
               all_finite(logits, info.vocab, fault);
        if (done)
            choose_top(logits, info.vocab, proof, i);
    }
    free(logits);
    return done && prove_template(engine, proof->prompts[0], proof->template_hash, fault);
}

static bool has_room(const struct lichen_engine_options *options, uint64_t limit,
                     struct fault *fault)
{
    struct lichen_session_options session;
    struct lichen_plan plan;
    lichen_session_defaults(&session);
    session.context = IDS_MAX;
    session.kv = LICHEN_KV_F32;
    if (!lichen_plan(options, &session, &plan, fault))
        return false;
    if (plan.heaps[0].total > limit)
        return fault_set(fault, FAULT_MEMORY,
                         "running it takes %.1f GB of memory; --proof always does it",
                         (double)plan.heaps[0].total / 1e9);
    return plan.fits ||
           fault_set(fault, FAULT_MEMORY, "the C executor needs %.1f GB of memory, %.1f are free",
                     (double)plan.heaps[0].total / 1e9, (double)plan.heaps[0].free / 1e9);
}

static bool run(const struct lichen_engine_options *options, uint64_t limit,
                struct convert_proof *proof, struct fault *fault)
{
    struct lichen_engine *engine = NULL;
    struct lichen_session *session = NULL;
    bool done = has_room(options, limit, fault) && lichen_engine_open(options, &engine, fault) &&
                prove_session(engine, &session, fault);
    if (done) {
        interrupt_watch(session);
        done = answer(engine, session, proof, fault);
        interrupt_watch(NULL);
    }
    lichen_session_close(session);
    lichen_engine_close(engine);
    return done;
}

static bool go_on(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    (void)done;
    (void)total;
    return !interrupt_seen();
}

bool prove_part(const char *path, uint32_t threads, bool always, struct convert_proof *proof,
                struct fault *fault)
{
    struct fault reason = {.kind = FAULT_NONE};
    struct convert_proof empty = {.present = false};
    struct lichen_engine_options options;
    lichen_engine_defaults(&options);
    options.model = path;
    options.device = "cpu";
    options.threads = threads;
    options.unfinished = true;
    options.progress = go_on;
    memcpy(empty.prompts, proof->prompts, sizeof empty.prompts);
    proof->present = run(&options, always ? UINT64_MAX : MEMORY_MAX, proof, &reason);
    if (proof->present)
        return true;
    *proof = empty;
    if (reason.kind == FAULT_CANCELLED)
        return fault_set(fault, reason.kind, "%s", reason.text);
    /* The path of a part file is of no use to who reads the finished one. */
    size_t skip = strlen(path);
    bool named = strncmp(reason.text, path, skip) == 0 && reason.text[skip] == ':';
    snprintf(proof->reason, sizeof proof->reason, "%.250s",
             named ? reason.text + skip + 2 : reason.text);
    return true;
}
