/*
 * A storm in the ledger: 5,000,000 failures of 50 kinds from 10,000 clients, one after the other,
 * on one core.
 *
 * Every text has other numbers in it. Now and then the loop hands over, as in the gateway. Prints
 * failures per second of CPU time, memory, and what a good call costs. Fails below 500,000 per
 * second, or when there are not exactly 50 rows with exact counts.
 */
#include "base/arena.h"
#include "gateway/tally/tally.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FAILURES = 5000000, KINDS = 50, TEXTS = 5000, CLIENTS = 10000, HAND_OVER = 500000 };
enum { ROWS = 500, LEAST = 500000, GOOD_CALLS = 10000000 };

#define NOON (INT64_C(1772366400) * SECOND)

static const char line[] =
    "{\"time\":\"2026-03-01T12:00:00.123Z\",\"log\":\"call\",\"level\":\"error\",\"node\":\"n\","
    "\"request_id\":\"0123456789abcdef0123456789abcdef\",\"peer\":\"127.0.0.1:52314\","
    "\"dialect\":\"grpc\",\"codec\":\"proto\",\"verb\":\"POST\",\"path\":\"/"
    "shop.orders.v1.Orders\","
    "\"service\":\"orders\",\"method\":\"shop.orders.v1.Orders/Get\",\"client_version\":\"v1\","
    "\"code\":\"UNAVAILABLE\",\"http_status\":503,\"causes\":[]}";

static Version version = {.name = "v1"};
static Route route = {.match = "orders", .impact = IMPACT_HIGH};
static Instance instance = {.address = {.text = "10.0.0.7:7001"}};
static MethodType types[KINDS];
static Method methods[KINDS];
static Result reasons[TEXTS];
static const char *clients[CLIENTS];

static void make_all(Arena *arena)
{
    for (int i = 0; i < KINDS; i++) {
        types[i].path = arena_printf(arena, "/shop.orders.v1.Orders/Method%d", i);
        methods[i] = (Method){.type = &types[i], .version = &version, .series = (uint32_t)i + 1};
    }
    for (int i = 0; i < TEXTS; i++) {
        Result why = FAIL(arena, FAULT_UPSTREAM_RESET,
                          "10.0.%d.%d:7001 ended the call: order %d of \"client %d\" is locked by "
                          "3f2504e0-4f89-41d3-9a0c-0305e82c%04d",
                          i % 7, i % 251, i, i * 3, i);
        reasons[i] = FAIL_OVER(arena, why, FAULT_UPSTREAM_DOWN, "calling an instance");
    }
    for (int i = 0; i < CLIENTS; i++)
        clients[i] =
            arena_printf(arena, "10.%d.%d.%d:%d", i / 2500, i / 100 % 25, i % 100, 5000 + i);
}

static CallRecord record_of(int i)
{
    return (CallRecord){
        .request_id = bytes_of("0123456789abcdef0123456789abcdef"),
        .peer = clients[i % CLIENTS],
        .method = &methods[i % KINDS],
        .route = &route,
        .client_version = &version,
        .served_version = &version,
        .instance = &instance,
        .status = {.code = CODE_UNAVAILABLE},
        .why = reasons[i % TEXTS],
        .began = NOON + i * MICROSECOND,
        .time_total = MILLISECOND,
    };
}

/* Of this thread, so that other programs do not count. */
static int64_t clock_cpu(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static bool is_exact(const Tally *total)
{
    if (total->failures.n != KINDS || total->failures.evicted || total->mistakes.n)
        return false;
    for (int i = 0; i < KINDS; i++)
        if (total->failures.rows[i]->count != FAILURES / KINDS)
            return false;
    return true;
}

int main(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    make_all(arena);
    size_t held = mallinfo2().uordblks;
    Tally *of_loop = tally_new(ROWS), *total = tally_new(ROWS);

    int64_t began = clock_cpu();
    for (int i = 0; i < FAILURES; i++) {
        CallRecord record = record_of(i);
        tally_record(of_loop, &record, bytes(line, sizeof line - 1));
        if (i % HAND_OVER == HAND_OVER - 1)
            tally_take(total, of_loop);
    }
    double seconds = (double)(clock_cpu() - began) / 1e9;
    tally_take(total, of_loop);
    bool exact = is_exact(total);
    held = mallinfo2().uordblks - held;

    began = clock_cpu();
    for (int i = 0; i < GOOD_CALLS; i++) {
        CallRecord record = record_of(i);
        record.why = OK;
        tally_record(of_loop, &record, bytes(line, sizeof line - 1));
    }
    double good = (double)(clock_cpu() - began) / GOOD_CALLS;

    printf("%d failures of %d kinds: %.0f per second, %u rows, %s; %zu KiB\n"
           "a good call: %.0f ns\n",
           FAILURES, KINDS, FAILURES / seconds, total->failures.n, exact ? "exact" : "NOT EXACT",
           held / 1024, good);
    tally_free(of_loop);
    tally_free(total);
    arena_free(arena);
    return exact && FAILURES / seconds >= LEAST ? EXIT_SUCCESS : EXIT_FAILURE;
}
