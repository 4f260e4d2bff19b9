/* test_chat.c: conversations: from a pipe, as one question, and on a pseudo-terminal with Ctrl-C.
 * The model is stories260K with a chat template that strings the messages together. */
#include "program.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"
#define OUT LICHEN_TEST_OUTPUT
#define MODEL OUT "/talk.gguf"
#define CHAT "chat", MODEL, "--device", "cpu", "--temp", "0"

static const char chat_template[] =
    "{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}";

/* stories260K with an entry tokenizer.chat_template in front of the others, a multiple of the
 * alignment long. */
static int make_model(void **state)
{
    (void)state;
    enum { HEADER = 24, ENTRY = 128 };
    static const char key[] = "tokenizer.chat_template";
    size_t size;
    char *bytes = file_bytes(STORIES, &size);
    if (!bytes)
        return 0;
    char entry[ENTRY];
    memset(entry, ' ', ENTRY);
    memcpy(entry, "\x17\0\0\0\0\0\0\0", 8);
    memcpy(entry + 8, key, 23);
    memcpy(entry + 31, "\x08\0\0\0\x55\0\0\0\0\0\0\0", 12); /* a string of 85 */
    memcpy(entry + 43, chat_template, sizeof chat_template - 1);
    FILE *file = fopen(MODEL, "wb");
    assert_non_null(file);
    bytes[16]++;
    fwrite(bytes, 1, HEADER, file);
    fwrite(entry, 1, ENTRY, file);
    fwrite(bytes + HEADER, 1, size - HEADER, file);
    fclose(file);
    free(bytes);
    return 0;
}

#define NEED_MODEL()                                                                               \
    do {                                                                                           \
        if (!test_file_exists(MODEL))                                                              \
            SKIP("%s is not there", STORIES);                                                      \
    } while (0)

static void assert_ran(const struct ran *ran, int status, const char *out, const char *err)
{
    if (ran->status != status || !strstr(ran->out, out) || !strstr(ran->err, err))
        print_error("status %d\nstdout: %s\nstderr: %s\nwanted %d, '%s', '%s'\n", ran->status,
                    ran->out, ran->err, status, out, err);
    assert_int_equal(ran->status, status);
    assert_non_null(strstr(ran->out, out));
    assert_non_null(strstr(ran->err, err));
}

static void test_question(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran = LICHEN(CHAT, "--ctx", "64", "Once upon a time");
    assert_ran(&ran, 0, "", "tokens/s; context");
    assert_true(ran.out_size > 20);
    struct ran again = LICHEN(CHAT, "--ctx", "64", "--quiet", "-p", "Once upon a time");
    assert_string_equal(again.out, ran.out);
    assert_string_equal(again.err, "");
    ran_free(&again);
    again = LICHEN_INPUT("Once upon a time\n", CHAT, "--ctx", "64");
    assert_string_equal(again.out, ran.out);
    ran_free(&again);
    ran_free(&ran);
}

static void test_commands(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran = LICHEN_INPUT("/undo\n/regen\n/nothing\n/set temp hot\n/set nothing 1\n"
                                  "/set temp -1\n/set top-k 5\n/set\n/save\n/load /nonexistent\n"
                                  "/system Be brief\n/system\n/system -\n/stats\n/help\n/clear\n"
                                  "/exit\nnever read\n",
                                  CHAT, "--ctx", "64");
    assert_ran(&ran, 0, "", "there is nothing to take back");
    assert_ran(&ran, 0, "", "there is no answer to make again");
    assert_ran(&ran, 0, "", "/nothing: no such command");
    assert_ran(&ran, 0, "", "--temp: expected a number, found 'hot'");
    assert_ran(&ran, 0, "", "nothing: no such setting");
    assert_ran(&ran, 0, "", "top-k              5");
    assert_ran(&ran, 0, "", "which file?");
    assert_ran(&ran, 0, "", "/nonexistent: No such file");
    assert_ran(&ran, 0, "", "Be brief");
    assert_ran(&ran, 0, "", "process memory");
    assert_ran(&ran, 0, "", "/regen");
    assert_int_equal(ran.out_size, 0);
    ran_free(&ran);
}

static void test_turns(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran = LICHEN_INPUT("Once upon a time\n/save " OUT "/saved.json\n/undo\n/undo\n"
                                  "/load " OUT "/saved.json\n/regen\n",
                                  CHAT, "--ctx", "100");
    assert_ran(&ran, 0, "", "[2 messages in ");
    assert_ran(&ran, 0, "", "[taken back: Once upon a time]");
    assert_ran(&ran, 0, "", "[2 messages from ");
    size_t half = ran.out_size / 2; /* greedy: the second answer is the first */
    assert_int_equal(ran.out_size % 2, 0);
    assert_memory_equal(ran.out, ran.out + half, half);
    ran_free(&ran);
    struct stat status;
    assert_int_equal(stat(OUT "/saved.json", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    unlink(OUT "/saved.json");
}

/* The context is full: said, and never cut. */
static void test_full_context(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran = LICHEN(CHAT, "--ctx", "32", "Once upon a time");
    assert_ran(&ran, 0, "", "the context is full, so the answer ends here");
    ran_free(&ran);
    ran = LICHEN_INPUT("Once upon a time\nAnd then?\n", CHAT, "--ctx", "32");
    assert_ran(&ran, 1, "", "lichen: the conversation with this message takes ");
    ran_free(&ran);
    ran = LICHEN(CHAT, "--ctx", "4", "Once upon a time there was a red ball");
    assert_ran(&ran, 1, "", "nothing was cut");
    ran_free(&ran);
}

static void test_no_template(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran = LICHEN("chat", STORIES, "--device", "cpu", "hi there");
    assert_refused(&ran, 1, "no chat template");
    ran = LICHEN("chat", STORIES, "--device", "cpu", "hi there");
    assert_refused(&ran, 1, "lichen run --raw");
}

static void test_save_full_disk(void **state)
{
    (void)state;
    NEED_MODEL();
    file_put(OUT "/precious.txt", "mine", 4);
    struct ran ran = LICHEN_INPUT("/save /dev/full\n/save /nonexistent/x\n"
                                  "/save " OUT "/precious.txt\n",
                                  CHAT, "--ctx", "64");
    assert_ran(&ran, 0, "", "/dev/full: No space left on device");
    assert_ran(&ran, 0, "", "/nonexistent/x");
    assert_ran(&ran, 0, "", "precious.txt: exists and is not a saved chat");
    ran_free(&ran);
    assert_int_equal(count_files_with(OUT "/precious.txt", "mine"), 1);
}

/* What lichen plan says is what the chat then has, to the byte. */
static void test_plan_is_used(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran plan = LICHEN("plan", MODEL, "--device", "cpu", "--ctx", "64", "--json");
    assert_int_equal(plan.status, 0);
    const char *total = strstr(plan.out, "\"total\": ");
    assert_non_null(total);
    char bytes[64];
    snprintf(bytes, sizeof bytes, "(%llu bytes)", strtoull(total + 9, NULL, 10));
    struct ran ran = LICHEN_INPUT("/stats\n", CHAT, "--ctx", "64");
    assert_ran(&ran, 0, "", bytes);
    ran_free(&ran);
    ran_free(&plan);
}

/* What was typed is nowhere on the disk afterwards, at any verbosity. */
static void test_privacy(void **state)
{
    (void)state;
    NEED_MODEL();
    struct ran ran =
        LICHEN_INPUT("The zebra quixotic7341 sang\n", CHAT, "--ctx", "64", "--verbose");
    assert_int_equal(ran.status, 0);
    assert_null(strstr(ran.err, "quixotic7341"));
    ran_free(&ran);
    assert_int_equal(count_files_with(OUT "/home", "quixotic7341"), 0);
}

/* ---- on a terminal ---- */

static struct terminal terminal;

static void test_ctrl_c(void **state)
{
    (void)state;
    NEED_MODEL();
    terminal_start(&terminal, (const char *const[]){CHAT, "--ctx", "200000", NULL});
    size_t at = terminal_expect(&terminal, 0, "[0 %] > ");
    terminal_send(&terminal, "Once upon a time\n");
    at = terminal_expect(&terminal, at, "there was"); /* it streams */
    terminal_send(&terminal, "\003");
    at = terminal_expect(&terminal, at, "[stopped; ");
    at = terminal_expect(&terminal, at, "%] > "); /* the chat goes on */
    terminal_send(&terminal, "/stats\n");
    at = terminal_expect(&terminal, at, "answers   1");
    at = terminal_expect(&terminal, at, "%] > ");
    terminal_send(&terminal, "half a line\003");
    at = terminal_expect(&terminal, at, "Ctrl-D or /exit leaves");
    terminal_send(&terminal, "/exit\n");
    assert_int_equal(terminal_end(&terminal), 0);
}

static void test_leaving(void **state)
{
    (void)state;
    NEED_MODEL();
    terminal_start(&terminal, (const char *const[]){CHAT, "--ctx", "64", NULL});
    terminal_expect(&terminal, 0, "[0 %] > ");
    terminal_send(&terminal, "\004"); /* Ctrl-D */
    assert_int_equal(terminal_end(&terminal), 0);
    terminal_start(&terminal, (const char *const[]){CHAT, "--ctx", "64", NULL});
    terminal_expect(&terminal, 0, "[0 %] > ");
    terminal_send(&terminal, "\003");
    terminal_expect(&terminal, 0, "/exit leaves");
    terminal_send(&terminal, "\003");
    assert_int_equal(terminal_end(&terminal), 130);
}

static void test_history(void **state)
{
    (void)state;
    NEED_MODEL();
    unlink(OUT "/history");
    terminal_start(&terminal,
                   (const char *const[]){CHAT, "--ctx", "64", "--history", OUT "/history", NULL});
    size_t at = terminal_expect(&terminal, 0, "[0 %] > ");
    terminal_send(&terminal, "/set top-k 7\n");
    at = terminal_expect(&terminal, at, "%] > ");
    terminal_send(&terminal, "/exit\n");
    assert_int_equal(terminal_end(&terminal), 0);
    struct stat status;
    assert_int_equal(stat(OUT "/history", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    terminal_start(&terminal,
                   (const char *const[]){CHAT, "--ctx", "64", "--history", OUT "/history", NULL});
    at = terminal_expect(&terminal, 0, "[0 %] > ");
    terminal_send(&terminal, "\020\020"); /* Ctrl-P twice: the line before /exit */
    terminal_expect(&terminal, at, "top-k 7");
    terminal_send(&terminal, "\025\004"); /* Ctrl-U, Ctrl-D */
    assert_int_equal(terminal_end(&terminal), 0);
    unlink(OUT "/history");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question),     cmocka_unit_test(test_commands),
        cmocka_unit_test(test_turns),        cmocka_unit_test(test_full_context),
        cmocka_unit_test(test_no_template),  cmocka_unit_test(test_save_full_disk),
        cmocka_unit_test(test_plan_is_used), cmocka_unit_test(test_privacy),
        cmocka_unit_test(test_ctrl_c),       cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_history),
    };
    return cmocka_run_group_tests(tests, make_model, NULL);
}
