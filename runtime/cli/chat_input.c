/* chat_input.c: lines from a terminal (libedit, with the user's .editrc) or from a pipe. Nothing
 * typed is kept on disk unless a history file is asked for, and that is readable by its owner
 * alone. */
#include "chat.h"
#include "interrupt.h"
#include "terminal.h"
#include <histedit.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_LINES = 1000 };

struct chat_input {
    EditLine *edit; /* NULL: plain lines */
    History *history;
    const char *history_path;
    const char *prompt;
    bool pushed; /* a Ctrl-C from before the line was put in front of it */
    bool broken; /* by Ctrl-C */
    bool typed;  /* ... and there was something in it */
    char *plain; /* getline's */
    size_t plain_size;
    struct text line;
};

static struct chat_input *input_of(EditLine *edit)
{
    struct chat_input *input = NULL;
    el_get(edit, EL_CLIENTDATA, &input);
    return input;
}

/* While a line is edited the terminal sends Ctrl-C as a character: no race between a signal and a
 * read. The prompt is asked for when the terminal is set up so; a signal that came before is put in
 * as that character. */
static char *show_prompt(EditLine *edit)
{
    struct chat_input *input = input_of(edit);
    if (interrupt_seen() && !input->pushed) {
        input->pushed = true;
        el_push(edit, "\003");
    }
    /* libedit reads it only, though its type does not say so. */
    union {
        const char *constant;
        char *plain;
    } prompt = {.constant = input->prompt};
    return prompt.plain;
}

static unsigned char break_line(EditLine *edit, int key)
{
    (void)key;
    struct chat_input *input = input_of(edit);
    const LineInfo *info = el_line(edit);
    input->broken = true;
    input->typed = info->lastchar > info->buffer || input->line.size > 0;
    return CC_NEWLINE;
}

static void history_read(struct chat_input *input)
{
    HistEvent event;
    if (file_exists(input->history_path))
        history(input->history, &event, H_LOAD, input->history_path);
}

/* Written whole, readable by the owner alone. */
static void history_write(struct chat_input *input)
{
    struct result_file file;
    HistEvent event;
    if (result_open(&file, input->history_path, 0600, NULL) && file.part &&
        history(input->history, &event, H_SAVE_FP, file.file) >= 0)
        result_commit(&file, NULL);
    else
        result_abort(&file);
}

static bool edit_open(struct chat_input *input, struct fault *fault)
{
    HistEvent event;
    input->edit = el_init("lichen", stdin, stdout, stderr);
    input->history = history_init();
    if (!input->edit || !input->history)
        return fault_set(fault, FAULT_MEMORY, "out of memory for line editing");
    history(input->history, &event, H_SETSIZE, HISTORY_LINES);
    history(input->history, &event, H_SETUNIQUE, 1);
    el_set(input->edit, EL_CLIENTDATA, input);
    el_set(input->edit, EL_PROMPT, show_prompt);
    el_set(input->edit, EL_EDITOR, "emacs");
    el_set(input->edit, EL_HIST, history, input->history);
    el_source(input->edit, NULL);
    el_set(input->edit, EL_ADDFN, "lichen-break", "give the line up", break_line);
    el_set(input->edit, EL_BIND, "^C", "lichen-break", NULL);
    el_set(input->edit, EL_SETTY, "-d", "-isig", NULL);
    if (input->history_path)
        history_read(input);
    return true;
}

bool chat_input_open(const char *history_path, struct chat_input **out, struct fault *fault)
{
    struct chat_input *input = calloc(1, sizeof *input);
    if (!input)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    input->history_path = history_path;
    input->prompt = "";
    *out = input;
    return !terminal_is(stdin) || !terminal_is(stdout) || edit_open(input, fault);
}

/* One physical line with its newline; NULL at the end of the input or on Ctrl-C. */
static const char *read_line(struct chat_input *input, int *size)
{
    if (input->edit) {
        el_set(input->edit, EL_PREP_TERM, 1); /* before the prompt; el_gets would do it after */
        const char *line = el_gets(input->edit, size);
        return line && *size > 0 ? line : NULL;
    }
    ssize_t length = getline(&input->plain, &input->plain_size, stdin);
    *size = length > 0 && length < 1 << 30 ? (int)length : 0;
    return *size ? input->plain : NULL;
}

/* Appends a physical line without its end; *more: it goes on in the next. */
static bool take_line(struct chat_input *input, const char *bytes, size_t size, bool *more)
{
    while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
        size--;
    *more = size > 0 && bytes[size - 1] == '\\';
    size_t from = input->line.size;
    if (!text_add(&input->line, bytes, size - *more, NULL) ||
        (*more && !text_add(&input->line, "\n", 1, NULL)))
        return false;
    for (size_t i = from; i < input->line.size; i++)
        if (!input->line.bytes[i])
            input->line.bytes[i] = ' '; /* a NUL must not cut the line */
    return true;
}

static void remember(struct chat_input *input)
{
    HistEvent event;
    if (input->edit && input->line.size > 0)
        history(input->history, &event, H_ENTER, input->line.bytes);
}

bool chat_input_line(struct chat_input *input, const char *prompt, const char **line,
                     bool *interrupted)
{
    bool more = true;
    input->line.size = 0;
    input->prompt = prompt;
    input->pushed = input->broken = input->typed = false;
    *line = "";
    while (more) {
        int size = 0;
        const char *bytes = read_line(input, &size);
        *interrupted = input->broken || interrupt_seen();
        if (*interrupted) {
            clearerr(stdin);
            *line = input->typed ? "^C" : "";
            return true;
        }
        if (!bytes)
            return false;
        if (!take_line(input, bytes, (size_t)size, &more))
            return false;
        input->prompt = "... ";
    }
    remember(input);
    *line = input->line.bytes;
    return true;
}

bool chat_input_edits(const struct chat_input *input)
{
    return input && input->edit;
}

void chat_input_close(struct chat_input *input)
{
    if (!input)
        return;
    if (input->edit && input->history && input->history_path)
        history_write(input);
    if (input->history)
        history_end(input->history);
    if (input->edit)
        el_end(input->edit);
    free(input->plain);
    text_free(&input->line);
    free(input);
}
