/* test_gguf_bad.c: files that must be refused, each with a fault that says why; every prefix and
 * every changed byte of a good file. */
#include "testing.h"

#include "gguf.h"
#include "gguf_build.h"

#include <stdlib.h>

#define KEY "s:k "
#define ONE_TENSOR(words) GGUF_HEAD(1, 0) words " @32 data:4096"
#define BAD_TYPE(id) ONE_TENSOR("s:w 4:1 8:256 4:" #id " 8:0")

static const struct {
    const char *name;
    const char *words;
    const char *expected; /* in the fault */
} cases[] = {
    /* magic and version */
    {"empty file", "", "is an empty file"},
    {"three bytes", "'GGU'", "byte 0: the magic needs 4 bytes, 3 are left"},
    {"other magic", "'GGUG' 4:3 8:0 8:0", "begins with 47 47 55 47, expected 'GGUF'"},
    {"lower-case magic", "'gguf' 4:3 8:0 8:0", "not a GGUF file"},
    {"control bytes as magic", "4:0x1b5b1b5b 4:3 8:0 8:0", "5b 1b 5b 1b"},
    {"ggml", "'lmgg' 4:3 8:0 8:0", "ggml file"},
    {"ggmf", "'fmgg' 4:1 8:0 8:0", "ggmf file"},
    {"ggjt", "'tjgg' 4:3 8:0 8:0", "ggjt file"},
    {"ggla", "'algg' 4:1 8:0 8:0", "ggla adapter"},
    {"reversed", "'FUGG' 4:3 8:0 8:0", "bytes reversed"},
    {"zip", "'PK' 1:3 1:4 8:0 8:0", "zip file"},
    {"git-lfs pointer", "'version' 1:32 'https://git-lfs.github.com/spec/v1'", "`git lfs pull`"},
    {"web page", "'<!DOCTYPE' 1:32 'html>'", "web page"},
    {"short web page", "'<html>'", "web page"},
    {"refused download", "'Access' 1:32 'to' 1:32 'model' 1:32 'a/b'", "terms must be accepted"},
    {"safetensors", "8:2 '{}'", "a safetensors checkpoint, which becomes one by `lichen convert`"},
    {"unfinished", "4:0 4:3 8:0 8:0", "begins with zeros"},
    {"only the magic", "'GGUF'", "byte 4: the version needs 4 bytes"},
    {"version 0", "'GGUF' 4:0 8:0 8:0", "version 0"},
    {"version 1", "'GGUF' 4:1 4:0 4:0", "GGUF version 1"},
    {"version 2", "'GGUF' 4:2 8:0 8:0", "GGUF version 2"},
    {"version 4", "'GGUF' 4:4 8:0 8:0", "GGUF version 4"},
    {"version huge", "'GGUF' 4:-1 8:0 8:0", "GGUF version 4294967295"},
    {"big-endian", "'GGUF' 4:0x03000000 8:0 8:0", "big-endian"},
    /* counts */
    {"no counts", "'GGUF' 4:3", "byte 8: the tensor count"},
    {"no metadata count", "'GGUF' 4:3 8:0", "byte 16: the metadata count"},
    {"tensor count over the cap", "'GGUF' 4:3 8:65537 8:0 data:9999999", "65537 tensors"},
    {"tensor count huge", "'GGUF' 4:3 8:-1 8:0", "18446744073709551615 tensors"},
    {"tensor count beyond the file", "'GGUF' 4:3 8:2 8:0 x:40*a", "2 tensors do not fit"},
    {"key count over the cap", "'GGUF' 4:3 8:0 8:65537 x:999999*a", "65537 metadata keys"},
    {"key count huge", "'GGUF' 4:3 8:0 8:-1", "18446744073709551615 metadata keys"},
    {"key count beyond the file", "'GGUF' 4:3 8:0 8:3 x:20*a", "3 metadata keys"},
    {"key count 2^60", "'GGUF' 4:3 8:0 8:0x1000000000000000", "metadata keys"},
    /* keys */
    {"empty key", GGUF_HEAD(0, 1) "s: 4:4 4:1 x:9*a", "a key of 0 bytes"},
    {"key over the cap", GGUF_HEAD(0, 1) "8:65536 x:65536*k 4:4 4:1", "a key of 65536 bytes"},
    {"key size huge", GGUF_HEAD(0, 1) "8:-1 x:20*k", "a key of 18446744073709551615 bytes"},
    {"key beyond the file", GGUF_HEAD(0, 1) "8:100 x:20*k", "a key needs 100 bytes, 20 are left"},
    {"zero byte in a key", GGUF_HEAD(0, 1) "8:3 'a' 1:0 'b' 4:4 4:1", "a key holds a zero byte"},
    {"duplicate key", GGUF_HEAD(0, 2) "s:same 4:4 4:1 s:same 4:5 4:1", "'same' occurs twice"},
    {"duplicate key apart", GGUF_HEAD(0, 3) "s:b 4:4 4:1 s:a 4:4 4:1 s:b 4:4 4:2",
     "'b' occurs twice"},
    {"key without a type", GGUF_HEAD(0, 1) "8:10 x:10*k", "the type of a value needs 4 bytes"},
    {"second key missing", GGUF_HEAD(0, 2) KEY "4:8 s:0123456789",
     "metadata 1: byte 55: size of a key"},
    /* values */
    {"value type 13", GGUF_HEAD(0, 1) KEY "4:13 8:0",
     "metadata 'k': byte 33: unknown value type 13"},
    {"value type huge", GGUF_HEAD(0, 1) KEY "4:-1 8:0", "unknown value type 4294967295"},
    {"u8 cut off", GGUF_HEAD(0, 1) "s:kk 4:0", "a u8 needs 1 bytes, 0 are left"},
    {"i8 cut off", GGUF_HEAD(0, 1) "s:kk 4:1", "an i8 needs 1 bytes"},
    {"u16 cut off", GGUF_HEAD(0, 1) KEY "4:2 1:0", "a u16 needs 2 bytes, 1 are left"},
    {"i16 cut off", GGUF_HEAD(0, 1) KEY "4:3 1:0", "an i16 needs 2 bytes"},
    {"u32 cut off", GGUF_HEAD(0, 1) KEY "4:4 2:0 1:0", "a u32 needs 4 bytes, 3 are left"},
    {"i32 cut off", GGUF_HEAD(0, 1) KEY "4:5 2:0 1:0", "an i32 needs 4 bytes"},
    {"f32 cut off", GGUF_HEAD(0, 1) KEY "4:6 2:0 1:0", "an f32 needs 4 bytes"},
    {"bool cut off", GGUF_HEAD(0, 1) "s:kk 4:7", "a bool needs 1 bytes"},
    {"u64 cut off", GGUF_HEAD(0, 1) KEY "4:10 4:0", "a 64-bit integer needs 8 bytes, 4 are left"},
    {"i64 cut off", GGUF_HEAD(0, 1) KEY "4:11 4:0", "a 64-bit integer needs 8 bytes"},
    {"f64 cut off", GGUF_HEAD(0, 1) KEY "4:12 4:0", "an f64 needs 8 bytes"},
    {"bool 2", GGUF_HEAD(0, 1) KEY "4:7 1:2", "a bool is 2, not 0 or 1"},
    {"bool 255", GGUF_HEAD(0, 1) KEY "4:7 1:255", "a bool is 255"},
    {"string without a size", GGUF_HEAD(0, 1) KEY "4:8 4:0", "size of a string needs 8 bytes"},
    {"string beyond the file", GGUF_HEAD(0, 1) KEY "4:8 8:10 'short'",
     "a string needs 10 bytes, 5 are left"},
    {"string over the cap", GGUF_HEAD(0, 1) KEY "4:8 8:16777217", "a string of 16777217 bytes"},
    {"string size huge", GGUF_HEAD(0, 1) KEY "4:8 8:-1", "a string of 18446744073709551615 bytes"},
    {"long string beyond the file", GGUF_HEAD(0, 1) KEY "4:8 8:16777216 'short'",
     "a string needs 16777216 bytes"},
    /* arrays */
    {"array without a type", GGUF_HEAD(0, 1) KEY "4:9 2:0", "the item type of an array"},
    {"array without a count", GGUF_HEAD(0, 1) KEY "4:9 4:4 4:0", "the item count of an array"},
    {"array of arrays", GGUF_HEAD(0, 1) KEY "4:9 4:9 8:1 4:4 8:1 4:0",
     "cannot hold items of array"},
    {"array of unknown type", GGUF_HEAD(0, 1) KEY "4:9 4:13 8:1 8:0",
     "cannot hold items of type 13"},
    {"array of type -1", GGUF_HEAD(0, 1) KEY "4:9 4:-1 8:1 8:0", "items of type 4294967295"},
    {"array beyond the file", GGUF_HEAD(0, 1) KEY "4:9 4:4 8:3 4:1 4:2",
     "an array of 3 u32 does not fit the 8 bytes left"},
    {"array count 2^62 of u32", GGUF_HEAD(0, 1) KEY "4:9 4:4 8:0x4000000000000000 8:0",
     "does not fit"},
    {"array count 2^61 of u64", GGUF_HEAD(0, 1) KEY "4:9 4:10 8:0x2000000000000000 8:0",
     "does not fit"},
    {"array count 2^61+1 of f64", GGUF_HEAD(0, 1) KEY "4:9 4:12 8:0x2000000000000001 8:0",
     "does not fit"},
    {"array count huge of u8", GGUF_HEAD(0, 1) KEY "4:9 4:0 8:-1 8:0", "does not fit"},
    {"array count huge of bool", GGUF_HEAD(0, 1) KEY "4:9 4:7 8:-1 8:0", "does not fit"},
    {"array count huge of strings", GGUF_HEAD(0, 1) KEY "4:9 4:8 8:-1 8:0", "does not fit"},
    {"array of more strings than fit", GGUF_HEAD(0, 1) KEY "4:9 4:8 8:2 s:abc",
     "2 string does not fit"},
    {"array string over the cap", GGUF_HEAD(0, 1) KEY "4:9 4:8 8:1 8:16777217",
     "a string of 16777217"},
    {"array string beyond the file", GGUF_HEAD(0, 1) KEY "4:9 4:8 8:2 s:a 8:20 'b'",
     "a string needs 20 bytes, 1 are left"},
    {"array bool 7", GGUF_HEAD(0, 1) KEY "4:9 4:7 8:3 1:0 1:1 1:7", "a bool is 7"},
    /* alignment */
    {"alignment 0", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:0", "'general.alignment' is 0"},
    {"alignment 1", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:1", "is 1, expected a power of two"},
    {"alignment 4", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:4", "is 4, expected a power of two"},
    {"alignment 33", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:33", "is 33"},
    {"alignment 131072", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:131072", "is 131072"},
    {"alignment 2^31", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:0x80000000", "is 2147483648"},
    {"alignment -1", GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:-1", "is 4294967295"},
    {"alignment as u64", GGUF_HEAD(0, 1) "s:general.alignment 4:10 8:32", "is u64, expected u32"},
    {"alignment as i32", GGUF_HEAD(0, 1) "s:general.alignment 4:5 4:32", "is i32, expected u32"},
    {"alignment as text", GGUF_HEAD(0, 1) "s:general.alignment 4:8 s:32",
     "is string, expected u32"},
    {"alignment as array", GGUF_HEAD(0, 1) "s:general.alignment 4:9 4:4 8:1 4:32",
     "is array, expected u32"},
    /* tensor names */
    {"empty tensor name", ONE_TENSOR("s: 4:1 8:8 4:0 8:0"), "byte 24: tensor 0: a name of 0 bytes"},
    {"tensor name of 256", ONE_TENSOR("8:256 x:256*n 4:1 8:8 4:0 8:0"), "a name of 256 bytes"},
    {"tensor name size huge", ONE_TENSOR("8:-1 x:40*n"), "a name of 18446744073709551615 bytes"},
    {"zero byte in a tensor name", ONE_TENSOR("8:2 'a' 1:0 4:1 8:8 4:0 8:0"),
     "a name holds a zero byte"},
    {"duplicate tensor", GGUF_HEAD(2, 0) "s:w 4:1 8:8 4:0 8:0 s:w 4:1 8:8 4:0 8:32 @32 data:64",
     "tensor 'w' occurs twice"},
    {"tensor name beyond the header", GGUF_HEAD(1, 0) "8:200 x:40*n",
     "a tensor name needs 200 bytes"},
    /* dimensions */
    {"no dimensions", ONE_TENSOR("s:w 4:0 4:0 8:0 8:0"), "tensor 'w': 0 dimensions"},
    {"five dimensions", ONE_TENSOR("s:w 4:5 8:1 8:1 8:1 8:1 8:1 4:0 8:0"), "5 dimensions"},
    {"dimensions huge", ONE_TENSOR("s:w 4:-1 8:1 4:0 8:0"), "4294967295 dimensions"},
    {"dimension 0", ONE_TENSOR("s:w 4:2 8:8 8:0 4:0 8:0"), "dimension 1 is 0"},
    {"first dimension 0", ONE_TENSOR("s:w 4:1 8:0 4:0 8:0"), "dimension 0 is 0"},
    {"dimension 2^63", ONE_TENSOR("s:w 4:1 8:0x8000000000000000 4:0 8:0"), "overflows 64 bits"},
    {"dimension -1", ONE_TENSOR("s:w 4:1 8:-1 4:0 8:0"), "overflows 64 bits"},
    {"product of dimensions wraps to 0", ONE_TENSOR("s:w 4:2 8:0x100000000 8:0x100000000 4:0 8:0"),
     "overflows 64 bits"},
    {"product wraps to a small size", ONE_TENSOR("s:w 4:3 8:4 8:0x4000000000000001 8:4 4:0 8:0"),
     "overflows 64 bits"},
    {"rows wrap", ONE_TENSOR("s:w 4:4 8:1 8:0x100000000 8:0x100000000 8:2 4:0 8:0"),
     "overflows 64 bits"},
    {"row of 33 in Q4_0", ONE_TENSOR("s:w 4:1 8:33 4:2 8:0"),
     "rows of 33 weights, Q4_0 needs a multiple of 32"},
    {"row of 16 in Q8_0", ONE_TENSOR("s:w 4:2 8:16 8:2 4:8 8:0"), "Q8_0 needs a multiple of 32"},
    {"row of 32 in Q4_K", ONE_TENSOR("s:w 4:1 8:32 4:12 8:0"), "Q4_K needs a multiple of 256"},
    {"row of 255 in Q6_K", ONE_TENSOR("s:w 4:1 8:255 4:14 8:0"), "Q6_K needs a multiple of 256"},
    {"row of 384 in IQ4_XS", ONE_TENSOR("s:w 4:1 8:384 4:23 8:0"),
     "IQ4_XS needs a multiple of 256"},
    {"tensor cut off in its dimensions", GGUF_HEAD(1, 0) "s:abcdefghij 4:2 8:1 4:1",
     "a dimension needs 8 bytes"},
    {"tensor cut off in its type", GGUF_HEAD(1, 0) "s:abcdefghijkl 4:1 8:1 2:0",
     "the tensor type needs 4 bytes"},
    {"tensor cut off in its offset", GGUF_HEAD(1, 0) "s:abcdefgh 4:1 8:1 4:0 4:0",
     "the tensor offset needs 8 bytes"},
    /* types */
    {"type Q4_2", BAD_TYPE(4), "type Q4_2 was removed"},
    {"type Q4_3", BAD_TYPE(5), "type Q4_3 was removed"},
    {"type Q8_1", BAD_TYPE(9), "type Q8_1 is for activations"},
    {"type Q2_K", BAD_TYPE(10), "type Q2_K is not supported"},
    {"type Q3_K", BAD_TYPE(11), "type Q3_K is not supported"},
    {"type Q8_K", BAD_TYPE(15), "type Q8_K is for activations"},
    {"type IQ2_XXS", BAD_TYPE(16), "type IQ2_XXS is not supported"},
    {"type IQ3_S", BAD_TYPE(21), "type IQ3_S is not supported"},
    {"type F64", BAD_TYPE(28), "type F64 is not supported"},
    {"type Q4_0_4_4", BAD_TYPE(31), "type Q4_0_4_4 was removed"},
    {"type Q4_0_8_8", BAD_TYPE(33), "type Q4_0_8_8 was removed"},
    {"type TQ1_0", BAD_TYPE(34), "type TQ1_0 is not supported"},
    {"type IQ4_NL_8_8", BAD_TYPE(38), "type IQ4_NL_8_8 was removed"},
    {"type MXFP4", BAD_TYPE(39), "type MXFP4 is not supported"},
    {"type 43", BAD_TYPE(43), "tensor 'w': type 43 is unknown"},
    {"type -1", BAD_TYPE(-1), "type 4294967295 is unknown"},
    /* layout */
    {"first offset not 0", ONE_TENSOR("s:w 4:1 8:8 4:0 8:32"),
     "tensor 'w' has offset 32, expected 0"},
    {"unaligned offset", GGUF_HEAD(2, 0) "s:a 4:1 8:9 4:0 8:0 s:b 4:1 8:8 4:0 8:36 @32 data:999",
     "tensor 'b' has offset 36, expected 64"},
    {"overlap", GGUF_HEAD(2, 0) "s:a 4:1 8:16 4:0 8:0 s:b 4:1 8:8 4:0 8:32 @32 data:999",
     "offset 32, expected 64"},
    {"same place", GGUF_HEAD(2, 0) "s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:0 @32 data:999",
     "offset 0, expected 32"},
    {"hole", GGUF_HEAD(2, 0) "s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:64 @32 data:999",
     "offset 64, expected 32"},
    {"descending", GGUF_HEAD(2, 0) "s:a 4:1 8:8 4:0 8:32 s:b 4:1 8:8 4:0 8:0 @32 data:999",
     "tensor 'a' has offset 32"},
    {"offset -1", ONE_TENSOR("s:w 4:1 8:8 4:0 8:-1"), "offset 18446744073709551615"},
    {"data missing", GGUF_HEAD(1, 0) "s:w 4:1 8:8 4:0 8:0 @32",
     "tensor 'w' needs 32 bytes at byte 64, the file has 64"},
    {"padding missing too", GGUF_HEAD(1, 0) "s:w 4:1 8:8 4:0 8:0",
     "needs 32 bytes at byte 64, the file has 57"},
    {"data one byte short", GGUF_HEAD(1, 0) "s:w 4:1 8:8 4:0 8:0 @32 data:31", "the file has 95"},
    {"second tensor short", GGUF_HEAD(2, 0) "s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:32 @32 data:63",
     "tensor 'b' needs 32 bytes"},
    {"size 2^63", GGUF_HEAD(1, 0) "s:w 4:1 8:0x2000000000000000 4:0 8:0 @32 data:999",
     "needs 9223372036854775808 bytes"},
    {"end of the data wraps", GGUF_HEAD(1, 0) "s:w 4:1 8:0x3fffffffffffffff 4:0 8:0 @32 data:999",
     "needs 18446744073709551612 bytes"},
    {"padding to 64 KiB missing",
     GGUF_HEAD(1, 1) "s:general.alignment 4:4 4:65536 s:w 4:1 8:8 4:0 8:0 data:999",
     "at byte 65536"},
    {"offset for alignment 64 when it is 32",
     GGUF_HEAD(2, 0) "s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:64 @64 data:999", "expected 32"},
    {"offset for alignment 32 when it is 64",
     GGUF_HEAD(
         2, 1) "s:general.alignment 4:4 4:64 s:a 4:1 8:8 4:0 8:0 s:b 4:1 8:8 4:0 8:32 @64 data:999",
     "expected 64"},
};

enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

/* Exact-size copies, so that a sanitizer sees a read one byte too far. */
static bool parse(const uint8_t *bytes, size_t size, uint64_t file_size, struct fault *fault)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    struct gguf *gguf = NULL;
    bool done = gguf_parse(copy, size, file_size, &gguf, fault);
    free(copy);
    assert_true(done == (gguf != NULL));
    assert_true(done == (fault->kind == FAULT_NONE));
    gguf_close(gguf);
    return done;
}

static void test_bad_files(void **state)
{
    (void)state;
    assert_true(CASE_COUNT >= 80);
    for (int i = 0; i < CASE_COUNT; i++) {
        struct build build = build_file(cases[i].words);
        struct fault fault = {0};
        if (parse(build.bytes, build.size, build.file_size, &fault))
            fail_msg("%s: was accepted", cases[i].name);
        if (!strstr(fault.text, cases[i].expected))
            fail_msg("%s: '%s' does not say '%s'", cases[i].name, fault.text, cases[i].expected);
        assert_true(fault.kind == FAULT_FORMAT || fault.kind == FAULT_UNSUPPORTED);
        build_free(&build);
    }
}

/* The same through a file: the fault says the same behind the path. */
static void test_bad_files_from_disk(void **state)
{
    (void)state;
    const char *path = LICHEN_TEST_OUTPUT "/bad.gguf";
    for (int i = 0; i < CASE_COUNT; i++) {
        struct build build = build_file(cases[i].words);
        struct fault fault = {0};
        struct gguf *gguf;
        build_save(&build, path);
        assert_false(gguf_open(path, &gguf, &fault));
        assert_null(gguf);
        /* where memory ended before the file did, the fault differs */
        if (build.size == build.file_size && !strstr(fault.text, cases[i].expected))
            fail_msg("%s: '%s' does not say '%s'", cases[i].name, fault.text, cases[i].expected);
        assert_ptr_equal(strstr(fault.text, path), fault.text);
        assert_null(strstr(fault.text + 1, path));
        build_free(&build);
    }
    remove(path);
}

static void test_every_prefix(void **state)
{
    (void)state;
    struct build good = build_file(build_good_words);
    struct fault fault = {0};
    assert_true(parse(good.bytes, good.size, good.file_size, &fault));
    for (size_t size = 0; size < good.size; size++) {
        fault = (struct fault){0};
        assert_false(parse(good.bytes, size, size, &fault));
        assert_true(strlen(fault.text) > 0);
    }
    for (uint64_t size = good.size; size < good.file_size; size++) {
        fault = (struct fault){0};
        assert_false(parse(good.bytes, good.size, size, &fault));
    }
    build_free(&good);
}

/* A description that is accepted must hold together whatever byte was changed. */
static void check_description(const struct gguf *gguf)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        assert_ptr_equal(gguf_tensor_find(gguf, tensor->name), tensor);
        assert_true(tensor->offset >= end && tensor->offset % gguf_alignment(gguf) == 0);
        assert_true(tensor->size == tensor->rows * tensor->row_size && tensor->size > 0);
        end = tensor->offset + tensor->size;
        assert_true(end <= gguf_size(gguf));
    }
    for (uint32_t i = 0; i < gguf_entry_count(gguf); i++) {
        const struct gguf_entry *entry = gguf_entry_at(gguf, i);
        assert_ptr_equal(gguf_entry_find(gguf, entry->key), entry);
        char text[40];
        for (uint64_t item = 0; item < entry->count; item++)
            gguf_format(gguf, entry, item, text, sizeof text);
    }
}

static void test_every_byte_changed(void **state)
{
    (void)state;
    struct build good = build_file(build_good_words);
    int accepted = 0;
    for (size_t i = 0; i < good.size; i++) {
        for (unsigned change = 1; change < 256; change++) {
            struct gguf *gguf;
            struct fault fault = {0};
            good.bytes[i] ^= (uint8_t)change;
            if (gguf_parse(good.bytes, good.size, good.file_size, &gguf, &fault)) {
                accepted++;
                check_description(gguf);
                gguf_close(gguf);
            } else {
                assert_true(fault.kind != FAULT_NONE);
            }
            good.bytes[i] ^= (uint8_t)change;
        }
    }
    print_message("%d of %zu changed files are valid\n", accepted, good.size * 255);
    build_free(&good);
}

/* Bytes at random places, several at once, often to the values that break arithmetic. */
static void test_random_changes(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    struct build good = build_file(build_good_words);
    uint64_t seed = 11;
    for (int round = 0; round < 100000; round++) {
        uint8_t *copy = malloc(good.size);
        assert_non_null(copy);
        memcpy(copy, good.bytes, good.size);
        for (uint64_t n = test_random(&seed) % 6 + 1; n > 0; n--) {
            size_t place = test_random(&seed) % good.size;
            copy[place] = values[test_random(&seed) % sizeof values];
        }
        struct gguf *gguf;
        if (gguf_parse(copy, good.size, good.file_size, &gguf, NULL))
            check_description(gguf);
        gguf_close(gguf);
        free(copy);
    }
    build_free(&good);
}

int main(void)
{
    print_message("%d hand-made bad files\n", CASE_COUNT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),      cmocka_unit_test(test_bad_files_from_disk),
        cmocka_unit_test(test_every_prefix),   cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
