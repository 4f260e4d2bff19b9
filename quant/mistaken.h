/* mistaken.h: files that people give by mistake, told apart by their first bytes: git-lfs pointers,
 * web pages and messages that a download saved under the name of the file, empty files. */
#ifndef LICHEN_MISTAKEN_H
#define LICHEN_MISTAKEN_H

#include "fault.h"
#include <stddef.h>

enum { MISTAKEN_SIZE = 32 }; /* first bytes of a file that are enough */

/* bytes: the first size of a file, all of it when it is shorter than MISTAKEN_SIZE. False, with a
 * fault that says what it is and what to do, when it is one of them. The fault names no file. */
bool mistaken_check(const void *bytes, size_t size, struct fault *fault);

#endif
