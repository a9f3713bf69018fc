#include "gateway/fleet/fleet_name.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/fleet/process_mark.h"

#include <stdlib.h>

#define LOOK_AGAIN (100 * MILLISECOND)

struct FleetName {
    uv_timer_t again;
    StorePort *port;
    Arena *arena;
    const char *node;
    Bytes own;
    bool succeeds;
    bool settled, taken;
    Bytes holder; /* the mark of who has the name; empty: nobody, or it is not known */
    ProcessLife life;
};

static const char read_row[] = "SELECT process FROM gateways WHERE node = $1";

static void look(FleetName *name);

static void on_again(uv_timer_t *again)
{
    look(again->data);
}

/* Another process runs: it has the name, except where this one was started to replace it. */
static bool is_taken(const FleetName *name)
{
    return name->life == PROCESS_LIVES && !bytes_equal(name->holder, name->own) &&
           !(name->succeeds && process_mark_is_sibling(name->holder, name->own));
}

/* Without an answer nothing is taken over, and the gateway starts as it does without a store. */
static void on_looked(void *owner, Result result, StoreTask *task)
{
    FleetName *name = owner;
    if (failed(result)) {
        error_ignore(result, "the store tells that it does not answer");
        name->settled = true;
        return;
    }
    const StoreRow *row = task->first->rows;
    name->holder = row ? bytes_copy(name->arena, row->values[0].bytes) : BYTES_NONE;
    name->life = process_mark_life(name->holder, name->own);
    name->taken = is_taken(name);
    name->settled = !name->taken;
    if (name->taken)
        CHECK(uv_timer_start(&name->again, on_again, LOOK_AGAIN / MILLISECOND, 0) == 0);
}

static void look(FleetName *name)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_text(task, store_task_add(task, read_row), bytes_of(name->node));
    store_submit(name->port, task, on_looked, name);
}

FleetName *fleet_name_look(uv_loop_t *loop, StorePort *port, const char *node, bool succeeds)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FleetName *name = calloc(1, sizeof *name);
    CHECK(name);
    *name = (FleetName){.port = port,
                        .arena = arena,
                        .node = arena_string(arena, node),
                        .own = process_mark_own(arena),
                        .succeeds = succeeds};
    name->again.data = name;
    CHECK(uv_timer_init(loop, &name->again) == 0);
    look(name);
    return name;
}

bool fleet_name_is_settled(const FleetName *name)
{
    return name->settled;
}

Result fleet_name_check(const FleetName *name, Arena *arena)
{
    if (!name->taken)
        return OK;
    return FAIL(arena, FAULT_BAD_CONFIG,
                "the name %s is taken: process %ld, a gateway that uses the same store, has it and "
                "runs; give one of them another name with `node:`",
                name->node, (long)process_mark_pid(name->holder));
}

Bytes fleet_name_own(const FleetName *name)
{
    return name->own;
}

Bytes fleet_name_gone(const FleetName *name)
{
    return name->life == PROCESS_GONE ? name->holder : BYTES_NONE;
}

void fleet_name_stop(FleetName *name)
{
    if (name)
        uv_close((uv_handle_t *)&name->again, NULL);
}

void fleet_name_free(FleetName *name)
{
    if (name)
        arena_free(name->arena);
    free(name);
}
