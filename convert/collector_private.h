/* collector_private.h: what collector.c and collector_file.c share. */
#ifndef LICHEN_COLLECTOR_PRIVATE_H
#define LICHEN_COLLECTOR_PRIVATE_H

#include "collector.h"
#include "gguf_write.h"
#include "moment.h"
#include "parallel.h"
#include "triangle.h"

struct input {
    uint32_t weight; /* the first that it belongs to */
    uint32_t columns, pass;
    uint64_t tokens;
    double *squares; /* [columns] sums of x^2, owned */
    float *moments;  /* [triangle_count] sums of x x^T while its pass goes on, owned */
};

struct collector {
    struct collector_options options;
    struct parallel *parallel;
    struct input *inputs; /* [input_count], in the order in which they are met */
    uint32_t input_count;
    uint32_t *input_of;  /* [weight_count] */
    bool *first;         /* [weight_count] the first weight of its source */
    const char *const *sensitive; /* [sensitive_count], caller's, as sensitivity */
    const float *sensitivity;
    uint32_t sensitive_count;
    uint32_t passes, pass;
    float *packed; /* [packed_count] scratch of an addition */
    size_t packed_count;
    struct gguf_writer *writer; /* once begun */
};

#endif
