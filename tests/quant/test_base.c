/* test_base.c: faults, cleaned text, arena, reader, checked arithmetic. */
#include "testing.h"

#include "arena.h"
#include "checked.h"
#include "clean.h"
#include "fault.h"
#include "reader.h"

static void test_first_fault_wins(void **state)
{
    (void)state;
    struct fault fault = {0};
    assert_false(fault_set(&fault, FAULT_FORMAT, "byte %d", 7));
    assert_false(fault_set(&fault, FAULT_FILE, "later"));
    assert_int_equal(fault.kind, FAULT_FORMAT);
    assert_string_equal(fault.text, "byte 7");
    assert_false(fault_context(&fault, "%s", "a.gguf"));
    assert_string_equal(fault.text, "a.gguf: byte 7");
    assert_false(fault_set(NULL, FAULT_FILE, "nobody listens"));
    assert_false(fault_context(NULL, "nobody listens"));
    struct fault none = {0};
    assert_false(fault_context(&none, "no failure"));
    assert_int_equal(none.kind, FAULT_NONE);
    assert_string_equal(none.text, "");
}

static void test_fault_is_bounded(void **state)
{
    (void)state;
    static char name[3000];
    memset(name, 'x', sizeof name - 1);
    memcpy(name + 1021, "\xe4\xb8\xad", 3); /* the end cuts it */
    struct fault fault = {0};
    fault_set(&fault, FAULT_FILE, "%s", name);
    assert_int_equal(strlen(fault.text), 1021);
    for (int i = 0; i < 3; i++)
        fault_context(&fault, "%s", name);
    assert_int_equal(strlen(fault.text), 1021);
}

static void test_clean_text(void **state)
{
    (void)state;
    static const struct {
        const char *dirty;
        const char *clean;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80", "\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80"},
        {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* C1: CSI */
        {"\xe2\x80\xae"
         "evil\xe2\x81\xa9",
         "?evil?"},                                   /* bidirectional override, isolate */
        {"\xe2\x80\xa8", "?"},                        /* line separator */
        {"\x80 \xff \xc0\x80 \xc1\xbf", "? ? ?? ??"}, /* lone, never, overlong */
        {"\xe0\x9f\xbf \xed\xa0\x80", "??? ???"},     /* overlong, surrogate */
        {"\xf4\x90\x80\x80 \xf5", "???? ?"},          /* above U+10FFFF */
        {"ab\xe4\xb8", "ab"},                         /* cut off */
        {"\xe4\xb8"
         "ab",
         "??ab"},
        {"\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        strcpy(text, cases[i].dirty);
        clean_text(text);
        assert_string_equal(text, cases[i].clean);
    }
}

/* Cleaning keeps what is clean: twice is once. No sequence may read past the end (ASan looks). */
static void test_clean_text_random(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        char text[12] = {0};
        size_t size = test_random(&seed) % sizeof text;
        for (size_t k = 0; k < size; k++)
            text[k] = (char)(test_random(&seed) | 0x80);
        clean_text(text);
        char again[12];
        strcpy(again, text);
        clean_text(again);
        assert_string_equal(text, again);
    }
}

static void test_arena(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_free(&arena);
    arena_init(&arena, 0);
    uint64_t seed = 3;
    unsigned char *previous = NULL;
    size_t previous_size = 0;
    for (int i = 0; i < 2000; i++) {
        size_t size = test_random(&seed) % (i % 100 == 0 ? 100000 : 200);
        unsigned char *bytes = arena_alloc(&arena, size, 1);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(bytes[k], 0);
        memset(bytes, 0xa5, size);
        for (size_t k = 0; k < previous_size; k++) /* not overlapped */
            assert_int_equal(previous[k], 0x5a);
        memset(bytes, 0x5a, size);
        previous = bytes;
        previous_size = size;
    }
    char *copy = arena_copy(&arena, "abcdef", 3);
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_free(&arena);
    assert_null(arena.chunk);
}

static void test_arena_refuses(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&arena, 1, SIZE_MAX));
    assert_null(arena_alloc(&arena, 1001, 1));
    assert_non_null(arena_alloc(&arena, 1000, 1));
    assert_non_null(arena_alloc(&arena, 0, 100));
    assert_null(arena_alloc(&arena, 1, 1));
    assert_null(arena_copy(&arena, "x", 1));
    assert_null(arena_copy(&arena, "x", SIZE_MAX));
    assert_int_equal(arena.used, 1000);
    arena_free(&arena);
    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8, 1));
    arena_free(&arena);
}

static void test_reader(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff};
    struct fault fault = {0};
    struct reader reader;
    reader_init(&reader, bytes, sizeof bytes, &fault);
    assert_int_equal(reader_u8(&reader, "a"), 1);
    assert_int_equal(reader_u16(&reader, "b"), 0x0302);
    assert_int_equal(reader_u32(&reader, "c"), 0x07060504);
    assert_true(reader_u64(&reader, "d") == 0x0f0e0d0c0b0a0908);
    assert_int_equal(reader_left(&reader), 1);
    assert_int_equal(reader_u16(&reader, "length of the name"), 0);
    assert_true(reader.failed);
    assert_int_equal(fault.kind, FAULT_FORMAT);
    assert_string_equal(fault.text, "byte 15: length of the name needs 2 bytes, only 1 are left");
    /* failed stays failed, although a byte is left */
    assert_int_equal(reader_u8(&reader, "e"), 0);
    assert_null(reader_bytes(&reader, 0, "f"));
    assert_int_equal(reader_left(&reader), 0);

    reader_init(&reader, bytes, sizeof bytes, NULL);
    assert_ptr_equal(reader_bytes(&reader, 16, "all"), bytes);
    assert_null(reader_bytes(&reader, UINT64_MAX, "too much"));
    reader_init(&reader, NULL, 0, NULL);
    assert_int_equal(reader_u64(&reader, "nothing"), 0);
    assert_true(reader.failed);
}

static void test_checked(void **state)
{
    (void)state;
    uint64_t value;
    size_t size;
    assert_true(checked_add_u64(UINT64_MAX - 1, 1, &value) && value == UINT64_MAX);
    assert_false(checked_add_u64(UINT64_MAX, 1, &value));
    assert_true(checked_sub_u64(5, 5, &value) && value == 0);
    assert_false(checked_sub_u64(5, 6, &value));
    assert_true(checked_mul_u64(1ull << 32, 1ull << 31, &value) && value == 1ull << 63);
    assert_false(checked_mul_u64(1ull << 32, 1ull << 32, &value));
    assert_true(checked_mul_u64(0, UINT64_MAX, &value) && value == 0);
    assert_true(checked_align_u64(0, 32, &value) && value == 0);
    assert_true(checked_align_u64(33, 32, &value) && value == 64);
    assert_true(checked_align_u64(64, 32, &value) && value == 64);
    assert_true(checked_align_u64(7, 1, &value) && value == 7);
    assert_true(checked_align_u64(UINT64_MAX - 31, 32, &value) && value == UINT64_MAX - 31);
    assert_false(checked_align_u64(UINT64_MAX - 30, 32, &value)); /* wraps to 0 unchecked */
    assert_true(checked_size(SIZE_MAX, &size) && size == SIZE_MAX);
    assert_true(checked_size(UINT64_MAX, &size) == (SIZE_MAX == UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_fault_wins),
        cmocka_unit_test(test_fault_is_bounded),
        cmocka_unit_test(test_clean_text),
        cmocka_unit_test(test_clean_text_random),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_refuses),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
