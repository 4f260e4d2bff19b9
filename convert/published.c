/* published.c: loads small files; looks at folders that are no checkpoint. The messages name the
 * first entry of a kind in the order of bytes, so that they do not depend on the file system. */
#include "published.h"
#include "mistaken.h"
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, NAME_SIZE = 256 };

bool published_load(const char *path, size_t limit, char **bytes, size_t *size, struct fault *fault)
{
    if (!file_load(path, limit, bytes, size, fault))
        return false;
    if (mistaken_check(*bytes, *size, fault))
        return true;
    free(*bytes);
    *bytes = NULL;
    return fault_file(fault, path);
}

/* what is in a folder */

struct kind {
    uint32_t count;
    char first[NAME_SIZE];
};

struct contents {
    const char *folder;
    bool any, has_snapshots;
    struct kind gguf, safetensors, shards, partial, foreign, adapters, originals, models, inner;
};

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size > end_size && strcmp(name + size - end_size, end) == 0;
}

static bool ends_with_any(const char *name, const char *const ends[])
{
    for (size_t i = 0; ends[i]; i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

static void count(struct kind *kind, bool is_one, const char *name)
{
    if (!is_one)
        return;
    if (kind->count++ == 0 || strcmp(name, kind->first) < 0)
        snprintf(kind->first, NAME_SIZE, "%s", name);
}

static bool is_there(const char *folder, const char *name, const char *below)
{
    char path[PATH_SIZE];
    int size = snprintf(path, sizeof path, "%s/%s%s", folder, name, below);
    return size > 0 && size < PATH_SIZE && path_kind(path) != PATH_NONE;
}

bool published_is_partial(const char *name)
{
    static const char *const ends[] = {".incomplete", ".crdownload", ".part",
                                       ".aria2",      ".download",   NULL};
    return ends_with_any(name, ends);
}

static bool look(void *context, const char *name)
{
    static const char *const foreign[] = {".h5",   ".msgpack", ".onnx", ".ot",   ".pt",     ".pth",
                                          ".ckpt", ".npz",     ".mlx",  ".nemo", ".tflite", NULL};
    struct contents *contents = context;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    bool weights = ends_with(name, ".safetensors");
    contents->any = true;
    contents->has_snapshots |= strcmp(name, "snapshots") == 0;
    count(&contents->gguf, ends_with(name, ".gguf"), name);
    count(&contents->adapters, strcmp(name, "adapter_config.json") == 0, name);
    count(&contents->originals, strcmp(name, "params.json") == 0, name);
    count(&contents->partial, published_is_partial(name), name);
    count(&contents->foreign, ends_with_any(name, foreign), name);
    count(&contents->safetensors, weights, name);
    count(&contents->shards, (weights || ends_with(name, ".bin")) && strstr(name, "-of-"), name);
    count(&contents->models, strncmp(name, "models--", 8) == 0, name);
    count(&contents->inner, is_there(contents->folder, name, "/config.json"), name);
    return true;
}

static void look_into(const char *folder, struct contents *contents)
{
    *contents = (struct contents){.folder = folder};
    folder_list(folder, look, contents);
}

/* what it is instead */

/* A model of the Hub's cache: blobs/, refs/, snapshots/REVISION/. */
static bool cache_fault(const char *folder, struct fault *fault)
{
    char snapshots[PATH_SIZE], main_path[PATH_SIZE], *revision = NULL;
    struct contents contents;
    size_t size;
    int length = snprintf(snapshots, sizeof snapshots, "%s/snapshots", folder);
    if (length < 0 || length >= PATH_SIZE ||
        snprintf(main_path, sizeof main_path, "%s/refs/main", folder) >= PATH_SIZE)
        return fault_set(fault, FAULT_FILE, "%.256s...: the path is too long", folder);
    look_into(snapshots, &contents);
    struct kind *found = &contents.inner;
    if (file_load(main_path, NAME_SIZE - 1, &revision, &size, NULL)) {
        revision[strcspn(revision, "\r\n")] = 0;
        if (*revision && !strchr(revision, '/') && is_there(snapshots, revision, "/config.json"))
            snprintf(found->first, NAME_SIZE, "%s", revision);
    }
    free(revision);
    if (found->count > 0)
        return fault_set(fault, FAULT_FILE,
                         "%s: is a model's place in the Hugging Face cache; give the checkpoint in "
                         "it: %s/%s",
                         folder, snapshots, found->first);
    return fault_set(fault, FAULT_FILE,
                     "%s: is a model's place in the Hugging Face cache, but no folder in %s holds "
                     "a config.json: the download did not finish",
                     folder, snapshots);
}

static bool gguf_fault(const char *folder, const struct kind *gguf, struct fault *fault)
{
    if (gguf->count == 1)
        return fault_set(fault, FAULT_FILE,
                         "%s: is a folder with a GGUF file; give the file: %s/%s", folder, folder,
                         gguf->first);
    return fault_set(
        fault, FAULT_FILE,
        "%s: is a folder with %u GGUF files; give one of them (of one model in several "
        "files, the first), such as %s/%s",
        folder, gguf->count, folder, gguf->first);
}

static bool partial_fault(const char *folder, const struct kind *partial, struct fault *fault)
{
    return fault_set(fault, FAULT_FILE,
                     "%s: the download did not finish: %s is a part of a file; go on with the "
                     "download",
                     folder, partial->first);
}

static bool shape_fault(const struct contents *contents, struct fault *fault)
{
    const char *folder = contents->folder;
    if (contents->inner.count)
        return fault_set(fault, FAULT_FILE,
                         "%s: no config.json there; give the folder in it: %s/%s", folder, folder,
                         contents->inner.first);
    if (contents->adapters.count)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "%s: is an adapter (LoRA) without the model that it belongs to; merge it "
                         "into the model first",
                         folder);
    if (contents->originals.count)
        return fault_set(
            fault, FAULT_UNSUPPORTED,
            "%s: params.json, but no config.json: the form in which the authors train, "
            "which is not read; give the model's Hugging Face form",
            folder);
    return true;
}

bool published_no_config(const char *folder, struct fault *fault)
{
    char model[PATH_SIZE];
    struct contents contents;
    look_into(folder, &contents);
    if (!contents.any)
        return fault_set(
            fault, FAULT_FILE,
            "%s: an empty folder (or one that cannot be read); a Hugging Face "
            "checkpoint is expected: config.json, *.safetensors, the tokenizer's files",
            folder);
    if (contents.has_snapshots)
        return cache_fault(folder, fault);
    if (contents.models.count &&
        snprintf(model, sizeof model, "%s/%s", folder, contents.models.first) < PATH_SIZE)
        return cache_fault(model, fault);
    if (contents.gguf.count)
        return gguf_fault(folder, &contents.gguf, fault);
    if (!shape_fault(&contents, fault))
        return false;
    if (contents.partial.count)
        return partial_fault(folder, &contents.partial, fault);
    return fault_set(fault, FAULT_FILE,
                     "%s: no config.json there; weights alone do not say what model they are: "
                     "download config.json and the tokenizer's files, too",
                     folder);
}

bool published_no_weights(const char *folder, struct fault *fault)
{
    struct contents contents;
    look_into(folder, &contents);
    if (contents.partial.count)
        return partial_fault(folder, &contents.partial, fault);
    if (contents.shards.count)
        return fault_set(fault, FAULT_FILE,
                         "%s: has shards of a checkpoint (%u, such as %s), but not the index that "
                         "says which tensor is in which (model.safetensors.index.json or "
                         "pytorch_model.bin.index.json); download that, too",
                         folder, contents.shards.count, contents.shards.first);
    if (contents.safetensors.count)
        return fault_set(
            fault, FAULT_FILE,
            "%s: no model.safetensors or pytorch_model.bin there, nor an index of one; "
            "if its weights are in another file, give that: %s/%s",
            folder, folder, contents.safetensors.first);
    if (contents.gguf.count)
        return gguf_fault(folder, &contents.gguf, fault);
    if (contents.foreign.count)
        return fault_set(
            fault, FAULT_UNSUPPORTED,
            "%s: no model.safetensors or pytorch_model.bin there, nor an index of one; "
            "%s is of a form that is not looked for",
            folder, contents.foreign.first);
    return fault_set(fault, FAULT_FILE,
                     "%s: no model.safetensors or pytorch_model.bin there, nor an index of one; "
                     "download the weights, too",
                     folder);
}
