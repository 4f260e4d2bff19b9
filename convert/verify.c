/* verify.c: reads every tensor in pieces, hashing and decoding it. */
#include "verify.h"
#include "parallel.h"
#include "platform.h"
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_SIZE = 1 << 19,
    DECODE_WEIGHTS = 4096,
    THREADS_MAX = 64,
    GROUP = 16, /* tensors between two calls of progress, a thread */
};

struct verify {
    struct gguf *gguf;
    struct proof_found proof;
    enum verify_state metadata;
    struct verify_tensor *tensors; /* [gguf_tensor_count], owned */
    char version[64];
};

struct reading {
    struct verify *verify;
    uint32_t first;       /* of the group */
    struct fault *faults; /* [tensor count] */
};

static uint64_t count_nonfinite(const struct dtype_info *info, const uint8_t *blocks, size_t count)
{
    float values[DECODE_WEIGHTS];
    size_t step_max = DECODE_WEIGHTS / info->block_weights;
    uint64_t nonfinite = 0;
    for (size_t i = 0; info->decode && i < count; i += step_max) {
        size_t step = count - i < step_max ? count - i : step_max;
        info->decode(blocks + i * info->block_size, values, step);
        for (size_t k = 0; k < step * info->block_weights; k++)
            nonfinite += !(values[k] - values[k] == 0);
    }
    return nonfinite;
}

static bool read_tensor(const struct verify *verify, uint32_t index, struct digester *digester,
                        uint8_t *bytes, struct fault *fault)
{
    const struct gguf_tensor *tensor = gguf_tensor_at(verify->gguf, index);
    const struct dtype_info *info = dtype_find(tensor->dtype);
    size_t step_max = READ_SIZE / info->block_size * info->block_size;
    for (uint64_t offset = 0; offset < tensor->size; offset += step_max) {
        uint64_t left = tensor->size - offset;
        size_t step = left < step_max ? (size_t)left : step_max;
        if (!gguf_read(verify->gguf, tensor, offset, bytes, step, fault))
            return false;
        digester_add(digester, bytes, step);
        verify->tensors[index].nonfinite += count_nonfinite(info, bytes, step / info->block_size);
    }
    return true;
}

static void judge(struct verify *verify, uint32_t index, struct digest found)
{
    struct verify_tensor *tensor = &verify->tensors[index];
    tensor->found = found;
    tensor->relative = -1;
    if (!verify->proof.has_proof)
        return;
    tensor->relative = (double)verify->proof.errors[index];
    tensor->expected = verify->proof.digests[index];
    tensor->hash = digest_same(found, tensor->expected) ? VERIFY_RIGHT : VERIFY_WRONG;
}

static void check_tensor(void *context, uint32_t item, uint32_t thread)
{
    struct reading *reading = context;
    uint32_t index = reading->first + item;
    struct fault *fault = &reading->faults[index];
    struct digester *digester = NULL;
    uint8_t *bytes = malloc(READ_SIZE);
    (void)thread;
    if (!bytes)
        fault_set(fault, FAULT_MEMORY, "no memory to read the file");
    else if (digester_create(&digester, fault) &&
             read_tensor(reading->verify, index, digester, bytes, fault))
        judge(reading->verify, index, digester_result(digester));
    digester_destroy(digester);
    free(bytes);
}

static bool read_group(struct reading *reading, struct parallel *team, uint32_t count,
                       struct fault *fault)
{
    parallel_for(team, count, check_tensor, reading);
    for (uint32_t i = reading->first; i < reading->first + count; i++)
        if (reading->faults[i].kind != FAULT_NONE)
            return fault_set(fault, reading->faults[i].kind, "%s", reading->faults[i].text);
    return true;
}

static bool read_all(struct verify *verify, const struct verify_options *options,
                     struct parallel *team, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(verify->gguf), group = GROUP * parallel_thread_count(team);
    struct reading reading = {verify, 0, calloc(count + 1, sizeof(struct fault))};
    bool done = reading.faults || fault_set(fault, FAULT_MEMORY, "no memory to verify");
    uint64_t bytes = 0;
    for (; done && reading.first < count; reading.first += group) {
        uint32_t left = count - reading.first, step = left < group ? left : group;
        done = read_group(&reading, team, step, fault);
        for (uint32_t i = 0; i < step; i++)
            bytes += verify->tensors[reading.first + i].size;
        if (done && options->progress &&
            !options->progress(options->context, bytes, gguf_size(verify->gguf)))
            done = fault_set(fault, FAULT_CANCELLED, "interrupted");
    }
    free(reading.faults);
    return done;
}

static bool describe(struct verify *verify, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(verify->gguf);
    struct gguf_string version = {"", 0};
    verify->tensors = calloc(count + 1, sizeof *verify->tensors);
    if (!verify->tensors)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u tensors", count);
    for (uint32_t i = 0; i < count; i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(verify->gguf, i);
        verify->tensors[i] = (struct verify_tensor){
            .name = tensor->name, .type = dtype_find(tensor->dtype)->name, .size = tensor->size};
    }
    if (!gguf_text(verify->gguf, "lichen.version", false, &version, fault))
        return false;
    snprintf(verify->version, sizeof verify->version, "%.*s", (int)(version.size % 60),
             version.bytes);
    return proof_get(verify->gguf, &verify->proof, fault);
}

static bool check_metadata(struct verify *verify, struct fault *fault)
{
    struct digest digest;
    if (!verify->proof.has_proof)
        return true;
    if (!proof_metadata(verify->gguf, &digest, fault))
        return false;
    bool same = digest_same(digest, verify->proof.metadata);
    verify->metadata = same ? VERIFY_RIGHT : VERIFY_WRONG;
    return true;
}

bool verify_open(const char *path, const struct verify_options *options, struct verify **out,
                 struct fault *fault)
{
    *out = NULL;
    struct parallel *team = NULL;
    struct verify *verify = calloc(1, sizeof *verify);
    if (!verify)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to verify it", path);
    uint32_t threads = options->threads ? options->threads : processor_count();
    bool done = gguf_open(path, &verify->gguf, fault) && describe(verify, fault) &&
                check_metadata(verify, fault) &&
                parallel_create(threads < THREADS_MAX ? threads : THREADS_MAX, &team, fault) &&
                read_all(verify, options, team, fault);
    parallel_destroy(team);
    if (!done) {
        verify_close(verify);
        return fault_file(fault, path);
    }
    *out = verify;
    return true;
}

void verify_close(struct verify *verify)
{
    if (!verify)
        return;
    proof_found_free(&verify->proof);
    gguf_close(verify->gguf);
    free(verify->tensors);
    free(verify);
}

bool verify_has_proof(const struct verify *verify)
{
    return verify->proof.has_proof;
}

const char *verify_version(const struct verify *verify)
{
    return verify->version;
}

uint64_t verify_size(const struct verify *verify)
{
    return gguf_size(verify->gguf);
}

enum verify_state verify_metadata(const struct verify *verify)
{
    return verify->metadata;
}

uint32_t verify_tensor_count(const struct verify *verify)
{
    return gguf_tensor_count(verify->gguf);
}

const struct verify_tensor *verify_tensor_at(const struct verify *verify, uint32_t index)
{
    return &verify->tensors[index];
}

const struct convert_proof *verify_proof(const struct verify *verify)
{
    return &verify->proof.run;
}
