#include "gateway/job_admin/job_migration.h"

#include "base/arena.h"

static bool is_same_call(const JobCall *a, const JobCall *b)
{
    if (!a || !b)
        return a == b;
    return a->method->version == b->method->version && a->method->type == b->method->type;
}

static bool is_same_wait(const JobStep *a, const JobStep *b)
{
    return a->rules.kind == b->rules.kind &&
           (!a->event || bytes_equal(bytes_of(a->event), bytes_of(b->event)));
}

/* How many steps have to be the same: those up to the current one, and all that have begun. */
static uint32_t steps_so_far(const JobRecord *record)
{
    const JobPosition *p = &record->position;
    uint32_t n = p->step_began || p->begun ? p->step + 1 : 0;
    while (n < JOB_STEPS_MOST && p->begun >> n)
        n++;
    return n;
}

static const char *difference_of(const JobStep *from, const JobStep *to, bool begun)
{
    if (strcmp(from->name, to->name) != 0)
        return "has another name there";
    if (!is_same_wait(from, to) || !is_same_call(from->call, to->call))
        return "does something else there";
    if (begun && !is_same_call(from->undo, to->undo))
        return "has another undo there";
    return NULL;
}

static Result check_steps(const JobRecord *record, const JobDefinition *from,
                          const JobDefinition *to, Arena *arena)
{
    uint32_t n = steps_so_far(record);
    if (n > to->rules.n_steps || n > from->rules.n_steps)
        return FAIL(arena, FAULT_JOB_UNFIT, "it is in step %u, and revision %u has only %u", n,
                    to->revision, to->rules.n_steps);
    for (uint32_t i = 0; i < n; i++) {
        bool begun = record->position.begun >> i & 1;
        const char *difference = difference_of(&from->steps[i], &to->steps[i], begun);
        if (difference)
            return FAIL(arena, FAULT_JOB_UNFIT,
                        "revision %u is no continuation: step %s, which the job has reached, %s",
                        to->revision, from->steps[i].name, difference);
    }
    return OK;
}

Result job_migration_check(const JobRecord *record, const JobDefinition *from,
                           const JobDefinition *to, Arena *arena)
{
    JobState state = record->position.state;
    if (state == JOB_DONE || state == JOB_UNDONE)
        return FAIL(arena, FAULT_JOB_UNFIT, "it is %s: what has ended stays as it is",
                    job_state_name(state));
    if (record->owner.size)
        return FAIL(arena, FAULT_JOB_UNFIT,
                    "a gateway executes it now: only jobs that wait are moved");
    if (from->method->version != to->method->version)
        return FAIL(arena, FAULT_JOB_UNFIT, "revision %u is written in version %s, the job in %s",
                    to->revision, to->method->version->name, from->method->version->name);
    return check_steps(record, from, to, arena);
}
