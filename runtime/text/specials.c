/* specials.c: the special ids of a vocabulary, and which tokens end an answer. Facts: the keys of
 * ggml's gguf.md ("seperator" is spelled so there); defaults for a silent file and the spellings
 * of end tokens follow llama.cpp (src/llama-vocab.cpp). */
#include "vocab.h"

#include <string.h>

/* What ends an answer whatever the file says about it. */
static const char *const end_spellings[] = {
    "<|endoftext|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<turn|>",
    "<|tool_response>",
    "<eos>",
    "</s>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "[e~[",
    "[EOT]",
    "[EOS]",
    "<EOT>",
    "_<EOT>",
    "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<eom>", /* MOSS: end of the answer */
};

static int32_t find_spelling(const struct tokenizer *tokenizer, const char *spelling)
{
    return tokenizer_find(tokenizer, spelling, strlen(spelling));
}

static bool ends_with(const struct tokenizer *tokenizer, const char *spelling)
{
    int32_t id = find_spelling(tokenizer, spelling);
    return id >= 0 && tokenizer->ends[id];
}

static void clear_end(struct tokenizer *tokenizer, const char *spelling)
{
    int32_t id = find_spelling(tokenizer, spelling);
    const struct tokenizer_specials *specials = &tokenizer->specials;
    if (id >= 0 && id != specials->eos && id != specials->eot && id != specials->eom)
        tokenizer->ends[id] = false;
}

/* An end token that text could spell would let a person forge the end of a turn: converters do mark
 * such tokens as normal or user-defined, so the kind is corrected here. */
static void mark_end(struct tokenizer *tokenizer, int32_t id, bool known_spelling)
{
    if (id < 0)
        return;
    tokenizer->ends[id] = true;
    uint8_t *kind = &tokenizer->kinds[id];
    if (*kind == TOKEN_USER_DEFINED || (*kind == TOKEN_NORMAL && known_spelling))
        *kind = TOKEN_CONTROL;
}

/* lichen's key: what ends an answer where eos, eot and eom are too few. */
static bool read_ends(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.end_token_ids";
    const int32_t *ids = NULL;
    size_t count = 0;
    if (!gguf_i32_array(gguf, key, false, SIZE_MAX, &ids, &count, fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= tokenizer->count)
            return fault_set(fault, FAULT_FORMAT, "%s[%zu]: %d is no token, the vocabulary has %u",
                             key, i, ids[i], tokenizer->count);
        mark_end(tokenizer, ids[i], false);
    }
    return true;
}

static bool find_ends(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    tokenizer->ends = arena_alloc(&tokenizer->arena, tokenizer->count, sizeof *tokenizer->ends);
    if (!tokenizer->ends)
        return vocab_no_memory(fault);
    for (size_t i = 0; i < sizeof end_spellings / sizeof *end_spellings; i++)
        mark_end(tokenizer, find_spelling(tokenizer, end_spellings[i]), true);
    mark_end(tokenizer, tokenizer->specials.eos, false);
    mark_end(tokenizer, tokenizer->specials.eot, false);
    mark_end(tokenizer, tokenizer->specials.eom, false);
    /* Where a channel protocol has its own end tokens, "<|end|>" only closes a channel. */
    if ((ends_with(tokenizer, "<|return|>") && ends_with(tokenizer, "<|call|>")) ||
        (ends_with(tokenizer, "<|flush|>") && ends_with(tokenizer, "<|calls|>")))
        clear_end(tokenizer, "<|end|>");
    if (ends_with(tokenizer, "<|tool_response>"))
        clear_end(tokenizer, "</s>");
    return read_ends(tokenizer, gguf, fault);
}

static bool read_id(const struct tokenizer *tokenizer, const struct gguf *gguf, const char *key,
                    int32_t *id, struct fault *fault)
{
    uint32_t value = UINT32_MAX; /* also what some files write for "none" */
    if (!gguf_u32(gguf, key, false, &value, fault))
        return false;
    if (value == UINT32_MAX)
        return true;
    if (value >= tokenizer->count)
        return fault_set(fault, FAULT_FORMAT, "%s: %u is no token, the vocabulary has %u", key,
                         value, tokenizer->count);
    *id = (int32_t)value;
    return true;
}

static bool read_ids(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    struct tokenizer_specials *specials = &tokenizer->specials;
    const struct {
        const char *key;
        int32_t *id;
    } keys[] = {
        {"tokenizer.ggml.bos_token_id", &specials->bos},
        {"tokenizer.ggml.eos_token_id", &specials->eos},
        {"tokenizer.ggml.eot_token_id", &specials->eot},
        {"tokenizer.ggml.eom_token_id", &specials->eom},
        {"tokenizer.ggml.unknown_token_id", &specials->unknown},
        {"tokenizer.ggml.seperator_token_id", &specials->separator},
        {"tokenizer.ggml.padding_token_id", &specials->padding},
        {"tokenizer.ggml.mask_token_id", &specials->mask},
        {"tokenizer.ggml.cls_token_id", &specials->cls},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        *keys[i].id = -1;
        if (!read_id(tokenizer, gguf, keys[i].key, keys[i].id, fault))
            return false;
    }
    for (uint32_t id = 0; specials->unknown < 0 && id < tokenizer->count; id++)
        if (tokenizer->kinds[id] == TOKEN_UNKNOWN)
            specials->unknown = (int32_t)id;
    return true;
}

/* A flag that the file sets needs its token; a default just stays off without one. */
static bool read_flag(const struct gguf *gguf, const char *key, int32_t id, bool *flag,
                      struct fault *fault)
{
    if (!gguf_bool(gguf, key, false, flag, fault))
        return false;
    if (*flag && id < 0 && gguf_entry_find(gguf, key))
        return fault_set(fault, FAULT_FORMAT, "%s: true, but the file names no such token", key);
    *flag = *flag && id >= 0;
    return true;
}

static bool read_flags(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    struct tokenizer_specials *specials = &tokenizer->specials;
    if (tokenizer->model == MODEL_WORDPIECE) {
        specials->add_bos = specials->add_eos = true;
        int32_t start = specials->bos >= 0 ? specials->bos : specials->cls;
        return read_flag(gguf, "tokenizer.ggml.add_bos_token", start, &specials->add_bos, fault) &&
               read_flag(gguf, "tokenizer.ggml.add_sep_token", specials->separator,
                         &specials->add_eos, fault);
    }
    return read_flag(gguf, "tokenizer.ggml.add_bos_token", specials->bos, &specials->add_bos,
                     fault) &&
           read_flag(gguf, "tokenizer.ggml.add_eos_token", specials->eos, &specials->add_eos,
                     fault);
}

bool specials_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    return read_ids(tokenizer, gguf, fault) && read_flags(tokenizer, gguf, fault) &&
           find_ends(tokenizer, gguf, fault);
}
