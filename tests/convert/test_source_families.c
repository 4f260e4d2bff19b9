/* test_source_families.c: published checkpoints against the logits of their original
 * implementations: source_hf.c -> GGUF -> exec_ref. Those of families/ are made by
 * make_families.py. With arguments: the folders to measure instead, and nothing is asserted. */
#include "source_rig.h"
#include "testing.h"

#define FAMILIES LICHEN_TEST_DATA "/convert/families"
#define TINY LICHEN_SHARED "/golden/tiny"

/* Largest difference of a logit: the originals run in float32. */
static const double bound = 1e-5;

static const struct {
    const char *name, *architecture;
} families[] = {
    {"llama", "llama"},
    {"llama-bias", "llama"},
    {"mistral", "llama"},
    {"ministral", "llama"},
    {"qwen2", "qwen2"},
    {"qwen3", "qwen3"},
    {"gemma", "gemma"},
    {"gemma2", "gemma2"},
    {"gemma2-scalar", "gemma2"},
    {"gemma3", "gemma3"},
    {"gemma3-vision", "gemma3"},
    {"chatglm", "chatglm"},
    {"glm", "chatglm"},
    {"glm4-0414", "glm4"},
    {"codegen", "moss"},
    {"gptj", "moss"},
    {"gpt2", "gpt2"},
    {"gpt2-bare", "gpt2"},
    {"phi", "phi2"},
    {"phi3", "phi3"},
    {"phi3-longrope", "phi3"},
    {"starcoder2", "starcoder2"},
    {"stablelm", "stablelm"},
    {"baichuan", "baichuan"},
    {"baichuan-13b", "baichuan"},
    {"baichuan2", "baichuan"},
    {"minicpm", "minicpm"},
    {"granite", "granite"},
    {"ernie4-5", "ernie4_5"},
    {"ernie4-5-fused", "ernie4_5"},
    {"hunyuan", "hunyuan-dense"},
    {"hunyuan-alpha", "hunyuan-dense"},
    {"internlm2", "internlm2"},
    {"pangu", "pangu-embedded"},
    {"smollm3", "smollm3"},
    {"olmo2", "olmo2"},
    {"olmo3", "olmo2"},
    {"exaone", "exaone"},
    {"exaone4", "exaone4"},
    {"exaone4-full", "exaone4"},
    {"cohere", "command-r"},
    {"cohere2", "cohere2"},
    {"fp8", "llama"},
    {"fp8-tensor", "llama"},
};

static void check(const char *folder, bool lossless)
{
    double error = rig_error(folder, lossless);
    print_message("%s%s: %.2g\n", folder, lossless ? " without loss" : "", error);
    assert_true(error <= bound);
}

static void test_families(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        char folder[1024];
        snprintf(folder, sizeof folder, FAMILIES "/%s", families[i].name);
        struct source *source = rig_source(folder);
        assert_string_equal(source_architecture(source), families[i].architecture);
        source_close(source);
        check(folder, false);
    }
}

static const struct {
    const char *name, *tensor;
    enum dtype lossless; /* of the tensor */
} packed[] = {
    {"gptq-symmetric", "blk.0.attn_q.weight", DTYPE_Q4_0},
    {"gptq-zeros", "blk.0.attn_k.weight", DTYPE_Q5_0},
    {"gptq-v2", "blk.0.ffn_down.weight", DTYPE_Q5_0},
    {"gptq-order", "blk.0.ffn_down.weight", DTYPE_ID_COUNT},
    {"gptq-8bit", "blk.0.attn_output.weight", DTYPE_Q8_0},
    {"gptq-8bit-zeros", "blk.0.attn_output.weight", DTYPE_ID_COUNT},
    {"awq", "blk.0.ffn_up.weight", DTYPE_Q5_0},
    {"chatglm-int8", "blk.1.attn_qkv.weight", DTYPE_Q8_0},
    {"chatglm-int4", "blk.1.ffn_up.weight", DTYPE_Q4_0},
    {"llama", "blk.0.attn_q.weight", DTYPE_ID_COUNT},
};

/* The blocks hold the very numbers that source_read gives. */
static void check_blocks(const struct source *source, uint32_t index)
{
    const struct source_tensor *tensor = source_tensor_at(source, index);
    const struct dtype_info *info = dtype_find(tensor->lossless);
    size_t blocks = tensor->rows * tensor->dims[0] / info->block_weights;
    size_t count = blocks * info->block_weights;
    uint8_t *bytes = malloc(blocks * info->block_size);
    float *decoded = malloc(count * sizeof *decoded), *rows = rig_rows(source, index);
    assert_true(bytes && decoded);
    assert_int_equal(tensor->stored, tensor->lossless);
    assert_true(source_read_lossless(source, index, 0, tensor->rows, bytes, NULL));
    info->decode(bytes, decoded, blocks);
    for (size_t i = 0; i < count; i++)
        assert_true(decoded[i] == rows[i]);
    uint64_t first = tensor->rows / 3, some = tensor->rows / 2;
    size_t row_size = tensor->dims[0] / info->block_weights * info->block_size;
    uint8_t *part = malloc(some * row_size);
    assert_true(part && source_read_lossless(source, index, first, some, part, NULL));
    assert_memory_equal(part, bytes + first * row_size, some * row_size);
    free(part);
    free(bytes);
    free(decoded);
    free(rows);
}

static void test_packed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++) {
        char folder[1024];
        snprintf(folder, sizeof folder, FAMILIES "/%s", packed[i].name);
        struct source *source = rig_source(folder);
        uint32_t index = rig_tensor(source, packed[i].tensor);
        assert_int_equal(source_tensor_at(source, index)->lossless, packed[i].lossless);
        for (uint32_t k = 0; k < source_tensor_count(source); k++)
            if (source_tensor_at(source, k)->lossless != DTYPE_ID_COUNT)
                check_blocks(source, k);
        source_close(source);
        check(folder, false);
        check(folder, true);
    }
}

/* Stored zeros of 15: 16, unless the caller says 0. */
static void test_zero_wrap(void **state)
{
    (void)state;
    const struct source_options wrapped = {.gptq_zero_wrap = 0}, plain = {.gptq_zero_wrap = 16};
    struct source *sources[2];
    assert_true(source_open(FAMILIES "/gptq-zeros", &wrapped, &sources[0], NULL));
    assert_true(source_open(FAMILIES "/gptq-zeros", &plain, &sources[1], NULL));
    uint32_t index = rig_tensor(sources[0], "blk.0.attn_v.weight");
    float *rows[2] = {rig_rows(sources[0], index), rig_rows(sources[1], index)};
    const struct source_tensor *tensor = source_tensor_at(sources[1], index);
    assert_true(tensor->zero_is_full);
    assert_false(source_tensor_at(sources[0], index)->zero_is_full);
    size_t different = 0, count = tensor->rows * tensor->dims[0];
    for (size_t i = 0; i < count; i++)
        different += rows[0][i] != rows[1][i];
    assert_true(different > 0 && different < count / 4);
    free(rows[0]);
    free(rows[1]);
    source_close(sources[0]);
    source_close(sources[1]);
}

static void test_shared(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny-moss", "tiny-moss-gptq-int4", "tiny-moss-gptq-int8",
                                        "tiny-chatglm3", "tiny-glm4"};
    if (!test_file_exists(TINY "/tiny-moss/config.json"))
        SKIP("%s is not there", TINY);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char folder[1024];
        snprintf(folder, sizeof folder, TINY "/%s", names[i]);
        check(folder, false);
        check(folder, true);
    }
}

/* Named, and open for reading. */
static void test_version_1(void **state)
{
    (void)state;
    if (!test_file_exists(TINY "/tiny-chatglm1/config.json"))
        SKIP("%s is not there", TINY);
    struct source *source = rig_source(TINY "/tiny-chatglm1-int4");
    assert_non_null(strstr(source_unsupported(source), "ChatGLM-6B (version 1)"));
    rig_tensor(source, "transformer.layers.0.attention.query_key_value.weight_scale");
    source_close(source);
}

static int measure(int count, char **folders)
{
    for (int i = 0; i < count; i++)
        printf("%-40s %.2g\n", folders[i], rig_error(folders[i], false));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return measure(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),  cmocka_unit_test(test_packed),
        cmocka_unit_test(test_zero_wrap), cmocka_unit_test(test_shared),
        cmocka_unit_test(test_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
