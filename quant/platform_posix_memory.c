/* platform_posix_memory.c: how much memory this process could use now, the limits of its control
 * groups included. */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_PATH_MAX = 3000, FILE_PATH_MAX = 4096 };

/* The number behind `name` at the beginning of a line of folder/file; a NULL name: the number that
 * the file begins with. False when there is none ("max"). */
static bool number_read(const char *folder, const char *file, const char *name, uint64_t *number)
{
    char path[FILE_PATH_MAX], line[256];
    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
        return false;
    FILE *stream = fopen(path, "re");
    bool found = false;
    size_t skip = name ? strlen(name) : 0;
    while (stream && !found && fgets(line, sizeof line, stream))
        found = strncmp(line, name ? name : "", skip) == 0 &&
                sscanf(line + skip, "%" SCNu64, number) == 1;
    if (stream)
        fclose(stream);
    return found;
}

/* What a group's limit leaves; UINT64_MAX without one. File pages that nobody used lately are given
 * back before anything is refused. */
static uint64_t group_left(const char *folder)
{
    uint64_t limit, used, spare = 0;
    if (!number_read(folder, "memory.max", NULL, &limit) ||
        !number_read(folder, "memory.current", NULL, &used))
        return UINT64_MAX;
    number_read(folder, "memory.stat", "inactive_file ", &spare);
    used -= spare < used ? spare : used;
    return limit > used ? limit - used : 0;
}

/* The path of this process's group below the mount: the line "0::PATH". */
static bool group_path(const char *proc, char path[GROUP_PATH_MAX])
{
    char name[FILE_PATH_MAX], line[GROUP_PATH_MAX];
    bool found = false;
    if (snprintf(name, sizeof name, "%s/self/cgroup", proc) >= (int)sizeof name)
        return false;
    FILE *stream = fopen(name, "re");
    while (stream && !found && fgets(line, sizeof line, stream))
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = 0;
            memcpy(path, line + 3, strlen(line + 3) + 1);
            found = true;
        }
    if (stream)
        fclose(stream);
    return found && !strstr(path, "/../");
}

/* The least that the group and those above it leave. */
static uint64_t groups_left(const char *proc, const char *groups)
{
    char path[GROUP_PATH_MAX], folder[FILE_PATH_MAX];
    uint64_t least = UINT64_MAX;
    if (!group_path(proc, path))
        return UINT64_MAX;
    for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
        *end = 0;
        if (snprintf(folder, sizeof folder, "%s%s", groups, path) >= (int)sizeof folder)
            continue;
        uint64_t left = group_left(folder);
        least = left < least ? left : least;
    }
    return least;
}

uint64_t memory_available_in(const char *proc, const char *groups)
{
    uint64_t kib = 0, left = groups_left(proc, groups);
    if (!number_read(proc, "meminfo", "MemAvailable:", &kib))
        return left == UINT64_MAX ? 0 : left;
    return left < kib * 1024 ? left : kib * 1024;
}

uint64_t memory_available(void)
{
    return memory_available_in("/proc", "/sys/fs/cgroup");
}
