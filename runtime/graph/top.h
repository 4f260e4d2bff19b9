/* top.h: the largest logits of a row. */
#ifndef LICHEN_TOP_H
#define LICHEN_TOP_H

#include "fault.h"
#include <stdint.h>

/* The k largest of count logits (1 <= k <= count), largest first, ties by lower id first. A logit
 * that is not a number is a fault. */
bool top_select(const float *logits, uint32_t count, uint32_t k, int32_t *ids, float *values,
                struct fault *fault);

#endif
