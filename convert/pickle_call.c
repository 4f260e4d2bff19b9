/* pickle_call.c: what the persistent ids and the callables of a checkpoint mean:
 *
 *   ('storage', torch.T, 'KEY', location, count)              elements of the zip's entry data/KEY
 *   collections.OrderedDict()
 *   torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, OrderedDict())
 *   torch._utils._rebuild_parameter(tensor, requires_grad, OrderedDict())
 *
 * A tensor must stay inside its storage (CVE-2026-24747). */
#include "checked.h"
#include "pickle_value.h"

#include <string.h>

/* tuple must be one of count values. */
static bool get_tuple(const struct pickle_value *tuple, uint32_t count, const char *what,
                      struct pickle_value **items, struct fault *fault)
{
    if (tuple->kind != PICKLE_TUPLE)
        return fault_set(fault, FAULT_FORMAT, "%s: %s, expected a tuple", what,
                         pickle_kind_name(tuple->kind));
    if (tuple->as.list->count != count)
        return fault_set(fault, FAULT_FORMAT, "%s: a tuple of %u values, expected %u", what,
                         tuple->as.list->count, count);
    *items = tuple->as.list->items;
    return true;
}

static bool expect(const struct pickle_value *value, enum pickle_kind kind, const char *what,
                   struct fault *fault)
{
    if (value->kind == kind)
        return true;
    return fault_set(fault, FAULT_FORMAT, "%s is %s, expected %s", what,
                     pickle_kind_name(value->kind), pickle_kind_name(kind));
}

static bool get_count(const struct pickle_value *value, const char *what, uint64_t *out,
                      struct fault *fault)
{
    if (!expect(value, PICKLE_INTEGER, what, fault))
        return false;
    if (value->as.integer < 0)
        return fault_set(fault, FAULT_FORMAT, "%s is %lld, expected 0 or more", what,
                         (long long)value->as.integer);
    *out = (uint64_t)value->as.integer;
    return true;
}

/* storages */

static bool text_equals(const struct pickle_value *value, const char *text)
{
    return value->kind == PICKLE_TEXT && value->size == strlen(text) &&
           memcmp(value->as.text, text, value->size) == 0;
}

static bool read_key(const struct pickle_value *value, struct pickle_storage *storage,
                     struct fault *fault)
{
    if (!expect(value, PICKLE_TEXT, "the key of a storage", fault))
        return false;
    bool digits = value->size > 0 && value->size < sizeof storage->key;
    for (uint32_t i = 0; digits && i < value->size; i++)
        digits = value->as.text[i] >= '0' && value->as.text[i] <= '9';
    if (!digits)
        return fault_set(fault, FAULT_FORMAT, "the key of a storage is '%.*s', expected digits",
                         value->size < 64 ? (int)value->size : 64, (const char *)value->as.text);
    memcpy(storage->key, value->as.text, value->size);
    storage->key[value->size] = 0;
    return true;
}

static bool add_storage(struct pickle *pickle, const struct pickle_storage *storage,
                        uint32_t *index, struct fault *fault)
{
    *index = pickle->storage_count;
    if (*index == PICKLE_TENSOR_MAX)
        return fault_set(fault, FAULT_FORMAT, "more than %d storages", PICKLE_TENSOR_MAX);
    if ((*index & (*index - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
        struct pickle_storage *larger =
            arena_alloc(&pickle->arena, *index ? 2 * (size_t)*index : 1, sizeof *larger);
        if (!larger)
            return pickle_no_memory(fault);
        if (*index)
            memcpy(larger, pickle->storages, *index * sizeof *larger);
        pickle->storages = larger;
    }
    pickle->storages[pickle->storage_count++] = *storage;
    return true;
}

bool pickle_reference(struct pickle *pickle, const struct pickle_value *tuple,
                      struct pickle_value *result, struct fault *fault)
{
    struct pickle_value *items = NULL;
    struct pickle_storage storage = {0};
    uint32_t index;
    uint64_t size;
    if (!get_tuple(tuple, 5, "a persistent id", &items, fault))
        return false;
    if (!text_equals(&items[0], "storage"))
        return fault_set(fault, FAULT_FORMAT, "a persistent id does not begin with 'storage'");
    if (!expect(&items[1], PICKLE_GLOBAL, "the type of a storage", fault))
        return false;
    if (items[1].as.integer >= GLOBAL_STORAGE_COUNT)
        return fault_set(fault, FAULT_FORMAT, "the type of a storage is %s",
                         pickle_global_name((enum pickle_global)items[1].as.integer));
    storage.element = pickle_global_element((enum pickle_global)items[1].as.integer);
    if (!read_key(&items[2], &storage, fault) ||
        !expect(&items[3], PICKLE_TEXT, "the location of a storage", fault) ||
        !get_count(&items[4], "the count of a storage", &storage.count, fault))
        return false;
    if (!checked_mul_u64(storage.count, element_info(storage.element)->size, &size))
        return fault_set(fault, FAULT_FORMAT, "the size of storage %s overflows 64 bits",
                         storage.key);
    if (!add_storage(pickle, &storage, &index, fault))
        return false;
    *result = (struct pickle_value){.kind = PICKLE_STORAGE, .as.integer = index};
    return true;
}

/* tensors */

static bool read_dims(const struct pickle_value *items, struct pickle_tensor *tensor,
                      struct fault *fault)
{
    struct pickle_value *dims = NULL, *strides = NULL;
    if (!expect(&items[2], PICKLE_TUPLE, "the size of a tensor", fault))
        return false;
    uint32_t count = items[2].as.list->count;
    if (count > CHECKPOINT_DIM_MAX)
        return fault_set(fault, FAULT_UNSUPPORTED, "%u dimensions, at most %d are supported", count,
                         CHECKPOINT_DIM_MAX);
    if (!get_tuple(&items[2], count, "the size of a tensor", &dims, fault) ||
        !get_tuple(&items[3], count, "the stride of a tensor", &strides, fault))
        return false;
    tensor->dim_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!get_count(&dims[i], "a dimension", &tensor->dims[i], fault) ||
            !get_count(&strides[i], "a stride", &tensor->strides[i], fault))
            return false;
    return true;
}

/* offset + sum of (dim - 1) * stride < count of the storage; an empty tensor may lie anywhere. */
static bool check_inside(const struct pickle *pickle, const struct pickle_tensor *tensor,
                         struct fault *fault)
{
    const struct pickle_storage *storage = &pickle->storages[tensor->storage];
    uint64_t last = tensor->offset;
    bool fits = true;
    for (uint32_t i = 0; i < tensor->dim_count; i++) {
        uint64_t step;
        if (tensor->dims[i] == 0)
            return true;
        fits = fits && checked_mul_u64(tensor->dims[i] - 1, tensor->strides[i], &step) &&
               checked_add_u64(last, step, &last);
    }
    if (!fits)
        return fault_set(fault, FAULT_FORMAT, "the end of a tensor overflows 64 bits");
    if (last >= storage->count)
        return fault_set(
            fault, FAULT_FORMAT, "a tensor reaches element %llu of storage %s, which has %llu",
            (unsigned long long)last, storage->key, (unsigned long long)storage->count);
    return true;
}

static bool rebuild_tensor(struct pickle *pickle, const struct pickle_value *tuple,
                           struct pickle_value *result, struct fault *fault)
{
    struct pickle_value *items = NULL;
    if (!get_tuple(tuple, 6, "_rebuild_tensor_v2", &items, fault) ||
        !expect(&items[0], PICKLE_STORAGE, "the storage of a tensor", fault))
        return false;
    struct pickle_tensor *tensor = arena_alloc(&pickle->arena, 1, sizeof *tensor);
    if (!tensor)
        return pickle_no_memory(fault);
    tensor->storage = (uint32_t)items[0].as.integer;
    if (!get_count(&items[1], "the offset of a tensor", &tensor->offset, fault) ||
        !read_dims(items, tensor, fault) ||
        !expect(&items[4], PICKLE_BOOL, "requires_grad", fault) ||
        !expect(&items[5], PICKLE_ORDERED_DICT, "the hooks of a tensor", fault) ||
        !check_inside(pickle, tensor, fault))
        return false;
    *result = (struct pickle_value){.kind = PICKLE_TENSOR, .as.tensor = tensor};
    return true;
}

bool pickle_call(struct pickle *pickle, const struct pickle_value *callable,
                 const struct pickle_value *tuple, struct pickle_value *result, struct fault *fault)
{
    struct pickle_value *items = NULL;
    if (!expect(callable, PICKLE_GLOBAL, "what is called", fault))
        return false;
    switch (callable->as.integer) {
    case GLOBAL_REBUILD_TENSOR:
        return rebuild_tensor(pickle, tuple, result, fault);
    case GLOBAL_REBUILD_PARAMETER:
        if (!get_tuple(tuple, 3, "_rebuild_parameter", &items, fault) ||
            !expect(&items[0], PICKLE_TENSOR, "a parameter", fault) ||
            !expect(&items[1], PICKLE_BOOL, "requires_grad", fault) ||
            !expect(&items[2], PICKLE_ORDERED_DICT, "the hooks of a parameter", fault))
            return false;
        *result = items[0];
        return true;
    case GLOBAL_ORDERED_DICT:
        if (!get_tuple(tuple, 0, "OrderedDict", &items, fault))
            return false;
        struct pickle_list *list = arena_alloc(&pickle->arena, 1, sizeof *list);
        if (!list)
            return pickle_no_memory(fault);
        *result = (struct pickle_value){.kind = PICKLE_ORDERED_DICT, .as.list = list};
        return true;
    default:
        return fault_set(fault, FAULT_FORMAT, "%s may not be called",
                         pickle_global_name((enum pickle_global)callable->as.integer));
    }
}
