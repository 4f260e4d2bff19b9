/* jinja_run.c: budgets, failures, output, scopes and growing strings of a render. */
#include "jinja_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(struct run *run, enum fault_kind kind, const char *format, va_list arguments,
                 const char *end)
{
    char text[900];
    unsigned line, column;
    vsnprintf(text, sizeof text, format, arguments);
    source_place(run->program->source, run->program->size, run->offset, &line, &column);
    run->failed = true;
    return fault_set(run->fault, kind, "chat template, line %u, column %u: %s%s", line, column,
                     text, end);
}

bool run_fail(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(run, FAULT_FORMAT, format, arguments, "");
    va_end(arguments);
    return false;
}

bool run_refuse(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(run, FAULT_UNSUPPORTED, format, arguments, " is not supported");
    va_end(arguments);
    return false;
}

bool run_spend(struct run *run, size_t size)
{
    run->steps += 1 + (size >> 10);
    if (run->steps > RUN_STEPS)
        return run_fail(run, "more than %d steps", RUN_STEPS);
    return !run->failed;
}

void *run_alloc(struct run *run, size_t count, size_t size)
{
    void *memory = arena_alloc(&run->arena, count, size);
    run->failed |= !memory;
    if (!memory)
        fault_set(run->fault, FAULT_MEMORY, "chat template needs more than %d MiB to run",
                  RUN_MEMORY >> 20);
    return memory;
}

bool run_enter(struct run *run)
{
    if (run->depth == RUN_DEPTH)
        return run_fail(run, "more than %d evaluations in one another", RUN_DEPTH);
    run->depth++;
    return true;
}

void run_leave(struct run *run)
{
    run->depth--;
}

bool run_write(struct run *run, const char *bytes, size_t size)
{
    struct output *output = &run->output;
    if (size > RUN_OUTPUT - output->size)
        return run_fail(run, "more than %d MiB of output", RUN_OUTPUT >> 20);
    if (output->size + size > output->capacity) {
        size_t capacity = 2 * (output->size + size) + 4096;
        char *grown = realloc(output->bytes, capacity);
        if (!grown)
            return fault_set(run->fault, FAULT_MEMORY, "no memory for the output of the template");
        output->bytes = grown;
        output->capacity = capacity;
    }
    if (size > 0)
        memcpy(output->bytes + output->size, bytes, size);
    output->size += size;
    return run_spend(run, size);
}

bool run_capture(struct run *run, size_t start, struct value *out)
{
    size_t size = run->output.size - start;
    char *copy = run_alloc(run, size, 1);
    if (!copy)
        return false;
    if (size > 0)
        memcpy(copy, run->output.bytes + start, size);
    run->output.size = start;
    *out = value_bytes(copy, size);
    return true;
}

static struct value *scope_find(struct scope *scope, uint32_t name)
{
    for (size_t i = 0; i < scope->count; i++)
        if (scope->bindings[i].name == name)
            return &scope->bindings[i].value;
    return NULL;
}

bool scope_set(struct run *run, struct scope *scope, uint32_t name, const struct value *value)
{
    struct value *found = scope_find(scope, name);
    if (found) {
        *found = *value;
        return true;
    }
    if (scope->count == scope->capacity) {
        size_t capacity = 2 * scope->capacity + 4;
        struct binding *bindings = run_alloc(run, capacity, sizeof *bindings);
        if (!bindings)
            return false;
        if (scope->count > 0)
            memcpy(bindings, scope->bindings, scope->count * sizeof *bindings);
        scope->bindings = bindings;
        scope->capacity = capacity;
    }
    scope->bindings[scope->count++] = (struct binding){name, *value};
    return true;
}

bool scope_clear(struct run *run, struct scope *scope, const struct names *hidden)
{
    struct value nothing = {.kind = VALUE_ABSENT};
    scope->count = 0;
    for (uint32_t i = 0; hidden && i < hidden->count; i++)
        if (!scope_set(run, scope, hidden->ids[i], &nothing))
            return false;
    return true;
}

bool scope_push(struct run *run, struct scope *parent, const struct names *hidden,
                struct scope **out)
{
    struct scope *scope = run_alloc(run, 1, sizeof *scope);
    if (!scope)
        return false;
    scope->parent = parent;
    *out = scope;
    return scope_clear(run, scope, hidden);
}

bool scope_get(struct run *run, uint32_t name, struct value *out)
{
    const struct value *text = &run->program->names[name];
    for (struct scope *scope = run->scope; scope; scope = scope->parent) {
        const struct value *found = scope_find(scope, name);
        run->steps += scope->count >> 6;
        if (found && found->kind == VALUE_ABSENT)
            return value_undefined(run, NULL, text, out);
        if (found) {
            *out = *found;
            return true;
        }
    }
    if (run->variables[name].kind != VALUE_ABSENT) {
        *out = run->variables[name];
        return true;
    }
    const struct builtin *global = global_find(text->bytes, text->size);
    if (!global)
        return value_undefined(run, NULL, text, out);
    *out = (struct value){.kind = VALUE_FUNCTION, .function = global};
    return true;
}

bool builder_add(struct builder *builder, const char *bytes, size_t size)
{
    if (size > builder->capacity - builder->size) {
        size_t capacity = 2 * (builder->size + size) + 32;
        char *grown = run_alloc(builder->run, capacity, 1);
        if (!grown)
            return false;
        if (builder->size > 0)
            memcpy(grown, builder->bytes, builder->size);
        builder->bytes = grown;
        builder->capacity = capacity;
    }
    if (size > 0)
        memcpy(builder->bytes + builder->size, bytes, size);
    builder->size += size;
    return size < 1024 || run_spend(builder->run, size);
}

bool builder_text(struct builder *builder, const char *text)
{
    return builder_add(builder, text, strlen(text));
}

bool builder_character(struct builder *builder, char character)
{
    return builder_add(builder, &character, 1);
}

struct value builder_value(const struct builder *builder)
{
    return value_bytes(builder->bytes ? builder->bytes : "", builder->size);
}

bool gather_add(struct gather *gather, const struct value *value)
{
    if (gather->count == gather->capacity) {
        size_t capacity = 2 * gather->capacity + 8;
        struct value *grown = run_alloc(gather->run, capacity, sizeof *grown);
        if (!grown)
            return false;
        if (gather->count > 0)
            memcpy(grown, gather->items, gather->count * sizeof *grown);
        gather->items = grown;
        gather->capacity = capacity;
    }
    gather->items[gather->count++] = *value;
    return run_spend(gather->run, 0);
}

bool gather_value(const struct gather *gather, enum value_kind kind, struct value *out)
{
    struct list *list = run_alloc(gather->run, 1, sizeof *list);
    if (!list)
        return false;
    *list = (struct list){gather->items, gather->count};
    *out = (struct value){.kind = kind, .list = list};
    return true;
}
