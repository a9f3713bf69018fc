#include "gateway/sandbox/sandbox_watch.h"

#include "base/arena.h"
#include "gateway/sandbox/privileges.h"
#include "gateway/sandbox/syscall_filter.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

static uv_async_t woken;
static bool told[SYSCALL_NUMBERS];

Result sandbox_enter(Arena *arena, const SandboxConfig *config)
{
    if (!config->on)
        return OK;
    Result r = privileges_drop(arena, config->user, config->group);
    return failed(r) ? r : syscall_filter_load(arena);
}

/* In a handler of signals. */
static void on_refused(void)
{
    uv_async_send(&woken);
}

static void tell(uv_async_t *async)
{
    (void)async;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int i = 0; i < SYSCALL_NUMBERS; i++) {
        if (told[i] || !syscall_filter_refused(i))
            continue;
        told[i] = true;
        telemetry_event("error", "sandbox_refused", OK,
                        "the system call %s was refused: the gateway does not need it",
                        syscall_filter_name(arena, i));
    }
    arena_free(arena);
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    exposition_family(e, "passerelle_sandbox_refused", METRIC_COUNTER,
                      "System calls that the sandbox has refused, by their name.");
    for (int i = 0; i < SYSCALL_NUMBERS; i++) {
        uint64_t n = syscall_filter_refused(i);
        if (n)
            exposition_number(e, "", &(Label){"call", syscall_filter_name(arena, i)}, 1, n);
    }
    arena_free(arena);
}

void sandbox_watch_start(uv_loop_t *loop)
{
    CHECK(uv_async_init(loop, &woken, tell) == 0);
    uv_unref((uv_handle_t *)&woken);
    syscall_filter_told_to(on_refused);
    metrics_add_writer(write_metrics, &woken);
    tell(&woken); /* of what was refused before */
}

void sandbox_watch_stop(void)
{
    syscall_filter_told_to(NULL);
    metrics_remove_writer(&woken);
    uv_close((uv_handle_t *)&woken, NULL);
}
