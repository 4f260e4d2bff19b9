/* platform_library.h: shared libraries loaded at run time. */
#ifndef LICHEN_PLATFORM_LIBRARY_H
#define LICHEN_PLATFORM_LIBRARY_H

#include "fault.h"

/* The Vulkan loader of this operating system, as library_open's result. NULL is a fault. */
void *library_open_vulkan(struct fault *fault);
void library_close(void *library); /* NULL is allowed */
/* Copies the address of a function into *function (a function pointer); false when absent. */
bool library_function(void *library, const char *name, void *function);

#endif
