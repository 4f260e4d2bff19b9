/* canvas_png.c: a canvas as PNG, by stb_image_write. */
#include "canvas.h"
#include <stdlib.h>
#include <string.h>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

struct png {
    char *bytes;
    size_t size;
    bool failed;
};

static void png_append(void *context, void *data, int size)
{
    struct png *png = context;
    char *bytes = png->failed ? NULL : realloc(png->bytes, png->size + (size_t)size);
    if (!bytes) {
        png->failed = true;
        return;
    }
    memcpy(bytes + png->size, data, (size_t)size);
    png->bytes = bytes;
    png->size += (size_t)size;
}

bool canvas_png(const struct canvas *canvas, void **bytes, size_t *size, struct fault *fault)
{
    struct png png = {NULL, 0, false};
    int width = (int)canvas_width(canvas), height = (int)canvas_height(canvas);
    int written = stbi_write_png_to_func(png_append, &png, width, height, 3, canvas_pixels(canvas),
                                         3 * width);
    if (!written || png.failed) {
        free(png.bytes);
        return fault_set(fault, FAULT_MEMORY, "no memory for a PNG file of %d x %d pixels", width,
                         height);
    }
    *bytes = png.bytes;
    *size = png.size;
    return true;
}
