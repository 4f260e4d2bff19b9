/* test_calibration.c: both forms of an imatrix are read, and what is wrong in them is said. */
#include "testing.h"

#include "calibration.h"
#include "calibration_private.h"
#include "collector.h"
#include "gguf_write.h"
#include "platform.h"

#include <math.h>

#define PATH LICHEN_TEST_OUTPUT "/calibration.gguf"

/* ---- GGUF: one entry w of four columns and what goes wrong with it ---- */

enum { COLUMNS = 4, TRIANGLE = 10 };

struct file {
    const char *type; /* general.type; NULL = none */
    const char *counts_name;
    enum dtype sums_type;
    uint64_t columns, counts, triangle;
    float sums[COLUMNS], count, hessian[TRIANGLE];
    const char *weight, *input; /* of the table; NULL = no table */
    float sensitivity;
};

static struct file good(void)
{
    return (struct file){.type = "imatrix",
                         .counts_name = "w.counts",
                         .sums_type = DTYPE_F32,
                         .columns = COLUMNS,
                         .counts = 1,
                         .triangle = TRIANGLE,
                         .sums = {2, 4, 6, 8},
                         .count = 2,
                         .hessian = {1, 10, 20, 30, 2, 40, 50, 3, 60, 4},
                         .weight = "w",
                         .input = "w",
                         .sensitivity = 0.25f};
}

static struct gguf_string string_of(const char *text)
{
    return (struct gguf_string){text, strlen(text)};
}

static bool put_metadata(struct gguf_writer *writer, const struct file *file)
{
    if (file->type && !gguf_put_text(writer, "general.type", file->type, strlen(file->type), NULL))
        return false;
    if (!file->weight)
        return true;
    struct gguf_string weight = string_of(file->weight), input = string_of(file->input);
    return gguf_put_array(writer, "lichen.calibration.weights", GGUF_STRING, &weight, 1, NULL) &&
           gguf_put_array(writer, "lichen.calibration.inputs", GGUF_STRING, &input, 1, NULL) &&
           gguf_put_array(writer, "lichen.calibration.sensitive", GGUF_STRING, &weight, 1, NULL) &&
           gguf_put_array(writer, "lichen.calibration.sensitivity", GGUF_F32, &file->sensitivity, 1,
                          NULL);
}

static void file_write(const struct file *file)
{
    struct gguf_writer *writer;
    float counts[8] = {file->count};
    float sums[COLUMNS];
    memcpy(sums, file->sums, sizeof sums);
    size_t sums_size = file->columns * (file->sums_type == DTYPE_F32 ? 4 : 2);
    assert_true(gguf_writer_create(&writer, NULL));
    assert_true(put_metadata(writer, file));
    assert_true(gguf_put_tensor(writer, "w.in_sum2", file->sums_type, 1, &file->columns, NULL));
    assert_true(gguf_put_tensor(writer, file->counts_name, DTYPE_F32, 1, &file->counts, NULL));
    assert_true(gguf_put_tensor(writer, "w.hessian", DTYPE_F32, 1, &file->triangle, NULL));
    assert_true(gguf_writer_begin(writer, PATH, NULL));
    assert_true(gguf_writer_write(writer, sums, sums_size, NULL));
    assert_true(gguf_writer_write(writer, counts, file->counts * sizeof(float), NULL));
    assert_true(gguf_writer_write(writer, file->hessian, file->triangle * sizeof(float), NULL));
    assert_true(gguf_writer_finish(writer, NULL));
    gguf_writer_destroy(writer);
}

static struct calibration *must_open(const char *path)
{
    struct calibration *calibration;
    struct fault fault = {0};
    if (!calibration_open(path, &calibration, &fault))
        fail_msg("%s", fault.text);
    return calibration;
}

static void assert_says(const struct fault *fault, const char *part)
{
    if (!strstr(fault->text, part))
        fail_msg("expected '%s' in: %s", part, fault->text);
}

static void test_good(void **state)
{
    (void)state;
    struct file file = good();
    file_write(&file);
    struct calibration *calibration = must_open(PATH);
    const float *mean;
    float hessian[COLUMNS * COLUMNS];
    uint64_t tokens;
    struct fault fault = {0};
    assert_true(calibration_importance(calibration, "w", COLUMNS, &mean, &fault));
    for (int i = 0; i < COLUMNS; i++)
        assert_true(mean[i] == (float)(i + 1));
    assert_true(calibration_has_hessian(calibration, "w"));
    assert_true(calibration_hessian(calibration, "w", COLUMNS, hessian, &tokens, &fault));
    const float expected[] = {1, 10, 20, 30, 10, 2, 40, 50, 20, 40, 3, 60, 30, 50, 60, 4};
    assert_memory_equal(hessian, expected, sizeof expected);
    assert_int_equal(tokens, 2);
    assert_true(calibration_sensitivity(calibration, "w") == 0.25);
    assert_true(calibration_importance(calibration, "other", 7, &mean, &fault));
    assert_null(mean);
    assert_false(calibration_has_hessian(calibration, "other"));
    assert_null(calibration_input(calibration, "other"));
    assert_true(calibration_sensitivity(calibration, "other") < 0);
    assert_false(calibration_importance(calibration, "w", COLUMNS + 1, &mean, &fault));
    assert_says(&fault, "of another model");
    memset(&fault, 0, sizeof fault);
    assert_false(calibration_hessian(calibration, "other", COLUMNS, hessian, &tokens, &fault));
    assert_says(&fault, "--hessian");
    calibration_close(calibration);
}

static void refuse(const struct file *file, const char *part)
{
    struct calibration *calibration;
    struct fault fault = {0};
    file_write(file);
    assert_false(calibration_open(PATH, &calibration, &fault));
    assert_null(calibration);
    assert_says(&fault, part);
    assert_says(&fault, PATH);
}

static void test_bad(void **state)
{
    (void)state;
    struct file file = good();
    file.type = NULL;
    refuse(&file, "expected imatrix, found none");
    file.type = "model";
    refuse(&file, "expected imatrix, found model");
    file = good();
    file.counts_name = "v.counts";
    refuse(&file, "found none");
    file = good();
    file.counts = 2;
    refuse(&file, "w.counts: expected float32 [1]");
    file = good();
    file.sums_type = DTYPE_F16;
    refuse(&file, "w.in_sum2: expected float32");
    file = good();
    file.sums[2] = NAN;
    refuse(&file, "column 2");
    file.sums[2] = INFINITY;
    refuse(&file, "column 2");
    file.sums[2] = -1;
    refuse(&file, "found -1");
    file = good();
    file.count = -2;
    refuse(&file, "expected a count");
    file.count = NAN;
    refuse(&file, "expected a count");
    file = good();
    file.weight = "v";
    refuse(&file, "no such");
    file = good();
    file.input = "v";
    refuse(&file, "no such");
    file = good();
    file.sensitivity = NAN;
    refuse(&file, "lichen.calibration.sensitivity: item 0");
    file.sensitivity = -1;
    refuse(&file, "lichen.calibration.sensitivity: item 0");
}

static void refuse_hessian(const struct file *file, const char *part)
{
    float hessian[COLUMNS * COLUMNS];
    uint64_t tokens;
    struct fault fault = {0};
    file_write(file);
    struct calibration *calibration = must_open(PATH);
    assert_false(calibration_hessian(calibration, "w", COLUMNS, hessian, &tokens, &fault));
    assert_says(&fault, part);
    calibration_close(calibration);
}

static void test_bad_hessian(void **state)
{
    (void)state;
    struct file file = good();
    file.hessian[2] = NAN;
    refuse_hessian(&file, "row 0, column 2");
    file = good();
    file.hessian[9] = -4;
    refuse_hessian(&file, "column 3");
    file = good();
    file.triangle = TRIANGLE - 1;
    refuse_hessian(&file, "expected the float32 triangle of 4 columns, found 9");
}

/* ---- the old form ---- */

struct dat {
    uint8_t bytes[512];
    size_t size;
};

static void dat_put(struct dat *dat, const void *bytes, size_t size)
{
    memcpy(dat->bytes + dat->size, bytes, size);
    dat->size += size;
}

static void dat_u32(struct dat *dat, uint32_t value)
{
    dat_put(dat, &value, sizeof value);
}

static void dat_entry(struct dat *dat, const char *name, uint32_t calls, const float *values,
                      uint32_t count)
{
    dat_u32(dat, (uint32_t)strlen(name));
    dat_put(dat, name, strlen(name));
    dat_u32(dat, calls);
    dat_u32(dat, count);
    dat_put(dat, values, count * sizeof *values);
}

static struct dat dat_good(void)
{
    struct dat dat = {.size = 0};
    const float one[] = {3, 6, 9}, two[] = {1, 1};
    dat_u32(&dat, 2);
    dat_entry(&dat, "b", 3, one, 3);
    dat_entry(&dat, "a", 1, two, 2);
    dat_u32(&dat, 40);
    dat_u32(&dat, 4);
    dat_put(&dat, "text", 4);
    return dat;
}

static void test_dat(void **state)
{
    (void)state;
    const char *path = LICHEN_TEST_OUTPUT "/calibration.dat";
    struct dat dat = dat_good();
    const float *mean;
    assert_true(file_save(path, dat.bytes, dat.size, 0644, NULL));
    struct calibration *calibration = must_open(path);
    assert_true(calibration_importance(calibration, "b", 3, &mean, NULL));
    assert_true(mean[0] == 1 && mean[1] == 2 && mean[2] == 3);
    assert_true(calibration_importance(calibration, "a", 2, &mean, NULL));
    assert_true(mean[0] == 1 && mean[1] == 1);
    assert_false(calibration_has_hessian(calibration, "a"));
    calibration_close(calibration);
}

static void refuse_dat(const struct dat *dat, const char *part)
{
    struct calibration *calibration;
    struct fault fault = {0};
    assert_false(calibration_parse_dat(dat->bytes, dat->size, &calibration, &fault));
    assert_null(calibration);
    assert_says(&fault, part);
}

/* Cut anywhere before the trailer, with counts that lie, names twice, numbers that are none. */
static void test_dat_bad(void **state)
{
    (void)state;
    struct dat whole = dat_good();
    for (size_t size = 0; size < whole.size - 12; size++) {
        struct calibration *calibration;
        struct fault fault = {0};
        uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a read behind it */
        assert_non_null(exact);
        memcpy(exact, whole.bytes, size);
        assert_false(calibration_parse_dat(exact, size, &calibration, &fault));
        assert_true(fault.kind == FAULT_FORMAT);
        free(exact);
    }
    struct dat dat = whole;
    memset(dat.bytes, 0xff, 4);
    refuse_dat(&dat, "neither a GGUF file nor an imatrix");
    memset(dat.bytes, 0, 4);
    refuse_dat(&dat, "neither a GGUF file nor an imatrix");
    const float bad[] = {NAN}, fine[] = {1};
    dat = (struct dat){.size = 0};
    dat_u32(&dat, 1);
    dat_entry(&dat, "a", 1, bad, 1);
    refuse_dat(&dat, "column 0");
    dat = (struct dat){.size = 0};
    dat_u32(&dat, 1);
    dat_entry(&dat, "a", 0, fine, 1);
    refuse_dat(&dat, "0 calls");
    dat = (struct dat){.size = 0};
    dat_u32(&dat, 2);
    dat_entry(&dat, "a", 1, fine, 1);
    dat_entry(&dat, "a", 1, fine, 1);
    refuse_dat(&dat, "occurs twice");
}

static void test_absent(void **state)
{
    (void)state;
    struct calibration *calibration;
    struct fault fault = {0};
    assert_false(calibration_open(LICHEN_TEST_OUTPUT "/absent.gguf", &calibration, &fault));
    assert_says(&fault, "absent.gguf");
    assert_true(file_save(PATH, "GG", 2, 0644, NULL));
    memset(&fault, 0, sizeof fault);
    assert_false(calibration_open(PATH, &calibration, &fault));
    assert_says(&fault, "2 bytes");
    calibration_close(NULL);
}

/* ---- the collector, against sums in double ---- */

static void test_collector(void **state)
{
    (void)state;
    enum { WIDTH = 37, ROWS = 29, RUNS = 3 }; /* no multiple of any tile */
    const struct collector_weight weights[] = {{"q", WIDTH, 1}, {"k", WIDTH, 1}, {"o", WIDTH, 2}};
    const char *const texts[] = {"text"};
    const struct collector_options options = {.weights = weights,
                                              .weight_count = 3,
                                              .texts = texts,
                                              .text_count = 1,
                                              .hessian = true,
                                              .threads = 2};
    static float rows[RUNS][ROWS * WIDTH], hessian[WIDTH * WIDTH];
    static double sums[WIDTH * WIDTH];
    struct collector *collector;
    uint64_t random = 3, tokens;
    assert_true(collector_create(&options, &collector, NULL));
    assert_int_equal(collector_passes(collector), 1);
    assert_true(collector_pass_begin(collector, 0, NULL));
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < ROWS * WIDTH; i++)
            rows[run][i] = test_uniform(&random);
        for (int t = 0; t < ROWS; t++)
            for (int i = 0; i < WIDTH * WIDTH; i++)
                sums[i] += (double)rows[run][t * WIDTH + i / WIDTH] *
                           (double)rows[run][t * WIDTH + i % WIDTH];
        for (uint32_t weight = 0; weight < 3; weight++)
            assert_true(collector_add(collector, weight, rows[run], ROWS, NULL));
    }
    assert_true(collector_pass_end(collector, PATH, NULL));
    assert_true(collector_finish(collector, NULL));
    collector_destroy(collector);
    struct calibration *calibration = must_open(PATH);
    assert_true(calibration_hessian(calibration, "k", WIDTH, hessian, &tokens, NULL));
    assert_int_equal(tokens, RUNS * ROWS);
    for (int i = 0; i < WIDTH * WIDTH; i++)
        assert_true(fabs((double)hessian[i] - sums[i] / (RUNS * ROWS)) < 1e-6);
    assert_string_equal(calibration_input(calibration, "k"), "q");
    assert_string_equal(calibration_input(calibration, "o"), "o");
    calibration_close(calibration);
}

/* An input that is not finite ends the collecting and leaves no file. */
static void test_collector_nonfinite(void **state)
{
    (void)state;
    const struct collector_weight weight = {"q", 2, 1};
    const struct collector_options options = {.weights = &weight, .weight_count = 1, .threads = 1};
    const float row[] = {1, NAN};
    struct collector *collector;
    struct fault fault = {0};
    assert_true(collector_create(&options, &collector, NULL));
    assert_true(collector_pass_begin(collector, 0, NULL));
    assert_false(collector_add(collector, 0, row, 1, &fault));
    assert_says(&fault, "q: column 1");
    collector_destroy(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bad_hessian), cmocka_unit_test(test_dat),
        cmocka_unit_test(test_dat_bad),     cmocka_unit_test(test_absent),
        cmocka_unit_test(test_collector),   cmocka_unit_test(test_collector_nonfinite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
