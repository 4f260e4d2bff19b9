/* npy.h: NumPy's .npy format, version 1.0: magic "\x93NUMPY" 1 0, u16 length of the header, the
 * header (a Python dict, padded with spaces to a multiple of 64 with everything before it and ended
 * by a newline), then the array, row-major, little-endian. */
#ifndef LICHEN_NPY_H
#define LICHEN_NPY_H

#include <stddef.h>

enum { NPY_HEADER_SIZE = 128 };

/* Header of a float32 array [rows, columns]. */
void npy_header(size_t rows, size_t columns, unsigned char header[NPY_HEADER_SIZE]);

#endif
