/* jinja_value.h: the values a chat template computes with, as Python has them. Private to text/.
 *
 * A value is 24 bytes and passed by copy. What it points to lives in the arena of the compiled
 * template (constants) or of the render, and is never changed after it was made, except a
 * namespace. Strings are UTF-8, counted and sliced by code points as in Python. */
#ifndef LICHEN_JINJA_VALUE_H
#define LICHEN_JINJA_VALUE_H

#include "arena.h"
#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct run;

enum value_kind {
    VALUE_ABSENT = 0, /* an argument that was not given; a template never sees it */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT,
    VALUE_RANGE,
    VALUE_VIEW,     /* dict.keys(), .values(), .items() */
    VALUE_ITERATOR, /* a Python generator: true, without length, empty after one pass */
    VALUE_NAMESPACE,
    VALUE_MACRO,
    VALUE_FUNCTION, /* range, dict, namespace, raise_exception, strftime_now */
    VALUE_METHOD,   /* a method bound to its value */
    VALUE_LOOP,
};

enum view_kind { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };

struct value {
    enum value_kind kind;
    bool markup;  /* string: came from |safe or |escape, so `+` escapes the other side */
    uint8_t view; /* view: enum view_kind */
    size_t size;  /* string: bytes */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *bytes; /* string: [size] */
        struct list *list; /* list, tuple */
        struct dict *dict; /* dict, view, namespace */
        struct range *range;
        struct iterator *iterator;
        struct undefined *undefined;
        struct macro *macro;
        const struct builtin *function;
        struct method *method;
        struct loop *loop;
    };
};

struct list {
    struct value *items; /* [count] */
    size_t count;
};

struct pair {
    struct value key, value;
};

struct dict {           /* in insertion order; looked up by walking */
    struct pair *pairs; /* [capacity] */
    size_t count;
    size_t capacity;
};

struct range {
    int64_t start, stop, step;
    size_t count;
};

struct iterator {
    struct value *items; /* [count] */
    size_t count;
    size_t position; /* items before it were consumed */
};

struct undefined {
    const char *hint;  /* the whole message, or NULL */
    const char *owner; /* type whose member was asked for, NULL = a variable was */
    struct value name; /* string or number that was asked for */
};

struct keyword {
    struct value name; /* string */
    struct value value;
};

struct call {             /* evaluated arguments */
    struct value *values; /* [count]; VALUE_ABSENT where a parameter was not given */
    size_t count;
    struct keyword *keywords; /* [keyword_count] */
    size_t keyword_count;
};

/* A filter, test, method or global. subject: what stands left of `|`, `is` or `.`; unused for
 * globals. With parameters, call->values has one entry a parameter; without, the raw call. */
typedef bool builtin_function(struct run *run, const struct value *subject, const struct call *call,
                              struct value *out);

struct builtin {
    const char *name;
    const char *parameters;     /* "old new count", NULL = takes the raw call */
    size_t required;            /* how many of them must be given */
    builtin_function *function; /* NULL: known in Python, refused here */
};

struct method {
    const struct builtin *builtin;
    struct value subject;
};

/* Constructors */
struct value value_none(void);
struct value value_bool(bool boolean);
struct value value_int(int64_t integer);
struct value value_size(size_t count);
struct value value_float(double real);
struct value value_bytes(const char *bytes, size_t size); /* not copied */
struct value value_text(const char *text);                /* NUL-terminated, not copied */

bool value_list(struct run *run, enum value_kind kind, size_t count, struct value *out);
bool value_dict(struct run *run, enum value_kind kind, size_t capacity, struct value *out);
bool value_iterator(struct run *run, struct value *items, size_t count, struct value *out);
bool value_pair(struct run *run, const struct value *first, const struct value *second,
                struct value *out); /* a tuple of two */

/* `hint` is the whole message. */
bool value_undefined_hint(struct run *run, const char *hint, struct value *out);
/* owner NULL: variable `name` does not exist; else member `name` of *owner does not. */
bool value_undefined(struct run *run, const struct value *owner, const struct value *name,
                     struct value *out);
/* Fails with the message of the undefined value. Always false. */
bool value_fail_undefined(struct run *run, const struct value *undefined);

/* Questions */
const char *value_type(const struct value *value); /* Python's name of the type: "str" */
bool value_is_text(const struct value *value, const char *text);
bool value_is_number(const struct value *value);  /* bool, int, float */
bool value_is_integer(const struct value *value); /* bool, int */
bool value_truth(const struct value *value);
int64_t value_integer(const struct value *value); /* of a bool or int */
double value_real(const struct value *value);     /* of a bool, int or float */
bool value_equal(struct run *run, const struct value *a, const struct value *b, bool *out);
/* *out < 0, 0, > 0 as a < b, a == b, a > b; 2 where they are unordered (NaN). Types that Python
 * does not order fail. */
bool value_compare(struct run *run, const struct value *a, const struct value *b, int *out);
/* len(); *known false where Python's len() fails. */
size_t value_count(const struct value *value, bool *known);
bool value_length(struct run *run, const struct value *value, size_t *out); /* fails as len() */

/* Containers */
const struct value *dict_find(struct run *run, const struct dict *dict, const struct value *key);
bool dict_set(struct run *run, struct dict *dict, const struct value *key,
              const struct value *value);
int64_t range_item(const struct range *range, size_t index);
/* The items that iterating over value gives; an iterator is consumed. Fails where Python does. */
bool value_items(struct run *run, const struct value *value, struct list *out);
bool value_contains(struct run *run, const struct value *container, const struct value *item,
                    bool *out);

#endif
