#include "gateway/process/config_warnings.h"

#include "base/arena.h"
#include "gateway/telemetry/telemetry.h"

static bool same_store(const StoreConfig *a, const StoreConfig *b)
{
    return text_equal(a->sqlite, b->sqlite) && text_equal(a->postgresql, b->postgresql) &&
           a->connections == b->connections && a->queue == b->queue && a->time == b->time;
}

void config_warn_restart(const Config *old, const Config *config)
{
    if (old->n_loops != config->n_loops)
        telemetry_event("warning", "restart_needed", OK, "loops: %u takes effect after a restart",
                        config->n_loops);
    if (!same_store(&old->store, &config->store))
        telemetry_event("warning", "restart_needed", OK, "store: it takes effect after a restart");
    if (!text_equal(old->rollouts_file, config->rollouts_file))
        telemetry_event("warning", "restart_needed", OK,
                        "rollouts_file: it takes effect after a restart");
    if (old->sandbox.on != config->sandbox.on ||
        !text_equal(old->sandbox.user, config->sandbox.user) ||
        !text_equal(old->sandbox.group, config->sandbox.group))
        telemetry_event("warning", "restart_needed", OK,
                        "sandbox: it takes effect after a restart");
    if (old->n_work_threads != config->n_work_threads)
        telemetry_event("warning", "restart_needed", OK,
                        "work_threads: %u takes effect after a restart", config->n_work_threads);
    if (old->n_rate_limits && (old->limit_room.clients != config->limit_room.clients ||
                               old->limit_room.addresses != config->limit_room.addresses))
        telemetry_event("warning", "restart_needed", OK,
                        "rate_limiting: it takes effect after a restart");
    if (old->ledger.requests != config->ledger.requests)
        telemetry_event("warning", "restart_needed", OK,
                        "ledger.requests: %zu takes effect after a restart",
                        config->ledger.requests);
    if (old->limits.work_waits != config->limits.work_waits)
        telemetry_event("warning", "restart_needed", OK,
                        "limits.work_waits: %u takes effect after a restart",
                        config->limits.work_waits);
}

static void warn_each(const char *event, Problems told)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    told.arena = arena;
    problems_print(&told, &text);
    Bytes rest = buffer_bytes(&text), line;
    while (bytes_split(&rest, '\n', &line))
        if (line.size)
            telemetry_event("warning", event, OK, "%.*s", BYTES_ARGS(line));
    arena_free(arena);
}

void config_warn_doubts(const Config *config)
{
    warn_each("config_doubtful", config->doubts);
    warn_each("key_deprecated", config->deprecated);
}

void config_warn_descriptors(const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    if (config_few_descriptors(config, &text))
        telemetry_event(config->connections_said ? "warning" : "info", "few_descriptors", OK,
                        "%.*s", BYTES_ARGS(buffer_bytes(&text)));
    arena_free(arena);
}
