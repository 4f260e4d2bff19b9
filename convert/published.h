/* published.h: the files of a published checkpoint as people have them: small ones are loaded and
 * told apart from what a download may leave in their place; of a folder that is no checkpoint it is
 * said what it is, and what to give instead. */
#ifndef LICHEN_PUBLISHED_H
#define LICHEN_PUBLISHED_H

#include "fault.h"
#include <stddef.h>

/* As file_load; a git-lfs pointer, a web page or an empty file is a fault. */
bool published_load(const char *path, size_t limit, char **bytes, size_t *size,
                    struct fault *fault);

/* By its name a part of a file that a program is, or was, downloading. */
bool published_is_partial(const char *name);

/* Always false: why `folder` is no Hugging Face folder (it has no config.json), or why nothing in
 * it is a checkpoint. */
bool published_no_config(const char *folder, struct fault *fault);
bool published_no_weights(const char *folder, struct fault *fault);

#endif
