/* test_tokenizer_golden.c: imported tokenizers give the ids of the published libraries
 * (gen_tokenizer_golden.py): small ones that were trained for this test, the files of ../shared,
 * and with LICHEN_TOKENIZERS the folder of that script's `published`. */
#include "testing.h"

#include "imported.h"

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURES LICHEN_TEST_DATA "/convert/tokenizers"

static void show(const char *name, json_t *row, const struct token_list *found)
{
    print_message("%s: %s\n  expected %s\n  found    [", name,
                  json_dumps(json_array_get(row, 0), JSON_ENCODE_ANY),
                  json_dumps(json_array_get(row, 1), JSON_COMPACT));
    for (size_t i = 0; i < found->count; i++)
        print_message("%s%d", i ? "," : "", (int)found->ids[i]);
    print_message("]\n");
}

static bool same(const struct token_list *list, const json_t *ids)
{
    if (list->count != json_array_size(ids))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] != json_integer_value(json_array_get(ids, i)))
            return false;
    return true;
}

/* Every text of the golden file: as a whole, and where control tokens are not at stake as a chat
 * that a person typed. */
static size_t check(const char *name, const struct tokenizer *tokenizer, const char *golden)
{
    json_t *rows = json_load_file(golden, JSON_ALLOW_NUL, NULL), *row;
    size_t i, count = json_array_size(rows), wrong = 0;
    if (!rows)
        fail_msg("%s: cannot be read", golden);
    json_array_foreach(rows, i, row)
    {
        json_t *text = json_array_get(row, 0);
        struct tokenize_options options = {true, json_is_true(json_array_get(row, 2))};
        struct token_list list = {0};
        assert_true(tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                                     options, &list, NULL));
        if (!same(&list, json_array_get(row, 1)) && wrong++ < 5)
            show(name, row, &list);
        token_list_free(&list);
    }
    json_decref(rows);
    if (wrong > 0)
        fail_msg("%s: %zu of %zu texts differ", name, wrong, count);
    return count;
}

static size_t check_folder(const char *name, const char *folder, const char *golden,
                           struct tokenizer_hints hints)
{
    struct fault fault = {0};
    struct gguf *gguf;
    struct tokenizer *tokenizer =
        imported_tokenizer(folder, &hints, LICHEN_TEST_OUTPUT "/tokenizer.gguf", &gguf, &fault);
    if (!tokenizer)
        fail_msg("%s", fault.text);
    size_t count = check(name, tokenizer, golden);
    tokenizer_destroy(tokenizer);
    gguf_close(gguf);
    return count;
}

static void test_fixtures(void **state)
{
    (void)state;
    static const char *const names[] = {"byte-level",
                                        "vocab-merges",
                                        "tiktoken",
                                        "metaspace",
                                        "metaspace-first",
                                        "metaspace-never",
                                        "prepend",
                                        "unigram",
                                        "bert",
                                        "bert-cased",
                                        "spm-bpe",
                                        "spm-bpe-map",
                                        "spm-bpe-trim",
                                        "spm-bpe-bare",
                                        "spm-unigram",
                                        "spm-bpe-runs",
                                        "spm-bpe-dummy-runs",
                                        "spm-unigram-map"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char folder[512], golden[512];
        snprintf(folder, sizeof folder, FIXTURES "/%s", names[i]);
        snprintf(golden, sizeof golden, "%.400s/golden.json", folder);
        count += check_folder(names[i], folder, golden, imported_no_hints());
    }
    print_message("%zu texts of %zu tokenizers\n", count, sizeof names / sizeof *names);
}

/* ---- ../shared ---- */

static void link_file(const char *folder, const char *source, const char *name)
{
    char from[1024], to[1024];
    snprintf(from, sizeof from, LICHEN_SHARED "/golden/%s", source);
    snprintf(to, sizeof to, "%s/%s", folder, name);
    unlink(to);
    if (!test_file_exists(from))
        SKIP("%s is not there", from);
    assert_int_equal(symlink(from, to), 0);
}

static const char *new_folder(const char *name)
{
    static char folder[512];
    snprintf(folder, sizeof folder, LICHEN_TEST_OUTPUT "/tokenizer-%s", name);
    mkdir(folder, 0777);
    return folder;
}

static void check_shared(const char *name, const char *const files[][2], const char *model_type,
                         uint32_t rows)
{
    struct tokenizer_hints hints = imported_no_hints();
    hints.model_type = model_type;
    hints.vocab_size = rows;
    const char *folder = new_folder(name);
    char golden[512];
    snprintf(golden, sizeof golden, FIXTURES "/%s.golden.json", name);
    for (size_t i = 0; files[i][0]; i++)
        link_file(folder, files[i][0], files[i][1]);
    size_t count = check_folder(name, folder, golden, hints);
    print_message("%zu texts\n", count);
}

static void test_qwen3(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"tokenizers/qwen3.tokenizer.json", "tokenizer.json"},
        {"tokenizers/qwen3.tokenizer_config.json", "tokenizer_config.json"},
        {NULL, NULL}};
    check_shared("qwen3", files, "qwen3", 151936);
}

static void test_minimind(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"tokenizers/minimind.tokenizer.json", "tokenizer.json"},
        {"tokenizers/minimind.tokenizer_config.json", "tokenizer_config.json"},
        {NULL, NULL}};
    check_shared("minimind", files, "minimind", 6400);
}

static void test_gpt2(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"tokenizers/gpt2.vocab.json", "vocab.json"},
                                           {"tokenizers/gpt2.merges.txt", "merges.txt"},
                                           {NULL, NULL}};
    check_shared("gpt2", files, "gpt2", 50257);
}

static void test_llama3(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"tokenizers/llama3.2.encoder.json", "vocab.json"},
                                           {"tokenizers/llama3.2.vocab.bpe", "merges.txt"},
                                           {NULL, NULL}};
    static const char config[] = "{\"added_tokens_decoder\":{\"128000\":{\"content\":\"<|begin_of_"
                                 "text|>\",\"special\":true}}}";
    imported_save(new_folder("llama3.2"), "tokenizer_config.json", config, sizeof config - 1);
    check_shared("llama3.2", files, "llama", 128256);
}

static void test_stories(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"models/stories260K/tok512.model", "tokenizer.model"},
                                           {NULL, NULL}};
    check_shared("stories260K", files, "llama", 512);
}

/* ---- published ---- */

static void test_published(void **state)
{
    (void)state;
    static const char *const names[] = {"qwen2_5",    "qwen3",      "llama3_1",   "llama3",
                                        "llama2",     "gemma3",     "gemini",     "deepseek_v3",
                                        "gpt4o",      "gptoss",     "gpt35turbo", "claude",
                                        "mistral-v1", "mistral-v3", "mistral-v7"};
    const char *published = getenv("LICHEN_TOKENIZERS");
    size_t count = 0, tokenizers = 0;
    if (!published)
        SKIP("LICHEN_TOKENIZERS names no folder (gen_tokenizer_golden.py published FOLDER)");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char folder[512], golden[560];
        snprintf(folder, sizeof folder, "%s/%s", published, names[i]);
        snprintf(golden, sizeof golden, "%s/golden.json", folder);
        if (!test_file_exists(golden))
            fail_msg("%s is not there", golden);
        count += check_folder(names[i], folder, golden, imported_no_hints());
        tokenizers++;
    }
    print_message("%zu texts of %zu tokenizers\n", count, tokenizers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixtures), cmocka_unit_test(test_qwen3),
        cmocka_unit_test(test_minimind), cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_llama3),   cmocka_unit_test(test_stories),
        cmocka_unit_test(test_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
