/* test_weighting.c: conversions against a calibration: --imatrix and --refine do what they promise,
 * the same bytes whatever the threads; types under a budget. */
#include "testing.h"

#include "collector.h"
#include "convert.h"
#include "gguf.h"
#include "gguf_model.h"
#include "platform.h"

#include <math.h>

#define FOLDER LICHEN_TEST_OUTPUT
#define SOURCE FOLDER "/weighting.gguf"
#define OUTPUT FOLDER "/weighting-out.gguf"
#define CALIBRATION FOLDER "/weighting-calibration.gguf"

enum { LAYERS = 3, DIM = 256, FFN = 512, ROWS = 96, KINDS = 7 };

static const struct gguf_model model = {
    .layers = LAYERS, .dim = DIM, .ffn = FFN, .kv_dim = 128, .vocab = 700, .dtype = DTYPE_F32};

static const char *const names[KINDS] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                         "ffn_gate", "ffn_up", "ffn_down"};
static const uint32_t sources[KINDS] = {0, 0, 0, 1, 2, 2, 3};

/* ---- a calibration of inputs whose neighbouring columns go together ---- */

struct list {
    char texts[LAYERS * KINDS + 1][64];
    const char *names[LAYERS * KINDS + 1];
    float sensitivity[LAYERS * KINDS + 1];
    struct collector_weight weights[LAYERS * KINDS];
};

/* Down projections cost most, later layers less; the embedding little. */
static void list_make(struct list *list)
{
    for (uint32_t i = 0; i < LAYERS * KINDS; i++) {
        uint32_t layer = i / KINDS, kind = i % KINDS;
        snprintf(list->texts[i], sizeof list->texts[i], "blk.%u.%s.weight", (unsigned)layer,
                 names[kind]);
        list->names[i] = list->texts[i];
        list->sensitivity[i] = (kind == 6 ? 10.0f : 1.0f) / (float)(1 + layer);
        list->weights[i] = (struct collector_weight){list->texts[i], kind == 6 ? FFN : DIM,
                                                     layer * 4 + sources[kind]};
    }
    list->names[LAYERS * KINDS] = "token_embd.weight";
    list->sensitivity[LAYERS * KINDS] = 0.01f;
}

static void rows_make(uint64_t *random, uint32_t columns, float *rows)
{
    for (uint32_t t = 0; t < ROWS; t++) {
        float before = 0;
        for (uint32_t i = 0; i < columns; i++) {
            before = 0.9f * before + test_uniform(random) * (i % 31 == 0 ? 5.0f : 1.0f);
            rows[t * columns + i] = before;
        }
    }
}

static void calibration_make(bool hessian, bool sensitive)
{
    static float rows[ROWS * FFN];
    static struct list list;
    struct collector *collector;
    uint64_t random = 17;
    list_make(&list);
    const struct collector_options options = {
        .weights = list.weights, .weight_count = LAYERS * KINDS, .hessian = hessian, .threads = 2};
    assert_true(collector_create(&options, &collector, NULL));
    assert_true(collector_pass_begin(collector, 0, NULL));
    for (int run = 0; run < 20; run++)
        for (uint32_t i = 0; i < LAYERS * KINDS; i++) {
            rows_make(&random, list.weights[i].columns, rows);
            assert_true(collector_add(collector, i, rows, ROWS, NULL));
        }
    if (sensitive)
        collector_set_sensitivity(collector, list.names, list.sensitivity, LAYERS * KINDS + 1);
    assert_true(collector_pass_end(collector, CALIBRATION, NULL));
    assert_true(collector_finish(collector, NULL));
    collector_destroy(collector);
}

static struct calibration *calibration_must_open(void)
{
    struct calibration *calibration;
    struct fault fault = {0};
    if (!calibration_open(CALIBRATION, &calibration, &fault))
        fail_msg("%s", fault.text);
    return calibration;
}

/* ---- conversions ---- */

struct run {
    struct source *source;
    struct recipe *recipe;
    struct calibration *calibration;
    struct fault fault;
};

static void run_open(struct run *run, const char *preset)
{
    *run = (struct run){.calibration = calibration_must_open()};
    gguf_model_write(SOURCE, &model);
    if (!source_open(SOURCE, NULL, &run->source, &run->fault) ||
        !recipe_create(run->source, preset, true, &run->recipe, &run->fault))
        fail_msg("%s", run->fault.text);
}

static void run_close(struct run *run)
{
    recipe_destroy(run->recipe);
    source_close(run->source);
    calibration_close(run->calibration);
}

/* The file's bytes, malloc'd. */
static char *convert(struct run *run, bool calibrated, bool refine, uint32_t threads, size_t *size)
{
    const struct convert_options options = {.output = OUTPUT,
                                            .source = run->source,
                                            .recipe = run->recipe,
                                            .calibration = calibrated ? run->calibration : NULL,
                                            .refine = refine,
                                            .threads = threads};
    char *bytes = NULL;
    remove(OUTPUT);
    if (!convert_run(&options, NULL, &run->fault) ||
        !file_load(OUTPUT, 1 << 28, &bytes, size, &run->fault))
        fail_msg("%s", run->fault.text);
    return bytes;
}

static void read_rows(const char *path, const char *name, float *dst, size_t count)
{
    struct gguf *gguf;
    assert_true(gguf_open(path, &gguf, NULL));
    const struct gguf_tensor *tensor = gguf_tensor_find(gguf, name);
    assert_non_null(tensor);
    void *bytes = malloc(tensor->size);
    assert_true(bytes && gguf_read(gguf, tensor, 0, bytes, tensor->size, NULL));
    const struct dtype_info *info = dtype_find(tensor->dtype);
    assert_int_equal(tensor->rows * tensor->dims[0], count);
    info->decode(bytes, dst, count / info->block_weights);
    free(bytes);
    gguf_close(gguf);
}

/* tr(E H E^T) of a weight of the file at OUTPUT. */
static double objective(const struct calibration *calibration, const char *name, uint32_t columns,
                        uint32_t rows)
{
    size_t count = (size_t)rows * columns;
    float *w = malloc(count * sizeof *w), *q = malloc(count * sizeof *q);
    float *hessian = malloc((size_t)columns * columns * sizeof *hessian);
    uint64_t tokens;
    double sum = 0;
    assert_true(w && q && hessian);
    read_rows(SOURCE, name, w, count);
    read_rows(OUTPUT, name, q, count);
    assert_true(calibration_hessian(calibration, name, columns, hessian, &tokens, NULL));
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < columns; i++)
            for (uint32_t j = 0; j < columns; j++)
                sum += (double)hessian[i * columns + j] *
                       (double)(w[r * columns + i] - q[r * columns + i]) *
                       (double)(w[r * columns + j] - q[r * columns + j]);
    free(w);
    free(q);
    free(hessian);
    return sum;
}

/* Each way makes other bytes, always the same ones, and each is better than the one before. */
static void test_ways(void **state)
{
    static const char *const presets[] = {"q4_0", "q4_k_m", "iq4_nl", "q6_k"};
    (void)state;
    calibration_make(true, false);
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        struct run run;
        size_t size, other_size;
        double error[3];
        run_open(&run, presets[i]);
        for (int way = 0; way < 3; way++) {
            char *one = convert(&run, way > 0, way > 1, 1, &size);
            char *many = convert(&run, way > 0, way > 1, 3, &other_size);
            assert_int_equal(size, other_size);
            assert_memory_equal(one, many, size);
            free(one);
            free(many);
            error[way] = objective(run.calibration, "blk.1.attn_q.weight", DIM, DIM);
        }
        print_message("%s: %.4e, imatrix %.4e, refine %.4e\n", presets[i], error[0], error[1],
                      error[2]);
        assert_true(error[1] < 1.02 * error[0] && error[2] < 0.8 * error[1]);
        run_close(&run);
    }
}

/* A calibration without Hessians, or of another model. */
static void test_other_calibrations(void **state)
{
    (void)state;
    struct run run;
    size_t size, other_size;
    calibration_make(false, false);
    run_open(&run, "q4_0");
    char *plain = convert(&run, true, false, 2, &size);
    char *refined = convert(&run, true, true, 2, &other_size); /* nothing to refine against */
    assert_int_equal(size, other_size);
    assert_memory_equal(plain, refined, size);
    free(plain);
    free(refined);
    run_close(&run);
    struct gguf_model wider = model;
    wider.dim = 2 * DIM;
    gguf_model_write(SOURCE, &wider);
    run = (struct run){.calibration = calibration_must_open()};
    assert_true(source_open(SOURCE, NULL, &run.source, NULL));
    assert_true(recipe_create(run.source, "q4_0", true, &run.recipe, NULL));
    const struct convert_options options = {.output = OUTPUT,
                                            .source = run.source,
                                            .recipe = run.recipe,
                                            .calibration = run.calibration,
                                            .threads = 2};
    remove(OUTPUT);
    assert_false(convert_run(&options, NULL, &run.fault));
    assert_non_null(strstr(run.fault.text, "of another model"));
    run_close(&run);
}

/* ---- budgets ---- */

static enum dtype dtype_of(const struct run *run, const char *name)
{
    for (uint32_t i = 0; i < source_tensor_count(run->source); i++)
        if (strcmp(source_tensor_at(run->source, i)->name, name) == 0)
            return recipe_choice(run->recipe, i)->dtype;
    fail_msg("no tensor %s", name);
    return DTYPE_F32;
}

static double bits_of(enum dtype dtype)
{
    const struct dtype_info *info = dtype_find(dtype);
    return 8.0 * info->block_size / info->block_weights;
}

static void test_budget(void **state)
{
    (void)state;
    calibration_make(false, true);
    struct run run;
    run_open(&run, "q4_k_m");
    assert_true(recipe_override(run.recipe, "blk.2.attn_k=q8_0", &run.fault));
    uint64_t whole = recipe_size(run.recipe);
    for (uint64_t bytes = whole; bytes < 2 * whole; bytes += whole / 7) {
        if (!recipe_fit(run.recipe, run.calibration, bytes, 2, &run.fault))
            fail_msg("%s", run.fault.text);
        print_message("%llu bytes: %llu, %.3f bits\n", (unsigned long long)bytes,
                      (unsigned long long)recipe_size(run.recipe),
                      recipe_bits_per_weight(run.recipe));
        assert_true(recipe_size(run.recipe) <= bytes);
        assert_true(recipe_size(run.recipe) >= bytes - bytes / 50 || bytes > 3 * whole / 2);
        assert_int_equal(dtype_of(&run, "blk.2.attn_k.weight"), DTYPE_Q8_0);
        assert_true(bits_of(dtype_of(&run, "blk.0.ffn_down.weight")) >=
                    bits_of(dtype_of(&run, "blk.2.ffn_up.weight")));
        assert_true(bits_of(dtype_of(&run, "token_embd.weight")) <=
                    bits_of(dtype_of(&run, "blk.0.ffn_down.weight")));
    }
    assert_false(recipe_fit(run.recipe, run.calibration, whole / 2, 2, &run.fault));
    assert_non_null(strstr(run.fault.text, "the smallest types take"));
    run_close(&run);
}

static void test_budget_unmeasured(void **state)
{
    (void)state;
    calibration_make(false, false);
    struct run run;
    run_open(&run, "q4_k_m");
    assert_false(recipe_fit(run.recipe, run.calibration, 1 << 20, 2, &run.fault));
    assert_non_null(strstr(run.fault.text, "--sensitivity"));
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_other_calibrations),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_unmeasured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
