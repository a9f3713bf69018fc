#include "gateway/job/job_state.h"

#include "base/clock.h"
#include "base/random.h"
#include "tests/unit/check.h"

#define T0 (1000 * SECOND)

#define TRIES .retry_for = 10 * SECOND, .initial_backoff = SECOND, .max_backoff = 4 * SECOND
#define CALL .kind = JOB_STEP_CALL, TRIES
#define POLL .kind = JOB_STEP_POLL, TRIES
#define UNDO .has_undo = true

static JobRules rules_of(const JobStepRules *steps, uint32_t n)
{
    return (JobRules){steps, n};
}

/* Two calls, the first with an undo. */
static const JobStepRules two[] = {{CALL, UNDO}, {CALL}};
/* Three with undos. */
static const JobStepRules three[] = {{CALL, UNDO}, {CALL, UNDO}, {CALL, UNDO}};

#define AT(p, its_state, its_step)                                                                 \
    do {                                                                                           \
        assert_string_equal(job_state_name((p).state), its_state);                                 \
        assert_int_equal((p).step, its_step);                                                      \
    } while (0)

static void happen(const JobRules *rules, JobPosition *p, JobEvent event)
{
    assert_true(job_next(rules, p, event, T0, 0));
}

static JobPosition running(const JobRules *rules, uint32_t step)
{
    JobPosition p = job_accepted(T0);
    happen(rules, &p, JOB_TAKEN);
    for (uint32_t i = 0; i < step; i++)
        happen(rules, &p, JOB_SUCCEEDED);
    return p;
}

/* ---- Forward --------------------------------------------------------------------------------- */

static void steps_are_executed_in_order(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = job_accepted(T0);
    AT(p, "queued", 0);
    assert_int_equal(job_act(&p), JOB_ACT_WAIT);
    assert_true(job_is_due(&rules, &p, T0));
    happen(&rules, &p, JOB_TAKEN);
    AT(p, "running", 0);
    assert_int_equal(job_act(&p), JOB_ACT_CALL);
    assert_int_equal(p.begun, 1);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "running", 1);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "done", 1);
    assert_int_equal(job_act(&p), JOB_ACT_REST);
    assert_true(job_is_at_rest(p.state));
}

static void a_job_that_is_taken_over_calls_its_step_again(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 1), before = p;
    happen(&rules, &p, JOB_TAKEN);
    assert_memory_equal(&p, &before, sizeof p);
}

static void a_step_whose_condition_does_not_hold_is_passed_over_and_has_no_undo(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_PASSED_OVER);
    AT(p, "running", 1);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "failed", 1);
}

/* ---- Tries ----------------------------------------------------------------------------------- */

static void a_call_that_broke_is_repeated_after_a_backoff(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    assert_true(job_next(&rules, &p, JOB_BROKE, T0, SECOND - 1));
    AT(p, "waiting", 0);
    assert_int_equal(p.due, T0 + SECOND - 1);
    assert_false(job_is_due(&rules, &p, p.due - 1));
    assert_true(job_is_due(&rules, &p, p.due));
    assert_true(job_next(&rules, &p, JOB_TAKEN, p.due, 0));
    AT(p, "running", 0);
    assert_int_equal(p.due, 0);
}

static void backoffs_grow_up_to_a_limit_and_have_jitter(void **state)
{
    JobRules rules = rules_of(two, 2);
    static const int64_t limits[] = {1, 2, 4, 4, 4};
    JobPosition p = running(&rules, 0);
    p.step_began = T0;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        JobPosition most = p;
        assert_true(job_next(&rules, &most, JOB_BROKE, T0, (uint64_t)(limits[i] * SECOND - 1)));
        assert_int_equal(most.due, T0 + limits[i] * SECOND - 1);
        assert_true(job_next(&rules, &p, JOB_BROKE, T0, (uint64_t)(limits[i] * SECOND)));
        assert_int_equal(p.due, T0);
        happen(&rules, &p, JOB_TAKEN);
    }
}

static void no_try_begins_later_than_retry_for(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition in_time = running(&rules, 1), late = in_time;
    assert_true(job_next(&rules, &in_time, JOB_BROKE, T0 + 9 * SECOND, SECOND - 1));
    AT(in_time, "waiting", 1);
    assert_true(job_next(&rules, &late, JOB_BROKE, T0 + 9 * SECOND + 2, SECOND - 1));
    AT(late, "undoing", 0);
}

static void a_refused_call_is_not_repeated(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 1);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "undoing", 0);
}

static void each_step_has_its_own_tries(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_BROKE);
    happen(&rules, &p, JOB_TAKEN);
    assert_int_equal(p.tries, 1);
    assert_true(job_next(&rules, &p, JOB_SUCCEEDED, T0 + 5 * SECOND, 0));
    assert_int_equal(p.tries, 0);
    assert_int_equal(p.step_began, T0 + 5 * SECOND);
}

/* ---- Failing --------------------------------------------------------------------------------- */

static void a_graceful_step_that_fails_is_passed_over(void **state)
{
    static const JobStepRules steps[] = {{CALL, .graceful = true, UNDO}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "running", 1);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "undoing", 0); /* it may have had an effect all the same */
}

static void what_may_have_had_an_effect_is_undone_in_reverse_order(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 1);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "undoing", 1); /* also the step that has failed; but not the third */
    assert_int_equal(job_act(&p), JOB_ACT_UNDO);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "undoing", 0);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "undone", 0);
    assert_true(job_is_at_rest(p.state));
}

static void without_an_undo_a_job_stays_failed(void **state)
{
    static const JobStepRules steps[] = {{CALL}, {CALL, UNDO}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "failed", 0);
    assert_true(job_is_at_rest(p.state));
}

static void an_undo_is_repeated_too(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_REFUSED);
    assert_true(job_next(&rules, &p, JOB_BROKE, T0, SECOND / 2));
    AT(p, "undoing", 0);
    assert_int_equal(job_act(&p), JOB_ACT_WAIT);
    assert_int_equal(p.due, T0 + SECOND / 2);
    happen(&rules, &p, JOB_TAKEN);
    assert_int_equal(job_act(&p), JOB_ACT_UNDO);
}

static void an_undo_that_fails_for_good_fails_the_job_when_the_others_are_called(void **state)
{
    JobRules rules = rules_of(three, 3);
    for (int refused = 0; refused < 2; refused++) {
        JobPosition p = running(&rules, 2);
        happen(&rules, &p, JOB_REFUSED);
        if (refused)
            happen(&rules, &p, JOB_REFUSED);
        else
            assert_true(job_next(&rules, &p, JOB_BROKE, T0 + 11 * SECOND, 0));
        AT(p, "undoing", 1);
        happen(&rules, &p, JOB_SUCCEEDED);
        happen(&rules, &p, JOB_SUCCEEDED);
        AT(p, "failed", 2);
        assert_true(p.undoing);
        assert_int_equal(p.undo_failed, 4);
        assert_int_equal(p.undone, 3);
    }
}

/* The third is made of what the second has made, and that of nothing. */
static void an_undo_that_fails_keeps_back_what_its_step_is_built_on(void **state)
{
    JobStepRules steps[] = {three[0], three[1], three[2]};
    steps[2].needs = 2;
    JobRules rules = rules_of(steps, 3);
    JobPosition p = running(&rules, 2);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "undoing", 0);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "failed", 2);
    JobPosition again = p, skip = p, undo = p;
    happen(&rules, &again, JOB_RETRY);
    AT(again, "undoing", 2);
    happen(&rules, &again, JOB_SUCCEEDED);
    AT(again, "undoing", 1); /* nothing keeps it back any more */
    happen(&rules, &again, JOB_SUCCEEDED);
    AT(again, "undone", 1);
    happen(&rules, &skip, JOB_SKIP);
    AT(skip, "undoing", 1);
    happen(&rules, &undo, JOB_UNDO);
    AT(undo, "undoing", 2);
}

static void of_several_failed_undos_each_is_tried_again_or_skipped(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 2);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "failed", 2);
    assert_int_equal(p.undo_failed, 6);
    JobPosition again = p;
    happen(&rules, &again, JOB_RETRY);
    happen(&rules, &again, JOB_SUCCEEDED);
    AT(again, "undoing", 1);
    happen(&rules, &again, JOB_REFUSED);
    AT(again, "failed", 1);
    happen(&rules, &p, JOB_SKIP);
    AT(p, "failed", 1); /* it has failed before, and is not tried again by that */
    happen(&rules, &p, JOB_SKIP);
    AT(p, "undone", 1);
}

static void a_step_that_was_declined_is_not_undone(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 1);
    happen(&rules, &p, JOB_DECLINED);
    AT(p, "undoing", 0); /* not the second: its undo would hit what others have */
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "undone", 0);
}

static void a_job_of_which_nothing_has_happened_is_undone_without_a_call(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_DECLINED);
    AT(p, "undone", 0);
    static const JobStepRules steps[] = {{CALL}, {CALL, UNDO}};
    JobRules without = rules_of(steps, 2);
    p = running(&without, 0);
    happen(&without, &p, JOB_DECLINED);
    AT(p, "failed", 0); /* there is no undo that belongs to it */
}

static void a_declined_step_that_is_tried_again_is_undone(void **state)
{
    static const JobStepRules steps[] = {{CALL, .graceful = true, UNDO}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_DECLINED);
    AT(p, "running", 1);
    assert_int_equal(p.begun, 3); /* so that what needs its response is not called */
    assert_int_equal(p.undone, 1);
    p = (JobPosition){.state = JOB_FAILED, .begun = 1, .undone = 1};
    happen(&rules, &p, JOB_RETRY);
    happen(&rules, &p, JOB_SUCCEEDED);
    happen(&rules, &p, JOB_REFUSED);
    AT(p, "undoing", 0);
}

static void an_undo_that_is_declined_fails_the_job(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_DECLINED);
    AT(p, "failed", 0);
    assert_int_equal(p.undone, 0);
}

/* ---- Waits ----------------------------------------------------------------------------------- */

static void a_poll_is_repeated_until_it_is_done(void **state)
{
    static const JobStepRules steps[] = {{POLL, .every = 2 * SECOND, .wait = 20 * SECOND}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_NOT_YET);
    AT(p, "waiting", 0);
    assert_int_equal(p.due, T0 + 2 * SECOND);
    assert_true(job_next(&rules, &p, JOB_TAKEN, p.due, 0));
    AT(p, "running", 0);
    JobPosition last = p, late = p;
    assert_true(job_next(&rules, &last, JOB_NOT_YET, T0 + 18 * SECOND, 0));
    AT(last, "waiting", 0);
    assert_true(job_next(&rules, &late, JOB_NOT_YET, T0 + 18 * SECOND + 1, 0));
    AT(late, "failed", 0);
    happen(&rules, &p, JOB_SUCCEEDED);
    AT(p, "running", 1);
}

static void only_a_poll_may_be_not_done_yet(void **state)
{
    JobRules rules = rules_of(two, 2);
    JobPosition p = running(&rules, 0);
    assert_false(job_next(&rules, &p, JOB_NOT_YET, T0, 0));
}

static void a_time_is_waited_for(void **state)
{
    static const JobStepRules steps[] = {{.kind = JOB_STEP_TIME, .wait = 60 * SECOND}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = job_accepted(T0);
    happen(&rules, &p, JOB_TAKEN);
    AT(p, "waiting", 0);
    assert_int_equal(job_act(&p), JOB_ACT_WAIT);
    assert_false(job_is_due(&rules, &p, T0 + 60 * SECOND - 1));
    assert_true(job_is_due(&rules, &p, T0 + 60 * SECOND));
    assert_true(job_next(&rules, &p, JOB_TAKEN, T0 + 60 * SECOND, 0));
    AT(p, "running", 1);
}

static const JobStepRules approval[] = {{.kind = JOB_STEP_EVENT, .wait = 60 * SECOND}, {CALL}};

static void an_event_ends_the_wait_for_it(void **state)
{
    JobRules rules = rules_of(approval, 2);
    JobPosition p = job_accepted(T0);
    happen(&rules, &p, JOB_TAKEN);
    AT(p, "waiting", 0);
    happen(&rules, &p, JOB_ARRIVED);
    AT(p, "running", 1);
    assert_false(job_next(&rules, &p, JOB_ARRIVED, T0, 0));
}

static void an_event_that_does_not_come_is_a_failure(void **state)
{
    JobRules rules = rules_of(approval, 2);
    JobPosition p = job_accepted(T0);
    happen(&rules, &p, JOB_TAKEN);
    assert_true(job_next(&rules, &p, JOB_TAKEN, T0 + 60 * SECOND, 0));
    AT(p, "failed", 0);
}

static void a_time_that_is_too_far_away_was_written_by_a_clock_that_has_jumped(void **state)
{
    static const JobStepRules steps[] = {{.kind = JOB_STEP_TIME, .wait = 60 * SECOND},
                                         {CALL},
                                         {POLL, .every = 7 * SECOND, .wait = 60 * SECOND}};
    JobRules rules = rules_of(steps, 3);
    static const int64_t longest[] = {60 * SECOND, 4 * SECOND, 7 * SECOND};
    for (uint32_t i = 0; i < 3; i++) {
        JobPosition p = {.state = JOB_WAITING, .step = i, .due = T0 + longest[i]};
        assert_false(job_is_due(&rules, &p, T0));
        assert_true(job_is_due(&rules, &p, T0 - 1));
    }
    JobPosition queued = job_accepted(T0);
    assert_true(job_is_due(&rules, &queued, T0 - 3600 * SECOND));
}

/* ---- Clients and operators ------------------------------------------------------------------- */

static void a_cancelled_job_is_undone_as_soon_as_its_call_has_ended(void **state)
{
    JobRules rules = rules_of(three, 3);
    for (JobEvent end = JOB_SUCCEEDED; end <= JOB_BROKE; end++) {
        JobPosition p = running(&rules, 1);
        happen(&rules, &p, JOB_CANCEL);
        AT(p, "running", 1);
        if (end == JOB_NOT_YET)
            continue;
        happen(&rules, &p, end);
        AT(p, "undoing", end == JOB_DECLINED ? 0 : 1);
    }
}

static void at_once_if_none_is_running(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition queued = job_accepted(T0), waiting = running(&rules, 1);
    happen(&rules, &queued, JOB_CANCEL);
    AT(queued, "undone", 0);
    happen(&rules, &waiting, JOB_BROKE);
    happen(&rules, &waiting, JOB_CANCEL);
    AT(waiting, "undoing", 1);
}

static void a_cancelled_job_with_nothing_to_undo_is_undone(void **state)
{
    static const JobStepRules steps[] = {{CALL}, {CALL, .graceful = true}};
    JobRules rules = rules_of(steps, 2);
    for (uint32_t step = 0; step < 2; step++) {
        JobPosition p = running(&rules, step);
        happen(&rules, &p, JOB_CANCEL);
        happen(&rules, &p, JOB_REFUSED);
        AT(p, "undone", step);
    }
}

static void a_failed_job_is_tried_again_where_it_failed(void **state)
{
    static const JobStepRules steps[] = {{CALL}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 1);
    happen(&rules, &p, JOB_REFUSED);
    assert_true(job_next(&rules, &p, JOB_RETRY, T0 + 100 * SECOND, 0));
    AT(p, "running", 1);
    assert_int_equal(p.step_began, T0 + 100 * SECOND);
}

static void or_goes_on_behind_it(void **state)
{
    static const JobStepRules steps[] = {{CALL}, {CALL}};
    JobRules rules = rules_of(steps, 2);
    JobPosition p = running(&rules, 0);
    happen(&rules, &p, JOB_REFUSED);
    happen(&rules, &p, JOB_SKIP);
    AT(p, "running", 1);
}

static void and_so_is_a_failed_undo(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition again = running(&rules, 1), skip;
    happen(&rules, &again, JOB_REFUSED);
    happen(&rules, &again, JOB_REFUSED);
    happen(&rules, &again, JOB_SUCCEEDED);
    AT(again, "failed", 1);
    skip = again;
    happen(&rules, &again, JOB_RETRY);
    AT(again, "undoing", 1);
    happen(&rules, &skip, JOB_SKIP);
    AT(skip, "undone", 1);
}

static void a_job_that_is_done_can_be_undone(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 3);
    AT(p, "done", 2);
    happen(&rules, &p, JOB_UNDO);
    AT(p, "undoing", 2);
}

static void nothing_happens_to_a_job_that_is_undone(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = {.state = JOB_UNDONE};
    for (JobEvent event = JOB_TAKEN; event <= JOB_UNDO; event++)
        assert_false(job_next(&rules, &p, event, T0, 0));
}

static void an_event_that_does_not_fit_changes_nothing(void **state)
{
    JobRules rules = rules_of(three, 3);
    JobPosition p = running(&rules, 1), before = p;
    static const JobEvent wrong[] = {JOB_ARRIVED, JOB_RETRY, JOB_SKIP, JOB_UNDO, JOB_NOT_YET};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(job_next(&rules, &p, wrong[i], T0, 0));
    assert_memory_equal(&p, &before, sizeof p);
}

static void states_have_names(void **state)
{
    for (JobState s = 0; s < JOB_STATES; s++) {
        JobState found = JOB_STATES;
        assert_true(job_state_of(bytes_of(job_state_name(s)), &found));
        assert_int_equal(found, s);
    }
    JobState found;
    assert_false(job_state_of(bytes_of("runing"), &found));
}

/* ---- Any events ------------------------------------------------------------------------------ */

static JobStepRules random_step(Random *random)
{
    return (JobStepRules){TRIES,
                          .kind = (JobStepKind)random_below(random, 4),
                          .graceful = random_below(random, 3) == 0,
                          .has_undo = random_below(random, 2) == 0,
                          .every = SECOND,
                          .wait = 8 * SECOND};
}

/* What holds for every position. */
static void check(const JobRules *rules, const JobPosition *p)
{
    assert_true(p->step < rules->n_steps);
    assert_true((p->undone & ~p->begun) == 0);
    assert_true(p->begun < UINT64_C(1) << rules->n_steps);
    if (p->state == JOB_RUNNING)
        assert_true(p->begun >> p->step & 1);
    if (p->state == JOB_UNDOING)
        assert_true(rules->steps[p->step].has_undo && !(p->undone >> p->step & 1));
    for (uint32_t i = 0; p->state == JOB_UNDONE && i < rules->n_steps; i++)
        if (rules->steps[i].has_undo && (p->begun >> i & 1))
            assert_true(p->undone >> i & 1);
    if (job_is_at_rest(p->state))
        assert_int_equal(job_act(p), JOB_ACT_REST);
    else
        assert_int_not_equal(job_act(p), JOB_ACT_REST);
}

/* Left alone, a job comes to rest: tries and waits are bounded. */
static void run_to_rest(const JobRules *rules, JobPosition p, Random *random, int64_t wall)
{
    static const JobEvent ends[] = {JOB_SUCCEEDED, JOB_NOT_YET, JOB_REFUSED, JOB_DECLINED,
                                    JOB_BROKE};
    for (int i = 0; !job_is_at_rest(p.state); i++) {
        assert_true(i < 5000);
        if (job_act(&p) == JOB_ACT_WAIT) {
            wall = p.due > wall ? p.due : wall;
            assert_true(job_is_due(rules, &p, wall));
            assert_true(job_next(rules, &p, JOB_TAKEN, wall, random_next(random)));
        } else {
            wall += SECOND / 10;
            job_next(rules, &p, ends[random_below(random, 5)], wall, random_next(random));
        }
        check(rules, &p);
    }
}

static void whatever_happens_a_job_stays_in_order_and_comes_to_rest(void **state)
{
    Random random;
    random_seed_fixed(&random, 16);
    for (int round = 0; round < 3000; round++) {
        JobStepRules steps[6];
        uint32_t n = 1 + (uint32_t)random_below(&random, 6);
        for (uint32_t i = 0; i < n; i++)
            steps[i] = random_step(&random);
        JobRules rules = rules_of(steps, n);
        JobPosition p = job_accepted(T0);
        int64_t wall = T0;
        for (int i = 0; i < 30; i++) {
            JobPosition before = p;
            JobEvent event = (JobEvent)random_below(&random, JOB_UNDO + 1);
            wall += (int64_t)random_below(&random, 3 * SECOND);
            if (!job_next(&rules, &p, event, wall, random_next(&random)))
                assert_memory_equal(&p, &before, sizeof p);
            check(&rules, &p);
        }
        run_to_rest(&rules, p, &random, wall);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_executed_in_order),
        cmocka_unit_test(a_job_that_is_taken_over_calls_its_step_again),
        cmocka_unit_test(a_step_whose_condition_does_not_hold_is_passed_over_and_has_no_undo),
        cmocka_unit_test(a_call_that_broke_is_repeated_after_a_backoff),
        cmocka_unit_test(backoffs_grow_up_to_a_limit_and_have_jitter),
        cmocka_unit_test(no_try_begins_later_than_retry_for),
        cmocka_unit_test(a_refused_call_is_not_repeated),
        cmocka_unit_test(each_step_has_its_own_tries),
        cmocka_unit_test(a_graceful_step_that_fails_is_passed_over),
        cmocka_unit_test(what_may_have_had_an_effect_is_undone_in_reverse_order),
        cmocka_unit_test(without_an_undo_a_job_stays_failed),
        cmocka_unit_test(an_undo_is_repeated_too),
        cmocka_unit_test(a_step_that_was_declined_is_not_undone),
        cmocka_unit_test(a_job_of_which_nothing_has_happened_is_undone_without_a_call),
        cmocka_unit_test(a_declined_step_that_is_tried_again_is_undone),
        cmocka_unit_test(an_undo_that_is_declined_fails_the_job),
        cmocka_unit_test(an_undo_that_fails_for_good_fails_the_job_when_the_others_are_called),
        cmocka_unit_test(an_undo_that_fails_keeps_back_what_its_step_is_built_on),
        cmocka_unit_test(of_several_failed_undos_each_is_tried_again_or_skipped),
        cmocka_unit_test(a_poll_is_repeated_until_it_is_done),
        cmocka_unit_test(only_a_poll_may_be_not_done_yet),
        cmocka_unit_test(a_time_is_waited_for),
        cmocka_unit_test(an_event_ends_the_wait_for_it),
        cmocka_unit_test(an_event_that_does_not_come_is_a_failure),
        cmocka_unit_test(a_time_that_is_too_far_away_was_written_by_a_clock_that_has_jumped),
        cmocka_unit_test(a_cancelled_job_is_undone_as_soon_as_its_call_has_ended),
        cmocka_unit_test(at_once_if_none_is_running),
        cmocka_unit_test(a_cancelled_job_with_nothing_to_undo_is_undone),
        cmocka_unit_test(a_failed_job_is_tried_again_where_it_failed),
        cmocka_unit_test(or_goes_on_behind_it),
        cmocka_unit_test(and_so_is_a_failed_undo),
        cmocka_unit_test(a_job_that_is_done_can_be_undone),
        cmocka_unit_test(nothing_happens_to_a_job_that_is_undone),
        cmocka_unit_test(an_event_that_does_not_fit_changes_nothing),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(whatever_happens_a_job_stays_in_order_and_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
