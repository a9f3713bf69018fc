#include "tests/unit/check.h"

#include "adapters/schema/wire.h"
#include "gateway/discovery/etcd_messages.h"

static Arena *arena;
static Buffer out;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    out = buffer_in(arena);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static uint64_t number_of(Bytes message, uint32_t number)
{
    uint64_t value = 0;
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);)
        if (f.number == number && f.type == WIRE_VARINT)
            value = f.value;
    assert_false(reader.bad);
    return value;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void assert_end(const char *prefix, size_t size, const char *end, size_t end_size)
{
    out = buffer_in(arena);
    etcd_add_range(&out, bytes(prefix, size), BYTES_NONE, 0, 10);
    Bytes found = wire_find_bytes(buffer_bytes(&out), 2);
    assert_int_equal(found.size, end_size);
    assert_memory_equal(found.data, end, end_size);
}

static void a_range_ends_before_the_first_key_without_the_prefix(void **state)
{
    assert_end("/orders/", 8, "/orders0", 8);
    assert_end("a\xff", 2, "b", 1);
    assert_end("a\xfe\xff\xff", 4, "a\xff", 2);
    assert_end("\xff\xff", 2, "\0", 1);
    assert_end("", 0, "\0", 1);
}

static void a_page_begins_after_the_last_key_of_the_one_before_and_is_of_its_revision(void **state)
{
    etcd_add_range(&out, bytes_of("/o/"), BYTES_NONE, 0, 1000);
    Bytes first = buffer_bytes(&out);
    assert_bytes(wire_find_bytes(first, 1), "/o/");
    assert_int_equal(number_of(first, 3), 1000);
    assert_int_equal(number_of(first, 4), 0);
    out = buffer_in(arena);
    etcd_add_range(&out, bytes_of("/o/"), bytes_of("/o/a"), 77, 1000);
    Bytes next = buffer_bytes(&out), key = wire_find_bytes(next, 1);
    assert_int_equal(key.size, 5);
    assert_memory_equal(key.data, "/o/a\0", 5);
    assert_bytes(wire_find_bytes(next, 2), "/o0");
    assert_int_equal(number_of(next, 4), 77);
}

static void a_watch_is_from_a_revision_on_with_notice_of_progress_and_in_parts(void **state)
{
    etcd_add_watch(&out, bytes_of("/o/"), 78);
    Bytes create = wire_find_bytes(buffer_bytes(&out), 1);
    assert_bytes(wire_find_bytes(create, 1), "/o/");
    assert_bytes(wire_find_bytes(create, 2), "/o0");
    assert_int_equal(number_of(create, 3), 78);
    assert_int_equal(number_of(create, 4), 1);
    assert_int_equal(number_of(create, 8), 1);
    out = buffer_in(arena);
    etcd_add_progress(&out);
    assert_int_equal(out.size, 2);
    assert_memory_equal(out.data, "\x1a\x00", 2);
}

static void a_login_has_the_name_and_the_password(void **state)
{
    etcd_add_authenticate(&out, bytes_of("gateway"), bytes_of("secret"));
    assert_bytes(wire_find_bytes(buffer_bytes(&out), 1), "gateway");
    assert_bytes(wire_find_bytes(buffer_bytes(&out), 2), "secret");
}

/* ---- Responses ------------------------------------------------------------------------------- */

static void add_header(Buffer *message, uint64_t revision)
{
    Buffer header = buffer_in(arena);
    wire_add_number(&header, 1, 12345); /* the cluster */
    wire_add_number(&header, 3, revision);
    wire_add_bytes(message, 1, buffer_bytes(&header));
}

static Bytes pair(const char *key, const char *value)
{
    Buffer text = buffer_in(arena);
    wire_add_bytes(&text, 1, bytes_of(key));
    wire_add_number(&text, 3, 9); /* its revision */
    if (value)
        wire_add_bytes(&text, 5, bytes_of(value));
    return buffer_bytes(&text);
}

static void add_event(Buffer *message, bool gone, const char *key, const char *value)
{
    Buffer event = buffer_in(arena);
    if (gone)
        wire_add_number(&event, 1, 1);
    wire_add_bytes(&event, 2, pair(key, value));
    wire_add_bytes(message, 11, buffer_bytes(&event));
}

static void a_range_has_its_pairs_and_the_revision_of_the_store(void **state)
{
    EtcdRange range;
    add_header(&out, 42);
    wire_add_bytes(&out, 2, pair("/o/a", "one"));
    wire_add_bytes(&out, 2, pair("/o/b", NULL));
    assert_ok(arena, etcd_read_range(arena, buffer_bytes(&out), &range));
    assert_int_equal(range.revision, 42);
    assert_int_equal(range.n, 2);
    assert_bytes(range.pairs[0].key, "/o/a");
    assert_bytes(range.pairs[0].value, "one");
    assert_bytes(range.pairs[1].key, "/o/b");
    assert_int_equal(range.pairs[1].value.size, 0);
    assert_false(range.more);
    wire_add_number(&out, 3, 1);
    assert_ok(arena, etcd_read_range(arena, buffer_bytes(&out), &range));
    assert_true(range.more);
}

static void more_after_nothing_is_refused(void **state)
{
    EtcdRange range;
    add_header(&out, 42);
    wire_add_number(&out, 3, 1);
    assert_fault(etcd_read_range(arena, buffer_bytes(&out), &range), FAULT_UPSTREAM_MESSAGE);
}

static void events_put_and_delete(void **state)
{
    EtcdEvents events;
    add_header(&out, 43);
    add_event(&out, false, "/o/a", "one");
    add_event(&out, true, "/o/b", NULL);
    assert_ok(arena, etcd_read_events(arena, buffer_bytes(&out), &events));
    assert_int_equal(events.n, 2);
    assert_false(events.pairs[0].gone);
    assert_bytes(events.pairs[0].value, "one");
    assert_true(events.pairs[1].gone);
    assert_bytes(events.pairs[1].key, "/o/b");
    assert_int_equal(events.revision, 43);
    assert_false(events.created || events.canceled || events.fragment);
    wire_add_number(&out, 7, 1);
    assert_ok(arena, etcd_read_events(arena, buffer_bytes(&out), &events));
    assert_true(events.fragment);
}

static void a_watch_says_that_it_has_begun_or_why_it_ends(void **state)
{
    EtcdEvents events;
    wire_add_number(&out, 3, 1);
    assert_ok(arena, etcd_read_events(arena, buffer_bytes(&out), &events));
    assert_true(events.created);
    out = buffer_in(arena);
    wire_add_number(&out, 4, 1);
    wire_add_number(&out, 5, 500);
    wire_add_bytes(&out, 6, bytes_of("compacted"));
    assert_ok(arena, etcd_read_events(arena, buffer_bytes(&out), &events));
    assert_true(events.canceled);
    assert_int_equal(events.compacted, 500);
    assert_bytes(events.reason, "compacted");
}

static void a_token_goes_into_a_header_field(void **state)
{
    Bytes token;
    wire_add_bytes(&out, 2, bytes_of("abc.17"));
    assert_ok(arena, etcd_read_token(arena, buffer_bytes(&out), &token));
    assert_bytes(token, "abc.17");
    const char *wrong[] = {"", "a b", "a\nb", "a\x7f"};
    for (int i = 0; i < 4; i++) {
        out = buffer_in(arena);
        wire_add_bytes(&out, 2, bytes_of(wrong[i]));
        assert_fault(etcd_read_token(arena, buffer_bytes(&out), &token), FAULT_UPSTREAM_MESSAGE);
    }
}

static void what_is_cut_is_refused(void **state)
{
    EtcdRange range;
    EtcdEvents events;
    wire_add_bytes(&out, 2, pair("/o/a", "one"));
    for (size_t size = 1; size < out.size; size++)
        assert_fault(etcd_read_range(arena, bytes(out.data, size), &range), FAULT_UPSTREAM_MESSAGE);
    out = buffer_in(arena);
    add_event(&out, true, "/o/a", "one");
    for (size_t size = 1; size < out.size; size++)
        assert_fault(etcd_read_events(arena, bytes(out.data, size), &events),
                     FAULT_UPSTREAM_MESSAGE);
}

static void a_pair_without_a_key_is_refused(void **state)
{
    EtcdRange range;
    EtcdEvents events;
    wire_add_bytes(&out, 2, BYTES_NONE);
    assert_fault(etcd_read_range(arena, buffer_bytes(&out), &range), FAULT_UPSTREAM_MESSAGE);
    out = buffer_in(arena);
    wire_add_bytes(&out, 11, BYTES_NONE);
    assert_fault(etcd_read_events(arena, buffer_bytes(&out), &events), FAULT_UPSTREAM_MESSAGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_range_ends_before_the_first_key_without_the_prefix),
        TEST(a_page_begins_after_the_last_key_of_the_one_before_and_is_of_its_revision),
        TEST(a_watch_is_from_a_revision_on_with_notice_of_progress_and_in_parts),
        TEST(a_login_has_the_name_and_the_password),
        TEST(a_range_has_its_pairs_and_the_revision_of_the_store),
        TEST(more_after_nothing_is_refused),
        TEST(events_put_and_delete),
        TEST(a_watch_says_that_it_has_begun_or_why_it_ends),
        TEST(a_token_goes_into_a_header_field),
        TEST(what_is_cut_is_refused),
        TEST(a_pair_without_a_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
