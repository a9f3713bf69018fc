#include "tests/unit/check.h"

#include "base/blocks.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

static void a_block_has_its_size_and_is_aligned(void **state)
{
    for (int size = 0; size < BLOCK_SIZES; size++) {
        void *block = block_take((BlockSize)size);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, 1, block_bytes[size]);
        block_give((BlockSize)size, block);
    }
}

static void sizes_are_rounded_to_those_of_the_allocator(void **state)
{
    static const size_t rows[][2] = {
        {65, 80},         {4096, 4096},     {4097, 5120},       {16384 + 64, 20480},
        {65536, 65536},   {65537, 81920},   {81920, 81920},     {81921, 98304},
        {114689, 131072}, {131072, 131072}, {1 << 20, 1 << 20}, {(1 << 20) + 1, 5 << 18},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(block_rounded(rows[i][0]), rows[i][1]);
    for (int size = 0; size < BLOCK_SIZES; size++)
        assert_int_equal(block_rounded(block_bytes[size]), block_bytes[size]);
}

static void blocks_in_use_are_different_ones(void **state)
{
    enum { MANY = 500 }; /* more than a thread keeps */
    uint32_t *blocks[MANY];
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            blocks[i] = block_take(BLOCK_SMALL);
            *blocks[i] = i;
        }
        for (uint32_t i = 0; i < MANY; i++)
            assert_int_equal(*blocks[i], i);
        for (uint32_t i = 0; i < MANY; i++)
            block_give(BLOCK_SMALL, blocks[i]);
    }
}

static void *take_and_give(void *given)
{
    block_give(BLOCK_MEDIUM, given);
    void *block = block_take(BLOCK_MEDIUM);
    block_give(BLOCK_LARGE, block_take(BLOCK_LARGE));
    return block;
}

static void a_block_may_be_given_back_by_another_thread(void **state)
{
    pthread_t thread;
    void *block;
    assert_int_equal(pthread_create(&thread, NULL, take_and_give, block_take(BLOCK_MEDIUM)), 0);
    assert_int_equal(pthread_join(thread, &block), 0);
    memset(block, 1, block_bytes[BLOCK_MEDIUM]);
    block_give(BLOCK_MEDIUM, block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_has_its_size_and_is_aligned),
        cmocka_unit_test(sizes_are_rounded_to_those_of_the_allocator),
        cmocka_unit_test(blocks_in_use_are_different_ones),
        cmocka_unit_test(a_block_may_be_given_back_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
