/* loss_output.c: the views of a report to files. */
#include "loss_output.h"
#include "loss_charts.h"
#include "loss_views.h"
#include <stdlib.h>
#include <string.h>

static void write_json(const json_t *report, FILE *stream)
{
    json_dumpf(report, stream, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    fputc('\n', stream);
}

/* After an interrupt the first fault stays; this one is told beside it. */
static bool keep_fault(struct loss_output *loss, bool done, const struct fault *fault)
{
    if (done)
        return true;
    if (loss->fault->kind != FAULT_NONE)
        output_note(loss->output, "%s", fault->text);
    return fault_set(loss->fault, fault->kind, "%s", fault->text);
}

static bool write_view(struct loss_output *loss, const char *path,
                       void (*view)(const json_t *report, FILE *stream))
{
    struct fault fault = {0};
    struct result_file file = {0};
    if (!path)
        return true;
    if (strcmp(path, "-") == 0) {
        view(loss->report, stdout);
        return true;
    }
    bool done = result_open(&file, path, 0666, &fault);
    if (done)
        view(loss->report, file.file);
    if (done && ferror(file.file))
        done = fault_set(&fault, FAULT_FILE, "%s: cannot be written: is the disk full?", path);
    done = done && result_commit(&file, &fault);
    result_abort(&file);
    return keep_fault(loss, done, &fault);
}

static bool write_png(struct loss_output *loss)
{
    struct fault fault = {0};
    struct result_file file = {0};
    void *bytes = NULL;
    size_t size = 0;
    if (!loss->png)
        return true;
    bool done = loss_png(loss->report, &bytes, &size, &fault) &&
                result_open(&file, loss->png, 0666, &fault) &&
                result_write(&file, bytes, size, &fault) && result_commit(&file, &fault);
    result_abort(&file);
    free(bytes);
    return keep_fault(loss, done, &fault);
}

bool loss_output_write(struct loss_output *loss)
{
    bool done = true;
    if (!loss->report)
        return true;
    if (!loss->json || strcmp(loss->json, "-") != 0)
        loss_table(loss->report, loss->details, loss->layers, stdout);
    done = write_view(loss, loss->json, write_json) && done;
    done = write_view(loss, loss->csv, loss_csv) && done;
    done = write_view(loss, loss->markdown, loss_markdown) && done;
    done = write_view(loss, loss->html, loss_html) && done;
    done = write_png(loss) && done;
    return done;
}
