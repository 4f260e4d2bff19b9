/* bench_chart.h: results of bench_speed as a picture: prefill and decode by depth as bars, whiskers
 * from the 10th to the 90th percentile; with a peer both programs and their ratio. */
#ifndef LICHEN_BENCH_CHART_H
#define LICHEN_BENCH_CHART_H

#include "bench_speed.h"
#include "canvas.h"

struct bench_chart_head { /* lines of text above and below; what is too long is cut */
    char title[256], device[256], foot[256];
};

/* *out is the caller's: canvas_png, canvas_destroy. */
bool bench_chart_draw(const struct bench_result *result, const struct bench_chart_head *head,
                      struct canvas **out, struct fault *fault);

#endif
