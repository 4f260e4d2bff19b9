/* jinja_loop.c: for, and the variable `loop`. Where the loop has a condition, items are tested only
 * when they are needed, since the body may change what the condition says. */
#include "jinja_run.h"

#include <string.h>

/* Whether the item passes the condition of the loop. */
static bool test_item(struct run *run, struct loop *loop, const struct value *item, bool *passes)
{
    struct scope *current = run->scope;
    struct value condition;
    if (!scope_push(run, loop->outer, NULL, &run->scope))
        return false;
    bool done = run_assign(run, loop->node->part[0], item) &&
                run_expression(run, loop->node->part[2], &condition);
    run->scope = current;
    *passes = done && value_truth(&condition);
    return done;
}

/* Finds items until there are `wanted`, or no more. */
static bool pull(struct run *run, struct loop *loop, size_t wanted)
{
    while (loop->count < wanted && loop->source_index < loop->source.count) {
        const struct value *item = &loop->source.items[loop->source_index];
        bool passes = true;
        if (loop->node->part[2] && !test_item(run, loop, item, &passes))
            return false;
        loop->source_index++;
        if (passes)
            loop->items[loop->count++] = *item;
    }
    return true;
}

static bool run_rounds(struct run *run, struct loop *loop, struct scope *scope)
{
    struct value variable = {.kind = VALUE_LOOP, .loop = loop};
    for (;; loop->index++) {
        if (!pull(run, loop, loop->index + 1))
            return false;
        if (loop->index == loop->count)
            return true;
        if (!scope_clear(run, scope, loop->node->hidden[0]) ||
            !scope_set(run, scope, NAME_LOOP, &variable) ||
            !run_assign(run, loop->node->part[0], &loop->items[loop->index]) ||
            !run_statements(run, loop->node->part[3]))
            return false;
        bool leave = run->flow == FLOW_BREAK;
        loop->completed |= run->flow == FLOW_NEXT;
        run->flow = FLOW_NEXT;
        if (leave || !run_spend(run, 0))
            return leave;
    }
}

bool run_for(struct run *run, const struct node *node)
{
    struct value iterable;
    struct scope *outer = run->scope;
    struct loop *loop = run_alloc(run, 1, sizeof *loop);
    if (!loop || !run_expression(run, node->part[1], &iterable) ||
        !value_items(run, &iterable, &loop->source) ||
        !(loop->items = run_alloc(run, loop->source.count, sizeof *loop->items)) ||
        !scope_push(run, outer, NULL, &run->scope))
        return false;
    loop->node = node;
    loop->outer = outer;
    bool done = run_rounds(run, loop, run->scope);
    run->scope = outer;
    if (!done || loop->completed || !node->part[4])
        return done;
    done =
        scope_push(run, outer, node->hidden[1], &run->scope) && run_statements(run, node->part[4]);
    run->scope = outer;
    return done;
}

static bool loop_cycle(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    if (call->count == 0)
        return run_fail(run, "no items for cycling given");
    *out = call->values[subject->loop->index % call->count];
    return true;
}

static bool loop_changed(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    struct loop *loop = subject->loop;
    struct gather now = {.run = run};
    struct value values;
    bool same = false;
    for (size_t i = 0; i < call->count; i++)
        if (!gather_add(&now, &call->values[i]))
            return false;
    if (!gather_value(&now, VALUE_TUPLE, &values) ||
        !value_equal(run, &loop->changed, &values, &same))
        return false;
    loop->changed = values;
    *out = value_bool(!same);
    return true;
}

static const struct builtin loop_methods[] = {
    {"cycle", NULL, 0, loop_cycle},
    {"changed", NULL, 0, loop_changed},
};

static bool bind_loop(struct run *run, const struct loop *loop, const struct builtin *builtin,
                      struct value *out)
{
    struct method *method = run_alloc(run, 1, sizeof *method);
    if (!method)
        return false;
    method->builtin = builtin;
    method->subject = (struct value){.kind = VALUE_LOOP, .loop = (struct loop *)loop};
    *out = (struct value){.kind = VALUE_METHOD, .method = method};
    return true;
}

static bool neighbour(struct run *run, struct loop *loop, bool next, struct value *out)
{
    if (next && !pull(run, loop, loop->index + 2))
        return false;
    if (next && loop->index + 1 == loop->count)
        return value_undefined_hint(run, "there is no next item", out);
    if (!next && loop->index == 0)
        return value_undefined_hint(run, "there is no previous item", out);
    *out = loop->items[next ? loop->index + 1 : loop->index - 1];
    return true;
}

enum number { INDEX0, INDEX, FIRST, LAST, LENGTH, REVINDEX, REVINDEX0, DEPTH0, DEPTH, NUMBERS };

static const char *const number_names[NUMBERS] = {
    "index0", "index", "first", "last", "length", "revindex", "revindex0", "depth0", "depth"};

static bool number_value(struct run *run, struct loop *loop, enum number which, struct value *out)
{
    size_t index = loop->index;
    bool all = which == LENGTH || which == REVINDEX || which == REVINDEX0;
    if (!pull(run, loop, all ? SIZE_MAX : which == LAST ? index + 2 : 0))
        return false;
    const int64_t numbers[] = {
        [INDEX0] = (int64_t)index,
        [INDEX] = (int64_t)index + 1,
        [LENGTH] = (int64_t)loop->count,
        [REVINDEX] = (int64_t)(loop->count - index),
        [REVINDEX0] = (int64_t)(loop->count - index) - 1,
        [DEPTH0] = 0,
        [DEPTH] = 1,
    };
    *out = which == FIRST  ? value_bool(index == 0)
           : which == LAST ? value_bool(index + 1 == loop->count)
                           : value_int(numbers[which]);
    return true;
}

bool loop_attribute(struct run *run, const struct loop *loop, const struct value *name,
                    struct value *out, bool *found)
{
    struct loop *state = (struct loop *)loop;
    *found = true;
    for (int i = 0; i < NUMBERS; i++)
        if (value_is_text(name, number_names[i]))
            return number_value(run, state, (enum number)i, out);
    for (size_t i = 0; i < sizeof loop_methods / sizeof *loop_methods; i++)
        if (value_is_text(name, loop_methods[i].name))
            return bind_loop(run, loop, &loop_methods[i], out);
    if (value_is_text(name, "previtem") || value_is_text(name, "nextitem"))
        return neighbour(run, state, value_is_text(name, "nextitem"), out);
    *found = false;
    return true;
}
