#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/tls/ticket_keys.h"

#define HOUR (3600 * SECOND)

static TicketKeys keys;
static uint8_t random[TICKET_RANDOM];

/* As the process does it with each ticket; each key has other bytes. */
static void pass(int64_t now)
{
    ticket_keys_forget(&keys, now, HOUR);
    if (!ticket_keys_are_due(&keys, now, HOUR))
        return;
    random[0]++;
    ticket_keys_add(&keys, now, random);
}

static int fresh(void **state)
{
    keys = (TicketKeys){.n = 0};
    memset(random, 0, sizeof random);
    return 0;
}

static bool has(uint8_t number)
{
    uint8_t name[TICKET_NAME] = {number};
    return ticket_keys_find(&keys, name) != NULL;
}

static void a_key_seals_for_one_period_and_opens_for_two_more(void **state)
{
    pass(0);
    assert_int_equal(keys.n, 1);
    pass(HOUR - 1);
    assert_int_equal(keys.n, 1);
    pass(HOUR);
    assert_int_equal(keys.n, 2);
    assert_int_equal(keys.keys[0].name[0], 2);
    pass(2 * HOUR);
    pass(3 * HOUR - 1);
    assert_true(has(1) && has(2) && has(3));
    pass(3 * HOUR);
    assert_false(has(1));
    assert_true(has(2) && has(3) && has(4));
}

static void keys_do_not_outlive_three_periods_in_which_nobody_came(void **state)
{
    pass(0);
    pass(100 * HOUR);
    assert_int_equal(keys.n, 1);
    assert_false(has(1));
    assert_true(has(2));
}

static void what_is_forgotten_is_wiped(void **state)
{
    static const TicketKey nothing;
    memset(random, 7, sizeof random);
    pass(0);
    ticket_keys_forget(&keys, 3 * HOUR, HOUR);
    assert_int_equal(keys.n, 0);
    assert_memory_equal(&keys.keys[0], &nothing, sizeof nothing);
}

static void a_clock_that_was_set_back_gets_a_new_key(void **state)
{
    pass(10 * HOUR);
    pass(HOUR);
    assert_int_equal(keys.n, 2);
    assert_int_equal(keys.keys[0].made, HOUR);
    assert_true(has(1));
}

static void the_parts_of_a_key_are_different_random_bytes(void **state)
{
    for (int i = 0; i < TICKET_RANDOM; i++)
        random[i] = (uint8_t)i;
    ticket_keys_add(&keys, 0, random);
    assert_memory_equal(keys.keys[0].name, random, 16);
    assert_memory_equal(keys.keys[0].cipher, random + 16, 32);
    assert_memory_equal(keys.keys[0].mac, random + 48, 32);
}

static void keys_are_handed_over(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int64_t hour = 0; hour < 3; hour++)
        pass(hour * HOUR);
    Buffer out = buffer_in(arena);
    ticket_keys_write(&keys, &out);
    TicketKeys other = {.n = 0};
    assert_true(ticket_keys_read(buffer_bytes(&out), &other));
    assert_int_equal(other.n, 3);
    assert_memory_equal(other.keys, keys.keys, sizeof keys.keys);
    arena_free(arena);
}

static void other_bytes_are_no_keys_and_change_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    pass(0);
    Buffer out = buffer_in(arena);
    ticket_keys_write(&keys, &out);
    Bytes good = buffer_bytes(&out);
    TicketKeys other = {.n = 0};
    for (size_t size = 0; size < good.size; size++)
        if (size != 8) /* none at all */
            assert_false(ticket_keys_read(bytes(good.data, size), &other));
    for (int i = 0; i < 3; i++)
        buffer_add(&out, keys.keys, sizeof keys.keys[0]);
    assert_false(ticket_keys_read(buffer_bytes(&out), &other)); /* four are too many */
    out.data[0]++;
    assert_false(ticket_keys_read(bytes(out.data, good.size), &other));
    assert_int_equal(other.n, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_key_seals_for_one_period_and_opens_for_two_more, fresh),
        cmocka_unit_test_setup(keys_do_not_outlive_three_periods_in_which_nobody_came, fresh),
        cmocka_unit_test_setup(what_is_forgotten_is_wiped, fresh),
        cmocka_unit_test_setup(a_clock_that_was_set_back_gets_a_new_key, fresh),
        cmocka_unit_test_setup(the_parts_of_a_key_are_different_random_bytes, fresh),
        cmocka_unit_test_setup(keys_are_handed_over, fresh),
        cmocka_unit_test_setup(other_bytes_are_no_keys_and_change_nothing, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
