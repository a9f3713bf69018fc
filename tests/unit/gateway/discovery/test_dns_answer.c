#include "tests/unit/check.h"

#include "gateway/discovery/dns_answer.h"

#include <stdio.h>

/* A response, put together by the test. */
static uint8_t response[2048];
static size_t size;
static Arena *arena;
static DnsAnswer answer;

static void add(const void *data, size_t n)
{
    assert_true(size + n <= sizeof response);
    memcpy(response + size, data, n);
    size += n;
}

#define ADD(...)                                                                                   \
    do {                                                                                           \
        const uint8_t bytes_[] = {__VA_ARGS__};                                                    \
        add(bytes_, sizeof bytes_);                                                                \
    } while (0)

enum { QUESTION = 12 }; /* where its name is */

/* The head, and the question "a.test". */
static void begin(uint16_t type, uint8_t n_answers)
{
    size = 0;
    ADD(0, 7, 0x84, 0, 0, 1, 0, n_answers, 0, 0, 0, 0);
    ADD(1, 'a', 4, 't', 'e', 's', 't', 0, 0, (uint8_t)type, 0, 1);
}

/* The head of a record of that name. */
static void record(uint16_t type, uint32_t ttl, uint16_t length)
{
    ADD(0xc0, QUESTION, 0, (uint8_t)type, 0, 1, (uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16),
        (uint8_t)(ttl >> 8), (uint8_t)ttl, (uint8_t)(length >> 8), (uint8_t)length);
}

static void srv(uint32_t ttl, uint8_t priority, uint16_t weight, uint16_t port, char target)
{
    record(DNS_SRV, ttl, 14);
    ADD(0, priority, (uint8_t)(weight >> 8), (uint8_t)weight, (uint8_t)(port >> 8), (uint8_t)port);
    ADD(1, (uint8_t)target, 4, 't', 'e', 's', 't', 0);
}

static Result read(uint16_t type)
{
    return dns_answer_read(arena, bytes(response, size), type, &answer);
}

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void addresses_of_both_families_are_read(void **state)
{
    char text[IP_TEXT_SIZE];
    begin(DNS_A, 2);
    record(DNS_A, 30, 4);
    ADD(10, 0, 0, 1);
    record(DNS_A, 20, 4);
    ADD(10, 0, 0, 2);
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.ttl, 20);
    ip_write(&answer.records[1].ip, text);
    assert_string_equal(text, "10.0.0.2");
    begin(DNS_AAAA, 1);
    record(DNS_AAAA, 5, 16);
    ADD(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    assert_ok(arena, read(DNS_AAAA));
    assert_int_equal(answer.n, 1);
    ip_write(&answer.records[0].ip, text);
    assert_string_equal(text, "2001:db8::1");
}

static void an_alias_is_no_record_but_its_time_counts(void **state)
{
    begin(DNS_A, 2);
    record(5, 7, 2);
    ADD(0xc0, QUESTION);
    record(DNS_A, 30, 4);
    ADD(10, 0, 0, 1);
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.ttl, 7);
}

static void records_of_other_types_are_passed_over(void **state)
{
    begin(DNS_A, 2);
    record(16, 1, 3);
    ADD(2, 'h', 'i');
    record(DNS_A, 30, 4);
    ADD(10, 0, 0, 1);
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.ttl, 30);
}

static void an_srv_record_has_a_host_a_port_and_a_weight(void **state)
{
    begin(DNS_SRV, 2);
    srv(30, 1, 600, 7001, 'b');
    srv(30, 1, 0, 65535, 'c');
    assert_ok(arena, read(DNS_SRV));
    assert_int_equal(answer.n, 2);
    assert_string_equal(answer.records[0].target, "b.test");
    assert_int_equal(answer.records[0].port, 7001);
    assert_int_equal(answer.records[0].weight, 600);
    assert_string_equal(answer.records[1].target, "c.test");
    assert_int_equal(answer.records[1].port, 65535);
    dns_answer_prefer(&answer);
    assert_int_equal(answer.records[0].weight, 600);
    assert_int_equal(answer.records[1].weight, 1);
}

static void only_the_lowest_priority_counts(void **state)
{
    begin(DNS_SRV, 3);
    srv(30, 2, 1, 1, 'b');
    srv(30, 1, 1, 2, 'c');
    srv(30, 1, 1, 3, 'd');
    assert_ok(arena, read(DNS_SRV));
    dns_answer_prefer(&answer);
    assert_int_equal(answer.n, 2);
    assert_string_equal(answer.records[0].target, "c.test");
    assert_string_equal(answer.records[1].target, "d.test");
}

static void weights_keep_their_relation_up_to_a_thousand(void **state)
{
    begin(DNS_SRV, 3);
    srv(30, 1, 1000, 1, 'b');
    srv(30, 1, 1, 1, 'c');
    srv(30, 1, 500, 1, 'd');
    assert_ok(arena, read(DNS_SRV));
    dns_answer_prefer(&answer);
    const uint16_t same[] = {1000, 1, 500};
    for (int i = 0; i < 3; i++)
        assert_int_equal(answer.records[i].weight, same[i]);
    begin(DNS_SRV, 3);
    srv(30, 1, 65535, 1, 'b');
    srv(30, 1, 1, 1, 'c');
    srv(30, 1, 32768, 1, 'd');
    assert_ok(arena, read(DNS_SRV));
    dns_answer_prefer(&answer);
    const uint16_t scaled[] = {1000, 1, 500};
    for (int i = 0; i < 3; i++)
        assert_int_equal(answer.records[i].weight, scaled[i]);
}

/* RFC 2782: "." says that the service is decidedly not there. */
static void a_target_that_is_a_dot_is_no_instance(void **state)
{
    begin(DNS_SRV, 1);
    record(DNS_SRV, 30, 7);
    ADD(0, 0, 0, 0, 0, 0, 0);
    assert_ok(arena, read(DNS_SRV));
    assert_int_equal(answer.n, 0);
}

static void an_empty_response_has_no_records(void **state)
{
    size = 0;
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.n, 0);
    begin(DNS_A, 0);
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.n, 0);
}

/* RFC 2181 section 8. */
static void a_time_with_its_highest_bit_is_none(void **state)
{
    begin(DNS_A, 1);
    record(DNS_A, 0x80000000, 4);
    ADD(10, 0, 0, 1);
    assert_ok(arena, read(DNS_A));
    assert_int_equal(answer.ttl, 0);
}

static void a_response_that_is_cut_anywhere_is_refused(void **state)
{
    begin(DNS_SRV, 2);
    srv(30, 1, 2, 3, 'b');
    srv(30, 1, 2, 3, 'c');
    size_t whole = size;
    assert_ok(arena, read(DNS_SRV));
    for (size = 1; size < whole; size++) {
        assert_fault(read(DNS_SRV), FAULT_UPSTREAM_MESSAGE);
        assert_int_equal(answer.n, 0);
    }
}

static void wrong_lengths_and_numbers_are_refused(void **state)
{
    begin(DNS_A, 1);
    record(DNS_A, 30, 5);
    ADD(10, 0, 0, 1, 0);
    assert_fault(read(DNS_A), FAULT_UPSTREAM_MESSAGE);
    begin(DNS_SRV, 1);
    record(DNS_SRV, 30, 6); /* no target */
    ADD(0, 0, 0, 0, 0, 1);
    assert_fault(read(DNS_SRV), FAULT_UPSTREAM_MESSAGE);
    begin(DNS_A, 200); /* more than there are */
    record(DNS_A, 30, 4);
    ADD(10, 0, 0, 1);
    assert_fault(read(DNS_A), FAULT_UPSTREAM_MESSAGE);
    begin(DNS_A, 1);
    ADD(0xc0, (uint8_t)size, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0); /* a name that points to itself */
    assert_fault(read(DNS_A), FAULT_UPSTREAM_MESSAGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(addresses_of_both_families_are_read),
        TEST(an_alias_is_no_record_but_its_time_counts),
        TEST(records_of_other_types_are_passed_over),
        TEST(an_srv_record_has_a_host_a_port_and_a_weight),
        TEST(only_the_lowest_priority_counts),
        TEST(weights_keep_their_relation_up_to_a_thousand),
        TEST(a_target_that_is_a_dot_is_no_instance),
        TEST(an_empty_response_has_no_records),
        TEST(a_time_with_its_highest_bit_is_none),
        TEST(a_response_that_is_cut_anywhere_is_refused),
        TEST(wrong_lengths_and_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
