/* convert_report.h: what lichen convert says of a conversion: the table of --dry-run, warnings, the
 * JSON of --report and --json (schema in docs/cli.md). */
#ifndef LICHEN_CLI_CONVERT_REPORT_H
#define LICHEN_CLI_CONVERT_REPORT_H

#include "convert.h"
#include "output.h"

struct convert_report {
    const char *path, *output; /* output NULL with --dry-run */
    const struct source *source;
    const struct recipe *recipe;
    const struct convert_result *results; /* NULL before the conversion */
    uint64_t size;                        /* of the file; 0 unknown */
    const struct convert_proof *proof;    /* NULL before the conversion */
    double seconds;
};

bool convert_report_table(const struct convert_report *report, struct fault *fault);
/* Fallbacks, tensors that their type holds badly. */
void convert_report_notes(const struct convert_report *report, const struct output *output);
json_t *convert_report_json(const struct convert_report *report); /* NULL: out of memory */

#endif
