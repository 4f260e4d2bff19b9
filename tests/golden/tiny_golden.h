/* tiny_golden.h: float64 logits of small models, made by make_tiny.py (its head tells the format).
 */
#ifndef LICHEN_TEST_TINY_GOLDEN_H
#define LICHEN_TEST_TINY_GOLDEN_H

#include <stdint.h>

struct tiny_golden_model {
    char name[33];
    uint64_t file_size, sum; /* bytes, FNV-1a of the file */
    const float *logits;     /* [row_count, vocab] of the last row_count tokens */
};

struct tiny_golden {
    char *bytes; /* the file, owned */
    uint32_t model_count, token_count, row_count, vocab;
    const int32_t *tokens; /* [token_count] */
    struct tiny_golden_model models[64];
};

/* All assert that they succeed. */
void tiny_golden_open(struct tiny_golden *golden, const char *path);
void tiny_golden_close(struct tiny_golden *golden);
const struct tiny_golden_model *tiny_golden_find(const struct tiny_golden *golden,
                                                 const char *name);
/* The golden is of these very bytes. */
void tiny_golden_check(const struct tiny_golden_model *model, const char *path);
/* Largest difference of logits [token_count, vocab] of all tokens from the golden's last rows,
 * divided by the largest golden logit. */
double tiny_golden_error(const struct tiny_golden *golden, const struct tiny_golden_model *model,
                         const float *logits);

#endif
