/* test_tokenizer_bad.c: bad tokenizer files, each with what the fault must say; and what they must
 * not do: crash, take seconds, or be imported as something else. */
#include "testing.h"

#include "imported.h"
#include "tokenizer_table.h"

#include <sys/stat.h>

#define BYTES "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define MODEL(vocab, merges)                                                                       \
    "\"model\":{\"type\":\"BPE\",\"vocab\":" vocab ",\"merges\":" merges "}"
#define JSON(vocab, merges) "{" BYTES "," MODEL(vocab, merges) "}"
#define AB "{\"a\":0,\"b\":1,\"ab\":2}"
#define ADDED(tokens) "{" BYTES ",\"added_tokens\":" tokens "," MODEL(AB, "[]") "}"
#define PRE(pre) "{\"pre_tokenizer\":" pre "," MODEL(AB, "[\"a b\"]") "}"
#define SPLIT(regex, behavior, invert)                                                             \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"        \
    "\"" regex "\"},\"behavior\":\"" behavior "\",\"invert\":" invert                              \
    "},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define MARKS                                                                                      \
    "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}"
#define PIECES(options, vocab, merges)                                                             \
    "{" MARKS ",\"model\":{\"type\":\"BPE\"," options "\"vocab\":" vocab ",\"merges\":" merges "}" \
    "}"
#define FALLBACK "\"byte_fallback\":true,"
#define UNIGRAM(rest) "{" MARKS ",\"model\":{\"type\":\"Unigram\"," rest "}}"
#define BERT(normalizer, rest)                                                                     \
    "{\"normalizer\":" normalizer                                                                  \
    ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\"," rest   \
    "}}"
#define POST(post) "{" BYTES ",\"post_processor\":" post "," MODEL(AB, "[\"a b\"]") "}"

static const struct {
    const char *json, *expected;
} bad_json[] = {
    {"", "is an empty file"},
    {" ", "the JSON ends, expected an object"},
    {"[]", "byte 0: '[', expected an object"},
    {"{", "the JSON ends"},
    {"{}", "\"model\" is missing"},
    {"{\"model\":1}", "'1', expected an object"},
    {"{\"model\":{}} x", "byte 13: 'x', expected the end"},
    {"{\"model\":{},\"model\":{}}", "\"model\" occurs twice"},
    {"{\"model\":{\"vocab\":{},\"vocab\":{}}}", "\"vocab\" occurs twice"},
    {"{\"model\":{\"type\":\"BPE\",\"type\":\"BPE\"}}", "\"type\" occurs twice"},
    {"{\"model\":{}}", "model.type is \"missing\""},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "model.type is \"WordLevel\""},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":[1,2}}", "the JSON ends"},
    {"{\"a\":\"\xff\"}", "not valid JSON"},
    {"{\"a\":\"\\ud800\"}", "not valid JSON"},
    {"{\"a\":nonsense}", "not valid JSON"},
    {"{\"a\" 1}", "expected ':'"},
    {"{\"a\":1 \"b\":2}", "expected ',' or '}'"},
    {"{\"a\":1,}", "expected text"},
    {"{\"a\":[1,,2]}", "not valid JSON"},
    {"{\"a\":}", "expected a value"},
    {"{\"a\":\"", "not valid JSON"},
    {JSON("{}", "[]"), "the vocabulary is empty"},
    {JSON("[]", "[]"), "expected an object"},
    {JSON("{\"a\":-1}", "[]"), "token \"a\": id -1, expected 0 or more"},
    {JSON("{\"a\":0.5}", "[]"), "an integer, not a fraction"},
    {JSON("{\"a\":\"0\"}", "[]"), "expected an integer"},
    {JSON("{\"a\":4194304}", "[]"), "id 4194304, expected less than 4194304"},
    {JSON("{\"a\":4294967296}", "[]"), "id 4294967296, expected less"},
    {JSON("{\"a\":99999999999999999999}", "[]"), "too big integer"},
    {JSON("{\"a\":0,\"a\":1}", "[]"), "token \"a\": two ids, 0 and 1"},
    {JSON("{\"a\":0,\"b\":0}", "[]"), "id 0: two tokens, \"a\" and \"b\""},
    {JSON("{\"\\ud800\":0}", "[]"), "not valid JSON"},
    {JSON("{\"a\":0", "[]"), "expected ',' or '}'"},
    {JSON("{\"a\":0 \"b\":1}", "[]"), "expected ',' or '}'"},
    {JSON(AB, "[\"a b\" \"a b\"]"), "expected ',' or ']'"},
    {ADDED("[{\"content\":\"c\",\"id\":3} 1]"), "expected ',' or ']'"},
    {UNIGRAM("\"vocab\":[[\"a\",0] 1]"), "expected ',' or ']'"},
    {JSON(AB, "{}"), "expected an array"},
    {JSON(AB, "[1]"), "expected an array"},
    {JSON(AB, "[\"ab\"]"), "merge 0: \"ab\", expected two parts"},
    {JSON(AB, "[\"a b c\"]"), "merge 0: \"a b c\", expected two parts"},
    {JSON(AB, "[\" b\"]"), "expected two parts"},
    {JSON(AB, "[\"a \"]"), "expected two parts"},
    {JSON(AB, "[\"a b\",\"c b\"]"), "merge 1: the left part, \"c\", is not in the vocabulary"},
    {JSON(AB, "[[\"a\",\"c\"]]"), "merge 0: the right part, \"c\", is not in"},
    {JSON(AB, "[[\"b\",\"a\"]]"), "merge 0: the whole, \"ba\", is not in the vocabulary"},
    {JSON(AB, "[[\"a\"]]"), "expected text"},
    {JSON(AB, "[[]]"), "expected text"},
    {JSON(AB, "[[\"a\",\"b\",\"c\"]]"), "a merge of more than two parts"},
    {JSON(AB, "[[\"\",\"ab\"]]"), "the left part, \"\", is not"},
    {JSON(AB, "[\"a b\",]"), "'"},
    {"{" BYTES ",\"model\":{\"type\":\"BPE\",\"merges\":[]}}", "model.vocab is missing"},
    {"{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":" AB "}}", "model.merges is missing"},
    {"{" BYTES ",\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":" AB ",\"merges\":[]}}",
     "model.dropout is 0.1"},
    {"{" BYTES ",\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":" AB
     ",\"merges\":[]}}",
     "model.end_of_word_suffix is \"</w>\""},
    {"{" BYTES ",\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\",\"vocab\":" AB
     ",\"merges\":[]}}",
     "continuing_subword_prefix"},
    {ADDED("{}"), "expected an array"},
    {ADDED("[1]"), "content is nothing and id is nothing"},
    {ADDED("[{\"content\":1,\"id\":3}]"), "content is an integer and id is an integer"},
    {ADDED("[{\"content\":\"c\",\"id\":\"3\"}]"), "id is text, expected"},
    {ADDED("[{\"content\":\"c\",\"id\":-3}]"), "token \"c\": id -3"},
    {ADDED("[{\"content\":\"c\",\"id\":9999999999}]"), "id 9999999999, expected less"},
    {ADDED("[{\"content\":\"\",\"id\":3}]"), "an added token without text"},
    {ADDED("[{\"content\":\"a\",\"id\":3}]"), "token \"a\": id 0, and 3 as added token"},
    {ADDED("[{\"content\":\"c\",\"id\":0}]"), "id 0: two tokens, \"a\" and \"c\""},
    {ADDED("[{\"content\":\"c\",\"id\":3},{\"content\":\"c\",\"id\":4}]"), "and 4 as added token"},
    {ADDED("[{\"content\":\"c\",\"id\":3,\"single_word\":true}]"), "single_word"},
    {PRE("{\"type\":\"Whitespace\"}"), "lichen does not know it in front of pieces"},
    {PRE("null"), "neither byte-level nor with U+2581"},
    {PRE("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"), "adds no space in front"},
    {PRE(SPLIT("\\\\p{L}+", "Isolated", "false")), "pre_tokenizer: lichen does not know it: {"},
    {PRE(SPLIT("\\\\p{L}+", "Isolated", "false")), "\\\\p{L}+"},
    {PRE(SPLIT("\\\\p{N}", "MergedWithNext", "false")), "does not know"},
    {PRE(SPLIT("\\\\p{N}", "Isolated", "true")), "does not know"},
    {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Punctuation\","
     "\"behavior\":"
     "\"Contiguous\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false},{\"type\":\"Digits\","
     "\"individual_digits\":false},{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[0-9][0-9][0-9]\"},"
     "\"behavior\":\"Isolated\",\"invert\":false}]}," MODEL("{\"¼\":0,\"a\":1,\"¼a\":2}",
                                                            "[\"¼ a\"]") "}",
     "token 2, \"¼a\": the pre_tokenizer cuts it between bytes"},
    {PRE("{\"type\":\"Sequence\",\"pretokenizers\":1}"), "does not know"},
    {"{" BYTES ",\"normalizer\":{\"type\":\"Lowercase\"}," MODEL(AB, "[\"a b\"]") "}",
     "normalizer: a byte-level vocabulary cannot express it: {\"type\":\"Lowercase\"}"},
    {"{" BYTES
     ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":"
     "\"Strip\"}]}," MODEL(AB, "[\"a b\"]") "}",
     "cannot express it"},
    {POST("{\"type\":\"Odd\"}"), "post_processor: lichen does not know it"},
    {POST("{\"type\":\"TemplateProcessing\",\"single\":[]}"), "at most one token on each side"},
    {POST("{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"q\"}},{"
          "\"Sequence\":"
          "{}}]}"),
     "\"q\" is no token"},
    {POST("{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\"}},"
          "{\"SpecialToken\":{\"id\":\"b\"}},{\"Sequence\":{}}]}"),
     "at most one token"},
    {POST("{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[]}]}"),
     "a Sequence in a Sequence"},
    {POST("{\"type\":\"BertProcessing\",\"sep\":[\"z\",1],\"cls\":[\"a\",0]}"),
     "\"z\" is no token"},
    {PIECES("", AB, "[\"a b\"]"), "neither byte_fallback nor fuse_unk"},
    {PIECES(FALLBACK "\"ignore_merges\":true,", AB, "[\"a b\"]"), "model.ignore_merges is true"},
    /* a piece that scores would make, and merges do not */
    {PIECES(FALLBACK, AB, "[]"), "token 2, \"ab\": the merges give 2 tokens, scores would give 1"},
    /* a cycle in the order: the parts of a piece are made after it */
    {PIECES(FALLBACK, "{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5}",
            "[\"ab c\",\"b c\",\"a b\"]"),
     "the merges give"},
    {"{\"normalizer\":{\"type\":\"NFKC\"}," MODEL(AB, "[\"a b\"]") "}",
     "a vocabulary of pieces cannot express it: {\"type\":\"NFKC\"}"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA==\"}," MODEL(
         AB, "[\"a b\"]") "}",
     "cannot express it"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}," MODEL(AB, "[]") "}",
     "another mark than U+2581"},
    {UNIGRAM("\"unk_id\":0"), "model.vocab is missing"},
    {UNIGRAM("\"vocab\":{}"), "expected an array"},
    {UNIGRAM("\"vocab\":[]"), "model.vocab is empty"},
    {UNIGRAM("\"vocab\":[[\"a\"]]"), "model.vocab[0]: expected [\"piece\", score]"},
    {UNIGRAM("\"vocab\":[[\"a\",0],[\"b\",\"1\"]]"), "model.vocab[1]: expected"},
    {UNIGRAM("\"vocab\":[[\"a\",1e40]]"), "model.vocab[0]: expected"},
    {UNIGRAM("\"vocab\":[[\"a\",0],[\"a\",0]]"), "token \"a\": two ids"},
    {UNIGRAM("\"unk_id\":1,\"vocab\":[[\"a\",0]]"), "model.unk_id: no token of the 1"},
    {UNIGRAM("\"unk_id\":-1,\"vocab\":[[\"a\",0]]"), "model.unk_id"},
    {BERT("null", "\"unk_token\":\"u\",\"vocab\":{\"u\":0}"), "needs BertNormalizer"},
    {BERT("{\"type\":\"BertNormalizer\",\"clean_text\":false}",
          "\"unk_token\":\"u\",\"vocab\":{\"u\":0}"),
     "needs BertNormalizer"},
    {BERT("{\"type\":\"BertNormalizer\"}", "\"unk_token\":\"x\",\"vocab\":{\"u\":0}"),
     "model.unk_token: \"x\" is no token"},
    {BERT("{\"type\":\"BertNormalizer\"}", "\"vocab\":{\"u\":0}"), "unk_token: \"\" is no token"},
    {BERT("{\"type\":\"BertNormalizer\"}",
          "\"unk_token\":\"u\",\"max_input_chars_per_word\":-1,\"vocab\":{\"u\":0}"),
     "max_input_chars_per_word: -1"},
    {BERT("{\"type\":\"BertNormalizer\"}",
          "\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"x\":1,\"##▁x\":2}"),
     "token \"▁x\": two ids, 1 and 2"},
};

static const char *folder(void)
{
    static const char path[] = LICHEN_TEST_OUTPUT "/tokenizer-bad";
    mkdir(path, 0777);
    return path;
}

static void clear(void)
{
    imported_clear(folder());
}

static void save(const char *name, const void *bytes, size_t size)
{
    imported_save(folder(), name, bytes, size);
}

static size_t wrong; /* faults that were not as expected */

static void refused(const struct tokenizer_hints *hints, const char *expected)
{
    struct tokenizer_import *import = NULL;
    struct fault fault = {0};
    bool opened = tokenizer_import_open(folder(), hints, &import, &fault);
    if (!opened && fault.kind != FAULT_NONE && strstr(fault.text, expected) &&
        !strchr(fault.text, '\n'))
        return;
    print_message("%s: \"%s\", expected \"%s\"\n", opened ? "imported" : "refused", fault.text,
                  expected);
    if (opened)
        tokenizer_import_close(import);
    wrong++;
}

static void refused_file(const char *name, const void *bytes, size_t size, const char *expected)
{
    struct tokenizer_hints hints = imported_no_hints();
    save(name, bytes, size);
    refused(&hints, expected);
}

static void test_json(void **state)
{
    (void)state;
    clear();
    for (size_t i = 0; i < sizeof bad_json / sizeof *bad_json; i++) {
        refused_file("tokenizer.json", bad_json[i].json, strlen(bad_json[i].json),
                     bad_json[i].expected);
        struct tokenizer_hints hints = imported_no_hints();
        refused(&hints, "tokenizer.json: "); /* and the file is named */
    }
    print_message("%zu bad files\n", sizeof bad_json / sizeof *bad_json);
}

/* ---- nested, long, many ---- */

static void test_large(void **state)
{
    (void)state;
    clear();
    size_t size = 1 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    memcpy(text, "{\"a\":", 5);
    refused_file("tokenizer.json", text, size, "nested deeper than");
    int start = snprintf(text, size, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"");
    memset(text + start, 'a', 100000);
    int end = snprintf(text + start + 100000, 1000, "\":0},\"merges\":[]}}");
    refused_file("tokenizer.json", text, (size_t)(start + 100000 + end),
                 "token 0: 100000 bytes, at most");
    free(text);
}

/* ---- ids and rows ---- */

static void test_rows(void **state)
{
    (void)state;
    clear();
    struct tokenizer_hints hints = imported_no_hints();
    hints.vocab_size = 2;
    save("tokenizer.json", JSON(AB, "[\"a b\"]"), strlen(JSON(AB, "[\"a b\"]")));
    refused(&hints, "token \"ab\": id 2, but the embedding has 2 rows");
    /* an added one that the model has no row for is left out */
    const char *added = ADDED("[{\"content\":\"c\",\"id\":3}]");
    struct tokenizer_import *import;
    hints.vocab_size = 3;
    save("tokenizer.json", added, strlen(added));
    assert_true(tokenizer_import_open(folder(), &hints, &import, NULL));
    assert_int_equal(tokenizer_import_token_count(import), 3);
    tokenizer_import_close(import);
    hints.vocab_size = 1000;
    assert_true(tokenizer_import_open(folder(), &hints, &import, NULL));
    assert_int_equal(tokenizer_import_token_count(import), 1000);
    tokenizer_import_close(import);
}

/* ---- SentencePiece ---- */

static const struct {
    const char *bytes;
    size_t size;
    const char *expected;
} bad_models[] = {
#define M(bytes, expected)                                                                         \
    {                                                                                              \
        bytes, sizeof bytes - 1, expected                                                          \
    }
    M("", "is an empty file"),
    M("\x0A", "ends inside a field"),
    M("\x0A\x05\x0A\x01", "ends inside a field"),
    M("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", "ends inside a field"),
    M("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "a number of more than 64 bits"),
    M("\x02\x00", "not a SentencePiece model"),
    M("\x0B\x00", "wire type 3"),
    M("\x0F\x00", "wire type 7"),
    M("\x0A\x00", "piece 0: kind 1, score 0, 0 bytes"),
    M("\x0A\x03\x0A\x01"
      "a"
      "\x0A\x03\x0A\x01"
      "a",
      "token \"a\": two ids, 0 and 1"),
    M("\x0A\x05\x0A\x01"
      "a"
      "\x18\x07",
      "kind 7"),
    M("\x0A\x05\x0A\x01"
      "a"
      "\x18\x00",
      "kind 0"),
    M("\x0A\x08\x0A\x01"
      "a"
      "\x15\x00\x00\xC0\x7F",
      "score nan"),
    M("\x0A\x08\x0A\x01"
      "a"
      "\x15\x00\x00\x80\xFF",
      "score -inf"),
    M("\x0A\x04\x0A\x02"
      "a",
      "ends inside a field"),
    M("\x0A\x03\x0A\x7F"
      "a",
      "ends inside a field"),
    M("\x0A\x03\x0A\x01"
      "a"
      "\x12\x02\x18\x03",
      "of kind 3"),
    M("\x0A\x03\x0A\x01"
      "a"
      "\x12\x02\x18\x04",
      "of kind 4"),
    M("\x0A\x03\x0A\x01"
      "a"
      "\x12\x03\xC0\x01\x01",
      "spaces as suffixes"),
    M("\x0A\x03\x0A\x01"
      "a"
      "\x1A\x02\x28\x00",
      "spaces that are not escaped"),
    M("\x12\x02\x18\x01", "no piece"),
    M("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a git-lfs pointer"),
    M("<!DOCTYPE html><html></html>", "is a web page"),
#undef M
};

static void test_models(void **state)
{
    (void)state;
    clear();
    for (size_t i = 0; i < sizeof bad_models / sizeof *bad_models; i++)
        refused_file("tokenizer.model", bad_models[i].bytes, bad_models[i].size,
                     bad_models[i].expected);
}

/* ---- tiktoken, vocab.json ---- */

static const struct {
    const char *lines, *expected;
} bad_ranks[] = {
    {"", "is an empty file"},
    {"\n\n", "no token"},
    {"YQ==", "line 1: expected \"base64 rank\""},
    {"YQ== ", "line 1: expected"},
    {"YQ== x", "line 1: expected"},
    {"YQ== -1", "line 1: expected"},
    {"YQ== 99999999999999999999999", "line 1: expected"},
    {"YQ== 0\nY$== 1", "line 2: expected"},
    {"YQ== 0\nYh== 1", "line 2: expected"},
    {"YQ== 0\nYQ== 1", "token \"a\": two ids, 0 and 1"},
    {"YQ== 0\nYg== 0", "id 0: two tokens"},
    {"YQ== 4194304", "id 4194304, expected less"},
    {"YQ== 0\nYWI= 1", "is not in the vocabulary"},
    {"YQ== 0\nYg== 1\nYw== 2\nYWJj 3", "token 3: no two tokens of lower rank make it"},
};

static void test_ranks(void **state)
{
    (void)state;
    clear();
    struct tokenizer_hints hints = imported_no_hints();
    hints.model_type = "qwen";
    for (size_t i = 0; i < sizeof bad_ranks / sizeof *bad_ranks; i++) {
        save("qwen.tiktoken", bad_ranks[i].lines, strlen(bad_ranks[i].lines));
        refused(&hints, bad_ranks[i].expected);
    }
    hints.model_type = "novel";
    save("qwen.tiktoken", "YQ== 0\n", 7);
    refused(&hints, "does not know the pre-tokenizer of class \"\" (tokenizer_config.json) and "
                    "model type \"novel\"");
}

/* Meta's own tokenizer.model of Llama 3: without its control tokens nothing would begin or end. */
static void test_ranks_of_llama(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    clear();
    enum { COUNT = 128000, PAIRS = 256 + 65536 };
    char *ranks = malloc(COUNT * 16), *end = ranks;
    assert_non_null(ranks);
    for (unsigned i = 0; i < COUNT; i++) { /* bytes, pairs of them, pairs and a byte */
        unsigned size = i < 256 ? 1 : i < PAIRS ? 2 : 3;
        unsigned bits = (i < 256 ? i : i < PAIRS ? i - 256 : i - PAIRS) << 8 * (3 - size);
        char text[5] = {digits[bits >> 18 & 63], digits[bits >> 12 & 63],
                        (char)(size > 1 ? digits[bits >> 6 & 63] : '='),
                        (char)(size > 2 ? digits[bits & 63] : '='), 0};
        end += sprintf(end, "%s %u\n", text, i);
    }
    struct tokenizer_hints hints = imported_no_hints();
    save("tokenizer.model", ranks, (size_t)(end - ranks));
    refused(&hints, "the tokenizer has no control tokens (<|begin_of_text|>, ...)");
    free(ranks);
}

static void test_vocab(void **state)
{
    (void)state;
    clear();
    struct tokenizer_hints hints = imported_no_hints();
    hints.model_type = "gpt2";
    refused(&hints, "no tokenizer that lichen reads");
    save("vocab.json", AB, strlen(AB));
    refused(&hints, "no tokenizer that lichen reads"); /* no merges */
    save("merges.txt", "#version: 0.2\na b\nb c\n", 22);
    refused(&hints, "merges.txt: merge 1: the right part, \"c\"");
    save("merges.txt", "#version: 0.2\nab\n", 17);
    refused(&hints, "merges.txt: merge 0: \"ab\", expected two parts");
    save("vocab.json", "[]", 2);
    refused(&hints, "vocab.json: byte 0");
}

/* ---- what stands beside it ---- */

static const struct {
    const char *name, *bytes, *expected;
} beside[] = {
    {"tokenizer_config.json", "[]", "JSON is an array, expected an object"},
    {"tokenizer_config.json", "{", "the JSON ends inside a value"},
    {"tokenizer_config.json", "{\"a\":1,\"a\":2}", "duplicate object key"},
    {"tokenizer_config.json", "{\"chat_template\":1}", "chat_template is a fraction"},
    {"tokenizer_config.json", "{\"chat_template\":[1]}", "an item without name or template"},
    {"tokenizer_config.json", "{\"chat_template\":[{\"name\":\"a/b\",\"template\":\"\"}]}",
     "the name \"a/b\""},
    {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"q\"}}}",
     "added_tokens_decoder: \"x\": expected an id"},
    {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"-1\":{\"content\":\"q\"}}}",
     "added_tokens_decoder: \"-1\""},
    {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"9\":{}}}", "expected an id and its"},
    {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"7\":{\"content\":\"a\"}}}",
     "token \"a\": id 0, and 7"},
    {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"99999999999\":{\"content\":\"q\"}}}",
     "expected an id"},
    {"special_tokens_map.json", "x", "special_tokens_map.json: byte 1: not valid"},
    {"added_tokens.json", "{\"q\":\"7\"}", "added_tokens.json: \"q\": expected an id"},
    {"added_tokens.json", "{\"q\":-7}", "expected an id below"},
    {"added_tokens.json", "{\"q\":1e300}", "expected an id below"},
    {"added_tokens.json", "{\"q\":0}", "id 0: two tokens"},
    {"chat_template.json", "{\"chat_template\":{}}", "chat_template is an object"},
};

static void test_beside(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        clear();
        save("tokenizer.json", JSON(AB, "[\"a b\"]"), strlen(JSON(AB, "[\"a b\"]")));
        refused_file(beside[i].name, beside[i].bytes, strlen(beside[i].bytes), beside[i].expected);
    }
}

static void test_none_wrong(void **state)
{
    (void)state;
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_models),
        cmocka_unit_test(test_ranks),     cmocka_unit_test(test_ranks_of_llama),
        cmocka_unit_test(test_vocab),     cmocka_unit_test(test_beside),
        cmocka_unit_test(test_none_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
