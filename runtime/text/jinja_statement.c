/* jinja_statement.c: parses {% ... %}, and the text between. */
#include "jinja_node.h"

#include <string.h>

static bool parse_statements(struct parser *parser, const char *const *ends, struct node **out);

/* `%}` of the tag that was read, its body up to one of `ends`; stays at that word. */
static bool parse_body(struct parser *parser, const char *const *ends, struct node **out)
{
    if (parser->token.kind == LEXEME_COLON && !parser_advance(parser))
        return false;
    return parser_expect(parser, LEXEME_BLOCK_END, "'%}'") && parse_statements(parser, ends, out);
}

/* The same, and past the one word that ends it. */
static bool parse_body_to(struct parser *parser, const char *end, struct node **out)
{
    const char *const ends[] = {end, NULL};
    return parse_body(parser, ends, out) && parser_advance(parser);
}

/* A body that break may not leave, since jinja2 compiles it apart or inside a buffer. */
static bool parse_closed_body(struct parser *parser, const char *end, struct node **out)
{
    uint32_t loops = parser->loops;
    parser->loops = 0;
    bool done = parse_body_to(parser, end, out);
    parser->loops = loops;
    return done;
}

static struct node *parse_target_name(struct parser *parser)
{
    if (parser->token.kind != LEXEME_NAME) {
        parser_fail(parser, "cannot assign to %s", lexeme_name(&parser->token));
        return NULL;
    }
    struct node *node = parse_primary(parser);
    if (!node || node->kind == NODE_NAME)
        return node;
    parser_fail(parser, "cannot assign to a constant");
    return NULL;
}

static struct node *parse_member(struct parser *parser, struct node *node)
{
    node->kind = NODE_MEMBER;
    if (!parser_advance(parser))
        return NULL;
    if (parser->token.kind != LEXEME_NAME) {
        parser_fail(parser, "expected a name, found %s", lexeme_name(&parser->token));
        return NULL;
    }
    node->value = parser->token.value;
    return parser_advance(parser) ? node : NULL;
}

/* name, name.member or name, (name, name), ... */
struct node *parse_target(struct parser *parser, bool with_member)
{
    struct node_list list = {0};
    struct node *tuple = parser_node(parser, NODE_TUPLE), *node;
    if (!tuple)
        return NULL;
    for (;;) {
        if (parser->token.kind == LEXEME_PAREN_OPEN) {
            if (!parser_enter(parser) || !parser_advance(parser) ||
                !(node = parse_target(parser, false)) ||
                !parser_expect(parser, LEXEME_PAREN_CLOSE, "')'"))
                return NULL;
            parser_leave(parser);
        } else if (!(node = parse_target_name(parser)))
            return NULL;
        if (with_member && !list.first && parser->token.kind == LEXEME_DOT)
            return parse_member(parser, node);
        node_append(&list, node);
        if (parser->token.kind != LEXEME_COMMA)
            break;
        tuple->flags = 1; /* a comma makes it a tuple */
        if (!parser_advance(parser))
            return NULL;
        if (parser->token.kind != LEXEME_NAME && parser->token.kind != LEXEME_PAREN_OPEN)
            break;
        if (parser_is_name(parser, "in"))
            break;
    }
    tuple->part[0] = list.first;
    return tuple->flags ? tuple : list.first;
}

static bool parse_set(struct parser *parser, struct node *node)
{
    node->kind = NODE_SET;
    if (!(node->part[0] = parse_target(parser, true)))
        return false;
    if (parser->token.kind == LEXEME_ASSIGN)
        return parser_advance(parser) && (node->part[1] = parse_tuple(parser, true, false));
    node->kind = NODE_SET_BLOCK;
    return parse_filters(parser, false, &node->part[1]) &&
           parse_closed_body(parser, "endset", &node->part[2]);
}

static bool parse_else(struct parser *parser, const char *end, struct node **out)
{
    if (parser_is_name(parser, "else"))
        return parser_advance(parser) && parse_body_to(parser, end, out);
    return parser_advance(parser);
}

static bool parse_for(struct parser *parser, struct node *node)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    node->kind = NODE_FOR;
    if (!(node->part[0] = parse_target(parser, false)))
        return false;
    if (!parser_is_name(parser, "in"))
        return parser_fail(parser, "expected 'in', found %s", lexeme_name(&parser->token));
    if (!parser_advance(parser) || !(node->part[1] = parse_tuple(parser, false, false)))
        return false;
    if (parser_is_name(parser, "if") &&
        (!parser_advance(parser) || !(node->part[2] = parse_expression(parser, true))))
        return false;
    if (parser_is_name(parser, "recursive"))
        return parser_refuse(parser, parser->token.offset, "a recursive for");
    parser->loops++;
    if (!parse_body(parser, ends, &node->part[3]))
        return false;
    parser->loops--;
    return parse_else(parser, "endfor", &node->part[4]);
}

/* Conditions and bodies up to endif: if and elif are branches of one list. */
static bool parse_if(struct parser *parser, struct node *node)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct node_list branches = {0};
    bool condition = true;
    node->kind = NODE_IF;
    parser->soft++;
    while (!parser_is_name(parser, "endif") || !branches.first) {
        struct node *branch = parser_node(parser, NODE_BRANCH);
        if (!branch || (condition && !(branch->part[0] = parse_tuple(parser, false, false))) ||
            !parse_body(parser, condition ? ends : ends + 2, &branch->part[1]))
            return false;
        node_append(&branches, branch);
        condition = parser_is_name(parser, "elif");
        if (parser_is_name(parser, "endif"))
            break;
        if (!parser_advance(parser))
            return false;
    }
    parser->soft--;
    node->part[0] = branches.first;
    return parser_advance(parser);
}

static bool parse_parameters(struct parser *parser, struct node **out)
{
    struct node_list list = {0};
    if (!parser_expect(parser, LEXEME_PAREN_OPEN, "'('"))
        return false;
    while (parser->token.kind != LEXEME_PAREN_CLOSE) {
        struct node *parameter;
        if (list.first && !parser_expect(parser, LEXEME_COMMA, "','"))
            return false;
        if (!(parameter = parse_target_name(parser)))
            return false;
        parameter->kind = NODE_PARAMETER;
        if (parser->token.kind == LEXEME_ASSIGN) {
            if (!parser_advance(parser) || !(parameter->part[0] = parse_expression(parser, true)))
                return false;
        } else if (list.last && list.last->part[0])
            return parser_fail(parser, "non-default argument follows default argument");
        node_append(&list, parameter);
    }
    *out = list.first;
    return parser_advance(parser);
}

/* The body of a macro or call block; notes which of caller, varargs, kwargs it speaks of. */
static bool parse_macro_body(struct parser *parser, const char *end, struct node *node)
{
    uint8_t outer = parser->macro_flags;
    parser->macro_flags = 0;
    bool done = parse_closed_body(parser, end, &node->part[1]);
    node->flags = parser->macro_flags;
    parser->macro_flags = outer | node->flags;
    return done;
}

static bool parse_macro(struct parser *parser, struct node *node)
{
    struct node *name = parse_target_name(parser);
    node->kind = NODE_MACRO;
    if (!name || !parse_parameters(parser, &node->part[0]))
        return false;
    node->name = name->name;
    return parse_macro_body(parser, "endmacro", node);
}

static bool parse_call_block(struct parser *parser, struct node *node)
{
    node->kind = NODE_CALL_BLOCK;
    if (parser->token.kind == LEXEME_PAREN_OPEN && !parse_parameters(parser, &node->part[0]))
        return false;
    struct node *call = node->part[2] = parse_expression(parser, true);
    if (!call)
        return false;
    if (call->kind != NODE_CHAIN || call->part[2]->kind != NODE_CALL)
        return parser_fail(parser, "expected call");
    return parse_macro_body(parser, "endcall", node);
}

static bool parse_filter_block(struct parser *parser, struct node *node)
{
    node->kind = NODE_FILTER_BLOCK;
    return parse_filters(parser, true, &node->part[0]) &&
           parse_closed_body(parser, "endfilter", &node->part[1]);
}

static bool parse_with(struct parser *parser, struct node *node)
{
    struct node_list list = {0};
    node->kind = NODE_WITH;
    while (parser->token.kind != LEXEME_BLOCK_END) {
        if (list.first && !parser_expect(parser, LEXEME_COMMA, "','"))
            return false;
        struct node *set = parser_node(parser, NODE_SET);
        if (!set || !(set->part[0] = parse_target_name(parser)) ||
            !parser_expect(parser, LEXEME_ASSIGN, "'='") ||
            !(set->part[1] = parse_expression(parser, true)))
            return false;
        node_append(&list, set);
    }
    node->part[0] = list.first;
    return parse_body_to(parser, "endwith", &node->part[1]);
}

static bool parse_generation(struct parser *parser, struct node *node)
{
    node->kind = NODE_GENERATION;
    return parse_closed_body(parser, "endgeneration", &node->part[0]);
}

static bool parse_jump(struct parser *parser, struct node *node, enum node_kind kind)
{
    node->kind = kind;
    if (parser->loops == 0)
        return parser_refuse(parser, node->offset, "%s outside of a loop",
                             kind == NODE_BREAK ? "break" : "continue");
    return true;
}

static bool parse_break(struct parser *parser, struct node *node)
{
    return parse_jump(parser, node, NODE_BREAK);
}

static bool parse_continue(struct parser *parser, struct node *node)
{
    return parse_jump(parser, node, NODE_CONTINUE);
}

static const struct {
    const char *name;
    bool (*parse)(struct parser *, struct node *); /* NULL: refused */
} tags[] = {
    {"set", parse_set},
    {"for", parse_for},
    {"if", parse_if},
    {"macro", parse_macro},
    {"call", parse_call_block},
    {"filter", parse_filter_block},
    {"with", parse_with},
    {"generation", parse_generation},
    {"break", parse_break},
    {"continue", parse_continue},
    {"block", NULL},
    {"extends", NULL},
    {"include", NULL},
    {"import", NULL},
    {"from", NULL},
    {"autoescape", NULL},
    {"print", NULL},
};

static struct node *parse_tag(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_DATA);
    struct value name = parser->token.value;
    if (!node)
        return NULL;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!parser_is_name(parser, tags[i].name))
            continue;
        if (!tags[i].parse) {
            parser_refuse(parser, node->offset, "tag '%s'", tags[i].name);
            return NULL;
        }
        return parser_advance(parser) && tags[i].parse(parser, node) ? node : NULL;
    }
    parser_fail(parser, "Encountered unknown tag '%.*s'.", (int)name.size, name.bytes);
    return NULL;
}

static bool is_end(const struct parser *parser, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (parser_is_name(parser, *ends))
            return true;
    return false;
}

static struct node *parse_print(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_PRINT);
    if (!node || !parser_advance(parser) || !(node->part[0] = parse_tuple(parser, true, false)) ||
        !parser_expect(parser, LEXEME_VARIABLE_END, "'}}'"))
        return NULL;
    return node;
}

static struct node *parse_data(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_DATA);
    if (!node)
        return NULL;
    node->value = parser->token.value;
    return parser_advance(parser) ? node : NULL;
}

static struct node *parse_block(struct parser *parser)
{
    if (parser->token.kind != LEXEME_NAME) {
        parser_fail(parser, "tag name expected");
        return NULL;
    }
    struct node *node = parse_tag(parser);
    return node && parser_expect(parser, LEXEME_BLOCK_END, "'%}'") ? node : NULL;
}

/* Up to the word of `ends` behind a {%, or to the end of the template where ends is NULL. */
static bool parse_statements(struct parser *parser, const char *const *ends, struct node **out)
{
    struct node_list list = {0};
    if (!parser_enter(parser))
        return false;
    while (parser->token.kind != LEXEME_END) {
        struct node *node;
        if (parser->token.kind == LEXEME_DATA)
            node = parse_data(parser);
        else if (parser->token.kind == LEXEME_VARIABLE_BEGIN)
            node = parse_print(parser);
        else if (!parser_advance(parser))
            return false;
        else if (is_end(parser, ends)) {
            parser_leave(parser);
            *out = list.first;
            return true;
        } else
            node = parse_block(parser);
        if (!node)
            return false;
        node_append(&list, node);
    }
    parser_leave(parser);
    *out = list.first;
    return !ends || parser_fail(parser, "Unexpected end of template, expected '%s'", *ends);
}

bool parse_template(struct parser *parser)
{
    return lexer_next(&parser->lexer, &parser->ahead) && parser_advance(parser) &&
           parse_statements(parser, NULL, &parser->program->body);
}
