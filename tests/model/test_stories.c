/* stories260K in float32: the ids of the original program, and thread counts that change nothing.
 */
#include "run.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
