/* What is done with a rollout: written once, told, counted. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_run/rollout_runner_internal.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry.h"

/* On its way to the store. */
typedef struct Acting {
    RolloutPending pending;
    HeldRollout *held;
    RolloutRecord record; /* after it */
    const char *act;
    const char *who;
    Bytes why, deed;
    bool bad;
    RolloutAsked *asked; /* NULL: nobody waits for it */
} Acting;

/* ---- Telling --------------------------------------------------------------------------------- */

static const char *level_of(const Acting *acting)
{
    if (acting->bad)
        return "error";
    return acting->record.state.gone && !acting->who ? "warning" : "info";
}

static void tell(const Acting *acting)
{
    HeldRollout *held = acting->held;
    RolloutRunner *runner = held->runner;
    Buffer members = buffer_in(acting->pending.arena);
    log_line_word(&members, LOG_KEY("rollout"), held->name);
    log_line_word(&members, LOG_KEY("act"), acting->act);
    log_line_word(&members, LOG_KEY("state"), rollout_phase_text(acting->record.state.phase));
    buffer_add_text(&members, ",\"deed\":");
    buffer_add_bytes(&members, acting->deed);
    atomic_fetch_add(&runner->n_acts, 1);
    telemetry_event_members(level_of(acting), "rollout", OK, buffer_bytes(&members), "%s: %s: %.*s",
                            held->name, acting->act, BYTES_ARGS(acting->why));
    if (acting->bad && runner->settings.on_bad)
        runner->settings.on_bad(runner->settings.owner,
                                FAIL(acting->pending.arena, FAULT_ROLLOUT_BAD, "%s: %.*s",
                                     held->name, BYTES_ARGS(acting->why)));
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void on_written(void *owner, Result result, bool written)
{
    Acting *acting = owner;
    HeldRollout *held = acting->held;
    RolloutRunner *runner = held->runner;
    if (failed(result))
        error_ignore(result, "the next beat decides anew");
    if (!failed(result) && written && held->definition) {
        tell(acting);
        if (held->record.revision < acting->record.revision)
            held_adopt(held, &acting->record);
        rollout_runner_publish(runner);
    }
    if (acting->asked)
        rollout_asked_written(acting->asked, held, result, written);
    held_end(held);
    rollout_runner_look_soon(runner);
    rollout_pending_end(&acting->pending);
}

static Bytes deed_of(const HeldRollout *held, const Acting *acting)
{
    RolloutStory story = held_story(held);
    RolloutDeed deed = {.act = acting->act,
                        .who = acting->who,
                        .node = held->runner->settings.config->node,
                        .why = acting->why,
                        .state = &acting->record.state};
    Buffer out = buffer_in(acting->pending.arena);
    rollout_story_deed(&story, &deed, &out);
    return buffer_bytes(&out);
}

static Bytes why_of(const HeldRollout *held, RolloutEvent event, Arena *arena)
{
    RolloutStory story = held_story(held);
    if (event == ROLLOUT_CANDIDATE_GONE)
        return bytes_of("no instance of the candidate can be used: its clients are served by the "
                        "baseline");
    if (event == ROLLOUT_CANDIDATE_BACK)
        return bytes_of("instances of the candidate can be used again");
    return rollout_story_why(&story, arena);
}

void held_act(HeldRollout *held, const RolloutStep *step, RolloutEvent event,
              const RolloutActor *actor)
{
    Acting *acting = rollout_pending_new(held->runner, sizeof *acting);
    Arena *arena = acting->pending.arena;
    const double *clients = held->findings.clients;
    RolloutMoment moment = {.last = held->roster.last,
                            .known = clients[COHORT_BASELINE] + clients[COHORT_CANDIDATE] +
                                     held->roster.n,
                            .salt = key_seed_new(),
                            .wall = clock_wall()};
    acting->held = held;
    acting->record = rollout_record_after(held->definition, &held->record, step, &moment);
    acting->act = rollout_act_name(event, &step->state);
    acting->who = actor->who ? arena_string(arena, actor->who) : NULL;
    acting->why = actor->who ? bytes_copy(arena, actor->why) : why_of(held, event, arena);
    acting->bad = event == ROLLOUT_FOUND_BAD;
    acting->asked = actor->asked;
    acting->deed = deed_of(held, acting);
    RolloutRow row = rollout_record_row(held->definition, &acting->record, arena);
    row.changed = clock_wall();
    row.judge = held->lease.seen;
    held_begin(held);
    rollout_table_act(held->runner->table, &row, !actor->who, acting->deed, on_written, acting);
}
