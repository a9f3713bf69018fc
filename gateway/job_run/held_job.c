#include "base/clock.h"
#include "gateway/job/job_told.h"
#include "gateway/job_run/job_runner_internal.h"

#include <stdlib.h>

/* When a job is looked at again that cannot be executed here now. */
#define POSTPONED (30 * SECOND)

static int64_t wall_of(const HeldJob *job)
{
    JobClock *clock = job->runner->settings.clock;
    return clock->wall(clock);
}

static JobPosition *position_of(const HeldJob *job)
{
    return &job->record->position;
}

/* ---- Definitions ----------------------------------------------------------------------------- */

static void let_definition_go(HeldJob *job)
{
    JobBook *book = job->runner->settings.book;
    if (job->definition)
        book->release(book, job->held);
    job->definition = NULL;
}

/* The current one: it may be of a newer config than the last. */
static bool hold_definition(HeldJob *job)
{
    JobBook *book = job->runner->settings.book;
    let_definition_go(job);
    job->definition = book->hold(book, job->record, &job->held);
    return job->definition != NULL;
}

/* ---- Its life -------------------------------------------------------------------------------- */

void held_job_drop(HeldJob *job)
{
    JobRunner *runner = job->runner;
    JobBackend *backend = runner->settings.backend;
    if (job->state == HELD_CALLS) {
        backend->cancel(backend, job->call);
        runner->n_calls--;
    }
    runner->n_unwritten -= job->state == HELD_UNWRITTEN;
    let_definition_go(job);
    *job->at = job->next;
    if (job->next)
        job->next->at = job->at;
    runner->n_jobs--;
    arena_free(job->arena);
}

static HeldJob *new_job(JobRunner *runner, const JobRecord *record)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HeldJob *job = arena_make(arena, HeldJob);
    *job = (HeldJob){.runner = runner,
                     .arena = arena,
                     .record = job_record_copy(record, arena),
                     .state = HELD_WRITES,
                     .next = runner->jobs,
                     .at = &runner->jobs};
    job->asked = job->record->order;
    job->record->order = (JobOrder){.given = false};
    if (job->next)
        job->next->at = &job->next;
    runner->jobs = job;
    runner->n_jobs++;
    return job;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void go_on(HeldJob *job);
static void on_written(void *owner, Result result, bool written);

static void submit(HeldJob *job)
{
    JobStorage *storage = job->runner->settings.storage;
    job->state = HELD_WRITES;
    storage->write(storage, job->record, job->content, job->releases, wall_of(job), on_written,
                   job);
}

/* The name of its step goes with the position. */
static void name_step(HeldJob *job)
{
    const JobPosition *p = position_of(job);
    bool begun = p->state != JOB_QUEUED && (p->step_began || p->begun);
    job->record->step =
        begun ? bytes_copy(job->arena, bytes_of(job->definition->steps[p->step].name)) : BYTES_NONE;
}

static bool has_to_wait(const HeldJob *job)
{
    JobAct act = job_act(position_of(job));
    return act == JOB_ACT_WAIT || act == JOB_ACT_REST;
}

static void write_position(HeldJob *job)
{
    if (job->definition)
        name_step(job);
    job->record->is_news |= job_told_next(&job->record->told, position_of(job));
    job->releases = has_to_wait(job) || job->handed_over || !runner_may_act(job->runner);
    submit(job);
}

/* Somebody has to act, or another gateway: it is looked at again later. */
static void postpone(HeldJob *job, const char *why)
{
    JobHearer *hearer = job->runner->settings.hearer;
    hearer->on_stuck(hearer, job->record, why);
    position_of(job)->due = wall_of(job) + POSTPONED;
    job->handed_over = true;
    write_position(job);
}

void held_job_write_again(HeldJob *job)
{
    job->runner->n_unwritten--;
    job->releases |= job->handed_over || !runner_may_act(job->runner);
    submit(job);
}

/* The runner looks again soon, for another one of its method or client may run in the place of a
   job that has ended or waits; and when it is due. */
static void expect(const HeldJob *job)
{
    JobRunner *runner = job->runner;
    JobClock *clock = runner->settings.clock;
    int64_t wait = position_of(job)->due - clock->wall(clock);
    int64_t due = clock->now(clock) + (wait > 0 ? wait : 0);
    job_runner_hear(runner, BYTES_NONE);
    if (!job_is_at_rest(position_of(job)->state) && due < runner->look_at)
        runner->look_at = due;
}

static void tell(HeldJob *job)
{
    JobHearer *hearer = job->runner->settings.hearer;
    hearer->on_change(hearer, job->record);
    if (position_of(job)->state == JOB_FAILED)
        hearer->on_stuck(hearer, job->record, "it has failed, and waits for an operator");
}

static void on_written(void *owner, Result result, bool written)
{
    HeldJob *job = owner;
    JobRunner *runner = job->runner;
    if (failed(result)) {
        job->state = HELD_UNWRITTEN;
        runner->n_unwritten++;
    } else if (!written) { /* it is somebody else's */
        held_job_drop(job);
    } else {
        job->content = false;
        job->record->is_news = false;
        job->record->order = (JobOrder){.given = false};
        tell(job);
        if (job->releases) {
            expect(job);
            held_job_drop(job);
        } else {
            go_on(job);
        }
    }
    runner_plan(runner);
}

/* ---- What happens to it ---------------------------------------------------------------------- */

/* Bit i: step i may have had an effect that is not undone. */
static uint64_t open_steps(const JobPosition *p)
{
    return p->begun & ~p->undone;
}

static bool has_just_begun(const HeldJob *job, uint64_t before)
{
    const JobPosition *p = position_of(job);
    bool forward = p->state == JOB_RUNNING || p->state == JOB_WAITING;
    return forward && (open_steps(p) & ~before & (UINT64_C(1) << p->step));
}

static bool holds(const HeldJob *job)
{
    JobBackend *backend = job->runner->settings.backend;
    return backend->holds(backend, job->definition, job->record, position_of(job)->step);
}

/* The event; then steps that are not to be executed are passed over, before it is written that they
   have begun. False: the event does not fit. */
static bool advance(HeldJob *job, JobEvent event)
{
    JobPosition *p = position_of(job);
    const JobRules *rules = &job->definition->rules;
    uint64_t before = open_steps(p);
    int64_t wall = wall_of(job);
    if (!job_next(rules, p, event, wall, random_next(&job->runner->random)))
        return false;
    while (has_just_begun(job, before) && !holds(job))
        CHECK(job_next(rules, p, JOB_PASSED_OVER, wall, 0));
    job->uncalled |= has_just_begun(job, before);
    return true;
}

/* Why it is undone, for whoever looks at it. */
static void note_reason(HeldJob *job, const JobOrder *order)
{
    if (order->event != JOB_CANCEL && order->event != JOB_UNDO)
        return;
    job->record->failure = (JobFailure){.step = job->record->step,
                                        .fault = bytes_of(FAULT_CANCELLED.name),
                                        .code = CODE_CANCELLED,
                                        .message = order->why};
}

/* True: there was one, which is done with what is written next. One that does not fit any more is
   done, too. */
static bool carry_out_order(HeldJob *job)
{
    if (!job->asked.given)
        return false;
    job->record->order = job->asked;
    job->asked.given = false;
    if (advance(job, job->record->order.event))
        note_reason(job, &job->record->order);
    return true;
}

void held_job_take_order(HeldJob *job, const JobOrder *order)
{
    if (job->asked.given || job->record->order.given)
        return;
    job->asked = *order;
    job->asked.who = bytes_copy(job->arena, order->who);
    job->asked.why = bytes_copy(job->arena, order->why);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void keep_response(HeldJob *job, Bytes response)
{
    Bytes kept = bytes_copy(job->arena, response);
    static const uint8_t empty[1];
    job->record->responses[job->order.step] = kept.data ? kept : bytes(empty, 0);
    job->content = true;
}

static JobFailure copy_failure(Arena *arena, const JobFailure *failure)
{
    return (JobFailure){.step = bytes_copy(arena, failure->step),
                        .fault = bytes_copy(arena, failure->fault),
                        .code = failure->code,
                        .message = bytes_copy(arena, failure->message)};
}

static JobFailure too_late(const HeldJob *job, const char *why)
{
    return (JobFailure){.step = bytes_of(job->definition->steps[job->order.step].name),
                        .fault = bytes_of(FAULT_DEADLINE_EXCEEDED.name),
                        .code = CODE_DEADLINE_EXCEEDED,
                        .message = bytes_of(why)};
}

/* The failure of a step is kept while it is tried again, and if the job has failed or is undone
   because of it. An undo that fails in the end is told of behind it. A cancelled job has its reason
   already. */
static void note_failure(HeldJob *job, const JobFailure *failure)
{
    const JobPosition *p = position_of(job);
    JobFailure *known = &job->record->failure;
    bool goes_on = p->state == JOB_DONE || ((p->state == JOB_RUNNING || p->state == JOB_WAITING) &&
                                            (p->step != job->order.step || !failure));
    if (goes_on) {
        *known = (JobFailure){.code = CODE_OK};
    } else if (failure && job->order.undo && (p->undo_failed >> job->order.step & 1)) {
        JobFailure both = job_failure_add_undo(known, failure, job->arena);
        *known = copy_failure(job->arena, &both);
    } else if (failure && !job->order.undo && !p->cancelled) {
        *known = copy_failure(job->arena, failure);
    }
}

/* That this call was declined says something of the step only if it was the first one. After a
   takeover nobody knows of the calls before. */
static JobEvent meaning_for_step(HeldJob *job, JobEvent event)
{
    bool first = job->uncalled;
    job->uncalled = false;
    return event == JOB_DECLINED && !first ? JOB_REFUSED : event;
}

static void on_call_end(void *owner, const JobCallEnd *end)
{
    HeldJob *job = owner;
    JobHearer *hearer = job->runner->settings.hearer;
    JobEvent event = meaning_for_step(job, end->event);
    JobFailure late = too_late(job, "what it waits for has not come about in its time");
    job->state = HELD_WRITES;
    job->runner->n_calls--;
    hearer->on_call(hearer, &job->order, end);
    if (event == JOB_SUCCEEDED && !job->order.undo)
        keep_response(job, end->response);
    carry_out_order(job);
    CHECK(advance(job, event));
    switch (event) {
    case JOB_REFUSED:
    case JOB_DECLINED:
    case JOB_BROKE: note_failure(job, &end->failure); break;
    case JOB_NOT_YET:
        note_failure(job, position_of(job)->state == JOB_WAITING ? NULL : &late);
        break;
    default: note_failure(job, NULL); break;
    }
    write_position(job);
    runner_plan(job->runner);
}

static void call(HeldJob *job, bool undo)
{
    JobBackend *backend = job->runner->settings.backend;
    const char *step = job->definition->steps[position_of(job)->step].name;
    job->order = (JobCallOrder){.definition = job->definition,
                                .record = job->record,
                                .step = position_of(job)->step,
                                .undo = undo,
                                .key = job_step_key(job->arena, job->record->id, step, undo),
                                .on_end = on_call_end,
                                .owner = job};
    job->state = HELD_CALLS;
    job->runner->n_calls++;
    job->call = backend->call(backend, &job->order);
}

Bytes job_step_key(Arena *arena, Bytes id, const char *step, bool undo)
{
    return bytes_of(arena_printf(arena, "%.*s-%s%s", BYTES_ARGS(id), step, undo ? "-undo" : ""));
}

/* ---- What comes next ------------------------------------------------------------------------- */

/* Its position is written: what it says is done now. */
static void go_on(HeldJob *job)
{
    if (job->handed_over || !runner_may_act(job->runner)) {
        write_position(job);
    } else if (!hold_definition(job)) {
        postpone(job, "its definition is not in the config any more");
    } else if (carry_out_order(job)) {
        write_position(job);
    } else {
        call(job, job_act(position_of(job)) == JOB_ACT_UNDO);
    }
}

/* Whether a call may follow at once: nothing was decided but that it is time for it. */
static bool is_same_call(const JobPosition *before, const JobPosition *after)
{
    bool forward = after->state == JOB_RUNNING && before->state != JOB_QUEUED;
    bool backward = after->state == JOB_UNDOING && before->state == JOB_UNDOING;
    return (forward || backward) && before->step == after->step && before->begun == after->begun &&
           before->undone == after->undone && before->undoing == after->undoing;
}

/* It is due: its owner begins, or goes on. */
static void wake(HeldJob *job)
{
    const JobStep *step = &job->definition->steps[position_of(job)->step];
    bool waits = position_of(job)->state == JOB_WAITING && step->rules.kind == JOB_STEP_EVENT;
    job->order = (JobCallOrder){.step = position_of(job)->step};
    JobFailure late = too_late(job, "the event has not come in its time");
    CHECK(advance(job, JOB_TAKEN));
    if (waits)
        note_failure(job, &late);
}

/* It is claimed: because it is due, or has an order. Clocks of gateways differ, so that it may not
   be due here. */
static void take(HeldJob *job)
{
    JobPosition before = *position_of(job);
    bool ordered = carry_out_order(job);
    JobAct act = job_act(position_of(job));
    bool due = job_is_due(&job->definition->rules, position_of(job), wall_of(job));
    bool wakes = act != JOB_ACT_REST && (act != JOB_ACT_WAIT || due);
    if (wakes)
        wake(job);
    if (wakes && !ordered && is_same_call(&before, position_of(job)))
        call(job, job_act(position_of(job)) == JOB_ACT_UNDO);
    else
        write_position(job);
}

void held_job_begin(JobRunner *runner, const JobRecord *record, bool in_time)
{
    HeldJob *job = new_job(runner, record);
    job->handed_over = !in_time || !runner_may_act(runner);
    if (job->handed_over)
        write_position(job);
    else if (record->damage.size)
        postpone(job, arena_printf(job->arena, "what is stored of it cannot be read: %.*s",
                                   BYTES_ARGS(record->damage)));
    else if (!hold_definition(job))
        postpone(job, "its definition is not in the config any more");
    else
        take(job);
}

void held_job_hand_over(HeldJob *job)
{
    JobBackend *backend = job->runner->settings.backend;
    job->handed_over = true;
    if (job->state != HELD_CALLS)
        return;
    backend->cancel(backend, job->call);
    job->runner->n_calls--;
    write_position(job);
}
