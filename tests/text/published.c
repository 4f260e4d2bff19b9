/* published.c: see published.h. "gpt-2-json", "llama-bpe", "qwen2" and "minimind" are built from
 * the files a checkpoint brings, the others are GGUF files. */
#include "published.h"
#include "platform.h"
#include "testing.h"
#include "vocab_builder.h"

#include <jansson.h>
#include <stdlib.h>

struct source {
    const char *name, *pre;
    const char *vocab, *merges; /* merges NULL: vocab is a tokenizer.json */
};

static const struct source sources[] = {
    {"gpt-2-json", "gpt-2", "gpt2.vocab.json", "gpt2.merges.txt"},
    {"llama-bpe", "llama-bpe", "llama3.2.encoder.json", "llama3.2.vocab.bpe"},
    {"qwen2", "qwen2", "qwen3.tokenizer.json", NULL},
    {"minimind", "gpt-2", "minimind.tokenizer.json", NULL},
};

struct lists { /* strings are the JSON's or the file's */
    struct gguf_string *tokens;
    int32_t *kinds;
    size_t token_count;
    struct gguf_string *merges;
    size_t merge_count;
    char *merge_bytes;
};

static void put_token(struct lists *lists, const char *bytes, size_t size, json_int_t id, int kind)
{
    assert_true(id >= 0 && id < 1000000);
    for (; lists->token_count <= (size_t)id; lists->token_count++)
        lists->tokens[lists->token_count] = (struct gguf_string){"", 0};
    lists->tokens[id] = (struct gguf_string){bytes, size};
    lists->kinds[id] = kind;
}

static void read_vocab(struct lists *lists, json_t *vocab)
{
    const char *key;
    json_t *id;
    json_object_foreach(vocab, key, id)
        put_token(lists, key, strlen(key), json_integer_value(id), TOKEN_NORMAL);
}

static void read_added(struct lists *lists, json_t *added)
{
    size_t i;
    json_t *token;
    json_array_foreach(added, i, token)
    {
        json_t *content = json_object_get(token, "content");
        put_token(lists, json_string_value(content), json_string_length(content),
                  json_integer_value(json_object_get(token, "id")),
                  json_is_true(json_object_get(token, "special")) ? TOKEN_CONTROL
                                                                  : TOKEN_USER_DEFINED);
    }
}

/* ["a", "b"] pairs to "a b". */
static void read_merge_pairs(struct lists *lists, json_t *merges)
{
    size_t count = json_array_size(merges), size = 0;
    lists->merges = calloc(count, sizeof *lists->merges);
    for (size_t i = 0; i < count; i++)
        for (size_t part = 0; part < 2; part++)
            size += json_string_length(json_array_get(json_array_get(merges, i), part)) + 1;
    char *end = lists->merge_bytes = malloc(size + 1);
    for (size_t i = 0; i < count; i++) {
        json_t *pair = json_array_get(merges, i);
        int used = sprintf(end, "%s %s", json_string_value(json_array_get(pair, 0)),
                           json_string_value(json_array_get(pair, 1)));
        lists->merges[lists->merge_count++] = (struct gguf_string){end, (size_t)used};
        end += used;
    }
}

static void read_merge_lines(struct lists *lists, const char *path)
{
    size_t size;
    assert_true(file_load(path, 1u << 26, &lists->merge_bytes, &size, NULL));
    lists->merges = calloc(size, sizeof *lists->merges);
    for (const char *line = lists->merge_bytes; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > 0 && strncmp(line, "#version", 8) != 0)
            lists->merges[lists->merge_count++] = (struct gguf_string){line, length};
        line += length + (line[length] == '\n');
    }
}

static struct tokenizer *build(const struct source *source, json_t *root)
{
    struct lists lists = {.tokens = calloc(1000001, sizeof *lists.tokens),
                          .kinds = calloc(1000001, sizeof *lists.kinds)};
    for (size_t i = 0; i < 1000001; i++)
        lists.kinds[i] = TOKEN_UNUSED;
    if (source->merges) {
        char path[512];
        snprintf(path, sizeof path, GOLDEN "tokenizers/%s", source->merges);
        read_vocab(&lists, root);
        read_merge_lines(&lists, path);
    } else {
        json_t *model = json_object_get(root, "model");
        read_vocab(&lists, json_object_get(model, "vocab"));
        read_merge_pairs(&lists, json_object_get(model, "merges"));
        read_added(&lists, json_object_get(root, "added_tokens"));
    }
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", "gpt2");
    vocab_text(&builder, "tokenizer.ggml.pre", source->pre);
    vocab_texts(&builder, "tokenizer.ggml.tokens", lists.tokens, lists.token_count);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", lists.kinds, lists.token_count);
    vocab_texts(&builder, "tokenizer.ggml.merges", lists.merges, lists.merge_count);
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    if (!tokenizer)
        fail_msg("%s: %s", source->name, fault.text);
    vocab_free(&builder);
    free(lists.tokens);
    free(lists.kinds);
    free(lists.merges);
    free(lists.merge_bytes);
    return tokenizer;
}

static struct tokenizer *from_gguf(const char *path)
{
    struct fault fault = {0};
    struct gguf *gguf = NULL;
    struct tokenizer *tokenizer = NULL;
    if (!gguf_open(path, &gguf, &fault) || !tokenizer_create(gguf, &tokenizer, &fault))
        fail_msg("%s: %s", path, fault.text);
    gguf_close(gguf);
    return tokenizer;
}

struct tokenizer *published_tokenizer(const char *name)
{
    char path[512];
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(sources[i].name, name) != 0)
            continue;
        snprintf(path, sizeof path, GOLDEN "tokenizers/%s", sources[i].vocab);
        if (!test_file_exists(path))
            return NULL;
        json_error_t error;
        json_t *root = json_load_file(path, 0, &error);
        if (!root)
            fail_msg("%s: %s", path, error.text);
        struct tokenizer *tokenizer = build(&sources[i], root);
        json_decref(root);
        return tokenizer;
    }
    snprintf(path, sizeof path, GOLDEN "vocab/ggml-vocab-%s.gguf", name);
    if (name[0] == '/')
        snprintf(path, sizeof path, "%s", name);
    return test_file_exists(path) ? from_gguf(path) : NULL;
}
