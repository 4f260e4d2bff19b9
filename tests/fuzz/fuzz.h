/* fuzz.h: the entry of a fuzz target, called by libFuzzer or by replay.c. */
#ifndef LICHEN_FUZZ_H
#define LICHEN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
