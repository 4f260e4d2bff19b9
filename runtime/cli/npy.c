/* npy.c: the header of a .npy file. */
#include "npy.h"
#include <stdio.h>
#include <string.h>

void npy_header(size_t rows, size_t columns, unsigned char header[NPY_HEADER_SIZE])
{
    static const unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, NPY_HEADER_SIZE - 10, 0};
    char dict[NPY_HEADER_SIZE];
    int size =
        snprintf(dict, sizeof dict,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    memset(header, ' ', NPY_HEADER_SIZE);
    memcpy(header, start, sizeof start);
    memcpy(header + sizeof start, dict, (size_t)size);
    header[NPY_HEADER_SIZE - 1] = '\n';
}
