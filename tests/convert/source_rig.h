/* source_rig.h: Hugging Face folders through source.h into GGUF files and on through the runtime,
 * for the tests of source_hf.c. */
#ifndef LICHEN_SOURCE_RIG_H
#define LICHEN_SOURCE_RIG_H

#include "source.h"
#include <jansson.h>

/* Opens path; fails the test with the fault. */
struct source *rig_source(const char *path);
/* Opening path must fail, and the fault say all of it. */
void rig_source_refused(const char *path, const char *expected);
/* Index of a tensor by its GGUF name; fails the test when there is none. */
uint32_t rig_tensor(const struct source *source, const char *name);
/* All rows of a tensor: malloc'd [rows * dims[0]]. */
float *rig_rows(const struct source *source, uint32_t index);

/* Writes the source as a GGUF file whose tensors are F32, or where lossless is true of the type
 * that holds them without loss. */
void rig_write(const struct source *source, bool lossless, const char *path);

/* The folder's golden.json: input_ids (ChatGLM-6B: prompt_ids and then_ids) and logits of the
 * original implementation. */
struct rig_golden {
    uint32_t token_count, row_count, vocab;
    uint32_t prompt_count; /* whose last token ends a prefix; 0 = no prefix */
    int32_t *tokens; /* [token_count], owned */
    float *logits;   /* [row_count, vocab] of the last row_count tokens, owned */
};
void rig_golden_open(struct rig_golden *golden, const char *folder);
void rig_golden_close(struct rig_golden *golden);

/* Converts the folder to F32 (or lossless types), runs golden's tokens on exec_ref and returns the
 * largest difference of a logit. */
double rig_error(const char *folder, bool lossless);

#endif
