/* program.h: runs the program lichen as a user would and keeps what it said. */
#ifndef LICHEN_TEST_PROGRAM_H
#define LICHEN_TEST_PROGRAM_H

#include "testing.h"
#include <stdbool.h>

struct ran {
    int status; /* exit status; 128 + signal when it was killed */
    char *out;  /* [out_size], stdout, a NUL behind it */
    size_t out_size;
    char *err;     /* stderr, NUL-terminated */
    long peak_kib; /* the largest memory it had resident, KiB */
};

/* arguments: NULL-ended, without the program's name. input NULL: /dev/null. Its folders for models
 * and caches lie below LICHEN_TEST_OUTPUT/home. The result is freed by ran_free. */
struct ran run_lichen(const char *input, size_t input_size, const char *const *arguments);
#define LICHEN(...) run_lichen(NULL, 0, (const char *const[]){__VA_ARGS__, NULL})
#define LICHEN_INPUT(input, ...)                                                                   \
    run_lichen(input, strlen(input), (const char *const[]){__VA_ARGS__, NULL})
void ran_free(struct ran *ran);

/* One line `lichen: ...` on stderr that holds part, nothing on stdout, that exit status. */
void assert_refused(struct ran *ran, int status, const char *part);

/* The program on a pseudo-terminal. */
struct terminal {
    int handle, child;
    char seen[1 << 18]; /* what it showed, NUL-terminated */
    size_t size;
};
void terminal_start(struct terminal *terminal, const char *const *arguments);
/* Waits until text shows up behind what was there at `from`; fails the test after 60 s. Returns the
 * place behind it. */
size_t terminal_expect(struct terminal *terminal, size_t from, const char *text);
void terminal_send(struct terminal *terminal, const char *text);
int terminal_end(struct terminal *terminal); /* waits for its exit status */

/* Starts the program with its output thrown away, sends the signal after so many milliseconds, and
 * gives the exit status. */
int run_and_signal(int signal, int after_ms, const char *const *arguments);

/* Whole file; *size may be NULL. NULL when there is none. Freed by the caller. */
char *file_bytes(const char *path, size_t *size);
void file_put(const char *path, const void *bytes, size_t size);
/* The number of files below a folder that hold the bytes of text. */
int count_files_with(const char *folder, const char *text);
/* The number of entries of a folder whose name holds part. */
int count_entries(const char *folder, const char *part);

#endif
