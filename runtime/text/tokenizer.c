/* tokenizer.c: what all models share: creation, special tokens, encoding of whole texts. Decoding
 * is in decode.c. */
#include "vocab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1 << 28 }; /* bytes; the models count in int32_t with room for marked spaces */

/* ---- lists ---- */

bool token_list_push(struct token_list *list, int32_t id, struct fault *fault)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        int32_t *ids = realloc(list->ids, capacity * sizeof *ids);
        if (!ids)
            return vocab_no_memory(fault);
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return true;
}

void token_list_free(struct token_list *list)
{
    free(list->ids);
    *list = (struct token_list){0};
}

/* ---- creation ---- */

static bool choose_model(struct tokenizer *tokenizer, struct gguf_string name, struct fault *fault)
{
    static const char *const names[] = {
        [MODEL_BPE] = "gpt2",
        [MODEL_SPM] = "llama",
        [MODEL_UNIGRAM] = "t5",
        [MODEL_WORDPIECE] = "bert",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.size == strlen(names[i]) && memcmp(name.bytes, names[i], name.size) == 0) {
            tokenizer->model = (enum vocab_model)i;
            tokenizer->model_name = names[i];
            return true;
        }
    }
    if (name.size == 4 && memcmp(name.bytes, "none", 4) == 0)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "tokenizer.ggml.model: none: the file was made without a tokenizer and "
                         "takes no text; convert it again with the tokenizer's files");
    return fault_set(fault, FAULT_UNSUPPORTED,
                     "tokenizer.ggml.model: lichen does not know the tokenizer \"%.*s\"",
                     name.size < 100 ? (int)name.size : 100, name.bytes);
}

static bool read_names(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    struct gguf_string model = {"", 0}, pre = {"", 0};
    if (!gguf_text(gguf, "tokenizer.ggml.model", true, &model, fault) ||
        !choose_model(tokenizer, model, fault) ||
        !gguf_text(gguf, "tokenizer.ggml.pre", false, &pre, fault))
        return false;
    if (pre.size > 100)
        return fault_set(fault, FAULT_FORMAT, "tokenizer.ggml.pre: %zu bytes", pre.size);
    tokenizer->pre_name = arena_copy(&tokenizer->arena, pre.bytes, pre.size);
    return tokenizer->pre_name || vocab_no_memory(fault);
}

/* What the models do where the file is silent, then the file. */
static bool read_switches(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    bool pieces = tokenizer->model == MODEL_SPM || tokenizer->model == MODEL_UNIGRAM;
    struct tokenizer_specials *specials = &tokenizer->specials;
    specials->add_bos = tokenizer->model == MODEL_SPM;
    specials->add_eos = tokenizer->model == MODEL_UNIGRAM;
    if (tokenizer->pre)
        specials->add_bos = pretokenizer_flags(tokenizer->pre) & PRE_ADD_BOS;
    if (!pieces)
        return true;
    tokenizer->dummy_space = true;
    return space_scheme_read(tokenizer, gguf, fault) &&
           gguf_bool(gguf, "tokenizer.ggml.add_space_prefix", false, &tokenizer->dummy_space,
                     fault) &&
           gguf_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", false,
                     &tokenizer->trim_spaces, fault) &&
           charsmap_read(tokenizer, gguf, fault);
}

static bool create_model(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    switch (tokenizer->model) {
    case MODEL_BPE:
        return bpe_create(tokenizer, gguf, fault);
    case MODEL_SPM:
        return spm_create(tokenizer, gguf, fault);
    case MODEL_UNIGRAM:
        return unigram_create(tokenizer, gguf, fault);
    case MODEL_WORDPIECE:
        return wordpiece_create(tokenizer, gguf, fault);
    }
    return false;
}

static bool fill(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const unsigned control = KIND_BIT(TOKEN_CONTROL) | KIND_BIT(TOKEN_UNKNOWN);
    if (!read_names(tokenizer, gguf, fault))
        return false;
    if (tokenizer->model == MODEL_BPE &&
        !pretokenizer_create(tokenizer->pre_name, &tokenizer->pre, fault))
        return false;
    return read_switches(tokenizer, gguf, fault) && vocab_read(tokenizer, gguf, fault) &&
           specials_read(tokenizer, gguf, fault) && strips_read(tokenizer, gguf, fault) &&
           create_model(tokenizer, gguf, fault) &&
           prefix_index_create(tokenizer, control, &tokenizer->control, fault) &&
           prefix_index_create(tokenizer, KIND_BIT(TOKEN_USER_DEFINED), &tokenizer->user, fault);
}

bool tokenizer_create(const struct gguf *gguf, struct tokenizer **out, struct fault *fault)
{
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer)
        return vocab_no_memory(fault);
    arena_init(&tokenizer->arena, 0);
    if (!fill(tokenizer, gguf, fault)) {
        tokenizer_destroy(tokenizer);
        return false;
    }
    *out = tokenizer;
    return true;
}

void tokenizer_destroy(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pretokenizer_destroy(tokenizer->pre);
    arena_free(&tokenizer->arena);
    free(tokenizer);
}

/* ---- questions ---- */

uint32_t tokenizer_count(const struct tokenizer *tokenizer)
{
    return tokenizer->count;
}

const char *tokenizer_model(const struct tokenizer *tokenizer)
{
    return tokenizer->model_name;
}

const char *tokenizer_pre(const struct tokenizer *tokenizer)
{
    return tokenizer->pre_name;
}

enum token_kind tokenizer_kind(const struct tokenizer *tokenizer, int32_t id)
{
    assert(id >= 0 && (uint32_t)id < tokenizer->count);
    return (enum token_kind)tokenizer->kinds[id];
}

struct gguf_string tokenizer_spelling(const struct tokenizer *tokenizer, int32_t id)
{
    assert(id >= 0 && (uint32_t)id < tokenizer->count);
    return tokenizer->spellings[id];
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, size_t size)
{
    return vocab_find(tokenizer, bytes, size, ~0u);
}

const struct tokenizer_specials *tokenizer_specials(const struct tokenizer *tokenizer)
{
    return &tokenizer->specials;
}

bool tokenizer_ends(const struct tokenizer *tokenizer, int32_t id)
{
    assert(id >= 0 && (uint32_t)id < tokenizer->count);
    return tokenizer->ends[id];
}

size_t tokenizer_control_at(const struct tokenizer *tokenizer, const char *text, size_t size)
{
    size_t token_size;
    prefix_longest(&tokenizer->control, text, size, &token_size);
    return token_size;
}

/* ---- encoding ---- */

static void scratch_free(struct scratch *scratch)
{
    merger_free(&scratch->merger);
    splitter_free(&scratch->splitter);
    free(scratch->spelling);
}

static bool encode_fragment(const struct tokenizer *tokenizer, const char *text, size_t size,
                            struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    if (size == 0)
        return true;
    switch (tokenizer->model) {
    case MODEL_BPE:
        return bpe_encode(tokenizer, text, size, scratch, out, fault);
    case MODEL_SPM:
        return spm_encode(tokenizer, text, size, scratch, out, fault);
    case MODEL_UNIGRAM:
        return unigram_encode(tokenizer, text, size, scratch, out, fault);
    case MODEL_WORDPIECE:
        return wordpiece_encode(tokenizer, text, size, scratch, out, fault);
    }
    return false;
}

static bool encode_mapped(const struct tokenizer *tokenizer, const struct stretch *stretch,
                          struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    if (!tokenizer->trim_spaces && !space_takes_dummy(tokenizer, stretch))
        return encode_fragment(tokenizer, stretch->text, stretch->size, scratch, out, fault);
    size_t size;
    char *prepared = space_prepare(tokenizer, stretch, &size);
    if (!prepared)
        return vocab_no_memory(fault);
    bool encoded = encode_fragment(tokenizer, prepared, size, scratch, out, fault);
    free(prepared);
    return encoded;
}

static bool encode_stretch(const struct tokenizer *tokenizer, const struct stretch *stretch,
                           struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    if (!tokenizer->charsmap)
        return encode_mapped(tokenizer, stretch, scratch, out, fault);
    struct stretch mapped = *stretch;
    char *text = charsmap_apply(tokenizer, stretch->text, stretch->size, &mapped.size);
    if (!text)
        return vocab_no_memory(fault);
    mapped.text = text;
    bool encoded = encode_mapped(tokenizer, &mapped, scratch, out, fault);
    free(text);
    return encoded;
}

/* Text between two control tokens: user-defined tokens and what is between them. prepared: the
 * stretches are as they shall be; else first: at the start of the whole. */
static bool encode_users(const struct tokenizer *tokenizer, bool prepared, bool first,
                         const char *text, size_t size, struct scratch *scratch,
                         struct token_list *out, struct fault *fault)
{
    size_t done = 0;
    for (size_t at = 0;;) {
        size_t token_size = 0;
        int32_t id = user_next(tokenizer, text, size, &at, &token_size);
        size_t end = id < 0 ? size : at;
        if (id >= 0 && strips_space(tokenizer, id, STRIP_LEFT))
            end -= space_before(text + done, at - done);
        struct stretch stretch = {text + done, end - done, first && done == 0, done == 0, id < 0};
        if (!(prepared ? encode_fragment(tokenizer, text + done, end - done, scratch, out, fault)
                       : encode_stretch(tokenizer, &stretch, scratch, out, fault)))
            return false;
        if (id < 0)
            return true;
        if (!token_list_push(out, id, fault))
            return false;
        at += token_size;
        if (strips_space(tokenizer, id, STRIP_RIGHT))
            at += space_behind(text + at, size - at);
        done = at;
    }
}

/* Text between two control tokens; first: at the start of the whole. */
static bool encode_plain(const struct tokenizer *tokenizer, bool first, const char *text,
                         size_t size, struct scratch *scratch, struct token_list *out,
                         struct fault *fault)
{
    if (size == 0)
        return true;
    bool changes = tokenizer->dummy_space || tokenizer->trim_spaces || tokenizer->charsmap;
    if (!changes || tokenizer->space_scheme != SPACE_SENTENCEPIECE)
        return encode_users(tokenizer, !changes, first, text, size, scratch, out, fault);
    char *normal = space_normalize(tokenizer, text, size, &size);
    if (!normal)
        return vocab_no_memory(fault);
    bool encoded = encode_users(tokenizer, true, first, normal, size, scratch, out, fault);
    free(normal);
    return encoded;
}

/* Text with control tokens outside the plain ranges. */
static bool encode_special(const struct tokenizer *tokenizer, const char *text, size_t size,
                           const struct text_range *plain, size_t plain_count,
                           struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    size_t done = 0;
    for (size_t at = 0; at < size;) {
        while (plain_count > 0 && plain->offset + plain->size <= at) {
            plain++;
            plain_count--;
        }
        size_t limit = plain_count == 0 || plain->offset > size ? size : plain->offset;
        if (limit < at)
            limit = at;
        size_t token_size;
        int32_t id = prefix_longest(&tokenizer->control, text + at, limit - at, &token_size);
        if (id < 0) {
            at++;
            continue;
        }
        size_t end = strips_space(tokenizer, id, STRIP_LEFT)
                         ? at - space_before(text + done, at - done)
                         : at;
        if (!encode_plain(tokenizer, done == 0, text + done, end - done, scratch, out, fault) ||
            !token_list_push(out, id, fault))
            return false;
        at += token_size;
        if (strips_space(tokenizer, id, STRIP_RIGHT))
            at += space_behind(text + at, size - at);
        done = at;
    }
    return encode_plain(tokenizer, done == 0, text + done, size - done, scratch, out, fault);
}

static bool check_size(size_t size, struct fault *fault)
{
    return size <= TEXT_LIMIT ||
           fault_set(fault, FAULT_ARGUMENT, "text: %zu bytes, at most %d can be tokenized at once",
                     size, TEXT_LIMIT);
}

static int32_t start_token(const struct tokenizer *tokenizer)
{
    const struct tokenizer_specials *specials = &tokenizer->specials;
    return specials->bos < 0 && tokenizer->model == MODEL_WORDPIECE ? specials->cls : specials->bos;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                      struct tokenize_options options, struct token_list *out, struct fault *fault)
{
    const struct tokenizer_specials *specials = &tokenizer->specials;
    if (!check_size(size, fault))
        return false;
    if (options.bos && specials->add_bos && !token_list_push(out, start_token(tokenizer), fault))
        return false;
    struct scratch scratch = {0};
    bool encoded = options.special
                       ? encode_special(tokenizer, text, size, NULL, 0, &scratch, out, fault)
                       : encode_plain(tokenizer, true, text, size, &scratch, out, fault);
    scratch_free(&scratch);
    if (!encoded || !options.bos || !specials->add_eos)
        return encoded;
    return token_list_push(
        out, tokenizer->model == MODEL_WORDPIECE ? specials->separator : specials->eos, fault);
}

bool tokenizer_encode_chat(const struct tokenizer *tokenizer, const char *text, size_t size,
                           const struct text_range *plain, size_t plain_count,
                           struct token_list *out, struct fault *fault)
{
    struct scratch scratch = {0};
    bool encoded = check_size(size, fault) &&
                   encode_special(tokenizer, text, size, plain, plain_count, &scratch, out, fault);
    scratch_free(&scratch);
    return encoded;
}
