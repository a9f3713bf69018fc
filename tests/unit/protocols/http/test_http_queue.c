#include "tests/unit/check.h"

#include "protocols/http/http_queue.h"

#include <stdlib.h>

static void add_numbers(HttpQueue *queue, size_t from, size_t n)
{
    uint8_t *numbers = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        numbers[i] = (uint8_t)((from + i) % 251);
    http_queue_add(queue, bytes(numbers, n));
    free(numbers);
}

/* Takes it all out by vectors; the numbers must follow one another. */
static void expect_numbers(HttpQueue *queue, size_t from, size_t n)
{
    assert_int_equal(queue->size, n);
    while (queue->size) {
        struct iovec vectors[3];
        size_t taken = 0;
        int used = http_queue_vectors(queue, vectors, 3, 10000);
        for (int i = 0; i < used; i++) {
            const uint8_t *at = vectors[i].iov_base;
            for (size_t k = 0; k < vectors[i].iov_len; k++)
                assert_int_equal(at[k], (from + taken + k) % 251);
            taken += vectors[i].iov_len;
        }
        assert_in_range(taken, 1, 10000);
        http_queue_drop(queue, taken - taken / 3);
        from += taken - taken / 3;
    }
    assert_null(queue->first);
}

static void what_goes_in_comes_out_in_order(void **state)
{
    static const size_t sizes[] = {1, 100, 999, 1000, 1001, 5000, 16384, 16385, 100000, 0, 7};
    HttpQueue queue = {0};
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        add_numbers(&queue, total, sizes[i]);
        total += sizes[i];
    }
    expect_numbers(&queue, 0, total);
}

static void moving_keeps_the_order_whatever_the_pieces(void **state)
{
    for (size_t piece = 1; piece < 20000; piece = piece * 3 + 1) {
        HttpQueue from = {0}, into = {0};
        add_numbers(&from, 0, 50000);
        while (from.size)
            http_queue_move(&into, &from, from.size < piece ? from.size : piece);
        assert_null(from.first);
        expect_numbers(&into, 0, 50000);
    }
}

static void a_whole_large_chunk_is_moved_and_not_copied(void **state)
{
    HttpQueue from = {0}, into = {0};
    add_numbers(&from, 0, HTTP_CHUNK_LARGEST);
    const HttpChunk *chunk = from.first;
    http_queue_move(&into, &from, HTTP_CHUNK_LARGEST);
    assert_ptr_equal(into.first, chunk);
    http_queue_clear(&into);
    assert_int_equal(into.size, 0);
}

static void a_chunk_has_room_for_what_was_asked(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 1001, 4072, 4073, HTTP_CHUNK_LARGEST, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        HttpChunk *chunk = http_chunk_take(sizes[i]);
        assert_true(chunk->capacity >= sizes[i]);
        assert_true(chunk->capacity <= HTTP_CHUNK_LARGEST || sizes[i] > HTTP_CHUNK_LARGEST);
        memset(chunk->data, 1, chunk->capacity);
        http_chunk_give(chunk);
    }
}

static void the_last_bytes_are_cut_off(void **state)
{
    HttpQueue queue = {0};
    http_queue_add(&queue, bytes_of("first"));
    http_queue_add(&queue, bytes_of("last"));
    http_queue_cut(&queue, 4);
    assert_int_equal(queue.size, 5);
    struct iovec vector;
    assert_int_equal(http_queue_vectors(&queue, &vector, 1, 100), 1);
    assert_int_equal(vector.iov_len, 5);
    http_queue_cut(&queue, 5);
    assert_int_equal(queue.size, 0);
    assert_null(queue.first);
    http_queue_add(&queue, bytes_of("again"));
    assert_int_equal(queue.size, 5);
    http_queue_clear(&queue);
}

static void what_a_queue_holds_moves_to_another_tally(void **state)
{
    Account account = {.held = 0};
    MemoryTally one = {.held = 0}, other = {.held = 0};
    tally_charge(&other, &account);
    HttpQueue queue = {.tally = &one};
    add_numbers(&queue, 0, 100000);
    int64_t held = one.held;
    assert_in_range(held, 100000, 145000);
    http_queue_count(&queue, &other);
    assert_int_equal(one.held, 0);
    assert_int_equal(other.held, held);
    assert_int_equal(account_held(&account), held);
    assert_int_equal(account_queued(&account), held);
    http_queue_clear(&queue);
    assert_int_equal(other.held, 0);
}

static void what_waits_for_an_instance_is_held_but_need_not_be_read_by_the_client(void **state)
{
    Account account = {.held = 0};
    MemoryTally tally = {.to_instance = true};
    tally_charge(&tally, &account);
    HttpQueue queue = {.tally = &tally};
    add_numbers(&queue, 0, 100000);
    assert_in_range(account_held(&account), 100000, 145000);
    assert_int_equal(account_queued(&account), 0);
    http_queue_clear(&queue);
    tally_charge(&tally, NULL);
    assert_int_equal(account_held(&account), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(moving_keeps_the_order_whatever_the_pieces),
        cmocka_unit_test(a_whole_large_chunk_is_moved_and_not_copied),
        cmocka_unit_test(a_chunk_has_room_for_what_was_asked),
        cmocka_unit_test(the_last_bytes_are_cut_off),
        cmocka_unit_test(what_a_queue_holds_moves_to_another_tally),
        cmocka_unit_test(what_waits_for_an_instance_is_held_but_need_not_be_read_by_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
