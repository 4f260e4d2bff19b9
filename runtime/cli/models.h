/* models.h: which file MODEL means: a path; the name, or an unambiguous beginning of the name, of a
 * file in the models folder; the default model when none is named. */
#ifndef LICHEN_MODELS_H
#define LICHEN_MODELS_H

#include "fault.h"
#include <stddef.h>

#define DEFAULT_MODEL "SmolLM2-135M-Instruct.Q4_1.gguf"

enum { PATH_SIZE = 4096 };

/* ${XDG_DATA_HOME:-~/.local/share}/lichen/models and ${XDG_CACHE_HOME:-~/.cache}/lichen; "" when
 * neither variable nor HOME is set. */
void folder_of_models(char path[PATH_SIZE]);
void folder_of_cache(char path[PATH_SIZE]);

/* name NULL = the default model. A missing model is a fault that says what to do. */
bool model_find(const char *name, char path[PATH_SIZE], struct fault *fault);
/* Does name stand for a model at all? For commands whose operand may also be a question. */
bool model_is(const char *name);

#endif
