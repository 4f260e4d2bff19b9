/* test_gguf.c: good GGUF files: description, every getter against every type, data, split models,
 * published vocabularies and files of older formats. */
#include "testing.h"

#include "gguf.h"
#include "gguf_build.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static struct gguf *parse(const char *words)
{
    struct build build = build_file(words);
    struct fault fault = {0};
    struct gguf *gguf;
    if (!gguf_parse(build.bytes, build.size, build.file_size, &gguf, &fault))
        fail_msg("refused: %s", fault.text);
    build_free(&build); /* nothing of it may be needed now */
    return gguf;
}

static void test_description(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    assert_int_equal(gguf_tensor_count(gguf), 2);
    assert_int_equal(gguf_entry_count(gguf), 26);
    assert_int_equal(gguf_alignment(gguf), 32);
    assert_string_equal(gguf_path(gguf), "memory");
    const struct gguf_tensor *tensor = gguf_tensor_at(gguf, 0);
    assert_string_equal(tensor->name, "token_embd.weight");
    assert_int_equal(tensor->dtype, DTYPE_Q4_0);
    assert_int_equal(tensor->dim_count, 2);
    assert_true(tensor->dims[0] == 64 && tensor->dims[1] == 3);
    assert_true(tensor->dims[2] == 1 && tensor->dims[3] == 1);
    assert_true(tensor->rows == 3 && tensor->row_size == 36 && tensor->size == 108);
    assert_int_equal(tensor->offset % 32, 0);
    const struct gguf_tensor *norm = gguf_tensor_find(gguf, "norm.weight");
    assert_ptr_equal(norm, gguf_tensor_at(gguf, 1));
    assert_true(norm->offset == tensor->offset + 128 && norm->size == 20);
    assert_true(norm->offset + norm->size == gguf_size(gguf));
    assert_null(gguf_tensor_at(gguf, 2));
    assert_null(gguf_tensor_find(gguf, "norm"));
    assert_null(gguf_entry_at(gguf, 26));
    assert_null(gguf_entry_find(gguf, ""));
    const struct gguf_entry *entry = gguf_entry_find(gguf, "array.text");
    assert_true(entry->type == GGUF_ARRAY && entry->item_type == GGUF_STRING && entry->count == 3);
    struct fault fault = {0};
    assert_false(gguf_read(gguf, norm, 0, &(char){0}, 1, &fault));
    assert_non_null(strstr(fault.text, "not in memory"));
    gguf_close(gguf);
    gguf_close(NULL);
}

static void test_scalars(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    uint32_t u32;
    uint64_t u64;
    float f32;
    bool flag;
    struct gguf_string text;
    assert_true(gguf_u32(gguf, "u8", true, &u32, NULL) && u32 == 200);
    assert_true(gguf_u32(gguf, "u16", true, &u32, NULL) && u32 == 60000);
    assert_true(gguf_u32(gguf, "u32", true, &u32, NULL) && u32 == 4000000000u);
    assert_true(gguf_u64(gguf, "u64", true, &u64, NULL) && u64 == 0xfedcba9876543210);
    assert_true(gguf_f32(gguf, "f32", true, &f32, NULL) && f32 == 0.5f);
    assert_true(gguf_f32(gguf, "f64", true, &f32, NULL) && f32 == 0.25f);
    assert_true(gguf_bool(gguf, "bool", true, &flag, NULL) && flag);
    assert_true(gguf_text(gguf, "general.architecture", true, &text, NULL));
    assert_int_equal(text.size, 5);
    assert_memory_equal(text.bytes, "llama", 5);
    gguf_close(gguf);
}

static void assert_refused(bool done, struct fault *fault, const char *expected)
{
    assert_false(done);
    assert_int_equal(fault->kind, FAULT_FORMAT);
    if (!strstr(fault->text, expected))
        fail_msg("'%s' does not say '%s'", fault->text, expected);
    *fault = (struct fault){0};
}

static void test_values_that_do_not_fit(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    struct fault fault = {0};
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    const int32_t *items;
    size_t count;
    assert_refused(gguf_u32(gguf, "i8", true, &u32, &fault), &fault, "'i8' is -5, expected 0 or");
    assert_refused(gguf_u32(gguf, "i32", true, &u32, &fault), &fault, "is -70000");
    assert_refused(gguf_u64(gguf, "i64", true, &u64, &fault), &fault, "is -5000000000");
    assert_refused(gguf_u32(gguf, "u64", true, &u32, &fault), &fault, "at most 4294967295");
    assert_refused(gguf_i32_array(gguf, "array.large", true, 2, &items, &count, &fault), &fault,
                   "item 1 is 2147483648, expected at most 2147483647");
    assert_true(u32 == 7 && u64 == 7);
    gguf_close(gguf);
}

static void test_absent_keys(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    struct fault fault = {0};
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    float f32 = 7;
    bool flag = true;
    struct gguf_string text = {"x", 1};
    const void *none = NULL;
    const int32_t *i32s = none;
    const float *f32s = none;
    const struct gguf_string *texts = none;
    size_t count = 7;
    assert_true(gguf_u32(gguf, "no", false, &u32, &fault) && u32 == 7);
    assert_true(gguf_u64(gguf, "no", false, &u64, &fault) && u64 == 7);
    assert_true(gguf_f32(gguf, "no", false, &f32, &fault) && f32 == 7);
    assert_true(gguf_bool(gguf, "no", false, &flag, &fault) && flag);
    assert_true(gguf_text(gguf, "no", false, &text, &fault) && text.size == 1);
    assert_true(gguf_i32_array(gguf, "no", false, 3, &i32s, &count, &fault) && count == 7);
    assert_true(gguf_f32_array(gguf, "no", false, 3, &f32s, &count, &fault) && !f32s);
    assert_true(gguf_text_array(gguf, "no", false, 3, &texts, &count, &fault) && !texts);
    assert_int_equal(fault.kind, FAULT_NONE);
    const char *expected = "memory: has no metadata 'no'";
    assert_refused(gguf_u32(gguf, "no", true, &u32, &fault), &fault, expected);
    assert_refused(gguf_u64(gguf, "no", true, &u64, &fault), &fault, expected);
    assert_refused(gguf_f32(gguf, "no", true, &f32, &fault), &fault, expected);
    assert_refused(gguf_bool(gguf, "no", true, &flag, &fault), &fault, expected);
    assert_refused(gguf_text(gguf, "no", true, &text, &fault), &fault, expected);
    assert_refused(gguf_i32_array(gguf, "no", true, 3, &i32s, &count, &fault), &fault, expected);
    assert_refused(gguf_f32_array(gguf, "no", true, 3, &f32s, &count, &fault), &fault, expected);
    assert_refused(gguf_text_array(gguf, "no", true, 3, &texts, &count, &fault), &fault, expected);
    gguf_close(gguf);
}

/* Every getter against an entry of every type. A letter for each getter that takes it: u = u32,
 * U = u64, f, b, t, and I, F, T for the arrays. */
static const struct {
    const char *key;
    const char *getters;
} takes[] = {
    {"u8", "uU"},         {"u16", "uU"},       {"u32", "uU"},
    {"u64", "U"},         {"f32", "f"},        {"f64", "f"},
    {"i8", ""},           {"i16", ""},         {"i32", ""}, /* negative here */
    {"i64", ""},          {"bool", "b"},       {"general.architecture", "t"},
    {"array.u8", "I"},    {"array.i8", "I"},   {"array.u16", "I"},
    {"array.i16", "I"},   {"array.u32", "I"},  {"array.i32", "I"},
    {"array.f32", "F"},   {"array.bool", ""},  {"array.text", "T"},
    {"array.u64", ""},    {"array.i64", ""},   {"array.f64", ""},
    {"array.empty", "I"}, {"array.large", ""},
};

static bool try_getter(const struct gguf *gguf, char getter, const char *key, struct fault *fault)
{
    uint32_t u32;
    uint64_t u64;
    float f32;
    bool flag;
    struct gguf_string text;
    const int32_t *i32s;
    const float *f32s;
    const struct gguf_string *texts;
    size_t count;
    switch (getter) {
    case 'u':
        return gguf_u32(gguf, key, false, &u32, fault);
    case 'U':
        return gguf_u64(gguf, key, false, &u64, fault);
    case 'f':
        return gguf_f32(gguf, key, false, &f32, fault);
    case 'b':
        return gguf_bool(gguf, key, false, &flag, fault);
    case 't':
        return gguf_text(gguf, key, false, &text, fault);
    case 'I':
        return gguf_i32_array(gguf, key, false, SIZE_MAX, &i32s, &count, fault);
    case 'F':
        return gguf_f32_array(gguf, key, false, SIZE_MAX, &f32s, &count, fault);
    default:
        return gguf_text_array(gguf, key, false, SIZE_MAX, &texts, &count, fault);
    }
}

static void test_every_getter_every_type(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    assert_int_equal(sizeof takes / sizeof takes[0], gguf_entry_count(gguf));
    for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++) {
        for (const char *getter = "uUfbtIFT"; *getter; getter++) {
            struct fault fault = {0};
            bool taken = try_getter(gguf, *getter, takes[i].key, &fault);
            if (taken != (strchr(takes[i].getters, *getter) != NULL))
                fail_msg("getter %c on '%s': %s", *getter, takes[i].key, fault.text);
            assert_true(taken == (fault.kind == FAULT_NONE));
            if (!taken) /* the fault names the key */
                assert_non_null(strstr(fault.text, takes[i].key));
        }
    }
    gguf_close(gguf);
}

static void test_arrays(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t second;
    } integers[] = {
        {"array.u8", 255}, {"array.i8", -1},          {"array.u16", 65535},
        {"array.i16", -1}, {"array.u32", 0x7fffffff}, {"array.i32", -1},
    };
    struct gguf *gguf = parse(build_good_words);
    const int32_t *i32s;
    const float *f32s;
    const struct gguf_string *texts;
    size_t count;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        assert_true(gguf_i32_array(gguf, integers[i].key, true, 2, &i32s, &count, NULL));
        assert_int_equal(count, 2);
        assert_int_equal((uintptr_t)i32s % sizeof *i32s, 0);
        assert_true(i32s[0] == 1 && i32s[1] == integers[i].second);
    }
    assert_true(gguf_f32_array(gguf, "array.f32", true, SIZE_MAX, &f32s, &count, NULL));
    assert_true(count == 2 && f32s[0] == 1.0f && f32s[1] == -0.25f);
    assert_true(gguf_text_array(gguf, "array.text", true, 3, &texts, &count, NULL));
    assert_true(texts[0].size == 1 && texts[1].size == 0 && texts[2].size == 4);
    assert_memory_equal(texts[2].bytes, "bc d", 4);
    assert_true(gguf_i32_array(gguf, "array.empty", true, 0, &i32s, &count, NULL) && count == 0);
    gguf_close(gguf);
}

/* n - 1 and n + 1 where n is right. */
static void test_wrong_counts(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    struct fault fault = {0};
    const int32_t *i32s;
    const float *f32s;
    const struct gguf_string *texts;
    size_t n;
    for (size_t wrong = 1; wrong <= 3; wrong += 2) {
        assert_refused(gguf_i32_array(gguf, "array.i32", true, wrong, &i32s, &n, &fault), &fault,
                       "'array.i32' has 2 items, expected");
        assert_refused(gguf_f32_array(gguf, "array.f32", false, wrong, &f32s, &n, &fault), &fault,
                       "'array.f32' has 2 items, expected");
        assert_refused(gguf_text_array(gguf, "array.text", true, wrong + 1, &texts, &n, &fault),
                       &fault, "'array.text' has 3 items, expected");
    }
    gguf_close(gguf);
}

static void assert_format(const struct gguf *gguf, const char *key, uint64_t item,
                          const char *expected)
{
    char text[32];
    gguf_format(gguf, gguf_entry_find(gguf, key), item, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_format(void **state)
{
    (void)state;
    struct gguf *gguf = parse(build_good_words);
    assert_format(gguf, "u8", 0, "200");
    assert_format(gguf, "i8", 0, "-5");
    assert_format(gguf, "i16", 0, "-300");
    assert_format(gguf, "u64", 0, "18364758544493064720");
    assert_format(gguf, "i64", 0, "-5000000000");
    assert_format(gguf, "f32", 0, "0.5");
    assert_format(gguf, "f64", 0, "0.25");
    assert_format(gguf, "bool", 0, "true");
    assert_format(gguf, "general.architecture", 0, "llama");
    assert_format(gguf, "general.architecture", 1, ""); /* no such item */
    assert_format(gguf, "array.i8", 1, "-1");
    assert_format(gguf, "array.u16", 1, "65535");
    assert_format(gguf, "array.large", 1, "2147483648");
    assert_format(gguf, "array.bool", 1, "false");
    assert_format(gguf, "array.text", 2, "bc d");
    assert_format(gguf, "array.f32", 1, "-0.25");
    assert_format(gguf, "array.f64", 1, "1");
    assert_format(gguf, "array.u64", 1, "18446744073709551615");
    assert_format(gguf, "array.i64", 1, "-1");
    char text[4];
    gguf_format(gguf, gguf_entry_find(gguf, "general.architecture"), 0, text, sizeof text);
    assert_string_equal(text, "lla");
    gguf_format(gguf, gguf_entry_find(gguf, "u8"), 0, text, 0);
    gguf_close(gguf);
    gguf = parse(GGUF_HEAD(0, 1) "s:k 4:8 8:6 'a' 1:0x1b 1:0 1:10 1:0xff 'b' data:0");
    assert_format(gguf, "k", 0, "a????b");
    gguf_close(gguf);
}

static void test_other_alignment_and_types(void **state)
{
    (void)state;
    struct gguf *gguf =
        parse(GGUF_HEAD(3, 1) "s:general.alignment 4:4 4:8 "
                              "s:a 4:4 8:256 8:2 8:3 8:1 4:14 8:0 s:b 4:1 8:1 4:26 8:1264 "
                              "s:c 4:2 8:32 8:1 4:20 8:1272 @8 data:1290");
    assert_int_equal(gguf_alignment(gguf), 8);
    const struct gguf_tensor *tensor = gguf_tensor_find(gguf, "a");
    assert_true(tensor->rows == 6 && tensor->row_size == 210 && tensor->size == 1260);
    tensor = gguf_tensor_find(gguf, "c");
    assert_true(tensor->dtype == DTYPE_IQ4_NL && tensor->size == 18);
    gguf_close(gguf);
    /* no tensors: no padding asked for, whatever the alignment; and more behind is no harm */
    gguf_close(parse(GGUF_HEAD(0, 1) "s:general.alignment 4:4 4:65536"));
    gguf_close(parse(GGUF_HEAD(0, 0)));
    gguf_close(parse(GGUF_HEAD(1, 0) "s:w 4:1 8:1 4:0 8:0 @32 data:32"));
    gguf_close(parse(GGUF_HEAD(1, 0) "s:w 4:1 8:1 4:0 8:0 @32 data:4"));
}

static void test_read_data(void **state)
{
    (void)state;
    const char *path = LICHEN_TEST_OUTPUT "/read.gguf";
    struct build build = build_file(GGUF_HEAD(2, 0) "s:a 4:1 8:9 4:0 8:0 s:b 4:1 8:2 4:0 8:64 @32 "
                                                    "x:36*a @32 x:8*b");
    struct fault fault = {0};
    struct gguf *gguf;
    char bytes[40] = {0};
    build_save(&build, path);
    assert_true(gguf_open(path, &gguf, &fault));
    assert_true(gguf_size(gguf) == build.size);
    assert_string_equal(gguf_path(gguf), path);
    const struct gguf_tensor *a = gguf_tensor_find(gguf, "a");
    const struct gguf_tensor *b = gguf_tensor_find(gguf, "b");
    assert_true(gguf_read(gguf, b, 0, bytes, 8, &fault));
    assert_string_equal(bytes, "bbbbbbbb");
    assert_true(gguf_read(gguf, a, 30, bytes, 6, &fault));
    assert_string_equal(bytes, "aaaaaabb");
    assert_true(gguf_read(gguf, a, 36, bytes, 0, &fault));
    assert_false(gguf_read(gguf, a, 30, bytes, 7, &fault));
    assert_false(gguf_read(gguf, a, UINT64_MAX, bytes, 2, NULL));
    assert_int_equal(truncate(path, 70), 0);
    fault = (struct fault){0};
    assert_false(gguf_read(gguf, b, 0, bytes, 8, &fault));
    assert_non_null(strstr(fault.text, "tensor 'b'"));
    gguf_close(gguf);
    build_free(&build);
    remove(path);
}

/* Larger than the window through which a file is read: a string, an array of strings and one of
 * numbers lie across its edges. */
static void test_large_header(void **state)
{
    (void)state;
    const char *path = LICHEN_TEST_OUTPUT "/large.gguf";
    struct build build =
        build_file(GGUF_HEAD(0, 5) "8:65535 x:65535*k 4:4 4:1 s:long 4:8 8:200001 x:200001*a "
                                   "s:window 4:8 8:65536 x:65536*b s:texts 4:9 4:8 8:3 8:65535 "
                                   "x:65535*c 8:1 'd' 8:70000 x:70000*e "
                                   "s:numbers 4:9 4:2 8:50000 x:100000*f");
    struct fault fault = {0};
    struct gguf *gguf;
    struct gguf_string text;
    const struct gguf_string *texts;
    const int32_t *numbers;
    size_t count;
    build_save(&build, path);
    if (!gguf_open(path, &gguf, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(strspn(gguf_entry_at(gguf, 0)->key, "k"), 65535);
    assert_true(gguf_text(gguf, "long", true, &text, NULL) && text.size == 200001);
    for (size_t i = 0; i < text.size; i++)
        assert_int_equal(text.bytes[i], 'a');
    assert_true(gguf_text(gguf, "window", true, &text, NULL) && text.size == 65536);
    assert_true(gguf_text_array(gguf, "texts", true, 3, &texts, &count, NULL));
    assert_true(texts[0].size == 65535 && texts[1].bytes[0] == 'd' && texts[2].size == 70000);
    assert_int_equal(texts[2].bytes[69999], 'e');
    assert_true(gguf_i32_array(gguf, "numbers", true, 50000, &numbers, &count, NULL));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers[i], 0x6666);
    gguf_close(gguf);
    build_free(&build);
    remove(path);
}

static void check_golden(const char *folder, const char *name, const char *expected)
{
    char path[1024];
    struct gguf *gguf;
    struct fault fault = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool opened = gguf_open(path, &gguf, &fault);
    if (opened == (expected != NULL) || (expected && !strstr(fault.text, expected)))
        fail_msg("%s: %s", path, opened ? "opened" : fault.text);
    gguf_close(gguf);
}

static void test_published_vocabularies(void **state)
{
    (void)state;
    const char *folder = LICHEN_SHARED "/golden/vocab";
    DIR *listing = opendir(folder);
    if (!listing)
        SKIP("%s is not there", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        size_t size = strlen(entry->d_name);
        if (size < 5 || strcmp(entry->d_name + size - 5, ".gguf") != 0)
            continue;
        check_golden(folder, entry->d_name, NULL);
        count++;
    }
    closedir(listing);
    assert_true(count >= 8);
}

static void test_older_formats(void **state)
{
    (void)state;
    const char *folder = LICHEN_SHARED "/golden/vocab/legacy";
    if (!test_file_exists(LICHEN_SHARED "/golden/vocab/legacy/ggml-vocab.ggmf.bin"))
        SKIP("%s is not there", folder);
    check_golden(folder, "ggml-vocab-llama.GGUFv1.gguf", "GGUF version 1, lichen reads 3");
    check_golden(folder, "ggml-vocab-falcon.GGUFv2.gguf", "GGUF version 2, lichen reads 3");
    check_golden(folder, "ggml-vocab.ggmf.bin", "ggmf file, a format older than GGUF");
}

static void test_published_model(void **state)
{
    (void)state;
    const char *path = LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf";
    if (!test_file_exists(path))
        SKIP("%s is not there", path);
    struct gguf *gguf;
    struct fault fault = {0};
    assert_true(gguf_open(path, &gguf, &fault));
    assert_int_equal(gguf_tensor_count(gguf), 47);
    uint64_t weights = 0;
    for (uint32_t i = 0; i < 47; i++)
        weights += gguf_tensor_at(gguf, i)->size / 4;
    assert_int_equal(weights, 260032);
    const struct gguf_string *tokens;
    size_t count;
    assert_true(gguf_text_array(gguf, "tokenizer.ggml.tokens", true, 512, &tokens, &count, &fault));
    gguf_close(gguf);
}

static bool same(const char *words_a, const char *words_b)
{
    struct gguf *a = parse(words_a), *b = parse(words_b);
    bool result = gguf_same_entries(a, b, "t.");
    assert_true(result == gguf_same_entries(b, a, "t."));
    gguf_close(a);
    gguf_close(b);
    return result;
}

#define ONE GGUF_HEAD(0, 1)
#define TWO GGUF_HEAD(0, 2)
#define TEXTS(a, b) "s:t.a 4:9 4:8 8:2 s:" a " s:" b " "

/* Only keys that begin with the prefix count; their order in the file does not. */
static void test_same_entries(void **state)
{
    (void)state;
    assert_true(same(ONE TEXTS("x", "yz"), ONE TEXTS("x", "yz")));
    assert_false(same(ONE TEXTS("x", "yz"), ONE TEXTS("x", "ya")));
    assert_false(same(ONE TEXTS("x", "yz"), ONE TEXTS("xy", "z")));
    assert_false(same(ONE TEXTS("x", "yz"), ONE "s:t.a 4:9 4:8 8:1 s:x "));
    assert_false(same(ONE TEXTS("x", "yz"), ONE "s:u.a 4:4 4:1 "));
    assert_true(same(TWO TEXTS("x", "y") "s:t.b 4:4 4:1 ", TWO "s:t.b 4:4 4:1 " TEXTS("x", "y")));
    assert_false(same(TWO TEXTS("x", "y") "s:t.b 4:4 4:1 ", TWO "s:t.b 4:4 4:2 " TEXTS("x", "y")));
    assert_false(same(TWO TEXTS("x", "y") "s:t.b 4:4 4:1 ", TWO "s:t.b 4:5 4:1 " TEXTS("x", "y")));
    assert_true(same(TWO TEXTS("x", "y") "s:u 4:4 4:1 ", TWO "s:u 4:4 4:2 " TEXTS("x", "y")));
    assert_false(same(ONE "s:t.a 4:9 4:1 8:2 1:1 1:2 ", ONE "s:t.a 4:9 4:1 8:2 1:1 1:3 "));
    assert_false(same(ONE "s:t.a 4:9 4:5 8:1 4:7 ", ONE "s:t.a 4:9 4:4 8:1 4:7 "));
    assert_false(same(ONE "s:t.a 4:6 f:1 ", ONE "s:t.a 4:6 f:2 "));
    assert_false(same(ONE "s:t.a 4:8 s:x ", ONE "s:t.a 4:8 s:y "));
}

static void test_drop_arrays(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gguf *gguf = parse(TWO TEXTS("x", "y") "s:t.b 4:8 s:kept ");
    const struct gguf_string *texts;
    struct gguf_string text;
    size_t count = 7;
    gguf_drop_arrays(gguf);
    assert_int_equal(gguf_entry_find(gguf, "t.a")->count, 0);
    assert_true(gguf_text_array(gguf, "t.a", true, SIZE_MAX, &texts, &count, &fault));
    assert_int_equal(count, 0);
    assert_true(gguf_text(gguf, "t.b", true, &text, &fault));
    assert_memory_equal(text.bytes, "kept", 4);
    gguf_drop_arrays(gguf);
    gguf_close(gguf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_values_that_do_not_fit),
        cmocka_unit_test(test_absent_keys),
        cmocka_unit_test(test_every_getter_every_type),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_wrong_counts),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_same_entries),
        cmocka_unit_test(test_drop_arrays),
        cmocka_unit_test(test_other_alignment_and_types),
        cmocka_unit_test(test_read_data),
        cmocka_unit_test(test_large_header),
        cmocka_unit_test(test_published_vocabularies),
        cmocka_unit_test(test_older_formats),
        cmocka_unit_test(test_published_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
