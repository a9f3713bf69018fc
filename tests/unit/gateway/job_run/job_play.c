#include "tests/unit/gateway/job_run/job_play.h"

#include <string.h>

/* ---- Any play -------------------------------------------------------------------------------- */

static bool one_in(Random *random, uint64_t n)
{
    return random_below(random, n) == 0;
}

static Fate any_fate(Random *random)
{
    switch (random_below(random, 10)) {
    case 0: return FATE_REFUSED;
    case 1: return FATE_BROKEN;
    case 2:
    case 3: return FATE_BREAKS;
    case 4:
    case 5: return FATE_LOSES;
    default: return FATE_GOOD;
    }
}

static StepPlay any_step(Random *random)
{
    StepPlay step = {.n = 1 + (uint32_t)random_below(random, 3),
                     .graceful = one_in(random, 4),
                     .passed_over = one_in(random, 8)};
    switch (random_below(random, 8)) {
    case 0: step.kind = JOB_STEP_TIME; return step;
    case 1:
        step.kind = JOB_STEP_EVENT;
        step.fate = one_in(random, 3) ? FATE_NEVER : FATE_GOOD;
        return step;
    case 2:
        step.kind = JOB_STEP_POLL;
        step.fate = one_in(random, 5) ? FATE_NEVER : FATE_GOOD;
        return step;
    default: break;
    }
    step.kind = JOB_STEP_CALL;
    step.fate = any_fate(random);
    step.has_undo = one_in(random, 2);
    step.undo = any_fate(random);
    return step;
}

/* A job that may be cancelled at any time is good otherwise, so that its ends can be told apart. */
static void make_good(JobPlay *play)
{
    for (uint32_t i = 0; i < play->n_steps; i++) {
        StepPlay *step = &play->steps[i];
        step->fate = step->fate == FATE_LOSES ? FATE_LOSES : FATE_GOOD;
        step->undo = step->undo == FATE_BREAKS ? FATE_BREAKS : FATE_GOOD;
    }
}

JobPlay job_play_any(Random *random)
{
    JobPlay play = {.n_steps = 1 + (uint32_t)random_below(random, PLAY_STEPS),
                    .remedy = (Remedy)random_below(random, 4),
                    .cancelled_early = one_in(random, 8)};
    for (uint32_t i = 0; i < play.n_steps; i++)
        play.steps[i] = any_step(random);
    StepPlay *last = &play.steps[play.n_steps - 1];
    if (play.cancelled_early)
        make_good(&play);
    else if (one_in(random, 8))
        *last = (StepPlay){.kind = JOB_STEP_EVENT, .fate = FATE_NEVER, .cancelled = true};
    return play;
}

/* ---- The model ------------------------------------------------------------------------------- */

static bool is_good(Fate fate)
{
    return fate == FATE_GOOD || fate == FATE_BREAKS || fate == FATE_LOSES;
}

/* The steps before `n` that may have had an effect are undone, the last one first. */
static void undo_all(const JobPlay *play, const bool open[], uint32_t n, bool helped, JobEnd *end)
{
    for (uint32_t i = n; i-- > 0;) {
        const StepPlay *step = &play->steps[i];
        if (!open[i] || !step->has_undo)
            continue;
        bool good = is_good(step->undo);
        if (!good && !helped && play->remedy == REMEDY_RETRY)
            helped = good = true;
        else if (!good && !helped && play->remedy == REMEDY_SKIP) {
            helped = true;
            continue;
        }
        /* That it is to be undone does not help where an undo does not work; it leaves that out. */
        if (!good) {
            end->state = JOB_FAILED;
            return;
        }
        end->undone[i] = true;
    }
    end->state = JOB_UNDONE;
}

static bool has_undos(const JobPlay *play, const bool begun[], uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (begun[i] && play->steps[i].has_undo)
            return true;
    return false;
}

JobEnd job_play_end(const JobPlay *play, const bool declined[PLAY_STEPS])
{
    JobEnd end = {.state = JOB_DONE};
    bool begun[PLAY_STEPS] = {false}, open[PLAY_STEPS] = {false}; /* it may have had an effect */
    bool helped = false;
    for (uint32_t i = 0; i < play->n_steps; i++) {
        const StepPlay *step = &play->steps[i];
        if (step->passed_over)
            continue;
        begun[i] = true;
        open[i] = !declined[i];
        if (step->cancelled) {
            undo_all(play, open, i + 1, helped, &end);
            return end;
        }
        bool good = is_good(step->fate);
        end.effect[i] = good && (step->kind == JOB_STEP_CALL || step->kind == JOB_STEP_POLL);
        if (good || step->graceful)
            continue;
        if (has_undos(play, begun, i + 1)) {
            undo_all(play, open, i + 1, helped, &end);
            return end;
        }
        if (helped || play->remedy == REMEDY_NONE) {
            end.state = JOB_FAILED;
            return end;
        }
        helped = true;
        if (play->remedy == REMEDY_UNDO) { /* there is nothing to undo */
            end.state = JOB_UNDONE;
            return end;
        }
        open[i] |= play->remedy == REMEDY_RETRY;
        end.effect[i] = play->remedy == REMEDY_RETRY && step->kind != JOB_STEP_EVENT;
    }
    return end;
}
