/* platform_terminal.c: terminal.h on POSIX and Linux. */
#define _DEFAULT_SOURCE   /* getloadavg */
#define _XOPEN_SOURCE 700 /* nftw */
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

/* Else the next file that is opened, a model, becomes the standard input. What is opened here for
 * standard output refuses to be written, so the program says that it could not. */
void streams_open(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", modes[descriptor]) == -1)
            return;
}

bool terminal_is(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

unsigned terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void terminal_utf8(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

void process_private(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a failed write, told in one line */
#ifdef __linux__
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

uint64_t time_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t random_seed(void)
{
    uint64_t seed = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (!file || fread(&seed, sizeof seed, 1, file) != 1)
        seed = time_ns() ^ (uint64_t)getpid() << 32;
    if (file)
        fclose(file);
    return seed;
}

uint32_t process_id(void)
{
    return (uint32_t)getpid();
}

void signals_catch(void (*handler)(int signal))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void signal_die(int signal)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
    raise(signal);
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 || S_ISREG(status.st_mode);
}

bool folder_make(const char *path, struct fault *fault)
{
    size_t length = strlen(path);
    char *part = malloc(length + 1);
    if (!part)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    memcpy(part, path, length + 1);
    bool made = true;
    for (size_t i = 1; i <= length && made; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        part[i] = 0;
        made = mkdir(part, 0700) == 0 || errno == EEXIST || file_exists(part);
        if (!made)
            fault_set(fault, FAULT_FILE, "%s: %s", part, strerror(errno));
        part[i] = path[i];
    }
    free(part);
    return made;
}

FILE *file_create(const char *path, unsigned mode, struct fault *fault)
{
    int handle = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    FILE *file = handle >= 0 ? fdopen(handle, "wb") : NULL;
    if (!file) {
        fault_set(fault, FAULT_FILE, "%s: %s", path, strerror(errno));
        if (handle >= 0)
            close(handle);
    }
    return file;
}

bool file_sync(FILE *file, const char *path, struct fault *fault)
{
    if (fflush(file) != 0 || fsync(fileno(file)) != 0)
        return fault_set(fault, FAULT_FILE, "%s: %s", path, strerror(errno));
    return true;
}

bool file_rename(const char *from, const char *to, struct fault *fault)
{
    if (rename(from, to) != 0)
        return fault_set(fault, FAULT_FILE, "%s: %s", to, strerror(errno));
    return true;
}

void file_remove(const char *path)
{
    unlink(path);
}

bool folder_temporary(char *template, struct fault *fault)
{
    if (!mkdtemp(template))
        return fault_set(fault, FAULT_FILE, "%s: %s", template, strerror(errno));
    return true;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

bool program_beside(const char *name, char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size);
    if (length <= 0 || (size_t)length >= size)
        return false;
    path[length] = 0;
    char *end = strrchr(path, '/');
    if (!end || (size_t)(end + 1 - path) + strlen(name) >= size)
        return false;
    memcpy(end + 1, name, strlen(name) + 1);
    return access(path, X_OK) == 0;
}

/* The environment with `settings` in front, so that they win. Freed by the caller. */
static char **environment_with(char *const *settings)
{
    size_t own = 0, extra = 0, count = 0;
    while (environ[own])
        own++;
    while (settings && settings[extra])
        extra++;
    char **all = calloc(own + extra + 1, sizeof *all);
    for (size_t i = 0; all && i < extra; i++)
        all[count++] = settings[i];
    for (size_t i = 0; all && i < own; i++) {
        bool replaced = false;
        for (size_t k = 0; k < extra; k++)
            replaced |= strncmp(environ[i], settings[k], strcspn(settings[k], "=") + 1) == 0;
        if (!replaced)
            all[count++] = environ[i];
    }
    return all;
}

bool process_run(char *const *argv, char *const *settings, int *status, struct fault *fault)
{
    char **environment = environment_with(settings);
    if (!environment)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int error = posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    if (error)
        return fault_set(fault, FAULT_FILE, "cannot start %s: %s", argv[0], strerror(error));
    int wait_status;
    while (waitpid(child, &wait_status, 0) < 0)
        if (errno != EINTR)
            return fault_set(fault, FAULT_FILE, "%s: %s", argv[0], strerror(errno));
    *status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    return true;
}

/* Value of the first line "NAME ... : VALUE" of a file under /proc. */
static void proc_value(const char *path, const char *name, char *value, size_t size)
{
    char line[512];
    value[0] = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, name, strlen(name)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(value, size, "%s", colon);
        break;
    }
    if (file)
        fclose(file);
}

void host_describe(struct host *host)
{
    *host = (struct host){0};
    proc_value("/proc/cpuinfo", "model name", host->processor, sizeof host->processor);
    char memory[64];
    proc_value("/proc/meminfo", "MemTotal", memory, sizeof memory);
    host->memory = strtoull(memory, NULL, 10) * 1024;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    host->processors = count > 0 ? (uint32_t)count : 1;
    struct utsname name;
    if (uname(&name) == 0)
        snprintf(host->system, sizeof host->system, "%.60s %.100s %.60s", name.sysname,
                 name.release, name.machine);
    if (getloadavg(host->load, 3) != 3)
        host->load[0] = host->load[1] = host->load[2] = -1;
}
