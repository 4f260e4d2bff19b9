/* test_shape.c: every shape in every type is a model that the builder takes; its made-up weights
 * are finite, of the size they should have, and the same however they are read. */
#include "testing.h"
#include "gguf_write.h"
#include "half.h"
#include "model.h"
#include "shape.h"
#include "shape_type.h"
#include <math.h>

/* ---- made-up data ---- */

static const enum dtype all_types[] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q4_1,   DTYPE_Q5_0,  DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS};
enum { TYPE_COUNT = sizeof all_types / sizeof all_types[0] };

/* Tensors t0.weight [cols, rows] of every type, and a vector of each. */
static struct gguf *made_up(uint64_t cols, uint64_t rows)
{
    struct fault fault = {0};
    struct gguf_writer *writer;
    struct gguf *gguf;
    uint8_t *bytes;
    size_t size;
    char name[32];
    assert_true(gguf_writer_create(&writer, &fault));
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        snprintf(name, sizeof name, "t%zu.weight", i);
        assert_true(
            gguf_put_tensor(writer, name, all_types[i], 2, (uint64_t[]){cols, rows}, &fault));
        snprintf(name, sizeof name, "t%zu.vector", i);
        assert_true(gguf_put_tensor(writer, name, all_types[i], 1, &cols, &fault));
    }
    assert_true(gguf_writer_header(writer, &bytes, &size, &fault));
    gguf_writer_destroy(writer);
    assert_true(gguf_parse_synthetic(bytes, size, &gguf, &fault));
    free(bytes);
    return gguf;
}

static void *read_all(const struct gguf *gguf, const struct gguf_tensor *tensor)
{
    struct fault fault = {0};
    uint8_t *bytes = malloc(tensor->size);
    assert_non_null(bytes);
    assert_true(gguf_read(gguf, tensor, 0, bytes, tensor->size, &fault));
    return bytes;
}

static void test_values(void **state)
{
    (void)state;
    static const uint64_t widths[] = {256, 4096, 24576};
    for (size_t w = 0; w < 3; w++) {
        struct gguf *gguf = made_up(widths[w], 1 + 65536 / widths[w]);
        for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
            const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
            const struct dtype_info *info = dtype_find(tensor->dtype);
            size_t count = tensor->rows * tensor->dims[0];
            float *values = malloc(count * sizeof *values);
            uint8_t *blocks = read_all(gguf, tensor);
            double sum = 0, squares = 0;
            assert_non_null(values);
            info->decode(blocks, values, count / info->block_weights);
            for (size_t k = 0; k < count; k++) {
                assert_true(isfinite(values[k]));
                sum += values[k];
                squares += (double)values[k] * values[k];
            }
            double rms = sqrt(squares / (double)count), mean = sum / (double)count;
            double wanted = tensor->rows == 1 ? 1 : 1 / sqrt((double)tensor->dims[0]);
            bool many = count >= 4096; /* of a few blocks the mean says little */
            if (rms < (many ? 0.6 : 0.3) * wanted || rms > (many ? 1.6 : 3) * wanted ||
                (many && fabs(mean) > 0.2 * rms))
                fail_msg("%s %s: rms %g, wanted %g, mean %g", tensor->name, info->name, rms, wanted,
                         mean);
            free(values);
            free(blocks);
        }
        gguf_close(gguf);
    }
}

/* Any range of bytes is the same part of the whole; another tensor is another stream. */
static void test_ranges(void **state)
{
    (void)state;
    struct gguf *gguf = made_up(512, 9), *again = made_up(512, 9);
    struct fault fault = {0};
    uint64_t random = 5;
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        uint8_t *whole = read_all(gguf, tensor), *part = malloc(tensor->size);
        assert_non_null(part);
        for (int k = 0; k < 200; k++) {
            uint64_t offset = test_random(&random) % tensor->size;
            size_t size =
                test_random(&random) % (k % 2 ? 40 : tensor->size) % (tensor->size - offset);
            assert_true(gguf_read(again, gguf_tensor_at(again, i), offset, part, size, &fault));
            assert_memory_equal(part, whole + offset, size);
        }
        assert_false(gguf_read(gguf, tensor, 1, part, tensor->size, &fault));
        fault = (struct fault){0};
        free(whole);
        free(part);
    }
    uint8_t *a = read_all(gguf, gguf_tensor_at(gguf, 0)),
            *b = read_all(gguf, gguf_tensor_at(gguf, 1));
    assert_memory_not_equal(a, b, 512);
    free(a);
    free(b);
    gguf_close(gguf);
    gguf_close(again);
}

static void test_no_data_for_integers(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gguf_writer *writer;
    struct gguf *gguf;
    uint8_t *bytes;
    size_t size;
    int32_t number;
    assert_true(gguf_writer_create(&writer, &fault));
    assert_true(gguf_put_tensor(writer, "ids", DTYPE_I32, 1, (uint64_t[]){8}, &fault));
    assert_true(gguf_writer_header(writer, &bytes, &size, &fault));
    assert_true(gguf_parse_synthetic(bytes, size, &gguf, &fault));
    assert_false(gguf_read(gguf, gguf_tensor_at(gguf, 0), 0, &number, 4, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "ids"));
    gguf_close(gguf);
    gguf_writer_destroy(writer);
    free(bytes);
}

/* ---- shapes ---- */

static struct gguf *open_shape(const char *shape, const char *type)
{
    struct fault fault = {0};
    struct shape_header header;
    struct gguf *gguf = NULL;
    if (!shape_make(shape, type, &header, &fault) ||
        !gguf_parse_synthetic(header.bytes, header.size, &gguf, &fault))
        fail_msg("%s %s: %s", shape, type, fault.text);
    free(header.bytes);
    return gguf;
}

static void build(const struct gguf *gguf, const char *shape, const char *type,
                  struct model_info *info)
{
    struct fault fault = {0};
    struct plan plan;
    if (!model_build(gguf, 0, &plan, info, &fault))
        fail_msg("%s %s: %s", shape, type, fault.text);
    plan_free(&plan);
}

static void test_every_shape_is_a_model(void **state)
{
    (void)state;
    static const char *const types[] = {"q4_k_m", "q5_k_m", "f16"};
    for (size_t i = 0; shape_name_at(i); i++)
        for (size_t k = 0; k < 3; k++) {
            struct model_info info;
            struct gguf *gguf = open_shape(shape_name_at(i), types[k]);
            build(gguf, shape_name_at(i), types[k], &info);
            gguf_close(gguf);
        }
    for (size_t k = 0; shape_type_name(k); k++) {
        struct model_info info;
        struct gguf *gguf = open_shape("0.5b", shape_type_name(k));
        build(gguf, "0.5b", shape_type_name(k), &info);
        gguf_close(gguf);
    }
}

/* Parameter counts as published, and sizes as of the files that llama.cpp makes, within 1 %. */
static void test_published_figures(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        uint64_t parameters;
        double q4_k_m; /* bytes of the tensors, 0 = not known */
    } cases[] = {
        {"smollm2", 134515008, 0},
        {"0.5b", 494032768, 397.8e6},
        {"1.5b", 1543714304, 986.0e6},
        {"3b", 3085938688, 1929.9e6},
        {"7b", 7615616512, 4683.1e6},
        {"llama-8b", 8030261248, 4920.7e6},
        {"mistral-7b", 7248023552, 4372.8e6},
        {"chatglm-6b", 6243584000, 0},
        {"moss-16b", 16717980160, 0},
        {"glm4-9b", 9399951360, 0},
        {"llama-7b", 6738415616, 4081.0e6},
        {"qwen3-8b", 8190735360, 5027.8e6},
        {"gemma-1b", 999885952, 806.1e6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_info info;
        struct gguf *gguf = open_shape(cases[i].shape, "q4_k_m");
        build(gguf, cases[i].shape, "q4_k_m", &info);
        if (info.parameters != cases[i].parameters)
            fail_msg("%s: %llu parameters", cases[i].shape, (unsigned long long)info.parameters);
        if (cases[i].q4_k_m > 0 && fabs((double)info.tensor_bytes / cases[i].q4_k_m - 1) > 0.015)
            fail_msg("%s: %llu bytes", cases[i].shape, (unsigned long long)info.tensor_bytes);
        gguf_close(gguf);
    }
}

static void test_mixes(void **state)
{
    (void)state;
    const struct shape_type *medium = shape_type_find("q4_k_m"), *small = shape_type_find("q4_k_s");
    uint32_t more = 0;
    for (uint32_t i = 0; i < 32; i++)
        more += shape_type_of(medium, ROLE_DOWN, i, 32, 4096) == DTYPE_Q6_K;
    assert_int_equal(more, 16); /* as llama.cpp's file of Llama 8B has */
    assert_int_equal(shape_type_of(medium, ROLE_OTHER, 0, 32, 4096), DTYPE_Q4_K);
    assert_int_equal(shape_type_of(medium, ROLE_OTHER, 0, 32, 896), DTYPE_Q5_0);
    assert_int_equal(shape_type_of(medium, ROLE_HEAD, 0, 32, 896), DTYPE_Q8_0);
    assert_int_equal(shape_type_of(small, ROLE_V, 3, 32, 4096), DTYPE_Q5_K);
    assert_int_equal(shape_type_of(small, ROLE_V, 4, 32, 4096), DTYPE_Q4_K);
    assert_int_equal(shape_type_of(shape_type_find("q8_0"), ROLE_HEAD, 0, 32, 896), DTYPE_Q8_0);
}

static void test_unknown_names(void **state)
{
    (void)state;
    struct shape_header header;
    struct fault fault = {0};
    assert_false(shape_make("2.5-0.5b", "q4_0", &header, &fault)); /* a part of a name is none */
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_non_null(strstr(fault.text, "llama-8b"));
    fault = (struct fault){0};
    assert_false(shape_make("", "q4_0", &header, &fault));
    fault = (struct fault){0};
    assert_false(shape_make("0.5b", "q2_k", &header, &fault));
    assert_non_null(strstr(fault.text, "q4_k_m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_no_data_for_integers),
        cmocka_unit_test(test_every_shape_is_a_model),
        cmocka_unit_test(test_published_figures),
        cmocka_unit_test(test_mixes),
        cmocka_unit_test(test_unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
