/* convert_rig.h: small checkpoints as bytes and files, for the tests of convert/. */
#ifndef LICHEN_CONVERT_RIG_H
#define LICHEN_CONVERT_RIG_H

#include "checkpoint.h"

/* NAME in the folder of test outputs; a static buffer, one of four in turn. */
const char *rig_path(const char *name);
void rig_save(const char *path, const void *bytes, size_t size);
/* u64 size, header, zeros: malloc'd. header_size 0 = that of the text. */
uint8_t *rig_safetensors(const char *header, size_t data_size, uint64_t header_size, size_t *size);

/* A pickle of one tensor NAME in a storage of count half floats with key "0":
 * dims and strides of two dimensions. malloc'd. */
uint8_t *rig_pickle(const char *name, uint32_t count, uint32_t offset, const uint32_t dims[2],
                    const uint32_t strides[2], size_t *size);

/* Opening path must fail, and the fault say all of it. */
void rig_refused(const char *path, const char *expected);

#endif
