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

static uint64_t any_needs(const JobPlay *play, uint32_t i, Random *random)
{
    uint64_t needs = 0;
    for (uint32_t k = 0; k < i; k++)
        if (one_in(random, 3))
            needs |= UINT64_C(1) << k | play->steps[k].needs;
    return needs;
}

JobPlay job_play_any(Random *random)
{
    JobPlay play = {.n_steps = 1 + (uint32_t)random_below(random, PLAY_STEPS),
                    .remedy = (Remedy)random_below(random, 4),
                    .cancelled_early = one_in(random, 8)};
    for (uint32_t i = 0; i < play.n_steps; i++) {
        play.steps[i] = any_step(random);
        play.steps[i].needs = any_needs(&play, i, random);
    }
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

enum { NOBODY = PLAY_STEPS };

/* The steps before `n` that may have had an effect are undone, the last one first; not those that a
   step needs which is not. `helped`: that undo is good now. The last step whose undo fails. */
static uint32_t undo_once(const JobPlay *play, const bool open[], uint32_t n, uint32_t helped,
                          JobEnd *end)
{
    uint32_t last = NOBODY;
    uint64_t kept = 0;
    for (uint32_t i = n; i-- > 0;) {
        const StepPlay *step = &play->steps[i];
        if (!open[i] || !step->has_undo || (kept >> i & 1))
            continue;
        end->undone[i] = i == helped ? play->remedy == REMEDY_RETRY : is_good(step->undo);
        if (i == helped || is_good(step->undo))
            continue;
        kept |= step->needs;
        last = last == NOBODY ? i : last;
    }
    return last;
}

/* That it is to be undone does not help where an undo does not work; it leaves that out. */
static void undo_all(const JobPlay *play, const bool open[], uint32_t n, bool helped, JobEnd *end)
{
    uint32_t failed = undo_once(play, open, n, NOBODY, end);
    bool helps = play->remedy == REMEDY_RETRY || play->remedy == REMEDY_SKIP;
    if (failed != NOBODY && !helped && helps)
        failed = undo_once(play, open, n, failed, end);
    end->state = failed == NOBODY ? JOB_UNDONE : JOB_FAILED;
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
