/* torch_zip.c: a PyTorch checkpoint: a zip of TOP/data.pkl and one entry TOP/data/KEY a storage,
 * all uncompressed. libzip reads the directory, over file_read of our own file and nothing else; it
 * also shows where the bytes of an entry lie, so that they are then read in place by any thread. */
#include "checkpoint_internal.h"
#include "checked.h"
#include "pickle.h"

#include <zip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_MAX = 65536, TOP_MAX = 256 };

/* The file as libzip's source. */
struct view {
    struct file *file;
    uint64_t position;
    uint64_t last_read; /* where the latest read began */
    zip_error_t error;
    struct fault *fault;
};

struct archive {
    struct view view;
    zip_t *zip;
    int entry_count;
    char top[TOP_MAX + 16]; /* "pytorch_model/", and room behind it */
    size_t top_size;
};

/* Where the bytes of a storage are. */
struct place {
    uint64_t offset, size; /* bytes in the file */
    const struct pickle_storage *storage;
};

/* libzip over file_read */

static zip_int64_t view_read(struct view *view, void *dst, uint64_t size)
{
    uint64_t left = file_size(view->file) - view->position;
    if (size > left)
        size = left;
    view->last_read = view->position;
    if (!file_read(view->file, view->position, dst, (size_t)size, view->fault)) {
        zip_error_set(&view->error, ZIP_ER_READ, 0);
        return -1;
    }
    view->position += size;
    return (zip_int64_t)size;
}

static zip_int64_t view_seek(struct view *view, void *arguments, uint64_t size)
{
    zip_int64_t position = zip_source_seek_compute_offset(view->position, file_size(view->file),
                                                          arguments, size, &view->error);
    if (position < 0)
        return -1;
    view->position = (uint64_t)position;
    return 0;
}

static zip_int64_t view_stat(struct view *view, void *dst)
{
    zip_stat_t *status = dst;
    zip_stat_init(status);
    status->size = file_size(view->file);
    status->valid = ZIP_STAT_SIZE;
    return sizeof *status;
}

static zip_int64_t view_command(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    struct view *view = user;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        view->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return view_read(view, data, size);
    case ZIP_SOURCE_SEEK:
        return view_seek(view, data, size);
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)view->position;
    case ZIP_SOURCE_STAT:
        return view_stat(view, data);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&view->error, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default:
        zip_error_set(&view->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static bool zip_fault(zip_error_t *error, const char *what, struct fault *fault)
{
    fault_set(fault, FAULT_FORMAT, "%s: %s", what, zip_error_strerror(error));
    return false;
}

static bool zip_start(struct archive *archive, struct fault *fault)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(view_command, &archive->view, &error);
    if (source)
        archive->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (!archive->zip) {
        zip_fault(&error, "not a whole zip file (if it was cut off, download it again)", fault);
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return archive->zip != NULL;
}

/* entries */

static bool check_entry(struct archive *archive, uint32_t index, uint64_t *sum, struct fault *fault)
{
    zip_stat_t status;
    if (zip_stat_index(archive->zip, index, 0, &status) != 0)
        return zip_fault(zip_get_error(archive->zip), "an entry of the zip", fault);
    if (status.encryption_method != ZIP_EM_NONE)
        return fault_set(fault, FAULT_UNSUPPORTED, "entry '%.256s' is encrypted", status.name);
    if (status.comp_method != ZIP_CM_STORE || status.comp_size != status.size)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "entry '%.256s' is compressed (method %u, %llu bytes of %llu), expected "
                         "method 0",
                         status.name, status.comp_method, (unsigned long long)status.comp_size,
                         (unsigned long long)status.size);
    if (!checked_add_u64(*sum, status.size, sum) || *sum > file_size(archive->view.file))
        return fault_set(fault, FAULT_FORMAT,
                         "entry '%.256s': the entries have %llu bytes or more, the file %llu",
                         status.name, (unsigned long long)*sum,
                         (unsigned long long)file_size(archive->view.file));
    size_t size = strlen(status.name);
    if (size < 9 || strcmp(status.name + size - 9, "/data.pkl") != 0)
        return true;
    if (archive->top_size > 0)
        return fault_set(fault, FAULT_FORMAT, "two entries end in /data.pkl: '%.128s' is another",
                         status.name);
    archive->top_size = size - 8;
    if (archive->top_size > TOP_MAX)
        return fault_set(fault, FAULT_FORMAT, "the name of entry '%.64s...' is too long",
                         status.name);
    memcpy(archive->top, status.name, archive->top_size);
    return true;
}

static bool archive_open(struct archive *archive, struct file *file, struct fault *fault)
{
    archive->view = (struct view){.file = file, .fault = fault};
    zip_error_init(&archive->view.error);
    if (!zip_start(archive, fault))
        return false;
    zip_int64_t count = zip_get_num_entries(archive->zip, 0);
    if (count > ENTRY_MAX)
        return fault_set(fault, FAULT_FORMAT, "a zip of %lld entries, at most %d are allowed",
                         (long long)count, ENTRY_MAX);
    archive->entry_count = (int)count;
    uint64_t sum = 0;
    for (int i = 0; i < archive->entry_count; i++)
        if (!check_entry(archive, (uint32_t)i, &sum, fault))
            return false;
    return archive->top_size > 0 ||
           fault_set(fault, FAULT_FORMAT, "a zip without data.pkl: not a PyTorch checkpoint");
}

static void archive_close(struct archive *archive)
{
    if (archive->zip)
        zip_discard(archive->zip);
    zip_error_fini(&archive->view.error);
}

/* TOP/NAME; *status is filled. *index is -1 when there is none and it is optional. */
static bool find_entry(struct archive *archive, const char *name, bool required, zip_stat_t *status,
                       zip_int64_t *index, struct fault *fault)
{
    char path[sizeof archive->top + 32];
    snprintf(path, sizeof path, "%.*s%s", (int)archive->top_size, archive->top, name);
    *index = zip_name_locate(archive->zip, path, ZIP_FL_ENC_RAW);
    if (*index < 0)
        return !required || fault_set(fault, FAULT_FORMAT, "the zip has no entry '%s'", path);
    return zip_stat_index(archive->zip, (zip_uint64_t)*index, 0, status) == 0 ||
           zip_fault(zip_get_error(archive->zip), path, fault);
}

/* All of an entry, and behind it, where libzip compares the CRC. NULL is allowed for nothing. */
static bool read_entry(struct archive *archive, zip_uint64_t index, char *dst, uint64_t size,
                       struct fault *fault)
{
    const char *name = zip_get_name(archive->zip, index, ZIP_FL_ENC_RAW);
    zip_file_t *entry = zip_fopen_index(archive->zip, index, 0);
    if (!entry)
        return zip_fault(zip_get_error(archive->zip), name, fault);
    char window[16384];
    uint64_t done = 0;
    zip_int64_t got;
    do {
        uint64_t left = size - done;
        bool keep = dst && left > 0;
        got = zip_fread(entry, keep ? dst + done : window, keep ? left : sizeof window);
        if (got > 0)
            done += (uint64_t)got;
    } while (got > 0 && done <= size);
    bool whole = got == 0 && done == size;
    if (got < 0)
        zip_fault(zip_file_get_error(entry), name, fault);
    else if (!whole)
        fault_set(fault, FAULT_FORMAT, "entry '%.256s' has not the %llu bytes it should have", name,
                  (unsigned long long)size);
    zip_fclose(entry);
    return whole;
}

/* Where the bytes of an entry begin: where libzip reads the first of them. */
static bool locate_entry(struct archive *archive, zip_uint64_t index, struct place *place,
                         struct fault *fault)
{
    char first;
    zip_file_t *entry = zip_fopen_index(archive->zip, index, 0);
    if (!entry)
        return zip_fault(zip_get_error(archive->zip), "a storage", fault);
    archive->view.last_read = UINT64_MAX;
    bool found = place->size == 0 || zip_fread(entry, &first, 1) == 1;
    place->offset = place->size == 0 ? 0 : archive->view.last_read;
    zip_fclose(entry);
    uint64_t end;
    if (found && checked_add_u64(place->offset, place->size, &end) &&
        end <= file_size(archive->view.file))
        return true;
    return fault_set(fault, FAULT_FORMAT, "its bytes are not within the file");
}

/* storages */

static bool locate_storage(struct archive *archive, const struct pickle_storage *storage,
                           struct place *place, struct fault *fault)
{
    char name[8 + sizeof storage->key];
    zip_stat_t status;
    zip_int64_t index;
    snprintf(name, sizeof name, "data/%s", storage->key);
    place->storage = storage;
    place->size = storage->count * element_info(storage->element)->size; /* pickle has checked it */
    if (!find_entry(archive, name, true, &status, &index, fault))
        return false;
    if (status.size != place->size)
        return fault_set(fault, FAULT_FORMAT, "has %llu bytes in the zip, expected %llu",
                         (unsigned long long)status.size, (unsigned long long)place->size);
    return locate_entry(archive, (zip_uint64_t)index, place, fault);
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (int)x->storage->element - (int)y->storage->element; /* tied ones of a kind together */
}

static bool check_overlap(const struct place *places, uint32_t count, struct arena *arena,
                          struct fault *fault)
{
    struct place *sorted = arena_alloc(arena, count, sizeof *sorted);
    uint32_t used = 0;
    if (!sorted)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u storages", count);
    for (uint32_t i = 0; i < count; i++)
        if (places[i].size > 0)
            sorted[used++] = places[i];
    if (used > 1)
        qsort(sorted, used, sizeof *sorted, compare_places);
    for (uint32_t i = 1; i < used; i++) {
        const struct pickle_storage *before = sorted[i - 1].storage, *here = sorted[i].storage;
        bool same = strcmp(before->key, here->key) == 0; /* tied weights */
        if (same && before->element != here->element)
            return fault_set(fault, FAULT_FORMAT, "storage %s is used as %s and as %s", here->key,
                             element_info(before->element)->name,
                             element_info(here->element)->name);
        if (!same && sorted[i].offset - sorted[i - 1].offset < sorted[i - 1].size)
            return fault_set(fault, FAULT_FORMAT, "byte %llu: storages %s and %s overlap",
                             (unsigned long long)sorted[i].offset, before->key, here->key);
    }
    return true;
}

/* tensors */

static bool is_dense(const struct checkpoint_item *item, const struct pickle_tensor *src)
{
    for (uint32_t i = 0; i < src->dim_count; i++)
        if (src->dims[i] > 1 && src->strides[i] != item->strides[i])
            return false;
    return true;
}

static bool read_item(struct checkpoint_part *part, const struct pickle_tensor *src,
                      const struct pickle_storage *storage, const struct place *place,
                      struct fault *fault)
{
    struct checkpoint_item *item = &part->items[part->item_count++];
    if (!part_name(part, src->name, src->name_size, &item->tensor.name, fault))
        return false;
    item->tensor.element = storage->element;
    item->tensor.dim_count = src->dim_count;
    memcpy(item->tensor.dims, src->dims, sizeof src->dims);
    if (!item_measure(item, fault))
        return fault_context(fault, "tensor '%s'", item->tensor.name);
    item->offset = place->offset + src->offset * element_info(storage->element)->size;
    item->end = place->offset + place->size;
    item->is_dense = is_dense(item, src);
    if (!item->is_dense)
        memcpy(item->strides, src->strides, sizeof src->strides);
    return true;
}

static bool read_items(struct checkpoint_part *part, struct archive *archive, struct pickle *pickle,
                       struct fault *fault)
{
    struct arena *arena = &part->arena;
    struct place *places = arena_alloc(arena, pickle->storage_count, sizeof *places);
    if (!places)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u storages", pickle->storage_count);
    for (uint32_t i = 0; i < pickle->storage_count; i++)
        if (!locate_storage(archive, &pickle->storages[i], &places[i], fault))
            return fault_context(fault, "storage %s", pickle->storages[i].key);
    if (!check_overlap(places, pickle->storage_count, arena, fault) ||
        !part_reserve(part, pickle->tensor_count, fault))
        return false;
    for (uint32_t i = 0; i < pickle->tensor_count; i++) {
        const struct pickle_tensor *tensor = &pickle->tensors[i];
        if (!read_item(part, tensor, &pickle->storages[tensor->storage], &places[tensor->storage],
                       fault))
            return false;
    }
    return true;
}

/* Newer files say how their bytes are ordered. */
static bool check_byte_order(struct archive *archive, struct fault *fault)
{
    zip_stat_t status;
    zip_int64_t index;
    char order[8] = "";
    if (!find_entry(archive, "byteorder", false, &status, &index, fault))
        return false;
    if (index < 0)
        return true;
    if (status.size < sizeof order &&
        !read_entry(archive, (zip_uint64_t)index, order, status.size, fault))
        return false;
    return strcmp(order, "little") == 0 ||
           fault_set(fault, FAULT_UNSUPPORTED, "its byte order is '%s', expected 'little'", order);
}

static bool read_pickle(struct archive *archive, char **bytes, size_t *size, struct fault *fault)
{
    zip_stat_t status;
    zip_int64_t index;
    if (!find_entry(archive, "data.pkl", true, &status, &index, fault))
        return false;
    if (status.size > PICKLE_SIZE_MAX)
        return fault_set(fault, FAULT_FORMAT, "a pickle of %llu bytes, at most %d are allowed",
                         (unsigned long long)status.size, PICKLE_SIZE_MAX);
    *size = (size_t)status.size;
    *bytes = malloc(*size ? *size : 1);
    return *bytes ? read_entry(archive, (zip_uint64_t)index, *bytes, *size, fault)
                  : fault_set(fault, FAULT_MEMORY, "no memory for its pickle");
}

bool torch_zip_read(struct checkpoint_part *part, struct fault *fault)
{
    struct archive archive = {0};
    struct pickle pickle = {0};
    char *bytes = NULL;
    size_t size = 0;
    bool done = archive_open(&archive, part->file, fault) && check_byte_order(&archive, fault) &&
                read_pickle(&archive, &bytes, &size, fault);
    if (done && !pickle_parse(bytes, size, &pickle, fault))
        done = fault_context(fault, "data.pkl");
    done = done && read_items(part, &archive, &pickle, fault);
    pickle_free(&pickle);
    free(bytes);
    archive_close(&archive);
    return done;
}

bool torch_zip_verify(struct file *file, struct fault *fault)
{
    struct archive archive = {0};
    bool done = archive_open(&archive, file, fault);
    for (int i = 0; done && i < archive.entry_count; i++) {
        zip_stat_t status;
        done = zip_stat_index(archive.zip, (zip_uint64_t)i, 0, &status) == 0
                   ? read_entry(&archive, (zip_uint64_t)i, NULL, status.size, fault)
                   : zip_fault(zip_get_error(archive.zip), "an entry of the zip", fault);
    }
    archive_close(&archive);
    return done;
}
