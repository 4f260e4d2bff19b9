/* output.h: where words go. Results to stdout; notes, progress, timings and faults to stderr.
 * --quiet silences all of the second but faults. */
#ifndef LICHEN_OUTPUT_H
#define LICHEN_OUTPUT_H

#include "fault.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_INTERRUPTED = 130 };

struct output {
    bool quiet, verbose, json;
    bool to_terminal;     /* stdout */
    bool notes_terminal;  /* stderr */
    const char *activity; /* what the progress bar says is going on */
    uint64_t progress_ns; /* when the bar was last drawn; 0 = none is on the screen */
    uint64_t began_ns;    /* when the activity was first heard of; 0 = not yet */
    double began_share;   /* how much of it was done then */
};

void output_init(struct output *output);
void output_note(const struct output *output, const char *format, ...) FAULT_PRINTF(2, 3);
void output_detail(const struct output *output, const char *format, ...) FAULT_PRINTF(2, 3);
/* Progress callback of the engine (context = struct output): a bar on a terminal. False once
 * Ctrl-C was pressed. */
bool output_progress(void *context, uint64_t done, uint64_t total);
void output_progress_end(struct output *output);

/* Prints `lichen: TEXT` and gives the exit status that belongs to the fault. */
int output_fault(const struct fault *fault);
/* The end of a command: prints the fault unless done; a full disk under stdout is a fault too. */
int output_end(bool done, struct fault *fault);

/* One JSON document on stdout; takes the reference. NULL (out of memory) is a fault. */
bool output_json(json_t *document, struct fault *fault);

/* "104.9 MB": bytes for people, powers of 1000. text has room for 32 bytes. */
const char *size_text(uint64_t bytes, char text[32]);

/* A result file that appears whole or not at all: written as PATH.part-PID and renamed. A path
 * that is no regular file (a device, a pipe) is written directly. */
struct result_file {
    FILE *file;
    char *path, *part; /* part: NULL when written directly */
};
bool result_open(struct result_file *result, const char *path, unsigned mode, struct fault *fault);
bool result_write(struct result_file *result, const void *bytes, size_t size, struct fault *fault);
bool result_commit(struct result_file *result, struct fault *fault);
void result_abort(struct result_file *result); /* after a failure; nothing is left behind */

#endif
