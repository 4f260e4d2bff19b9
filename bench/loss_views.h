/* loss_views.h: the JSON report (loss_json.h) for people: what all views share, and the views. They
 * take any JSON: what is missing is shown as "-". */
#ifndef LICHEN_LOSS_VIEWS_H
#define LICHEN_LOSS_VIEWS_H

#include "fault.h"
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Terminal table; details: the block of every candidate in llama-perplexity's words; layers: a line
 * a matrix. */
void loss_table(const json_t *report, bool details, bool layers, FILE *stream);
/* One line a candidate and text, a head line. */
void loss_csv(const json_t *report, FILE *stream);
/* Rows for a model card. */
void loss_markdown(const json_t *report, FILE *stream);
/* One page without anything from elsewhere. */
void loss_html(const json_t *report, FILE *stream);

/* Keys one after the other, ended by NULL; NAN when one is missing or no number. */
double loss_number(const json_t *value, ...);
/* A number of an array's element; SIZE_MAX when missing or none. */
size_t loss_index(const json_t *object, const char *key);
/* Of what the intervals are: 0.95, which older reports do not say; and as words, "95 %". */
double loss_level_of(const json_t *report);
const char *loss_level(const json_t *report, char text[24]);
/* From window to window; 0 = they lie side by side. */
double loss_stride(const json_t *report);
/* "protocol llama, windows of 512 tokens". */
const char *loss_windows_text(const json_t *report, char text[128]);
/* A string, "" when missing. */
const char *loss_string(const json_t *object, const char *key);
/* The element of results whose "text" is so; NULL when there is none. */
const json_t *loss_result(const json_t *stream, const char *text);
/* Is this pair worth a line about that text? Of many candidates only neighbours in the order of
 * their KLD are. */
bool loss_pair_shown(const json_t *report, const json_t *pair, const char *text);
/* The difference in percent of the larger KLD; NAN when unknown. */
double loss_pair_percent(const json_t *report, const json_t *pair);
/* Matrices of a candidate that are noisier than their type has to be ("below_expected"); *worst =
 * the one that is most so, NULL when there is none; *shortfall = by how many dB. */
size_t loss_below_expected(const json_t *candidate, const json_t **worst, double *shortfall);
/* The advice in one sentence; text has room for size bytes. */
void loss_advice(const json_t *report, char *text, size_t size);

#endif
