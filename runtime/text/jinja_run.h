/* jinja_run.h: the state of one render, its budgets and its failures. Private to text/. */
#ifndef LICHEN_JINJA_RUN_H
#define LICHEN_JINJA_RUN_H

#include "jinja_node.h"
#include "jinja_value.h"

enum {
    RUN_STEPS = 1000000,
    RUN_OUTPUT = 4 << 20,  /* bytes */
    RUN_MEMORY = 64 << 20, /* bytes */
    RUN_CALLS = 64,        /* macros inside macros */
    RUN_DEPTH = 1000,      /* evaluations inside evaluations: bounds the stack */
    RUN_NESTING = 64,      /* containers inside containers, in the variables and in tojson */
    RUN_RANGE = 100000,    /* as jinja2's sandbox */
};

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

struct binding {
    uint32_t name;
    struct value value;
};

struct scope {
    struct scope *parent;     /* NULL: the template's own scope, behind it the variables */
    struct binding *bindings; /* [capacity] */
    size_t count;
    size_t capacity;
};

struct macro {
    const struct node *node; /* NODE_MACRO or NODE_CALL_BLOCK */
    struct scope *scope;     /* where it was defined */
};

struct loop {
    const struct node *node;
    struct scope *outer; /* where the condition of the loop is evaluated */
    struct list source;
    size_t source_index;  /* source items looked at */
    struct value *items;  /* [source.count] that passed the condition */
    size_t count;         /* of items so far */
    size_t index;         /* of the current item */
    bool completed;       /* a round went to its end: no else. A quirk of jinja2: break and
                             continue do not count */
    struct value changed; /* what loop.changed() saw last, a tuple; absent before */
};

struct output {  /* one buffer for the result and, behind it, for what a block captures */
    char *bytes; /* [capacity], malloc'd */
    size_t size;
    size_t capacity;
};

struct run {
    const struct program *program;
    struct arena arena;
    struct fault *fault;
    struct output output;
    struct scope *scope;
    struct value *variables; /* [name_count] of the program; absent where not given */
    int64_t time_unix;
    uint64_t steps;
    uint32_t offset; /* in the source: what is being evaluated */
    uint32_t depth;
    uint32_t calls;
    enum flow flow;
    bool failed;      /* a fault was recorded: nothing more is worth doing */
    char *tail_end;   /* where the last joined string ends; it may grow in place */
    size_t tail_room; /* bytes behind tail_end that are free for it */
};

/* Both always return false. "chat template, line L, column C: " is put in front. */
bool run_fail(struct run *run, const char *format, ...) FAULT_PRINTF(2, 3);
bool run_refuse(struct run *run, const char *format, ...) FAULT_PRINTF(2, 3); /* not supported */

/* One step, and one more for every KiB of work. */
bool run_spend(struct run *run, size_t size);
void *run_alloc(struct run *run, size_t count, size_t size); /* NULL: failed, said so */
bool run_enter(struct run *run); /* one level deeper; pair with run_leave when true */
void run_leave(struct run *run);

/* Output */
bool run_write(struct run *run, const char *bytes, size_t size);
/* Takes what was written since `start` out of the output, as a string. */
bool run_capture(struct run *run, size_t start, struct value *out);

/* Names */
bool scope_push(struct run *run, struct scope *parent, const struct names *hidden,
                struct scope **out);
/* Empties a scope: only what is hidden is bound, to nothing. */
bool scope_clear(struct run *run, struct scope *scope, const struct names *hidden);
bool scope_set(struct run *run, struct scope *scope, uint32_t name, const struct value *value);
bool scope_get(struct run *run, uint32_t name, struct value *out);

/* A string under construction, in the arena. Zero it but for run. */
struct builder {
    struct run *run;
    char *bytes;
    size_t size;
    size_t capacity;
};
bool builder_add(struct builder *builder, const char *bytes, size_t size);
bool builder_text(struct builder *builder, const char *text);
bool builder_character(struct builder *builder, char character);
struct value builder_value(const struct builder *builder);

/* A list under construction, in the arena. Zero it but for run. */
struct gather {
    struct run *run;
    struct value *items;
    size_t count;
    size_t capacity;
};
bool gather_add(struct gather *gather, const struct value *value);
bool gather_value(const struct gather *gather, enum value_kind kind, struct value *out);

/* Statements and expressions */
bool run_statements(struct run *run, const struct node *first);
bool run_expression(struct run *run, const struct node *node, struct value *out);
bool run_assign(struct run *run, const struct node *target, const struct value *value);
/* arguments: list of expressions, NODE_KEYWORD, NODE_SPLAT */
bool run_arguments(struct run *run, const struct node *arguments, struct call *out);
bool run_call(struct run *run, const struct value *callee, const struct call *call,
              struct value *out);
/* The call at the end of a NODE_CHAIN, with caller = *caller besides its arguments. */
bool run_call_with(struct run *run, const struct node *chain, const struct value *caller,
                   struct value *out);
bool run_builtin(struct run *run, const struct builtin *builtin, const struct value *subject,
                 const struct call *call, struct value *out);
bool macro_call(struct run *run, const struct macro *macro, const struct call *call,
                struct value *out);
bool loop_attribute(struct run *run, const struct loop *loop, const struct value *name,
                    struct value *out, bool *found);
bool run_for(struct run *run, const struct node *node);
/* Applies NODE_FILTER links to *value. */
bool run_filters(struct run *run, const struct node *links, struct value *value);
bool run_filter_named(struct run *run, const struct value *name, const struct value *subject,
                      const struct call *call, struct value *out);
bool run_test_named(struct run *run, const struct value *name, const struct value *subject,
                    const struct call *call, bool *out);

/* Operators */
bool value_binary(struct run *run, enum lexeme_kind operator, const struct value * left,
                  const struct value *right, struct value *out);
bool value_unary(struct run *run, enum lexeme_kind operator, const struct value * operand,
                 struct value *out);
bool value_join(struct run *run, const struct value *left, const struct value *right,
                struct value *out); /* both strings */
bool value_repeat(struct run *run, const struct value *value, int64_t times, struct value *out);

/* Members: a.name, a[index], a[start:stop:step] */
bool value_attribute(struct run *run, const struct value *value, const struct value *name,
                     struct value *out);
bool value_item(struct run *run, const struct value *value, const struct value *index,
                struct value *out);
/* parts: start, stop, step; VALUE_NONE where left out */
bool value_slice(struct run *run, const struct value *value, const struct value *parts,
                 struct value *out);

/* Text */
bool value_string(struct run *run, const struct value *value, struct value *out); /* str() */
bool value_soft_string(struct run *run, const struct value *value, struct value *out);
bool value_repr(struct run *run, const struct value *value, struct builder *out);
bool value_write(struct builder *out, const struct value *value); /* str() at the end of out */
bool value_escape(struct run *run, const struct value *value, struct value *out);
bool value_format(struct run *run, const struct value *format, const struct value *argument,
                  struct value *out); /* format % argument */
bool format_method(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out); /* format.format(...) */
bool value_tojson(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out);
bool value_from_json(struct run *run, const char *text, size_t size, struct value *out);

/* Tables; NULL where there is no such name. */
const struct builtin *filter_find(const char *name, size_t size);
const struct builtin *test_find(const char *name, size_t size);
const struct builtin *global_find(const char *name, size_t size);
bool filter_is_refused(const char *name, size_t size); /* a filter of jinja2 that is not here */
/* The method of a kind of value; *mutates: it changes its value, which jinja2's sandbox forbids. */
const struct builtin *method_find(enum value_kind kind, const char *name, size_t size,
                                  bool *mutates);
bool method_is_refused(const char *name, size_t size); /* of every type that has it */

#endif
