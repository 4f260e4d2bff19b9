/* test_tokenizer_import.c: what an import makes of the files beside a vocabulary and of the hints
 * of config.json; and that the converter's pre-tokenizers are the runtime's. */
#include "testing.h"

#include "imported.h"
#include "pretokenize.h"
#include "tokenizer_pre.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- pre-tokenizers ---- */

#define WHITE "\\p{Z}\\x{9}-\\x{D}\\x{85}" /* Unicode's, where PCRE2's \s has U+180E more */

/* A pattern of a tokenizer.json as PCRE2 has to see it. A set in a set (Bloom's) is its members. */
static void translate(const char *pattern, char *dst, size_t capacity)
{
    int depth = 0; /* of sets */
    size_t used = 0;
    for (; *pattern; pattern++) {
        char next = pattern[0] == '\\' ? pattern[1] : 0;
        assert_true(used + 40 < capacity);
        if (next == 's' || next == 'S') {
            used += (size_t)snprintf(dst + used, capacity - used, "%s%s%s",
                                     depth > 0     ? ""
                                     : next == 's' ? "["
                                                   : "[^",
                                     WHITE, depth > 0 ? "" : "]");
            pattern++;
            continue;
        }
        depth += !next && *pattern == '[';
        if (next)
            dst[used++] = *pattern++;
        if (next || depth < 2 || (*pattern != '[' && *pattern != ']'))
            dst[used++] = *pattern;
        depth -= !next && *pattern == ']';
    }
    dst[used] = 0;
}

struct cuts {
    size_t ends[512];
    size_t count;
};

static void cut(const char *pattern, const char *text, const struct cuts *from, struct cuts *to)
{
    char translated[4096];
    int error;
    size_t offset;
    translate(pattern, translated, sizeof translated);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP, &error, &offset, NULL);
    if (!code)
        fail_msg("%s: PCRE2 refuses it at %zu", translated, offset);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    size_t start = 0;
    to->count = 0;
    for (size_t i = 0; i < from->count; start = from->ends[i++]) {
        size_t size = from->ends[i] - start, done = 0;
        while (done < size &&
               pcre2_match(code, (PCRE2_SPTR)text + start, size, done, 0, data, NULL) > 0) {
            const size_t *range = pcre2_get_ovector_pointer(data);
            if (range[0] > done)
                to->ends[to->count++] = start + range[0];
            if (range[1] == range[0])
                break;
            to->ends[to->count++] = start + range[1];
            done = range[1];
        }
        if (done < size && (to->count == 0 || to->ends[to->count - 1] != start + size))
            to->ends[to->count++] = start + size;
    }
    pcre2_match_data_free(data);
    pcre2_code_free(code);
}

static const char *const parts[] = {
    "a", "Z",  "s",    "'", "'s", "'LL", "\xC5\xBF", " ",  "  ", "   ", "\n", "\r\n", "\t",
    "1", "23", "4567", ".", "!",  "/",   "-",        "$",  "+",  "`",   "^",  "|",    "(",
    "é", "É",  "ǅ",    "ʰ", "中", "国",  "カ",       "한", "ا",  "न",   "ि",  "́",     "ก",
    " ", " ",  "　",   "…", "。", "，",  "！",       "😀",  "²",  "Ⅷ",   "٣",  "_",    "DON'T"};

static void random_text(uint64_t *state, char *dst, size_t capacity)
{
    size_t used = 0, count = 1 + test_random(state) % 14;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(dst + used, capacity - used, "%s",
                                 parts[test_random(state) % (sizeof parts / sizeof *parts)]);
}

/* What the runtime does under the name, on texts of every kind of character. */
static void check_row(const struct pre_known *row, uint64_t *state)
{
    struct pretokenizer *pre;
    struct fault fault = {0};
    if (!pretokenizer_create(row->name, &pre, &fault))
        fail_msg("%s", fault.text);
    unsigned flags = pretokenizer_flags(pre);
    assert_int_equal((flags & PRE_IGNORE_MERGES) != 0, row->ignore_merges);
    assert_int_equal(flags & (PRE_RAW | PRE_MARK_SPACES | PRE_NO_MERGES), 0);
    /* not cut out but cut between; another \b; steps that are no patterns: see the golden files of
     * tests/text for these */
    static const char *const others[] = {"superbpe", "tiny_aya", "falcon"};
    bool is_plain = true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is_plain = is_plain && strcmp(row->name, others[i]) != 0;
    for (int text_index = 0; is_plain && text_index < 300; text_index++) {
        char text[512];
        random_text(state, text, sizeof text);
        struct cuts cuts = {{strlen(text)}, 1}, next;
        for (size_t i = 0; i < PRE_PATTERN_MAX && row->patterns[i]; i++) {
            cut(row->patterns[i], text, &cuts, &next);
            cuts = next;
        }
        struct splitter splitter = {0};
        assert_true(pretokenizer_split(pre, text, strlen(text), &splitter, NULL));
        bool same = splitter.pieces.count == cuts.count;
        for (size_t i = 0; same && i < cuts.count; i++)
            same = splitter.pieces.ends[i] == cuts.ends[i];
        if (!same)
            fail_msg("%s: \"%s\" is cut otherwise by the runtime", row->name, text);
        splitter_free(&splitter);
    }
    pretokenizer_destroy(pre);
}

static void test_pre_names(void **state)
{
    (void)state;
    uint64_t random = 20261125;
    unsigned count = 0;
    for (; pre_known_at(count); count++)
        check_row(pre_known_at(count), &random);
    print_message("%u pre-tokenizers\n", count);
}

/* ---- a folder ---- */

static const char *folder(void)
{
    static const char path[] = LICHEN_TEST_OUTPUT "/tokenizer-import";
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

static void save_text(const char *name, const char *text)
{
    save(name, text, strlen(text));
}

#define VOCAB                                                                                      \
    "{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"</s>\":4,\"<|im_end|>\":5,\"<pad>\":6,\"<|user|>\":7,"  \
    "\"<|observation|>\":8,\"<|more|>\":9}"
static const char plain[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"added_tokens\":["
    "{\"id\":7,\"content\":\"<|user|>\",\"special\":false},"
    "{\"id\":8,\"content\":\"<|observation|>\",\"special\":true}],"
    "\"model\":{\"type\":\"BPE\",\"vocab\":" VOCAB ",\"merges\":[\"a b\"]}}";

struct imported {
    struct gguf *gguf;
    struct tokenizer *tokenizer;
};

static struct imported import(struct tokenizer_hints hints)
{
    struct imported imported;
    struct fault fault = {0};
    imported.tokenizer = imported_tokenizer(
        folder(), &hints, LICHEN_TEST_OUTPUT "/tokenizer-import.gguf", &imported.gguf, &fault);
    if (!imported.tokenizer)
        fail_msg("%s", fault.text);
    return imported;
}

static void close_imported(struct imported *imported)
{
    tokenizer_destroy(imported->tokenizer);
    gguf_close(imported->gguf);
}

static void check_text(const struct imported *imported, const char *key, const char *expected)
{
    struct gguf_string text = {"", 0};
    assert_true(gguf_text(imported->gguf, key, true, &text, NULL));
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.size);
}

static void check_ids(const struct imported *imported, const char *text, const int32_t *ids,
                      size_t count)
{
    struct token_list list = {0};
    assert_true(tokenizer_encode(imported->tokenizer, text, strlen(text),
                                 (struct tokenize_options){true, true}, &list, NULL));
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list.ids[i], ids[i]);
    token_list_free(&list);
}

/* ---- special ids ---- */

static void test_hints(void **state)
{
    (void)state;
    clear();
    save_text("tokenizer.json", plain);
    const int64_t ends[] = {4, 7, 8, 9, 4, 4000, -1};
    struct tokenizer_hints hints = {"llama", "llama", 16, 3, 4, 6, ends, 7};
    struct imported imported = import(hints);
    const struct tokenizer_specials *specials = tokenizer_specials(imported.tokenizer);
    assert_int_equal(tokenizer_count(imported.tokenizer), 16);
    assert_int_equal(specials->bos, 3);
    assert_int_equal(specials->eos, 4);
    assert_int_equal(specials->padding, 6);
    assert_false(specials->add_bos);
    for (int32_t id = 0; id < 10; id++) /* 5: its spelling is known */
        assert_int_equal(tokenizer_ends(imported.tokenizer, id), id == 4 || id == 5 || id >= 7);
    assert_int_equal(tokenizer_kind(imported.tokenizer, 7), TOKEN_CONTROL); /* "<|...|>" */
    assert_int_equal(tokenizer_kind(imported.tokenizer, 10), TOKEN_UNUSED);
    assert_int_equal(tokenizer_find(imported.tokenizer, "[PAD15]", 7), 15);
    check_ids(&imported, "ab<|user|>a", (const int32_t[]){2, 7, 0}, 3);
    close_imported(&imported);
}

static void test_config(void **state)
{
    (void)state;
    clear();
    save_text("tokenizer.json", plain);
    save_text(
        "tokenizer_config.json",
        "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"<|im_end|>\",\"add_bos_token\":true,"
        "\"pad_token\":\"missing\",\"model_max_length\":1000000000000000019884624838656}");
    save_text("special_tokens_map.json", "{\"bos_token\":\"a\",\"unk_token\":\"b\"}");
    const int64_t ends[] = {4, 5};
    struct tokenizer_hints hints = {"llama", "llama", 0, 0, 4, 6, ends, 2};
    struct imported imported = import(hints);
    const struct tokenizer_specials *specials = tokenizer_specials(imported.tokenizer);
    assert_int_equal(specials->bos, 3); /* the tokenizer's own word before config.json's */
    assert_int_equal(specials->eos, 5);
    assert_int_equal(specials->eot, 4);
    assert_int_equal(specials->unknown, 1);
    assert_int_equal(specials->padding, 6);
    assert_true(specials->add_bos);
    check_ids(&imported, "ab", (const int32_t[]){3, 2}, 2);
    close_imported(&imported);
}

/* ---- ignore_merges ---- */

/* "abc" is no result of merges: only a pre-token taken whole is one token. */
static void check_ignore(const char *pre_tokenizer, bool ignore_merges, const char *name,
                         bool has_key)
{
    char json[2048];
    snprintf(json, sizeof json,
             "{\"pre_tokenizer\":%s,\"model\":{\"type\":\"BPE\",\"ignore_merges\":%s,\"vocab\":"
             "{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4},\"merges\":[\"a b\"]}}",
             pre_tokenizer, ignore_merges ? "true" : "false");
    clear();
    save_text("tokenizer.json", json);
    struct imported imported = import(imported_no_hints());
    check_text(&imported, "tokenizer.ggml.pre", name);
    assert_int_equal(gguf_entry_find(imported.gguf, "tokenizer.ggml.ignore_merges") != NULL,
                     has_key);
    if (ignore_merges)
        check_ids(&imported, "abc", (const int32_t[]){4}, 1);
    else
        check_ids(&imported, "abc", (const int32_t[]){3, 2}, 2);
    close_imported(&imported);
}

static void test_ignore_merges(void **state)
{
    (void)state;
    const char *bytes = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}";
    const char *llama3 =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":"
        "\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"use_regex\":false}]}";
    check_ignore(bytes, false, "gpt-2", false);
    check_ignore(bytes, true, "gpt-2", true);
    check_ignore(llama3, false, "glm4", false);
    check_ignore(llama3, true, "llama-bpe", false);
}

/* ---- templates ---- */

static void test_templates(void **state)
{
    (void)state;
    clear();
    save_text("tokenizer.json", plain);
    save_text("tokenizer_config.json",
              "{\"chat_template\":[{\"name\":\"default\",\"template\":\"one\"},"
              "{\"name\":\"tool_use\",\"template\":\"two\\n\"}]}");
    struct imported imported = import(imported_no_hints());
    check_text(&imported, "tokenizer.chat_template", "one");
    check_text(&imported, "tokenizer.chat_template.tool_use", "two\n");
    const struct gguf_string *names;
    size_t count;
    assert_true(
        gguf_text_array(imported.gguf, "tokenizer.chat_templates", true, 1, &names, &count, NULL));
    assert_memory_equal(names[0].bytes, "tool_use", 8);
    close_imported(&imported);

    save_text("chat_template.json", "{\"chat_template\":\"three\"}");
    imported = import(imported_no_hints());
    check_text(&imported, "tokenizer.chat_template", "one");
    close_imported(&imported);

    save_text("chat_template.jinja", "four"); /* the file beside it wins, as in transformers */
    imported = import(imported_no_hints());
    check_text(&imported, "tokenizer.chat_template", "four");
    check_text(&imported, "tokenizer.chat_template.tool_use", "two\n");
    close_imported(&imported);

    unlink(LICHEN_TEST_OUTPUT "/tokenizer-import/tokenizer_config.json");
    unlink(LICHEN_TEST_OUTPUT "/tokenizer-import/chat_template.jinja");
    imported = import(imported_no_hints());
    check_text(&imported, "tokenizer.chat_template", "three");
    assert_null(gguf_entry_find(imported.gguf, "tokenizer.chat_templates"));
    close_imported(&imported);
}

/* ---- ChatGLM ---- */

struct model { /* a SentencePiece model of few pieces */
    unsigned char bytes[4096];
    size_t size;
};

static void add_piece(struct model *model, const char *text, unsigned char kind)
{
    unsigned char size = (unsigned char)strlen(text);
    unsigned char *at = model->bytes + model->size;
    float score = -(float)model->size;
    const unsigned char head[] = {0x0A, (unsigned char)(size + 9), 0x0A, size};
    memcpy(at, head, 4);
    memcpy(at + 4, text, size);
    at[4 + size] = 0x15;
    memcpy(at + 5 + size, &score, 4);
    at[9 + size] = 0x18;
    at[10 + size] = kind;
    model->size += 11u + size;
}

static void add_bytes(struct model *model, const char *bytes, size_t size)
{
    memcpy(model->bytes + model->size, bytes, size);
    model->size += size;
}

static void test_ice(void **state)
{
    (void)state;
    struct model model = {{0}, 0};
    clear();
    add_piece(&model, "<unk>", 2);
    add_piece(&model, "<s>", 3);
    add_piece(&model, "</s>", 3);
    add_piece(&model, "▁", 1);
    add_piece(&model, "<n>", 4);
    add_piece(&model, "<|tab|>", 4);
    add_piece(&model, "<|blank_2|>", 4);
    add_piece(&model, "<|blank_4|>", 4);
    add_piece(&model, "[gMASK]", 4);
    add_piece(&model, "<sop>", 4);
    add_piece(&model, "a", 1);
    add_piece(&model, "▁a", 1);
    add_bytes(&model, "\x12\x02\x18\x01", 4); /* unigram */
    add_bytes(&model, "\x1A\x04\x18\x01\x20\x00", 6);
    save("ice_text.model", model.bytes, model.size);
    struct tokenizer_hints hints = imported_no_hints();
    hints.model_type = "chatglm";
    struct imported imported = import(hints);
    check_ids(&imported, "a\n\ta", (const int32_t[]){11, 4, 5, 10}, 4);
    check_ids(&imported, "a    a  a", (const int32_t[]){11, 7, 10, 6, 10}, 5);
    check_ids(&imported, "  a", (const int32_t[]){3, 6, 10}, 3);
    check_ids(&imported, "a[gMASK]<sop>", (const int32_t[]){11, 8, 9}, 3);
    char *text;
    size_t size;
    assert_true(tokenizer_decode_all(imported.tokenizer, (const int32_t[]){11, 4, 5, 7, 10}, 5,
                                     false, &text, &size, NULL));
    assert_string_equal(text, "a\n\t    a");
    free(text);
    close_imported(&imported);
}

static void test_chatglm3(void **state)
{
    (void)state;
    struct model model = {{0}, 0};
    clear();
    add_piece(&model, "<unk>", 2);
    add_piece(&model, "<s>", 3);
    add_piece(&model, "</s>", 3);
    add_piece(&model, "▁", 1);
    add_piece(&model, "a", 1);
    add_bytes(&model, "\x12\x02\x18\x02", 4); /* BPE */
    add_bytes(&model, "\x1A\x04\x18\x01\x20\x00", 6);
    save("tokenizer.model", model.bytes, model.size);
    save_text("tokenizer_config.json", "{\"tokenizer_class\":\"ChatGLMTokenizer\"}");
    struct tokenizer_hints hints = imported_no_hints();
    hints.model_type = "chatglm";
    hints.vocab_size = 20;
    struct imported imported = import(hints);
    check_text(&imported, "tokenizer.ggml.pre", "chatglm-spm");
    assert_int_equal(tokenizer_find(imported.tokenizer, "[gMASK]", 7), 6);
    assert_int_equal(tokenizer_find(imported.tokenizer, "<|observation|>", 15), 13);
    assert_int_equal(tokenizer_kind(imported.tokenizer, 13), TOKEN_CONTROL);
    assert_int_equal(tokenizer_kind(imported.tokenizer, 14), TOKEN_UNUSED);
    assert_false(tokenizer_specials(imported.tokenizer)->add_bos);
    check_ids(&imported, "[gMASK]sop<|user|>a", (const int32_t[]){6, 8, 11, 3, 4}, 5);
    close_imported(&imported);
    /* InternLM2 names pieces that were left for later use */
    save_text("tokenizer_config.json",
              "{\"tokenizer_class\":\"Other\",\"added_tokens_decoder\":{\"4\":{\"content\":"
              "\"<|plugin|>\",\"special\":true}}}");
    hints.model_type = "internlm2";
    imported = import(hints);
    check_ids(&imported, "<|plugin|>", (const int32_t[]){1, 4}, 2);
    assert_int_equal(tokenizer_find(imported.tokenizer, "a", 1), -1);
    close_imported(&imported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pre_names), cmocka_unit_test(test_hints),
        cmocka_unit_test(test_config),    cmocka_unit_test(test_ignore_merges),
        cmocka_unit_test(test_templates), cmocka_unit_test(test_ice),
        cmocka_unit_test(test_chatglm3)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
