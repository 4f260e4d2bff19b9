/* test_template.c: output equal to jinja2's, byte for byte: our own templates and those of others
 * with every conversation (templates/README.md), the templates of ../shared, and some thousand
 * snippets. The expected texts are render_golden.py's. */
#include "testing.h"

#include "template_tools.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>

#define TEMPLATES LICHEN_TEST_DATA "/text/templates"

static json_t *conversations;

static json_t *load_json(const char *path)
{
    size_t size;
    json_error_t error;
    char *text = read_whole(path, &size);
    assert_non_null(text);
    json_t *json = json_loadb(text, size, JSON_ALLOW_NUL, &error);
    if (!json)
        fail_msg("%s: %s", path, error.text);
    free(text);
    return json;
}

static char *dump(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
    assert_non_null(text);
    return text;
}

/* What a fault's text does to a message: one line, 1023 bytes. */
static bool same_message(const struct rendered *got, const char *text, size_t size)
{
    size_t limit = sizeof got->fault.text - 1;
    if (got->size != (size < limit ? size : limit))
        return false;
    for (size_t i = 0; i < got->size; i++)
        if (got->text[i] != text[i] && (got->text[i] != '?' || (unsigned char)text[i] >= ' '))
            return false;
    return true;
}

static bool is_expected(const struct rendered *got, const char *kind, const char *text, size_t size)
{
    if (strcmp(got->kind, kind) != 0)
        return false;
    if (strcmp(kind, "error") == 0)
        return true;
    if (strcmp(kind, "raise") == 0)
        return same_message(got, text, size);
    return got->size == size && memcmp(got->text, text, size) == 0;
}

static void show(const char *name, const char *kind, const char *text, size_t size,
                 const struct rendered *got)
{
    size_t same = 0;
    while (same < size && same < got->size && text[same] == got->text[same])
        same++;
    size_t start = same > 40 ? same - 40 : 0;
    print_message(
        "%s: byte %zu\n  expected %s: %.*s\n  got %s: %.*s\n", name, same, kind,
        (int)(size - start > 120 ? 120 : size - start), text + start, got->kind,
        (int)(got->size > start ? (got->size - start > 120 ? 120 : got->size - start) : 0),
        got->text + (got->size > start ? start : 0));
}

/* One record of an expected file, "CASE KIND SIZE\n" bytes "\n"; moves *at behind it. */
static bool check_record(const char *template, size_t template_size, const char *name,
                         const json_t *conversation, char **at)
{
    char case_name[64], kind[16], label[400];
    size_t size;
    int used;
    assert_int_equal(sscanf(*at, "%63s %15s %zu%n", case_name, kind, &size, &used), 3);
    const char *text = *at + used + 1;
    assert_string_equal(case_name, json_string_value(json_object_get(conversation, "name")));
    *at = (char *)text + size + 1;
    char *variables = dump(json_object_get(conversation, "variables"));
    struct rendered got;
    render(template, template_size, variables, &got);
    bool equal = is_expected(&got, kind, text, size);
    snprintf(label, sizeof label, "%s, %s", name, case_name);
    if (!equal)
        show(label, kind, text, size, &got);
    free(variables);
    free(got.text);
    return equal;
}

struct tally {
    size_t equal, all, templates;
};

static void check_template(const char *template_path, const char *expected_path, const char *name,
                           struct tally *tally)
{
    size_t size, expected_size, index;
    json_t *conversation;
    char *source = read_whole(template_path, &size);
    char *expected = read_whole(expected_path, &expected_size), *at = expected;
    assert_non_null(source);
    if (!expected)
        fail_msg("%s is missing: run render_golden.py", expected_path);
    json_array_foreach(conversations, index, conversation)
    {
        tally->equal += check_record(source, size, name, conversation, &at);
        tally->all++;
    }
    tally->templates++;
    free(source);
    free(expected);
}

static void check_folder(const char *templates, const char *expected, size_t least)
{
    struct tally tally = {0};
    struct dirent *entry;
    DIR *folder = opendir(templates);
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char template_path[1024], expected_path[1024];
        const char *end = strstr(entry->d_name, ".jinja");
        if (!end || end[6])
            continue;
        int size = (int)(end - entry->d_name);
        snprintf(template_path, sizeof template_path, "%s/%s", templates, entry->d_name);
        snprintf(expected_path, sizeof expected_path, "%s/%.*s.txt", expected, size, entry->d_name);
        check_template(template_path, expected_path, entry->d_name, &tally);
    }
    closedir(folder);
    print_message("%zu templates, %zu of %zu renderings equal\n", tally.templates, tally.equal,
                  tally.all);
    assert_true(tally.templates >= least);
    assert_int_equal(tally.equal, tally.all);
}

static void test_own(void **state)
{
    (void)state;
    check_folder(TEMPLATES "/own", TEMPLATES "/expected/own", 8);
}

static void test_third_party(void **state)
{
    (void)state;
    check_folder(TEMPLATES "/third_party", TEMPLATES "/expected/third_party", 20);
}

/* LICHEN_TEMPLATES: one more folder, of NAME.jinja with render_golden.py's NAME.txt beside them. */
static void test_folder(void **state)
{
    const char *folder = getenv("LICHEN_TEMPLATES");
    (void)state;
    if (folder)
        check_folder(folder, folder, 1);
}

static uint64_t hash(const char *text, size_t size) /* FNV-1a */
{
    uint64_t value = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        value = (value ^ (unsigned char)text[i]) * 1099511628211u;
    return value;
}

static void check_hashes(const char *template, const char *expected_path)
{
    size_t size, index;
    json_t *conversation;
    char *expected = read_whole(expected_path, &size), *at = expected;
    assert_non_null(expected);
    json_array_foreach(conversations, index, conversation)
    {
        char name[64], kind[16], wanted[32], found[32];
        int used;
        assert_int_equal(sscanf(at, "%63s %15s %31s\n%n", name, kind, wanted, &used), 3);
        at += used;
        char *variables = dump(json_object_get(conversation, "variables"));
        struct rendered got;
        render(template, strlen(template), variables, &got);
        snprintf(found, sizeof found, "%016llx", (unsigned long long)hash(got.text, got.size));
        assert_string_equal(got.kind, kind);
        if (strcmp(kind, "text") == 0 && strcmp(found, wanted) != 0)
            fail_msg("%s, %s: not jinja2's text", expected_path, name);
        free(variables);
        free(got.text);
    }
    free(expected);
}

static void check_shared(const char *path, const char *expected)
{
    if (!test_file_exists(path))
        SKIP("%s is not there", path);
    json_t *config = load_json(path);
    const char *template = json_string_value(json_object_get(config, "chat_template"));
    assert_non_null(template);
    check_hashes(template, expected);
    json_decref(config);
}

static void test_shared_qwen3(void **state)
{
    (void)state;
    check_shared(LICHEN_SHARED "/golden/tokenizers/qwen3.tokenizer_config.json",
                 TEMPLATES "/expected/qwen3.hashes");
}

static void test_shared_minimind(void **state)
{
    (void)state;
    check_shared(LICHEN_SHARED "/golden/tokenizers/minimind.tokenizer_config.json",
                 TEMPLATES "/expected/minimind.hashes");
}

/* What lichen refuses although jinja2 renders it. */
static bool is_refused(const char *source)
{
    static const char *const refused[] = {"{{ d['b', 'a'] }}", "{{ s.encode() }}", "{{ big|int }}",
                                          "{{ big|int(default=5) }}", "{{ m ** f }}"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(source, refused[i]) == 0)
            return true;
    return false;
}

static bool check_snippet(const json_t *snippet, const char *variables)
{
    const json_t *source = json_object_get(snippet, "source");
    const json_t *text = json_object_get(snippet, "text");
    const char *kind = json_string_value(json_object_get(snippet, "kind"));
    const char *expected = json_string_value(text), *bytes = json_string_value(source);
    struct rendered got;
    render(bytes, json_string_length(source), variables, &got);
    bool address = strstr(expected, " at 0x") != NULL; /* differs from run to run */
    kind = is_refused(bytes) || address ? "error" : kind;
    bool equal = is_expected(&got, kind, expected, json_string_length(text));
    if (!equal)
        show(bytes, kind, expected, json_string_length(text), &got);
    free(got.text);
    return equal;
}

static void test_snippets(void **state)
{
    size_t index, equal = 0;
    json_t *all = load_json(TEMPLATES "/snippets_expected.json"), *snippet;
    json_t *snippets = json_object_get(all, "snippets");
    char *variables = dump(json_object_get(all, "variables"));
    (void)state;
    json_array_foreach(snippets, index, snippet) equal += check_snippet(snippet, variables);
    print_message("%zu of %zu snippets equal\n", equal, json_array_size(snippets));
    assert_true(json_array_size(snippets) > 5000);
    assert_int_equal(equal, json_array_size(snippets));
    free(variables);
    json_decref(all);
}

static int load_conversations(void **state)
{
    (void)state;
    conversations = load_json(TEMPLATES "/conversations.json");
    return json_array_size(conversations) < 30;
}

static int free_conversations(void **state)
{
    (void)state;
    json_decref(conversations);
    render_text("", "{}");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_third_party),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_shared_qwen3),
        cmocka_unit_test(test_shared_minimind),
        cmocka_unit_test(test_snippets),
    };
    return cmocka_run_group_tests(tests, load_conversations, free_conversations);
}
