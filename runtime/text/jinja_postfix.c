/* jinja_postfix.c: parses what may follow an operand: .name [index] (arguments) | filter, is test.
 * Here a filter, test or method that lichen does not have is refused. */
#include "jinja_node.h"
#include "jinja_run.h"

static struct node *parse_postfix(struct parser *parser, struct node *node);

static bool parse_argument(struct parser *parser, struct node **out)
{
    struct node *argument = NULL;
    enum lexeme_kind kind = parser->token.kind;
    if (kind == LEXEME_MULTIPLY || kind == LEXEME_POWER) {
        argument = parser_node(parser, kind == LEXEME_POWER ? NODE_DOUBLE_SPLAT : NODE_SPLAT);
        if (!argument || !parser_advance(parser))
            return false;
    } else if (kind == LEXEME_NAME && parser->ahead.kind == LEXEME_ASSIGN) {
        argument = parser_node(parser, NODE_KEYWORD);
        if (!argument)
            return false;
        argument->value = parser->token.value;
        if (!parser_advance(parser) || !parser_advance(parser))
            return false;
    }
    struct node *expression = parse_expression(parser, true);
    if (!expression)
        return false;
    *out = argument ? argument : expression;
    if (argument)
        argument->part[0] = expression;
    return true;
}

/* Plain arguments, then *args, then names and **kwargs, as jinja2 wants them. */
static bool check_order(struct parser *parser, const struct node *argument, int *stage)
{
    int rank = argument->kind == NODE_SPLAT          ? 1
               : argument->kind == NODE_KEYWORD      ? 2
               : argument->kind == NODE_DOUBLE_SPLAT ? 3
                                                     : 0;
    if (rank < *stage || (rank == *stage && (rank & 1)))
        return parser_fail(parser, "invalid order of arguments");
    *stage = rank;
    return true;
}

bool parse_arguments(struct parser *parser, struct node **out)
{
    struct node_list list = {0};
    int stage = 0;
    if (!parser_expect(parser, LEXEME_PAREN_OPEN, "'('"))
        return false;
    while (parser->token.kind != LEXEME_PAREN_CLOSE) {
        struct node *argument;
        if (list.first && !parser_expect(parser, LEXEME_COMMA, "',' or ')'"))
            return false;
        if (parser->token.kind == LEXEME_PAREN_CLOSE)
            break;
        if (!parse_argument(parser, &argument) || !check_order(parser, argument, &stage))
            return false;
        node_append(&list, argument);
    }
    *out = list.first;
    return parser_advance(parser);
}

/* A dotted name ("a.b" is one filter's name). */
static bool parse_dotted(struct parser *parser, struct value *out)
{
    if (parser->token.kind != LEXEME_NAME)
        return parser_fail(parser, "expected a name, found %s", lexeme_name(&parser->token));
    *out = parser->token.value;
    if (!parser_advance(parser))
        return false;
    if (parser->token.kind == LEXEME_DOT)
        return parser_refuse(parser, parser->token.offset, "a dotted filter or test name");
    return true;
}

static bool check_filter(struct parser *parser, const struct node *node)
{
    const struct value *name = &node->value;
    if (filter_is_refused(name->bytes, name->size))
        return parser_refuse(parser, node->offset, "filter '%.*s'", (int)name->size, name->bytes);
    if (!filter_find(name->bytes, name->size) && !parser->soft)
        return parser_fail(parser, "No filter named '%.*s'.", (int)name->size, name->bytes);
    return true;
}

static struct node *parse_filter(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_FILTER);
    if (!node || !parse_dotted(parser, &node->value))
        return NULL;
    if (parser->token.kind == LEXEME_PAREN_OPEN && !parse_arguments(parser, &node->part[0]))
        return NULL;
    return check_filter(parser, node) ? node : NULL;
}

bool parse_filters(struct parser *parser, bool inline_start, struct node **out)
{
    struct node_list list = {0};
    while (inline_start || parser->token.kind == LEXEME_PIPE) {
        struct node *node;
        if (!inline_start && !parser_advance(parser))
            return false;
        if (!(node = parse_filter(parser)))
            return false;
        node_append(&list, node);
        inline_start = false;
    }
    *out = list.first;
    return true;
}

static bool starts_test_argument(struct parser *parser)
{
    switch (parser->token.kind) {
    case LEXEME_NAME:
        return !parser_is_name(parser, "else") && !parser_is_name(parser, "or") &&
               !parser_is_name(parser, "and");
    case LEXEME_STRING:
    case LEXEME_INTEGER:
    case LEXEME_FLOAT:
    case LEXEME_PAREN_OPEN:
    case LEXEME_BRACKET_OPEN:
    case LEXEME_BRACE_OPEN:
        return true;
    default:
        return false;
    }
}

static bool parse_test_arguments(struct parser *parser, struct node **out)
{
    if (parser->token.kind == LEXEME_PAREN_OPEN)
        return parse_arguments(parser, out);
    if (!starts_test_argument(parser))
        return true;
    if (parser_is_name(parser, "is"))
        return parser_fail(parser, "You cannot chain multiple tests with is");
    struct node *argument = parse_primary(parser);
    *out = argument ? parse_postfix(parser, argument) : NULL;
    return *out != NULL;
}

static struct node *parse_test(struct parser *parser, struct node *node)
{
    struct node *test = parser_node(parser, NODE_TEST), *not = NULL;
    if (!test || !parser_advance(parser))
        return NULL;
    if (parser_is_name(parser, "not")) {
        if (!(not = parser_node(parser, NODE_NOT)) || !parser_advance(parser))
            return NULL;
    }
    if (!parse_dotted(parser, &test->value) || !parse_test_arguments(parser, &test->part[0]))
        return NULL;
    if (!test_find(test->value.bytes, test->value.size) && !parser->soft) {
        parser_fail(parser, "No test named '%.*s'.", (int)test->value.size, test->value.bytes);
        return NULL;
    }
    if (!node_chain(parser, &node, test))
        return NULL;
    if (!not )
        return node;
    not ->part[0] = node;
    return not ;
}

/* start:stop:step, the start already read (NULL: left out), at the colon. */
static struct node *parse_slice(struct parser *parser, struct node *start)
{
    struct node *slice = parser_node(parser, NODE_SLICE);
    if (!slice)
        return NULL;
    slice->part[0] = start;
    for (int i = 1; i < 3 && parser->token.kind == LEXEME_COLON; i++) {
        if (!parser_advance(parser))
            return NULL;
        enum lexeme_kind kind = parser->token.kind;
        if (kind != LEXEME_COLON && kind != LEXEME_BRACKET_CLOSE && kind != LEXEME_COMMA &&
            !(slice->part[i] = parse_expression(parser, true)))
            return NULL;
    }
    return slice;
}

static struct node *parse_item(struct parser *parser)
{
    struct node *item = parser_node(parser, NODE_ITEM), *start = NULL;
    if (!item || !parser_advance(parser))
        return NULL;
    if (parser->token.kind != LEXEME_COLON && !(start = parse_expression(parser, true)))
        return NULL;
    if (parser->token.kind == LEXEME_COLON)
        item = parse_slice(parser, start);
    else
        item->part[0] = start;
    if (item && parser->token.kind == LEXEME_COMMA) {
        parser_refuse(parser, parser->token.offset, "an index of several parts");
        return NULL;
    }
    if (!item || !parser_expect(parser, LEXEME_BRACKET_CLOSE, "']'"))
        return NULL;
    return item;
}

static struct node *parse_attribute(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_ATTRIBUTE);
    if (!node || !parser_advance(parser))
        return NULL;
    node->value = parser->token.value;
    if (parser->token.kind == LEXEME_INTEGER) { /* a.0 is a[0] */
        node->kind = NODE_ITEM;
        if (!(node->part[0] = parser_node(parser, NODE_CONSTANT)))
            return NULL;
        node->part[0]->value = parser->token.value;
    } else if (parser->token.kind != LEXEME_NAME) {
        parser_fail(parser, "expected name or number");
        return NULL;
    }
    return parser_advance(parser) ? node : NULL;
}

/* Refuses a.b(...) where b is a Python method that lichen does not have. */
static bool check_method(struct parser *parser, const struct node *node)
{
    const struct node *last = node->kind == NODE_CHAIN ? node->part[2] : NULL;
    if (last && last->kind == NODE_ATTRIBUTE &&
        method_is_refused(last->value.bytes, last->value.size))
        return parser_refuse(parser, last->offset, "method '%.*s'", (int)last->value.size,
                             last->value.bytes);
    return true;
}

static struct node *parse_call(struct parser *parser, struct node *node)
{
    struct node *call = parser_node(parser, NODE_CALL);
    if (!call || !check_method(parser, node) || !parse_arguments(parser, &call->part[0]) ||
        !node_chain(parser, &node, call))
        return NULL;
    return node;
}

static struct node *parse_postfix(struct parser *parser, struct node *node)
{
    while (node) {
        struct node *link;
        if (parser->token.kind == LEXEME_DOT)
            link = parse_attribute(parser);
        else if (parser->token.kind == LEXEME_BRACKET_OPEN)
            link = parse_item(parser);
        else if (parser->token.kind == LEXEME_PAREN_OPEN) {
            node = parse_call(parser, node);
            continue;
        } else
            return node;
        if (!link || !node_chain(parser, &node, link))
            return NULL;
    }
    return NULL;
}

static struct node *parse_filter_expression(struct parser *parser, struct node *node)
{
    while (node) {
        struct node *link;
        if (parser->token.kind == LEXEME_PIPE) {
            if (!parser_advance(parser) || !(link = parse_filter(parser)) ||
                !node_chain(parser, &node, link))
                return NULL;
        } else if (parser_is_name(parser, "is"))
            node = parse_test(parser, node);
        else if (parser->token.kind == LEXEME_PAREN_OPEN)
            node = parse_call(parser, node);
        else
            return node;
    }
    return NULL;
}

struct node *parse_unary(struct parser *parser, bool with_filter)
{
    struct node *node = NULL;
    enum lexeme_kind kind = parser->token.kind;
    if (kind == LEXEME_SUBTRACT || kind == LEXEME_ADD) {
        node = parser_node(parser, NODE_UNARY);
        if (!node || !parser_enter(parser) || !parser_advance(parser) ||
            !(node->part[0] = parse_unary(parser, false)))
            return NULL;
        node->operator=(uint8_t) kind;
        parser_leave(parser);
    } else {
        node = parse_primary(parser);
    }
    node = node ? parse_postfix(parser, node) : NULL;
    return node && with_filter ? parse_filter_expression(parser, node) : node;
}
