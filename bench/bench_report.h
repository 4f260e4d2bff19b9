/* bench_report.h: results of bench_speed as a table, CSV and JSON (schema 1, docs/cli.md). */
#ifndef LICHEN_BENCH_REPORT_H
#define LICHEN_BENCH_REPORT_H

#include "bench_speed.h"
#include <jansson.h>
#include <stdio.h>

/* old: a document of bench --json to compare with, NULL = none. */
void bench_table(const struct bench_result *result, const json_t *old, FILE *stream);
/* The tests, or, where kernels were timed, the kernels. */
void bench_csv(const struct bench_result *result, FILE *stream);
/* Takes the references of model, device and machine. NULL = out of memory. */
json_t *bench_json(const struct bench_result *result, json_t *model, json_t *device,
                   json_t *machine);

#endif
