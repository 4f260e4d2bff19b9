/* jinja_macro.c: calls a macro or the body of a call block. */
#include "jinja_run.h"

#include <string.h>

struct binding_state {
    struct run *run;
    const struct macro *macro;
    const struct call *call;
    bool *used; /* [call->keyword_count] */
};

static const char *macro_name(const struct binding_state *state, int *size)
{
    const struct node *node = state->macro->node;
    const struct value *name = &state->run->program->names[node->name];
    *size = node->kind == NODE_MACRO ? (int)name->size : 6;
    return node->kind == NODE_MACRO ? name->bytes : "caller";
}

static const struct value *take_keyword(struct binding_state *state, const struct value *name)
{
    const struct call *call = state->call;
    for (size_t i = 0; i < call->keyword_count; i++) {
        const struct value *given = &call->keywords[i].name;
        if (state->used[i] || given->size != name->size ||
            memcmp(given->bytes, name->bytes, name->size) != 0)
            continue;
        state->used[i] = true;
        return &call->keywords[i].value;
    }
    return NULL;
}

static bool missing_argument(struct run *run, const struct value *name, struct value *out)
{
    struct builder hint = {.run = run};
    return builder_text(&hint, "parameter '") && builder_add(&hint, name->bytes, name->size) &&
           builder_text(&hint, "' was not provided") && builder_character(&hint, 0) &&
           value_undefined_hint(run, hint.bytes, out);
}

/* Sets the parameters in the macro's scope, which is the current one; a default sees the parameters
 * before it. */
static bool bind_parameters(struct binding_state *state, size_t *count)
{
    struct run *run = state->run;
    *count = 0;
    for (const struct node *node = state->macro->node->part[0]; node; node = node->next) {
        const struct value *name = &run->program->names[node->name];
        const struct value *given =
            *count < state->call->count ? &state->call->values[*count] : take_keyword(state, name);
        struct value value;
        ++*count;
        if (given)
            value = *given;
        else if (node->part[0] ? !run_expression(run, node->part[0], &value)
                               : !missing_argument(run, name, &value))
            return false;
        if (!scope_set(run, run->scope, node->name, &value))
            return false;
    }
    return true;
}

static bool bind_caller(struct binding_state *state)
{
    struct value name = value_text("caller"), undefined;
    const struct value *caller;
    if (!(state->macro->node->flags & MACRO_CALLER))
        return true;
    caller = take_keyword(state, &name);
    if (!caller) {
        if (!value_undefined_hint(state->run, "No caller defined", &undefined))
            return false;
        caller = &undefined;
    }
    return scope_set(state->run, state->run->scope, NAME_CALLER, caller);
}

static bool bind_kwargs(struct binding_state *state)
{
    struct run *run = state->run;
    struct value kwargs;
    bool catches = state->macro->node->flags & MACRO_KWARGS;
    int size;
    const char *macro = macro_name(state, &size);
    if (catches && !value_dict(run, VALUE_DICT, 0, &kwargs))
        return false;
    for (size_t i = 0; i < state->call->keyword_count; i++) {
        const struct keyword *keyword = &state->call->keywords[i];
        if (state->used[i])
            continue;
        if (!catches)
            return run_fail(run, "macro '%.*s' takes no keyword argument '%.*s'", size, macro,
                            (int)keyword->name.size, keyword->name.bytes);
        if (!dict_set(run, kwargs.dict, &keyword->name, &keyword->value))
            return false;
    }
    return !catches || scope_set(run, run->scope, NAME_KWARGS, &kwargs);
}

static bool bind_varargs(struct binding_state *state, size_t count)
{
    struct run *run = state->run;
    const struct call *call = state->call;
    struct value varargs;
    size_t more = call->count > count ? call->count - count : 0;
    int size;
    const char *macro = macro_name(state, &size);
    if (!(state->macro->node->flags & MACRO_VARARGS))
        return more == 0 || run_fail(run, "macro '%.*s' takes not more than %zu argument(s)", size,
                                     macro, count);
    if (!value_list(run, VALUE_TUPLE, more, &varargs))
        return false;
    if (more > 0)
        memcpy(varargs.list->items, call->values + count, more * sizeof *call->values);
    return scope_set(run, run->scope, NAME_VARARGS, &varargs);
}

static bool call_in_scope(struct run *run, const struct macro *macro, const struct call *call,
                          struct value *out)
{
    struct binding_state state = {run, macro, call, NULL};
    size_t start = run->output.size, count;
    state.used = run_alloc(run, call->keyword_count, sizeof *state.used);
    return state.used && bind_parameters(&state, &count) && bind_caller(&state) &&
           bind_kwargs(&state) && bind_varargs(&state, count) &&
           run_statements(run, macro->node->part[1]) && run_capture(run, start, out);
}

bool macro_call(struct run *run, const struct macro *macro, const struct call *call,
                struct value *out)
{
    struct scope *outer = run->scope;
    if (run->calls == RUN_CALLS)
        return run_fail(run, "more than %d macros in one another", RUN_CALLS);
    if (!run_enter(run))
        return false;
    run->calls++;
    bool done = scope_push(run, macro->scope, macro->node->hidden[0], &run->scope) &&
                call_in_scope(run, macro, call, out);
    run->scope = outer;
    run->calls--;
    run_leave(run);
    return done;
}
