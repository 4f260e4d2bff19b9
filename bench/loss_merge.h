/* loss_merge.h: the reports of several runs as one: same base, same protocol, other candidates or
 * other texts. Candidates are known by file, cache, activations and device. */
#ifndef LICHEN_LOSS_MERGE_H
#define LICHEN_LOSS_MERGE_H

#include "fault.h"
#include <jansson.h>

/* A JSON text that is a report of lichen loss; *report: a new reference. name is for the fault. */
bool loss_report_parse(const char *bytes, size_t size, const char *name, json_t **report,
                       struct fault *fault);
/* Moves what other has into report. Bases, protocols, windows or texts of one name that differ are
 * a FAULT_ARGUMENT. Pairs and advice are made anew. */
bool loss_merge(json_t *report, const json_t *other, const char *name, struct fault *fault);

#endif
