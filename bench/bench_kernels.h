/* bench_kernels.h: where the time of a run goes: the session's last run repeated with a barrier and
 * a timestamp around every call (lichen_kernels), grouped by kernel, operation, weight type and
 * matrix. As a table, CSV and JSON (docs/cli.md). */
#ifndef LICHEN_BENCH_KERNELS_H
#define LICHEN_BENCH_KERNELS_H

#include "lichen.h"
#include <jansson.h>
#include <stdio.h>

struct bench_kernel {
    struct lichen_kernel what; /* time_ns: median */
    double p10_ns, p90_ns;
    double share; /* of the sum of all medians */
};

struct bench_kernels {
    struct bench_kernel *items; /* [count], owned, longest first */
    size_t count;
    uint32_t tokens; /* of the run that was repeated */
    uint32_t dispatches;
    double sum_ns;   /* of the medians */
    double empty_ns; /* an empty pair of timestamps, median */
};

/* Repeats once uncounted, then `repeats` times. Free also after a failure. */
bool bench_kernels_measure(struct lichen_session *session, uint32_t repeats,
                           struct bench_kernels *kernels, struct fault *fault);
void bench_kernels_free(struct bench_kernels *kernels); /* accepts a zeroed one */
/* FAULT_UNSUPPORTED when the session's device cannot time kernels. */
bool bench_kernels_check(struct lichen_session *session, struct fault *fault);

struct bench_row;
void bench_kernels_table(const struct bench_row *row, FILE *stream);
void bench_kernels_csv_head(FILE *stream);
void bench_kernels_csv(const struct bench_row *row, FILE *stream);
json_t *bench_kernels_json(const struct bench_row *row); /* NULL = out of memory */

#endif
