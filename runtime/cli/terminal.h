/* terminal.h: what the program needs of the operating system: terminals, signals, folders, files
 * that appear whole, child processes. platform_terminal.c is the only file of runtime/cli/ that
 * includes its headers. */
#ifndef LICHEN_TERMINAL_H
#define LICHEN_TERMINAL_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

bool terminal_is(FILE *stream);
unsigned terminal_columns(void); /* of standard error; 80 when unknown */
void terminal_utf8(void);        /* character type of the locale, UTF-8 where the locale is not */
void streams_open(void);         /* a standard stream that is closed: an end, or a fault */
void process_private(void);      /* no core dump, no debugger: prompts stay in this process */
uint64_t time_ns(void);          /* monotonic */
uint64_t random_seed(void);
uint32_t process_id(void);

/* Calls handler for SIGINT and SIGTERM; blocked reads end with EINTR. */
void signals_catch(void (*handler)(int signal));
/* The default action, at once: the program ends. Async-signal-safe. */
void signal_die(int signal);

bool file_exists(const char *path);
bool file_is_regular(const char *path);                  /* also true when there is none */
bool folder_make(const char *path, struct fault *fault); /* with parents, mode 0700 */

/* A new file of that mode (umask aside) that did not exist, open for writing. */
FILE *file_create(const char *path, unsigned mode, struct fault *fault);
bool file_sync(FILE *file, const char *path, struct fault *fault); /* flush and fsync */
bool file_rename(const char *from, const char *to, struct fault *fault);
void file_remove(const char *path);

/* template as of mkdtemp, changed in place; folder_remove takes it and all below it away. */
bool folder_temporary(char *template, struct fault *fault);
void folder_remove(const char *path);
/* Path of a program in the folder of this one; false when there is none. */
bool program_beside(const char *name, char *path, size_t size);

/* Starts argv[0] = this program again with NAME=VALUE settings (NULL-ended, may be NULL) and its
 * output thrown away; waits; *status is its exit status. */
bool process_run(char *const *argv, char *const *settings, int *status, struct fault *fault);

struct host { /* for reports */
    char processor[128], system[256];
    uint32_t processors;
    uint64_t memory; /* bytes */
    double load[3];
};
void host_describe(struct host *host);

#endif
