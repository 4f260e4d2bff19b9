/* element.h: conversion of elements as stored (little-endian, any alignment) to numbers. */
#ifndef LICHEN_ELEMENT_H
#define LICHEN_ELEMENT_H

#include "checkpoint.h"

/* src[count * element_info(element)->size]; element is a float and not ELEMENT_BLOCK. */
void element_to_floats(enum element element, const uint8_t *src, float *dst, size_t count);
/* The same for integers; false when one is above INT64_MAX. */
bool element_to_integers(enum element element, const uint8_t *src, int64_t *dst, size_t count);

#endif
