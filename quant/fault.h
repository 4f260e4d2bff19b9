/* fault.h: how the world's failures travel (missing file, bad bytes, no memory, lost device).
 * A function that can fail returns bool (or NULL) and takes `struct fault *`; the first message
 * wins, so the deepest cause is what a person reads. Broken contracts of the caller are asserts.
 * The libraries never print, exit or read the environment. */
#ifndef LICHEN_FAULT_H
#define LICHEN_FAULT_H

#include <stdbool.h>

enum fault_kind {
    FAULT_NONE = 0,
    FAULT_ARGUMENT,    /* the user asked for what cannot be (exit 2) */
    FAULT_FILE,        /* open, read, write, missing, full disk */
    FAULT_FORMAT,      /* bytes are not what the format says */
    FAULT_UNSUPPORTED, /* well-formed, but not (yet) run by lichen; names the thing */
    FAULT_MEMORY,      /* host memory */
    FAULT_DEVICE,      /* Vulkan: no device, missing feature, out of device memory */
    FAULT_DEVICE_LOST, /* Vulkan: the device is gone; recreate it and go on */
    FAULT_CANCELLED,   /* the caller's cancel flag was seen */
    FAULT_CONTEXT,     /* the context window is full */
};

struct fault {
    enum fault_kind kind;
    char text[1024]; /* one line, UTF-8, no newline: "PATH: what, expected, found; what to try" */
};

#if defined(__GNUC__)
#define FAULT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define FAULT_PRINTF(text, first)
#endif

/* Records a failure unless one is already recorded. fault may be NULL. Always returns false, so
 * `return fault_set(...)` reads as the failure it is. Control bytes and broken UTF-8 that came
 * from a file are replaced by '?'. */
bool fault_set(struct fault *fault, enum fault_kind kind, const char *format, ...)
    FAULT_PRINTF(3, 4);

/* Puts "CONTEXT: " in front of a recorded failure (a path, a tensor name). Always returns false. */
bool fault_context(struct fault *fault, const char *format, ...) FAULT_PRINTF(2, 3);

/* The same with the path of a file, unless the failure begins with it already. */
bool fault_file(struct fault *fault, const char *path);

#endif
