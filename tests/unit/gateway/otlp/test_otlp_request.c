#include "gateway/otlp/otlp_request.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/otlp/otlp_wire.h"

#include "tests/unit/check.h"

static void a_request_names_the_service_and_has_all_items(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer request = buffer_in(arena);
    Bytes items = bytes("\x12\x03xyz\x12\x01w", 8);
    otlp_request_write("gate", "node-1", items, &request);
    Bytes one = wire_find_bytes(buffer_bytes(&request), 1);
    Bytes scope = wire_find_bytes(one, 2);
    Bytes attribute = wire_find_bytes(wire_find_bytes(one, 1), 1); /* the last one */
    assert_bytes(wire_find_bytes(attribute, 1), "host.name");
    assert_bytes(wire_find_bytes(wire_find_bytes(attribute, 2), 1), "node-1");
    assert_bytes(wire_find_bytes(wire_find_bytes(scope, 1), 1), "passerelle");
    assert_bytes(wire_find_bytes(scope, OTLP_ITEM), "w");
    assert_memory_equal(request.data + request.size - items.size, items.data, items.size);
    arena_free(arena);
}

static void a_response_says_what_was_rejected(void **state)
{
    static const uint8_t partial[] = {0x0a, 6, 0x08, 3, 0x12, 2, 'n', 'o'};
    uint64_t rejected;
    Bytes why;
    assert_true(otlp_response_read(BYTES_NONE, &rejected, &why));
    assert_int_equal(rejected, 0);
    assert_true(otlp_response_read(bytes(partial, sizeof partial), &rejected, &why));
    assert_int_equal(rejected, 3);
    assert_bytes(why, "no");
    for (size_t size = 1; size < sizeof partial; size++)
        assert_false(otlp_response_read(bytes(partial, size), &rejected, &why));
}

/* A google.rpc.Status with a detail of this type. */
static int64_t delay_of(const char *type, uint64_t seconds, uint64_t part)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer status = buffer_in(arena);
    wire_add_number(&status, 1, 8); /* RESOURCE_EXHAUSTED */
    size_t any = otlp_begin(&status, 3);
    wire_add_bytes(&status, 1, bytes_of(type));
    size_t info = otlp_begin(&status, 2), duration = otlp_begin(&status, 1);
    wire_add_number(&status, 1, seconds);
    wire_add_number(&status, 2, part);
    otlp_end(&status, duration);
    otlp_end(&status, info);
    otlp_end(&status, any);
    int64_t delay = otlp_retry_delay(buffer_bytes(&status));
    arena_free(arena);
    return delay;
}

static void a_collector_says_how_long_it_wants_to_be_left_alone(void **state)
{
    static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
    assert_int_equal(delay_of(type, 7, 0), 7 * SECOND);
    assert_int_equal(delay_of(type, 0, 1), SECOND);
    assert_int_equal(delay_of(type, 3599, 0), 3599 * SECOND);
    assert_int_equal(delay_of(type, 3600, 1), 3600 * SECOND);
    assert_int_equal(delay_of(type, INT64_MAX, 0), 3600 * SECOND);
    assert_int_equal(delay_of(type, UINT64_MAX, 0), 0);
    assert_int_equal(delay_of("type.googleapis.com/google.rpc.Help", 7, 0), 0);
    assert_int_equal(otlp_retry_delay(BYTES_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_names_the_service_and_has_all_items),
        cmocka_unit_test(a_response_says_what_was_rejected),
        cmocka_unit_test(a_collector_says_how_long_it_wants_to_be_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
