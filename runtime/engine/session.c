/* session.c: one conversation: tokens in, logits, the next token out. */
#include "internal.h"
#include "platform.h"
#include <stdlib.h>
#include <string.h>

void lichen_session_defaults(struct lichen_session_options *options)
{
    memset(options, 0, sizeof *options);
    sampler_defaults(&options->sampler);
}

bool session_exec_create(struct lichen_session *session, struct fault *fault)
{
    struct lichen_engine *engine = session->engine;
    session->generation = engine->generation;
    if (engine->on_cpu) {
        const struct exec_ref_options options = {
            .plan = &engine->plan,
            .gguf = engine->gguf,
            .parallel = engine->parallel,
            .context = session->context,
            .batch_max = session->batch,
            .outputs_max = session->outputs,
            .kv = session->kv,
        };
        return exec_ref_create(&options, engine->ref_weights, &session->exec, fault);
    }
    const struct exec_gpu_options options = {
        .device = engine->device,
        .plan = &engine->plan,
        .weights = engine->gpu_weights,
        .context = session->context,
        .batch_max = session->batch,
        .outputs_max = session->outputs,
        .kv = session->kv,
        .activations = engine->activations,
        .exact = engine->exact,
    };
    return exec_gpu_create(&options, &session->exec, fault);
}

/* The sampler keeps pointers into its options: copies live in the session's arena. */
static bool sampler_replace(struct lichen_session *session, const struct sampler_options *options,
                            struct fault *fault)
{
    struct sampler_options copy = *options;
    struct arena arena;
    arena_init(&arena, 0);
    struct logit_bias *biases = arena_alloc(&arena, options->bias_count, sizeof *biases);
    int32_t *breakers = arena_alloc(&arena, options->dry_breaker_count, sizeof *breakers);
    struct sampler *sampler = NULL;
    bool created = (biases || !options->bias_count) && (breakers || !options->dry_breaker_count)
                       ? true
                       : fault_set(fault, FAULT_MEMORY, "no memory for the sampler");
    if (created && options->bias_count)
        memcpy(biases, options->biases, options->bias_count * sizeof *biases);
    if (created && options->dry_breaker_count)
        memcpy(breakers, options->dry_breakers, options->dry_breaker_count * sizeof *breakers);
    copy.biases = biases;
    copy.dry_breakers = breakers;
    created = created && sampler_create(&copy, session->engine->plan.vocab, &sampler, fault);
    for (uint32_t i = 0; created && i < session->count; i++)
        created = sampler_accept(sampler, session->tokens[i], fault);
    if (!created) {
        sampler_destroy(sampler);
        arena_free(&arena);
        return false;
    }
    sampler_destroy(session->sampler);
    arena_free(&session->sampler_arena);
    session->sampler = sampler;
    session->sampler_arena = arena;
    session->sampler_options = copy;
    return true;
}

static bool session_memory(struct lichen_session *session, struct fault *fault)
{
    uint32_t vocab = session->engine->plan.vocab;
    session->tokens = calloc(session->context, sizeof *session->tokens);
    session->top_ids = calloc(vocab, sizeof *session->top_ids);
    session->top_logits = calloc(vocab, sizeof *session->top_logits);
    return (session->tokens && session->top_ids && session->top_logits) ||
           fault_set(fault, FAULT_MEMORY, "no memory for a session of %u tokens",
                     session->context);
}

bool lichen_session_open(struct lichen_engine *engine, const struct lichen_session_options *options,
                         struct lichen_session **out, struct fault *fault)
{
    *out = NULL;
    if (engine->vocabulary_only)
        return fault_set(fault, FAULT_ARGUMENT, "the engine was opened for its vocabulary only");
    struct lichen_session *session = calloc(1, sizeof *session);
    if (!session)
        return fault_set(fault, FAULT_MEMORY, "no memory for a session");
    session->engine = engine;
    session->kv = options->kv == LICHEN_KV_F32    ? KV_F32
                  : options->kv == LICHEN_KV_Q8_0 ? KV_Q8_0
                                                  : KV_F16;
    session_shape(engine, options, &session->context, &session->batch, &session->outputs);
    mtx_lock(&engine->lock);
    bool opened = session_memory(session, fault) &&
                  sampler_replace(session, &options->sampler, fault) &&
                  session_exec_create(session, fault);
    session->next = engine->sessions;
    engine->sessions = session;
    mtx_unlock(&engine->lock);
    if (!opened) {
        lichen_session_close(session);
        bool wrong_use = fault && fault->kind == FAULT_ARGUMENT;
        return !wrong_use && fault_file(fault, engine->model_path);
    }
    *out = session;
    return true;
}

void lichen_session_close(struct lichen_session *session)
{
    if (!session)
        return;
    struct lichen_engine *engine = session->engine;
    mtx_lock(&engine->lock);
    struct lichen_session **link = &engine->sessions;
    while (*link && *link != session)
        link = &(*link)->next;
    if (*link)
        *link = session->next;
    exec_destroy(session->exec);
    mtx_unlock(&engine->lock);
    sampler_destroy(session->sampler);
    arena_free(&session->sampler_arena);
    free(session->tokens);
    free(session->top_ids);
    free(session->top_logits);
    free(session);
}

uint32_t lichen_session_context(const struct lichen_session *session)
{
    return session->context;
}

uint32_t lichen_session_count(const struct lichen_session *session)
{
    return session->count;
}

/* Runs tokens[first .. end) in batches; the last batch computes `outputs` rows. */
static bool run_batches(struct lichen_session *session, uint32_t first, uint32_t end,
                        uint32_t outputs, struct fault *fault)
{
    for (uint32_t done = first; done < end;) {
        uint32_t size = end - done < session->batch ? end - done : session->batch;
        const struct batch batch = {
            .tokens = session->tokens + done,
            .count = size,
            .position = done,
            .outputs = done + size == end ? outputs : 0,
            .prefix = session->prefix,
        };
        if (session->cancelled)
            return fault_set(fault, FAULT_CANCELLED, "cancelled");
        if (!exec_run(session->exec, &batch, &session->cancelled, fault))
            return false;
        done += size;
    }
    return true;
}

/* An executor that belongs to the present device, with the cached tokens in its cache. */
static bool ensure_exec(struct lichen_session *session, struct fault *fault)
{
    if (session->exec && session->generation == session->engine->generation)
        return true;
    exec_destroy(session->exec);
    session->exec = NULL;
    session->stats.recoveries++;
    return session_exec_create(session, fault) &&
           run_batches(session, 0, session->cached, 0, fault);
}

/* Runs what is not cached of the first `end` tokens, with the device lock held; a lost device is
 * rebuilt and the run repeated once. */
static bool run_locked(struct lichen_session *session, uint32_t end, uint32_t outputs,
                       struct fault *fault)
{
    struct fault first = {0};
    if (ensure_exec(session, &first) && run_batches(session, session->cached, end, outputs, &first))
        return true;
    if (first.kind != FAULT_DEVICE_LOST)
        return fault_set(fault, first.kind, "%s", first.text);
    return engine_recover(session->engine, fault) && ensure_exec(session, fault) &&
           run_batches(session, session->cached, end, outputs, fault);
}

/* The prefix of the first `end` tokens are those before the first plan.prefix_end, the last of
 * which may be a blank to fill; none without one. When it is another one than the cache was made
 * with, nothing of the cache holds. */
static bool prefix_update(struct lichen_session *session, uint32_t end, struct fault *fault)
{
    const struct plan *plan = &session->engine->plan;
    uint32_t prefix = 0;
    if (!plan->prefix_mask)
        return true;
    while (prefix < end && session->tokens[prefix] != plan->prefix_end)
        prefix++;
    for (uint32_t i = 0; prefix < end && i + 1 < prefix; i++)
        if (session->tokens[i] == plan->prefix_blanks[0] ||
            session->tokens[i] == plan->prefix_blanks[1])
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "token %u is a blank inside the prompt; lichen fills one at its end",
                             i);
    prefix = prefix < end ? prefix : 0;
    if (prefix != session->prefix)
        session->cached = 0;
    session->prefix = prefix;
    return true;
}

static void stats_add(struct lichen_session *session, uint32_t count, bool decode, uint64_t start)
{
    uint64_t elapsed = clock_ns() - start;
    if (decode) {
        session->stats.decode_tokens += count;
        session->stats.decode_ns += elapsed;
    } else {
        session->stats.prefill_tokens += count;
        session->stats.prefill_ns += elapsed;
    }
    if (session->engine->on_cpu) {
        session->stats.activations = "float32";
        return;
    }
    static const char *const names[] = {"A16", "A8", "float32"};
    struct gpu_run_stats stats;
    exec_gpu_stats(session->exec, &stats);
    session->stats.submissions += stats.submissions;
    session->stats.activations = names[stats.ran];
    if (count == 1) {
        session->stats.dispatches_per_token = stats.dispatches;
        session->stats.intervals_per_token = stats.barriers + stats.submissions;
        session->stats.bytes_per_token = stats.weight_bytes;
    }
}

static bool check_feed(const struct lichen_session *session, const int32_t *ids, size_t count,
                       struct fault *fault)
{
    uint32_t vocab = session->engine->plan.vocab;
    if (count > session->context - session->count)
        return fault_set(fault, FAULT_CONTEXT,
                         "%zu tokens do not fit: %u of %u positions are used; use a larger --ctx "
                         "or drop old messages",
                         count, session->count, session->context);
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= vocab)
            return fault_set(fault, FAULT_ARGUMENT, "token id %d at %zu: expected 0 .. %u", ids[i],
                             i, vocab - 1);
    return true;
}

/* Appends count checked tokens; outputs rows of logits stay readable. */
static bool feed(struct lichen_session *session, const int32_t *ids, uint32_t count,
                 uint32_t outputs, bool decode, struct fault *fault)
{
    uint64_t start = clock_ns();
    session->fresh = false;
    memmove(session->tokens + session->count, ids, count * sizeof *ids);
    if (!prefix_update(session, session->count + count, fault))
        return false;
    mtx_lock(&session->engine->lock);
    bool ran = run_locked(session, session->count + count, outputs, fault);
    mtx_unlock(&session->engine->lock);
    if (!ran)
        return false;
    session->count += count;
    session->cached = session->count;
    for (uint32_t i = 0; i < count; i++)
        if (!sampler_accept(session->sampler, ids[i], fault))
            return false;
    session->fresh = outputs > 0;
    stats_add(session, count, decode, start);
    return true;
}

bool lichen_feed(struct lichen_session *session, const int32_t *ids, size_t count,
                 struct fault *fault)
{
    if (!check_feed(session, ids, count, fault))
        return false;
    return count == 0 || feed(session, ids, (uint32_t)count, 1, false, fault);
}

bool lichen_feed_all(struct lichen_session *session, const int32_t *ids, size_t count,
                     size_t *kept, struct fault *fault)
{
    uint32_t common = 0;
    while (common < session->count && common < count && session->tokens[common] == ids[common])
        common++;
    if (session->engine->plan.prefix_mask && common <= session->prefix)
        common = 0; /* tokens that have seen another prompt */
    bool whole = common == count && common == session->count && session->fresh;
    if (!whole && common == count && common > 0)
        common--;
    if (kept)
        *kept = common;
    if (count > session->context)
        return fault_set(fault, FAULT_CONTEXT,
                         "the conversation has %zu tokens and the context holds %u; use a larger "
                         "--ctx or drop old messages",
                         count, session->context);
    lichen_rewind(session, common);
    return lichen_feed(session, ids + common, count - common, fault);
}

bool lichen_feed_logits(struct lichen_session *session, const int32_t *ids, size_t count,
                        size_t rows, float *logits, struct fault *fault)
{
    if (!check_feed(session, ids, count, fault))
        return false;
    if (rows > count)
        return fault_set(fault, FAULT_ARGUMENT, "%zu rows of logits of %zu tokens", rows, count);
    size_t plain = count - rows, vocab = session->engine->plan.vocab;
    size_t lead = session->engine->plan.prefix_mask && rows ? plain : 0; /* in the first piece */
    if (plain > lead && !feed(session, ids, (uint32_t)plain, 0, false, fault))
        return false;
    uint32_t piece_max = session->outputs < session->batch ? session->outputs : session->batch;
    for (size_t done = 0; done < rows; lead = 0) {
        uint32_t piece = rows - done < piece_max ? (uint32_t)(rows - done) : piece_max;
        uint32_t prefix = session->prefix;
        if (!feed(session, ids + plain + done - lead, (uint32_t)lead + piece, piece, false, fault))
            return false;
        if (session->scored > 0 && session->prefix != prefix)
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "the logits of a prompt that sees itself in both directions come from "
                             "one run; this one ends at token %u, and after %u tokens logits were "
                             "asked for (the session gives %u rows at a time)",
                             session->prefix, session->scored, piece_max);
        session->scored = session->count;
        mtx_lock(&session->engine->lock);
        bool read = session->exec->methods->logits(session->exec, 0, piece,
                                                   logits + done * vocab, fault);
        mtx_unlock(&session->engine->lock);
        if (!read)
            return false;
        done += piece;
    }
    return true;
}

bool lichen_pick(struct lichen_session *session, int32_t *id, struct fault *fault)
{
    if (!session->fresh)
        return fault_set(fault, FAULT_ARGUMENT, "no logits: feed a token first");
    uint32_t vocab = session->engine->plan.vocab, needed = sampler_needs(session->sampler);
    const struct exec_methods *methods = session->exec->methods;
    bool top = needed < vocab && needed <= 256;
    mtx_lock(&session->engine->lock);
    bool read = top ? methods->top(session->exec, 0, needed, session->top_ids,
                                   session->top_logits, fault)
                    : methods->logits(session->exec, 0, 1, session->top_logits, fault);
    mtx_unlock(&session->engine->lock);
    return read && sampler_pick(session->sampler, top ? session->top_ids : NULL,
                                session->top_logits, top ? needed : vocab, id, fault);
}

bool lichen_next(struct lichen_session *session, int32_t *id, struct fault *fault)
{
    if (!lichen_pick(session, id, fault) || !check_feed(session, id, 1, fault))
        return false;
    return feed(session, id, 1, 1, true, fault);
}

/* The tokens of a prefix have seen all of it: without its end nothing of the cache holds. */
static void cache_cut(struct lichen_session *session, uint32_t count)
{
    uint32_t keep = count < session->prefix ? 0 : count;
    session->cached = keep < session->cached ? keep : session->cached;
}

void lichen_rewind(struct lichen_session *session, uint32_t count)
{
    if (count >= session->count)
        return;
    session->count = count;
    session->fresh = false;
    session->scored = session->scored < count ? session->scored : count;
    cache_cut(session, count);
    sampler_rewind(session->sampler, count);
}

bool lichen_set_sampler(struct lichen_session *session, const struct sampler_options *options,
                        struct fault *fault)
{
    return sampler_replace(session, options, fault);
}

void lichen_cancel(struct lichen_session *session)
{
    session->cancelled = true;
}

void lichen_cancel_clear(struct lichen_session *session)
{
    session->cancelled = false;
}

void lichen_stats(const struct lichen_session *session, struct lichen_stats *stats)
{
    *stats = session->stats;
}

void lichen_stats_reset(struct lichen_session *session)
{
    uint32_t recoveries = session->stats.recoveries;
    memset(&session->stats, 0, sizeof session->stats);
    session->stats.recoveries = recoveries;
}
