/* mistaken.c: the table of mistaken.h. */
#include "mistaken.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *start; /* without regard to case */
    const char *what;
} mistakes[] = {
    {"version https://git-lfs",
     "is a git-lfs pointer, not the file that it stands for; `git lfs pull` fetches that"},
    {"<!doctype", "is a web page; the download went wrong, download the file again"},
    {"<html", "is a web page; the download went wrong, download the file again"},
    {"<?xml", "is an XML text, such as a server's error; download the file again"},
    {"Access to model", "is a hub's refusal (the model's terms must be accepted there), not the "
                        "file; download it again when they are"},
    {"Invalid username", "is a hub's refusal, not the file; download it again with a valid login"},
    {"Entry not found", "is a hub's answer that it has no such file; look for its right name"},
    {"Repository not found", "is a hub's answer that it has no such model; look for its name"},
};

static bool begins_with(const char *bytes, size_t size, const char *start)
{
    size_t length = strlen(start);
    if (size < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (tolower((unsigned char)bytes[i]) != tolower((unsigned char)start[i]))
            return false;
    return true;
}

bool mistaken_check(const void *bytes, size_t size, struct fault *fault)
{
    if (size == 0)
        return fault_set(fault, FAULT_FORMAT, "is an empty file; download it again");
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        if (begins_with(bytes, size, mistakes[i].start))
            return fault_set(fault, FAULT_UNSUPPORTED, "%s", mistakes[i].what);
    return true;
}
