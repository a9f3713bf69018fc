/* What the store says of a rollout, and its members. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_run/rollout_runner_internal.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

/* ---- What it is now -------------------------------------------------------------------------- */

void held_adopt(HeldRollout *held, const RolloutRecord *record)
{
    if (!held->known || held->record.trial != record->trial) {
        rollout_roster_clear(&held->roster);
        held->complete = false;
        held->reread = false;
        held_drop_knocks(held);
    }
    if (held->record.round != record->round) {
        held->looked_at = 0;
        held_forget_known(held);
    }
    held->findings = rollout_findings_in(record, &held->findings);
    held->record = *record;
    held->known = true;
    held->runner->changed = true;
    if (!held_is_live(held)) {
        rollout_roster_clear(&held->roster);
        rollout_lease_lost(&held->lease);
    }
}

/* ---- Putting --------------------------------------------------------------------------------- */

static void on_put(void *owner, Result result, bool written)
{
    HeldRollout *held = owner;
    RolloutRunner *runner = held->runner;
    if (!failed(result) && written && !held->known)
        telemetry_event("info", "rollout", OK, "%s: begin", held->name);
    if (failed(result))
        error_ignore(result, "the next beat puts it again");
    if (held_end(held) && !failed(result))
        rollout_runner_look_soon(runner);
}

static void put(HeldRollout *held, const RolloutRecord *record)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRow row = rollout_record_row(held->definition, record, arena);
    row.evidence = rollout_findings_write(record, &held->findings, arena);
    const RolloutRoster *roster = &held->roster;
    RolloutMembers members = {
        .clients = roster->clients, .numbers = roster->numbers, .n = roster->n, .at = roster->at};
    held_begin(held);
    rollout_table_put(held->runner->table, &row, &members, on_put, held);
    arena_free(arena);
}

/* Whoever is first begins it; it is known when it is read. */
static void begin(HeldRollout *held)
{
    KeySeed salt = key_seed_new();
    RolloutRecord record = rollout_record_begin(held->definition, &salt, clock_wall());
    held->findings = rollout_findings_in(&record, &held->findings);
    put(held, &record);
}

/* The store was restored from an older backup, or is another one. */
static void put_back(HeldRollout *held)
{
    telemetry_event("warning", "rollout_put_back", OK,
                    "%s: the store has forgotten acts or members, which this gateway remembers",
                    held->name);
    held->stored = false;
    held->reread = true;
    put(held, &held->record);
}

/* ---- Looks ----------------------------------------------------------------------------------- */

static void tell_unreadable(HeldRollout *held)
{
    if (!held->unreadable)
        telemetry_event("error", "rollout_unreadable", OK,
                        "%s: a newer gateway has written its state: it stays as it is here",
                        held->name);
    held->unreadable = true;
}

void held_see_row(HeldRollout *held, const RolloutRow *row)
{
    RolloutRecord record;
    if (!row && !held->known)
        begin(held);
    else if (!row || (held->known && row->revision < held->record.revision))
        put_back(held);
    else if (!rollout_record_read(row, &record))
        tell_unreadable(held);
    else {
        if (held->known && row->revision > held->record.revision)
            telemetry_event("info", "rollout_followed", OK,
                            "%s: it is %s by what was done elsewhere", held->name,
                            rollout_phase_text(record.state.phase));
        if (!held->known || row->revision > held->record.revision)
            held_adopt(held, &record);
        held->stored = true;
        held->unreadable = false;
        rollout_lease_see(&held->lease, &row->judge, clock_now());
        if (!rollout_lease_is_ours(&held->lease, clock_now()))
            held_see_findings(held, row->evidence);
        if (held_is_live(held) && !held->complete)
            rollout_runner_look_soon(held->runner);
    }
}

void held_see_members(HeldRollout *held, const RolloutMembers *members, int64_t after)
{
    if (held->reread && after > 0)
        return; /* they are read anew */
    switch (rollout_roster_take(&held->roster, members, after)) {
    case ROSTER_SAME: break;
    case ROSTER_MORE: held->runner->changed = true; break;
    case ROSTER_FEWER:
        held->reread = true;
        rollout_runner_look_soon(held->runner);
        return;
    case ROSTER_LOST: put_back(held); return;
    }
    held->complete = true;
    if (after == 0)
        held->reread = false;
}

/* This gateway is late, or has just started: it begins at once. */
static void begin_as_others(HeldRollout *held, const RolloutHeard *heard)
{
    if (heard->begun > held->begun) {
        held->begun = heard->begun;
        held->runner->changed = true;
    }
    if (heard->settled > held->roster.settled) {
        held->roster.settled = heard->settled;
        held->runner->changed = true;
    }
}

void held_see_heard(HeldRollout *held, const RolloutHeard *heard, int64_t looked)
{
    bool silent = heard->node.size && looked - heard->at > held_lease(held);
    held->all_know_revision = heard->revision;
    held->all_know_member = heard->member;
    held->all_wrote = !heard->node.size || heard->at >= held->runner->started;
    begin_as_others(held, heard);
    free(held->silent);
    held->silent = silent ? text_copy_bytes(heard->node) : NULL;
}

/* ---- Claims
 * -------------------------------------------------------------------------------------- */

void held_drop_knocks(HeldRollout *held)
{
    arena_free(held->knocks);
    held->knocks = NULL;
    held->n_clients = 0;
}

void held_knock(HeldRollout *held, Bytes client)
{
    if (held->n_clients == COHORT_KNOCKS_MOST)
        return; /* it knocks again with its next call */
    if (!held->knocks)
        held->knocks = arena_new(ARENA_UNLIMITED);
    held->clients[held->n_clients++] = bytes_copy(held->knocks, client);
}

/* On its way to the store. */
typedef struct Claiming {
    RolloutPending pending;
    HeldRollout *held;
    int64_t trial, after;
} Claiming;

static void on_claimed(void *owner, Result result, const RolloutMembers *members)
{
    Claiming *claim = owner;
    HeldRollout *held = claim->held;
    int64_t trial = claim->trial, after = claim->after;
    rollout_pending_end(&claim->pending);
    held->claiming = false;
    if (!held_end(held))
        return;
    if (failed(result)) {
        error_ignore(result, "the clients stay on the baseline, and knock again");
        held_drop_knocks(held);
        return;
    }
    if (held->known && held->record.trial == trial)
        held_see_members(held, members, after);
    rollout_runner_publish(held->runner);
    held_claim(held);
}

void held_claim(HeldRollout *held)
{
    if (held->claiming || held->n_clients == 0)
        return;
    if (held->door <= 0 || held->runner->stopped) {
        held_drop_knocks(held);
        return;
    }
    uint32_t n = held->n_clients < ROLLOUT_CLAIM_MOST ? held->n_clients : ROLLOUT_CLAIM_MOST;
    Claiming *claim = rollout_pending_new(held->runner, sizeof *claim);
    claim->held = held;
    claim->trial = held->record.trial;
    claim->after = held->roster.last;
    RolloutAsk ask = {.id = bytes_of(held->name), .trial = claim->trial, .after = claim->after};
    held->claiming = true;
    held_begin(held);
    rollout_table_claim(held->runner->table, &ask, held->clients, n, on_claimed, claim);
    held->n_clients -= n;
    memmove(held->clients, held->clients + n, held->n_clients * sizeof held->clients[0]);
    if (held->n_clients == 0)
        held_drop_knocks(held);
}
