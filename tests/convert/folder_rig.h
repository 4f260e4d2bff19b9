/* folder_rig.h: a tiny Hugging Face folder of one Llama layer, written with changes, for the tests
 * and the fuzz target of source_hf.c. */
#ifndef LICHEN_FOLDER_RIG_H
#define LICHEN_FOLDER_RIG_H

#include "convert_rig.h"

/* dims: "[64, 32]" */
struct folder_tensor {
    const char *name, *dtype, *dims; /* dims NULL = left out */
    uint8_t fill;                    /* every byte of its data */
};

/* config.json of the folder as text. */
extern const char folder_config[];
extern const struct folder_tensor folder_tensors[];
extern const size_t folder_tensor_count;

/* The folder NAME of the test outputs with config.json and model.safetensors. config NULL = none.
 * Each of the changes replaces the tensor of its name or is added; the list ends with a name of
 * NULL and may be NULL. Returns the path, one of rig_path's. */
const char *folder_write(const char *name, const char *config, const struct folder_tensor *changes);
/* folder_config with the first `find` replaced: malloc'd. */
char *folder_config_with(const char *find, const char *replace);

#endif
