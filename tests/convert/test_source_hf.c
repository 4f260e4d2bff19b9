/* test_source_hf.c: real published checkpoints through source_hf.c, row by row, and what it does
 * with those that it cannot convert. */
#include "source_rig.h"
#include "gguf.h"
#include "run.h"

#include <unistd.h>

#define MODELS LICHEN_SHARED "/golden/models/"
#define STORIES MODELS "stories260K/"
#define SORT MODELS "gpt-nano-sort/"

/* Every tensor of the GGUF file must come out of the source bit for bit. */
static void test_stories_rows(void **state)
{
    (void)state;
    struct gguf *gguf;
    if (!test_file_exists(STORIES "derived-hf/config.json"))
        SKIP("%s is not there", STORIES "derived-hf");
    assert_true(gguf_open(STORIES "derived-stories260K-f32.gguf", &gguf, NULL));
    struct source *source = rig_source(STORIES "derived-hf");
    assert_string_equal(source_architecture(source), "llama");
    assert_int_equal(source_layer_count(source), 5);
    assert_int_equal(source_gqa(source), 2);
    assert_int_equal(source_tensor_count(source), gguf_tensor_count(gguf));
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        uint32_t index = rig_tensor(source, tensor->name);
        float *expected = malloc(tensor->size), *rows = rig_rows(source, index);
        assert_non_null(expected);
        assert_true(gguf_read(gguf, tensor, 0, expected, tensor->size, NULL));
        assert_int_equal(source_tensor_at(source, index)->dims[0], tensor->dims[0]);
        assert_int_equal(source_tensor_at(source, index)->rows, tensor->rows);
        assert_memory_equal(rows, expected, tensor->size);
        free(expected);
        free(rows);
    }
    source_close(source);
    gguf_close(gguf);
}

/* Any range of rows is that part of the whole. */
static void check_ranges(const char *folder)
{
    struct source *source = rig_source(folder);
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        float *whole = rig_rows(source, i);
        float *part = malloc(tensor->rows * tensor->dims[0] * sizeof *part);
        assert_non_null(part);
        uint64_t seed = 7 + i;
        for (int k = 0; k < 8; k++) {
            uint64_t first = test_random(&seed) % tensor->rows;
            uint64_t count = 1 + test_random(&seed) % (tensor->rows - first);
            assert_true(source_read(source, i, first, count, part, NULL));
            assert_memory_equal(part, whole + first * tensor->dims[0],
                                count * tensor->dims[0] * sizeof *part);
        }
        free(part);
        free(whole);
    }
    source_close(source);
}

static void test_ranges(void **state)
{
    (void)state;
    static const char *const folders[] = {
        STORIES "derived-hf",
        SORT "derived-hf",
        LICHEN_SHARED "/golden/tiny/tiny-moss",
        LICHEN_SHARED "/golden/tiny/tiny-moss-gptq-int4",
        LICHEN_SHARED "/golden/tiny/tiny-moss-gptq-int8",
    };
    if (!test_file_exists(STORIES "derived-hf/config.json"))
        SKIP("%s is not there", MODELS);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        check_ranges(folders[i]);
}

static void sort_case(struct exec *exec, const json_t *item)
{
    int32_t prompt[8], found[8];
    const json_t *prompt_ids = json_object_get(item, "prompt_ids");
    const json_t *greedy = json_object_get(item, "greedy_ids");
    uint32_t count = (uint32_t)json_array_size(prompt_ids);
    assert_true(count == 6 && json_array_size(greedy) == 6);
    for (uint32_t i = 0; i < count; i++)
        prompt[i] = (int32_t)json_integer_value(json_array_get(prompt_ids, i));
    run_greedy(exec, prompt, count, 6, found);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(found[i], json_integer_value(json_array_get(greedy, i)));
}

/* Conv1D transposed, learned positions, an untied head: the network sorts. */
static void test_sort(void **state)
{
    (void)state;
    struct run run;
    char path[1024];
    if (!test_file_exists(SORT "derived-hf/config.json"))
        SKIP("%s is not there", SORT "derived-hf");
    struct source *source = rig_source(SORT "derived-hf");
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/sort-%ld.gguf", (long)getpid());
    rig_write(source, false, path);
    source_close(source);
    const struct run_options options = {
        .context = 11, .batch_max = 11, .outputs_max = 11, .threads = 1, .kv = KV_F32};
    run_open(&run, path, &options);
    remove(path);
    json_t *root = json_load_file(SORT "golden_greedy.json", 0, NULL), *item;
    size_t i;
    assert_non_null(root);
    json_array_foreach(json_object_get(root, "cases"), i, item)
    {
        sort_case(run.exec, item);
    }
    assert_true(i >= 30);
    json_decref(root);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_rows),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
