/* output.c: notes, progress, faults, JSON and files that appear whole. */
#include "output.h"
#include "interrupt.h"
#include "terminal.h"
#include "text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_INTERVAL_NS = 100000000, PROGRESS_CELLS = 30 };

void output_init(struct output *output)
{
    *output = (struct output){0};
    output->to_terminal = terminal_is(stdout);
    output->notes_terminal = terminal_is(stderr);
    output->activity = "loading";
}

/* What a note quotes may come from a file: it must not drive the terminal. */
static void note(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (!text)
        return;
    vsnprintf(text, (size_t)size + 1, format, arguments);
    fflush(stdout);
    text_print_safe(stderr, text, (size_t)size, NULL);
    fputc('\n', stderr);
    free(text);
}

void output_note(const struct output *output, const char *format, ...)
{
    if (output->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    note(format, arguments);
    va_end(arguments);
}

void output_detail(const struct output *output, const char *format, ...)
{
    if (output->quiet || !output->verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    note(format, arguments);
    va_end(arguments);
}

/* "12 s left"; nothing while too little is known. */
static void time_left(struct output *output, uint64_t now, double share, char text[32])
{
    text[0] = 0;
    if (!output->began_ns) {
        output->began_ns = now;
        output->began_share = share;
    }
    double elapsed = (double)(now - output->began_ns) / 1e9, done = share - output->began_share;
    if (elapsed < 2 || done < 0.01)
        return;
    double left = elapsed / done * (1 - share);
    if (left < 100)
        snprintf(text, 32, ", %.0f s left", left);
    else if (left < 100 * 60)
        snprintf(text, 32, ", %.0f min left", left / 60);
    else
        snprintf(text, 32, ", %.1f h left", left / 3600);
}

bool output_progress(void *context, uint64_t done, uint64_t total)
{
    struct output *output = context;
    if (interrupt_seen())
        return false;
    uint64_t now = time_ns();
    bool due = now - output->progress_ns >= PROGRESS_INTERVAL_NS;
    if (output->quiet || !output->notes_terminal || total == 0 || !due)
        return true;
    output->progress_ns = now;
    double share = (double)done / (double)total;
    int cells = (int)(share * PROGRESS_CELLS);
    char left[32];
    time_left(output, now, share, left);
    fprintf(stderr, "\r%s [%.*s%*s] %3.0f %%%-14s", output->activity, cells,
            "##############################", PROGRESS_CELLS - cells, "", 100 * share, left);
    fflush(stderr);
    return true;
}

void output_progress_end(struct output *output)
{
    if (output->progress_ns && output->notes_terminal && !output->quiet)
        fprintf(stderr, "\r%*s\r", (int)terminal_columns() - 1, "");
    output->progress_ns = output->began_ns = 0;
}

static int fault_status(const struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_NONE:
        return STATUS_DONE;
    case FAULT_ARGUMENT:
        return STATUS_USAGE;
    case FAULT_CANCELLED:
        return STATUS_INTERRUPTED;
    default:
        return STATUS_FAILED;
    }
}

int output_fault(const struct fault *fault)
{
    fflush(stdout);
    if (fault->kind == FAULT_CANCELLED)
        fprintf(stderr, "lichen: interrupted\n");
    else
        fprintf(stderr, "lichen: %s\n", fault->text);
    return fault_status(fault);
}

int output_end(bool done, struct fault *fault)
{
    if (done && (fflush(stdout) != 0 || ferror(stdout)))
        done = fault_set(fault, FAULT_FILE, "standard output: %s", strerror(errno));
    return done ? STATUS_DONE : output_fault(fault);
}

bool output_json(json_t *document, struct fault *fault)
{
    if (!document)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the JSON document");
    int status = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(document);
    fputc('\n', stdout);
    return status == 0 || fault_set(fault, FAULT_FILE, "standard output: %s", strerror(errno));
}

const char *size_text(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    double value = (double)bytes / 1000;
    size_t i = 0;
    while (value >= 1000 && i < 3) {
        value /= 1000;
        i++;
    }
    if (bytes < 1000)
        snprintf(text, 32, "%u B", (unsigned)bytes);
    else
        snprintf(text, 32, "%.*f %s", value < 10 ? 2 : 1, value, units[i]);
    return text;
}

bool result_open(struct result_file *result, const char *path, unsigned mode, struct fault *fault)
{
    *result = (struct result_file){0};
    size_t size = strlen(path) + 32;
    result->path = malloc(size);
    if (!result->path)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    snprintf(result->path, size, "%s", path);
    if (!file_is_regular(path)) {
        result->file = fopen(path, "wb");
        return result->file || fault_set(fault, FAULT_FILE, "%s: %s", path, strerror(errno));
    }
    result->part = malloc(size);
    if (!result->part)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    snprintf(result->part, size, "%s.part-%u", path, (unsigned)process_id());
    file_remove(result->part); /* of a process that died with our number */
    result->file = file_create(result->part, mode, NULL);
    return result->file || fault_set(fault, FAULT_FILE, "%s: %s", path, strerror(errno));
}

bool result_write(struct result_file *result, const void *bytes, size_t size, struct fault *fault)
{
    errno = 0;
    if (fwrite(bytes, 1, size, result->file) == size)
        return true;
    return fault_set(fault, FAULT_FILE, "%s: %s", result->path, strerror(errno));
}

bool result_commit(struct result_file *result, struct fault *fault)
{
    bool done =
        result->part ? file_sync(result->file, result->path, fault) : fflush(result->file) == 0;
    if (!done)
        return fault_set(fault, FAULT_FILE, "%s: %s", result->path, strerror(errno));
    int closed = fclose(result->file);
    result->file = NULL;
    if (closed != 0)
        return fault_set(fault, FAULT_FILE, "%s: %s", result->path, strerror(errno));
    if (result->part && !file_rename(result->part, result->path, fault))
        return false;
    free(result->part);
    result->part = NULL;
    result_abort(result);
    return true;
}

void result_abort(struct result_file *result)
{
    if (result->file)
        fclose(result->file);
    if (result->part)
        file_remove(result->part);
    free(result->part);
    free(result->path);
    *result = (struct result_file){0};
}
