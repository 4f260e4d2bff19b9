/* digest.h: XXH3-128 of bytes, written as `xxhsum -H128` writes it. */
#ifndef LICHEN_DIGEST_H
#define LICHEN_DIGEST_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_TEXT_SIZE = 33 }; /* 32 hexadecimal digits and a NUL */

struct digest {
    uint64_t low, high;
};

struct digest digest_of(const void *bytes, size_t size);
bool digest_same(struct digest a, struct digest b);
void digest_text(struct digest digest, char text[DIGEST_TEXT_SIZE]);
bool digest_parse(const char *text, size_t size, struct digest *digest); /* false: no digest */

struct digester; /* of bytes that come in pieces */

bool digester_create(struct digester **out, struct fault *fault);
void digester_destroy(struct digester *digester); /* NULL is allowed */
void digester_reset(struct digester *digester);
void digester_add(struct digester *digester, const void *bytes, size_t size);
struct digest digester_result(const struct digester *digester);

struct parallel;

/* All of a file's bytes; size may be NULL. team: one thread reads while another hashes; NULL: both
 * on this thread, which may then be an item of a team. */
bool digest_file(const char *path, struct parallel *team, struct digest *digest, uint64_t *size,
                 struct fault *fault);

#endif
