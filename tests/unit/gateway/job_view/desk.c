#include "tests/unit/gateway/job_view/desk.h"

#include <stdlib.h>

static Desk *desk_of(JobStorage *storage)
{
    return (Desk *)storage;
}

static void take_question(JobStorage *storage, Asked asked, void *owner)
{
    Desk *desk = desk_of(storage);
    assert_int_equal(desk->asked, NOTHING);
    desk->asked = asked;
    desk->n_asked++;
    desk->owner = owner;
}

static void ask_to_accept(JobStorage *storage, const JobAdmission *admission, JobOnAccepted *on,
                          void *owner)
{
    Desk *desk = desk_of(storage);
    desk->admission = *admission;
    desk->admission.record = job_record_copy(admission->record, desk->arena);
    desk_of(storage)->on_accepted = on;
    take_question(storage, ACCEPT, owner);
}

static void ask_order(JobStorage *storage, Bytes id, const JobOrder *order, JobOnOrdered *on,
                      void *owner)
{
    Desk *desk = desk_of(storage);
    desk->about = bytes_copy(desk->arena, id);
    desk->order = *order;
    desk_of(storage)->on_ordered = on;
    take_question(storage, ORDER, owner);
}

static void ask_read(JobStorage *storage, Bytes id, JobOnRead *on, void *owner)
{
    desk_of(storage)->about = bytes_copy(desk_of(storage)->arena, id);
    desk_of(storage)->on_read = on;
    take_question(storage, READ, owner);
}

static void ask_find(JobStorage *storage, Bytes resource, JobOnRead *on, void *owner)
{
    desk_of(storage)->about = bytes_copy(desk_of(storage)->arena, resource);
    desk_of(storage)->on_read = on;
    take_question(storage, FIND, owner);
}

static void ask_list(JobStorage *storage, const JobFilter *filter, JobOnListed *on, void *owner)
{
    desk_of(storage)->filter = *filter;
    desk_of(storage)->on_listed = on;
    take_question(storage, LIST, owner);
}

static void ask_remove(JobStorage *storage, Bytes id, JobOnOrdered *on, void *owner)
{
    desk_of(storage)->about = bytes_copy(desk_of(storage)->arena, id);
    desk_of(storage)->on_ordered = on;
    take_question(storage, REMOVE, owner);
}

static void on_work(void *owner, Bytes id)
{
    ((Desk *)owner)->n_works++;
}

static void on_order(void *owner, Bytes id)
{
    ((Desk *)owner)->n_orders++;
}

Desk *desk_play(void **state, const char *config)
{
    static const MakerTable *const makers[MAKERS] = {[MAKER_JOB] = &job_maker};
    Desk *desk = calloc(1, sizeof *desk);
    desk->scene = scene_again(state, config);
    desk->arena = arena_new(ARENA_UNLIMITED);
    desk->news = job_news_new();
    desk->storage = (JobStorage){.accept = ask_to_accept,
                                 .order = ask_order,
                                 .read = ask_read,
                                 .find = ask_find,
                                 .list = ask_list,
                                 .remove = ask_remove};
    desk->scene->loop.makers = makers;
    job_desk_open(&(JobDeskSettings){.loop = &desk->scene->loop,
                                     .storage = &desk->storage,
                                     .news = desk->news,
                                     .watches = {.most = 3, .per_client = 2},
                                     .on_work = on_work,
                                     .on_order = on_order,
                                     .owner = desk});
    return desk;
}

void desk_free(Desk *desk)
{
    scene_clear(desk->scene);
    job_desk_close(desk->scene->loop.jobs);
    job_news_free(desk->news);
    arena_free(desk->arena);
    free(desk);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static Asked take(Desk *desk)
{
    Asked asked = desk->asked;
    assert_int_not_equal(asked, NOTHING);
    desk->asked = NOTHING;
    return asked;
}

void desk_accept(Desk *desk, JobAcceptance acceptance)
{
    assert_int_equal(take(desk), ACCEPT);
    if (acceptance == JOB_ACCEPTED)
        desk->job = (JobRecord *)(uintptr_t)desk->admission.record;
    desk->on_accepted(desk->owner, OK, acceptance, BYTES_NONE);
    scene_pump(desk->scene);
}

static void answer_with(Desk *desk, Result result, JobOrderOutcome outcome)
{
    const JobRecord *job = failed(result) ? NULL : desk->job;
    switch (take(desk)) {
    case NOTHING: break;
    case ACCEPT: desk->on_accepted(desk->owner, result, JOB_ACCEPTED, BYTES_NONE); break;
    case ORDER:
    case REMOVE: desk->on_ordered(desk->owner, result, outcome); break;
    case READ:
    case FIND: desk->on_read(desk->owner, result, job); break;
    case LIST: desk->on_listed(desk->owner, result, &job, job != NULL); break;
    }
    scene_pump(desk->scene);
}

void desk_give(Desk *desk)
{
    answer_with(desk, OK, JOB_ORDERED);
}

void desk_ordered(Desk *desk, JobOrderOutcome outcome)
{
    answer_with(desk, OK, outcome);
}

void desk_fail(Desk *desk, const Fault *fault)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    answer_with(desk, FAIL(arena, *fault, "of this test"), JOB_ORDERED);
    arena_free(arena);
}

JobRecord *desk_has(Desk *desk, const char *client, JobState job_state)
{
    const JobDefinition *definition = &desk->scene->config->jobs[0];
    desk->job = arena_make(desk->arena, JobRecord);
    *desk->job = (JobRecord){.id = bytes_of("01jd00000000000000000000zz"),
                             .definition = bytes_of(definition->name),
                             .revision = definition->revision,
                             .structure = definition->structure,
                             .client = bytes_of(client),
                             .request_id = bytes_of("r1"),
                             .step = bytes_of("look"),
                             .created = 1000 * SECOND,
                             .position = {.state = job_state},
                             .request = ITEM};
    return desk->job;
}
