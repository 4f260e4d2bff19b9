/* stories260K in float32: the ids of the original program, and thread counts that change nothing.
 */
#include "run.h"

#include "tiny_golden.h"
#include <stdlib.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/"

enum { GREEDY_COUNT = 200 };

static const struct run_options options = {
    .context = 512, .batch_max = 64, .outputs_max = 64, .threads = 2, .kv = KV_F32};

static void stories_open(struct run *run)
{
    const char *path = STORIES "derived-stories260K-f32.gguf";
    if (!test_file_exists(path))
        SKIP("%s is not there", path);
    run_open(run, path, &options);
}

static void test_greedy(void **state)
{
    (void)state;
    struct run run;
    int32_t prompt[8], expected[GREEDY_COUNT], found[GREEDY_COUNT];
    stories_open(&run);
    size_t count = json_ints(STORIES "golden_greedy.json", "prompt_ids", prompt, 8);
    assert_int_equal(json_ints(STORIES "golden_greedy.json", "greedy_ids", expected, GREEDY_COUNT),
                     GREEDY_COUNT);
    run_greedy(run.exec, prompt, (uint32_t)count, GREEDY_COUNT, found);
    for (size_t i = 0; i < GREEDY_COUNT; i++)
        assert_int_equal(found[i], expected[i]);
    run_close(&run);
}

static void test_logits(void **state)
{
    (void)state;
    struct run run;
    struct tiny_golden golden;
    tiny_golden_open(&golden, LICHEN_TEST_DATA "/golden/stories.golden");
    stories_open(&run);
    float *logits = malloc((size_t)golden.token_count * golden.vocab * sizeof *logits);
    assert_non_null(logits);
    run_tokens(run.exec, golden.tokens, golden.token_count, 0, golden.token_count, logits);
    double error = tiny_golden_error(&golden, &golden.models[0], logits);
    print_message("relative error %.2g\n", error);
    assert_true(error <= 2e-6);
    free(logits);
    run_close(&run);
    tiny_golden_close(&golden);
}

static void test_threads(void **state)
{
    (void)state;
    static float logits[4][4 * 512];
    int32_t tokens[4] = {1, 403, 407, 261};
    for (uint32_t threads = 1; threads <= 4; threads++) {
        struct run run;
        struct fault fault = {0};
        stories_open(&run);
        parallel_destroy(run.parallel);
        exec_destroy(run.exec);
        assert_true(parallel_create(threads, &run.parallel, &fault));
        run.exec = run_exec(&run, &options);
        run_tokens(run.exec, tokens, 4, 0, 4, logits[threads - 1]);
        assert_memory_equal(logits[threads - 1], logits[0], sizeof logits[0]);
        run_close(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
