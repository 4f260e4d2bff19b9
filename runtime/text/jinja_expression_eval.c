/* jinja_expression_eval.c: evaluates expressions. */
#include "jinja_run.h"

#include <string.h>

static bool eval_constant(struct run *run, const struct node *node, struct value *out)
{
    (void)run;
    *out = node->value;
    return true;
}

static bool eval_name(struct run *run, const struct node *node, struct value *out)
{
    return scope_get(run, node->name, out);
}

static bool eval_list(struct run *run, const struct node *node, struct value *out)
{
    struct gather items = {.run = run};
    struct value item;
    for (const struct node *part = node->part[0]; part; part = part->next)
        if (!run_expression(run, part, &item) || !gather_add(&items, &item))
            return false;
    return gather_value(&items, node->kind == NODE_LIST ? VALUE_LIST : VALUE_TUPLE, out);
}

static bool eval_dict(struct run *run, const struct node *node, struct value *out)
{
    struct value key, value;
    if (!value_dict(run, VALUE_DICT, 0, out))
        return false;
    for (const struct node *pair = node->part[0]; pair; pair = pair->next)
        if (!run_expression(run, pair->part[0], &key) ||
            !run_expression(run, pair->part[1], &value) || !run_spend(run, 0) ||
            !dict_set(run, out->dict, &key, &value))
            return false;
    return true;
}

static bool eval_not(struct run *run, const struct node *node, struct value *out)
{
    struct value operand;
    if (!run_expression(run, node->part[0], &operand))
        return false;
    *out = value_bool(!value_truth(&operand));
    return true;
}

static bool eval_unary(struct run *run, const struct node *node, struct value *out)
{
    struct value operand;
    return run_expression(run, node->part[0], &operand) &&
           value_unary(run, (enum lexeme_kind)node->operator, & operand, out);
}

/* and, or: the operand that decides, as it is. */
static bool eval_logic(struct run *run, const struct node *node, struct value *out)
{
    for (const struct node *part = node->part[0]; part; part = part->next) {
        if (!run_expression(run, part, out))
            return false;
        if (value_truth(out) == (node->kind == NODE_OR))
            break;
    }
    return true;
}

static bool eval_concat(struct run *run, const struct node *node, struct value *out)
{
    struct value item, text;
    *out = value_text("");
    for (const struct node *part = node->part[0]; part; part = part->next) {
        if (!run_expression(run, part, &item) || !value_string(run, &item, &text))
            return false;
        if (part == node->part[0])
            *out = text;
        else if (!value_join(run, out, &text, out))
            return false;
    }
    return true;
}

static bool compare(struct run *run, enum lexeme_kind operator, const struct value * left,
                    const struct value *right, bool *out)
{
    int order = 0;
    bool done;
    switch (operator) {
    case LEXEME_EQUAL:
    case LEXEME_NOT_EQUAL:
        done = value_equal(run, left, right, out);
        *out = *out == (operator== LEXEME_EQUAL);
        return done;
    case LEXEME_IN:
    case LEXEME_NOT_IN:
        done = value_contains(run, right, left, out);
        *out = *out == (operator== LEXEME_IN);
        return done;
    default:
        break;
    }
    if (!value_compare(run, left, right, &order))
        return false;
    *out = operator== LEXEME_LESS       ? order == -1 :
           operator== LEXEME_LESS_EQUAL ? order <= 0
           :
           operator== LEXEME_GREATER ? order == 1
                                     : order == 0 || order == 1;
    return true;
}

static bool eval_compare(struct run *run, const struct node *node, struct value *out)
{
    struct value left, right;
    bool holds = false;
    if (!run_expression(run, node->part[0], &left))
        return false;
    for (const struct node *operand = node->part[1]; operand; operand = operand->next) {
        if (!run_expression(run, operand->part[0], &right))
            return false;
        run->offset = operand->offset;
        if (!compare(run, (enum lexeme_kind)operand->operator, & left, &right, &holds))
            return false;
        if (!holds)
            break;
        left = right;
    }
    *out = value_bool(holds);
    return true;
}

static bool eval_condition(struct run *run, const struct node *node, struct value *out)
{
    struct value condition;
    if (!run_expression(run, node->part[0], &condition))
        return false;
    if (value_truth(&condition))
        return run_expression(run, node->part[1], out);
    if (node->part[2])
        return run_expression(run, node->part[2], out);
    return value_undefined_hint(run,
                                "the inline if-expression evaluated to false and no else "
                                "section was defined.",
                                out);
}

/* Arguments */

static bool add_keyword(struct run *run, struct call *call, size_t *capacity,
                        const struct value *name, const struct value *value)
{
    if (name->kind != VALUE_STRING)
        return run_fail(run, "keywords must be strings");
    if (call->keyword_count == *capacity) {
        *capacity = 2 * *capacity + 4;
        struct keyword *grown = run_alloc(run, *capacity, sizeof *grown);
        if (!grown)
            return false;
        if (call->keyword_count > 0)
            memcpy(grown, call->keywords, call->keyword_count * sizeof *grown);
        call->keywords = grown;
    }
    call->keywords[call->keyword_count++] = (struct keyword){*name, *value};
    return true;
}

static bool add_splat(struct run *run, const struct value *value, struct gather *positional)
{
    struct list items;
    if (!value_items(run, value, &items))
        return false;
    for (size_t i = 0; i < items.count; i++)
        if (!gather_add(positional, &items.items[i]))
            return false;
    return true;
}

static bool add_double_splat(struct run *run, const struct value *value, struct call *call,
                             size_t *capacity)
{
    if (value->kind != VALUE_DICT)
        return run_fail(run, "argument after ** must be a mapping, not %s", value_type(value));
    for (size_t i = 0; i < value->dict->count; i++) {
        const struct pair *pair = &value->dict->pairs[i];
        if (!run_spend(run, 0) || !add_keyword(run, call, capacity, &pair->key, &pair->value))
            return false;
    }
    return true;
}

bool run_arguments(struct run *run, const struct node *arguments, struct call *out)
{
    struct gather positional = {.run = run};
    size_t capacity = 0;
    memset(out, 0, sizeof *out);
    for (const struct node *node = arguments; node; node = node->next) {
        bool plain = node->kind < NODE_KEYWORD;
        struct value value;
        if (!run_expression(run, plain ? node : node->part[0], &value))
            return false;
        bool done = plain ? gather_add(&positional, &value)
                    : node->kind == NODE_KEYWORD
                        ? add_keyword(run, out, &capacity, &node->value, &value)
                    : node->kind == NODE_SPLAT ? add_splat(run, &value, &positional)
                                               : add_double_splat(run, &value, out, &capacity);
        if (!done)
            return false;
    }
    out->values = positional.items;
    out->count = positional.count;
    return true;
}

bool run_call(struct run *run, const struct value *callee, const struct call *call,
              struct value *out)
{
    switch (callee->kind) {
    case VALUE_FUNCTION:
        return run_builtin(run, callee->function, callee, call, out);
    case VALUE_METHOD:
        return run_builtin(run, callee->method->builtin, &callee->method->subject, call, out);
    case VALUE_MACRO:
        return macro_call(run, callee->macro, call, out);
    case VALUE_UNDEFINED:
        return value_fail_undefined(run, callee);
    case VALUE_LOOP:
        return run_refuse(run, "a recursive loop");
    default:
        return run_fail(run, "'%s' object is not callable", value_type(callee));
    }
}

/* Links of a chain: each replaces *value by what it makes of it. */

static bool link_attribute(struct run *run, const struct node *link, struct value *value)
{
    struct value subject = *value;
    return value_attribute(run, &subject, &link->value, value);
}

static bool link_item(struct run *run, const struct node *link, struct value *value)
{
    struct value subject = *value, index;
    if (!run_expression(run, link->part[0], &index))
        return false;
    run->offset = link->offset;
    return value_item(run, &subject, &index, value);
}

static bool link_slice(struct run *run, const struct node *link, struct value *value)
{
    struct value subject = *value, parts[3];
    for (int i = 0; i < 3; i++) {
        parts[i] = value_none();
        if (link->part[i] && !run_expression(run, link->part[i], &parts[i]))
            return false;
    }
    run->offset = link->offset;
    return value_slice(run, &subject, parts, value);
}

static bool link_call(struct run *run, const struct node *link, struct value *value)
{
    struct value callee = *value;
    struct call call;
    if (!run_arguments(run, link->part[0], &call))
        return false;
    run->offset = link->offset;
    return run_call(run, &callee, &call, value);
}

static bool link_filter(struct run *run, const struct node *link, struct value *value)
{
    struct value subject = *value;
    struct call call;
    if (!run_arguments(run, link->part[0], &call))
        return false;
    run->offset = link->offset;
    return run_filter_named(run, &link->value, &subject, &call, value);
}

static bool link_test(struct run *run, const struct node *link, struct value *value)
{
    struct value subject = *value;
    struct call call;
    bool holds;
    if (!run_arguments(run, link->part[0], &call))
        return false;
    run->offset = link->offset;
    if (!run_test_named(run, &link->value, &subject, &call, &holds))
        return false;
    *value = value_bool(holds);
    return true;
}

static bool link_binary(struct run *run, const struct node *link, struct value *value)
{
    struct value left = *value, right;
    if (!run_expression(run, link->part[0], &right))
        return false;
    run->offset = link->offset;
    return value_binary(run, (enum lexeme_kind)link->operator, & left, &right, value);
}

static bool (*const links[])(struct run *, const struct node *, struct value *) = {
    [NODE_ATTRIBUTE] = link_attribute, [NODE_ITEM] = link_item,     [NODE_SLICE] = link_slice,
    [NODE_CALL] = link_call,           [NODE_FILTER] = link_filter, [NODE_TEST] = link_test,
    [NODE_BINARY] = link_binary,
};

/* Applies the links before `end`. */
static bool apply_links(struct run *run, const struct node *first, const struct node *end,
                        struct value *value)
{
    for (const struct node *link = first; link != end; link = link->next) {
        run->offset = link->offset;
        if (!run_spend(run, 0) || !links[link->kind](run, link, value))
            return false;
    }
    return true;
}

static bool eval_chain(struct run *run, const struct node *node, struct value *out)
{
    return run_expression(run, node->part[0], out) && apply_links(run, node->part[1], NULL, out);
}

bool run_filters(struct run *run, const struct node *first, struct value *value)
{
    return apply_links(run, first, NULL, value);
}

bool run_call_with(struct run *run, const struct node *chain, const struct value *caller,
                   struct value *out)
{
    struct value callee, name = value_text("caller");
    struct call call;
    if (!run_expression(run, chain->part[0], &callee) ||
        !apply_links(run, chain->part[1], chain->part[2], &callee) ||
        !run_arguments(run, chain->part[2]->part[0], &call))
        return false;
    size_t capacity = call.keyword_count; /* full, so that it is copied to a larger one */
    return add_keyword(run, &call, &capacity, &name, caller) && run_call(run, &callee, &call, out);
}

static bool (*const expressions[])(struct run *, const struct node *, struct value *) = {
    [NODE_CONSTANT] = eval_constant, [NODE_NAME] = eval_name,
    [NODE_LIST] = eval_list,         [NODE_TUPLE] = eval_list,
    [NODE_DICT] = eval_dict,         [NODE_NOT] = eval_not,
    [NODE_UNARY] = eval_unary,       [NODE_AND] = eval_logic,
    [NODE_OR] = eval_logic,          [NODE_CONCAT] = eval_concat,
    [NODE_COMPARE] = eval_compare,   [NODE_CONDITION] = eval_condition,
    [NODE_CHAIN] = eval_chain,
};

bool run_expression(struct run *run, const struct node *node, struct value *out)
{
    bool done = false;
    if (!run_enter(run))
        return false;
    run->offset = node->offset;
    if (run_spend(run, 0))
        done = expressions[node->kind](run, node, out);
    run_leave(run);
    return done;
}
