/* verify.h: what can be checked of a GGUF file without running it: its structure, that its values
 * are finite, and, where it carries the proof of lichen convert (proof.h), the hashes of metadata
 * and tensors. */
#ifndef LICHEN_VERIFY_H
#define LICHEN_VERIFY_H

#include "convert.h"
#include "digest.h"

struct verify;

enum verify_state { VERIFY_ABSENT, VERIFY_RIGHT, VERIFY_WRONG };

struct verify_tensor {
    const char *name; /* verify's */
    const char *type;
    uint64_t size; /* bytes */
    enum verify_state hash;
    struct digest expected, found;
    uint64_t nonfinite; /* values that are NaN or infinite */
    double relative;    /* error written down when it was made; < 0 unknown */
};

struct verify_options {
    uint32_t threads; /* 0 = all processors */
    /* Returns false to stop (FAULT_CANCELLED). May be NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/* Opens (a broken structure is a fault) and reads all of the file. */
bool verify_open(const char *path, const struct verify_options *options, struct verify **out,
                 struct fault *fault);
void verify_close(struct verify *verify); /* NULL is allowed */

bool verify_has_proof(const struct verify *verify);
const char *verify_version(const struct verify *verify); /* of the converter, "" unknown */
uint64_t verify_size(const struct verify *verify);       /* bytes of all its files */
enum verify_state verify_metadata(const struct verify *verify);
uint32_t verify_tensor_count(const struct verify *verify);
const struct verify_tensor *verify_tensor_at(const struct verify *verify, uint32_t index);
/* What the file said when it was run; present false when it was not, with the reason. */
const struct convert_proof *verify_proof(const struct verify *verify);

#endif
