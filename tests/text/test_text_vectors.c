/* test_text_vectors.c: tokenizers against what the published implementations give. */
#include "platform.h"
#include "published.h"
#include "testing.h"

#include <jansson.h>
#include <stdlib.h>

static struct token_list encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                                bool special)
{
    struct token_list list = {0};
    struct fault fault = {0};
    struct tokenize_options options = {.special = special};
    if (!tokenizer_encode(tokenizer, text, size, options, &list, &fault))
        fail_msg("%s", fault.text);
    return list;
}

/* ---- llama.cpp's vectors: .inp texts, .out ids ---- */

static const char separator[] = "\n__ggml_vocab_test__\n";

struct vocab_case {
    const char *name;
    bool decodes; /* ids decode to the text */
};

static const struct vocab_case vocab_cases[] = {
    {"bert-bge", false}, {"deepseek-llm", true}, {"falcon", true},    {"gpt-2", true},
    {"gpt-2-json", true}, {"llama-bpe", true},   {"llama-spm", true}, {"mpt", true},
    {"phi-3", true},     {"qwen2", true},
};

static void check_ids(const char *name, int number, const struct token_list *got, const char *line)
{
    char *end = NULL;
    size_t count = 0;
    for (long id = strtol(line, &end, 10); end != line; id = strtol(line, &end, 10)) {
        if (count >= got->count || got->ids[count] != id)
            fail_msg("%s, case %d: token %zu: expected %ld, found %d", name, number, count, id,
                     count < got->count ? got->ids[count] : -1);
        count++;
        line = end;
    }
    if (count != got->count)
        fail_msg("%s, case %d: expected %zu tokens, found %zu", name, number, count, got->count);
}

static void check_text(const char *name, int number, const struct tokenizer *tokenizer,
                       const struct token_list *list, const char *text, size_t size)
{
    char *decoded = NULL;
    size_t decoded_size;
    assert_true(tokenizer_decode_all(tokenizer, list->ids, list->count, false, &decoded,
                                     &decoded_size, NULL));
    if (decoded_size != size || memcmp(decoded, text, size) != 0)
        fail_msg("%s, case %d: decoded to \"%s\"", name, number, decoded);
    free(decoded);
}

static void test_vectors(void **state)
{
    const struct vocab_case *vocab = *state;
    char inp[512], out[512];
    const char *file = strcmp(vocab->name, "gpt-2-json") == 0 ? "gpt-2" : vocab->name;
    snprintf(inp, sizeof inp, GOLDEN "vocab/ggml-vocab-%s.gguf.inp", file);
    snprintf(out, sizeof out, GOLDEN "vocab/ggml-vocab-%s.gguf.out", file);
    struct tokenizer *tokenizer = published_tokenizer(vocab->name);
    if (!tokenizer || !test_file_exists(inp) || !test_file_exists(out))
        SKIP("%s is not there", vocab->name);
    char *texts, *lines;
    size_t texts_size, lines_size;
    assert_true(file_load(inp, 1u << 20, &texts, &texts_size, NULL));
    assert_true(file_load(out, 1u << 20, &lines, &lines_size, NULL));
    int number = 0;
    const char *text = texts;
    char *line = lines;
    for (const char *end; (end = strstr(text, separator)); text = end + sizeof separator - 1) {
        char *line_end = line + strcspn(line, "\n");
        *line_end = 0;
        struct token_list list = encode(tokenizer, text, (size_t)(end - text), false);
        check_ids(vocab->name, number, &list, line);
        if (vocab->decodes)
            check_text(vocab->name, number, tokenizer, &list, text, (size_t)(end - text));
        token_list_free(&list);
        line = line_end + 1;
        number++;
    }
    print_message("%s: %d texts\n", vocab->name, number);
    assert_int_equal(number, 46);
    free(texts);
    free(lines);
    tokenizer_destroy(tokenizer);
}

int main(void)
{
    struct CMUnitTest tests[sizeof vocab_cases / sizeof *vocab_cases];
    size_t count = 0;
    for (size_t i = 0; i < sizeof vocab_cases / sizeof *vocab_cases; i++)
        tests[count++] = (struct CMUnitTest){vocab_cases[i].name, test_vectors, NULL, NULL,
                                             (void *)(uintptr_t)&vocab_cases[i]};
    return _cmocka_run_group_tests("text_vectors", tests, count, NULL, NULL);
}
