/*
 * Writes to a store until it is killed: store_writer sqlite|postgresql ADDRESS FIRST
 *
 * Each task inserts two rows with the same number, FIRST and up. When the store has acknowledged
 * one, its number goes to the standard output. For test_store_crash.py.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNDER_WAY = 40 };

static StorePort *port;
static int64_t next;

static void submit(void);

static void on_done(void *owner, Result result, StoreTask *task)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%lld\n", (long long)task->first->parameters[0].integer);
    if (!failed(result))
        CHECK(write(STDOUT_FILENO, line, (size_t)size) == size);
    submit();
}

static void submit(void)
{
    static const char insert[] = "INSERT INTO pairs (number, side) VALUES ($1, $2)";
    StoreTask *task = store_task_new(STORE_PROMISED);
    for (int side = 0; side < 2; side++) {
        StoreStatement *s = store_task_add(task, insert);
        store_bind_integer(s, next);
        store_bind_integer(s, side);
    }
    next++;
    store_submit(port, task, on_done, NULL);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    bool sqlite = strcmp(argv[1], "sqlite") == 0;
    Store *store = store_open(&(StoreSettings){.sqlite = sqlite ? argv[2] : NULL,
                                               .postgresql = sqlite ? NULL : argv[2],
                                               .connections = 1,
                                               .queue = 1000,
                                               .time = 10 * SECOND});
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, "CREATE TABLE IF NOT EXISTS pairs (number BIGINT, side BIGINT)");
    Result r = store_run(store, arena, &task);
    if (failed(r)) {
        fprintf(stderr, "%s\n", error_text(arena, r));
        return 1;
    }
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    port = store_port_open(store, &loop);
    next = atoll(argv[3]);
    for (int i = 0; i < UNDER_WAY; i++)
        submit();
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
