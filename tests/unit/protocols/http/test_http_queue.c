#include "tests/unit/check.h"

#include "protocols/http/http_queue.h"

#include <stdlib.h>

static void add_numbers(HttpQueue *queue, HttpChunkPool *pool, size_t from, size_t n)
{
    uint8_t *numbers = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        numbers[i] = (uint8_t)((from + i) % 251);
    http_queue_add(queue, pool, bytes(numbers, n));
    free(numbers);
}

/* Takes it all out by vectors; the numbers must follow one another. */
static void expect_numbers(HttpQueue *queue, HttpChunkPool *pool, size_t from, size_t n)
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
        http_queue_drop(queue, pool, taken - taken / 3);
        from += taken - taken / 3;
    }
    assert_null(queue->first);
}

static void what_goes_in_comes_out_in_order(void **state)
{
    static const size_t sizes[] = {1, 100, 999, 1000, 1001, 5000, 16384, 16385, 100000, 0, 7};
    HttpChunkPool pool = {0};
    HttpQueue queue = {0};
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        add_numbers(&queue, &pool, total, sizes[i]);
        total += sizes[i];
    }
    expect_numbers(&queue, &pool, 0, total);
    http_chunk_pool_trim(&pool, 0);
}

static void moving_keeps_the_order_whatever_the_pieces(void **state)
{
    for (size_t piece = 1; piece < 20000; piece = piece * 3 + 1) {
        HttpChunkPool pool = {0};
        HttpQueue from = {0}, into = {0};
        add_numbers(&from, &pool, 0, 50000);
        while (from.size)
            http_queue_move(&into, &from, &pool, from.size < piece ? from.size : piece);
        assert_null(from.first);
        expect_numbers(&into, &pool, 0, 50000);
        http_chunk_pool_trim(&pool, 0);
    }
}

static void a_whole_large_chunk_is_moved_and_not_copied(void **state)
{
    HttpChunkPool pool = {0};
    HttpQueue from = {0}, into = {0};
    add_numbers(&from, &pool, 0, HTTP_CHUNK_LARGEST);
    const HttpChunk *chunk = from.first;
    http_queue_move(&into, &from, &pool, HTTP_CHUNK_LARGEST);
    assert_ptr_equal(into.first, chunk);
    http_queue_clear(&into, &pool);
    assert_int_equal(into.size, 0);
    http_chunk_pool_trim(&pool, 0);
}

static void chunks_are_used_again_and_spare_ones_bounded(void **state)
{
    HttpChunkPool pool = {0};
    HttpQueue queue = {0};
    HttpChunk *chunk = http_chunk_take(&pool, 100);
    http_chunk_give(&pool, chunk);
    assert_ptr_equal(http_chunk_take(&pool, 100), chunk);
    http_chunk_give(&pool, chunk);
    for (int i = 0; i < 50; i++)
        add_numbers(&queue, &pool, 0, 100000);
    http_queue_clear(&queue, &pool);
    assert_in_range(pool.n[HTTP_CHUNK_CLASSES - 1], 1, 16);
    http_chunk_pool_trim(&pool, 1);
    assert_int_equal(pool.n[0], 1);
    assert_int_equal(pool.n[HTTP_CHUNK_CLASSES - 1], 0);
    http_chunk_pool_trim(&pool, 0);
}

static void more_than_the_largest_chunk_can_be_had_for_the_occasion(void **state)
{
    HttpChunkPool pool = {0};
    HttpChunk *chunk = http_chunk_take(&pool, 100000);
    assert_true(chunk->capacity >= 100000);
    http_chunk_give(&pool, chunk);
    for (int i = 0; i < HTTP_CHUNK_CLASSES; i++)
        assert_int_equal(pool.n[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(moving_keeps_the_order_whatever_the_pieces),
        cmocka_unit_test(a_whole_large_chunk_is_moved_and_not_copied),
        cmocka_unit_test(chunks_are_used_again_and_spare_ones_bounded),
        cmocka_unit_test(more_than_the_largest_chunk_can_be_had_for_the_occasion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
