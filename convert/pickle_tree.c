/* pickle_tree.c: finds the tensors in what a pickle holds: a dict of tensors, or dicts and lists of
 * such. A tensor's name is the keys and positions that lead to it, joined by '.'. Containers may
 * contain themselves, so depth and the number of visits are bounded. */
#include "pickle_value.h"

#include <stdio.h>
#include <string.h>

enum { VISIT_MAX = 1000000 };

struct level {
    const struct pickle_value *container;
    uint32_t next;    /* item to visit */
    size_t name_size; /* bytes of path before this level's key */
};

struct walk {
    struct pickle *pickle;
    struct fault *fault;
    struct level levels[PICKLE_DEPTH_MAX];
    int depth;
    char path[CHECKPOINT_NAME_MAX + 1];
    size_t path_size;
};

static bool is_container(const struct pickle_value *value)
{
    return value->kind >= PICKLE_TUPLE && value->kind <= PICKLE_ORDERED_DICT;
}

static bool enter(struct walk *walk, const struct pickle_value *container)
{
    if (walk->depth == PICKLE_DEPTH_MAX)
        return fault_set(walk->fault, FAULT_FORMAT, "'%.64s...': nested deeper than %d", walk->path,
                         PICKLE_DEPTH_MAX);
    walk->levels[walk->depth++] = (struct level){container, 0, walk->path_size};
    return true;
}

/* Puts a key behind the path of its level. */
static bool set_key(struct walk *walk, const char *key, size_t size)
{
    const struct level *level = &walk->levels[walk->depth - 1];
    size_t start = level->name_size;
    bool dot = start > 0;
    if (size + dot > CHECKPOINT_NAME_MAX - start)
        return fault_set(walk->fault, FAULT_FORMAT,
                         "'%.32s...': a name of more than the %d bytes allowed", key,
                         CHECKPOINT_NAME_MAX);
    if (dot)
        walk->path[start++] = '.';
    memcpy(walk->path + start, key, size);
    walk->path_size = start + size;
    walk->path[walk->path_size] = 0;
    return true;
}

static bool set_number(struct walk *walk, long long number)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", number);
    return set_key(walk, digits, (size_t)size);
}

static bool add_tensor(struct walk *walk, const struct pickle_tensor *tensor)
{
    struct pickle *pickle = walk->pickle;
    uint32_t count = pickle->tensor_count;
    if (count == PICKLE_TENSOR_MAX)
        return fault_set(walk->fault, FAULT_FORMAT, "more than %d tensors", PICKLE_TENSOR_MAX);
    if ((count & (count - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
        struct pickle_tensor *larger =
            arena_alloc(&pickle->arena, count ? 2 * (size_t)count : 1, sizeof *larger);
        if (!larger)
            return pickle_no_memory(walk->fault);
        if (count)
            memcpy(larger, pickle->tensors, count * sizeof *larger);
        pickle->tensors = larger;
    }
    struct pickle_tensor *named = &pickle->tensors[count];
    *named = *tensor;
    named->name = arena_copy(&pickle->arena, walk->path, walk->path_size);
    named->name_size = walk->path_size;
    if (!named->name)
        return pickle_no_memory(walk->fault);
    pickle->tensor_count++;
    return true;
}

/* The next item of the innermost level; NULL at its end or on failure. */
static const struct pickle_value *next_item(struct walk *walk, bool *failed)
{
    struct level *level = &walk->levels[walk->depth - 1];
    const struct pickle_list *list = level->container->as.list;
    bool is_dict =
        level->container->kind == PICKLE_DICT || level->container->kind == PICKLE_ORDERED_DICT;
    *failed = false;
    if (level->next == list->count)
        return NULL;
    const struct pickle_value *value = &list->items[level->next + is_dict];
    if (value->kind == PICKLE_TENSOR || is_container(value)) {
        const struct pickle_value *key = &list->items[level->next];
        bool named = !is_dict ? set_number(walk, level->next)
                     : key->kind == PICKLE_TEXT
                         ? set_key(walk, (const char *)key->as.text, key->size)
                         : set_number(walk, key->as.integer);
        *failed = !named;
    }
    level->next += 1U + is_dict;
    return *failed ? NULL : value;
}

bool pickle_walk(struct pickle *pickle, const struct pickle_value *root, struct fault *fault)
{
    struct walk walk = {.pickle = pickle, .fault = fault};
    bool failed;
    if (root->kind != PICKLE_DICT && root->kind != PICKLE_ORDERED_DICT)
        return fault_set(fault, FAULT_FORMAT, "it holds %s, expected a dict of tensors",
                         pickle_kind_name(root->kind));
    if (!enter(&walk, root))
        return false;
    for (uint32_t visits = 0; walk.depth > 0; visits++) {
        if (visits == VISIT_MAX)
            return fault_set(fault, FAULT_FORMAT, "more than %d values lead to tensors", VISIT_MAX);
        const struct pickle_value *value = next_item(&walk, &failed);
        if (failed)
            return false;
        if (!value)
            walk.depth--;
        else if (value->kind == PICKLE_TENSOR && !add_tensor(&walk, value->as.tensor))
            return false;
        else if (is_container(value) && !enter(&walk, value))
            return false;
    }
    return true;
}
