#include "gateway/admin/refusals.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry.h"

#include <stdatomic.h>

#define MINUTE (60 * SECOND)

static const char *const reason_names[REFUSALS] = {
    "stranger", "no_proof", "role", "origin", "host", "certificate", "password", "guesses", "busy"};
static atomic_ullong counts[REFUSALS];

static void tell(const Refusal *refusal)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer part = buffer_in(arena), request = buffer_in(arena);
    if (refusal->verb.size)
        buffer_printf(&request, "%.*s %.*s", BYTES_ARGS(refusal->verb), BYTES_ARGS(refusal->path));
    log_line_word(&part, LOG_KEY("reason"), reason_names[refusal->reason]);
    log_line_text(&part, LOG_KEY("request"), buffer_bytes(&request));
    log_line_text(&part, LOG_KEY("peer"), refusal->peer);
    log_line_text(&part, LOG_KEY("who"), bytes_of(refusal->who));
    telemetry_event_members("warning", "admin_refused", OK, buffer_bytes(&part), "%s",
                            refusal->text);
    arena_free(arena);
}

void refusals_end(Refusals *refusals)
{
    if (refusals->suppressed) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer part = buffer_in(arena);
        log_line_number(&part, LOG_KEY("suppressed"), refusals->suppressed);
        telemetry_event_members("warning", "admin_refused", OK, buffer_bytes(&part),
                                "%u more requests were refused within a minute",
                                refusals->suppressed);
        arena_free(arena);
    }
    *refusals = (Refusals){0};
}

void refusals_look(Refusals *refusals, int64_t now)
{
    if (refusals->n && now - refusals->began >= MINUTE)
        refusals_end(refusals);
}

void refusals_add(Refusals *refusals, const Refusal *refusal, uint32_t most, int64_t now)
{
    atomic_fetch_add(&counts[refusal->reason], 1);
    refusals_look(refusals, now);
    if (refusals->n == 0)
        refusals->began = now;
    if (refusals->n < UINT32_MAX)
        refusals->n++;
    if (refusals->n <= most)
        tell(refusal);
    else
        refusals->suppressed += refusals->suppressed < UINT32_MAX;
}

void refusals_metrics_write(Exposition *e, void *unused)
{
    exposition_family(e, "passerelle_admin_refused", METRIC_COUNTER,
                      "Requests for the admin listener that were refused.");
    for (int i = 0; i < REFUSALS; i++)
        exposition_number(e, "", &(Label){"reason", reason_names[i]}, 1, atomic_load(&counts[i]));
}
