/* test_prefix.c: a model whose prompt sees itself in both directions (ChatGLM-6B): sessions give
 * the reference's logits however the prompt comes, and keep nothing of another prompt. */
#include "source_rig.h"
#include "testing.h"

#include "lichen.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { VOCAB = 320, PROMPT = 8, THEN = 3, BLANK = 310, GMASK = 311, START = 314 };

static struct rig_golden golden;
static char path[1024];

static int model_write(void **state)
{
    (void)state;
    struct source *source = rig_source(LICHEN_TEST_DATA "/convert/families/chatglm1-int4");
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/prefix-%ld.gguf", (long)getpid());
    rig_write(source, false, path);
    source_close(source);
    rig_golden_open(&golden, LICHEN_TEST_DATA "/convert/families/chatglm1-int4");
    assert_int_equal(golden.vocab, VOCAB);
    assert_int_equal(golden.prompt_count, PROMPT);
    assert_int_equal(golden.token_count, PROMPT + THEN);
    assert_int_equal(golden.row_count, PROMPT + THEN);
    return 0;
}

static int model_remove(void **state)
{
    (void)state;
    remove(path);
    rig_golden_close(&golden);
    return 0;
}

static struct lichen_engine *engine_open(const char *device)
{
    struct fault fault = {0};
    struct lichen_engine_options options;
    struct lichen_engine *engine;
    lichen_engine_defaults(&options);
    options.model = path;
    options.device = device;
    options.activations = LICHEN_ACTIVATIONS_FLOAT;
    if (!lichen_engine_open(&options, &engine, &fault))
        fail_msg("%s", fault.text);
    return engine;
}

static struct lichen_session *session_open(struct lichen_engine *engine, uint32_t outputs)
{
    struct fault fault = {0};
    struct lichen_session_options options;
    struct lichen_session *session;
    lichen_session_defaults(&options);
    options.context = 64;
    options.batch = 4; /* a prompt is one run all the same */
    options.outputs = outputs;
    options.kv = LICHEN_KV_F32;
    options.sampler.temperature = 0;
    if (!lichen_session_open(engine, &options, &session, &fault))
        fail_msg("%s", fault.text);
    return session;
}

static void feed(struct lichen_session *session, const int32_t *ids, size_t count)
{
    struct fault fault = {0};
    if (!lichen_feed(session, ids, count, &fault))
        fail_msg("%s", fault.text);
}

static void feed_logits(struct lichen_session *session, const int32_t *ids, size_t count,
                        size_t rows, float *logits)
{
    struct fault fault = {0};
    if (!lichen_feed_logits(session, ids, count, rows, logits, &fault))
        fail_msg("%s", fault.text);
}

/* Rows first .. first + count of the golden. */
static void check(const float *logits, uint32_t first, uint32_t count)
{
    double worst = 0;
    for (size_t i = 0; i < (size_t)count * VOCAB; i++)
        worst =
            fmax(worst, fabs((double)logits[i] - (double)golden.logits[(size_t)first * VOCAB + i]));
    if (!(worst <= 1e-4))
        fail_msg("rows %u to %u differ by %g", first, first + count - 1, worst);
}

static void pieces_check(struct lichen_engine *engine)
{
    static const uint32_t cuts[][3] = {{8, 0, 0}, {3, 5, 0}, {7, 1, 0}, {1, 5, 2}};
    float logits[(PROMPT + THEN) * VOCAB];
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct lichen_session *session = session_open(engine, 1);
        const int32_t *ids = golden.tokens;
        for (uint32_t j = 0; j < 3 && cuts[i][j]; ids += cuts[i][j++]) {
            bool last = ids + cuts[i][j] == golden.tokens + PROMPT;
            feed_logits(session, ids, cuts[i][j], last, logits);
        }
        check(logits, PROMPT - 1, 1);
        for (uint32_t j = 0; j < THEN; j++) {
            feed_logits(session, ids + j, 1, 1, logits);
            check(logits, PROMPT + j, 1);
        }
        lichen_session_close(session);
    }
    struct lichen_session *session = session_open(engine, PROMPT);
    feed_logits(session, golden.tokens, PROMPT, PROMPT, logits);
    check(logits, 0, PROMPT);
    lichen_rewind(session, PROMPT - 1); /* the prefix stays */
    feed_logits(session, golden.tokens + PROMPT - 1, 1 + THEN, 1 + THEN, logits);
    check(logits, PROMPT - 1, 1 + THEN);
    lichen_session_close(session);
}

/* The next token's logits in `session`, and in one that never held anything else. */
static void same_check(struct lichen_engine *engine, struct lichen_session *session,
                       const int32_t *ids, uint32_t count)
{
    static const int32_t next = 7;
    float found[VOCAB], expected[VOCAB];
    struct lichen_session *fresh = session_open(engine, 1);
    feed(fresh, ids, count);
    feed_logits(fresh, &next, 1, 1, expected);
    feed_logits(session, &next, 1, 1, found);
    assert_memory_equal(found, expected, sizeof found);
    lichen_session_close(fresh);
}

static void turns_check(struct lichen_engine *engine)
{
    static const int32_t second[] = {5, 17, 200, 3, 42, 99, 250, 33, 12, GMASK, START};
    static const int32_t other[] = {5, 17, 200, 8, 9, 10, GMASK, START};
    static const uint32_t second_count = sizeof second / sizeof *second;
    struct fault fault = {0};
    struct lichen_session *session = session_open(engine, 1);
    size_t kept;
    feed(session, golden.tokens, PROMPT + THEN);
    if (!lichen_feed_all(session, second, second_count, &kept, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(kept, 0);
    same_check(engine, session, second, second_count);
    lichen_rewind(session, 3); /* a prefix of the same length but with other tokens */
    feed(session, golden.tokens + 3, PROMPT - 3);
    lichen_rewind(session, 3);
    feed(session, other + 3, PROMPT - 3);
    same_check(engine, session, other, PROMPT);
    lichen_rewind(session, PROMPT);
    int32_t longer[PROMPT + 2];
    memcpy(longer, other, sizeof other);
    longer[PROMPT] = 40;
    longer[PROMPT + 1] = 41;
    if (!lichen_feed_all(session, longer, PROMPT + 2, &kept, &fault)) /* an answer goes on */
        fail_msg("%s", fault.text);
    assert_int_equal(kept, PROMPT);
    same_check(engine, session, longer, PROMPT + 2);
    lichen_session_close(session);
}

static void refusals_check(struct lichen_engine *engine)
{
    static const int32_t blank[] = {5, BLANK, 200, GMASK, START};
    struct fault fault = {0};
    float logits[PROMPT * VOCAB];
    struct lichen_session *session = session_open(engine, 3);
    assert_false(lichen_feed(session, blank, 5, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "a blank inside the prompt"));
    assert_int_equal(lichen_session_count(session), 0);
    fault = (struct fault){0};
    assert_false(lichen_feed_logits(session, golden.tokens, PROMPT, PROMPT, logits, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "come from one run"));
    lichen_rewind(session, 0);
    feed_logits(session, golden.tokens, 3, 3, logits);
    fault = (struct fault){0};
    assert_false(lichen_feed_logits(session, golden.tokens + 3, PROMPT - 3, 1, logits, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    lichen_rewind(session, 0);
    feed_logits(session, golden.tokens, PROMPT, 1, logits);
    check(logits, PROMPT - 1, 1);
    lichen_session_close(session);
}

static void device_check(const char *device)
{
    struct lichen_engine *engine = engine_open(device);
    pieces_check(engine);
    turns_check(engine);
    refusals_check(engine);
    lichen_engine_close(engine);
}

static void test_cpu(void **state)
{
    (void)state;
    device_check("cpu");
}

static void test_device(void **state)
{
    (void)state;
    device_check(NULL);
}

/* The prompt as the published code writes it; ids by SentencePiece 0.2.3 and that code's rules. */
static void test_chat(void **state)
{
    (void)state;
    static const int32_t first[] = {5, 192, GMASK, START};
    static const int32_t third[] = {187, 186, 5,   21,  66,  4,   100, 102, 192, 4,     101,
                                    102, 189, 188, 83,  88,  92,  190, 4,   64,  186,   5,
                                    22,  66,  4,   100, 102, 191, 4,   101, 102, GMASK, START};
    static const struct lichen_message messages[] = {
        {"user", "你好"}, {"assistant", "an answer"}, {"user", "in"}};
    struct fault fault = {0};
    struct lichen_engine *engine = engine_open("cpu");
    struct lichen_ids ids;
    if (!lichen_chat_ids(engine, messages, 1, true, &ids, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(ids.count, sizeof first / sizeof *first);
    assert_memory_equal(ids.ids, first, sizeof first);
    lichen_free(ids.ids);
    if (!lichen_chat_ids(engine, messages, 3, true, &ids, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(ids.count, sizeof third / sizeof *third);
    assert_memory_equal(ids.ids, third, sizeof third);
    lichen_free(ids.ids);
    assert_true(lichen_token_ends(engine, 315)); /* <eop> */
    lichen_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_chat),
    };
    return cmocka_run_group_tests(tests, model_write, model_remove);
}
