/* read_png.c: stb_image in a file of its own. */
#include "read_png.h"

#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

uint8_t *read_png(const void *bytes, size_t size, int *width, int *height)
{
    int channels;
    return stbi_load_from_memory(bytes, (int)size, width, height, &channels, 3);
}
