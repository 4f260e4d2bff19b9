/* models.c: finding model files. */
#include "models.h"
#include "platform.h"
#include "terminal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void folder_of(const char *variable, const char *below_home, const char *name,
                      char path[PATH_SIZE])
{
    const char *base = getenv(variable), *home = getenv("HOME");
    int size = -1;
    if (base && base[0] == '/')
        size = snprintf(path, PATH_SIZE, "%s/%s", base, name);
    else if (home && home[0])
        size = snprintf(path, PATH_SIZE, "%s/%s/%s", home, below_home, name);
    if (size < 0 || size >= PATH_SIZE)
        path[0] = 0;
}

void folder_of_models(char path[PATH_SIZE])
{
    folder_of("XDG_DATA_HOME", ".local/share", "lichen/models", path);
}

void folder_of_cache(char path[PATH_SIZE])
{
    folder_of("XDG_CACHE_HOME", ".cache", "lichen", path);
}

struct search {
    const char *name;
    size_t count; /* files that begin with name */
    char found[256], other[256];
};

static bool is_gguf(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && length < 256 && strcmp(name + length - 5, ".gguf") == 0;
}

/* Names are compared without regard to case; the whole name wins over a beginning. */
static bool visit(void *context, const char *entry)
{
    struct search *search = context;
    size_t length = strlen(search->name);
    if (!is_gguf(entry) || strncasecmp(entry, search->name, length) != 0)
        return true;
    bool whole = entry[length] == 0 || strcmp(entry + length, ".gguf") == 0;
    if (search->count && !whole) {
        search->count++;
        snprintf(search->other, sizeof search->other, "%s", entry);
        return true;
    }
    search->count = 1;
    snprintf(search->found, sizeof search->found, "%s", entry);
    return !whole;
}

static bool join(char path[PATH_SIZE], const char *folder, const char *name, struct fault *fault)
{
    int size = snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return (size >= 0 && size < PATH_SIZE) ||
           fault_set(fault, FAULT_FILE, "%s: the path is too long", folder);
}

static bool find_default(const char *folder, char path[PATH_SIZE], struct fault *fault)
{
    if (!folder[0])
        return fault_set(fault, FAULT_FILE,
                         "the folder of the models is unknown: set HOME, or name a file");
    if (!join(path, folder, DEFAULT_MODEL, fault))
        return false;
    return file_exists(path) || fault_set(fault, FAULT_FILE,
                                          "%s: the default model is not there; to obtain it: "
                                          "./setup get smollm2",
                                          path);
}

static bool search_models(const char *folder, const char *name, struct search *search)
{
    *search = (struct search){.name = name};
    if (name[0] && !strchr(name, '/') && folder[0])
        folder_list(folder, visit, search);
    return search->count == 1;
}

bool model_find(const char *name, char path[PATH_SIZE], struct fault *fault)
{
    char folder[PATH_SIZE];
    folder_of_models(folder);
    if (!name)
        return find_default(folder, path, fault);
    if (file_exists(name)) {
        int size = snprintf(path, PATH_SIZE, "%s", name);
        return (size >= 0 && size < PATH_SIZE) ||
               fault_set(fault, FAULT_FILE, "%.200s...: the path is too long", name);
    }
    struct search search;
    if (search_models(folder, name, &search))
        return join(path, folder, search.found, fault);
    if (search.count > 1)
        return fault_set(fault, FAULT_ARGUMENT, "%s: could be %s or %s; write more of the name",
                         name, search.found, search.other);
    if (strchr(name, '/'))
        return fault_set(fault, FAULT_FILE, "%s: no such file", name);
    return fault_set(fault, FAULT_FILE,
                     "%s: no such file, and no model of that name in %s; ./setup models lists "
                     "what can be obtained",
                     name, folder);
}

bool model_is(const char *name)
{
    char folder[PATH_SIZE];
    struct search search;
    folder_of_models(folder);
    return file_exists(name) || search_models(folder, name, &search) || search.count > 1;
}
