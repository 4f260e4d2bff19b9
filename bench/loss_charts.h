/* loss_charts.h: the pictures of a loss report (loss_json.h), each on a sheet of LOSS_SHEET_WIDTH x
 * LOSS_SHEET_HEIGHT units; for a page (SVG) and for a PNG file alike. */
#ifndef LICHEN_LOSS_CHARTS_H
#define LICHEN_LOSS_CHARTS_H

#include "drawing.h"
#include <jansson.h>

enum { LOSS_SHEET_WIDTH = 380, LOSS_SHEET_HEIGHT = 270, LOSS_COLORS = 12 };

extern const uint32_t loss_colors[LOSS_COLORS]; /* of candidate i: i % LOSS_COLORS */

/* Each returns false, and draws nothing, when the report has nothing to show. */
bool loss_chart_size(struct drawing *drawing, const json_t *report, const char *text);
bool loss_chart_delta(struct drawing *drawing, const json_t *report, const char *text);
bool loss_chart_position(struct drawing *drawing, const json_t *report, const char *text);
/* Of one candidate, coloured by the scale that all have in common. */
bool loss_chart_layers(struct drawing *drawing, const json_t *report, size_t candidate);

/* All of them on one picture with a legend, as a PNG file in memory; *bytes is malloc'd. */
bool loss_png(const json_t *report, void **bytes, size_t *size, struct fault *fault);

#endif
