/* checkpoint.c: opens a checkpoint: which files it consists of and which source reads each, then
 * one sorted list of all tensors. Reading them is checkpoint_read.c. */
#include "checkpoint_private.h"
#include "checked.h"
#include "mistaken.h"
#include "published.h"
#include "strict_json.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_SIZE_MAX = 64 << 20, INDEX_DEPTH = 8, PATH_MAX_SIZE = 4096 };

/* what the sources use */

bool part_reserve(struct checkpoint_part *part, uint64_t count, struct fault *fault)
{
    if (count > CHECKPOINT_TENSOR_MAX)
        return fault_set(fault, FAULT_FORMAT, "%llu tensors, at most %d are allowed",
                         (unsigned long long)count, CHECKPOINT_TENSOR_MAX);
    part->items = arena_alloc(&part->arena, (size_t)count, sizeof *part->items);
    return part->items ||
           fault_set(fault, FAULT_MEMORY, "no memory for %llu tensors", (unsigned long long)count);
}

bool part_name(struct checkpoint_part *part, const char *bytes, size_t size, const char **name,
               struct fault *fault)
{
    if (size == 0 || size > CHECKPOINT_NAME_MAX)
        return fault_set(fault, FAULT_FORMAT,
                         "tensor '%.32s...' has a name of %zu bytes, expected 1 to %d",
                         size ? bytes : "", size, CHECKPOINT_NAME_MAX);
    if (memchr(bytes, 0, size))
        return fault_set(fault, FAULT_FORMAT, "tensor '%.32s' has a zero byte in its name", bytes);
    *name = arena_copy(&part->arena, bytes, size);
    return *name || fault_set(fault, FAULT_MEMORY, "no memory for a name");
}

bool item_measure(struct checkpoint_item *item, struct fault *fault)
{
    struct checkpoint_tensor *tensor = &item->tensor;
    uint64_t count = 1;
    for (uint32_t i = CHECKPOINT_DIM_MAX; i-- > 0;) {
        if (i >= tensor->dim_count)
            tensor->dims[i] = 1;
        item->strides[i] = count;
        if (!checked_mul_u64(count, tensor->dims[i], &count))
            return fault_set(fault, FAULT_FORMAT, "its shape overflows 64 bits");
    }
    tensor->columns = tensor->dim_count ? tensor->dims[tensor->dim_count - 1] : 1;
    tensor->rows = 1;
    for (uint32_t i = 0; i + 1 < tensor->dim_count; i++)
        if (!checked_mul_u64(tensor->rows, tensor->dims[i], &tensor->rows))
            return fault_set(fault, FAULT_FORMAT, "its shape overflows 64 bits");
    if (!checked_mul_u64(count, element_info(tensor->element)->size, &tensor->size))
        return fault_set(fault, FAULT_FORMAT, "its size overflows 64 bits");
    item->is_dense = true;
    return true;
}

void part_close(struct checkpoint_part *part)
{
    file_close(part->file);
    gguf_close(part->gguf);
    arena_free(&part->arena);
    *part = (struct checkpoint_part){0};
}

/* one file */

/* Files that are no checkpoint, by their first bytes. */
static const struct {
    const char *magic;
    size_t size; /* bytes of magic */
    const char *what;
} not_checkpoints[] = {
    {"\x80\2\x8a\n", 4,
     "a PyTorch file in the form that torch used before 1.6 (not a zip), which is not read; load "
     "it with torch and save it again"},
    {"\x89HDF", 4, "an HDF5 file (Keras), which is not read"},
};

/* False when it was refused. */
static bool check_kind(const uint8_t *start, size_t size, struct fault *fault)
{
    if (!mistaken_check(start, size, fault))
        return false;
    for (size_t i = 0; i < sizeof not_checkpoints / sizeof not_checkpoints[0]; i++)
        if (size >= not_checkpoints[i].size &&
            memcmp(start, not_checkpoints[i].magic, not_checkpoints[i].size) == 0)
            return fault_set(fault, FAULT_UNSUPPORTED, "not a checkpoint but %s",
                             not_checkpoints[i].what);
    return true;
}

static bool read_part(struct checkpoint_part *part, const char *path, struct fault *fault)
{
    uint8_t start[MISTAKEN_SIZE];
    if (!file_open(path, &part->file, fault))
        return false;
    size_t size =
        file_size(part->file) < sizeof start ? (size_t)file_size(part->file) : sizeof start;
    if (!file_read(part->file, 0, start, size, fault))
        return false;
    if (size >= 4 && memcmp(start, "GGUF", 4) == 0) {
        file_close(part->file);
        part->file = NULL;
        return gguf_source_read(part, path, fault);
    }
    part->is_torch = size >= 4 && memcmp(start, "PK", 2) == 0;
    if (part->is_torch)
        return torch_zip_read(part, fault);
    return check_kind(start, size, fault) && safetensors_read(part, fault);
}

static bool add_part(struct checkpoint *checkpoint, const char *path, struct fault *fault)
{
    struct checkpoint_part *part = &checkpoint->parts[checkpoint->part_count];
    if (read_part(part, path, fault)) {
        checkpoint->part_count++;
        return true;
    }
    part_close(part);
    return fault_file(fault, path);
}

/* the list of tensors */

static int compare_items(const void *a, const void *b)
{
    const struct checkpoint_item *x = *(struct checkpoint_item *const *)a;
    const struct checkpoint_item *y = *(struct checkpoint_item *const *)b;
    return strcmp(x->tensor.name, y->tensor.name);
}

static bool list_reserve(struct checkpoint *checkpoint, size_t count, struct fault *fault)
{
    checkpoint->items = arena_alloc(&checkpoint->arena, count, sizeof *checkpoint->items);
    return checkpoint->items || fault_set(fault, FAULT_MEMORY, "no memory for %zu tensors", count);
}

static bool list_sort(struct checkpoint *checkpoint, struct fault *fault)
{
    uint32_t count = checkpoint->item_count;
    if (count > 1)
        qsort(checkpoint->items, count, sizeof *checkpoint->items, compare_items);
    for (uint32_t i = 1; i < count; i++)
        if (compare_items(&checkpoint->items[i - 1], &checkpoint->items[i]) == 0)
            return fault_set(fault, FAULT_FORMAT, "tensor '%s' occurs twice",
                             checkpoint->items[i]->tensor.name);
    return true;
}

static bool open_single(struct checkpoint *checkpoint, const char *path, struct fault *fault)
{
    checkpoint->parts = calloc(1, sizeof *checkpoint->parts);
    if (!checkpoint->parts)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    if (!add_part(checkpoint, path, fault))
        return false;
    struct checkpoint_part *part = &checkpoint->parts[0];
    if (!list_reserve(checkpoint, part->item_count, fault))
        return false;
    for (uint32_t i = 0; i < part->item_count; i++)
        checkpoint->items[checkpoint->item_count++] = &part->items[i];
    return list_sort(checkpoint, fault) || fault_file(fault, path);
}

/* an index */

static bool is_basename(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > CHECKPOINT_NAME_MAX || name[0] == '.')
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
           size;
}

/* name beside path, or in it when path is a folder */
static bool join(const char *path, bool is_folder, const char *name, char dst[PATH_MAX_SIZE],
                 struct fault *fault)
{
    const char *slash = strrchr(path, '/');
    size_t size = is_folder ? strlen(path) : slash ? (size_t)(slash - path) + 1 : 0;
    if (size + 1 + strlen(name) >= PATH_MAX_SIZE)
        return fault_set(fault, FAULT_ARGUMENT, "%.256s...: the path is too long", path);
    memcpy(dst, path, size);
    if (is_folder)
        dst[size++] = '/';
    strcpy(dst + size, name);
    return true;
}

/* Part i of the map is the i-th shard; shards are in the order of their first occurrence. */
static bool add_shard(struct checkpoint *checkpoint, const char *index_path, const char *name,
                      json_t *numbers, struct fault *fault)
{
    char path[PATH_MAX_SIZE];
    if (!is_basename(name))
        return fault_set(fault, FAULT_FORMAT,
                         "shard '%.256s' is not the plain name of a file beside the index", name);
    if (json_object_get(numbers, name))
        return true;
    if (checkpoint->part_count == CHECKPOINT_SHARD_MAX)
        return fault_set(fault, FAULT_FORMAT, "more than %d shards", CHECKPOINT_SHARD_MAX);
    if (json_object_set_new(numbers, name, json_integer(checkpoint->part_count)) != 0)
        return fault_set(fault, FAULT_MEMORY, "no memory for the index");
    return join(index_path, false, name, path, fault) && add_part(checkpoint, path, fault);
}

/* All tensors of the shards that the index gives to just these shards. */
static bool list_shards(struct checkpoint *checkpoint, const json_t *map, const json_t *numbers,
                        struct fault *fault)
{
    if (!list_reserve(checkpoint, json_object_size(map), fault))
        return false;
    for (uint32_t i = 0; i < checkpoint->part_count; i++) {
        struct checkpoint_part *part = &checkpoint->parts[i];
        for (uint32_t j = 0; j < part->item_count; j++) {
            part->items[j].file = i;
            const char *shard = json_string_value(json_object_get(map, part->items[j].tensor.name));
            if (!shard || json_integer_value(json_object_get(numbers, shard)) != i)
                continue;
            if (checkpoint->item_count == json_object_size(map))
                return fault_set(fault, FAULT_FORMAT, "a shard holds a tensor twice");
            checkpoint->items[checkpoint->item_count++] = &part->items[j];
        }
    }
    return list_sort(checkpoint, fault);
}

static bool check_all_found(const struct checkpoint *checkpoint, json_t *map, struct fault *fault)
{
    const char *name;
    json_t *shard;
    json_object_foreach(map, name, shard)
    {
        if (!checkpoint_tensor_find(checkpoint, name))
            return fault_set(fault, FAULT_FORMAT, "tensor '%.256s' is not in its shard %s", name,
                             json_string_value(shard));
    }
    return true;
}

static bool read_map(struct checkpoint *checkpoint, const char *path, json_t *root, json_t *numbers,
                     struct fault *fault)
{
    const char *name;
    json_t *shard, *map = json_object_get(root, "weight_map");
    if (!json_is_object(map))
        return fault_set(fault, FAULT_FORMAT, "weight_map is %s, expected an object",
                         strict_json_kind(map));
    if (json_object_size(map) > CHECKPOINT_TENSOR_MAX)
        return fault_set(fault, FAULT_FORMAT, "%zu tensors, at most %d are allowed",
                         json_object_size(map), CHECKPOINT_TENSOR_MAX);
    json_object_foreach(map, name, shard)
    {
        if (!json_is_string(shard))
            return fault_set(fault, FAULT_FORMAT, "weight_map '%.256s' is %s, expected text", name,
                             strict_json_kind(shard));
        if (!add_shard(checkpoint, path, json_string_value(shard), numbers, fault))
            return false;
    }
    return list_shards(checkpoint, map, numbers, fault) && check_all_found(checkpoint, map, fault);
}

static bool open_index(struct checkpoint *checkpoint, const char *path, struct fault *fault)
{
    char *text = NULL;
    size_t size;
    json_t *root = NULL, *numbers = json_object();
    checkpoint->parts = calloc(CHECKPOINT_SHARD_MAX, sizeof *checkpoint->parts);
    bool done =
        (checkpoint->parts && numbers) || fault_set(fault, FAULT_MEMORY, "no memory for the index");
    done = done && published_load(path, INDEX_SIZE_MAX, &text, &size, fault);
    if (done)
        root = strict_json_parse(text, size, INDEX_DEPTH, 0, fault);
    done = root && read_map(checkpoint, path, root, numbers, fault);
    json_decref(root);
    json_decref(numbers);
    free(text);
    return done || fault_file(fault, path);
}

/* a folder, an index or a file */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static bool open_path(struct checkpoint *checkpoint, const char *path, struct fault *fault)
{
    return ends_with(path, ".index.json") ? open_index(checkpoint, path, fault)
                                          : open_single(checkpoint, path, fault);
}

static bool open_folder(struct checkpoint *checkpoint, const char *folder, struct fault *fault)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX_SIZE];
        if (!join(folder, true, names[i], path, fault))
            return false;
        if (path_kind(path) != PATH_NONE || path_is_broken_link(path))
            return open_path(checkpoint, path, fault);
    }
    return published_no_weights(folder, fault);
}

bool checkpoint_open(const char *path, struct checkpoint **out, struct fault *fault)
{
    *out = NULL;
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    bool done = path_kind(path) == PATH_FOLDER ? open_folder(checkpoint, path, fault)
                                               : open_path(checkpoint, path, fault);
    if (!done) {
        checkpoint_close(checkpoint);
        return false;
    }
    *out = checkpoint;
    return true;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (uint32_t i = 0; i < checkpoint->part_count; i++)
        part_close(&checkpoint->parts[i]);
    free(checkpoint->parts);
    arena_free(&checkpoint->arena);
    free(checkpoint);
}

bool checkpoint_verify(const struct checkpoint *checkpoint, struct fault *fault)
{
    for (uint32_t i = 0; i < checkpoint->part_count; i++) {
        const struct checkpoint_part *part = &checkpoint->parts[i];
        if (part->is_torch && !torch_zip_verify(part->file, fault))
            return fault_file(fault, file_path(part->file));
    }
    return true;
}

/* access */

uint32_t checkpoint_tensor_count(const struct checkpoint *checkpoint)
{
    return checkpoint->item_count;
}

const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *checkpoint,
                                                     uint32_t index)
{
    return index < checkpoint->item_count ? &checkpoint->items[index]->tensor : NULL;
}

const struct checkpoint_tensor *checkpoint_tensor_find(const struct checkpoint *checkpoint,
                                                       const char *name)
{
    struct checkpoint_item key = {.tensor.name = name}, *key_item = &key, **found = NULL;
    if (checkpoint->item_count)
        found = bsearch(&key_item, checkpoint->items, checkpoint->item_count,
                        sizeof *checkpoint->items, compare_items);
    return found ? &(*found)->tensor : NULL;
}

const char *checkpoint_tensor_path(const struct checkpoint *checkpoint,
                                   const struct checkpoint_tensor *tensor)
{
    const struct checkpoint_part *part =
        &checkpoint->parts[((const struct checkpoint_item *)tensor)->file];
    return part->gguf ? gguf_path(part->gguf) : file_path(part->file);
}
