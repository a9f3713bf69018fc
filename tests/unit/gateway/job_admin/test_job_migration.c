#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/job_admin/job_migration.h"

enum { N_STEPS = 3 };

static const MethodType reserve, release, publish;
static const Version v1 = {.name = "v1"}, v2 = {.name = "v2"};
static const Method make_1 = {.version = &v1}, make_2 = {.version = &v2};
static const Method reserve_1 = {.version = &v1, .type = &reserve},
                    reserve_2 = {.version = &v2, .type = &reserve},
                    release_1 = {.version = &v1, .type = &release},
                    publish_1 = {.version = &v1, .type = &publish};
static const JobCall reserves = {.method = &reserve_1}, reserves_in_v2 = {.method = &reserve_2},
                     releases = {.method = &release_1}, publishes = {.method = &publish_1};

/* A definition of three steps: a call that can be undone, an event, a call. */
typedef struct Made {
    JobStep steps[N_STEPS + 1];
    JobDefinition definition;
} Made;

static void make(Made *made, uint32_t revision)
{
    *made = (Made){
        .steps = {{.name = "reserve",
                   .rules = {.kind = JOB_STEP_CALL},
                   .call = &reserves,
                   .undo = &releases},
                  {.name = "approval", .rules = {.kind = JOB_STEP_EVENT}, .event = "approved"},
                  {.name = "publish", .rules = {.kind = JOB_STEP_CALL}, .call = &publishes}},
        .definition = {.method = &make_1, .revision = revision, .rules = {.n_steps = N_STEPS}}};
    made->definition.steps = made->steps;
}

static JobRecord waits_for_approval(void)
{
    return (JobRecord){.position = {.state = JOB_WAITING, .step = 1, .begun = 3, .step_began = 1}};
}

/* Why not; "": it may. */
static const char *checked(Arena *arena, const JobRecord *record, const Made *from, const Made *to)
{
    Result r = job_migration_check(record, &from->definition, &to->definition, arena);
    if (!failed(r))
        return "";
    assert_ptr_equal(r.error->fault, &FAULT_JOB_UNFIT);
    return error_text(arena, r);
}

#define MAY(record, to) assert_string_equal(checked(arena, &(record), &from, &(to)), "")
#define MAY_NOT(record, to, why)                                                                   \
    assert_non_null(strstr(checked(arena, &(record), &from, &(to)), (why)))

static void what_is_behind_the_job_may_be_other(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Made from, to;
    make(&from, 1);
    make(&to, 2);
    JobRecord record = waits_for_approval();
    MAY(record, to);
    to.steps[2] = (JobStep){.name = "other", .rules = {.kind = JOB_STEP_TIME}};
    MAY(record, to);
    to.definition.rules.n_steps = 2;
    MAY(record, to);
    to.definition.rules.n_steps = 1;
    MAY_NOT(record, to, "it is in step 2, and revision 2 has only 1");
    arena_free(arena);
}

static void what_the_job_has_reached_must_be_the_same(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Made from, to;
    make(&from, 1);
    JobRecord record = waits_for_approval();
    make(&to, 2);
    to.steps[0].name = "book";
    MAY_NOT(record, to, "step reserve, which the job has reached, has another name there");
    make(&to, 2);
    to.steps[0].call = &publishes;
    MAY_NOT(record, to, "does something else there");
    make(&to, 2);
    to.steps[0].call = &reserves_in_v2;
    MAY_NOT(record, to, "does something else there");
    make(&to, 2);
    to.steps[0].undo = NULL;
    MAY_NOT(record, to, "has another undo there");
    make(&to, 2);
    to.steps[1].event = "agreed";
    MAY_NOT(record, to, "step approval, which the job has reached, does something else there");
    make(&to, 2);
    to.steps[1].rules.kind = JOB_STEP_TIME;
    MAY_NOT(record, to, "does something else there");
    make(&to, 2);
    to.definition.method = &make_2;
    MAY_NOT(record, to, "is written in version v2, the job in v1");
    arena_free(arena);
}

/* A step that was passed over has nothing to undo; one behind the current one that has begun, while
   the job is undone, counts. */
static void undos_count_of_what_has_begun_only(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Made from, to;
    make(&from, 1);
    make(&to, 2);
    to.steps[0].undo = NULL;
    JobRecord record = waits_for_approval();
    record.position.begun = 2;
    MAY(record, to);
    record.position.begun = 3;
    MAY_NOT(record, to, "another undo");
    make(&to, 2);
    to.steps[2].call = &reserves;
    record.position = (JobPosition){.state = JOB_UNDOING, .begun = 7, .step_began = 1};
    MAY_NOT(record, to, "step publish, which the job has reached");
    arena_free(arena);
}

static void a_queued_job_has_reached_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Made from, to;
    make(&from, 1);
    make(&to, 2);
    to.steps[0].name = "book";
    JobRecord record = {.position = {.state = JOB_QUEUED}};
    MAY(record, to);
    arena_free(arena);
}

static void what_has_ended_or_has_an_owner_stays(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Made from, to;
    make(&from, 1);
    make(&to, 2);
    JobRecord record = waits_for_approval();
    for (JobState at = JOB_QUEUED; at < JOB_STATES; at++) {
        bool ended = at == JOB_DONE || at == JOB_UNDONE;
        record.position.state = at;
        if (ended)
            MAY_NOT(record, to, "what has ended stays as it is");
        else
            MAY(record, to);
    }
    record.position.state = JOB_WAITING;
    record.owner = bytes_of("gw/1/a");
    MAY_NOT(record, to, "a gateway executes it now");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_behind_the_job_may_be_other),
        cmocka_unit_test(what_the_job_has_reached_must_be_the_same),
        cmocka_unit_test(undos_count_of_what_has_begun_only),
        cmocka_unit_test(a_queued_job_has_reached_nothing),
        cmocka_unit_test(what_has_ended_or_has_an_owner_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
