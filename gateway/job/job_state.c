#include "gateway/job/job_state.h"

#include "gateway/policy/policy.h"

static const char *const state_names[JOB_STATES] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running", [JOB_WAITING] = "waiting",
    [JOB_FAILED] = "failed", [JOB_UNDOING] = "undoing", [JOB_UNDONE] = "undone",
    [JOB_DONE] = "done",
};

const char *job_state_name(JobState state)
{
    return state_names[state];
}

bool job_state_of(Bytes name, JobState *state_out)
{
    for (JobState state = 0; state < JOB_STATES; state++)
        if (bytes_are(name, state_names[state])) {
            *state_out = state;
            return true;
        }
    return false;
}

bool job_is_at_rest(JobState state)
{
    return state == JOB_FAILED || state == JOB_UNDONE || state == JOB_DONE;
}

JobPosition job_accepted(int64_t wall)
{
    return (JobPosition){.state = JOB_QUEUED, .due = wall};
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static uint64_t bit_of(uint32_t step)
{
    return UINT64_C(1) << step;
}

static const JobStepRules *step_of(const JobRules *rules, const JobPosition *p)
{
    return &rules->steps[p->step];
}

static bool is_call(const JobStepRules *step)
{
    return step->kind == JOB_STEP_CALL || step->kind == JOB_STEP_POLL;
}

static void rest(JobPosition *p, JobState state)
{
    p->state = state;
    p->due = 0;
}

static void wait_until(JobPosition *p, int64_t due)
{
    p->state = JOB_WAITING;
    p->due = due;
}

/* The current step begins. It may have an effect from now on: this is stored before it is called.
 */
static void begin_step(const JobRules *rules, JobPosition *p, int64_t wall)
{
    const JobStepRules *step = step_of(rules, p);
    p->step_began = wall;
    p->tries = 0;
    p->due = 0;
    p->begun |= bit_of(p->step);
    p->undone &= ~bit_of(p->step); /* it was declined, and is tried again */
    if (is_call(step))
        p->state = JOB_RUNNING;
    else
        wait_until(p, wall + step->wait);
}

/* ---- Undoing --------------------------------------------------------------------------------- */

/* What steps are built on that are not undone. */
static uint64_t kept_back(const JobRules *rules, const JobPosition *p)
{
    uint64_t kept = 0;
    for (uint32_t i = 0; i < rules->n_steps; i++)
        if (p->undo_failed & bit_of(i))
            kept |= rules->steps[i].needs;
    return kept;
}

/* The last step that is still to be undone, and can be; false: there is none. */
static bool find_undo(const JobRules *rules, const JobPosition *p, uint32_t *step_out)
{
    uint64_t open = p->begun & ~p->undone & ~p->undo_failed & ~kept_back(rules, p);
    for (uint32_t i = rules->n_steps; i-- > 0;)
        if (rules->steps[i].has_undo && (open & bit_of(i))) {
            *step_out = i;
            return true;
        }
    return false;
}

static void begin_undo(JobPosition *p, int64_t wall)
{
    p->state = JOB_UNDOING;
    p->undoing = true;
    p->step_began = wall;
    p->tries = 0;
    p->due = 0;
}

/* At the last step whose undo has failed: from there an operator goes on. */
static void rest_at_failed_undo(JobPosition *p)
{
    p->step = 63 - (uint32_t)__builtin_clzll(p->undo_failed);
    rest(p, JOB_FAILED);
}

/* The next undo, if there is one; else the job ends as `end`, or has failed because of an undo. */
static void undo_next(const JobRules *rules, JobPosition *p, JobState end, int64_t wall)
{
    if (find_undo(rules, p, &p->step))
        begin_undo(p, wall);
    else if (p->undo_failed)
        rest_at_failed_undo(p);
    else
        rest(p, end);
}

static void undone(const JobRules *rules, JobPosition *p, int64_t wall)
{
    p->undone |= bit_of(p->step);
    p->undo_failed &= ~bit_of(p->step);
    undo_next(rules, p, JOB_UNDONE, wall);
}

static void undo_fails(const JobRules *rules, JobPosition *p, int64_t wall)
{
    p->undo_failed |= bit_of(p->step);
    undo_next(rules, p, JOB_UNDONE, wall);
}

/* Also those whose undos have failed before. */
static void undo_all(const JobRules *rules, JobPosition *p, int64_t wall)
{
    p->undo_failed = 0;
    undo_next(rules, p, JOB_UNDONE, wall);
}

/* ---- Forward --------------------------------------------------------------------------------- */

static void go_on(const JobRules *rules, JobPosition *p, int64_t wall)
{
    if (p->cancelled) {
        undo_next(rules, p, JOB_UNDONE, wall);
    } else if (p->step + 1 == rules->n_steps) {
        rest(p, JOB_DONE);
    } else {
        p->step++;
        begin_step(rules, p, wall);
    }
}

static void pass_over(const JobRules *rules, JobPosition *p, int64_t wall)
{
    p->begun &= ~bit_of(p->step);
    go_on(rules, p, wall);
}

/* Where undos belong to what has begun the job ends as undone, also if none has to be called. */
static JobState end_of_failed(const JobRules *rules, const JobPosition *p)
{
    for (uint32_t i = 0; i < rules->n_steps; i++)
        if (rules->steps[i].has_undo && (p->begun & bit_of(i)))
            return JOB_UNDONE;
    return JOB_FAILED;
}

static void fail(const JobRules *rules, JobPosition *p, int64_t wall)
{
    if (p->cancelled)
        undo_next(rules, p, JOB_UNDONE, wall);
    else if (step_of(rules, p)->graceful)
        go_on(rules, p, wall);
    else
        undo_next(rules, p, end_of_failed(rules, p), wall);
}

/* It has begun all the same: who needs its response cannot be called. */
static void decline(const JobRules *rules, JobPosition *p, int64_t wall)
{
    p->undone |= bit_of(p->step);
    fail(rules, p, wall);
}

/* Another try after a backoff with full jitter; false: the time for tries is over. */
static bool try_again(const JobStepRules *step, JobPosition *p, int64_t wall, uint64_t random)
{
    int64_t backoff = policy_backoff(step->initial_backoff, step->max_backoff, ++p->tries, random);
    p->due = wall + backoff;
    return p->due - p->step_began <= step->retry_for;
}

static bool poll_again(const JobStepRules *step, JobPosition *p, int64_t wall)
{
    p->due = wall + step->every;
    return p->due - p->step_began <= step->wait;
}

/* ---- Events, by the state that they happen in ------------------------------------------------ */

static bool while_queued(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall)
{
    if (event == JOB_CANCEL)
        rest(p, JOB_UNDONE);
    else if (event == JOB_TAKEN)
        begin_step(rules, p, wall);
    else
        return false;
    return true;
}

static bool while_running(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall,
                          uint64_t random)
{
    const JobStepRules *step = step_of(rules, p);
    switch (event) {
    case JOB_TAKEN: return true; /* taken over: it is called once more, with the same key */
    case JOB_SUCCEEDED: go_on(rules, p, wall); return true;
    case JOB_PASSED_OVER: pass_over(rules, p, wall); return true;
    case JOB_REFUSED: fail(rules, p, wall); return true;
    case JOB_DECLINED: decline(rules, p, wall); return true;
    case JOB_CANCEL: p->cancelled = true; return true;
    case JOB_NOT_YET:
        if (step->kind != JOB_STEP_POLL)
            return false;
        if (!p->cancelled && poll_again(step, p, wall))
            p->state = JOB_WAITING;
        else
            fail(rules, p, wall);
        return true;
    case JOB_BROKE:
        if (!p->cancelled && try_again(step, p, wall, random))
            p->state = JOB_WAITING;
        else
            fail(rules, p, wall);
        return true;
    case JOB_ARRIVED:
    case JOB_RETRY:
    case JOB_SKIP:
    case JOB_UNDO: break;
    }
    return false;
}

/* Its time has come. */
static void wake(const JobRules *rules, JobPosition *p, int64_t wall)
{
    JobStepKind kind = step_of(rules, p)->kind;
    if (kind == JOB_STEP_TIME)
        go_on(rules, p, wall);
    else if (kind == JOB_STEP_EVENT) /* it has waited in vain */
        fail(rules, p, wall);
    else
        p->state = JOB_RUNNING;
}

static bool while_waiting(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall)
{
    if (event == JOB_TAKEN) {
        p->due = 0;
        wake(rules, p, wall);
    } else if (event == JOB_CANCEL) {
        p->cancelled = true;
        undo_next(rules, p, JOB_UNDONE, wall);
    } else if (event == JOB_PASSED_OVER) {
        pass_over(rules, p, wall);
    } else if (event == JOB_ARRIVED && step_of(rules, p)->kind == JOB_STEP_EVENT) {
        go_on(rules, p, wall);
    } else {
        return false;
    }
    return true;
}

static bool while_undoing(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall,
                          uint64_t random)
{
    switch (event) {
    case JOB_TAKEN: p->due = 0; return true;
    case JOB_CANCEL: return true; /* so it is already */
    case JOB_SUCCEEDED: undone(rules, p, wall); return true;
    case JOB_REFUSED:
    case JOB_DECLINED: undo_fails(rules, p, wall); return true;
    case JOB_BROKE:
        if (!try_again(step_of(rules, p), p, wall, random))
            undo_fails(rules, p, wall);
        return true;
    case JOB_NOT_YET:
    case JOB_PASSED_OVER:
    case JOB_ARRIVED:
    case JOB_RETRY:
    case JOB_SKIP:
    case JOB_UNDO: break;
    }
    return false;
}

/* Only an operator wakes it, or a client who does not want it any more. */
static bool while_failed(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall)
{
    if (event == JOB_RETRY && p->undoing)
        undo_all(rules, p, wall);
    else if (event == JOB_RETRY)
        begin_step(rules, p, wall);
    else if (event == JOB_SKIP && p->undoing)
        undone(rules, p, wall);
    else if (event == JOB_SKIP)
        go_on(rules, p, wall);
    else if (event == JOB_UNDO || event == JOB_CANCEL)
        undo_all(rules, p, wall);
    else
        return false;
    return true;
}

static bool while_done(const JobRules *rules, JobPosition *p, JobEvent event, int64_t wall)
{
    if (event != JOB_UNDO)
        return false;
    undo_next(rules, p, JOB_UNDONE, wall);
    return true;
}

bool job_next(const JobRules *rules, JobPosition *position, JobEvent event, int64_t wall,
              uint64_t random)
{
    switch (position->state) {
    case JOB_QUEUED: return while_queued(rules, position, event, wall);
    case JOB_RUNNING: return while_running(rules, position, event, wall, random);
    case JOB_WAITING: return while_waiting(rules, position, event, wall);
    case JOB_UNDOING: return while_undoing(rules, position, event, wall, random);
    case JOB_FAILED: return while_failed(rules, position, event, wall);
    case JOB_DONE: return while_done(rules, position, event, wall);
    case JOB_UNDONE:
    case JOB_STATES: break;
    }
    return false;
}

/* ---- What is to be done ---------------------------------------------------------------------- */

JobAct job_act(const JobPosition *position)
{
    switch (position->state) {
    case JOB_RUNNING: return JOB_ACT_CALL;
    case JOB_UNDOING: return position->due ? JOB_ACT_WAIT : JOB_ACT_UNDO;
    case JOB_QUEUED:
    case JOB_WAITING: return JOB_ACT_WAIT;
    case JOB_FAILED:
    case JOB_UNDONE:
    case JOB_DONE:
    case JOB_STATES: break;
    }
    return JOB_ACT_REST;
}

static int64_t longest_wait(const JobRules *rules, const JobPosition *p)
{
    const JobStepRules *step = step_of(rules, p);
    if (p->state != JOB_WAITING)
        return p->state == JOB_UNDOING ? step->max_backoff : 0;
    if (!is_call(step))
        return step->wait;
    return step->kind == JOB_STEP_POLL && step->every > step->max_backoff ? step->every
                                                                          : step->max_backoff;
}

bool job_is_due(const JobRules *rules, const JobPosition *position, int64_t wall)
{
    return position->due <= wall || position->due - wall > longest_wait(rules, position);
}
