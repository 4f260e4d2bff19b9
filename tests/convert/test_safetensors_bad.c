/* test_safetensors_bad.c: bad safetensors files and indexes, each with what the fault must say. */
#include "testing.h"

#include "convert_rig.h"

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A "{\"a\":" T("\"F32\"", "[2,3]", "[0,24]")

static const struct {
    const char *header;
    size_t data_size;
    uint64_t header_size; /* claimed; 0 = the true one */
    const char *expected;
} bad[] = {
    {A "}", 24, 1, "byte 0: a header of 1 bytes, expected 2 to 100000000"},
    {A "}", 24, 100000001, "a header of 100000001 bytes, expected"},
    {A "}", 24, 1000, "byte 0: a header of 1000 bytes, the file has"},
    {A "}", 24, UINT64_MAX, "a header of 18446744073709551615 bytes"},
    {A "}", 24, UINT64_MAX - 7, "a header of 18446744073709551608 bytes"},
    {" " A "}", 24, 0, "byte 8: the header begins with 20, expected '{'"},
    {"[1]", 0, 0, "begins with 5b, expected '{'"},
    {A, 24, 0, "not valid JSON"},
    {A "} x", 24, 0, "not valid JSON: end of file expected"},
    {A ",}", 24, 0, "not valid JSON"},
    {A ",\"a\":" T("\"F32\"", "[2,3]", "[0,24]") "}", 24, 0, "duplicate object key"},
    {"{\"a\\u0000b\":" T("\"F32\"", "[2,3]", "[0,24]") "}", 24, 0, "not valid JSON"},
    {"{\"\xff\":" T("\"F32\"", "[2,3]", "[0,24]") "}", 24, 0, "not valid JSON"},
    {"{\"\":" T("\"F32\"", "[2,3]", "[0,24]") "}", 24, 0, "a name of 0 bytes"},
    {"{\"a\":[[[[1]]]]}", 0, 0, "nested deeper than 3"},
    {"{\"a\":1}", 0, 0, "tensor 'a': is an integer, expected an object"},
    {"{\"a\":{}}", 0, 0, "tensor 'a': dtype is nothing, expected text"},
    {"{\"a\":" T("5", "[2,3]", "[0,24]") "}", 24, 0, "dtype is an integer, expected text"},
    {"{\"a\":" T("\"F31\"", "[2,3]", "[0,24]") "}", 24, 0, "dtype 'F31' is not supported"},
    {"{\"a\":" T("\"blocks\"", "[2,3]", "[0,24]") "}", 24, 0, "dtype 'blocks' is not supported"},
    {"{\"a\":" T("\"f32\"", "[2,3]", "[0,24]") "}", 24, 0, "dtype 'f32' is not supported"},
    {"{\"a\":" T("\"F32\"", "6", "[0,24]") "}", 24, 0, "shape is an integer, expected an array"},
    {"{\"a\":" T("\"F32\"", "[2,-3]", "[0,24]") "}", 24, 0, "a dimension is -3, expected 0 or"},
    {"{\"a\":" T("\"F32\"", "[2,3.0]", "[0,24]") "}", 24, 0, "a dimension is a fraction"},
    {"{\"a\":" T("\"F32\"", "[2,\"3\"]", "[0,24]") "}", 24, 0, "a dimension is text"},
    {"{\"a\":" T("\"F32\"", "[2,null]", "[0,24]") "}", 24, 0, "a dimension is null"},
    {"{\"a\":" T("\"F32\"", "[2,true]", "[0,24]") "}", 24, 0, "a dimension is a truth value"},
    {"{\"a\":" T("\"F32\"", "[9223372036854775808]", "[0,24]") "}", 24, 0, "not valid JSON"},
    {"{\"a\":" T("\"F32\"", "[4294967296,4294967296]", "[0,0]") "}", 0, 0, "overflows 64 bits"},
    {"{\"a\":" T("\"F32\"", "[4611686018427387904]", "[0,0]") "}", 0, 0, "its size overflows"},
    {"{\"a\":" T("\"F32\"", "[4294967296,4294967296,0]", "[0,0]") "}", 0, 0, "overflows 64 bits"},
    {"{\"a\":" T("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, 0, "9 dimensions, at most 8"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "24") "}", 24, 0, "data_offsets is an integer"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "[0]") "}", 24, 0, "an array of another size"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "[0,24,48]") "}", 24, 0, "an array of another size"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "[-1,23]") "}", 24, 0, "data_offsets[0] is -1"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "[24,0]") "}", 24, 0, "end at 0 before they begin at 24"},
    {"{\"a\":" T("\"F32\"", "[2,3]", "[0,23]") "}", 23, 0, "has 23 bytes by data_offsets, 24 by"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3]}}", 24, 0, "data_offsets is nothing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}", 24, 0, "shape is nothing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, 0,
     "has 4 fields"},
    {A "}", 23, 0, "tensor 'a' ends at byte 24 of the data, the file has 23"},
    {A "}", 25, 0, "the tensors end at byte 24 of the data, the file has 25"},
    {A ",\"b\":" T("\"F32\"", "[1]", "[25,29]") "}", 29, 0,
     "'b' begins at byte 25 of the data, "
     "expected 24"},
    {A ",\"b\":" T("\"F32\"", "[1]", "[20,24]") "}", 24, 0,
     "'b' begins at byte 20 of the data, "
     "expected 24"},
    {A ",\"b\":" T("\"F32\"", "[2,3]", "[0,24]") "}", 24, 0, "begins at byte 0 of the data"},
    {"{\"a\":" T("\"F32\"", "[1]", "[4,8]") "}", 8, 0, "begins at byte 4 of the data, expected 0"},
    {A ",\"__metadata__\":1}", 24, 0, "__metadata__ is an integer, expected an object"},
    {A ",\"__metadata__\":{\"x\":1}}", 24, 0, "__metadata__ 'x' is an integer, expected text"},
    {A ",\"__metadata__\":null}", 24, 0, "__metadata__ is null"},
    {"{}", 1, 0, "the tensors end at byte 0 of the data, the file has 1"},
};

static void test_bad(void **state)
{
    (void)state;
    const char *path = rig_path("bad.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size;
        uint8_t *bytes =
            rig_safetensors(bad[i].header, bad[i].data_size, bad[i].header_size, &size);
        rig_save(path, bytes, size);
        rig_refused(path, bad[i].expected);
        rig_refused(path, "bad.safetensors: ");
        free(bytes);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    const char *path = rig_path("prefix.safetensors");
    size_t size;
    uint8_t *bytes = rig_safetensors(A ",\"b\":" T("\"I8\"", "[5]", "[24,29]") "}", 29, 0, &size);
    for (size_t i = 0; i < size; i++) {
        rig_save(path, bytes, i);
        rig_refused(path, "prefix.safetensors: ");
    }
    rig_save(path, bytes, size);
    struct checkpoint *checkpoint;
    assert_true(checkpoint_open(path, &checkpoint, NULL));
    checkpoint_close(checkpoint);
    free(bytes);
}

static void test_long_header(void **state)
{
    (void)state;
    const char *path = rig_path("long.safetensors");
    size_t size, count = 1100000;
    char *header = malloc(2 * count + 16);
    assert_non_null(header);
    char *end = header + sprintf(header, "{\"a\":[");
    for (size_t i = 0; i < count; i++)
        end += sprintf(end, "0,");
    strcpy(end, "0]}");
    uint8_t *bytes = rig_safetensors(header, 0, 0, &size);
    rig_save(path, bytes, size);
    rig_refused(path, "JSON of more than 1048576 values");
    free(bytes);
    free(header);
}

static const struct {
    const char *index, *expected;
} bad_index[] = {
    {"", "bad.index.json: is an empty file"},
    {"version https://git-lfs.github.com/spec/v1\n", "bad.index.json: is a git-lfs pointer"},
    {" ", "not valid JSON"},
    {"[]", "JSON is an array, expected an object"},
    {"{}", "weight_map is nothing, expected an object"},
    {"{\"weight_map\":[]}", "weight_map is an array"},
    {"{\"weight_map\":{\"a\":1}}", "weight_map 'a' is an integer, expected text"},
    {"{\"weight_map\":{\"a\":\"\"}}", "shard '' is not the plain name"},
    {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "shard '../x.safetensors' is not the plain"},
    {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "shard '/etc/passwd' is not the plain"},
    {"{\"weight_map\":{\"a\":\"sub/x\"}}", "is not the plain name"},
    {"{\"weight_map\":{\"a\":\"sub\\\\x\"}}", "is not the plain name"},
    {"{\"weight_map\":{\"a\":\"C:x\"}}", "is not the plain name"},
    {"{\"weight_map\":{\"a\":\"..\"}}", "is not the plain name"},
    {"{\"weight_map\":{\"a\":\".hidden\"}}", "is not the plain name"},
    {"{\"weight_map\":{\"a\":\"absent.safetensors\"}}", "absent.safetensors: cannot open"},
    {"{\"weight_map\":{\"a\":\"shard.safetensors\",\"c\":\"shard.safetensors\"}}",
     "bad.index.json: tensor 'c' is not in its shard shard.safetensors"},
    {"{\"weight_map\":{\"a\":\"shard.safetensors\",\"a\":\"shard.safetensors\"}}", "duplicate"},
    {"{\"x\":[[[[[[[[[1]]]]]]]]]}", "nested deeper than 8"},
};

static void test_bad_index(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = rig_safetensors(A "}", 24, 0, &size);
    rig_save(rig_path("shard.safetensors"), bytes, size);
    free(bytes);
    const char *path = rig_path("bad.index.json");
    for (size_t i = 0; i < sizeof bad_index / sizeof bad_index[0]; i++) {
        rig_save(path, bad_index[i].index, strlen(bad_index[i].index));
        rig_refused(path, bad_index[i].expected);
    }
}

static void test_mistaken_files(void **state)
{
    (void)state;
    const char *path = rig_path("mistaken.bin");
    rig_save(path, "", 0);
    rig_refused(path, "mistaken.bin: is an empty file; download it again");
    rig_save(path, "version https://git-lfs.github.com/spec/v1\n", 43);
    rig_refused(path, "git-lfs pointer, not the file that it stands for; `git lfs pull`");
    rig_save(path, "Access to model a/b is restricted.", 34);
    rig_refused(path, "a hub's refusal");
    rig_save(path, "once upon a time", 16);
    rig_refused(path, "not a safetensors file?");
    rig_save(path, "<!DOCTYPE html>", 15);
    rig_refused(path, "web page");
    rig_save(path, "\x80\x02\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    rig_refused(path, "before 1.6");
    rig_save(path, "GGUF\3\0\0\0", 8);
    rig_refused(path, "mistaken.bin: ");
    rig_refused(rig_path("nothing-there"), "cannot open");
    rig_refused("/dev/null", "not a regular file");
    rig_refused(LICHEN_TEST_DATA "/house", "no model.safetensors or pytorch_model.bin there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_bad_index),
        cmocka_unit_test(test_mistaken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
