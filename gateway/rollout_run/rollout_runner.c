/* Beats, the store's notices, knocks, and what is published. */
#include "gateway/rollout_run/rollout_runner.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/utf8.h"
#include "gateway/handover/handover.h"
#include "gateway/rollout_run/rollout_runner_internal.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

#define SOON (20 * MILLISECOND) /* changes of so long are looked at together */
#define IDLE_BEAT (10 * SECOND) /* while there are no rollouts */
enum { SILENT_LEASES = 10 };    /* then a gateway is taken for dead */
#define DOOR_STEP 0.01          /* smaller changes are not published */

static uint64_t milliseconds(int64_t time)
{
    return (uint64_t)(time / MILLISECOND);
}

/* ---- What waits for the store ---------------------------------------------------------------- */

void *rollout_pending_new(RolloutRunner *runner, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutPending *pending = arena_calloc(arena, 1, size);
    *pending = (RolloutPending){runner->pending, &runner->pending, arena};
    if (pending->next)
        pending->next->at = &pending->next;
    runner->pending = pending;
    return pending;
}

void rollout_pending_end(RolloutPending *pending)
{
    *pending->at = pending->next;
    if (pending->next)
        pending->next->at = pending->at;
    arena_free(pending->arena);
}

/* ---- One rollout ----------------------------------------------------------------------------- */

static void held_free(HeldRollout *held)
{
    held_drop_knocks(held);
    rollout_roster_clear(&held->roster);
    rollout_lease_deinit(&held->lease);
    cohort_sample_free(held->sample);
    free(held->silent);
    cohort_sample_free(held->known_clients);
    free(held->name);
    free(held);
}

static HeldRollout **link_of(HeldRollout **first, const HeldRollout *held)
{
    while (*first && *first != held)
        first = &(*first)->next;
    return first;
}

static void unlink_from(HeldRollout **first, HeldRollout *held)
{
    *link_of(first, held) = held->next;
}

void held_begin(HeldRollout *held)
{
    held->under_way++;
}

bool held_end(HeldRollout *held)
{
    held->under_way--;
    if (held->definition)
        return true;
    if (held->under_way == 0) {
        unlink_from(&held->runner->left, held);
        held_free(held);
    }
    return false;
}

bool held_is_live(const HeldRollout *held)
{
    RolloutPhase phase = held->record.state.phase;
    return held->known && phase != ROLLOUT_ROLLED_BACK && phase != ROLLOUT_COMPLETE;
}

bool held_has_begun(const HeldRollout *held)
{
    return held->begun == held->record.from || held->record.state.phase == ROLLOUT_COMPLETE ||
           !rollout_record_grows(held->definition, &held->record);
}

RolloutStory held_story(const HeldRollout *held)
{
    const RolloutRunner *runner = held->runner;
    return (RolloutStory){
        .definition = held->definition,
        .record = held->known ? &held->record : NULL,
        .findings = &held->findings,
        .judgement = &held->judgement,
        .capacity = held->capacity,
        .members = held->roster.n,
        .judge = held_is_live(held) ? held->lease.seen.name : BYTES_NONE,
        .judges_here = rollout_lease_is_ours(&held->lease, clock_now()),
        .store_down = runner->store_down,
        .short_of = held_is_live(held) ? held->short_of : 0,
        .silent = held->silent,
        .begun = held->known && held_has_begun(held),
    };
}

/* ---- Publishing ------------------------------------------------------------------------------ */

/* The same on all gateways, and for the whole tier, until that is full. */
static double door_of(const HeldRollout *held)
{
    const RolloutDefinition *definition = held->definition;
    const RolloutRecord *record = &held->record;
    if (!held->stored || held->roster.last >= record->state.room ||
        !rollout_is_open(definition, &record->state))
        return 0;
    if (record->known > 0 &&
        held->roster.n / record->known > rollout_capacity_share(&held->capacity))
        return 0;
    int64_t waited = clock_wall() - record->state.tier_since;
    return tier_door(record->room, record->known, waited > 0 ? waited : 0,
                     definition->judging.least);
}

/* True: it is to be published. */
static bool move_door(HeldRollout *held)
{
    double door = held->known ? door_of(held) : 0, before = held->door;
    bool moves = (door > 0) != (before > 0) || door > before * (1 + DOOR_STEP) ||
                 door < before * (1 - DOOR_STEP);
    if (moves)
        held->door = door;
    return moves;
}

static void look(RolloutRunner *runner);

static void on_settling(uv_timer_t *settling)
{
    RolloutRunner *runner = settling->data;
    rollout_runner_publish(runner);
    look(runner);
}

/* Looks in time before `again`, and then begins. */
static void wait_to_settle(RolloutRunner *runner, int64_t again, int64_t step, int64_t wall)
{
    int64_t look_at = beginning_look(again, step), at = look_at > wall ? look_at : again;
    uint64_t in = milliseconds(at - wall) + 1;
    uv_handle_t *settling = (uv_handle_t *)&runner->settling;
    if (!runner->stopped &&
        (!uv_is_active(settling) || uv_timer_get_due_in(&runner->settling) > in))
        CHECK(uv_timer_start(&runner->settling, on_settling, in, 0) == 0);
}

/* Members and tiers begin whose time has come. */
static void settle(HeldRollout *held)
{
    RolloutRunner *runner = held->runner;
    BeginningNow now = {clock_wall(), runner->looked, runner->failed, held->all_know_member};
    int64_t again = 0, step = beginning_step(held->definition), before = held->roster.settled;
    rollout_roster_settle(&held->roster, step, &now, &again);
    runner->changed |= held->roster.settled != before;
    if (again)
        wait_to_settle(runner, again, step, now.wall);
    if (!held->known || held_has_begun(held))
        return;
    now.known = held->all_know_revision;
    if (beginning_is_now(held->record.revision, held->record.from, step, &now, &again)) {
        held->begun = held->record.from;
        runner->changed = true;
    } else {
        wait_to_settle(runner, again, step, now.wall);
    }
}

static CohortPlan plan_of(const HeldRollout *held)
{
    const RolloutRoster *roster = &held->roster;
    RolloutHere here = {.members = roster->clients,
                        .numbers = roster->numbers,
                        .door = held->door,
                        .begun = held_has_begun(held)};
    while (here.n < roster->n && roster->numbers[here.n] <= roster->settled)
        here.n++;
    CohortPlan plan = rollout_record_plan(held->definition, &held->record, &here);
    plan.known = held->door > 0 ? NULL : held->known_clients;
    return plan;
}

void rollout_runner_publish(RolloutRunner *runner)
{
    CohortPlan *plans = NULL;
    uint32_t n = 0, most = 0;
    for (HeldRollout *held = runner->held; held; held = held->next, most++) {
        runner->changed |= move_door(held);
        settle(held);
    }
    rollout_metrics_show(runner);
    if (!runner->changed)
        return;
    runner->changed = false;
    plans = calloc(most + 1, sizeof *plans);
    CHECK(plans);
    for (HeldRollout *held = runner->held; held; held = held->next)
        if (held->known)
            plans[n++] = plan_of(held);
    cohort_publish(n ? cohort_table_new(plans, n) : NULL);
    free(plans);
    handover_changed(ROLLOUT_BLOB);
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* What a look asks for. */
typedef struct Look {
    RolloutPending pending;
    RolloutRunner *runner;
    RolloutAsk *asks;
    uint32_t n;
    int64_t wall;
} Look;

static HeldRollout *find_held(const RolloutRunner *runner, Bytes name)
{
    HeldRollout *held = runner->held;
    while (held && !bytes_are(name, held->name))
        held = held->next;
    return held;
}

static const RolloutRow *find_row(const RolloutSeen *seen, const char *name)
{
    for (uint32_t i = 0; i < seen->n_rows; i++)
        if (bytes_are(seen->rows[i].id, name))
            return &seen->rows[i];
    return NULL;
}

static void take_seen(RolloutRunner *runner, const Look *asked, const RolloutSeen *seen)
{
    if (withdrawals_see(&runner->withdrawals, seen->rows, seen->n_rows))
        rollout_runner_use_instances(runner);
    for (HeldRollout *held = runner->held; held; held = held->next)
        held_see_row(held, find_row(seen, held->name));
    for (uint32_t i = 0; i < asked->n; i++) {
        HeldRollout *held = find_held(runner, asked->asks[i].id);
        if (!held || held->record.trial != asked->asks[i].trial)
            continue;
        held_see_heard(held, &seen->heard[i], asked->wall);
        held_see_members(held, &seen->members[i], asked->asks[i].after);
    }
}

static void tell_store(RolloutRunner *runner, bool down)
{
    if (runner->store_down == down)
        return;
    runner->store_down = down;
    if (runner->held && down)
        telemetry_event("warning", "rollouts_held_up", OK,
                        "the store is down: clients stay where they are, and nothing advances");
}

static void on_seen(void *owner, Result result, const RolloutSeen *seen)
{
    Look *asked = owner;
    RolloutRunner *runner = asked->runner;
    runner->looking = false;
    tell_store(runner, failed(result));
    for (HeldRollout *held = runner->held; held; held = held->next)
        settle(held); /* by the look before: this one may have been too late for it */
    if (failed(result)) {
        runner->failed = clock_wall();
    } else {
        runner->looked = asked->wall;
        take_seen(runner, asked, seen);
    }
    rollout_pending_end(&asked->pending);
    rollout_runner_publish(runner);
    for (HeldRollout *held = runner->held; held && !failed(result); held = held->next)
        held_judge(held);
    if (runner->look_again)
        rollout_runner_look_soon(runner);
}

static void look(RolloutRunner *runner)
{
    runner->look_again = runner->looking;
    if (runner->looking || runner->stopped)
        return;
    uint32_t most = 0;
    for (const HeldRollout *held = runner->held; held; held = held->next)
        most++;
    Look *asked = rollout_pending_new(runner, sizeof *asked);
    Arena *arena = asked->pending.arena;
    asked->runner = runner;
    asked->wall = clock_wall();
    asked->asks = arena_array(arena, RolloutAsk, most);
    for (const HeldRollout *held = runner->held; held; held = held->next)
        if (held_is_live(held))
            asked->asks[asked->n++] = (RolloutAsk){
                .id = bytes_of(arena_string(arena, held->name)),
                .trial = held->record.trial,
                .after = held->reread ? 0 : held->roster.last,
                .since = asked->wall - SILENT_LEASES * held_lease(held),
                .now = asked->wall,
                .cell = beginning_cell(held->definition),
            };
    runner->looking = true;
    rollout_table_look(runner->table, asked->asks, asked->n, on_seen, asked);
}

static void on_soon(uv_timer_t *soon)
{
    look(soon->data);
}

void rollout_runner_look_soon(RolloutRunner *runner)
{
    if (!runner->stopped && !uv_is_active((uv_handle_t *)&runner->soon))
        CHECK(uv_timer_start(&runner->soon, on_soon, milliseconds(SOON), 0) == 0);
}

static void on_beat(uv_timer_t *beat)
{
    look(beat->data);
}

static void on_notice(void *owner, Bytes text)
{
    rollout_runner_look_soon(owner);
}

/* ---- Knocks ---------------------------------------------------------------------------------- */

static HeldRollout *find_by_id(const RolloutRunner *runner, uint64_t id)
{
    HeldRollout *held = runner->held;
    while (held && held->definition->id != id)
        held = held->next;
    return held;
}

/* A database takes only texts. */
static bool is_text(Bytes client)
{
    return utf8_valid(client) && bytes_find(client, 0) == client.size;
}

static void on_knocked(uv_async_t *knocked)
{
    RolloutRunner *runner = knocked->data;
    CohortKnock knock;
    while (cohort_knock_take(&knock)) {
        HeldRollout *held = find_by_id(runner, knock.rollout);
        Bytes client = bytes(knock.client, knock.size);
        if (held && is_text(client))
            held_knock(held, client);
    }
    for (HeldRollout *held = runner->held; held; held = held->next)
        held_claim(held);
}

static void on_knock(void *owner)
{
    RolloutRunner *runner = owner;
    uv_async_send(&runner->knocked);
}

/* ---- The config ------------------------------------------------------------------------------ */

static HeldRollout *hold(RolloutRunner *runner, const RolloutDefinition *definition)
{
    HeldRollout *held = find_held(runner, bytes_of(definition->name));
    if (held) {
        unlink_from(&runner->held, held);
    } else {
        held = calloc(1, sizeof *held);
        CHECK(held);
        held->runner = runner;
        held->name = text_copy(definition->name);
    }
    held->definition = definition;
    return held;
}

/* What is under way for it comes to nothing. */
static void let_go(RolloutRunner *runner, HeldRollout *held)
{
    held->definition = NULL;
    if (held->under_way == 0) {
        held_free(held);
        return;
    }
    held->next = runner->left;
    runner->left = held;
}

static void let_all_go(RolloutRunner *runner)
{
    for (HeldRollout *next, *held = runner->held; held; held = next) {
        next = held->next;
        let_go(runner, held);
    }
    runner->held = NULL;
}

/* From the first config on that has rollouts: it has a connection of its own. */
static void listen_to_others(RolloutRunner *runner)
{
    if (!runner->ear && runner->held)
        runner->ear = store_ear_open(runner->settings.store, runner->settings.loop, ROLLOUT_CHANNEL,
                                     on_notice, runner);
}

void rollout_runner_use(RolloutRunner *runner, const Config *config)
{
    HeldRollout *kept = NULL, **at = &kept;
    int64_t every = config->n_rollouts ? INT64_MAX : IDLE_BEAT;
    runner->settings.config = config;
    rollout_table_use_keys(runner->table, &config->store.keys);
    for (uint32_t i = 0; i < config->n_rollouts; i++) {
        const RolloutDefinition *definition = &config->rollouts[i];
        *at = hold(runner, definition);
        at = &(*at)->next;
        every = definition->judging.every < every ? definition->judging.every : every;
    }
    *at = NULL;
    let_all_go(runner);
    runner->held = kept;
    runner->every = every;
    runner->changed = true;
    CHECK(uv_timer_start(&runner->beat, on_beat, milliseconds(every), milliseconds(every)) == 0);
    listen_to_others(runner);
    withdrawals_tell_again(&runner->withdrawals);
    rollout_runner_use_instances(runner);
    rollout_runner_publish(runner);
    look(runner);
}

void rollout_runner_use_instances(RolloutRunner *runner)
{
    withdrawals_apply(&runner->withdrawals, runner->settings.config);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void take_handed_over(RolloutRunner *runner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes blob = handover_take(ROLLOUT_BLOB, arena);
    for (HeldRollout *held = runner->held; held && blob.size; held = held->next)
        rollout_handover_read(blob, held);
    arena_free(arena);
    runner->changed = true;
    rollout_runner_publish(runner);
}

RolloutRunner *rollout_runner_start(const RolloutRunnerSettings *settings)
{
    RolloutRunner *runner = calloc(1, sizeof *runner);
    CHECK(runner && pthread_mutex_init(&runner->mutex, NULL) == 0);
    runner->settings = *settings;
    runner->process = store_tag(settings->store);
    runner->started = clock_wall();
    runner->table =
        rollout_table_open(settings->store, settings->port, &settings->config->store.keys);
    runner->beat.data = runner->soon.data = runner->settling.data = runner->knocked.data = runner;
    CHECK(uv_timer_init(settings->loop, &runner->beat) == 0);
    CHECK(uv_timer_init(settings->loop, &runner->soon) == 0);
    CHECK(uv_timer_init(settings->loop, &runner->settling) == 0);
    CHECK(uv_async_init(settings->loop, &runner->knocked, on_knocked) == 0);
    cohort_on_knock(on_knock, runner);
    handover_offer(ROLLOUT_BLOB, rollout_handover_write, runner);
    rollout_runner_use(runner, settings->config);
    take_handed_over(runner);
    return runner;
}

/* Others may have begun with what has not begun here, and not have written it yet, for the store
   was down: as the process before this one may have. */
static bool may_have_begun(const HeldRollout *held)
{
    return !held->all_wrote && (!held_has_begun(held) || held->roster.settled < held->roster.last);
}

bool rollout_runner_is_ready(const RolloutRunner *runner)
{
    if (!runner->held)
        return runner->looked || runner->failed;
    for (const HeldRollout *held = runner->held; held; held = held->next)
        if (!held->known || (held_is_live(held) && (!held->complete || may_have_begun(held))))
            return false;
    return true;
}

void rollout_runner_leave(RolloutRunner *runner)
{
    if (!runner)
        return;
    handover_withdraw(ROLLOUT_BLOB);
    cohort_on_knock(NULL, NULL);
    rollout_table_leave(runner->table, bytes_of(runner->process),
                        bytes_of(runner->settings.config->node));
}

void rollout_runner_stop(RolloutRunner *runner)
{
    if (!runner)
        return;
    runner->stopped = true;
    store_ear_close(runner->ear);
    uv_close((uv_handle_t *)&runner->beat, NULL);
    uv_close((uv_handle_t *)&runner->soon, NULL);
    uv_close((uv_handle_t *)&runner->settling, NULL);
    uv_close((uv_handle_t *)&runner->knocked, NULL);
    rollout_table_close(runner->table);
    runner->table = NULL;
    rollout_asked_refuse_all(runner);
}

void rollout_runner_free(RolloutRunner *runner)
{
    if (!runner)
        return;
    while (runner->pending)
        rollout_pending_end(runner->pending);
    let_all_go(runner);
    for (HeldRollout *next, *held = runner->left; held; held = next) {
        next = held->next;
        held_free(held);
    }
    arena_free(runner->shown_arena);
    withdrawals_deinit(&runner->withdrawals);
    pthread_mutex_destroy(&runner->mutex);
    free(runner);
}
