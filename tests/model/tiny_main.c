/* tiny_main.c: tiny_write FOLDER writes every tiny model there, for make_tiny.py. */
#include "tiny.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tiny_write FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < tiny_count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s.gguf", argv[1], tiny_models[i].name);
        tiny_write(&tiny_models[i], NULL, path);
        printf("%s\n", path);
    }
    return 0;
}
