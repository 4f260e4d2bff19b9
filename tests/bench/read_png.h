/* read_png.h: a PNG file's pixels, by stb_image: a reader that is not ours. */
#ifndef LICHEN_READ_PNG_H
#define LICHEN_READ_PNG_H

#include <stddef.h>
#include <stdint.h>

/* RGB [height, width, 3], freed with free; NULL = no PNG. */
uint8_t *read_png(const void *bytes, size_t size, int *width, int *height);

#endif
