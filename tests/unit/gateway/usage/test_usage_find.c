#include "tests/unit/check.h"

#include "gateway/usage/usage_find.h"
#include "gateway/usage/usage_text.h"

#define NOON (INT64_C(1772366400) * SECOND)

static Arena *arena;
static UsageTable *table;
static UsageNames *names;
static UsageFound found;

static uint32_t use_of(const char *version, const char *method, const char *field)
{
    return usage_names_number(names, &(UsageName){.service = bytes_of("orders"),
                                                  .version = bytes_of(version),
                                                  .method = bytes_of(method),
                                                  .field = bytes_of(field)});
}

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    table = usage_table_new(1 << 20);
    names = usage_names_new();
    usage_table_call(table, use_of("v1", "Get", ""), bytes_of("ada"), NOON);
    usage_table_call(table, use_of("v1", "Get", ""), bytes_of("ada"), NOON + USAGE_PERIOD);
    usage_table_call(table, use_of("v1", "Get", "Order.id"), bytes_of("ada"), NOON);
    usage_table_call(table, use_of("v1", "List", ""), bytes_of("ada"), NOON + 9 * SECOND);
    usage_table_call(table, use_of("v1", "Get", ""), bytes_of("bob"), NOON + 2 * SECOND);
    usage_table_call(table, use_of("v2", "Get", ""), bytes_of("bob"), NOON + 3 * SECOND);
    return 0;
}

static int tear_down(void **state)
{
    usage_table_free(table);
    usage_names_free(names);
    arena_free(arena);
    return 0;
}

static void ask(const char *query)
{
    UsageQuestion question;
    assert_ok(arena, usage_question_read(bytes_of(query), arena, &question));
    usage_find(table, names, &question, arena, &found);
}

static void assert_method(uint32_t i, const char *version, const char *method, uint64_t calls,
                          uint64_t clients)
{
    assert_true(i < found.n_methods);
    assert_bytes(found.methods[i].name.version, version);
    assert_bytes(found.methods[i].name.method, method);
    assert_int_equal(found.methods[i].calls, calls);
    assert_int_equal(found.methods[i].clients, clients);
}

static void a_number_means_the_same_name_again(void **state)
{
    uint32_t get = use_of("v1", "Get", "");
    assert_int_equal(use_of("v1", "Get", ""), get);
    assert_int_not_equal(use_of("v2", "Get", ""), get);
    assert_bytes(usage_names_get(names, get).method, "Get");
}

static void methods_are_summed_over_clients_and_periods(void **state)
{
    ask("service=orders");
    assert_int_equal(found.n_methods, 3);
    assert_method(0, "v1", "Get", 3, 2);
    assert_method(1, "v1", "List", 1, 1);
    assert_method(2, "v2", "Get", 1, 1);
    assert_int_equal(found.methods[0].last, NOON + USAGE_PERIOD);
    assert_false(found.methods[0].shared);
    ask("service=sites");
    assert_int_equal(found.n_methods + found.n_clients, 0);
}

static void the_clients_of_a_version_come_latest_first(void **state)
{
    ask("version=v1");
    assert_int_equal(found.n_clients, 2);
    assert_bytes(found.clients[0].client, "ada");
    assert_int_equal(found.clients[0].calls, 3); /* the field is of a call that is counted */
    assert_bytes(found.clients[1].client, "bob");
    assert_int_equal(found.clients[1].calls, 1);
    ask("version=v1&limit=1");
    assert_int_equal(found.n_clients, 1);
    ask("");
    assert_int_equal(found.n_clients, 3);
}

static void one_client_is_asked_for_by_name(void **state)
{
    ask("client=bob");
    assert_int_equal(found.n_methods, 2);
    assert_method(0, "v1", "Get", 1, 1);
    ask("client=nobody");
    assert_int_equal(found.n_methods, 0);
}

static void a_client_without_a_row_may_be_any_of_those_that_share_its_row(void **state)
{
    usage_table_limit(table, 0);
    usage_table_call(table, use_of("v3", "Get", ""), bytes_of("carl"), NOON);
    ask("client=carl&version=v3");
    assert_method(0, "v3", "Get", 1, 0);
    assert_true(found.methods[0].shared);
    ask("version=v3");
    assert_int_equal(found.n_clients, 0);
    assert_true(found.methods[0].shared);
}

static void fields_are_shown_where_they_are_asked_for(void **state)
{
    ask("version=v1&fields=true");
    assert_int_equal(found.n_methods, 3);
    assert_bytes(found.methods[1].name.field, "Order.id");
    assert_int_equal(found.methods[1].calls, 1);
}

static void a_query_that_is_wrong_is_refused(void **state)
{
    static const char *const wrong[] = {"limit=10001", "limit=x", "limit=", "colour=red",
                                        "client=%zz"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        UsageQuestion question;
        assert_fault(usage_question_read(bytes_of(wrong[i]), arena, &question), FAULT_BAD_VALUE);
    }
    UsageQuestion question;
    assert_ok(arena, usage_question_read(bytes_of("limit=10000"), arena, &question));
    assert_int_equal(question.limit, 10000);
}

/* ---- The text for the next process ----------------------------------------------------------- */

static void read_again(size_t most)
{
    Buffer text = buffer_in(arena);
    usage_text_write(table, names, most, &text);
    usage_table_free(table);
    usage_names_free(names);
    table = usage_table_new(1 << 20);
    names = usage_names_new();
    assert_true(usage_text_read(table, names, buffer_bytes(&text)) > 0);
}

static void the_next_process_knows_what_this_one_knew(void **state)
{
    usage_table_call(table, use_of("v1", "Get", ""), bytes("a\tb\n\0%", 6), NOON);
    read_again(USAGE_TEXT_SIZE);
    ask("");
    assert_int_equal(found.n_methods, 3);
    assert_method(0, "v1", "Get", 4, 3);
    assert_int_equal(found.n_clients, 4);
    ask("client=a%09b%0a%00%25");
    assert_method(0, "v1", "Get", 1, 1);
}

static void where_the_text_has_no_room_clients_share_rows(void **state)
{
    read_again(0);
    ask("");
    assert_method(0, "v1", "Get", 3, 0);
    assert_true(found.methods[0].shared);
    ask("client=ada");
    assert_true(found.methods[0].calls >= 2);
}

static void lines_that_are_damaged_are_left_out(void **state)
{
    static const char *const damaged[] = {
        "",
        "orders",
        "orders\tv1\tGet\t\t0\t204\t1",
        "orders\tv1\tGet\t\t257\t204\t1\t1772366400\tx",
        "orders\tv1\tGet\t\t0\t65536\t1\t1772366400\tx",
        "orders\tv1\tGet\t\t0\t204\t1\t4294967296\tx",
        "orders\tv1\tGet\t\t0\t204\t-1\t1772366400\tx",
        "orders\tv1\tGet\t\t0\t204\t1\t1772366400\t%x",
        "\tv1\tGet\t\t0\t204\t1\t1772366400\tx",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_int_equal(usage_text_read(table, names, bytes_of(damaged[i])), 0);
    assert_int_equal(
        usage_text_read(table, names, bytes_of("orders\tv1\tGet\t\t256\t65535\t1\t4294967295\t\n")),
        1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_number_means_the_same_name_again),
        TEST(methods_are_summed_over_clients_and_periods),
        TEST(the_clients_of_a_version_come_latest_first),
        TEST(one_client_is_asked_for_by_name),
        TEST(a_client_without_a_row_may_be_any_of_those_that_share_its_row),
        TEST(fields_are_shown_where_they_are_asked_for),
        TEST(a_query_that_is_wrong_is_refused),
        TEST(the_next_process_knows_what_this_one_knew),
        TEST(where_the_text_has_no_room_clients_share_rows),
        TEST(lines_that_are_damaged_are_left_out),
    };
    return cmocka_run_group_tests_name("usage_find", tests, NULL, NULL);
}
