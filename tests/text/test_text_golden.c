/* test_text_golden.c: against the files that gen_golden.py wrote with the published libraries. */
#include "pretokenize.h"
#include "published.h"
#include "testing.h"
#include "vocab_builder.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, LICHEN_TEST_DATA "/text/%s", name);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

/* ---- pieces ---- */

static void check_pieces(const char *name, const struct pretokenizer *pre, json_t *row)
{
    json_t *text = json_array_get(row, 0), *ends = json_array_get(row, 1);
    struct splitter splitter = {0};
    assert_true(pretokenizer_split(pre, json_string_value(text), json_string_length(text),
                                   &splitter, NULL));
    const struct piece_list *list = &splitter.pieces;
    for (size_t i = 0; i < list->count || i < json_array_size(ends); i++)
        if (i >= list->count ||
            (json_int_t)list->ends[i] != json_integer_value(json_array_get(ends, i)))
            fail_msg("%s: %s: piece %zu differs", name, json_dumps(text, JSON_ENCODE_ANY), i);
    splitter_free(&splitter);
}

static void test_pieces(void **state)
{
    (void)state;
    json_t *root = load("pretokenize_golden.json"), *rows, *row;
    const char *name;
    size_t i, count = 0;
    json_object_foreach(root, name, rows)
    {
        struct pretokenizer *pre;
        assert_true(pretokenizer_create(name, &pre, NULL));
        json_array_foreach(rows, i, row)
        {
            check_pieces(name, pre, row);
            count++;
        }
        pretokenizer_destroy(pre);
    }
    print_message("%zu texts cut by %zu pre-tokenizers\n", count, json_object_size(root));
    json_decref(root);
}

/* ---- ids ---- */

static void check_ids(const char *name, const struct tokenizer *tokenizer, json_t *row)
{
    json_t *text = json_array_get(row, 0), *ids = json_array_get(row, 1);
    struct token_list list = {0};
    assert_true(tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                                 (struct tokenize_options){0}, &list, NULL));
    for (size_t i = 0; i < list.count || i < json_array_size(ids); i++)
        if (i >= list.count || list.ids[i] != json_integer_value(json_array_get(ids, i)))
            fail_msg("%s: %s: token %zu: expected %lld, found %d", name,
                     json_dumps(text, JSON_ENCODE_ANY), i,
                     (long long)json_integer_value(json_array_get(ids, i)),
                     i < list.count ? list.ids[i] : -1);
    token_list_free(&list);
}

static void test_ids(void **state)
{
    (void)state;
    json_t *root = load("encode_golden.json"), *rows, *row;
    const char *name;
    size_t i, count = 0, missing = 0;
    json_object_foreach(root, name, rows)
    {
        struct tokenizer *tokenizer = published_tokenizer(name);
        missing += !tokenizer;
        if (!tokenizer)
            continue;
        json_array_foreach(rows, i, row)
        {
            check_ids(name, tokenizer, row);
            count++;
        }
        tokenizer_destroy(tokenizer);
    }
    json_decref(root);
    print_message("%zu texts encoded\n", count);
    if (missing > 0)
        SKIP("%zu vocabularies are not there", missing);
}

/* ---- SentencePiece ---- */

static struct tokenizer *build(const char *name, json_t *model)
{
    json_t *tokens = json_object_get(model, "tokens");
    size_t count = json_array_size(tokens);
    struct gguf_string *spellings = calloc(count, sizeof *spellings);
    float *scores = calloc(count, sizeof *scores);
    int32_t *kinds = calloc(count, sizeof *kinds);
    for (size_t i = 0; i < count; i++) {
        json_t *token = json_array_get(tokens, i);
        spellings[i] = (struct gguf_string){json_string_value(token), json_string_length(token)};
        scores[i] = (float)json_number_value(json_array_get(json_object_get(model, "scores"), i));
        kinds[i] = (int32_t)json_integer_value(json_array_get(json_object_get(model, "kinds"), i));
    }
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model",
               json_string_value(json_object_get(model, "model")));
    vocab_texts(&builder, "tokenizer.ggml.tokens", spellings, count);
    vocab_f32s(&builder, "tokenizer.ggml.scores", scores, count);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", kinds, count);
    vocab_bool(&builder, "tokenizer.ggml.add_space_prefix",
               json_is_true(json_object_get(model, "add_space_prefix")));
    vocab_bool(&builder, "tokenizer.ggml.remove_extra_whitespaces",
               json_is_true(json_object_get(model, "remove_extra_whitespaces")));
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    if (!tokenizer)
        fail_msg("%s: %s", name, fault.text);
    vocab_free(&builder);
    free(spellings);
    free(scores);
    free(kinds);
    return tokenizer;
}

/* Decoding of known characters; sentencepiece shows an unknown token as " ?" (U+2047). */
static void check_decoded(const char *name, const struct tokenizer *tokenizer, json_t *row)
{
    json_t *ids = json_array_get(row, 1), *text = json_array_get(row, 2);
    int32_t *list = calloc(json_array_size(ids) + 1, sizeof *list);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        list[i] = (int32_t)json_integer_value(json_array_get(ids, i));
        if (tokenizer_kind(tokenizer, list[i]) == TOKEN_UNKNOWN) {
            free(list);
            return;
        }
    }
    char *decoded;
    size_t size;
    assert_true(
        tokenizer_decode_all(tokenizer, list, json_array_size(ids), false, &decoded, &size, NULL));
    if (size != json_string_length(text) || memcmp(decoded, json_string_value(text), size) != 0)
        fail_msg("%s: expected %s, decoded \"%s\"", name, json_dumps(text, JSON_ENCODE_ANY),
                 decoded);
    free(decoded);
    free(list);
}

static void test_sentencepiece(void **state)
{
    (void)state;
    json_t *root = load("sentencepiece_golden.json"), *model, *row;
    const char *name;
    size_t i, count = 0;
    json_object_foreach(root, name, model)
    {
        struct tokenizer *tokenizer = build(name, model);
        json_array_foreach(json_object_get(model, "cases"), i, row)
        {
            check_ids(name, tokenizer, row);
            check_decoded(name, tokenizer, row);
            count++;
        }
        tokenizer_destroy(tokenizer);
    }
    json_decref(root);
    print_message("%zu texts\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_sentencepiece),
    };
    return cmocka_run_group_tests_name("text_golden", tests, NULL, NULL);
}
