#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/loop/fair_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITS = 300 };

static FairQueue queue;
static FairWait waits[WAITS];
static char owner[WAITS]; /* 'A', 'B', ... of each */
static int n_waits;

static IpAddress ip(const char *text)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(text), &address));
    return address;
}

static IpAddress client(char name)
{
    char text[IP_TEXT_SIZE];
    snprintf(text, sizeof(text), "10.0.0.%d", name);
    return ip(text);
}

/* A wait for each letter, in this order. */
static void add(const char *names)
{
    for (; *names; names++) {
        IpAddress address = client(*names);
        owner[n_waits] = *names;
        fair_queue_add(&queue, &waits[n_waits], &address, n_waits);
        n_waits++;
    }
}

static char take(void)
{
    FairWait *next = fair_queue_next(&queue);
    FairWait *wait = fair_queue_take(&queue);
    assert_ptr_equal(next, wait);
    if (!wait)
        return '-';
    return owner[wait - waits];
}

static void assert_taken(const char *expected)
{
    for (; *expected; expected++)
        assert_int_equal(take(), *expected);
}

static int fresh(void **state)
{
    queue = (FairQueue){.n = 0};
    n_waits = 0;
    return 0;
}

static int used(void **state)
{
    while (fair_queue_take(&queue))
        continue;
    assert_null(queue.clients);
    return 0;
}

static void clients_take_turns(void **state)
{
    add("AAAABBC");
    assert_int_equal(queue.n, 7);
    assert_int_equal(queue.n_clients, 3);
    assert_taken("ABCABAA-");
    assert_int_equal(queue.n, 0);
    assert_null(queue.oldest);
}

static void the_waits_of_one_client_come_in_their_order(void **state)
{
    add("AAA");
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(fair_queue_take(&queue), &waits[i]);
}

static void who_comes_late_waits_for_one_turn_of_each(void **state)
{
    add("AAAABBBB");
    assert_taken("AB");
    add("C");
    assert_taken("ABCAB");
}

static void who_leaves_is_passed_over(void **state)
{
    add("AABBC");
    fair_queue_remove(&queue, &waits[2]);
    fair_queue_remove(&queue, &waits[4]);
    assert_false(fair_waits(&waits[4]));
    assert_true(fair_waits(&waits[3]));
    assert_taken("ABA-");
}

static void the_turn_of_one_who_leaves_is_the_next_ones(void **state)
{
    add("ABC");
    fair_queue_remove(&queue, &waits[0]);
    assert_taken("BC-");
}

static void the_oldest_is_known_whoever_left(void **state)
{
    add("ABCA");
    assert_ptr_equal(queue.oldest, &waits[0]);
    fair_queue_remove(&queue, &waits[1]);
    assert_taken("A");
    assert_ptr_equal(queue.oldest, &waits[2]);
    assert_int_equal(queue.oldest->since, 2);
    assert_taken("C");
    assert_ptr_equal(queue.oldest, &waits[3]);
    assert_ptr_equal(queue.youngest, &waits[3]);
}

static void who_has_the_most_gives_way(void **state)
{
    assert_null(fair_queue_most(&queue));
    add("AAABBBBC");
    assert_ptr_equal(fair_queue_most(&queue), &waits[6]);
    fair_queue_remove(&queue, &waits[6]);
    fair_queue_remove(&queue, &waits[3]);
    assert_ptr_equal(fair_queue_most(&queue), &waits[2]);
}

static void of_those_that_have_the_same_the_one_whose_turn_it_is_gives_way(void **state)
{
    add("AABB");
    assert_ptr_equal(fair_queue_most(&queue), &waits[1]);
    assert_taken("AB");
    add("AB");
    assert_ptr_equal(fair_queue_most(&queue), &waits[4]);
}

static void where_each_has_one_the_youngest_gives_way(void **state)
{
    add("ABC");
    assert_ptr_equal(fair_queue_most(&queue), &waits[2]);
    add("A");
    assert_ptr_equal(fair_queue_most(&queue), &waits[3]);
}

static void a_client_is_an_ipv4_address_or_the_network_of_an_ipv6_one(void **state)
{
    static const char *const pairs[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
                                           {"2001:db8:1:2::9", "2001:db8:1:2::"},
                                           {"2001:db8:1:2:ffff::", "2001:db8:1:2::"},
                                           {"2001:db8:1:ff::", "2001:db8:1:ff::"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        IpAddress address = ip(pairs[i][0]), expected = ip(pairs[i][1]);
        IpAddress is = fair_client_of(&address);
        assert_memory_equal(is.bytes, expected.bytes, 16);
    }
    IpAddress none = {.known = false, .bytes = {1}}, zero = {.known = false};
    none = fair_client_of(&none);
    assert_memory_equal(none.bytes, zero.bytes, 16);
}

/* ---- Against a slow twin: a list of all, and whose turn came when ---------------------------- */

enum { NAMES = 6 };

static char twin[WAITS];   /* who waits, in the order of coming */
static int twin_at[WAITS]; /* the wait */
static int n_twin;
static char ring[NAMES]; /* clients in the order of their turns */
static int n_ring;

static void ring_remove(char name)
{
    char *at = memchr(ring, name, (size_t)n_ring);
    memmove(at, at + 1, (size_t)(ring + n_ring - at - 1));
    n_ring--;
}

static void twin_remove(int i)
{
    char name = twin[i];
    memmove(twin + i, twin + i + 1, (size_t)(n_twin - i - 1));
    memmove(twin_at + i, twin_at + i + 1, (size_t)(n_twin - i - 1) * sizeof(twin_at[0]));
    n_twin--;
    if (!memchr(twin, name, (size_t)n_twin))
        ring_remove(name);
}

static int twin_take(void)
{
    if (n_twin == 0)
        return -1;
    char name = ring[0];
    ring_remove(name);
    ring[n_ring++] = name;
    int i = (int)((char *)memchr(twin, name, (size_t)n_twin) - twin), taken = twin_at[i];
    twin_remove(i);
    return taken;
}

static void it_does_what_a_list_does(void **state)
{
    Random random;
    random_seed_fixed(&random, 7);
    for (int round = 0; round < 200; round++) {
        n_waits = n_twin = n_ring = 0;
        while (n_waits < WAITS) {
            uint64_t what = random_below(&random, 10);
            if (what < 5) {
                char name[2] = {(char)('A' + random_below(&random, NAMES)), '\0'};
                if (!memchr(ring, name[0], (size_t)n_ring))
                    ring[n_ring++] = name[0];
                twin[n_twin] = name[0];
                twin_at[n_twin++] = n_waits;
                add(name);
            } else if (what < 8) {
                FairWait *taken = fair_queue_take(&queue);
                assert_int_equal(taken ? taken - waits : -1, twin_take());
            } else if (n_twin > 0) {
                int i = (int)random_below(&random, (uint64_t)n_twin);
                fair_queue_remove(&queue, &waits[twin_at[i]]);
                twin_remove(i);
            }
            assert_int_equal(queue.n, n_twin);
            assert_int_equal(queue.n_clients, n_ring);
            assert_ptr_equal(queue.oldest, n_twin ? &waits[twin_at[0]] : NULL);
        }
        used(NULL);
    }
}

static bool is_not(void *name, const IpAddress *address)
{
    IpAddress barred = client(*(const char *)name);
    return !ip_equal(address, &barred);
}

static void who_may_not_be_served_is_passed_over_and_keeps_its_waits(void **state)
{
    char barred = 'A', other = 'B';
    add("AABC");
    for (const char *expected = "BC"; *expected; expected++) {
        FairWait *wait = fair_queue_take_from(&queue, is_not, &barred);
        assert_non_null(wait);
        assert_int_equal(owner[wait - waits], *expected);
    }
    assert_null(fair_queue_take_from(&queue, is_not, &barred));
    assert_int_equal(queue.n, 2);
    for (int i = 0; i < 2; i++)
        assert_ptr_equal(fair_queue_take_from(&queue, is_not, &other), &waits[i]);
    assert_null(fair_queue_take_from(&queue, is_not, &other));
}

#define queue_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(clients_take_turns),
        queue_test(who_may_not_be_served_is_passed_over_and_keeps_its_waits),
        queue_test(the_waits_of_one_client_come_in_their_order),
        queue_test(who_comes_late_waits_for_one_turn_of_each),
        queue_test(who_leaves_is_passed_over),
        queue_test(the_turn_of_one_who_leaves_is_the_next_ones),
        queue_test(the_oldest_is_known_whoever_left),
        queue_test(who_has_the_most_gives_way),
        queue_test(of_those_that_have_the_same_the_one_whose_turn_it_is_gives_way),
        queue_test(where_each_has_one_the_youngest_gives_way),
        queue_test(a_client_is_an_ipv4_address_or_the_network_of_an_ipv6_one),
        queue_test(it_does_what_a_list_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
