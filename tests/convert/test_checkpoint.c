/* test_checkpoint.c: good checkpoints: the same weights out of safetensors and of PyTorch's zip,
 * all elements, strides, folders, indexes, GGUF. */
#include "testing.h"

#include "convert_rig.h"
#include "platform.h"
#include "zip_build.h"

static struct checkpoint *must_open(const char *path)
{
    struct checkpoint *checkpoint;
    struct fault fault = {0};
    if (!checkpoint_open(path, &checkpoint, &fault))
        fail_msg("%s", fault.text);
    return checkpoint;
}

static void *must_read_raw(const struct checkpoint *checkpoint,
                           const struct checkpoint_tensor *tensor)
{
    struct fault fault = {0};
    size_t size = (size_t)tensor->size;
    void *bytes = malloc(size ? size : 1);
    assert_non_null(bytes);
    if (!checkpoint_read_raw(checkpoint, tensor, 0, tensor->rows, bytes, size, &fault))
        fail_msg("%s", fault.text);
    return bytes;
}

static void compare_golden(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, LICHEN_SHARED "/golden/tiny/%s/model.safetensors", name);
    if (!test_file_exists(path))
        SKIP("%s is not there", path);
    struct checkpoint *safe = must_open(path);
    snprintf(path, sizeof path, LICHEN_SHARED "/golden/tiny/%s/pytorch_model.bin", name);
    struct checkpoint *torch = must_open(path);
    assert_true(checkpoint_verify(torch, NULL));
    assert_true(checkpoint_tensor_count(safe) > 10);
    assert_int_equal(checkpoint_tensor_count(safe), checkpoint_tensor_count(torch));
    for (uint32_t i = 0; i < checkpoint_tensor_count(safe); i++) {
        const struct checkpoint_tensor *a = checkpoint_tensor_at(safe, i);
        const struct checkpoint_tensor *b = checkpoint_tensor_find(torch, a->name);
        assert_ptr_equal(b, checkpoint_tensor_at(torch, i));
        assert_true(a->element == b->element && a->dim_count == b->dim_count);
        assert_true(a->rows == b->rows && a->columns == b->columns && a->size == b->size);
        assert_memory_equal(a->dims, b->dims, sizeof a->dims);
        void *x = must_read_raw(safe, a), *y = must_read_raw(torch, b);
        assert_memory_equal(x, y, a->size);
        free(x);
        free(y);
    }
    checkpoint_close(safe);
    checkpoint_close(torch);
}

static void test_golden(void **state)
{
    compare_golden(*state);
}

static void test_elements(void **state)
{
    (void)state;
    static const char header[] =
        "{\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"f32\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
        "\"f16\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[12,14]},"
        "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[14,16]},"
        "\"e4m3\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[16,20]},"
        "\"e5m2\":{\"dtype\":\"F8_E5M2\",\"shape\":[2],\"data_offsets\":[20,22]},"
        "\"i16\":{\"dtype\":\"I16\",\"shape\":[],\"data_offsets\":[22,24]},"
        "\"u16\":{\"dtype\":\"U16\",\"shape\":[1,1],\"data_offsets\":[24,26]},"
        "\"i64\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[26,34]},"
        "\"u64\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[34,42]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[42,42]},"
        "\"__metadata__\":{\"format\":\"pt\"}}   ";
    static const uint8_t data[42] = {
        0,    0,    0,    0,    0,    0,    0xf8, 0xbf, /* -1.5 */
        0,    0,    0x20, 0x40,                         /* 2.5 */
        0x00, 0x38, 0x80, 0x3f,                         /* 0.5, 1 */
        0x38, 0x01, 0x7e, 0xff,                         /* 1, 2^-9, 448, NaN */
        0x3c, 0xc0,                                     /* 1, -2 */
        0xfe, 0xff, 0xfe, 0xff,                         /* -2, 65534 */
        0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x80,
    };
    size_t size;
    uint8_t *bytes = rig_safetensors(header, sizeof data, 0, &size);
    memcpy(bytes + size - sizeof data, data, sizeof data);
    rig_save(rig_path("elements.safetensors"), bytes, size);
    free(bytes);
    struct checkpoint *checkpoint = must_open(rig_path("elements.safetensors"));
    static const struct {
        const char *name;
        float values[4];
        uint32_t count;
    } floats[] = {{"f64", {-1.5f}, 1},
                  {"f32", {2.5f}, 1},
                  {"f16", {0.5f}, 1},
                  {"bf16", {1}, 1},
                  {"e4m3", {1, 0x1p-9f, 448}, 3},
                  {"e5m2", {1, -2}, 2}};
    float values[4];
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        const struct checkpoint_tensor *tensor = checkpoint_tensor_find(checkpoint, floats[i].name);
        assert_true(checkpoint_read_floats(checkpoint, tensor, 0, 1, values, NULL));
        for (uint32_t j = 0; j < floats[i].count; j++)
            assert_true(values[j] == floats[i].values[j]);
    }
    const struct checkpoint_tensor *e4m3 = checkpoint_tensor_find(checkpoint, "e4m3");
    assert_true(checkpoint_read_floats(checkpoint, e4m3, 0, 1, values, NULL));
    assert_true(values[3] != values[3]);
    static const struct {
        const char *name;
        int64_t value;
    } integers[] = {{"i16", -2}, {"u16", 65534}, {"i64", -3}};
    int64_t integer;
    for (size_t i = 0; i < 3; i++) {
        const struct checkpoint_tensor *tensor =
            checkpoint_tensor_find(checkpoint, integers[i].name);
        assert_true(checkpoint_read_integers(checkpoint, tensor, 0, 1, &integer, NULL));
        assert_true(integer == integers[i].value);
    }
    struct fault fault = {0};
    assert_false(checkpoint_read_integers(checkpoint, checkpoint_tensor_find(checkpoint, "u64"), 0,
                                          1, &integer, &fault));
    assert_non_null(strstr(fault.text, "elements.safetensors: tensor 'u64': an integer above"));
    fault = (struct fault){0};
    assert_false(checkpoint_read_floats(checkpoint, checkpoint_tensor_find(checkpoint, "i16"), 0, 1,
                                        values, &fault));
    assert_non_null(strstr(fault.text, "tensor 'i16': its elements are I16, floats wanted"));
    fault = (struct fault){0};
    assert_false(checkpoint_read_floats(checkpoint, e4m3, 1, 1, values, &fault));
    assert_non_null(strstr(fault.text, "1 rows from row 1 wanted, it has 1"));
    assert_false(checkpoint_read_floats(checkpoint, e4m3, UINT64_MAX, 2, values, NULL));
    assert_false(checkpoint_read_raw(checkpoint, e4m3, 0, 1, values, 3, NULL));
    const struct checkpoint_tensor *none = checkpoint_tensor_find(checkpoint, "none");
    assert_true(none->rows == 3 && none->columns == 0 && none->size == 0);
    assert_true(checkpoint_read_floats(checkpoint, none, 0, 3, values, NULL));
    assert_null(checkpoint_tensor_find(checkpoint, "f3"));
    assert_null(checkpoint_tensor_at(checkpoint, 11));
    checkpoint_close(checkpoint);
    checkpoint_close(NULL);
}

/* A zip of one tensor [rows, columns] over 0, 1, 2, ... as half floats. */
static void save_torch(const char *path, const char *name, uint32_t count, uint32_t offset,
                       const uint32_t dims[2], const uint32_t strides[2])
{
    size_t pickle_size, size;
    uint8_t *pickle = rig_pickle(name, count, offset, dims, strides, &pickle_size);
    uint16_t *data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (uint32_t i = 0; i < count; i++)
        data[i] = (uint16_t)i;
    struct zip_entry entries[] = {
        {"top/data.pkl", pickle, pickle_size, 0, 0x800, 0, 0, 0},
        {"top/data/0", data, count * sizeof *data, 0, 0x800, 0, 0, 0},
    };
    uint8_t *bytes = zip_build(entries, 2, &size);
    assert_non_null(bytes);
    rig_save(path, bytes, size);
    free(bytes);
    free(data);
    free(pickle);
}

static void check_strides(uint32_t count, uint32_t offset, uint32_t rows, uint32_t columns,
                          uint32_t row_stride, uint32_t column_stride)
{
    const char *path = rig_path("strides.bin");
    save_torch(path, "a", count, offset, (uint32_t[]){rows, columns},
               (uint32_t[]){row_stride, column_stride});
    struct checkpoint *checkpoint = must_open(path);
    const struct checkpoint_tensor *tensor = checkpoint_tensor_find(checkpoint, "a");
    uint16_t *all = must_read_raw(checkpoint, tensor);
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < columns; j++)
            assert_int_equal(all[i * columns + j], offset + i * row_stride + j * column_stride);
    for (uint32_t first = 0; first < rows; first += 2) {
        uint32_t wanted = rows - first < 3 ? rows - first : 3;
        uint16_t *some = malloc(wanted * columns * sizeof *some);
        assert_non_null(some);
        assert_true(checkpoint_read_raw(checkpoint, tensor, first, wanted, some,
                                        wanted * columns * sizeof *some, NULL));
        assert_memory_equal(some, all + first * columns, wanted * columns * sizeof *some);
        free(some);
    }
    free(all);
    checkpoint_close(checkpoint);
}

static void test_strides(void **state)
{
    (void)state;
    check_strides(6, 0, 2, 3, 3, 1);             /* dense */
    check_strides(6, 0, 2, 3, 1, 2);             /* transposed */
    check_strides(30, 7, 4, 3, 5, 1);            /* a part of rows */
    check_strides(30, 1, 3, 4, 8, 2);            /* every second column */
    check_strides(6, 5, 4, 3, 0, 0);             /* expanded */
    check_strides(40000, 0, 100, 400, 400, 1);   /* longer than the window */
    check_strides(40000, 0, 20000, 2, 1, 20000); /* longer than the window, transposed */
    check_strides(60000, 0, 2, 20000, 1, 3);
}

static void test_folder_and_index(void **state)
{
    (void)state;
    assert_true(folder_create(rig_path("hub"), NULL));
    save_torch(rig_path("hub/one.bin"), "a", 6, 0, (uint32_t[]){2, 3}, (uint32_t[]){3, 1});
    save_torch(rig_path("hub/two.bin"), "b", 6, 0, (uint32_t[]){3, 2}, (uint32_t[]){2, 1});
    static const char index[] = "{\"metadata\":{\"total_size\":24},\"weight_map\":"
                                "{\"b\":\"two.bin\",\"a\":\"one.bin\"}}";
    rig_save(rig_path("hub/pytorch_model.bin.index.json"), index, sizeof index - 1);
    const char *const paths[] = {"hub", "hub/pytorch_model.bin.index.json"};
    for (size_t i = 0; i < 2; i++) {
        struct checkpoint *checkpoint = must_open(rig_path(paths[i]));
        assert_int_equal(checkpoint_tensor_count(checkpoint), 2);
        const struct checkpoint_tensor *a = checkpoint_tensor_at(checkpoint, 0);
        const struct checkpoint_tensor *b = checkpoint_tensor_at(checkpoint, 1);
        assert_string_equal(a->name, "a");
        assert_string_equal(b->name, "b");
        assert_true(b->rows == 3 && b->columns == 2);
        assert_non_null(strstr(checkpoint_tensor_path(checkpoint, a), "/hub/one.bin"));
        assert_non_null(strstr(checkpoint_tensor_path(checkpoint, b), "/hub/two.bin"));
        free(must_read_raw(checkpoint, b));
        checkpoint_close(checkpoint);
    }
}

static void test_gguf(void **state)
{
    (void)state;
    const char *path = LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf";
    char other[4096];
    test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf", other, sizeof other);
    if (!test_file_exists(path))
        path = other;
    if (!test_file_exists(path))
        SKIP("no GGUF file to read");
    struct checkpoint *checkpoint = must_open(path);
    const struct checkpoint_tensor *tensor =
        checkpoint_tensor_find(checkpoint, "token_embd.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->dim_count, 2);
    float *all = malloc(5 * tensor->columns * sizeof *all),
          *one = malloc(tensor->columns * sizeof *one);
    assert_true(all && one);
    assert_true(checkpoint_read_floats(checkpoint, tensor, 0, 5, all, NULL));
    assert_true(checkpoint_read_floats(checkpoint, tensor, 4, 1, one, NULL));
    assert_memory_equal(one, all + 4 * tensor->columns, tensor->columns * sizeof *one);
    free(must_read_raw(checkpoint, tensor));
    free(all);
    free(one);
    checkpoint_close(checkpoint);
}

#define GOLDEN(name)                                                                               \
    {                                                                                              \
        "golden " name, test_golden, NULL, NULL, (void *)(uintptr_t)name                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN("tiny-moss"),
        GOLDEN("tiny-moss-gptq-int4"),
        GOLDEN("tiny-moss-gptq-int8"),
        GOLDEN("tiny-chatglm1"),
        GOLDEN("tiny-chatglm1-int8"),
        GOLDEN("tiny-chatglm1-int4"),
        GOLDEN("tiny-chatglm3"),
        GOLDEN("tiny-glm4"),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_folder_and_index),
        cmocka_unit_test(test_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
