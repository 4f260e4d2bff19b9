/* journal.c: the journal of a conversion. */
#include "journal.h"
#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TITLE "lichen convert journal 1\n"

enum { LINE_SIZE = 256, SIZE_MAX_READ = 64 << 20, FILE_MODE = 0666 };

struct journal {
    struct draft *draft;
    char *path; /* owned */
    uint64_t end;
    uint32_t count, limit;
    struct journal_entry *entries; /* [limit] */
    uint64_t *ends;                /* [limit], where the line of each ends */
};

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double value_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool add_line(struct journal *journal, const char *line, size_t size, struct fault *fault)
{
    if (!draft_write(journal->draft, journal->end, line, size, fault))
        return false;
    journal->end += size;
    return true;
}

/* lines of tensors */

static int print_entry(char line[LINE_SIZE], uint32_t index, const struct journal_entry *entry)
{
    char digest[DIGEST_TEXT_SIZE], from[DIGEST_TEXT_SIZE], check[DIGEST_TEXT_SIZE];
    digest_text(entry->digest, digest);
    digest_text(entry->source, from);
    int size = snprintf(line, LINE_SIZE, "tensor %u %s %s %llx %llx %llx %llx", index, digest, from,
                        (unsigned long long)entry->stats.nonfinite,
                        (unsigned long long)bits_of(entry->stats.error),
                        (unsigned long long)bits_of(entry->stats.signal),
                        (unsigned long long)bits_of(entry->stats.error_max));
    digest_text(digest_of(line, (size_t)size), check);
    return size + snprintf(line + size, LINE_SIZE - (size_t)size, " %s\n", check);
}

/* Reads what print_entry wrote: whatever prints back as the same line is right. */
static bool parse_entry(const char *line, size_t size, uint32_t index, struct journal_entry *entry)
{
    char copy[LINE_SIZE], again[LINE_SIZE], digest[DIGEST_TEXT_SIZE];
    char from[DIGEST_TEXT_SIZE];
    unsigned number;
    unsigned long long nonfinite, error, signal, error_max;
    if (size >= sizeof copy)
        return false;
    memcpy(copy, line, size);
    copy[size] = 0;
    if (sscanf(copy, "tensor %u %32s %32s %llx %llx %llx %llx", &number, digest, from, &nonfinite,
               &error, &signal, &error_max) != 7 ||
        number != index || !digest_parse(digest, strlen(digest), &entry->digest) ||
        !digest_parse(from, strlen(from), &entry->source))
        return false;
    entry->stats = (struct encode_stats){.nonfinite = nonfinite,
                                         .error = value_of(error),
                                         .signal = value_of(signal),
                                         .error_max = value_of(error_max)};
    return print_entry(again, index, entry) == (int)size && memcmp(again, line, size) == 0;
}

static void read_entries(struct journal *journal, const char *text, size_t size, size_t offset)
{
    while (journal->count < journal->limit) {
        const char *line = text + offset;
        const char *end = memchr(line, '\n', size - offset);
        if (!end || !parse_entry(line, (size_t)(end - line) + 1, journal->count,
                                 &journal->entries[journal->count]))
            break;
        offset += (size_t)(end - line) + 1;
        journal->ends[journal->count++] = offset;
    }
    journal->end = offset;
}

/* the head */

static char *print_head(const char *head, size_t *size)
{
    size_t capacity = sizeof TITLE + strlen(head) + 64;
    char *text = malloc(capacity), check[DIGEST_TEXT_SIZE];
    if (!text)
        return NULL;
    int used = snprintf(text, capacity, TITLE "%s", head);
    digest_text(digest_of(text, (size_t)used), check);
    used += snprintf(text + used, capacity - (size_t)used, "begin %s\n", check);
    *size = (size_t)used;
    return text;
}

/* Length of the head in text, 0 when there is no whole one. */
static size_t find_head(const char *text, size_t size)
{
    if (size < sizeof TITLE - 1 || memcmp(text, TITLE, sizeof TITLE - 1) != 0)
        return 0;
    for (const char *line = text; line < text + size;) {
        const char *end = memchr(line, '\n', (size_t)(text + size - line));
        char check[DIGEST_TEXT_SIZE];
        if (!end)
            return 0;
        digest_text(digest_of(text, (size_t)(line - text)), check);
        if ((size_t)(end - line) == 6 + 32 && memcmp(line, "begin ", 6) == 0 &&
            memcmp(line + 6, check, 32) == 0)
            return (size_t)(end - text) + 1;
        line = end + 1;
    }
    return 0;
}

/* Names the first line in which the heads differ. */
static bool head_fault(const struct journal *journal, const char *found, const char *expected,
                       struct fault *fault)
{
    while (*found && *expected) {
        size_t old = strcspn(found, "\n"), new = strcspn(expected, "\n");
        if (old != new || memcmp(found, expected, old) != 0)
            break;
        found += old + (found[old] == '\n');
        expected += new + (expected[new] == '\n');
    }
    return fault_set(fault, FAULT_ARGUMENT,
                     "%s: cannot resume: it was begun with '%.*s', now it is '%.*s'; convert "
                     "without --resume to begin again",
                     journal->path, (int)strcspn(found, "\n"), found, (int)strcspn(expected, "\n"),
                     expected);
}

static bool read_back(struct journal *journal, const char *head, size_t head_size, bool *begun,
                      struct fault *fault)
{
    uint64_t size = draft_size(journal->draft);
    *begun = false;
    if (size == 0)
        return true;
    if (size > SIZE_MAX_READ)
        return fault_set(fault, FAULT_FORMAT, "%s: is no journal of lichen", journal->path);
    char *text = malloc((size_t)size + 1);
    if (!text)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to read it", journal->path);
    bool done = draft_read(journal->draft, 0, text, (size_t)size, fault);
    text[done ? size : 0] = 0;
    size_t found = done ? find_head(text, (size_t)size) : 0;
    if (found > 0 && (found != head_size || memcmp(text, head, found) != 0)) {
        text[found] = 0;
        done = head_fault(journal, text, head, fault);
    }
    if (done && found > 0) {
        read_entries(journal, text, (size_t)size, found);
        *begun = true;
    }
    free(text);
    return done;
}

static bool begin(struct journal *journal, const char *head, bool keep, struct fault *fault)
{
    size_t size;
    bool begun = false;
    char *text = print_head(head, &size);
    if (!text)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", journal->path);
    bool done = draft_open(journal->path, keep, FILE_MODE, &journal->draft, fault) &&
                (!keep || read_back(journal, text, size, &begun, fault)) &&
                draft_cut(journal->draft, journal->end, fault) &&
                (begun || add_line(journal, text, size, fault));
    free(text);
    return done;
}

bool journal_open(const char *path, const char *head, bool keep, uint32_t limit,
                  struct journal **out, struct fault *fault)
{
    *out = NULL;
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    journal->limit = limit;
    journal->path = calloc(1, strlen(path) + 1);
    journal->entries = calloc(limit ? limit : 1, sizeof *journal->entries);
    journal->ends = calloc(limit ? limit : 1, sizeof *journal->ends);
    if (!journal->path || !journal->entries || !journal->ends) {
        journal_close(journal);
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    }
    strcpy(journal->path, path);
    if (!begin(journal, head, keep, fault)) {
        journal_close(journal);
        return false;
    }
    *out = journal;
    return true;
}

static void free_all(struct journal *journal)
{
    free(journal->path);
    free(journal->entries);
    free(journal->ends);
    free(journal);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    draft_close(journal->draft);
    free_all(journal);
}

void journal_remove(struct journal *journal)
{
    if (!journal)
        return;
    draft_remove(journal->draft);
    free_all(journal);
}

uint32_t journal_count(const struct journal *journal)
{
    return journal->count;
}

const struct journal_entry *journal_at(const struct journal *journal, uint32_t tensor)
{
    return &journal->entries[tensor];
}

bool journal_cut(struct journal *journal, uint32_t count, struct fault *fault)
{
    if (count >= journal->count)
        return true;
    /* the line of tensor 0 begins where the head ends */
    char line[LINE_SIZE];
    uint64_t first = journal->ends[0] - (uint64_t)print_entry(line, 0, &journal->entries[0]);
    journal->end = count > 0 ? journal->ends[count - 1] : first;
    journal->count = count;
    return draft_cut(journal->draft, journal->end, fault);
}

bool journal_add(struct journal *journal, const struct journal_entry *entry, struct fault *fault)
{
    char line[LINE_SIZE];
    int size = print_entry(line, journal->count, entry);
    if (!add_line(journal, line, (size_t)size, fault))
        return false;
    journal->entries[journal->count] = *entry;
    journal->ends[journal->count++] = journal->end;
    return true;
}
