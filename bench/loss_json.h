/* loss_json.h: the report of a loss run as one JSON document (docs/cli.md gives the schema). Table,
 * CSV, HTML and pictures are views of it (loss_views.h), so they can also be made of a saved one.
 * What is not known is null, never 0. All functions that return json_t give a new reference, NULL
 * when out of memory. */
#ifndef LICHEN_LOSS_JSON_H
#define LICHEN_LOSS_JSON_H

#include "loss_figures.h"
#include <jansson.h>

/* What a stream is: label, file, sha256, bytes, bpw, parameters, kv, activations, device. */
json_t *loss_json_stream(const struct loss_stream *stream, const char *sha256);
/* What a text says about the base (figures of stream 0). */
json_t *loss_json_base_result(const char *text, const struct loss_figures *figures);
/* What a text says about a candidate. words: an engine that decodes tokens, NULL = none. */
json_t *loss_json_result(const char *text, const struct loss_figures *figures,
                         const struct loss_series *series, size_t stream,
                         const struct lichen_engine *words);
/* The verdict on candidates a and b (numbers in "candidates") by KLD. */
json_t *loss_json_pair(size_t a, size_t b, const char *text, const struct loss_pair *pair);
json_t *loss_json_device(const struct lichen_device *device);

json_t *loss_json_real(double value); /* null unless finite */
json_t *loss_json_interval(struct loss_interval interval);

#endif
