/* jinja_eval.c: runs statements. */
#include "jinja_run.h"

#include <string.h>

static bool run_data(struct run *run, const struct node *node)
{
    return run_write(run, node->value.bytes, node->value.size);
}

static bool run_print(struct run *run, const struct node *node)
{
    struct value value, text;
    return run_expression(run, node->part[0], &value) && value_string(run, &value, &text) &&
           run_write(run, text.bytes, text.size);
}

static bool run_if(struct run *run, const struct node *node)
{
    for (const struct node *branch = node->part[0]; branch; branch = branch->next) {
        struct value condition = value_bool(true);
        if (branch->part[0] && !run_expression(run, branch->part[0], &condition))
            return false;
        if (value_truth(&condition))
            return run_statements(run, branch->part[1]);
    }
    return true;
}

/* A body with variables of its own. */
static bool run_scoped(struct run *run, const struct node *node, const struct node *body)
{
    struct scope *outer = run->scope;
    if (!scope_push(run, outer, node->hidden[0], &run->scope))
        return false;
    bool done = run_statements(run, body);
    run->scope = outer;
    return done;
}

static bool run_captured(struct run *run, const struct node *node, const struct node *body,
                         const struct node *filters, struct value *out)
{
    size_t start = run->output.size;
    return run_scoped(run, node, body) && run_capture(run, start, out) &&
           run_filters(run, filters, out);
}

static bool assign_member(struct run *run, const struct node *target, const struct value *value)
{
    struct value namespace;
    if (!scope_get(run, target->name, &namespace))
        return false;
    if (namespace.kind != VALUE_NAMESPACE)
        return run_fail(run, "cannot assign attribute on non-namespace object");
    return dict_set(run, namespace.dict, &target->value, value);
}

static bool unpack(struct run *run, const struct node *target, const struct value *value)
{
    struct list items;
    size_t count = 0, i = 0;
    if (!value_items(run, value, &items))
        return false;
    for (const struct node *part = target->part[0]; part; part = part->next)
        count++;
    if (items.count > count)
        return run_fail(run, "too many values to unpack (expected %zu)", count);
    if (items.count < count)
        return run_fail(run, "not enough values to unpack (expected %zu, got %zu)", count,
                        items.count);
    for (const struct node *part = target->part[0]; part; part = part->next)
        if (!run_assign(run, part, &items.items[i++]))
            return false;
    return true;
}

bool run_assign(struct run *run, const struct node *target, const struct value *value)
{
    if (target->kind == NODE_MEMBER)
        return assign_member(run, target, value);
    if (target->kind == NODE_TUPLE)
        return unpack(run, target, value);
    return scope_set(run, run->scope, target->name, value);
}

static bool run_set(struct run *run, const struct node *node)
{
    struct value value;
    return run_expression(run, node->part[1], &value) && run_assign(run, node->part[0], &value);
}

static bool run_set_block(struct run *run, const struct node *node)
{
    struct value value;
    return run_captured(run, node, node->part[2], node->part[1], &value) &&
           run_assign(run, node->part[0], &value);
}

static bool run_filter_block(struct run *run, const struct node *node)
{
    struct value value, text;
    return run_captured(run, node, node->part[1], node->part[0], &value) &&
           value_string(run, &value, &text) && run_write(run, text.bytes, text.size);
}

static bool make_macro(struct run *run, const struct node *node, struct value *out)
{
    struct macro *macro = run_alloc(run, 1, sizeof *macro);
    if (!macro)
        return false;
    *macro = (struct macro){node, run->scope};
    *out = (struct value){.kind = VALUE_MACRO, .macro = macro};
    return true;
}

static bool run_macro(struct run *run, const struct node *node)
{
    struct value macro;
    return make_macro(run, node, &macro) && scope_set(run, run->scope, node->name, &macro);
}

static bool run_call_block(struct run *run, const struct node *node)
{
    struct value value, text;
    return make_macro(run, node, &value) && run_call_with(run, node->part[2], &value, &value) &&
           value_string(run, &value, &text) && run_write(run, text.bytes, text.size);
}

/* {% with a = 1, b = a %}: the values do not see the names. */
static bool run_with(struct run *run, const struct node *node)
{
    struct scope *outer = run->scope, *inner;
    struct value value;
    bool done = true;
    if (!scope_push(run, outer, node->hidden[0], &inner))
        return false;
    for (const struct node *set = node->part[0]; set && done; set = set->next)
        done = run_expression(run, set->part[1], &value) &&
               scope_set(run, inner, set->part[0]->name, &value);
    run->scope = inner;
    done = done && run_statements(run, node->part[1]);
    run->scope = outer;
    return done;
}

static bool run_generation(struct run *run, const struct node *node)
{
    return run_scoped(run, node, node->part[0]);
}

static bool run_break(struct run *run, const struct node *node)
{
    run->flow = node->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
    return true;
}

static bool (*const statements[])(struct run *, const struct node *) = {
    [NODE_DATA] = run_data,
    [NODE_PRINT] = run_print,
    [NODE_IF] = run_if,
    [NODE_FOR] = run_for,
    [NODE_SET] = run_set,
    [NODE_SET_BLOCK] = run_set_block,
    [NODE_MACRO] = run_macro,
    [NODE_CALL_BLOCK] = run_call_block,
    [NODE_FILTER_BLOCK] = run_filter_block,
    [NODE_WITH] = run_with,
    [NODE_GENERATION] = run_generation,
    [NODE_BREAK] = run_break,
    [NODE_CONTINUE] = run_break,
};

bool run_statements(struct run *run, const struct node *first)
{
    bool done = true;
    if (!run_enter(run))
        return false;
    for (const struct node *node = first; node && done && run->flow == FLOW_NEXT;
         node = node->next) {
        run->offset = node->offset;
        done = run_spend(run, 0) && statements[node->kind](run, node);
    }
    run_leave(run);
    return done;
}
