#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/limits/limit_blob.h"
#include "gateway/limits/limit_fields.h"
#include "gateway/limits/rate_limits.h"

#include <stdio.h>
#include <stdlib.h>

/* A config of limits, all of which a call meets, and a call. */
typedef struct World {
    Arena *arena;
    RateLimits *limits;
    Config config;
    RateLimit list[4];
    MethodLimit items[4];
    MethodLimits of_method;
    LimitCall call;
    Identity who;
    IpAddress address;
    LimitPass *pass;
    LimitRefusal refusal;
} World;

static RateLimit limit(const char *name, uint32_t per, uint64_t rate, uint64_t burst)
{
    return (RateLimit){.name = name, .per = per, .rate = rate, .period = SECOND, .burst = burst};
}

/* The limits of the list become those of a method in version v1. */
static void use(World *w)
{
    w->of_method.items = w->items;
    w->of_method.n = w->config.n_rate_limits;
    for (uint32_t i = 0; i < w->of_method.n; i++) {
        const RateLimit *each = &w->list[i];
        w->items[i] = (MethodLimit){.limit = each, .version = "v1", .fixed = 1000 + i};
        w->of_method.kept |= each->told || each->concurrent || each->count != LIMIT_CALLS;
        w->of_method.flows |= each->count != LIMIT_CALLS;
    }
    rate_limits_use(w->limits, &w->config);
    w->call.limits = &w->of_method;
}

static World *make(const RateLimit *list, uint32_t n)
{
    World *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->arena = arena_new(ARENA_UNLIMITED);
    w->limits = rate_limits_new();
    w->config = (Config){.arena = w->arena,
                         .rate_limits = w->list,
                         .n_rate_limits = n,
                         .limit_room = {.clients = 1000, .addresses = 1000}};
    for (uint32_t i = 0; i < n; i++)
        w->list[i] = list[i];
    w->address = (IpAddress){.known = true};
    assert_true(ip_read(bytes_of("192.0.2.1"), &w->address));
    w->call = (LimitCall){.identity = &w->who,
                          .address = &w->address,
                          .now = SECOND,
                          .wall = INT64_C(1800000000) * SECOND,
                          .arena = w->arena};
    use(w);
    return w;
}

static void drop(World *w)
{
    rate_limits_free(w->limits);
    arena_free(w->arena);
    free(w);
}

static void be(World *w, const char *name)
{
    w->who.name = w->call.shown = bytes_of(name);
}

static bool calls(World *w)
{
    Result r = rate_limits_admit(w->limits, &w->call, &w->pass, &w->refusal);
    if (failed(r))
        assert_fault(r, FAULT_RATE_LIMITED);
    return !failed(r);
}

static uint32_t calls_admitted(World *w, uint32_t of)
{
    uint32_t n = 0;
    while (of--)
        n += calls(w);
    return n;
}

static void each_client_has_what_it_may(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 10, 3)};
    World *w = make(list, 1);
    be(w, "ada");
    assert_int_equal(calls_admitted(w, 10), 3);
    be(w, "bob");
    assert_int_equal(calls_admitted(w, 10), 3);
    w->call.now += 100 * MILLISECOND;
    assert_int_equal(calls_admitted(w, 10), 1);
    drop(w);
}

static void only_wrong_guesses_are_counted(void **state)
{
    World *w = make(NULL, 0);
    RateLimit failures = limit("failures", LIMIT_PER_CLIENT, 1, 2);
    failures.count = LIMIT_FAILURES;
    w->items[0] = (MethodLimit){.limit = &failures, .fixed = 1};
    w->of_method = (MethodLimits){.items = w->items, .n = 1};
    w->config.access.failures = &failures;
    rate_limits_use(w->limits, &w->config);
    for (int i = 0; i < 5; i++)
        assert_ok(w->arena, rate_limits_admit_guess(w->limits, &w->call, &w->refusal));
    for (int i = 0; i < 2; i++) {
        assert_ok(w->arena, rate_limits_admit_guess(w->limits, &w->call, &w->refusal));
        rate_limits_count_guess(w->limits, &w->call);
    }
    assert_fault(rate_limits_admit_guess(w->limits, &w->call, &w->refusal), FAULT_RATE_LIMITED);
    assert_int_equal(w->refusal.retry_after, 1);
    w->call.now += SECOND - 1;
    assert_fault(rate_limits_admit_guess(w->limits, &w->call, &w->refusal), FAULT_RATE_LIMITED);
    w->call.now += 1;
    assert_ok(w->arena, rate_limits_admit_guess(w->limits, &w->call, &w->refusal));
    /* Another address is not touched by it. */
    w->call.now -= SECOND;
    assert_true(ip_read(bytes_of("192.0.2.2"), &w->address));
    assert_ok(w->arena, rate_limits_admit_guess(w->limits, &w->call, &w->refusal));
    drop(w);
}

static void a_refused_client_is_told_when_to_come_back(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    list[0].period = 60 * SECOND;
    World *w = make(list, 1);
    assert_true(calls(w));
    assert_false(calls(w));
    assert_int_equal(w->refusal.retry_after, 60);
    w->call.now += 59 * SECOND + 1;
    assert_false(calls(w));
    assert_int_equal(w->refusal.retry_after, 1);
    drop(w);
}

static void a_name_is_another_client_than_an_address(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    World *w = make(list, 1);
    assert_true(calls(w));
    be(w, "192.0.2.1");
    assert_true(calls(w));
    drop(w);
}

static void addresses_of_one_ipv6_network_are_one_client(void **state)
{
    static const struct {
        const char *address;
        bool admitted;
    } rows[] = {
        {"2001:db8:0:1::1", true},
        {"2001:db8:0:1::2", false},
        {"2001:db8:0:1:ffff:ffff:ffff:ffff", false},
        {"2001:db8:0:2::1", true},
        {"192.0.2.1", true},
        {"192.0.2.2", true},
        {"192.0.2.1", false},
    };
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    World *w = make(list, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(ip_read(bytes_of(rows[i].address), &w->address));
        assert_int_equal(calls(w), rows[i].admitted);
    }
    drop(w);
}

static void clients_of_a_tenant_share_and_one_without_counts_for_itself(void **state)
{
    RateLimit list[] = {limit("tenant", LIMIT_PER_TENANT, 1, 2)};
    World *w = make(list, 1);
    be(w, "ada");
    w->who.tenant = bytes_of("acme");
    assert_int_equal(calls_admitted(w, 1), 1);
    be(w, "bob");
    assert_int_equal(calls_admitted(w, 5), 1);
    w->who.tenant = BYTES_NONE;
    assert_int_equal(calls_admitted(w, 5), 2);
    be(w, "ada");
    assert_int_equal(calls_admitted(w, 5), 2);
    drop(w);
}

static void all_have_one_bucket_without_per(void **state)
{
    RateLimit list[] = {limit("all", 0, 1, 2)};
    World *w = make(list, 1);
    be(w, "ada");
    assert_true(calls(w));
    be(w, "bob");
    assert_int_equal(calls_admitted(w, 3), 1);
    drop(w);
}

static void what_one_limit_refuses_counts_for_no_other(void **state)
{
    RateLimit list[] = {limit("all", 0, 1, 5), limit("client", LIMIT_PER_CLIENT, 1, 2)};
    World *w = make(list, 2);
    be(w, "ada");
    assert_int_equal(calls_admitted(w, 100), 2);
    be(w, "bob");
    assert_int_equal(calls_admitted(w, 100), 2);
    be(w, "eve");
    assert_int_equal(calls_admitted(w, 100), 1);
    drop(w);
}

static void tests_say_whose_calls_are_counted(void **state)
{
    static const char *const v2[] = {"v2", NULL}, *const v1[] = {"v1", NULL},
                             *const free_class[] = {"free", NULL},
                             *const robots[] = {"bot-*", "eve", NULL};
    static const struct {
        LimitTest on, unless;
        const char *name, *class;
        bool counted;
    } rows[] = {
        {{.said = true, .versions = v1}, {0}, "ada", "", true},
        {{.said = true, .versions = v2}, {0}, "ada", "", false},
        {{.said = true, .classes = free_class}, {0}, "ada", "free", true},
        {{.said = true, .classes = free_class}, {0}, "ada", "freed", false},
        {{.said = true, .classes = free_class}, {0}, "", "", false},
        {{.said = true, .clients = robots}, {0}, "bot-7", "", true},
        {{.said = true, .clients = robots}, {0}, "bot-", "", true},
        {{.said = true, .clients = robots}, {0}, "bot", "", false},
        {{.said = true, .clients = robots}, {0}, "eve", "", true},
        {{.said = true, .clients = robots}, {0}, "eve2", "", false},
        {{.said = true, .clients = robots}, {0}, "", "", false},
        {{.said = true, .anonymous = true}, {0}, "", "", true},
        {{.said = true, .anonymous = true}, {0}, "ada", "", false},
        {{0}, {.said = true, .classes = free_class}, "ada", "free", false},
        {{0}, {.said = true, .classes = free_class}, "ada", "paid", true},
        {{0}, {.said = true, .versions = v1, .classes = free_class}, "ada", "paid", true},
        {{0}, {.said = true, .versions = v1, .classes = free_class}, "ada", "free", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
        list[0].on = rows[i].on;
        list[0].unless = rows[i].unless;
        World *w = make(list, 1);
        be(w, rows[i].name);
        w->who.class = bytes_of(rows[i].class);
        assert_int_equal(calls_admitted(w, 2), rows[i].counted ? 1 : 2);
        drop(w);
    }
}

static void calls_in_progress_are_counted_until_they_leave(void **state)
{
    RateLimit list[] = {{.name = "at-once", .per = LIMIT_PER_CLIENT, .concurrent = 2, .burst = 1}};
    World *w = make(list, 1);
    be(w, "ada");
    assert_true(calls(w));
    LimitPass *first = w->pass;
    assert_true(calls(w));
    assert_false(calls(w));
    assert_int_equal(w->refusal.retry_after, 1);
    rate_limits_leave(first);
    rate_limits_leave(first); /* once is enough */
    assert_true(calls(w));
    assert_false(calls(w));
    drop(w);
}

static void a_refused_call_leaves_its_place(void **state)
{
    RateLimit list[] = {{.name = "at-once", .per = LIMIT_PER_CLIENT, .concurrent = 1, .burst = 1},
                        limit("all", 0, 1, 1)};
    World *w = make(list, 2);
    be(w, "ada");
    assert_true(calls(w));
    rate_limits_leave(w->pass);
    assert_false(calls(w)); /* by the second one */
    rate_limits_leave(w->pass);
    w->call.now += SECOND;
    assert_true(calls(w));
    drop(w);
}

static void bytes_that_passed_are_owed_and_refuse_the_next_call(void **state)
{
    RateLimit list[] = {limit("bytes", LIMIT_PER_CLIENT, 1000, 1000)};
    list[0].count = LIMIT_BYTES;
    World *w = make(list, 1);
    be(w, "ada");
    assert_true(calls(w));
    assert_false(rate_limits_charge(w->limits, w->pass, 5, 900, w->call.now));
    assert_true(calls(w)); /* there are some */
    assert_false(rate_limits_charge(w->limits, w->pass, 5, 600, w->call.now));
    assert_false(calls(w));
    w->call.now += 501 * MILLISECOND;
    assert_true(calls(w));
    assert_false(rate_limits_charge(w->limits, w->pass, 1, 1001, w->call.now));
    assert_true(rate_limits_charge(w->limits, w->pass, 1, 2100, w->call.now)); /* a burst is owed */
    drop(w);
}

static uint64_t cost_of(void *owner, const MethodLimit *item)
{
    return *(uint64_t *)owner;
}

static void a_call_costs_what_its_request_says_within_bounds(void **state)
{
    static const struct {
        uint64_t said, costs;
    } rows[] = {{0, 1}, {1, 1}, {7, 7}, {50, 50}, {51, 50}, {UINT64_MAX, 50}};
    static const FieldType *const path[] = {NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 100)};
        list[0].cost = "page_size";
        list[0].most_cost = 50;
        list[0].told = true;
        World *w = make(list, 1);
        w->items[0].cost = path;
        uint64_t said = rows[i].said;
        assert_true(calls(w));
        assert_true(w->pass->costs);
        assert_ok(w->arena, rate_limits_admit_cost(w->limits, &w->call, w->pass, cost_of, &said,
                                                   &w->refusal));
        LimitStanding standing = rate_limits_standing(w->limits, &w->pass->tickets[0], w->call.now);
        assert_int_equal(standing.left, 100 - rows[i].costs);
        drop(w);
    }
}

static void clients_without_room_share_buckets_and_take_none_away(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    World *w = make(list, 1);
    be(w, "ada");
    assert_true(calls(w));
    w->who.name = BYTES_NONE;
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        char text[IP_TEXT_SIZE];
        snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_true(ip_read(bytes_of(text), &w->address));
        admitted += calls(w);
    }
    assert_in_range(admitted, 1000, 2048 + 256);
    be(w, "ada");
    assert_false(calls(w));
    be(w, "bob"); /* a proved name has room of its own */
    assert_true(calls(w));
    drop(w);
}

static void another_config_keeps_what_was_used(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 4)};
    World *w = make(list, 1);
    be(w, "ada");
    assert_int_equal(calls_admitted(w, 3), 3);
    w->list[0].burst = 5; /* 3 s are missing, of which it may miss 5 now */
    use(w);
    assert_int_equal(calls_admitted(w, 5), 2);
    drop(w);
}

/* The burst of the limit is used up under one rate, and the next call comes under others. */
static void nobody_waits_longer_than_a_changed_rate_says(void **state)
{
    enum { DAY = 24 * 3600, HOUR = 3600 };
    typedef struct {
        uint64_t rate, burst;
        int64_t period; /* seconds */
    } Said;
    static const struct {
        Said before, between, after; /* between: 0 for none */
        uint32_t retry_after;
    } rows[] = {
        {{5, 5, HOUR}, {0}, {1000, 1000, 1}, 1},                       /* raised */
        {{100, 100, DAY}, {0}, {1000, 1000, DAY}, 87},                 /* likewise */
        {{100, 100, DAY}, {1000, 1000, DAY}, {10000, 10000, HOUR}, 1}, /* twice */
        {{10, 10, HOUR}, {0}, {10, 1, HOUR}, 360},                     /* a smaller burst */
        {{10, 10, HOUR}, {0}, {10, 10, HOUR}, 360},                    /* nothing */
        {{1000, 1000, 1}, {5, 5, HOUR}, {1000, 1000, 1}, 1},           /* there and back */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Said *const said[] = {&rows[i].before, &rows[i].between, &rows[i].after};
        RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
        World *w = make(list, 1);
        for (size_t k = 0; k < 3; k++) {
            if (!said[k]->rate)
                continue;
            w->list[0].rate = said[k]->rate;
            w->list[0].burst = said[k]->burst;
            w->list[0].period = said[k]->period * SECOND;
            use(w);
            calls_admitted(w, 2000);
        }
        assert_false(calls(w));
        assert_int_equal(w->refusal.retry_after, rows[i].retry_after);
        w->call.now += rows[i].retry_after * SECOND;
        assert_true(calls(w));
        drop(w);
    }
}

/* And the wait for it becomes shorter with time. */
static void what_is_owed_under_a_slower_rate_is_at_most_what_can_be_owed(void **state)
{
    RateLimit list[] = {limit("bytes", LIMIT_PER_CLIENT, 100, 100)};
    list[0].count = LIMIT_BYTES;
    list[0].period = 3600 * SECOND;
    World *w = make(list, 1);
    assert_true(calls(w));
    assert_true(rate_limits_charge(w->limits, w->pass, 0, 1000, w->call.now));
    w->list[0].period = SECOND;
    use(w);
    assert_false(calls(w)); /* three bursts are missing, and one has to be there in part */
    assert_int_equal(w->refusal.retry_after, 3);
    w->call.now += SECOND;
    assert_false(calls(w));
    assert_int_equal(w->refusal.retry_after, 2);
    w->call.now += SECOND + 10 * MILLISECOND;
    assert_true(calls(w));
    drop(w);
}

static void a_gateway_with_a_share_gives_that_part(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 10, 10)};
    World *w = make(list, 1);
    rate_limits_share(w->limits, RATE_WHOLE / 2);
    assert_int_equal(calls_admitted(w, 20), 5);
    w->call.now += SECOND;
    assert_int_equal(calls_admitted(w, 20), 5);
    drop(w);
}

/* ---- Fields, pages --------------------------------------------------------------------------- */

static void responses_say_where_the_client_stands(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 100, 200),
                        {.name = "at-once", .concurrent = 3, .burst = 1, .told = true},
                        limit("silent", 0, 5, 5)};
    list[0].told = true;
    World *w = make(list, 3);
    assert_true(calls(w));
    Fields fields = fields_in(w->arena);
    limit_fields_add(w->limits, w->pass, w->call.now, w->arena, &fields);
    assert_bytes(fields_get(&fields, "ratelimit-policy"),
                 "\"client\";q=200;w=2, \"at-once\";q=3;qu=\"concurrent-requests\"");
    assert_bytes(fields_get(&fields, "ratelimit"), "\"client\";r=199;t=1, \"at-once\";r=2");
    drop(w);
}

static void the_last_unit_is_waited_for_as_long_as_retry_after_says(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    list[0].period = 3600 * SECOND;
    list[0].told = true;
    World *w = make(list, 1);
    assert_true(calls(w));
    assert_false(calls(w));
    Fields fields = fields_in(w->arena);
    limit_fields_add(w->limits, w->pass, w->call.now, w->arena, &fields);
    assert_bytes(fields_get(&fields, "ratelimit"), "\"client\";r=0;t=3600");
    assert_int_equal(w->refusal.retry_after, 3600);
    drop(w);
}

static const char *page(World *w)
{
    Buffer out = buffer_in(w->arena);
    rate_limits_write(w->limits, w->call.wall, &out);
    return arena_text(w->arena, buffer_bytes(&out));
}

static void the_page_names_who_is_refused_most_and_since_when(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    World *w = make(list, 1);
    be(w, "ada");
    calls_admitted(w, 4);
    w->call.wall += 2 * SECOND;
    be(w, "bob");
    calls_admitted(w, 11);
    assert_string_equal(
        page(w), "{\"n_limited\":2,\"limited\":["
                 "{\"limit\":\"client\",\"client\":\"bob\",\"since\":\"2027-01-15T08:00:02Z\","
                 "\"last\":\"2027-01-15T08:00:02Z\",\"refused\":10},"
                 "{\"limit\":\"client\",\"client\":\"ada\",\"since\":\"2027-01-15T08:00:00Z\","
                 "\"last\":\"2027-01-15T08:00:00Z\",\"refused\":3}]}");
    w->call.wall += LIMIT_HOT_SPELL + 1;
    assert_string_equal(page(w), "{\"n_limited\":0,\"limited\":[]}");
    drop(w);
}

static void few_refusals_of_a_limit_are_recorded(void **state)
{
    RateLimit list[] = {limit("client", LIMIT_PER_CLIENT, 1, 1)};
    World *w = make(list, 1);
    assert_true(calls(w));
    assert_false(calls(w));
    assert_false(w->refusal.quiet);
    for (int i = 0; i < 50; i++) {
        assert_false(calls(w));
        assert_true(w->refusal.quiet);
    }
    w->call.now += 100 * MILLISECOND;
    assert_false(calls(w));
    assert_false(w->refusal.quiet);
    drop(w);
}

/* ---- Handing on ------------------------------------------------------------------------------ */

static bool take_all(void *how, uint64_t word, uint64_t *word_out)
{
    const int64_t *until = how;
    *word_out = (uint64_t)*until * RATE_TICKS;
    return true;
}

static LimitTable *small_table(void)
{
    return limit_table_new((uint64_t[LIMIT_PARTS]){100, 100, 100});
}

static void a_successor_has_what_was_missing_less_what_came_since(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LimitTable *table = small_table(), *next = small_table();
    KeySeed seed = {1, 2}, read;
    int64_t now = 50 * SECOND, until[] = {60 * SECOND, 52 * SECOND};
    limit_table_change(table, LIMIT_PART_PROVED, 1000, now, take_all, &until[0]);
    limit_table_change(table, LIMIT_PART_ADDRESSES, 2000, now, take_all, &until[1]);
    Buffer blob = buffer_in(arena);
    limit_blob_write(table, &seed, now, 1000 * SECOND, SIZE_MAX / 2, &blob);
    assert_int_equal(blob.size, LIMIT_BLOB_HEAD + 2 * LIMIT_BLOB_ROW);

    /* Three seconds later, on a machine that has just started. */
    assert_true(limit_blob_read(next, buffer_bytes(&blob), 5 * SECOND, 1003 * SECOND, &read));
    assert_int_equal(read.low, 1);
    assert_int_equal(read.high, 2);
    LimitSlot *slot = limit_table_find(next, LIMIT_PART_PROVED, 1000);
    assert_non_null(slot);
    assert_int_equal(rate_missing(slot->word, 5 * SECOND), 7 * SECOND);
    assert_null(limit_table_find(next, LIMIT_PART_ADDRESSES, 2000));
    limit_table_free(table);
    limit_table_free(next);
    arena_free(arena);
}

static void a_blob_is_no_larger_than_it_may_be(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LimitTable *table = small_table();
    int64_t until = 60 * SECOND;
    for (uint64_t key = 2; key < 60; key++)
        limit_table_change(table, LIMIT_PART_PROVED, key, SECOND, take_all, &until);
    Buffer blob = buffer_in(arena);
    limit_blob_write(table, &(KeySeed){0}, SECOND, 0, LIMIT_BLOB_HEAD + 10 * LIMIT_BLOB_ROW, &blob);
    assert_int_equal(blob.size, LIMIT_BLOB_HEAD + 10 * LIMIT_BLOB_ROW);
    limit_table_free(table);
    arena_free(arena);
}

static void what_is_no_such_blob_changes_nothing(void **state)
{
    LimitTable *table = small_table();
    KeySeed seed = {7, 8};
    static const char *const texts[] = {"", "passerelle limits 1\n",
                                        "passerelle limits 2\n0123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(limit_blob_read(table, bytes_of(texts[i]), SECOND, SECOND, &seed));
    assert_int_equal(seed.low, 7);
    limit_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_has_what_it_may),
        cmocka_unit_test(only_wrong_guesses_are_counted),
        cmocka_unit_test(a_refused_client_is_told_when_to_come_back),
        cmocka_unit_test(a_name_is_another_client_than_an_address),
        cmocka_unit_test(addresses_of_one_ipv6_network_are_one_client),
        cmocka_unit_test(clients_of_a_tenant_share_and_one_without_counts_for_itself),
        cmocka_unit_test(all_have_one_bucket_without_per),
        cmocka_unit_test(what_one_limit_refuses_counts_for_no_other),
        cmocka_unit_test(tests_say_whose_calls_are_counted),
        cmocka_unit_test(calls_in_progress_are_counted_until_they_leave),
        cmocka_unit_test(a_refused_call_leaves_its_place),
        cmocka_unit_test(bytes_that_passed_are_owed_and_refuse_the_next_call),
        cmocka_unit_test(a_call_costs_what_its_request_says_within_bounds),
        cmocka_unit_test(clients_without_room_share_buckets_and_take_none_away),
        cmocka_unit_test(another_config_keeps_what_was_used),
        cmocka_unit_test(nobody_waits_longer_than_a_changed_rate_says),
        cmocka_unit_test(what_is_owed_under_a_slower_rate_is_at_most_what_can_be_owed),
        cmocka_unit_test(a_gateway_with_a_share_gives_that_part),
        cmocka_unit_test(responses_say_where_the_client_stands),
        cmocka_unit_test(the_last_unit_is_waited_for_as_long_as_retry_after_says),
        cmocka_unit_test(the_page_names_who_is_refused_most_and_since_when),
        cmocka_unit_test(few_refusals_of_a_limit_are_recorded),
        cmocka_unit_test(a_successor_has_what_was_missing_less_what_came_since),
        cmocka_unit_test(a_blob_is_no_larger_than_it_may_be),
        cmocka_unit_test(what_is_no_such_blob_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
