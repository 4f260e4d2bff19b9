/* template.c: compiles a chat template once and renders it. */
#include "template.h"
#include "jinja_run.h"
#include "jinja_text.h"

#include <stdlib.h>
#include <string.h>

enum { VARIABLES = 8 << 20 }; /* bytes of JSON */

struct template
{
    struct program program;
};

/* Python's universal newlines, and without the last newline: what jinja2 lexes. */
static size_t normalize(const char *source, size_t size, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        out[used++] = source[i] == '\r' ? '\n' : source[i];
        if (source[i] == '\r' && i + 1 < size && source[i + 1] == '\n')
            i++;
    }
    return used > 0 && out[used - 1] == '\n' ? used - 1 : used;
}

static bool copy_source(struct program *program, const char *source, size_t size,
                        struct fault *fault)
{
    if (size > PARSE_SOURCE)
        return fault_set(fault, FAULT_FORMAT, "chat template of %zu bytes, more than %d MiB", size,
                         PARSE_SOURCE >> 20);
    if (!text_is_valid(source, size))
        return fault_set(fault, FAULT_FORMAT, "chat template is not UTF-8");
    char *copy = arena_alloc(&program->arena, size, 1);
    if (!copy)
        return fault_set(fault, FAULT_MEMORY, "no memory for a chat template");
    program->size = normalize(source, size, copy);
    program->source = copy;
    return true;
}

static bool intern_special(struct parser *parser)
{
    static const char *const names[] = {[NAME_LOOP] = "loop",
                                        [NAME_CALLER] = "caller",
                                        [NAME_VARARGS] = "varargs",
                                        [NAME_KWARGS] = "kwargs"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct value text = value_text(names[i]);
        uint32_t index;
        if (!parser_intern(parser, &text, &index))
            return false;
    }
    return true;
}

static bool compile(struct program *program, struct fault *fault)
{
    struct parser parser = {.program = program};
    parser.lexer = (struct lexer){
        .source = program->source, .size = program->size, .arena = &program->arena, .fault = fault};
    program->names = arena_alloc(&program->arena, PARSE_NAMES, sizeof *program->names);
    parser.slots = arena_alloc(&program->arena, (size_t)2 * PARSE_NAMES, sizeof *parser.slots);
    if (!program->names || !parser.slots)
        return fault_set(fault, FAULT_MEMORY, "no memory for a chat template");
    if (!intern_special(&parser) || !parse_template(&parser))
        return false;
    return program_symbols(program) ||
           fault_set(fault, FAULT_MEMORY, "chat template needs more than %d MiB",
                     PARSE_MEMORY >> 20);
}

bool template_create(const char *source, size_t size, struct template **out, struct fault *fault)
{
    struct template *template = calloc(1, sizeof *template);
    *out = NULL;
    if (!template)
        return fault_set(fault, FAULT_MEMORY, "no memory for a chat template");
    arena_init(&template->program.arena, PARSE_MEMORY);
    if (!copy_source(&template->program, source, size, fault) ||
        !compile(&template->program, fault)) {
        template_destroy(template);
        return false;
    }
    *out = template;
    return true;
}

void template_destroy(struct template *compiled)
{
    if (!compiled)
        return;
    arena_free(&compiled->program.arena);
    free(compiled);
}

static bool set_variables(struct run *run, const char *json, size_t size)
{
    const struct program *program = run->program;
    struct value all;
    if (size > VARIABLES)
        return fault_set(run->fault, FAULT_ARGUMENT,
                         "variables of the chat template: %zu bytes, more than %d MiB", size,
                         VARIABLES >> 20);
    run->variables = run_alloc(run, program->name_count, sizeof *run->variables);
    if (!run->variables || !value_from_json(run, json, size, &all))
        return false;
    for (uint32_t i = 0; i < program->name_count; i++) {
        const struct value *value = dict_find(run, all.dict, &program->names[i]);
        if (value)
            run->variables[i] = *value;
    }
    run->steps = 0;
    return true;
}

static bool finish(struct run *run, char **text, size_t *text_size)
{
    struct output *output = &run->output;
    char *whole = realloc(output->bytes, output->size + 1);
    if (!whole)
        return fault_set(run->fault, FAULT_MEMORY, "no memory for the output of the template");
    whole[output->size] = 0;
    *text = whole;
    *text_size = output->size;
    output->bytes = NULL;
    return true;
}

bool template_render(const struct template *compiled, const char *variables, size_t size,
                     int64_t time_unix, char **text, size_t *text_size, struct fault *fault)
{
    struct run run = {.program = &compiled->program, .fault = fault, .time_unix = time_unix};
    *text = NULL;
    *text_size = 0;
    arena_init(&run.arena, RUN_MEMORY);
    bool done = set_variables(&run, variables, size) &&
                scope_push(&run, NULL, compiled->program.hidden, &run.scope) &&
                run_statements(&run, compiled->program.body) && !run.failed &&
                finish(&run, text, text_size);
    free(run.output.bytes);
    arena_free(&run.arena);
    return done;
}
