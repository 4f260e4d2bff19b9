/* test_text_tokenizer.c: tiny vocabularies: what is refused and how, special tokens, user text. */
#include "parallel.h"
#include "testing.h"
#include "tokenizer.h"
#include "vocab.h"
#include "utf8.h"
#include "vocab_builder.h"

#include <math.h>
#include <stdlib.h>

/* ---- a byte-level vocabulary: ids 0..255 are the bytes, then these ---- */

enum { HE = 256, LL, HELL, SPACE_W, BOS, EOS, USER, UNK, LONGER, RUN2, RUN3, DOUBLE, TINY_COUNT };

struct tiny { /* a vocabulary and what a test changes in it */
    const char *model, *pre;
    const char *tokens[TINY_COUNT];
    int32_t kinds[TINY_COUNT];
    float scores[TINY_COUNT];
    size_t token_count, kind_count, score_count;
    const char *merges[8];
    size_t merge_count;
    const char *id_key;
    uint32_t id;
    const char *flag_key;
};

static char alphabet[256][4];

static struct tiny tiny_new(void)
{
    struct tiny tiny = {
        .model = "gpt2", .pre = "gpt-2", .token_count = TINY_COUNT, .kind_count = TINY_COUNT};
    for (unsigned byte = 0; byte < 256; byte++) {
        alphabet[byte][utf8_write(byte_to_code((uint8_t)byte), alphabet[byte])] = 0;
        tiny.tokens[byte] = alphabet[byte];
    }
    for (int i = 0; i < TINY_COUNT; i++)
        tiny.kinds[i] = TOKEN_NORMAL;
    tiny.tokens[HE] = "he";
    tiny.tokens[LL] = "ll";
    tiny.tokens[HELL] = "hell";
    tiny.tokens[SPACE_W] = "Ġw";
    tiny.tokens[BOS] = "<s>";
    tiny.tokens[EOS] = "<|im_end|>";
    tiny.tokens[USER] = "<user>";
    tiny.tokens[UNK] = "<unk>";
    tiny.tokens[LONGER] = "<s>x";
    tiny.tokens[RUN2] = "  ";
    tiny.tokens[RUN3] = "   ";
    tiny.tokens[DOUBLE] = "he";
    tiny.kinds[BOS] = tiny.kinds[EOS] = tiny.kinds[LONGER] = TOKEN_CONTROL;
    tiny.kinds[USER] = tiny.kinds[RUN2] = tiny.kinds[RUN3] = TOKEN_USER_DEFINED;
    tiny.kinds[UNK] = TOKEN_UNKNOWN;
    const char *merges[] = {"h e", "l l", "he ll", "Ġ w", "h e"};
    tiny.merge_count = sizeof merges / sizeof *merges;
    memcpy(tiny.merges, merges, sizeof merges);
    return tiny;
}

static struct tokenizer *tiny_build(const struct tiny *tiny, struct fault *fault)
{
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", tiny->model);
    if (tiny->pre)
        vocab_text(&builder, "tokenizer.ggml.pre", tiny->pre);
    vocab_words(&builder, "tokenizer.ggml.tokens", tiny->tokens, tiny->token_count);
    if (tiny->kind_count > 0)
        vocab_i32s(&builder, "tokenizer.ggml.token_type", tiny->kinds, tiny->kind_count);
    if (tiny->score_count > 0)
        vocab_f32s(&builder, "tokenizer.ggml.scores", tiny->scores, tiny->score_count);
    if (tiny->merge_count > 0)
        vocab_words(&builder, "tokenizer.ggml.merges", tiny->merges, tiny->merge_count);
    if (tiny->id_key)
        vocab_u32(&builder, tiny->id_key, tiny->id);
    if (tiny->flag_key)
        vocab_bool(&builder, tiny->flag_key, true);
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, fault);
    vocab_free(&builder);
    return tokenizer;
}

static struct tokenizer *tiny_good(const struct tiny *tiny)
{
    struct fault fault = {0};
    struct tokenizer *tokenizer = tiny_build(tiny, &fault);
    if (!tokenizer)
        fail_msg("%s", fault.text);
    return tokenizer;
}

/* ids: ends with -1. */
static void check(const struct tokenizer *tokenizer, const char *text, size_t size,
                  struct tokenize_options options, const int32_t *ids)
{
    struct token_list list = {0};
    assert_true(tokenizer_encode(tokenizer, text, size, options, &list, NULL));
    size_t count = 0;
    for (; ids[count] >= 0; count++)
        if (count >= list.count || list.ids[count] != ids[count])
            fail_msg("\"%s\": token %zu: expected %d, found %d", text, count, ids[count],
                     count < list.count ? list.ids[count] : -1);
    assert_int_equal(list.count, count);
    token_list_free(&list);
}

#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})
#define PLAIN ((struct tokenize_options){0})
#define SPECIAL ((struct tokenize_options){.special = true})

static void check_decoded(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                          bool special, const char *expected)
{
    char *text;
    size_t size;
    assert_true(tokenizer_decode_all(tokenizer, ids, count, special, &text, &size, NULL));
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

/* ---- byte-level BPE ---- */

static void test_bpe(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    struct tokenizer *tokenizer = tiny_good(&tiny);
    check(tokenizer, "", 0, PLAIN, IDS(-1));
    check(tokenizer, "hello w", 7, PLAIN, IDS(HELL, 'o', SPACE_W));
    check(tokenizer, "hehell", 6, PLAIN, IDS(HE, HELL));
    check(tokenizer, "lll", 3, PLAIN, IDS(LL, 'l'));
    check(tokenizer, "a\xFF\xE4\xBD", 4, PLAIN, IDS('a', 0xFF, 0xE4, 0xBD));
    check(tokenizer, "\xE4\xBD\xA0", 3, PLAIN, IDS(0xE4, 0xBD, 0xA0));
    check(tokenizer, "a\0b", 3, PLAIN, IDS('a', 0, 'b'));
    assert_int_equal(tokenizer_find(tokenizer, "he", 2), HE); /* not DOUBLE */
    assert_int_equal(tokenizer_find(tokenizer, "nothing", 7), -1);
    assert_int_equal(tokenizer_find(tokenizer, "", 0), -1);
    check_decoded(tokenizer, IDS(HELL, 'o', SPACE_W), 3, false, "hello w");
    check_decoded(tokenizer, IDS(DOUBLE, BOS, EOS, USER), 4, false, "he<user>");
    check_decoded(tokenizer, IDS(BOS, RUN3, UNK), 3, true, "<s>   <unk>");
    char bytes[4] = "zzz";
    assert_int_equal(tokenizer_decode(tokenizer, HELL, false, bytes, 3), 4);
    assert_string_equal(bytes, "zzz"); /* too small: nothing written */
    assert_int_equal(tokenizer_decode(tokenizer, SPACE_W, false, bytes, 2), 2);
    assert_string_equal(bytes, " wz");
    tokenizer_destroy(tokenizer);
    tokenizer_destroy(NULL);
}

static void test_special(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    struct tokenizer *tokenizer = tiny_good(&tiny);
    check(tokenizer, "<s>h", 4, PLAIN, IDS('<', 's', '>', 'h'));
    check(tokenizer, "<s>h", 4, SPECIAL, IDS(BOS, 'h'));
    check(tokenizer, "<s>xh<s>", 8, SPECIAL, IDS(LONGER, 'h', BOS)); /* the longest */
    check(tokenizer, "<unk>", 5, PLAIN, IDS('<', 'u', 'n', 'k', '>'));
    check(tokenizer, "<unk>", 5, SPECIAL, IDS(UNK));
    check(tokenizer, "a<user>b", 8, PLAIN, IDS('a', USER, 'b'));
    check(tokenizer, "     x", 6, PLAIN, IDS(RUN3, RUN2, 'x'));
    check(tokenizer, "<<s><s", 6, SPECIAL, IDS('<', BOS, '<', 's'));
    assert_int_equal(tokenizer_control_at(tokenizer, "<s>xy", 5), 4);
    assert_int_equal(tokenizer_control_at(tokenizer, "<s>xy", 3), 3);
    assert_int_equal(tokenizer_control_at(tokenizer, "<user>", 6), 0);
    assert_int_equal(tokenizer_control_at(tokenizer, "", 0), 0);
    assert_true(tokenizer_ends(tokenizer, EOS));
    assert_false(tokenizer_ends(tokenizer, BOS));
    tokenizer_destroy(tokenizer);
}

static void check_chat(const struct tokenizer *tokenizer, const char *text,
                       const struct text_range *plain, size_t count, const int32_t *ids)
{
    struct token_list list = {0};
    assert_true(tokenizer_encode_chat(tokenizer, text, strlen(text), plain, count, &list, NULL));
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.ids[i], ids[i]);
    assert_int_equal(ids[list.count], -1);
    token_list_free(&list);
}

static void test_chat(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    struct tokenizer *tokenizer = tiny_good(&tiny);
    check_chat(tokenizer, "<s>a<s>", NULL, 0, IDS(BOS, 'a', BOS));
    check_chat(tokenizer, "<s>a<s>b", &(struct text_range){4, 3}, 1,
               IDS(BOS, 'a', '<', 's', '>', 'b'));
    check_chat(tokenizer, "<s>a<s>b", &(struct text_range){5, 1}, 1,
               IDS(BOS, 'a', '<', 's', '>', 'b'));
    /* The template's "<s>" before a typed "x" is not "<s>x". */
    check_chat(tokenizer, "<s>x", &(struct text_range){3, 1}, 1, IDS(BOS, 'x'));
    const struct text_range two[] = {{0, 3}, {6, 3}};
    check_chat(tokenizer, "<s><s><s><s>", two, 2, IDS('<', 's', '>', BOS, '<', 's', '>', BOS));
    check_chat(tokenizer, "<s>", &(struct text_range){0, 0}, 1, IDS(BOS));
    check_chat(tokenizer, "<s>", &(struct text_range){9, 3}, 1, IDS(BOS)); /* behind the end */
    check_chat(tokenizer, "<s>", &(struct text_range){2, 9}, 1, IDS('<', 's', '>'));
    tokenizer_destroy(tokenizer);
}

/* A token that ends answers is a control token whatever the file says. */
static void test_end_kinds(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    tiny.kinds[EOS] = TOKEN_USER_DEFINED;
    struct tokenizer *tokenizer = tiny_good(&tiny);
    assert_int_equal(tokenizer_kind(tokenizer, EOS), TOKEN_CONTROL);
    struct token_list list = {0};
    assert_true(tokenizer_encode(tokenizer, "<|im_end|>", 10, PLAIN, &list, NULL));
    assert_int_equal(list.count, 10);
    token_list_free(&list);
    tokenizer_destroy(tokenizer);
    tiny.id_key = "tokenizer.ggml.eot_token_id";
    tiny.id = USER;
    tokenizer = tiny_good(&tiny);
    assert_int_equal(tokenizer_kind(tokenizer, USER), TOKEN_CONTROL);
    assert_true(tokenizer_ends(tokenizer, USER));
    assert_int_equal(tokenizer_specials(tokenizer)->eot, USER);
    tokenizer_destroy(tokenizer);
    tiny.kinds[HE] = TOKEN_CONTROL; /* no merge may make it */
    tokenizer = tiny_good(&tiny);
    check(tokenizer, "hell", 4, PLAIN, IDS('h', 'e', LL));
    tokenizer_destroy(tokenizer);
}

static void test_bos(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    tiny.id_key = "tokenizer.ggml.bos_token_id";
    tiny.id = BOS;
    const struct tokenize_options bos = {.bos = true};
    struct tokenizer *tokenizer = tiny_good(&tiny);
    check(tokenizer, "h", 1, bos, IDS('h')); /* gpt-2 adds none by itself */
    tokenizer_destroy(tokenizer);
    tiny.flag_key = "tokenizer.ggml.add_bos_token";
    tokenizer = tiny_good(&tiny);
    check(tokenizer, "h", 1, bos, IDS(BOS, 'h'));
    check(tokenizer, "", 0, bos, IDS(BOS));
    check(tokenizer, "h", 1, PLAIN, IDS('h'));
    tokenizer_destroy(tokenizer);
    tiny.flag_key = NULL;
    tiny.pre = "llama-bpe"; /* adds it */
    tokenizer = tiny_good(&tiny);
    check(tokenizer, "h", 1, bos, IDS(BOS, 'h'));
    tokenizer_destroy(tokenizer);
    tiny.id_key = NULL; /* but not without a token */
    tokenizer = tiny_good(&tiny);
    check(tokenizer, "h", 1, bos, IDS('h'));
    assert_int_equal(tokenizer_specials(tokenizer)->bos, -1);
    tokenizer_destroy(tokenizer);
}

/* ---- threads ---- */

static const char shared_text[] = "hello w <user> hell     1234 don't \xE4\xBD\xA0\xFF hehe";

struct threads {
    const struct tokenizer *tokenizer;
    struct token_list lists[64]; /* one a work item */
    bool encoded[64];
};

static void encode_item(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    struct threads *threads = context;
    threads->encoded[item] =
        tokenizer_encode(threads->tokenizer, shared_text, sizeof shared_text - 1, SPECIAL,
                         &threads->lists[item], NULL);
}

static void test_threads(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    struct threads threads = {.tokenizer = tiny_good(&tiny)};
    struct parallel *parallel;
    assert_true(parallel_create(4, &parallel, NULL));
    parallel_for(parallel, 64, encode_item, &threads);
    for (int i = 0; i < 64; i++) {
        assert_true(threads.encoded[i]);
        assert_int_equal(threads.lists[i].count, threads.lists[0].count);
        assert_memory_equal(threads.lists[i].ids, threads.lists[0].ids,
                            threads.lists[0].count * sizeof(int32_t));
    }
    for (int i = 0; i < 64; i++)
        token_list_free(&threads.lists[i]);
    parallel_destroy(parallel);
    tokenizer_destroy((struct tokenizer *)(uintptr_t)threads.tokenizer);
}

/* ---- what is refused ---- */

static void refused(const struct tiny *tiny, enum fault_kind kind, const char *word)
{
    struct fault fault = {0};
    struct tokenizer *tokenizer = tiny_build(tiny, &fault);
    if (tokenizer || fault.kind != kind || !strstr(fault.text, word))
        fail_msg("expected a fault of kind %d with \"%s\", found %d: %s", kind, word, fault.kind,
                 fault.text);
}

static void test_refused_names(void **state)
{
    (void)state;
    static const char *const models[] = {"rwkv", "plamo2", "hybriddna", "", "gpt2x"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tiny tiny = tiny_new();
        tiny.model = models[i];
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\"", models[i]);
        refused(&tiny, FAULT_UNSUPPORTED, quoted);
    }
    struct tiny tiny = tiny_new();
    tiny.model = "none";
    refused(&tiny, FAULT_UNSUPPORTED, "made without a tokenizer");
    tiny = tiny_new();
    tiny.pre = "no-such-pre";
    refused(&tiny, FAULT_UNSUPPORTED, "\"no-such-pre\"");
    tiny.pre = NULL; /* a file without one: "default" */
    struct tokenizer *tokenizer = tiny_good(&tiny);
    assert_string_equal(tokenizer_pre(tokenizer), "");
    assert_string_equal(tokenizer_model(tokenizer), "gpt2");
    assert_int_equal(tokenizer_count(tokenizer), TINY_COUNT);
    tokenizer_destroy(tokenizer);
}

static void test_refused_merges(void **state)
{
    (void)state;
    static const struct {
        const char *merge, *word;
    } merges[] = {
        {"", "two parts"},     {" ", "two parts"},        {"h", "two parts"},
        {"h ", "two parts"},   {" h", "two parts"},       {"h e l", "two parts"},
        {"h  e", "two parts"}, {"zz h", "the left part"}, {"h zz", "the right part"},
        {"z z", "the whole"},  {"he he", "the whole"},
    };
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        struct tiny tiny = tiny_new();
        tiny.merges[1] = merges[i].merge;
        refused(&tiny, FAULT_FORMAT, merges[i].word);
        refused(&tiny, FAULT_FORMAT, "merges[1]");
    }
    struct tiny tiny = tiny_new();
    tiny.merge_count = 0;
    refused(&tiny, FAULT_FORMAT, "tokenizer.ggml.merges");
    tiny.pre = "kimi-k2";
    tokenizer_destroy(tiny_good(&tiny));
}

static void test_refused_ids(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "tokenizer.ggml.bos_token_id",     "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.eot_token_id",     "tokenizer.ggml.eom_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.seperator_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.mask_token_id",
        "tokenizer.ggml.cls_token_id",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct tiny tiny = tiny_new();
        tiny.id_key = keys[i];
        tiny.id = TINY_COUNT;
        refused(&tiny, FAULT_FORMAT, keys[i]);
        tiny.id = 0x80000000u;
        refused(&tiny, FAULT_FORMAT, keys[i]);
        tiny.id = TINY_COUNT - 1;
        tokenizer_destroy(tiny_good(&tiny));
    }
    struct tiny tiny = tiny_new();
    tiny.flag_key = "tokenizer.ggml.add_bos_token";
    refused(&tiny, FAULT_FORMAT, "add_bos_token");
}

static void test_refused_arrays(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    tiny.kind_count = TINY_COUNT - 1;
    refused(&tiny, FAULT_FORMAT, "token_type");
    static const int32_t kinds[] = {0, 7, -1, 1000};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tiny = tiny_new();
        tiny.kinds[3] = kinds[i];
        refused(&tiny, FAULT_FORMAT, "token_type[3]");
    }
    tiny = tiny_new();
    tiny.token_count = tiny.kind_count = 0;
    refused(&tiny, FAULT_FORMAT, "tokenizer.ggml.tokens");
    static char large[TOKEN_SIZE_LIMIT + 2];
    memset(large, 'x', TOKEN_SIZE_LIMIT + 1);
    tiny = tiny_new();
    tiny.tokens[7] = large;
    refused(&tiny, FAULT_FORMAT, "tokens[7]");
    large[TOKEN_SIZE_LIMIT] = 0;
    tokenizer_destroy(tiny_good(&tiny));
}

static void test_refused_scores(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    tiny.model = "llama";
    refused(&tiny, FAULT_FORMAT, "tokenizer.ggml.scores");
    tiny.score_count = TINY_COUNT + 0u;
    tokenizer_destroy(tiny_good(&tiny));
    tiny.score_count = TINY_COUNT - 1;
    refused(&tiny, FAULT_FORMAT, "tokenizer.ggml.scores");
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        tiny = tiny_new();
        tiny.model = i == 0 ? "llama" : "t5";
        tiny.score_count = TINY_COUNT;
        tiny.scores[5] = bad[i];
        refused(&tiny, FAULT_FORMAT, "scores[5]");
    }
    static const char *const bytes[] = {"<0x-1>", "<0xG0>", "<0x1>", "<0x123>", "0x12", "<0x0 >"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        tiny = tiny_new();
        tiny.model = "llama";
        tiny.score_count = TINY_COUNT;
        tiny.kinds[9] = TOKEN_BYTE;
        tiny.tokens[9] = bytes[i];
        refused(&tiny, FAULT_FORMAT, "tokens[9]");
    }
    tiny = tiny_new();
    tiny.model = "bert";
    tiny.kinds[UNK] = TOKEN_NORMAL;
    refused(&tiny, FAULT_FORMAT, "unknown_token_id");
}

static void test_refused_charsmap(void **state)
{
    (void)state;
    for (size_t count = 0; count < 5; count += 4) {
        struct vocab_builder builder = {0};
        vocab_text(&builder, "tokenizer.ggml.model", "t5");
        vocab_words(&builder, "tokenizer.ggml.tokens", (const char *const[]){"a"}, 1);
        vocab_f32s(&builder, "tokenizer.ggml.scores", (const float[]){-1}, 1);
        vocab_u8s(&builder, "tokenizer.ggml.precompiled_charsmap", (const uint8_t *)"abcd", count);
        struct fault fault = {0};
        struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
        assert_int_equal(tokenizer != NULL, count == 0);
        assert_int_equal(fault.kind, count == 0 ? FAULT_NONE : FAULT_FORMAT);
        tokenizer_destroy(tokenizer);
        vocab_free(&builder);
    }
}

/* A piece model of few tokens with one more key. */
static struct tokenizer *pieces_with(const char *key, const char *text, const int32_t *ids,
                                     size_t count, struct fault *fault)
{
    struct vocab_builder builder = {0};
    const char *const tokens[] = {"<unk>", "<s>", "a", "▁a", "▁", "<t>"};
    vocab_text(&builder, "tokenizer.ggml.model", "llama");
    vocab_words(&builder, "tokenizer.ggml.tokens", tokens, 6);
    vocab_f32s(&builder, "tokenizer.ggml.scores", (const float[]){0, 0, -1, -2, -3, 0}, 6);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", (const int32_t[]){2, 3, 1, 1, 1, 4}, 6);
    vocab_bool(&builder, "tokenizer.ggml.add_bos_token", false);
    vocab_u32(&builder, "tokenizer.ggml.bos_token_id", 1);
    if (text)
        vocab_text(&builder, key, text);
    else if (key)
        vocab_i32s(&builder, key, ids, count);
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, fault);
    vocab_free(&builder);
    return tokenizer;
}

static void check_pieces(const char *key, const char *value, const int32_t *ids, size_t count,
                         const char *text, const char *expected)
{
    struct fault fault = {0};
    struct tokenizer *tokenizer = pieces_with(key, value, ids, count, &fault);
    if (!tokenizer)
        fail_msg("%s", fault.text);
    struct token_list list = {0};
    assert_true(tokenizer_encode(tokenizer, text, strlen(text),
                                 (struct tokenize_options){.special = true}, &list, NULL));
    char found[128] = "";
    for (size_t i = 0; i < list.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), i ? " %d" : "%d",
                 (int)list.ids[i]);
    assert_string_equal(found, expected);
    token_list_free(&list);
    tokenizer_destroy(tokenizer);
}

/* Where the dummy space goes. */
static void test_space_schemes(void **state)
{
    (void)state;
    const char *key = "tokenizer.ggml.space_prefix_scheme";
    check_pieces(NULL, NULL, NULL, 0, "a<t>a<s>a<s> a", "3 5 2 1 3 1 4 3");
    check_pieces(NULL, NULL, NULL, 0, "<t>a", "4 5 2");
    check_pieces(key, "prepend", NULL, 0, "a<t>a<s>a<s> a", "3 5 3 1 3 1 4 3");
    check_pieces(key, "metaspace", NULL, 0, "a<t>a<s>a<s> a", "3 5 3 1 3 1 3");
    check_pieces(key, "metaspace-first", NULL, 0, "a<t>a<s>a<s> a", "3 5 2 1 2 1 3");
    check_pieces(key, "metaspace-first", NULL, 0, "<s>a", "1 2");
    check_pieces(key, "prepend", NULL, 0, "", "");
    struct fault fault = {0};
    assert_null(pieces_with(key, "odd", NULL, 0, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "\"odd\""));
}

/* Tokens that take white space with them. */
static void test_strips(void **state)
{
    (void)state;
    const int32_t both[] = {1, 5};
    check_pieces("tokenizer.ggml.rstrip_token_ids", NULL, both, 2, "a<s> \n\xE3\x80\x80 a<t>  a",
                 "3 1 3 5 2");
    check_pieces("tokenizer.ggml.lstrip_token_ids", NULL, both, 2, "a \t\xC2\xA0<s>a \n<t>a",
                 "3 1 3 5 2");
    check_pieces("tokenizer.ggml.lstrip_token_ids", NULL, both, 2, "  <s>", "1");
    static const int32_t bad[] = {-1, 6};
    static const char *const keys[] = {"tokenizer.ggml.lstrip_token_ids",
                                       "tokenizer.ggml.rstrip_token_ids",
                                       "tokenizer.ggml.end_token_ids"};
    for (size_t i = 0; i < 6; i++) {
        struct fault fault = {0};
        assert_null(pieces_with(keys[i / 2], NULL, &bad[i % 2], 1, &fault));
        assert_int_equal(fault.kind, FAULT_FORMAT);
        assert_non_null(strstr(fault.text, keys[i / 2]));
    }
}

static void test_normal_form(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", "gpt2");
    vocab_text(&builder, "tokenizer.ggml.pre", "gpt-2");
    vocab_words(&builder, "tokenizer.ggml.tokens", (const char *const[]){"a", "Ã", "©", "Ã©"}, 4);
    vocab_words(&builder, "tokenizer.ggml.merges", (const char *const[]){"Ã ©"}, 1);
    struct vocab_builder odd = {0};
    vocab_text(&odd, "tokenizer.ggml.model", "gpt2");
    vocab_text(&odd, "tokenizer.ggml.pre", "gpt-2");
    vocab_words(&odd, "tokenizer.ggml.tokens", (const char *const[]){"a"}, 1);
    vocab_words(&odd, "tokenizer.ggml.merges", (const char *const[]){"a a"}, 0);
    vocab_text(&odd, "tokenizer.ggml.normalizer.unicode", "nfx");
    assert_null(vocab_tokenizer(&odd, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    vocab_free(&odd);
    vocab_text(&builder, "tokenizer.ggml.normalizer.unicode", "nfc");
    fault = (struct fault){0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    vocab_free(&builder);
    if (!tokenizer)
        fail_msg("%s", fault.text);
    struct token_list list = {0}; /* e and a combining acute; then broken bytes between */
    assert_true(tokenizer_encode(tokenizer,
                                 "e\xCC\x81\xFF"
                                 "e\xCC\x81",
                                 7, (struct tokenize_options){0}, &list, NULL));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.ids[0], 3);
    assert_int_equal(list.ids[1], 3);
    token_list_free(&list);
    tokenizer_destroy(tokenizer);
}

static void test_missing(void **state)
{
    (void)state;
    struct vocab_builder builder = {0};
    vocab_text(&builder, "general.architecture", "llama");
    struct fault fault = {0};
    assert_null(vocab_tokenizer(&builder, &fault));
    assert_non_null(strstr(fault.text, "tokenizer.ggml.model"));
    vocab_text(&builder, "tokenizer.ggml.model", "gpt2");
    fault = (struct fault){0};
    assert_null(vocab_tokenizer(&builder, &fault));
    assert_non_null(strstr(fault.text, "tokenizer.ggml.tokens"));
    vocab_free(&builder);
}

/* ---- SentencePiece ---- */

static void test_spm(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<unk>", "<s>", "</s>", "▁", "a", "b",
                                         "ab",    "▁ab", "s",    "<", ">"};
    const int32_t kinds[] = {2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    const float scores[] = {0, 0, 0, -5, -6, -7, -1, -2, -8, -9, -10};
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", "llama");
    vocab_words(&builder, "tokenizer.ggml.tokens", tokens, 11);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", kinds, 11);
    vocab_f32s(&builder, "tokenizer.ggml.scores", scores, 11);
    vocab_u32(&builder, "tokenizer.ggml.bos_token_id", 1);
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    assert_non_null(tokenizer);
    const struct tokenize_options bos = {.bos = true, .special = true};
    check(tokenizer, "abab", 4, bos, IDS(1, 7, 6));
    check(tokenizer, "<s>", 3, PLAIN, IDS(3, 9, 8, 10));
    check(tokenizer, "ab<s>ab", 7, SPECIAL, IDS(7, 1, 7));               /* a dummy space again */
    check(tokenizer, "a\xE4\xBD\xA0zz b", 8, PLAIN, IDS(3, 4, 0, 3, 5)); /* one unknown */
    check(tokenizer, "", 0, bos, IDS(1));
    check_decoded(tokenizer, IDS(1, 7, 6, 2), 4, false, "abab");
    tokenizer_destroy(tokenizer);
    vocab_free(&builder);
}

/* A token that says so is one byte; "<0x41>" in a text is six characters. */
static void test_byte_tokens(void **state)
{
    (void)state;
    struct tiny tiny = tiny_new();
    tiny.model = "llama";
    tiny.score_count = TINY_COUNT;
    tiny.kinds[USER] = TOKEN_BYTE;
    tiny.tokens[USER] = "<0x7a>";
    tiny.tokens['z'] = "unused";
    struct tokenizer *tokenizer = tiny_good(&tiny);
    check_decoded(tokenizer, IDS('a', USER, 'b'), 3, false, "azb");
    struct token_list list = {0};
    assert_true(tokenizer_encode(tokenizer, "<0x7a>z", 7, PLAIN, &list, NULL));
    assert_int_equal(list.ids[list.count - 1], USER);
    for (size_t i = 0; i + 1 < list.count; i++)
        assert_int_not_equal(list.ids[i], USER);
    token_list_free(&list);
    tokenizer_destroy(tokenizer);
}

/* ---- WordPiece ---- */

static void test_wordpiece(void **state)
{
    (void)state;
    static const char *const tokens[] = {"[UNK]", "[CLS]", "[SEP]", "▁the", "▁th", "e", "ing",
                                         "▁,",    "▁中",   "▁国",   "▁'",   "▁s",  "▁e"};
    const int32_t kinds[] = {3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", "bert");
    vocab_words(&builder, "tokenizer.ggml.tokens", tokens, 13);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", kinds, 13);
    vocab_u32(&builder, "tokenizer.ggml.unknown_token_id", 0);
    vocab_u32(&builder, "tokenizer.ggml.cls_token_id", 1);
    vocab_u32(&builder, "tokenizer.ggml.seperator_token_id", 2);
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    assert_non_null(tokenizer);
    const struct tokenize_options bos = {.bos = true};
    check(tokenizer, "The  Th\xC3\x89,theing", 16, bos, IDS(1, 3, 3, 7, 3, 6, 2));
    check(tokenizer, "中国the", 9, PLAIN, IDS(8, 9, 3));
    check(tokenizer, "thx the", 7, PLAIN, IDS(0, 3));
    check(tokenizer, "t\xFFhe \xFF", 6, PLAIN, IDS(3)); /* broken bytes are dropped */
    check(tokenizer, " \t\n", 3, PLAIN, IDS(-1));
    check_decoded(tokenizer, IDS(3, 6, 7, 3, 10, 11), 6, false, "theing, the's");
    tokenizer_destroy(tokenizer);
    vocab_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_end_kinds),
        cmocka_unit_test(test_bos),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_refused_merges),
        cmocka_unit_test(test_refused_ids),
        cmocka_unit_test(test_refused_arrays),
        cmocka_unit_test(test_refused_scores),
        cmocka_unit_test(test_refused_charsmap),
        cmocka_unit_test(test_space_schemes),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_byte_tokens),
        cmocka_unit_test(test_wordpiece),
    };
    return cmocka_run_group_tests_name("text_tokenizer", tests, NULL, NULL);
}
