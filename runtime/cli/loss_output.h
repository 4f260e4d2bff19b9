/* loss_output.h: where the report of lichen loss goes: standard output and files, each whole or not
 * at all. */
#ifndef LICHEN_LOSS_OUTPUT_H
#define LICHEN_LOSS_OUTPUT_H

#include "output.h"

struct loss_output {
    const json_t *report; /* NULL: nothing is known, and nothing is written */
    const char *html, *json, *csv, *png, *markdown; /* paths; "-" = standard output; NULL = none */
    bool details, layers;                           /* of the table */
    struct output *output;
    struct fault *fault; /* the command's; what it has already stays */
};

/* The table goes to standard output unless the JSON does. */
bool loss_output_write(struct loss_output *loss);

#endif
