/* jinja_symbols.c: which variables a body hides before it sets them.
 *
 * jinja2 compiles a variable that a body sets, and that nothing read before in it or around it, to
 * a local that begins undefined (idtracking.py). So in
 *     {% macro m() %}{{ tools }}{% endmacro %}{{ m() }}{% set tools = 1 %}
 * the macro sees nothing, even where the caller gave `tools`. Each body gets the list of such
 * names; when it begins they are bound to nothing. A name set in some branches of an if, but not in
 * all, is not hidden. */
#include "jinja_node.h"

#include <string.h>

enum {
    SYMBOL_KNOWN = 1,  /* this body has it */
    SYMBOL_HIDDEN = 2, /* and it begins undefined */
    SYMBOL_STORED = 4, /* and sets it */
    COPIES = 3,        /* of an if: then, elif, else */
    LEVELS = 2 * PARSE_NESTING + 8,
};

struct frame {
    const struct frame *outer;
    uint8_t *flags; /* [name_count] */
};

struct analysis {
    struct program *program;
    uint8_t *pool[LEVELS][COPIES]; /* [name_count] each, made when needed */
    uint32_t level;
    bool failed;
};

static void visit_body(struct analysis *analysis, struct frame *frame, const struct node *first);
static void visit_list(struct frame *frame, const struct node *first);
static void analyze_inner(struct analysis *analysis, const struct frame *frame, struct node *first);

static bool is_known_outside(const struct frame *frame, uint32_t name)
{
    for (const struct frame *outer = frame->outer; outer; outer = outer->outer)
        if (outer->flags[name] & SYMBOL_KNOWN)
            return true;
    return false;
}

static void load(struct frame *frame, uint32_t name)
{
    if (!(frame->flags[name] & SYMBOL_KNOWN) && !is_known_outside(frame, name))
        frame->flags[name] |= SYMBOL_KNOWN;
}

static void store(struct frame *frame, uint32_t name)
{
    uint8_t *flags = &frame->flags[name];
    if (!(*flags & SYMBOL_KNOWN))
        *flags |= is_known_outside(frame, name) ? SYMBOL_KNOWN : SYMBOL_KNOWN | SYMBOL_HIDDEN;
    *flags |= SYMBOL_STORED;
}

static void store_parameter(struct frame *frame, uint32_t name)
{
    frame->flags[name] = SYMBOL_KNOWN | SYMBOL_STORED;
}

static void visit_target(struct frame *frame, const struct node *target,
                         void (*visit)(struct frame *, uint32_t))
{
    if (target->kind == NODE_MEMBER)
        load(frame, target->name);
    else if (target->kind == NODE_NAME)
        visit(frame, target->name);
    else
        for (const struct node *part = target->part[0]; part; part = part->next)
            visit_target(frame, part, visit);
}

/* Every name in an expression is a load; what is no name has none of its own. */
static void visit_expression(struct frame *frame, const struct node *node)
{
    if (node->kind == NODE_NAME)
        load(frame, node->name);
    int parts = node->kind == NODE_CHAIN ? 2 : 3; /* part[2] of a chain is its last link again */
    for (int i = 0; i < parts; i++)
        visit_list(frame, node->part[i]);
}

static void visit_list(struct frame *frame, const struct node *first)
{
    for (const struct node *node = first; node; node = node->next)
        visit_expression(frame, node);
}

static uint8_t *copy_flags(struct analysis *analysis, uint32_t copy, const uint8_t *flags)
{
    uint8_t **room = &analysis->pool[analysis->level][copy];
    size_t count = analysis->program->name_count;
    if (!*room)
        *room = arena_alloc(&analysis->program->arena, count, 1);
    if (*room && flags)
        memcpy(*room, flags, count);
    else if (*room)
        memset(*room, 0, count);
    analysis->failed |= !*room;
    return *room;
}

/* What the three ways through an if leave: known and hidden as the last way that knows it says, but
 * not hidden where only some ways set it. */
static void join_branches(struct analysis *analysis, uint8_t *flags, uint8_t *const *ways)
{
    for (uint32_t i = 0; i < analysis->program->name_count; i++) {
        int stores = 0;
        uint8_t joined = flags[i];
        for (int way = 0; way < COPIES; way++) {
            stores += (ways[way][i] & SYMBOL_STORED) != 0;
            if (ways[way][i] & SYMBOL_KNOWN)
                joined = (uint8_t)(ways[way][i] | (joined & SYMBOL_STORED));
        }
        if (!(flags[i] & SYMBOL_STORED) && stores > 0 && stores < COPIES)
            joined &= (uint8_t)~SYMBOL_HIDDEN;
        flags[i] = joined;
    }
}

static void visit_branch(struct analysis *analysis, struct frame *frame, uint8_t *flags,
                         const struct node *body)
{
    struct frame way = {frame->outer, flags};
    visit_body(analysis, &way, body);
}

/* branch: a condition and what follows it up to endif. With `alone` only itself, as jinja2 takes
 * each elif for an if without an else. */
static void visit_if(struct analysis *analysis, struct frame *frame, const struct node *branch,
                     bool alone)
{
    uint8_t *ways[COPIES];
    visit_expression(frame, branch->part[0]);
    for (uint32_t i = 0; i < COPIES; i++)
        if (!(ways[i] = copy_flags(analysis, i, frame->flags)))
            return;
    analysis->level++;
    visit_branch(analysis, frame, ways[0], branch->part[1]);
    for (branch = alone ? NULL : branch->next; branch && !analysis->failed; branch = branch->next) {
        struct frame elif = {frame->outer, ways[1]};
        if (branch->part[0])
            visit_if(analysis, &elif, branch, true);
        else
            visit_branch(analysis, frame, ways[2], branch->part[1]);
    }
    analysis->level--;
    if (!analysis->failed)
        join_branches(analysis, frame->flags, ways);
}

/* A statement as its own body sees it: not what is inside of a body of its own. */
static void visit_statement(struct analysis *analysis, struct frame *frame, const struct node *node)
{
    switch (node->kind) {
    case NODE_PRINT:
    case NODE_FILTER_BLOCK: /* the filters */
        visit_list(frame, node->part[0]);
        break;
    case NODE_IF:
        visit_if(analysis, frame, node->part[0], false);
        break;
    case NODE_FOR:
        visit_expression(frame, node->part[1]);
        break;
    case NODE_SET:
        visit_expression(frame, node->part[1]);
        visit_target(frame, node->part[0], store);
        break;
    case NODE_SET_BLOCK:
        visit_target(frame, node->part[0], store);
        break;
    case NODE_MACRO:
        store(frame, node->name);
        break;
    case NODE_CALL_BLOCK:
        visit_expression(frame, node->part[2]);
        break;
    case NODE_WITH:
        for (const struct node *set = node->part[0]; set; set = set->next)
            visit_expression(frame, set->part[1]);
        break;
    default:
        break;
    }
}

static void visit_body(struct analysis *analysis, struct frame *frame, const struct node *first)
{
    for (const struct node *node = first; node && !analysis->failed; node = node->next)
        visit_statement(analysis, frame, node);
}

static struct names *hidden_names(struct analysis *analysis, const uint8_t *flags)
{
    struct arena *arena = &analysis->program->arena;
    uint32_t count = 0, all = analysis->program->name_count;
    for (uint32_t i = 0; i < all; i++)
        count += (flags[i] & SYMBOL_HIDDEN) != 0;
    if (count == 0)
        return NULL;
    struct names *names = arena_alloc(arena, 1, sizeof *names);
    uint32_t *ids = arena_alloc(arena, count, sizeof *ids);
    analysis->failed |= !names || !ids;
    if (analysis->failed)
        return NULL;
    *names = (struct names){ids, 0};
    for (uint32_t i = 0; i < all; i++)
        if (flags[i] & SYMBOL_HIDDEN)
            ids[names->count++] = i;
    return names;
}

/* Sets up the parameters of the body of `node`. */
static void visit_parameters(struct frame *frame, const struct node *node)
{
    if (node->kind == NODE_FOR) {
        visit_target(frame, node->part[0], store_parameter);
        store_parameter(frame, NAME_LOOP);
    } else if (node->kind == NODE_WITH) {
        for (const struct node *set = node->part[0]; set; set = set->next)
            store_parameter(frame, set->part[0]->name);
    } else if (node->kind == NODE_MACRO || node->kind == NODE_CALL_BLOCK) {
        for (const struct node *parameter = node->part[0]; parameter; parameter = parameter->next)
            store_parameter(frame, parameter->name);
        for (const struct node *parameter = node->part[0]; parameter; parameter = parameter->next)
            visit_list(frame, parameter->part[0]);
        for (uint32_t name = NAME_CALLER; name <= NAME_KWARGS; name++)
            if (node->flags & (1 << (name - NAME_CALLER)))
                store_parameter(frame, name);
    }
}

/* A body of its own: `node` is whose parameters it has, NULL for none. */
static void analyze_body(struct analysis *analysis, const struct frame *outer,
                         const struct node *node, struct node *first, struct names **out)
{
    struct frame frame = {outer, copy_flags(analysis, 0, NULL)};
    if (analysis->failed)
        return;
    analysis->level++;
    if (node)
        visit_parameters(&frame, node);
    visit_body(analysis, &frame, first);
    if (!analysis->failed)
        *out = hidden_names(analysis, frame.flags);
    analyze_inner(analysis, &frame, first);
    analysis->level--;
}

/* The bodies inside of a body. */
static void analyze_node(struct analysis *analysis, const struct frame *frame, struct node *node)
{
    switch (node->kind) {
    case NODE_IF:
        for (struct node *branch = node->part[0]; branch; branch = branch->next)
            analyze_inner(analysis, frame, branch->part[1]);
        break;
    case NODE_FOR:
        analyze_body(analysis, frame, node, node->part[3], &node->hidden[0]);
        analyze_body(analysis, frame, NULL, node->part[4], &node->hidden[1]);
        break;
    case NODE_SET_BLOCK:
        analyze_body(analysis, frame, NULL, node->part[2], &node->hidden[0]);
        break;
    case NODE_MACRO:
    case NODE_CALL_BLOCK:
    case NODE_FILTER_BLOCK:
    case NODE_WITH:
        analyze_body(analysis, frame, node, node->part[1], &node->hidden[0]);
        break;
    case NODE_GENERATION:
        analyze_body(analysis, frame, NULL, node->part[0], &node->hidden[0]);
        break;
    default:
        break;
    }
}

static void analyze_inner(struct analysis *analysis, const struct frame *frame, struct node *first)
{
    for (struct node *node = first; node && !analysis->failed; node = node->next)
        analyze_node(analysis, frame, node);
}

bool program_symbols(struct program *program)
{
    struct analysis *analysis = arena_alloc(&program->arena, 1, sizeof *analysis);
    if (!analysis)
        return false;
    analysis->program = program;
    analyze_body(analysis, NULL, NULL, program->body, &program->hidden);
    return !analysis->failed;
}
