/* test_cli_parts.c: the pieces of the program that need no model: option tables, numbers with
 * units, the terminal filter, result files, .npy headers, lists of ids. */
#include "answer.h"
#include "chat.h"
#include "command.h"
#include "npy.h"
#include "testing.h"
#include "text.h"
#include <stdlib.h>

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
        bool valid;
    } cases[] = {
        {"0", 0, true},           {"4096", 4096, true},
        {"8K", 8192, true},       {"512M", 512u << 20, true},
        {"8G", 8ull << 30, true}, {"2t", 2ull << 40, true},
        {"", 0, false},           {"-1", 0, false},
        {"K", 0, false},          {"8KB", 0, false},
        {"8 G", 0, false},        {"0x10", 0, false},
        {"1e3", 0, false},        {"18446744073709551616", 0, false},
        {"16777216T", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        bool valid = parse_size(cases[i].text, UINT64_MAX, &value);
        if (valid != cases[i].valid)
            print_error("case '%s'\n", cases[i].text);
        assert_int_equal(valid, cases[i].valid);
        if (valid)
            assert_int_equal(value, cases[i].value);
    }
    uint64_t value;
    assert_false(parse_size("4G", UINT32_MAX, &value));
}

struct values {
    bool flag, given;
    const char *text;
    uint32_t count, choice;
    int32_t number;
    uint64_t seed;
    float real;
    struct option_counts counts;
    struct option_texts texts;
};

static void values_set(struct values *values, struct option_set *set)
{
    *values = (struct values){0};
    *set = (struct option_set){.count = 0};
    const struct option_spec specs[] = {
        {"flag", 'f', OPTION_FLAG, &values->flag, NULL, "help", &values->given},
        {"text", 't', OPTION_TEXT, &values->text, "TEXT", NULL, 0},
        {"count", 'c', OPTION_COUNT, &values->count, "N", NULL, 0},
        {"choice", 0, OPTION_CHOICE, &values->choice, "f16|f32|q8_0", NULL, 0},
        {"number", 0, OPTION_SIGNED, &values->number, "N", NULL, 0},
        {"seed", 0, OPTION_SEED, &values->seed, "N", NULL, 0},
        {"real", 0, OPTION_REAL, &values->real, "X", NULL, 0},
        {"counts", 'd', OPTION_COUNTS, &values->counts, "N,N", NULL, 0},
        {"stop", 0, OPTION_TEXTS, &values->texts, "TEXT", NULL, 0},
        {"later", 0, OPTION_NOT_YET, NULL, "X", NULL, 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
}

/* Splits at spaces and parses. */
static bool parse_line(struct values *values, const char *line, int *first, char **operand,
                       struct fault *fault)
{
    static char words[256];
    char *argv[32] = {words};
    int argc = 1;
    struct option_set set;
    values_set(values, &set);
    snprintf(words, sizeof words, "x %s", line);
    for (char *at = words; (at = strchr(at, ' ')); argc++) {
        *at++ = 0;
        argv[argc] = at;
    }
    bool done = options_parse(&set, argc, argv, first, fault);
    *operand = done && *first < argc ? argv[*first] : NULL;
    return done;
}

static void test_options(void **state)
{
    (void)state;
    struct values values;
    struct fault fault = {0};
    int first;
    char *operand;
    assert_true(parse_line(&values,
                           "model -f --text=abc -c 8K --choice q8_0 --number -1 --seed "
                           "18446744073709551615 --real 0.5 -d 0,4K --stop a --stop b",
                           &first, &operand, &fault));
    assert_true(values.flag && values.given);
    assert_string_equal(values.text, "abc");
    assert_int_equal(values.count, 8192);
    assert_int_equal(values.choice, 2);
    assert_int_equal(values.number, -1);
    assert_true(values.seed == UINT64_MAX);
    assert_true(values.real == 0.5f);
    assert_int_equal(values.counts.count, 2);
    assert_int_equal(values.counts.items[1], 4096);
    assert_int_equal(values.texts.count, 2);
    assert_string_equal(values.texts.items[1], "b");
    assert_string_equal(operand, "model");
    assert_true(parse_line(&values, "-- --text", &first, &operand, &fault));
    assert_string_equal(operand, "--text");
}

static void test_wrong_options(void **state)
{
    (void)state;
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"--count x", "--count: expected a whole number"},
        {"--count", "--count: expected a value"},
        {"-c", "--count: expected a value"},
        {"-c 5000000000", "--count"},
        {"--choice bf16", "--choice: expected f16|f32|q8_0, found 'bf16'"},
        {"--choice f1", "--choice"},
        {"--real nan", "--real"},
        {"--real 1e99", "--real"},
        {"--real 1x", "--real"},
        {"--seed -1", "--seed"},
        {"--number 3000000000", "--number"},
        {"--counts 1,,2", "--counts"},
        {"--counts 1,", "--counts"},
        {"--later 1", "--later: not yet"},
        {"--none", "--none: no such option"},
        {"-z", "-z: no such option"},
        {"--flag=1", "--flag=1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct values values;
        struct fault fault = {0};
        int first;
        char *operand;
        assert_false(parse_line(&values, cases[i].line, &first, &operand, &fault));
        if (!strstr(fault.text, cases[i].part))
            print_error("'%s' gave: %s\n", cases[i].line, fault.text);
        assert_non_null(strstr(fault.text, cases[i].part));
        assert_int_equal(fault.kind, FAULT_ARGUMENT);
    }
}

static void test_show(void **state)
{
    (void)state;
    struct values values;
    struct option_set set;
    char text[64];
    values_set(&values, &set);
    values.choice = 1;
    option_show(option_set_find(&set, "choice"), text, sizeof text);
    assert_string_equal(text, "f32");
    assert_true(option_store(option_set_find(&set, "real"), "0.25", NULL));
    option_show(option_set_find(&set, "real"), text, sizeof text);
    assert_string_equal(text, "0.25");
    assert_null(option_set_find(&set, "nothing"));
}

static void assert_safe(const char *bytes, size_t size, const char *expected)
{
    struct text text = {0};
    assert_true(text_add(&text, "", 0, NULL));
    assert_true(text_add_safe(&text, bytes, size, NULL));
    assert_string_equal(text.bytes, expected);
    text_free(&text);
}
#define SAFE(bytes, expected) assert_safe(bytes, sizeof bytes - 1, expected)

static void test_terminal_filter(void **state)
{
    (void)state;
    SAFE("plain\ttext\n", "plain\ttext\n");
    SAFE("\x1b]52;c;cm0gLXJm\x07x", "]52;c;cm0gLXJmx");
    SAFE("\x1b[2J\x1b]0;title\x1b\\", "[2J]0;title\\");
    SAFE("a\rb\bc\x7f\0d", "abcd");
    SAFE("\xC2\x9B"
         "31m\xC2\x85",
         "31m"); /* C1 */
    SAFE("\xE2\x80\xAE"
         "abc\xE2\x81\xA6",
         "<U+202E>abc<U+2066>");
    SAFE("\xE5\x8C\x97\xE4\xBA\xAC \xF0\x9F\x98\x80 \xC3\xA9",
         "\xE5\x8C\x97\xE4\xBA\xAC \xF0\x9F\x98\x80 \xC3\xA9");
    SAFE("\xFF\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    SAFE("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
}

/* Every byte sequence of three: never a control byte out but newline and tab, always UTF-8. */
static void test_terminal_filter_all(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1u << 24; i += 7) {
        char bytes[3] = {(char)(i >> 16), (char)(i >> 8), (char)i};
        struct text text = {0};
        assert_true(text_add_safe(&text, bytes, 3, NULL));
        for (size_t k = 0; k < text.size; k++) {
            unsigned char byte = (unsigned char)text.bytes[k];
            assert_true(byte >= 0x20 || byte == '\n' || byte == '\t');
            assert_true(byte != 0x7F);
        }
        json_t *string = json_stringn(text.bytes ? text.bytes : "", text.size);
        assert_non_null(string);
        json_decref(string);
        text_free(&text);
    }
}

static void test_json_text(void **state)
{
    (void)state;
    json_t *string = json_of_text("a\xFF\xE5\x8C\x97\0b", 7);
    assert_non_null(string);
    assert_int_equal(json_string_length(string), 9);
    assert_memory_equal(json_string_value(string), "a\xEF\xBF\xBD\xE5\x8C\x97\0b", 9);
    json_decref(string);
}

static void test_npy(void **state)
{
    (void)state;
    unsigned char header[NPY_HEADER_SIZE];
    npy_header(3, 49152, header);
    assert_memory_equal(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_int_equal(header[127], '\n');
    assert_int_equal(NPY_HEADER_SIZE % 64, 0);
    char text[NPY_HEADER_SIZE - 9];
    memcpy(text, header + 10, sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_non_null(
        strstr(text, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 49152), }"));
    npy_header(SIZE_MAX, SIZE_MAX, header); /* the longest fits */
    assert_int_equal(header[127], '\n');
}

static void test_ids(void **state)
{
    (void)state;
    struct lichen_ids ids;
    struct fault fault = {0};
    assert_true(parse_ids(" 1,2\n3\t,4 2147483647", "x", &ids, NULL));
    assert_int_equal(ids.count, 5);
    assert_int_equal(ids.ids[4], INT32_MAX);
    free(ids.ids);
    assert_true(parse_ids("", "x", &ids, NULL));
    assert_int_equal(ids.count, 0);
    free(ids.ids);
    assert_false(parse_ids("1,b", "the ids", &ids, &fault));
    assert_non_null(strstr(fault.text, "the ids: expected token ids as 1,2,3, found 'b'"));
    assert_false(parse_ids("1,-2", "x", &ids, NULL));
    assert_false(parse_ids("2147483648", "x", &ids, NULL));
    assert_false(parse_ids("1.5", "x", &ids, NULL));
}

#define RESULT LICHEN_TEST_OUTPUT "/result.bin"

static void test_result_file(void **state)
{
    (void)state;
    struct result_file file;
    remove(RESULT);
    assert_true(result_open(&file, RESULT, 0600, NULL));
    assert_true(result_write(&file, "half", 4, NULL));
    assert_false(test_file_exists(RESULT)); /* not under its name before it is whole */
    result_abort(&file);
    assert_false(test_file_exists(RESULT));
    assert_true(result_open(&file, RESULT, 0600, NULL));
    assert_true(result_write(&file, "whole", 5, NULL));
    assert_true(result_commit(&file, NULL));
    assert_true(test_file_exists(RESULT));
    remove(RESULT);
}

static void test_result_full_disk(void **state)
{
    (void)state;
    struct result_file file;
    struct fault fault = {0};
    char block[65536] = {0};
    assert_true(result_open(&file, "/dev/full", 0600, NULL));
    bool done = result_write(&file, block, sizeof block, &fault) && result_commit(&file, &fault);
    result_abort(&file);
    assert_false(done);
    assert_non_null(strstr(fault.text, "/dev/full: No space left on device"));
    assert_true(test_file_exists("/dev/full")); /* the device was not replaced by a file */
    fault = (struct fault){0};
    assert_false(result_open(&file, "/nonexistent/x", 0600, &fault));
    result_abort(&file);
    assert_non_null(strstr(fault.text, "/nonexistent/x"));
}

static void test_size_text(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(size_text(999, text), "999 B");
    assert_string_equal(size_text(98362432, text), "98.4 MB");
    assert_string_equal(size_text(1500, text), "1.50 kB");
    assert_string_equal(size_text(8ull << 30, text), "8.59 GB");
}

#define CHAT LICHEN_TEST_OUTPUT "/chat.json"

static void test_chat_file(void **state)
{
    (void)state;
    struct chat *chat = calloc(1, sizeof *chat), *other = calloc(1, sizeof *other);
    assert_non_null(chat);
    assert_non_null(other);
    assert_true(chat_add(chat, "user", "Why?\n\"quoted\" \xE5\x8C\x97", NULL));
    assert_true(chat_add(chat, "assistant", "Because.", NULL));
    assert_true(chat_set_system(chat, "Be brief.", NULL));
    assert_true(chat_set_system(chat, "Be kind.", NULL));
    assert_int_equal(chat->count, 3);
    remove(CHAT);
    assert_true(chat_save(chat, CHAT, NULL));
    assert_true(chat_save(chat, CHAT, NULL)); /* a saved chat may be replaced */
    assert_true(chat_add(other, "user", "gone", NULL));
    assert_true(chat_load(other, CHAT, NULL));
    assert_int_equal(other->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(other->messages[i].role, chat->messages[i].role);
        assert_string_equal(other->messages[i].content, chat->messages[i].content);
    }
    assert_true(chat_set_system(other, NULL, NULL));
    assert_int_equal(other->count, 2);
    chat_drop(chat, 0);
    chat_drop(other, 0);
    free(chat->messages);
    free(other->messages);
    free(chat);
    free(other);
}

static void test_chat_file_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *content, *part;
    } cases[] = {
        {"", "not a saved chat"},
        {"hello", "not a saved chat"},
        {"{}", "not a saved chat"},
        {"[1]", "not a saved chat"},
        {"{\"lichen_chat\": true, \"messages\": [{\"role\": \"user\"}]}", "message 0"},
        {"{\"lichen_chat\": true, \"messages\": [{\"role\": 1, \"content\": \"x\"}]}", "message 0"},
    };
    struct chat *chat = calloc(1, sizeof *chat);
    assert_non_null(chat);
    assert_true(chat_add(chat, "user", "kept", NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault fault = {0};
        FILE *file = fopen(CHAT, "w");
        assert_non_null(file);
        fputs(cases[i].content, file);
        fclose(file);
        assert_false(chat_load(chat, CHAT, &fault));
        assert_non_null(strstr(fault.text, cases[i].part));
        assert_int_equal(chat->count, 1);
        assert_string_equal(chat->messages[0].content, "kept");
    }
    struct fault fault = {0};
    FILE *file = fopen(CHAT, "w");
    assert_non_null(file);
    fputs("precious", file);
    fclose(file);
    assert_false(chat_save(chat, CHAT, &fault)); /* never over somebody's other file */
    assert_non_null(strstr(fault.text, "exists and is not a saved chat"));
    chat_drop(chat, 0);
    free(chat->messages);
    free(chat);
    remove(CHAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_terminal_filter),
        cmocka_unit_test(test_terminal_filter_all),
        cmocka_unit_test(test_json_text),
        cmocka_unit_test(test_npy),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_result_file),
        cmocka_unit_test(test_result_full_disk),
        cmocka_unit_test(test_size_text),
        cmocka_unit_test(test_chat_file),
        cmocka_unit_test(test_chat_file_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
