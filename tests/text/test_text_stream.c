/* test_text_stream.c: UTF-8 and the assembly of streamed answers. */
#include "stream.h"
#include "testing.h"
#include "utf8.h"
#include "vocab_builder.h"

#include <stdlib.h>
#include <utf8proc.h>

/* A vocabulary whose id is the byte: "llama" with the 256 byte tokens, then words. */
enum { WORD_FIRST = 256 };
static const char *const words[] = {"</s>", "▁Hello", "▁", "▁wor", "ld", "END", "ab", "b"};

static struct tokenizer *byte_vocabulary(bool trim)
{
    const char *spellings[256 + sizeof words / sizeof *words];
    static char bytes[256][7];
    int32_t kinds[sizeof spellings / sizeof *spellings];
    float scores[sizeof spellings / sizeof *spellings] = {0};
    size_t count = 0;
    for (; count < 256; count++) {
        snprintf(bytes[count], sizeof bytes[count], "<0x%02X>", (unsigned)count);
        spellings[count] = bytes[count];
        kinds[count] = TOKEN_BYTE;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++, count++) {
        spellings[count] = words[i];
        kinds[count] = i == 0 ? TOKEN_CONTROL : TOKEN_NORMAL;
    }
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", "llama");
    vocab_words(&builder, "tokenizer.ggml.tokens", spellings, count);
    vocab_f32s(&builder, "tokenizer.ggml.scores", scores, count);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", kinds, count);
    vocab_u32(&builder, "tokenizer.ggml.eos_token_id", WORD_FIRST);
    vocab_bool(&builder, "tokenizer.ggml.remove_extra_whitespaces", trim);
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    if (!tokenizer)
        fail_msg("%s", fault.text);
    vocab_free(&builder);
    return tokenizer;
}

static int setup(void **state)
{
    *state = byte_vocabulary(false);
    return 0;
}

static int teardown(void **state)
{
    tokenizer_destroy(*state);
    return 0;
}

struct shown {
    char bytes[256];
    size_t size;
    bool stopped;
};

/* Everything is valid UTF-8 at every step; false after a stop. */
static void feed(struct stream *stream, int32_t id, struct shown *shown)
{
    const char *text;
    size_t size, broken;
    assert_true(stream_push(stream, id, &text, &size, &shown->stopped, NULL));
    assert_int_equal(utf8_valid_prefix(text, size, &broken), size);
    assert_true(shown->size + size <= sizeof shown->bytes);
    if (size > 0)
        memcpy(shown->bytes + shown->size, text, size);
    shown->size += size;
}

static void flush(struct stream *stream, struct shown *shown)
{
    const char *text;
    size_t size;
    stream_flush(stream, &text, &size);
    assert_true(shown->size + size < sizeof shown->bytes);
    if (size > 0)
        memcpy(shown->bytes + shown->size, text, size);
    shown->size += size;
    shown->bytes[shown->size] = 0;
}

static struct shown stream_bytes(struct stream *stream, const char *bytes, size_t size)
{
    struct shown shown = {.size = 0};
    stream_reset(stream);
    for (size_t i = 0; i < size && !shown.stopped; i++)
        feed(stream, (uint8_t)bytes[i], &shown);
    flush(stream, &shown);
    return shown;
}

static struct stream *open_stream(void **state, const char *const *stops, size_t count)
{
    struct stream *stream;
    assert_true(stream_create(*state, stops, count, &stream, NULL));
    return stream;
}

/* ---- UTF-8 ---- */

static bool whole(const char *bytes, size_t size)
{
    struct utf8_char next = utf8_read(bytes, size);
    return next.state == UTF8_WHOLE && next.size == size;
}

static void test_utf8_all(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        if (code >= 0xD800 && code < 0xE000)
            continue;
        char bytes[4];
        size_t size = utf8_write(code, bytes);
        struct utf8_char next = utf8_read(bytes, size);
        assert_true(whole(bytes, size) && next.code == code);
        for (size_t cut = 1; cut < size; cut++)
            assert_int_equal(utf8_read(bytes, cut).state, UTF8_CUT);
    }
}

/* All of up to three bytes, and four with the last fixed, against utf8proc. */
static void test_utf8_differential(void **state)
{
    (void)state;
    for (uint32_t all = 0; all < 1u << 24; all++) {
        char bytes[4] = {(char)(all >> 16), (char)(all >> 8), (char)all, (char)0x80};
        utf8proc_int32_t code;
        utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)bytes, 4, &code);
        struct utf8_char next = utf8_read(bytes, 4);
        if ((next.state == UTF8_WHOLE) != (size > 0) ||
            (size > 0 && (next.size != (size_t)size || next.code != (uint32_t)code)))
            fail_msg("bytes %06x", all);
    }
}

static void test_utf8_broken(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t size, valid, broken;
    } cases[] = {
        {"abc", 3, 3, 0},
        {"", 0, 0, 0},
        {"a\xE4\xBD", 3, 1, 0},
        {"a\xE4\xBD z", 5, 1, 2},
        {"\xC0\x80", 2, 0, 1},
        {"\xED\xA0\x80", 3, 0, 1},
        {"\xF0\x9F\x98", 3, 0, 0},
        {"\xF0\x9F\x98z", 4, 0, 3},
        {"\xF4\x90\x80\x80", 4, 0, 1},
        {"\xFF", 1, 0, 1},
        {"\xF0\x80\x80\x80", 4, 0, 1},
        {"x\x80", 2, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t broken;
        assert_int_equal(utf8_valid_prefix(cases[i].bytes, cases[i].size, &broken), cases[i].valid);
        assert_int_equal(broken, cases[i].broken);
    }
}

/* ---- streams ---- */

/* Bytes one by one come out as they are, whatever the place of the split. */
static void test_characters(void **state)
{
    struct stream *stream = open_stream(state, NULL, 0);
    const char *text = "a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80\xE2\x80\x8D!";
    struct shown shown = stream_bytes(stream, text, strlen(text));
    assert_string_equal(shown.bytes, text);
    /* A character appears with its last byte, not before. */
    struct shown part = {.size = 0};
    stream_reset(stream);
    for (int i = 0; i < 3; i++) {
        feed(stream, (uint8_t) "\xF0\x9F\x98"[i], &part);
        assert_int_equal(part.size, 0);
    }
    feed(stream, 0x80, &part);
    assert_int_equal(part.size, 4);
    stream_destroy(stream);
}

/* What a decoder that sees all bytes at once makes of them. */
static size_t repair(const char *bytes, size_t size, char *dst)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        struct utf8_char next = utf8_read(bytes + at, size - at);
        if (next.state == UTF8_WHOLE)
            memcpy(dst + used, bytes + at, next.size);
        else
            memcpy(dst + used, "\xEF\xBF\xBD", 3);
        used += next.state == UTF8_WHOLE ? next.size : 3;
        at += next.size;
    }
    return used;
}

static void check_repair(struct stream *stream, const char *bytes, size_t size)
{
    char expected[64];
    size_t expected_size = repair(bytes, size, expected);
    struct shown shown = stream_bytes(stream, bytes, size);
    assert_int_equal(shown.size, expected_size);
    assert_memory_equal(shown.bytes, expected, expected_size);
}

static void test_all_pairs(void **state)
{
    struct stream *stream = open_stream(state, NULL, 0);
    stream_keep_space(stream, true);
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[6] = {(char)(pair >> 8), (char)pair, 'x', (char)(pair >> 8), (char)pair, '!'};
        check_repair(stream, bytes, 2);
        check_repair(stream, bytes, 6);
    }
    stream_destroy(stream);
}

static void test_random_bytes(void **state)
{
    struct stream *stream = open_stream(state, NULL, 0);
    stream_keep_space(stream, true);
    static const char lead[] = "\xE4\xBD\xA0\xF0\x9F\x98\x80\xED\xA0\xF4\xC3\x80 a\xFF\xE0";
    uint64_t seed = 11;
    for (int round = 0; round < 20000; round++) {
        char bytes[16];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = lead[test_random(&seed) % (sizeof lead - 1)];
        check_repair(stream, bytes, sizeof bytes);
    }
    stream_destroy(stream);
}

static void test_dummy_space(void **state)
{
    struct stream *stream = open_stream(state, NULL, 0);
    const int32_t ids[] = {WORD_FIRST, WORD_FIRST + 1, WORD_FIRST + 3, WORD_FIRST + 4};
    struct shown shown = {.size = 0};
    for (int i = 0; i < 4; i++)
        feed(stream, ids[i], &shown);
    flush(stream, &shown);
    assert_string_equal(shown.bytes, "Hello world");
    stream_reset(stream);
    stream_keep_space(stream, true);
    shown = (struct shown){.size = 0};
    feed(stream, WORD_FIRST + 1, &shown);
    flush(stream, &shown);
    assert_string_equal(shown.bytes, " Hello");
    stream_destroy(stream);

    struct tokenizer *trim = byte_vocabulary(true);
    assert_true(stream_create(trim, NULL, 0, &stream, NULL));
    shown = (struct shown){.size = 0};
    for (int i = 0; i < 3; i++)
        feed(stream, WORD_FIRST + 2, &shown);
    feed(stream, WORD_FIRST + 1, &shown);
    flush(stream, &shown);
    assert_string_equal(shown.bytes, "Hello");
    stream_destroy(stream);
    tokenizer_destroy(trim);
}

static void test_stops(void **state)
{
    const char *const stops[] = {"END", "\n\nUser:", "好的", "aab"};
    const struct {
        const char *text, *shown;
        bool stopped;
    } cases[] = {
        {"abc END def", "abc ", true},
        {"abc EN", "abc EN", false},
        {"ENENEND", "ENEN", true},
        {"line\n\nUser: x", "line", true},
        {"line\n\nUse it", "line\n\nUse it", false},
        {"你好的x", "你", true},
        {"你好x", "你好x", false},
        {"aaab", "a", true},
        {"aaaaaac", "aaaaaac", false},
        {"END", "", true},
        {"好\xE7", "好\xEF\xBF\xBD", false},
    };
    struct stream *stream = open_stream(state, stops, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shown shown = stream_bytes(stream, cases[i].text, strlen(cases[i].text));
        assert_string_equal(shown.bytes, cases[i].shown);
        assert_int_equal(shown.stopped, cases[i].stopped);
    }
    stream_destroy(stream);
}

/* A stop inside one token, and nothing more after it. */
static void test_stop_in_token(void **state)
{
    const char *const stops[] = {"a", "EN"};
    struct stream *stream = open_stream(state, stops, 2);
    struct shown shown = {.size = 0};
    feed(stream, WORD_FIRST + 4, &shown);
    assert_false(shown.stopped);
    feed(stream, WORD_FIRST + 5, &shown);
    assert_true(shown.stopped);
    feed(stream, WORD_FIRST + 4, &shown);
    assert_true(shown.stopped);
    flush(stream, &shown);
    assert_string_equal(shown.bytes, "ld");
    stream_destroy(stream);
}

static void test_stop_faults(void **state)
{
    const char *const stops[] = {"x", ""};
    struct stream *stream = NULL;
    struct fault fault = {0};
    assert_false(stream_create(*state, stops, 2, &stream, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_null(stream);
    stream_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_all),      cmocka_unit_test(test_utf8_differential),
        cmocka_unit_test(test_utf8_broken),   cmocka_unit_test(test_characters),
        cmocka_unit_test(test_all_pairs),     cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_dummy_space),   cmocka_unit_test(test_stops),
        cmocka_unit_test(test_stop_in_token), cmocka_unit_test(test_stop_faults),
    };
    return cmocka_run_group_tests_name("text_stream", tests, setup, teardown);
}
