/* loss_logits_file.h: the base's logits on disk, as llama-perplexity --kl-divergence-base writes
 * and reads them (little-endian):
 *
 *   "_logits_" i32 ctx, i32 vocab, i32 chunks, i32 tokens[chunks * ctx]
 *   a chunk: ctx - 1 - ctx/2 rows of u16[2 * ((vocab + 1) / 2) + 4]:
 *     f32 scale, f32 least       the first four u16
 *     u16 code[vocab]            log p = scale * code + least; code 0 stands for "least or less"
 *
 *   lowest = max(smallest logit, largest - 24)     scale = (largest - lowest) / 65535
 *   least = lowest - ln sum exp(logit)             code = nearest((logit - lowest) / scale)
 *
 * tokens are the text's; BOS takes the first place of a window when it is run (loss_window.h). */
#ifndef LICHEN_LOSS_LOGITS_FILE_H
#define LICHEN_LOSS_LOGITS_FILE_H

#include "loss_metrics.h"
#include "loss_window.h"

struct loss_logits_reader;

/* The size of the file must be what its header says; token ids below vocab. */
bool loss_logits_open(const char *path, struct loss_logits_reader **out, struct fault *fault);
void loss_logits_close(struct loss_logits_reader *reader); /* NULL is allowed */
uint32_t loss_logits_vocab(const struct loss_logits_reader *reader);
uint32_t loss_logits_ctx(const struct loss_logits_reader *reader);
/* chunks * ctx tokens, reader's. */
const int32_t *loss_logits_ids(const struct loss_logits_reader *reader, size_t *count);
/* Log probabilities after scored position first + row of a chunk, dst[vocab]. */
bool loss_logits_read(struct loss_logits_reader *reader, uint32_t chunk, uint32_t row, float *dst,
                      struct fault *fault);
/* Sum of exp(log p) - 1 of the row read last: beyond 0.001 the file is of an old llama.cpp (cut at
 * 16 instead of 24) or of another rounding, and its KLD is off by about as much. */
double loss_logits_excess(const struct loss_logits_reader *reader);

struct loss_logits_writer;

/* Reserves the room for all of the windows' rows at once. */
bool loss_logits_create(const char *path, const struct loss_windows *windows, uint32_t vocab,
                        struct loss_logits_writer **out, struct fault *fault);
/* The next row: logits[vocab] after the next scored position. */
bool loss_logits_append(struct loss_logits_writer *writer, const float *logits,
                        const struct loss_row *about, struct fault *fault);
/* Renames to its path; fails when rows are missing. */
bool loss_logits_finish(struct loss_logits_writer *writer, struct fault *fault);
void loss_logits_destroy(struct loss_logits_writer *writer); /* removes what is not finished */

#endif
