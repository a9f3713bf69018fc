#include "gateway/ledger/triggers.h"

#include "base/clock.h"
#include "gateway/ledger/muting.h"

#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * SECOND)

/* ---- Kinds ----------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static uint32_t place_of(const Trigger *trigger, uint64_t fingerprint)
{
    uint32_t low = 0, high = trigger->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trigger->kinds[middle].fingerprint < fingerprint)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static TriggerKind *find_kind(const Trigger *trigger, uint64_t fingerprint)
{
    uint32_t at = place_of(trigger, fingerprint);
    bool found = at < trigger->n && trigger->kinds[at].fingerprint == fingerprint;
    return found ? &trigger->kinds[at] : NULL;
}

static void forget_oldest(Trigger *trigger)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < trigger->n; i++)
        if (trigger->kinds[i].done < trigger->kinds[oldest].done)
            oldest = i;
    trigger->n--;
    memmove(&trigger->kinds[oldest], &trigger->kinds[oldest + 1],
            (trigger->n - oldest) * sizeof *trigger->kinds);
}

static void grow(Trigger *trigger)
{
    if (trigger->n < trigger->capacity)
        return;
    trigger->capacity = trigger->capacity ? 2 * trigger->capacity : 16;
    trigger->kinds = realloc(trigger->kinds, trigger->capacity * sizeof *trigger->kinds);
    CHECK(trigger->kinds);
}

static TriggerKind *add_kind(Trigger *trigger, uint64_t fingerprint)
{
    if (trigger->n == TRIGGER_KINDS)
        forget_oldest(trigger);
    grow(trigger);
    uint32_t at = place_of(trigger, fingerprint);
    memmove(&trigger->kinds[at + 1], &trigger->kinds[at],
            (trigger->n - at) * sizeof *trigger->kinds);
    trigger->n++;
    trigger->kinds[at] = (TriggerKind){.fingerprint = fingerprint};
    return &trigger->kinds[at];
}

static TriggerKind *kind_of(Trigger *trigger, uint64_t fingerprint)
{
    TriggerKind *kind = find_kind(trigger, fingerprint);
    return kind ? kind : add_kind(trigger, fingerprint);
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static bool is_among_faults(const Fault *fault, const Fault *const *faults)
{
    size_t i = 0;
    while (faults && faults[i] && faults[i] != fault)
        i++;
    return !faults || faults[i];
}

/* Where none are named, all are meant. */
static bool is_meant(Bytes name, const char *const *names)
{
    return !names || bytes_are_one_of(name, names);
}

static bool meets(const FailureTrigger *when, const LedgerRank *rank, Bytes service, int64_t wall)
{
    const FailureRow *row = rank->row;
    return row->impact >= when->impact && rank->criticality.value >= when->criticality &&
           window_count(&row->hour, WINDOW_HOUR, wall) >= when->failures &&
           is_among_faults(row->key.fault, when->faults) &&
           is_meant(row->key.route, when->routes) && is_meant(service, when->services);
}

/* ---- Times ----------------------------------------------------------------------------------- */

const char *trigger_reason(const Trigger *trigger, const FailureTrigger *when, int64_t every,
                           const LedgerRank *rank, Bytes service, int64_t wall, int64_t now)
{
    const FailureRow *row = rank->row;
    const TriggerKind *known = find_kind(trigger, row->fingerprint);
    const TriggerKind *kind = known && known->was_done ? known : NULL;
    bool too_early = known && (kind || known->was_lost) && now - known->done < every;
    bool is_new = !kind && row->first >= trigger->since;
    bool has_failed = row->last > (kind ? kind->last : trigger->since - 1);
    if (row->key.attempt || rank->muted || !has_failed || (when->new_only && !is_new) ||
        too_early || !meets(when, rank, service, wall))
        return NULL;
    if (is_new)
        return "new";
    return muting_change(row, rank->annotation) ? "changed" : "recurring";
}

static void forget_hour_before(Trigger *trigger, int64_t now)
{
    uint32_t gone = 0;
    while (gone < trigger->n_hour && now - trigger->hour[gone] >= HOUR)
        gone++;
    trigger->n_hour -= gone;
    if (gone)
        memmove(trigger->hour, trigger->hour + gone, trigger->n_hour * sizeof *trigger->hour);
}

static void note_hour(Trigger *trigger, uint32_t per_hour, int64_t now)
{
    if (trigger->n_hour == trigger->hour_capacity) {
        trigger->hour_capacity = per_hour;
        trigger->hour = realloc(trigger->hour, per_hour * sizeof *trigger->hour);
        CHECK(trigger->hour);
    }
    trigger->hour[trigger->n_hour++] = now;
}

bool trigger_take(Trigger *trigger, const TriggerLimits *limits, const FailureRow *row, int64_t now)
{
    forget_hour_before(trigger, now);
    if (trigger->n_hour >= limits->per_hour)
        return false;
    note_hour(trigger, limits->per_hour, now);
    TriggerKind *kind = kind_of(trigger, row->fingerprint);
    kind->was_done_before = kind->was_done;
    kind->last_before = kind->last;
    kind->was_done = true;
    kind->was_lost = false;
    kind->done = now;
    kind->last = row->last;
    return true;
}

void trigger_lost(Trigger *trigger, uint64_t fingerprint)
{
    TriggerKind *kind = find_kind(trigger, fingerprint);
    if (!kind || !kind->was_done)
        return;
    kind->was_lost = true;
    kind->was_done = kind->was_done_before;
    kind->last = kind->last_before;
}

bool trigger_held_anew(Trigger *trigger, const FailureRow *row)
{
    TriggerKind *kind = kind_of(trigger, row->fingerprint);
    bool anew = row->last > kind->held;
    kind->held = row->last;
    return anew;
}

void trigger_deinit(Trigger *trigger)
{
    free(trigger->kinds);
    free(trigger->hour);
    *trigger = (Trigger){.since = trigger->since};
}
