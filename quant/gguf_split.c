/* gguf_split.c: a model in several files, as llama.cpp's gguf-split writes them:
 * PREFIX-00001-of-00003.gguf and so on. Each is a GGUF file with split.no and split.count; the
 * first carries the model's metadata and, as split.tensors.count, the number of tensors in all of
 * them. */
#include "gguf_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUFFIX_SIZE = sizeof "-00001-of-00003.gguf" - 1 };

/* path with the suffix of the shard at index in the place of its own; malloc'd. */
static char *shard_path(const char *path, uint32_t index, uint32_t count)
{
    size_t prefix = strlen(path) - SUFFIX_SIZE;
    char *shard = malloc(prefix + 64);
    if (!shard)
        return NULL;
    memcpy(shard, path, prefix);
    snprintf(shard + prefix, 64, "-%05u-of-%05u.gguf", index + 1, count);
    return shard;
}

static bool check_shard(const struct gguf *part, uint32_t index, uint32_t count,
                        struct fault *fault)
{
    uint32_t part_index = 0;
    uint32_t part_count = 0;
    if (!gguf_u32(part, "split.no", true, &part_index, fault) ||
        !gguf_u32(part, "split.count", true, &part_count, fault))
        return false;
    if (part_index != index || part_count != count)
        return fault_set(fault, FAULT_FORMAT,
                         "%s: says it is file %u of %u (split.no, split.count), expected %u of %u",
                         gguf_path(part), part_index + 1, part_count, index + 1, count);
    return true;
}

/* The name must say what the metadata says, else the other names cannot be made from it. */
static bool check_suffix(const struct gguf *part, const char *path, uint32_t count,
                         struct fault *fault)
{
    uint32_t index = 0;
    if (!gguf_u32(part, "split.no", true, &index, fault))
        return false;
    char suffix[64];
    snprintf(suffix, sizeof suffix, "-%05u-of-%05u.gguf", index + 1, count);
    size_t size = strlen(path);
    if (size < SUFFIX_SIZE || strcmp(path + size - SUFFIX_SIZE, suffix) != 0)
        return fault_set(fault, FAULT_FORMAT,
                         "%s: is a part of a model in %u files, so its name must end in %s", path,
                         count, suffix);
    return true;
}

static bool open_parts(const char *path, struct gguf **parts, uint32_t count, struct fault *fault)
{
    for (uint32_t i = 0; i < count; i++) {
        char *shard = shard_path(path, i, count);
        if (!shard)
            return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
        bool done = gguf_open_one(shard, &parts[i], fault);
        free(shard);
        if (!done)
            return fault_context(fault, "file %u of the %u of this model", i + 1, count);
        if (!check_shard(parts[i], i, count, fault))
            return false;
    }
    return true;
}

static bool count_tensors(struct gguf *const *parts, uint32_t count, uint32_t *total,
                          struct fault *fault)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += parts[i]->tensor_count;
    uint64_t expected = sum;
    if (!gguf_u64(parts[0], "split.tensors.count", false, &expected, fault))
        return false;
    if (sum != expected || sum > GGUF_COUNT_MAX)
        return fault_set(
            fault, FAULT_FORMAT,
            "%s: the %u files of the model have %llu tensors, expected %llu and at most %d",
            gguf_path(parts[0]), count, (unsigned long long)sum, (unsigned long long)expected,
            GGUF_COUNT_MAX);
    *total = (uint32_t)sum;
    return true;
}

static bool copy_tensors(struct gguf *whole, const struct gguf *part, uint32_t file,
                         struct gguf_tensor *dst)
{
    for (uint32_t i = 0; i < part->tensor_count; i++) {
        dst[i] = part->tensors[i];
        dst[i].file = file;
        dst[i].name = arena_copy(&whole->arena, dst[i].name, strlen(dst[i].name));
        if (!dst[i].name)
            return false;
    }
    return true;
}

/* Moves the tensors and files of all parts into the first. */
static bool join_parts(struct gguf **parts, uint32_t count, struct fault *fault)
{
    uint32_t total = 0;
    if (!count_tensors(parts, count, &total, fault))
        return false;
    struct gguf *whole = parts[0];
    whole->arena.budget = 0; /* total and names are capped */
    struct gguf_tensor *tensors = arena_alloc(&whole->arena, total, sizeof *tensors);
    struct file **files = realloc(whole->files, count * sizeof *files);
    if (files)
        whole->files = files;
    if (!tensors || !files)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory for %u tensors", gguf_path(whole),
                         total);
    uint32_t copied = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!copy_tensors(whole, parts[i], i, tensors + copied))
            return fault_set(fault, FAULT_MEMORY, "%s: no memory for %u tensors", gguf_path(whole),
                             total);
        copied += parts[i]->tensor_count;
        if (i > 0) {
            whole->files[whole->file_count++] = parts[i]->files[0];
            whole->size += parts[i]->size;
            parts[i]->file_count = 0;
        }
    }
    whole->tensors = tensors;
    whole->tensor_count = total;
    return gguf_index_build(&whole->tensor_index, &whole->arena, tensors, sizeof *tensors, total,
                            "tensor", fault) ||
           fault_context(fault, "%s", gguf_path(whole));
}

static bool open_split(const char *path, uint32_t count, struct gguf **out, struct fault *fault)
{
    struct gguf **parts = calloc(count, sizeof *parts);
    if (!parts)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    bool done = open_parts(path, parts, count, fault) && join_parts(parts, count, fault);
    if (done) {
        *out = parts[0];
        parts[0] = NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        gguf_close(parts[i]);
    free(parts);
    return done;
}

bool gguf_open(const char *path, struct gguf **out, struct fault *fault)
{
    struct gguf *gguf;
    uint32_t count = 1;
    *out = NULL;
    if (!gguf_open_one(path, &gguf, fault))
        return false;
    bool done = gguf_u32(gguf, "split.count", false, &count, fault);
    if (done && count <= 1) {
        *out = gguf;
        return true;
    }
    if (done && count > GGUF_SPLIT_MAX)
        done = fault_set(fault, FAULT_FORMAT, "%s: a model in %u files, at most %d are allowed",
                         path, count, GGUF_SPLIT_MAX);
    done = done && check_suffix(gguf, path, count, fault);
    gguf_close(gguf);
    return done && open_split(path, count, out, fault);
}
