/* Hyperparameters: every one of the table at and around its bounds and at the usual overflows. What
 * is out of range is refused by its key; what is in range may fit or be refused, but never crashes.
 */
#include "run.h"

#include "hparams.h"
#include "tiny.h"
#include <math.h>
#include <unistd.h>

static char path[512];

/* Builds the first tiny model (or one by name) with one key changed. */
static bool build_with(const char *name, const char *override, struct fault *fault)
{
    struct gguf *gguf;
    struct plan plan;
    struct model_info info;
    const struct tiny *tiny = &tiny_models[0];
    for (size_t i = 0; i < tiny_count; i++)
        if (strcmp(tiny_models[i].name, name) == 0)
            tiny = &tiny_models[i];
    memset(fault, 0, sizeof *fault);
    tiny_write(tiny, override, path);
    if (!gguf_open(path, &gguf, fault))
        fail_msg("%s", fault->text);
    bool good = model_build(gguf, 0, &plan, &info, fault);
    plan_free(&plan);
    gguf_close(gguf);
    assert_int_equal(good, fault->kind == FAULT_NONE);
    return good;
}

static void refused(const char *name, const char *override, enum fault_kind kind, const char *text)
{
    struct fault fault;
    assert_false(build_with(name, override, &fault));
    if (fault.kind != kind || !strstr(fault.text, text))
        fail_msg("%s: %d \"%s\" does not say \"%s\"", override, fault.kind, fault.text, text);
    assert_true(strncmp(fault.text, path, strlen(path)) == 0);
}

static void check_u32(const struct hparam_range *range, uint64_t value)
{
    char override[128];
    struct fault fault;
    if (value > UINT32_MAX)
        return;
    snprintf(override, sizeof override, "%s=%llu", range->key, (unsigned long long)value);
    bool inside = (double)value >= range->min && (double)value <= range->max;
    if (!inside)
        refused("llama", override, FAULT_FORMAT, range->key);
    else
        build_with("llama", override, &fault);
}

static void test_u32_ranges(void **state)
{
    (void)state;
    size_t count;
    const struct hparam_range *ranges = hparam_ranges(&count);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].real)
            continue;
        uint64_t max = (uint64_t)ranges[i].max;
        const uint64_t values[] = {0,          1,          max,        max + 1,
                                   0x7fffffff, 0x80000000, 0xffffffff, (uint64_t)ranges[i].min};
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            check_u32(&ranges[i], values[j]);
    }
}

static void check_f32(const struct hparam_range *range, double value)
{
    char override[128];
    struct fault fault;
    snprintf(override, sizeof override, "%s=%.9g", range->key, value);
    if (!strpbrk(override + strlen(range->key), ".ni"))
        strcat(override, ".");
    bool inside = value >= range->min && value <= range->max;
    if (!inside)
        refused("llama", override, FAULT_FORMAT, range->key);
    else
        build_with("llama", override, &fault);
}

static void test_f32_ranges(void **state)
{
    (void)state;
    size_t count;
    const struct hparam_range *ranges = hparam_ranges(&count);
    for (size_t i = 0; i < count; i++) {
        if (!ranges[i].real)
            continue;
        double min = ranges[i].min, max = ranges[i].max;
        const double values[] = {min,        max, min + 0.5 * (max - min), 1.5 * max,
                                 -1.5,       0,   (double)INFINITY,        -(double)INFINITY,
                                 (double)NAN};
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            check_f32(&ranges[i], (double)(float)values[j]);
    }
}

static void test_types(void **state)
{
    (void)state;
    refused("llama", "block_count=two", FAULT_FORMAT, "llama.block_count");
    refused("llama", "embedding_length=48.5", FAULT_FORMAT, "llama.embedding_length");
    refused("llama", "rope.freq_base=many", FAULT_FORMAT, "llama.rope.freq_base");
    refused("llama", "rope.scaling.type=3", FAULT_FORMAT, "llama.rope.scaling.type");
    refused("llama", "attention.layer_norm_rms_epsilon=0.5", FAULT_FORMAT, "epsilon");
}

/* Numbers that are fine alone but do not fit each other. */
static void test_combinations(void **state)
{
    (void)state;
    refused("llama", "attention.head_count_kv=4", FAULT_FORMAT, "head_count modulo head_count_kv");
    refused("llama", "attention.head_count=10", FAULT_FORMAT, "embedding_length modulo head_count");
    refused("llama", "attention.value_length=4", FAULT_FORMAT, "value_length is 4, expected 8");
    refused("llama", "rope.dimension_count=7", FAULT_FORMAT, "rope.dimension_count modulo 2");
    refused("llama", "rope.dimension_count=6", FAULT_FORMAT, "rope.dimension_count is 6");
    refused("qwen2", "rope.dimension_count=10", FAULT_FORMAT, "rope.dimension_count is 10");
    refused("llama", "block_count=3", FAULT_FORMAT, "tensor blk.2.attn_norm.weight is missing");
    refused("llama", "block_count=1", FAULT_UNSUPPORTED, "tensor blk.1.");
    refused("llama", "embedding_length=96", FAULT_FORMAT, "token_embd.weight");
    refused("llama", "feed_forward_length=71", FAULT_FORMAT, "ffn_down");
    refused("llama", "attention.key_length=4", FAULT_FORMAT, "attn_output");
    refused("llama", "attention.head_count_kv=3", FAULT_FORMAT, "attn_k");
    refused("llama-llama3", "rope.scaling.low_freq_factor=4.", FAULT_FORMAT, "low_freq_factor");
}

static void accepted(const char *name, const char *override)
{
    struct fault fault;
    if (!build_with(name, override, &fault))
        fail_msg("%s: %s", override, fault.text);
}

static void test_unsupported(void **state)
{
    (void)state;
    refused("llama", "rope.scaling.type=dynamic", FAULT_UNSUPPORTED, "\"dynamic\"");
    refused("llama", "expert_count=8", FAULT_UNSUPPORTED, "mixtures of experts");
    refused("llama", "residual_scale=0.5", FAULT_UNSUPPORTED, "residual_scale");
    refused("qwen2", "attention.sliding_window=100", FAULT_UNSUPPORTED, "sliding_window");
    refused("qwen2", "attention.causal=false", FAULT_UNSUPPORTED,
            "qwen2.attention.causal is false");
    refused("granite", "rope.scaling.finetuned=false", FAULT_UNSUPPORTED, "finetuned");
}

/* What published files have beside or instead of the usual. */
static void test_published(void **state)
{
    (void)state;
    accepted("qwen2", "attention.sliding_window=131072"); /* as long as the context: none */
    accepted("llama", "attention.sliding_window=0");
    accepted("llama", "attention.causal=true");
    accepted("llama", "expert_count=0");
    accepted("llama", "expert_count=1");
    accepted("llama", "rope.scaling.finetuned=false");
    accepted("llama", "rope.scaling.factor=0.");
    accepted("hunyuan-dense", "rope.scaling.original_context_length=262144");
}

/* The layers that slide: a period, or a list. */
static void test_window_pattern(void **state)
{
    (void)state;
#define PATTERN "attention.sliding_window_pattern="
    accepted("exaone4-pattern", PATTERN "true,true,false,true,true");
    accepted("gemma2", PATTERN "3");
    refused("exaone4-pattern", PATTERN "true,true,false", FAULT_FORMAT,
            "sliding_window_pattern has 3 items, expected 5 booleans");
    refused("gemma2", PATTERN "0", FAULT_FORMAT, "is 0, expected 1 to 1024");
}

/* Short factors hold up to the original context; there the plan ends. */
static void test_longrope(void **state)
{
    (void)state;
    struct gguf *gguf;
    struct plan plan;
    struct model_info info;
    struct fault fault = {0};
    const struct tiny *tiny = &tiny_models[0];
    while (strcmp(tiny->name, "phi3-longrope") != 0)
        tiny++;
    tiny_write(tiny, NULL, path);
    assert_true(gguf_open(path, &gguf, &fault));
    assert_true(model_build(gguf, 0, &plan, &info, &fault));
    assert_int_equal(info.context_trained, 256);
    assert_int_equal(plan.context_max, 256);
    plan_free(&plan);
    gguf_close(gguf);
}

static void test_architecture(void **state)
{
    (void)state;
    static const struct tiny strange = {"strange", "mamba", 1, 8, 1, 1, 8, 8, 0, ""};
    struct gguf *gguf;
    struct plan plan;
    struct model_info info;
    struct fault fault = {0};
    tiny_write(&strange, NULL, path);
    assert_true(gguf_open(path, &gguf, &fault));
    assert_false(model_build(gguf, 0, &plan, &info, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "architecture mamba is not supported"));
    assert_non_null(strstr(fault.text, "qwen3"));
    plan_free(&plan);
    gguf_close(gguf);
}

static void test_info(void **state)
{
    (void)state;
    struct gguf *gguf;
    struct plan plan;
    struct model_info info;
    struct fault fault = {0};
    tiny_write(&tiny_models[0], NULL, path);
    assert_true(gguf_open(path, &gguf, &fault));
    assert_false(model_build(gguf, TINY_VOCAB + 1, &plan, &info, &fault));
    assert_non_null(strstr(fault.text, "the vocabulary has 97 tokens"));
    plan_free(&plan);
    assert_true(model_build(gguf, TINY_VOCAB, &plan, &info, &fault));
    assert_string_equal(info.architecture, "llama");
    assert_string_equal(info.name, "llama");
    assert_int_equal(info.layers, 2);
    assert_int_equal(info.head_dim, 8);
    assert_int_equal(info.kv_heads, 2);
    assert_int_equal(info.vocab, TINY_VOCAB);
    assert_int_equal(info.context_trained, TINY_CONTEXT);
    assert_int_equal(info.tensor_bytes, 4 * info.parameters);
    assert_int_equal(info.parameters,
                     96 * 48 + 2 * (2 * 48 * 48 + 2 * 16 * 48 + 3 * 72 * 48 + 2 * 48) + 48);
    plan_free(&plan);
    gguf_close(gguf);
}

static int remove_file(void **state)
{
    (void)state;
    remove(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u32_ranges),     cmocka_unit_test(test_f32_ranges),
        cmocka_unit_test(test_types),          cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_unsupported),    cmocka_unit_test(test_architecture),
        cmocka_unit_test(test_info),           cmocka_unit_test(test_published),
        cmocka_unit_test(test_window_pattern), cmocka_unit_test(test_longrope),
    };
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/hparams-%ld.gguf", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, remove_file);
}
