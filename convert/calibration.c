/* calibration.c: reads what collector.c or llama-imatrix wrote. The two forms end in one table of
 * entries; Hessians stay in the file until they are wanted. */
#include "calibration.h"
#include "calibration_private.h"
#include "arena.h"
#include "gguf.h"
#include "mistaken.h"
#include "platform.h"
#include "triangle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAT_SIZE_MAX (1ULL << 30)

struct entry {
    const char *weight; /* GGUF name, arena */
    const char *input;  /* name of the first weight with this input; NULL: not said */
    float *importance;  /* [columns] mean of x^2, arena */
    uint32_t columns;
    uint64_t tokens;
};

struct sensitive {
    const char *tensor; /* arena */
    double value;
};

struct calibration {
    struct arena arena;
    struct gguf *gguf; /* NULL for the old form */
    struct entry *entries;
    uint32_t entry_count;
    struct sensitive *sensitive;
    size_t sensitive_count;
};

static bool no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for a calibration");
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->weight, ((const struct entry *)b)->weight);
}

static struct entry *find(const struct calibration *calibration, const char *weight)
{
    const struct entry wanted = {.weight = weight};
    return bsearch(&wanted, calibration->entries, calibration->entry_count, sizeof wanted,
                   compare_entries);
}

/* Once all are there; from then on they can be found. */
static bool entries_sort(struct calibration *calibration, struct fault *fault)
{
    struct entry *entries = calibration->entries;
    qsort(entries, calibration->entry_count, sizeof *entries, compare_entries);
    for (uint32_t i = 1; i < calibration->entry_count; i++)
        if (strcmp(entries[i - 1].weight, entries[i].weight) == 0)
            return fault_set(fault, FAULT_FORMAT, "%s: occurs twice", entries[i].weight);
    return true;
}

static bool check_values(const struct entry *entry, const float *values, uint32_t count,
                         struct fault *fault)
{
    for (uint32_t i = 0; i < count; i++)
        if (!isfinite(values[i]) || values[i] < 0)
            return fault_set(fault, FAULT_FORMAT,
                             "%s: mean square of column %u: expected a finite number >= 0, found "
                             "%g",
                             entry->weight, i, (double)values[i]);
    return true;
}

static struct entry *entry_add(struct calibration *calibration, const char *name, size_t size,
                               uint32_t columns, struct fault *fault)
{
    struct entry *entry = &calibration->entries[calibration->entry_count];
    *entry = (struct entry){.columns = columns};
    entry->weight = arena_copy(&calibration->arena, name, size);
    entry->importance = arena_alloc(&calibration->arena, columns, sizeof *entry->importance);
    if (!entry->weight || !entry->importance) {
        no_memory(fault);
        return NULL;
    }
    calibration->entry_count++;
    return entry;
}

/* ---- GGUF ---- */

#define SUMS ".in_sum2"
#define COUNTS ".counts"

/* The tensor WEIGHT.counts or WEIGHT.hessian, or NULL. */
static const struct gguf_tensor *sibling(const struct gguf *gguf, const char *weight,
                                         const char *suffix)
{
    char name[256];
    int size = snprintf(name, sizeof name, "%s%s", weight, suffix);
    return size > 0 && (size_t)size < sizeof name ? gguf_tensor_find(gguf, name) : NULL;
}

/* A mixture of experts has a row of sums and a count for each; together they are one entry. */
static bool read_sums(const struct gguf *gguf, const struct gguf_tensor *sums, struct entry *entry,
                      struct fault *fault)
{
    const struct gguf_tensor *counts = sibling(gguf, entry->weight, COUNTS);
    if (!counts || counts->dtype != DTYPE_F32 || counts->dims[0] * counts->rows != sums->rows)
        return fault_set(
            fault, FAULT_FORMAT, "%s" COUNTS ": expected float32 [%llu] beside " SUMS ", found %s",
            entry->weight, (unsigned long long)sums->rows, counts ? "another" : "none");
    double tokens = 0;
    for (uint64_t i = 0; i < sums->rows; i++) {
        float count;
        float *row = malloc(entry->columns * sizeof *row);
        bool read = row ? gguf_read(gguf, counts, i * sizeof count, &count, sizeof count, fault) &&
                              gguf_read(gguf, sums, i * sums->row_size, row, (size_t)sums->row_size,
                                        fault) &&
                              check_values(entry, row, entry->columns, fault)
                        : no_memory(fault);
        if (read && !(count >= 0 && count < 0x1p53f))
            read = fault_set(fault, FAULT_FORMAT, "%s" COUNTS ": expected a count, found %g",
                             entry->weight, (double)count);
        for (uint32_t j = 0; read && j < entry->columns; j++)
            entry->importance[j] += row[j];
        free(row);
        if (!read)
            return false;
        tokens += (double)count;
    }
    entry->tokens = (uint64_t)tokens;
    for (uint32_t j = 0; j < entry->columns; j++)
        entry->importance[j] = (float)(tokens > 0 ? (double)entry->importance[j] / tokens : 0);
    return check_values(entry, entry->importance, entry->columns, fault);
}

static bool read_entry(struct calibration *calibration, const struct gguf_tensor *tensor,
                       struct fault *fault)
{
    size_t size = strlen(tensor->name), suffix = strlen(SUMS);
    if (size <= suffix || strcmp(tensor->name + size - suffix, SUMS) != 0)
        return true;
    if (tensor->dtype != DTYPE_F32 || tensor->dims[0] > UINT32_MAX)
        return fault_set(fault, FAULT_FORMAT, "%s: expected float32, at most 2^32 columns",
                         tensor->name);
    struct entry *entry =
        entry_add(calibration, tensor->name, size - suffix, (uint32_t)tensor->dims[0], fault);
    return entry && read_sums(calibration->gguf, tensor, entry, fault);
}

/* Our own tables beside llama.cpp's tensors. */
static bool read_inputs(struct calibration *calibration, struct fault *fault)
{
    const struct gguf *gguf = calibration->gguf;
    const struct gguf_string *weights = NULL, *inputs = NULL;
    size_t count = 0, other = 0;
    if (!gguf_text_array(gguf, "lichen.calibration.weights", false, SIZE_MAX, &weights, &count,
                         fault) ||
        !gguf_text_array(gguf, "lichen.calibration.inputs", count > 0, count, &inputs, &other,
                         fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_copy(&calibration->arena, weights[i].bytes, weights[i].size);
        const char *input = arena_copy(&calibration->arena, inputs[i].bytes, inputs[i].size);
        if (!name || !input)
            return no_memory(fault);
        struct entry *entry = find(calibration, name);
        const struct entry *first = find(calibration, input);
        if (!entry || !first || first->columns != entry->columns)
            return fault_set(fault, FAULT_FORMAT,
                             "lichen.calibration.weights: item %zu: %s with the input of %s: no "
                             "such" SUMS ", or of other columns",
                             i, name, input);
        entry->input = first->weight;
    }
    return true;
}

/* Tensors that no activation was counted for have an entry of their own. */
static bool read_sensitivity(struct calibration *calibration, struct fault *fault)
{
    const struct gguf *gguf = calibration->gguf;
    const struct gguf_string *names = NULL;
    const float *values = NULL;
    size_t count = 0, other = 0;
    if (!gguf_text_array(gguf, "lichen.calibration.sensitive", false, SIZE_MAX, &names, &count,
                         fault) ||
        !gguf_f32_array(gguf, "lichen.calibration.sensitivity", count > 0, count, &values, &other,
                        fault))
        return false;
    if (count == 0)
        return true;
    calibration->sensitive = arena_alloc(&calibration->arena, count, sizeof(struct sensitive));
    if (!calibration->sensitive)
        return no_memory(fault);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]) || values[i] < 0)
            return fault_set(fault, FAULT_FORMAT,
                             "lichen.calibration.sensitivity: item %zu: expected a finite number "
                             ">= 0, found %g",
                             i, (double)values[i]);
        struct sensitive *sensitive = &calibration->sensitive[i];
        sensitive->tensor = arena_copy(&calibration->arena, names[i].bytes, names[i].size);
        sensitive->value = (double)values[i];
        if (!sensitive->tensor)
            return no_memory(fault);
    }
    calibration->sensitive_count = count;
    return true;
}

static bool read_gguf(struct calibration *calibration, const char *path, struct fault *fault)
{
    struct gguf_string type = {"", 0};
    if (!gguf_open(path, &calibration->gguf, fault) ||
        !gguf_text(calibration->gguf, "general.type", false, &type, fault))
        return false;
    const struct gguf *gguf = calibration->gguf;
    if (type.size != strlen("imatrix") || memcmp(type.bytes, "imatrix", type.size) != 0)
        return fault_set(fault, FAULT_FORMAT,
                         "general.type: expected imatrix, found %.*s; make a calibration with "
                         "`lichen calibrate MODEL --text FILE -o FILE.gguf`",
                         type.size ? (int)(type.size < 64 ? type.size : 64) : 4,
                         type.size ? type.bytes : "none");
    uint32_t count = gguf_tensor_count(gguf);
    calibration->entries = arena_alloc(&calibration->arena, count, sizeof *calibration->entries);
    if (!calibration->entries)
        return no_memory(fault);
    for (uint32_t i = 0; i < count; i++)
        if (!read_entry(calibration, gguf_tensor_at(gguf, i), fault))
            return false;
    return entries_sort(calibration, fault) && read_inputs(calibration, fault) &&
           read_sensitivity(calibration, fault);
}

/* ---- the old form ---- */

static bool read_dat_entry(struct calibration *calibration, struct reader *reader)
{
    uint32_t name_size = reader_u32(reader, "the size of a name");
    const uint8_t *name = reader_bytes(reader, name_size, "a name");
    uint32_t calls = reader_u32(reader, "a count of calls");
    uint32_t count = reader_u32(reader, "a count of values");
    const uint8_t *values = reader_bytes(reader, (uint64_t)count * sizeof(float), "values");
    if (reader->failed)
        return false;
    if (calls == 0 || calls > INT32_MAX || count == 0)
        return fault_set(reader->fault, FAULT_FORMAT,
                         "%.*s: %u calls, %u values: expected at least 1 of each",
                         (int)(name_size < 64 ? name_size : 64), (const char *)name, calls, count);
    struct entry *entry =
        entry_add(calibration, (const char *)name, name_size, count, reader->fault);
    if (!entry)
        return false;
    memcpy(entry->importance, values, count * sizeof(float));
    for (uint32_t i = 0; i < count; i++)
        entry->importance[i] /= (float)calls;
    return check_values(entry, entry->importance, count, reader->fault);
}

bool calibration_parse_dat(const void *bytes, size_t size, struct calibration **out,
                           struct fault *fault)
{
    enum { ENTRY_LEAST = 16 }; /* bytes */
    struct reader reader;
    reader_init(&reader, bytes, size, fault);
    uint32_t count = reader_u32(&reader, "the count of entries");
    struct calibration *calibration = calloc(1, sizeof *calibration);
    if (!(*out = calibration))
        return no_memory(fault);
    arena_init(&calibration->arena, 0);
    bool done = !reader.failed;
    if (done && (count == 0 || count > reader_left(&reader) / ENTRY_LEAST))
        done = fault_set(fault, FAULT_FORMAT,
                         "byte 0: %u entries in %zu bytes: neither a GGUF file nor an imatrix",
                         count, size);
    if (done && !(calibration->entries =
                      arena_alloc(&calibration->arena, count, sizeof *calibration->entries)))
        done = no_memory(fault);
    for (uint32_t i = 0; done && i < count; i++)
        done = read_dat_entry(calibration, &reader);
    done = done && entries_sort(calibration, fault);
    if (!done) {
        calibration_close(calibration);
        *out = NULL;
    }
    return done;
}

/* ---- both ---- */

static bool is_gguf(const char *path, bool *answer, struct fault *fault)
{
    struct file *file = NULL;
    char start[MISTAKEN_SIZE] = {0};
    if (!file_open(path, &file, fault))
        return false;
    size_t size = file_size(file) < sizeof start ? (size_t)file_size(file) : sizeof start;
    bool read = file_read(file, 0, start, size, fault) && mistaken_check(start, size, fault);
    file_close(file);
    if (read && size < 4)
        read = fault_set(fault, FAULT_FORMAT, "%zu bytes: not a calibration", size);
    *answer = read && memcmp(start, "GGUF", 4) == 0;
    return read;
}

static bool open_dat(const char *path, struct calibration **out, struct fault *fault)
{
    char *bytes;
    size_t size;
    if (!file_load(path, DAT_SIZE_MAX, &bytes, &size, fault))
        return false;
    bool parsed = calibration_parse_dat(bytes, size, out, fault);
    free(bytes);
    return parsed;
}

static bool open_gguf(const char *path, struct calibration **out, struct fault *fault)
{
    struct calibration *calibration = calloc(1, sizeof *calibration);
    if (!calibration)
        return no_memory(fault);
    arena_init(&calibration->arena, 0);
    if (!read_gguf(calibration, path, fault)) {
        calibration_close(calibration);
        return false;
    }
    *out = calibration;
    return true;
}

bool calibration_open(const char *path, struct calibration **out, struct fault *fault)
{
    bool gguf;
    *out = NULL;
    if (!is_gguf(path, &gguf, fault) ||
        !(gguf ? open_gguf(path, out, fault) : open_dat(path, out, fault)))
        return fault_file(fault, path);
    return true;
}

void calibration_close(struct calibration *calibration)
{
    if (!calibration)
        return;
    gguf_close(calibration->gguf);
    arena_free(&calibration->arena);
    free(calibration);
}

bool calibration_importance(const struct calibration *calibration, const char *weight,
                            uint32_t columns, const float **importance, struct fault *fault)
{
    const struct entry *entry = find(calibration, weight);
    *importance = entry ? entry->importance : NULL;
    return !entry || entry->columns == columns ||
           fault_set(fault, FAULT_FORMAT,
                     "%s: the calibration has %u columns, the weight %u: it is of another model",
                     weight, entry->columns, columns);
}

static const struct gguf_tensor *hessian_of(const struct calibration *calibration,
                                            const char *weight)
{
    const char *input = calibration_input(calibration, weight);
    return input && calibration->gguf ? sibling(calibration->gguf, input, ".hessian") : NULL;
}

bool calibration_has_hessian(const struct calibration *calibration, const char *weight)
{
    return hessian_of(calibration, weight) != NULL;
}

const char *calibration_input(const struct calibration *calibration, const char *weight)
{
    const struct entry *entry = find(calibration, weight);
    return entry ? entry->input : NULL;
}

/* dst's upper triangle is filled; mirrors it. */
static bool mirror(const char *weight, uint32_t columns, float *dst, struct fault *fault)
{
    for (uint32_t i = 0; i < columns; i++) {
        float *row = dst + (size_t)i * columns;
        if (row[i] < 0)
            return fault_set(fault, FAULT_FORMAT, "%s.hessian: column %u: mean square %g", weight,
                             i, (double)row[i]);
        for (uint32_t j = i; j < columns; j++) {
            if (!isfinite(row[j]))
                return fault_set(fault, FAULT_FORMAT,
                                 "%s.hessian: row %u, column %u: not a finite number", weight, i,
                                 j);
            dst[(size_t)j * columns + i] = row[j];
        }
    }
    return true;
}

bool calibration_hessian(const struct calibration *calibration, const char *weight,
                         uint32_t columns, float *dst, uint64_t *tokens, struct fault *fault)
{
    const struct entry *entry = find(calibration, weight);
    const struct gguf_tensor *tensor = hessian_of(calibration, weight);
    if (!entry || !tensor)
        return fault_set(fault, FAULT_ARGUMENT,
                         "%s: the calibration has no Hessian for it; make one with `lichen "
                         "calibrate --hessian`",
                         weight);
    if (entry->columns != columns || tensor->dtype != DTYPE_F32 ||
        tensor->dims[0] * tensor->rows != triangle_count(columns))
        return fault_set(fault, FAULT_FORMAT,
                         "%s: expected the float32 triangle of %u columns, found %llu numbers",
                         tensor->name, columns,
                         (unsigned long long)(tensor->dims[0] * tensor->rows));
    for (uint32_t i = 0; i < columns; i++)
        if (!gguf_read(calibration->gguf, tensor, triangle_row(columns, i) * sizeof *dst,
                       dst + (size_t)i * columns + i, (columns - i) * sizeof *dst, fault))
            return false;
    *tokens = find(calibration, entry->input)->tokens;
    return mirror(weight, columns, dst, fault);
}

double calibration_sensitivity(const struct calibration *calibration, const char *weight)
{
    for (size_t i = 0; i < calibration->sensitive_count; i++)
        if (strcmp(calibration->sensitive[i].tensor, weight) == 0)
            return calibration->sensitive[i].value;
    return -1;
}

size_t calibration_corpus(const struct calibration *calibration, const struct gguf_string **names)
{
    size_t count = 0;
    *names = NULL;
    if (!calibration->gguf || !gguf_text_array(calibration->gguf, "imatrix.datasets", false,
                                               SIZE_MAX, names, &count, NULL))
        return 0;
    return *names ? count : 0;
}
