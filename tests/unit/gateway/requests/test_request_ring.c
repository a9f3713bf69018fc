#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/requests/request_ring.h"

#include <stdio.h>
#include <string.h>

/* With its head of 16 bytes. */
enum { ENTRY = 40 };

static Bytes add(RequestRing *ring, const char *id, int64_t at)
{
    static char record[64];
    snprintf(record, sizeof record, "{\"request_id\":\"%s\"}", id);
    request_ring_add(ring, at, bytes_of(record));
    return bytes_of(record);
}

static bool has(const RequestRing *ring, const char *id)
{
    return request_ring_find(ring, bytes_of(id), 0).size > 0;
}

static void what_was_kept_is_found(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 1024);
    request_ring_add(&ring, 5, bytes_of("{\"request_id\":\"a\",\"n\":1}"));
    request_ring_add(&ring, 5, bytes_of("{\"request_id\":\"b\",\"n\":2}"));
    assert_bytes(request_ring_find(&ring, bytes_of("a"), 0), "{\"request_id\":\"a\",\"n\":1}");
    assert_bytes(request_ring_find(&ring, bytes_of("b"), 0), "{\"request_id\":\"b\",\"n\":2}");
    assert_false(has(&ring, "c"));
    request_ring_add(&ring, 5, bytes_of("{\"request_id\":\"a\",\"n\":3}"));
    assert_bytes(request_ring_find(&ring, bytes_of("a"), 0), "{\"request_id\":\"a\",\"n\":3}");
    request_ring_free(&ring);
}

static void a_value_that_looks_like_the_member_is_not_found(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 1024);
    request_ring_add(&ring, 5, bytes_of("{\"path\":\"\\\"request_id\\\":\\\"a\\\"\"}"));
    assert_int_equal(ring.n, 1);
    assert_false(has(&ring, "a"));
    request_ring_free(&ring);
}

static void what_is_too_old_is_not_found(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 1024);
    add(&ring, "a", 5);
    assert_true(request_ring_find(&ring, bytes_of("a"), 5).size > 0);
    assert_false(request_ring_find(&ring, bytes_of("a"), 6).size > 0);
    request_ring_free(&ring);
}

static void the_oldest_give_their_room(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 4 * ENTRY);
    const char *const ids[] = {"id0", "id1", "id2", "id3", "id4", "id5"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(add(&ring, ids[i], 0).size + 16, ENTRY - 4);
    assert_int_equal(ring.n, 4);
    assert_true(has(&ring, "id0"));
    add(&ring, ids[4], 0);
    assert_int_equal(ring.n, 4);
    assert_false(has(&ring, "id0"));
    assert_true(has(&ring, "id1"));
    add(&ring, ids[5], 0);
    assert_false(has(&ring, "id1"));
    assert_true(has(&ring, "id5"));
    request_ring_free(&ring);
}

static void a_record_of_more_than_a_quarter_is_left_out(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 4 * ENTRY);
    add(&ring, "id", 0);
    add(&ring, "longer7", 0); /* ends with the quarter */
    assert_int_equal(ring.n, 2);
    add(&ring, "longer78", 0);
    assert_int_equal(ring.n, 2);
    assert_true(has(&ring, "longer7"));
    request_ring_free(&ring);
}

static void without_room_nothing_is_kept(void **state)
{
    RequestRing ring;
    request_ring_init(&ring, 0);
    add(&ring, "id", 0);
    assert_false(has(&ring, "id"));
    request_ring_free(&ring);
}

/* Records of all sizes: the newest ones are there, in whole. */
static void records_of_all_sizes_come_back_whole(void **state)
{
    enum { SIZE = 4096, ROUNDS = 20000, KNOWN = 3, MOST = SIZE / 4 - 64 };
    Random random;
    random_seed_fixed(&random, 1);
    RequestRing ring;
    request_ring_init(&ring, SIZE);
    char ids[KNOWN][16], texts[KNOWN][SIZE / 4];
    for (int i = 0; i < ROUNDS; i++) {
        char *id = ids[i % KNOWN], *text = texts[i % KNOWN];
        int size = (int)random_below(&random, MOST);
        snprintf(id, sizeof ids[0], "id%d", i);
        snprintf(text, sizeof texts[0], "{\"request_id\":\"%s\",\"n\":\"%*d\"}", id, size, i);
        request_ring_add(&ring, 0, bytes_of(text));
        for (int k = 0; k < KNOWN && k <= i; k++)
            assert_bytes(request_ring_find(&ring, bytes_of(ids[k]), 0), texts[k]);
    }
    request_ring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found),
        cmocka_unit_test(a_value_that_looks_like_the_member_is_not_found),
        cmocka_unit_test(what_is_too_old_is_not_found),
        cmocka_unit_test(the_oldest_give_their_room),
        cmocka_unit_test(a_record_of_more_than_a_quarter_is_left_out),
        cmocka_unit_test(without_room_nothing_is_kept),
        cmocka_unit_test(records_of_all_sizes_come_back_whole),
    };
    return cmocka_run_group_tests_name("request_ring", tests, NULL, NULL);
}
