/* test_recipe.c: presets against llama.cpp's decisions (peer_types.txt, made by make_peer_types.py
 * from the files that this program writes into a folder that it is given), fallbacks, overrides. */
#include "gguf_model.h"
#include "recipe.h"
#include "testing.h"

#include <ctype.h>

#define FOLDER LICHEN_TEST_OUTPUT

static const struct {
    const char *name;
    struct gguf_model model;
} models[] = {
    {"llama-32", {.layers = 32, .dim = 256, .ffn = 512, .kv_dim = 128, .heads = 4, .kv_heads = 2}},
    {"llama-gqa4", {.layers = 33, .dim = 256, .ffn = 512, .kv_dim = 64, .heads = 8, .kv_heads = 2}},
    {"llama-tied-narrow",
     {.layers = 16, .dim = 224, .ffn = 512, .kv_dim = 56, .heads = 4, .kv_heads = 1, .tied = true}},
    {"llama-70b", {.layers = 80, .dim = 256, .ffn = 256, .kv_dim = 32, .heads = 8, .kv_heads = 1}},
    {"llama-65b", {.layers = 80, .dim = 256, .ffn = 256, .kv_dim = 256, .heads = 8, .kv_heads = 8}},
    {"qwen2-72b",
     {.architecture = "qwen2",
      .layers = 80,
      .dim = 256,
      .ffn = 256,
      .kv_dim = 32,
      .heads = 8,
      .kv_heads = 1}},
    {"mixtral",
     {.layers = 32, .dim = 256, .ffn = 256, .kv_dim = 64, .heads = 8, .kv_heads = 2, .experts = 8}},
    {"moe-4",
     {.layers = 24,
      .dim = 256,
      .ffn = 256,
      .kv_dim = 256,
      .heads = 8,
      .kv_heads = 8,
      .experts = 4}},
    {"falcon",
     {.architecture = "falcon",
      .layers = 32,
      .dim = 256,
      .ffn = 512,
      .kv_dim = 32,
      .heads = 8,
      .kv_heads = 1,
      .fused = true}},
    {"chatglm",
     {.architecture = "chatglm",
      .layers = 28,
      .dim = 256,
      .ffn = 512,
      .kv_dim = 64,
      .heads = 8,
      .kv_heads = 2,
      .fused = true}},
    {"qwen3-tied",
     {.architecture = "qwen3",
      .layers = 28,
      .dim = 256,
      .ffn = 512,
      .kv_dim = 128,
      .heads = 8,
      .kv_heads = 4,
      .tied = true}},
};

enum { MODEL_COUNT = sizeof models / sizeof models[0] };

static struct source *open_model(const char *path)
{
    struct fault fault = {.kind = FAULT_NONE};
    struct source *source = NULL;
    if (!source_open(path, NULL, &source, &fault))
        fail_msg("%s", fault.text);
    return source;
}

static struct source *write_and_open(const struct gguf_model *wanted, const char *path)
{
    struct gguf_model model = *wanted;
    model.vocab = model.vocab ? model.vocab : 300;
    model.vocabulary = true;
    model.dtype = DTYPE_F16;
    gguf_model_write(path, &model);
    return open_model(path);
}

static struct recipe *create(const struct source *source, const char *preset, bool with_imatrix)
{
    struct fault fault = {.kind = FAULT_NONE};
    struct recipe *recipe = NULL;
    if (!recipe_create(source, preset, with_imatrix, &recipe, &fault))
        fail_msg("%s", fault.text);
    return recipe;
}

static const struct recipe_choice *choice_of(const struct source *source,
                                             const struct recipe *recipe, const char *name)
{
    for (uint32_t i = 0; i < source_tensor_count(source); i++)
        if (strcmp(source_tensor_at(source, i)->name, name) == 0)
            return recipe_choice(recipe, i);
    fail_msg("no tensor %s", name);
    return NULL;
}

static const char *type_of(const struct source *source, const struct recipe *recipe,
                           const char *name)
{
    return dtype_find(choice_of(source, recipe, name)->dtype)->name;
}

/* The types of the matrices in the order of the file, run by run: "Q6_K F32 Q4_K*3". */
static void spell_types(const struct source *source, const struct recipe *recipe, char *text,
                        size_t size)
{
    size_t used = 0;
    enum dtype dtype = DTYPE_ID_COUNT; /* of the run */
    unsigned run = 0;
    text[0] = 0;
    for (uint32_t i = 0; i <= source_tensor_count(source); i++) {
        bool over = i == source_tensor_count(source);
        if (!over && source_tensor_at(source, i)->rows == 1)
            continue;
        if (!over && recipe_choice(recipe, i)->dtype == dtype) {
            run++;
            continue;
        }
        if (run > 1)
            used += (size_t)snprintf(text + used, size - used, "*%u", run);
        if (over)
            return;
        dtype = recipe_choice(recipe, i)->dtype;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
                                 dtype_find(dtype)->name);
        run = 1;
        assert_true(used < size);
    }
}

/* Lines of one model: "NAME PRESET TYPES". Returns how many there were. */
static int compare_model(FILE *golden, const char *wanted, const struct source *source)
{
    enum { LINE = 1 << 14 };
    char *line = malloc(LINE), *ours = malloc(LINE), name[64], preset[16];
    int compared = 0;
    assert_true(line && ours);
    rewind(golden);
    while (fgets(line, LINE, golden)) {
        int at = 0;
        assert_int_equal(sscanf(line, "%63s %15s %n", name, preset, &at), 2);
        if (strcmp(name, wanted) != 0)
            continue;
        line[strcspn(line, "\n")] = 0;
        struct recipe *recipe = create(source, preset, false);
        spell_types(source, recipe, ours, LINE);
        if (strcmp(ours, line + at) != 0)
            fail_msg("%s %s:\n%s\nexpected\n%s", name, preset, ours, line + at);
        recipe_destroy(recipe);
        compared++;
    }
    free(ours);
    free(line);
    return compared;
}

static void test_types_are_the_peers(void **state)
{
    (void)state;
    FILE *golden = fopen(LICHEN_TEST_DATA "/convert/peer_types.txt", "r");
    assert_non_null(golden);
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        struct source *source = write_and_open(&models[i].model, FOLDER "/recipe.gguf");
        assert_int_equal(compare_model(golden, models[i].name, source), 15);
        source_close(source);
    }
    fclose(golden);
}

static void test_imatrix_changes_the_first_layers(void **state)
{
    (void)state;
    struct source *source = write_and_open(&models[0].model, FOLDER "/recipe.gguf");
    static const struct {
        const char *preset, *first, *fifth, *without;
    } rows[] = {{"q4_0", "Q4_1", "Q4_0", "Q4_0"},
                {"q5_0", "Q5_1", "Q5_0", "Q5_0"},
                {"iq4_nl", "IQ4_NL", "IQ4_NL", "Q5_K"},
                {"iq4_xs", "IQ4_XS", "IQ4_XS", "Q5_K"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct recipe *recipe = create(source, rows[i].preset, true);
        assert_string_equal(type_of(source, recipe, "blk.3.ffn_down.weight"), rows[i].first);
        assert_string_equal(type_of(source, recipe, "blk.4.ffn_down.weight"), rows[i].fifth);
        recipe_destroy(recipe);
        recipe = create(source, rows[i].preset, false);
        assert_string_equal(type_of(source, recipe, "blk.3.ffn_down.weight"), rows[i].without);
        recipe_destroy(recipe);
    }
    source_close(source);
}

static void test_fallbacks(void **state)
{
    (void)state;
    const struct gguf_model narrow = {.layers = 1, .dim = 576, .ffn = 144, .kv_dim = 64};
    struct source *source = write_and_open(&narrow, FOLDER "/recipe.gguf");
    static const struct {
        const char *preset, *attention, *down, *wanted;
    } rows[] = {{"q4_k_s", "Q5_1", "F16", "Q5_K"}, /* attn_v; rows of 144 divide nothing */
                {"q5_k_m", "Q8_0", "F16", "Q6_K"},
                {"q6_k", "Q8_0", "F16", "Q6_K"},
                {"iq4_xs", "IQ4_NL", "F16", "IQ4_XS"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct recipe *recipe = create(source, rows[i].preset, false);
        const struct recipe_choice *choice = choice_of(source, recipe, "blk.0.attn_v.weight");
        assert_string_equal(dtype_find(choice->dtype)->name, rows[i].attention);
        assert_string_equal(dtype_find(choice->wanted)->name, rows[i].wanted);
        assert_int_equal(choice->reason, RECIPE_FALLBACK);
        assert_string_equal(type_of(source, recipe, "blk.0.ffn_down.weight"), rows[i].down);
        assert_string_equal(type_of(source, recipe, "blk.0.attn_norm.weight"), "F32");
        recipe_destroy(recipe);
    }
    source_close(source);
}

static void refused(struct recipe *recipe, const char *rule, const char *expected)
{
    struct fault fault = {.kind = FAULT_NONE};
    assert_false(recipe_override(recipe, rule, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    if (!strstr(fault.text, expected))
        fail_msg("%s: '%s', expected '%s'", rule, fault.text, expected);
}

static void test_overrides(void **state)
{
    (void)state;
    struct source *source = write_and_open(&models[2].model, FOLDER "/recipe.gguf");
    struct recipe *recipe = create(source, "Q4_K_M", false);
    struct fault fault = {.kind = FAULT_NONE};
    uint64_t size = recipe_size(recipe);
    assert_true(recipe_override(recipe, "attn_(q|k)\\.weight=Q8_0", &fault));
    assert_true(recipe_override(recipe, "^blk\\.1\\.attn_q=f16", &fault));
    assert_string_equal(type_of(source, recipe, "blk.0.attn_q.weight"), "Q8_0");
    assert_string_equal(type_of(source, recipe, "blk.0.attn_k.weight"), "Q8_0");
    assert_string_equal(type_of(source, recipe, "blk.1.attn_q.weight"), "F16");
    assert_string_equal(type_of(source, recipe, "blk.11.attn_q.weight"), "Q8_0");
    assert_string_equal(type_of(source, recipe, "blk.0.attn_norm.weight"), "F32");
    assert_int_equal(choice_of(source, recipe, "blk.0.attn_q.weight")->reason, RECIPE_OVERRIDE);
    assert_true(recipe_size(recipe) > size);
    assert_string_equal(recipe_text(recipe),
                        "q4_k_m; attn_(q|k)\\.weight=Q8_0; ^blk\\.1\\.attn_q=f16");
    refused(recipe, "attn_q", "REGEX=TYPE");
    refused(recipe, "=q8_0", "REGEX=TYPE");
    refused(recipe, "attn_q=q9", "no type");
    refused(recipe, "attn_q=q4_k_m", "no type"); /* a preset, not a type */
    refused(recipe, "attn_q=q4_k", "rows of 224");
    refused(recipe, "attn_(q=q8_0", "parenthesis");
    refused(recipe, "nothing=q8_0", "no tensor matches");
    refused(recipe, "_norm=q8_0", "never quantized");
    recipe_destroy(recipe);
    assert_false(recipe_create(source, "q4_k_x", false, &recipe, &fault));
    assert_non_null(strstr(fault.text, "q4_k_m"));
    source_close(source);
}

/* A pattern that backtracks for ever ends with a fault. */
static void test_patterns_are_bounded(void **state)
{
    (void)state;
    const struct gguf_model model = {.layers = 1, .dim = 64, .ffn = 64, .kv_dim = 64};
    struct source *source = write_and_open(&model, FOLDER "/recipe.gguf");
    struct recipe *recipe = create(source, "q8_0", false);
    refused(recipe, "^(([a-z0-9_.]+)*)*[^a-z0-9_.]=q8_0", "takes too long");
    recipe_destroy(recipe);
    source_close(source);
}

static void test_codes_are_kept(void **state)
{
    (void)state;
    struct gguf_model model = {
        .layers = 2, .dim = 64, .ffn = 64, .kv_dim = 64, .vocab = 300, .dtype = DTYPE_Q5_0};
    struct fault fault = {.kind = FAULT_NONE};
    gguf_model_write(FOLDER "/recipe.gguf", &model);
    struct source *source = open_model(FOLDER "/recipe.gguf");
    struct recipe *recipe = create(source, "q8_0", false);
    assert_true(recipe_override(recipe, "attn_v=f16", &fault));
    assert_true(recipe_keep_codes(recipe, &fault));
    assert_string_equal(type_of(source, recipe, "blk.0.attn_q.weight"), "Q5_0");
    assert_string_equal(type_of(source, recipe, "blk.0.attn_v.weight"), "F16");
    assert_int_equal(choice_of(source, recipe, "blk.0.attn_q.weight")->reason, RECIPE_LOSSLESS);
    recipe_destroy(recipe);
    source_close(source);
    source = write_and_open(&models[2].model, FOLDER "/recipe.gguf");
    recipe = create(source, "q8_0", false);
    assert_false(recipe_keep_codes(recipe, &fault));
    recipe_destroy(recipe);
    source_close(source);
}

static int clean(void **state)
{
    (void)state;
    remove(FOLDER "/recipe.gguf");
    return 0;
}

/* With a folder: only writes the models there, for make_peer_types.py. */
int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < MODEL_COUNT; i++) {
        char path[512];
        snprintf(path, sizeof path, "%.400s/recipe-%s.gguf", argv[1], models[i].name);
        source_close(write_and_open(&models[i].model, path));
    }
    if (argc > 1)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_are_the_peers),
        cmocka_unit_test(test_imatrix_changes_the_first_layers),
        cmocka_unit_test(test_fallbacks),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_patterns_are_bounded),
        cmocka_unit_test(test_codes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
