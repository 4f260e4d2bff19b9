/* stories260K on exec_gpu: every step against exec_ref, the ids of the original program, one prompt
 * in one run and in pieces. */
#include "gpu_run.h"
#include "run.h"

#include <math.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/"

enum { GREEDY_COUNT = 200, PROMPT_COUNT = 150, VOCAB = 512 };

static const struct run_options ref_options = {
    .context = 512, .batch_max = 256, .outputs_max = 256, .threads = 2, .kv = KV_F32};
static const struct exec_gpu_options gpu_options = {.context = 512,
                                                    .batch_max = 256,
                                                    .outputs_max = 256,
                                                    .kv = KV_F32,
                                                    .activations = ACTIVATIONS_FLOAT};

struct pair {
    struct run ref;
    struct gpu_run gpu;
};

static void pair_open(struct pair *pair, bool as_discrete)
{
    const struct gpu_options options = {.robust = true};
    const char *path = STORIES "derived-stories260K-f32.gguf";
    if (!test_file_exists(path))
        SKIP("%s is not there", path);
    run_open(&pair->ref, path, &ref_options);
    gpu_run_open(&pair->gpu, &options, as_discrete, &pair->ref.plan, pair->ref.gguf,
                 pair->ref.parallel);
}

static void pair_close(struct pair *pair)
{
    gpu_run_close(&pair->gpu);
    run_close(&pair->ref);
}

static void prompt_fill(int32_t *ids, uint32_t count)
{
    uint64_t seed = 7;
    ids[0] = 1;
    for (uint32_t i = 1; i < count; i++)
        ids[i] = (int32_t)(3 + test_random(&seed) % (VOCAB - 3));
}

/* ---- step by step ---- */

static void steps(bool as_discrete, bool unfused)
{
    static const uint32_t counts[] = {1, 13, 64, 5};
    struct pair pair;
    struct exec_gpu_options options = gpu_options;
    int32_t ids[64];
    pair_open(&pair, as_discrete);
    options.unfused = unfused;
    struct exec *exec = gpu_run_exec(&pair.gpu, &options);
    prompt_fill(ids, 64);
    for (uint32_t i = 0, position = 0; i < (as_discrete ? 3 : 4); position += counts[i++]) {
        const struct batch batch = {
            .tokens = ids, .count = counts[i], .position = position, .outputs = 1};
        uint32_t compared = gpu_compare_steps(exec, pair.ref.exec, &batch, 2e-5);
        assert_true(compared > pair.ref.plan.step_count / 5);
    }
    exec_destroy(exec);
    pair_close(&pair);
}

static void test_steps_unfused(void **state)
{
    (void)state;
    steps(false, true);
    steps(true, true);
}

static void test_steps_fused(void **state)
{
    (void)state;
    steps(false, false);
    steps(true, false);
}

/* ---- ids ---- */

static void test_greedy(void **state)
{
    (void)state;
    struct pair pair;
    int32_t prompt[8], expected[GREEDY_COUNT], found[GREEDY_COUNT];
    pair_open(&pair, false);
    struct exec *exec = gpu_run_exec(&pair.gpu, &gpu_options);
    size_t count = json_ints(STORIES "golden_greedy.json", "prompt_ids", prompt, 8);
    assert_int_equal(json_ints(STORIES "golden_greedy.json", "greedy_ids", expected, GREEDY_COUNT),
                     GREEDY_COUNT);
    run_greedy(exec, prompt, (uint32_t)count, GREEDY_COUNT, found);
    assert_memory_equal(found, expected, sizeof found);
    exec_destroy(exec);
    pair_close(&pair);
}

/* ---- pieces ---- */

static void run_pieces(struct exec *exec, const int32_t *ids, uint32_t count, uint32_t piece,
                       float *logits)
{
    for (uint32_t done = 0; done < count; done += piece) {
        uint32_t size = count - done < piece ? count - done : piece;
        run_tokens(exec, ids + done, size, done, size, logits + (size_t)done * VOCAB);
    }
}

static float worst_gap(const float *a, const float *b, size_t count)
{
    float worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = fabsf(a[i] - b[i]) > worst ? fabsf(a[i] - b[i]) : worst;
    return worst;
}

static void pieces(bool as_discrete, bool exact, float bound)
{
    static const uint32_t sizes[] = {1, 64, 7};
    static float whole[PROMPT_COUNT * VOCAB], cut[PROMPT_COUNT * VOCAB];
    struct pair pair;
    struct exec_gpu_options options = gpu_options;
    int32_t ids[PROMPT_COUNT];
    pair_open(&pair, as_discrete);
    options.exact = exact;
    struct exec *exec = gpu_run_exec(&pair.gpu, &options);
    prompt_fill(ids, PROMPT_COUNT);
    run_pieces(pair.ref.exec, ids, PROMPT_COUNT, PROMPT_COUNT, cut);
    run_pieces(exec, ids, PROMPT_COUNT, PROMPT_COUNT, whole);
    assert_true(worst_gap(whole, cut, PROMPT_COUNT * VOCAB) <= 2e-4f);
    /* lavapipe takes minutes to compile the float32 GEMV of a real GPU for 8 tokens */
    for (uint32_t i = 0; i < (as_discrete ? 2 : 3); i++) {
        run_pieces(exec, ids, PROMPT_COUNT, sizes[i], cut);
        assert_true(worst_gap(whole, cut, PROMPT_COUNT * VOCAB) <= bound);
    }
    exec_destroy(exec);
    pair_close(&pair);
}

static void test_pieces(void **state)
{
    (void)state;
    pieces(false, false, 2e-4f);
    pieces(true, false, 2e-4f);
}

static void test_pieces_exact(void **state)
{
    (void)state;
    pieces(false, true, 0);
    pieces(true, true, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_unfused), cmocka_unit_test(test_steps_fused),
        cmocka_unit_test(test_greedy),        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pieces_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
