/* What a gateway remembered to find signals, as its store has it: it is read as a whole or not at
   all; and what was read can be used, and written again. */
#include "base/arena.h"
#include "gateway/signal/watch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_found(void *owner, const Finding *finding)
{
    (void)owner;
    CHECK(finding->kind < FINDING_KINDS && strlen(finding->subject) < FINDING_NAME_SIZE);
}

static void on_new(void *owner, const NoveltyFound *found)
{
    (void)owner;
    (void)found;
}

static const char *name_of(void *owner, uint64_t client)
{
    (void)owner;
    (void)client;
    return "ada";
}

static void use(Watch *watch)
{
    static const int64_t hour = INT64_C(3600000000000), now = INT64_C(1796119200000000000);
    static const NoveltyRules rules = {.forgotten = INT64_MAX / 4, .failures = 1};
    WatchMethod method = {"orders", "shop.Orders/Get", "v1", {100, 1, 0, 1}};
    SilenceSeen seen = {1, now};
    WatchClients clients = {.seen = &seen, .n = 1, .name_of = name_of, .on_found = on_found};
    for (int i = 0; i < 3; i++) {
        method.total.calls += 100;
        watch_hour(watch, &method, 1, now + i * hour, true, on_found, NULL);
        watch_clients(watch, &clients, now + i * hour, true);
    }
    novelty_begin(&watch->novelty, now);
    novelty_count(&watch->novelty, &rules, &(NoveltyCount){.kind = 7, .first = now, .last = now},
                  now);
    novelty_end(&watch->novelty, &rules, now, on_new, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Watch watch = {.least_calls = 50};
    Result r = watch_read(&watch, bytes(data, size), arena);
    error_ignore(r, "it is not what a gateway has written");
    if (!failed(r)) {
        use(&watch);
        Buffer out = buffer_in(arena);
        Watch again = {.least_calls = 50};
        watch_write(&watch, &out);
        CHECK(!failed(watch_read(&again, buffer_bytes(&out), arena)));
        watch_deinit(&again);
    } else {
        CHECK(!watch.methods && !watch.services && !watch.silence.n);
    }
    watch_deinit(&watch);
    arena_free(arena);
    return 0;
}
