/* rope.h: inverse frequencies of the rotary positions, scaled as the file says. */
#ifndef LICHEN_ROPE_H
#define LICHEN_ROPE_H

#include "hparams.h"

/* Fills plan->rope[0], and [1] when local layers rotate otherwise. rope_freqs.weight and
 * rope_factors_short.weight, when the file has them, divide the frequencies of table 0. */
bool rope_build(const struct gguf *gguf, const struct hparams *hparams, struct plan *plan,
                struct fault *fault);

#endif
