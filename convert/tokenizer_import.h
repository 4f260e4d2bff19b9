/* tokenizer_import.h: a published tokenizer as GGUF metadata (tokenizer.ggml.*, chat templates),
 * such that the ids equal those of the original library.
 *
 * Read, the first that is there: tokenizer.json (byte-level BPE; BPE with byte fallback and
 * Prepend/Replace normalizers = SentencePiece's, scores recovered from the merge order; Unigram;
 * WordPiece), tokenizer.model (SentencePiece protobuf), vocab.json + merges.txt, tiktoken files
 * (*.tiktoken, tokenizer.model of tiktoken lines), ice_text.model; with tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json, chat_template.jinja and chat_template.json beside it.
 * A pre-tokenizer is recognised by its pattern; an unknown one is FAULT_UNSUPPORTED and printed. */
#ifndef LICHEN_TOKENIZER_IMPORT_H
#define LICHEN_TOKENIZER_IMPORT_H

#include "fault.h"
#include "gguf_write.h"

struct tokenizer_hints {      /* what config.json says */
    const char *architecture; /* GGUF's, "chatglm" */
    const char *model_type;   /* Hugging Face's, "chatglm" */
    uint32_t vocab_size;    /* rows of the embedding; tokens are padded to it with [PADn], unused */
    int64_t bos, eos, pad;  /* -1 = config.json names none */
    const int64_t *eos_all; /* all that end an answer (generation_config.json), eos_all_count */
    uint32_t eos_all_count;
};

struct tokenizer_import;

bool tokenizer_import_open(const char *folder, const struct tokenizer_hints *hints,
                           struct tokenizer_import **out, struct fault *fault);
void tokenizer_import_close(struct tokenizer_import *import); /* NULL is allowed */
uint32_t tokenizer_import_token_count(const struct tokenizer_import *import);
bool tokenizer_import_put(const struct tokenizer_import *import, struct gguf_writer *writer,
                          struct fault *fault);
uint32_t tokenizer_import_file_count(const struct tokenizer_import *import);
const char *tokenizer_import_file_path(const struct tokenizer_import *import, uint32_t index);

#endif
