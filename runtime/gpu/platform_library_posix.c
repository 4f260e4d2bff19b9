/* platform_library_posix.c: shared libraries by dlopen. */
#include "platform_library.h"

#include <dlfcn.h>
#include <string.h>

void *library_open_vulkan(struct fault *fault)
{
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library)
            return library;
    }
    fault_set(fault, FAULT_DEVICE,
              "no Vulkan loader: libvulkan.so.1 cannot be loaded; install libvulkan1 and the "
              "Vulkan driver of the GPU");
    return NULL;
}

void library_close(void *library)
{
    if (library)
        dlclose(library);
}

bool library_function(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address); /* C has no cast from data to function pointers */
    return address != NULL;
}
