#include "tests/unit/check.h"

#include "gateway/profile/tick_ring.h"

#include <pthread.h>
#include <stdlib.h>

static void samples_come_out_in_the_order_of_their_beginning(void **state)
{
    TickRing *ring = tick_ring_new();
    assert_null(tick_take(ring));
    Tick *first = tick_begin(ring), *second = tick_begin(ring);
    first->thread = 1;
    second->thread = 2;
    tick_end(second);
    assert_null(tick_take(ring)); /* the first one is not whole */
    tick_end(first);
    for (uint32_t i = 1; i <= 2; i++) {
        Tick *tick = tick_take(ring);
        assert_int_equal(tick->thread, i);
        tick_give_back(ring, tick);
    }
    assert_null(tick_take(ring));
    free(ring);
}

static void what_finds_no_room_is_counted(void **state)
{
    TickRing *ring = tick_ring_new();
    for (int i = 0; i < TICK_SLOTS; i++)
        tick_end(tick_begin(ring));
    assert_int_equal(ring->n_lost, 0);
    assert_null(tick_begin(ring));
    assert_int_equal(ring->n_lost, 1);
    tick_give_back(ring, tick_take(ring));
    assert_non_null(tick_begin(ring));
    assert_null(tick_begin(ring));
    assert_int_equal(ring->n_lost, 2);
    free(ring);
}

enum { THREADS = 4, EACH = 20000 };

static void *write_many(void *argument)
{
    TickRing *ring = argument;
    for (uint32_t i = 0; i < EACH; i++) {
        Tick *tick = tick_begin(ring);
        if (!tick)
            continue;
        tick->n = i;
        tick->frames[0] = tick->frames[UNWIND_DEPTH - 1] = i;
        tick_end(tick);
    }
    return NULL;
}

static void no_sample_of_several_threads_is_mixed_with_another(void **state)
{
    TickRing *ring = tick_ring_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, ring), 0);
    uint64_t n = 0, mixed = 0;
    while (n + atomic_load(&ring->n_lost) < THREADS * EACH) {
        Tick *tick = tick_take(ring);
        if (!tick)
            continue;
        mixed += tick->frames[0] != tick->n || tick->frames[UNWIND_DEPTH - 1] != tick->n;
        n++;
        tick_give_back(ring, tick);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_null(tick_take(ring));
    assert_true(n > 0);
    assert_int_equal(mixed, 0);
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_out_in_the_order_of_their_beginning),
        cmocka_unit_test(what_finds_no_room_is_counted),
        cmocka_unit_test(no_sample_of_several_threads_is_mixed_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
