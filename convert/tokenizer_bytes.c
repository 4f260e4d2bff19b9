/* tokenizer_bytes.c: byte-level vocabularies that come without a tokenizer.json: vocab.json with
 * merges.txt, and tiktoken's lines. Which pre-tokenizer they need is not in the files: it is known
 * of the tokenizer's class or of the model's type, or the files are refused. */
#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

/* ---- pre-tokenizers by class and model ---- */

static const struct {
    const char *tokenizer_class; /* tokenizer_config.json */
    const char *model_type;      /* config.json, where the other says nothing */
    const char *pre;
    const char *normalizer;
} known[] = {
    {"GPT2Tokenizer", "gpt2", "gpt-2", NULL},
    {"GPT2TokenizerFast", "", "gpt-2", NULL},
    {"MossTokenizer", "moss", "gpt-2", NULL},
    {"CodeGenTokenizer", "codegen", "gpt-2", NULL},
    {"CodeGenTokenizerFast", "gptj", "gpt-2", NULL},
    {"Qwen2Tokenizer", "qwen2", "qwen2", "nfc"},
    {"Qwen2TokenizerFast", "qwen3", "qwen2", "nfc"},
    {"QWenTokenizer", "qwen", "qwen2", "nfc"},
    {"ChatGLM4Tokenizer", "chatglm", "glm4", NULL},
    {"", "glm4", "glm4", NULL},
    {"", "glm", "glm4", NULL},
    {"", "llama", "llama-bpe", NULL},
};

static bool choose_pre(struct tokenizer_import *import, struct fault *fault)
{
    const char *class = tokenizer_class(import);
    const char *type = import->hints.model_type ? import->hints.model_type : "";
    for (int by_type = *class == 0; by_type < 2; by_type++)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (strcmp(by_type ? known[i].model_type : known[i].tokenizer_class,
                       by_type ? type : class) != 0)
                continue;
            import->model = "gpt2";
            import->pre = known[i].pre;
            import->normalizer = known[i].normalizer;
            return true;
        }
    return fault_set(fault, FAULT_UNSUPPORTED,
                     "lichen does not know the pre-tokenizer of class \"%.60s\" (tokenizer_config."
                     "json) and model type \"%.60s\"; a tokenizer.json would say it",
                     class, type);
}

/* ---- vocab.json, merges.txt ---- */

bool tokenizer_vocab_read(struct tokenizer_import *import, const char *bytes, size_t size,
                          struct fault *fault)
{
    struct json_walk walk;
    json_walk_begin(&walk, bytes, size);
    bool read = vocab_object_read(import, &walk, fault) && json_walk_end(&walk, fault);
    json_walk_free(&walk);
    return read && choose_pre(import, fault);
}

bool tokenizer_merges_read(struct tokenizer_import *import, const char *bytes, size_t size,
                           struct fault *fault)
{
    const char *end = bytes + size;
    for (const char *line = bytes, *next; line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        next = newline ? newline + 1 : end;
        if (stop > line && stop[-1] == '\r')
            stop--;
        bool heading = line == bytes && size > 9 && memcmp(line, "#version:", 9) == 0;
        if (stop > line && !heading && !merge_text_add(import, line, (size_t)(stop - line), fault))
            return false;
    }
    return merges_settle(import, fault);
}

/* ---- tiktoken ---- */

static int base64_digit(char c)
{
    const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and on.
 * Writes UTF-8, returns its size. */
static size_t spell_byte(uint8_t byte, char *dst)
{
    unsigned code = byte;
    if (byte <= 0x20)
        code = 0x100u + byte;
    else if (byte >= 0x7F && byte <= 0xA0)
        code = 0x121u + (byte - 0x7Fu);
    else if (byte == 0xAD)
        code = 0x143;
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    dst[0] = (char)(0xC0 | code >> 6);
    dst[1] = (char)(0x80 | (code & 0x3F));
    return 2;
}

/* size base64 digits as spelled bytes into dst (2 bytes for each byte of theirs); the size of what
 * was written, 0 when it is not base64. */
static size_t spell_base64(const char *text, size_t size, char *dst)
{
    uint32_t bits = 0, count = 0;
    size_t written = 0;
    while (size > 0 && text[size - 1] == '=')
        size--;
    for (size_t i = 0; i < size; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            written += spell_byte((uint8_t)(bits >> count), dst + written);
            bits &= (1u << count) - 1;
        }
    }
    return bits == 0 ? written : 0;
}

/* "base64 rank": the sizes of the two, false when the line is not of this form. */
static bool split_line(const char *line, size_t size, size_t *text_size, int64_t *rank)
{
    const char *space = memchr(line, ' ', size);
    *rank = 0;
    if (!space || space == line || (size_t)(space - line) + 1 == size)
        return false;
    *text_size = (size_t)(space - line);
    for (const char *digit = space + 1; digit < line + size; digit++) {
        if (*digit < '0' || *digit > '9' || *rank > INT32_MAX / 16)
            return false;
        *rank = *rank * 10 + (*digit - '0');
    }
    return true;
}

bool tokenizer_is_tiktoken(const char *bytes, size_t size)
{
    const char *newline = memchr(bytes, '\n', size < PIECE_SIZE_MAX ? size : PIECE_SIZE_MAX);
    size_t line = newline ? (size_t)(newline - bytes) : size, text_size;
    int64_t rank;
    if (line > 0 && bytes[line - 1] == '\r')
        line--;
    if (!split_line(bytes, line, &text_size, &rank))
        return false;
    for (size_t i = 0; i < text_size; i++)
        if (base64_digit(bytes[i]) < 0 && bytes[i] != '=')
            return false;
    return true;
}

static bool read_line(struct tokenizer_import *import, const char *line, size_t size,
                      uint32_t number, char *scratch, struct fault *fault)
{
    size_t text_size = 0, spelled = 0;
    int64_t rank;
    if (split_line(line, size, &text_size, &rank) && text_size <= PIECE_SIZE_MAX)
        spelled = spell_base64(line, text_size, scratch);
    if (spelled == 0)
        return fault_set(fault, FAULT_FORMAT, "line %u: expected \"base64 rank\"", number);
    return piece_add(import, scratch, spelled, rank, PIECE_NORMAL, 0, fault);
}

/* tiktoken takes a pre-token that is a token whole, as "llama-bpe" does. */
static bool recover_merges(struct tokenizer_import *import, struct fault *fault)
{
    int64_t missed;
    if (!merges_from_ids(import, &missed, fault))
        return false;
    if (missed >= 0 && strcmp(import->pre, "glm4") == 0)
        import->pre = "llama-bpe"; /* the same pattern */
    return missed < 0 || strcmp(import->pre, "llama-bpe") == 0 ||
           fault_set(fault, FAULT_UNSUPPORTED,
                     "token %lld: no two tokens of lower rank make it, which \"%s\" needs",
                     (long long)missed, import->pre);
}

bool tokenizer_tiktoken_read(struct tokenizer_import *import, const char *bytes, size_t size,
                             struct fault *fault)
{
    char *scratch = malloc(2 * PIECE_SIZE_MAX);
    const char *end = bytes + size;
    bool read = scratch || import_no_memory(fault);
    uint32_t number = 0;
    for (const char *line = bytes, *next; read && line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        next = newline ? newline + 1 : end;
        number++;
        if (stop > line && stop[-1] == '\r')
            stop--;
        if (stop > line)
            read = read_line(import, line, (size_t)(stop - line), number, scratch, fault);
    }
    free(scratch);
    if (read && import->count == 0)
        read = fault_set(fault, FAULT_FORMAT, "no token");
    return read && choose_pre(import, fault) && recover_merges(import, fault);
}
