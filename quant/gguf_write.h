/* gguf_write.h: writes GGUF version 3 (layout in gguf.h). Describe everything first, then the file
 * size is known; tensor data follows in the order of declaration. The file appears under its name
 * only when whole (part file, magic last, fsync, rename). */
#ifndef LICHEN_GGUF_WRITE_H
#define LICHEN_GGUF_WRITE_H

#include "gguf.h"

struct gguf_writer;

bool gguf_writer_create(struct gguf_writer **out, struct fault *fault);
void gguf_writer_destroy(struct gguf_writer *writer); /* removes an unfinished part file */

bool gguf_put_u32(struct gguf_writer *writer, const char *key, uint32_t value, struct fault *fault);
bool gguf_put_u64(struct gguf_writer *writer, const char *key, uint64_t value, struct fault *fault);
bool gguf_put_f32(struct gguf_writer *writer, const char *key, float value, struct fault *fault);
bool gguf_put_bool(struct gguf_writer *writer, const char *key, bool value, struct fault *fault);
bool gguf_put_text(struct gguf_writer *writer, const char *key, const char *bytes, size_t size,
                   struct fault *fault);
/* items: packed little-endian values of item_type; for GGUF_STRING an array of gguf_string. */
bool gguf_put_array(struct gguf_writer *writer, const char *key, enum gguf_type item_type,
                    const void *items, size_t count, struct fault *fault);
/* Copies one entry of another file unchanged. */
bool gguf_put_entry(struct gguf_writer *writer, const struct gguf *source,
                    const struct gguf_entry *entry, struct fault *fault);
bool gguf_put_tensor(struct gguf_writer *writer, const char *name, enum dtype dtype,
                     uint32_t dim_count, const uint64_t *dims, struct fault *fault);

/* For who writes the file himself: the bytes before the tensor data, padding included, malloc'd;
 * *size of them. The data of tensor i lies at gguf_writer_offset(i) of the file, each followed by
 * zeros up to the next or the file's size. */
bool gguf_writer_header(const struct gguf_writer *writer, uint8_t **bytes, size_t *size,
                        struct fault *fault);
uint64_t gguf_writer_offset(const struct gguf_writer *writer, uint32_t tensor);

/* No more put calls after begin. write appends tensor data; the caller writes each tensor's exact
 * size in order (padding is added here). finish checks that all came, then makes the file whole. */
uint64_t gguf_writer_size(const struct gguf_writer *writer); /* bytes of the finished file */
bool gguf_writer_begin(struct gguf_writer *writer, const char *path, struct fault *fault);
bool gguf_writer_write(struct gguf_writer *writer, const void *bytes, size_t size,
                       struct fault *fault);
bool gguf_writer_finish(struct gguf_writer *writer, struct fault *fault);

#endif
