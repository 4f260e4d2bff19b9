/* test_parallel.c: every item once, in increasing order for each thread, whatever the team. */
#include "testing.h"

#include "parallel.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ITEMS = 1000, THREADS = 8 };

struct record {
    atomic_uint done[ITEMS];
    uint32_t last[THREADS]; /* item + 1 that each thread did last */
    atomic_uint errors;
    uint32_t thread_count;
};

static void note(void *context, uint32_t item, uint32_t thread)
{
    struct record *record = context;
    if (thread >= record->thread_count || item + 1 <= record->last[thread])
        atomic_fetch_add(&record->errors, 1);
    else
        record->last[thread] = item + 1;
    atomic_fetch_add(&record->done[item], 1);
}

static void check_team(uint32_t thread_count)
{
    struct parallel *team;
    struct fault fault = {0};
    assert_true(parallel_create(thread_count, &team, &fault));
    assert_int_equal(parallel_thread_count(team), thread_count);
    const uint32_t counts[] = {0, 1, 2, 7, ITEMS};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (int again = 0; again < 50; again++) {
            struct record *record = calloc(1, sizeof *record);
            record->thread_count = thread_count;
            parallel_for(team, counts[i], note, record);
            assert_int_equal(atomic_load(&record->errors), 0);
            for (uint32_t k = 0; k < ITEMS; k++)
                assert_int_equal(atomic_load(&record->done[k]), k < counts[i] ? 1 : 0);
            free(record);
        }
    }
    parallel_destroy(team);
}

static void test_every_item_once(void **state)
{
    (void)state;
    for (uint32_t thread_count = 1; thread_count <= THREADS; thread_count++)
        check_team(thread_count);
}

static void test_create_and_destroy(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct parallel *team;
        assert_true(parallel_create(4, &team, NULL));
        parallel_destroy(team);
    }
    parallel_destroy(NULL);
}

/* Fails the call that threads_left counts down to; the linker's --wrap puts it in between. */
static int threads_left = -1;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    if (threads_left >= 0 && threads_left-- == 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, run, argument);
}

/* The threads that there are must end, and nothing may leak (ASan looks). */
static void test_no_more_threads(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        struct parallel *team;
        struct fault fault = {0};
        threads_left = k;
        assert_false(parallel_create(4, &team, &fault));
        assert_null(team);
        assert_int_equal(fault.kind, FAULT_MEMORY);
    }
    threads_left = -1;
}

static void add(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    ((uint64_t *)context)[item] += item;
}

/* What one job writes the next one sees, whoever did it. */
static void test_jobs_see_each_other(void **state)
{
    (void)state;
    struct parallel *team;
    static uint64_t sums[100];
    assert_true(parallel_create(3, &team, NULL));
    for (int i = 0; i < 2000; i++)
        parallel_for(team, 100, add, sums);
    parallel_destroy(team);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(sums[i] == 2000 * i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_once),
        cmocka_unit_test(test_create_and_destroy),
        cmocka_unit_test(test_jobs_see_each_other),
        cmocka_unit_test(test_no_more_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
