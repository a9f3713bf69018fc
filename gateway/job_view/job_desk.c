#include "gateway/job_view/job_desk.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job_run/job_caller.h"
#include "gateway/job_view/job_desk_internal.h"
#include "gateway/job_view/operation_message.h"
#include "gateway/job_view/operations.h"

#include <stdlib.h>

void job_desk_open(const JobDeskSettings *settings)
{
    JobDesk *desk = calloc(1, sizeof *desk);
    CHECK(desk);
    desk->settings = *settings;
    desk->watches = job_watches_new(settings->news, settings->loop, settings->watches);
    settings->loop->jobs = desk;
    settings->loop->operations = &operations_table;
}

void job_desk_drain(JobDesk *desk)
{
    if (desk)
        job_watches_look(desk->watches);
}

void job_desk_close(JobDesk *desk)
{
    if (!desk)
        return;
    for (JobAsk *next, *ask = desk->asks; ask; ask = next) {
        CHECK(ask->gone);
        next = ask->next;
        free(ask);
    }
    job_watches_free(desk->watches);
    desk->settings.loop->jobs = NULL;
    desk->settings.loop->operations = NULL;
    free(desk);
}

void job_desk_tell_work(const JobDesk *desk, Bytes id)
{
    if (desk->settings.on_work)
        desk->settings.on_work(desk->settings.owner, id);
}

void job_desk_tell_order(const JobDesk *desk, Bytes id)
{
    if (desk->settings.on_order)
        desk->settings.on_order(desk->settings.owner, id);
}

/* ---- Asks ------------------------------------------------------------------------------------ */

void *job_ask_new(JobDesk *desk, size_t size)
{
    JobAsk *ask = calloc(1, size);
    CHECK(ask);
    ask->desk = desk;
    if (!desk)
        return ask;
    ask->next = desk->asks;
    ask->at = &desk->asks;
    if (ask->next)
        ask->next->at = &ask->next;
    desk->asks = ask;
    return ask;
}

static void ask_free(JobAsk *ask)
{
    if (ask->at)
        *ask->at = ask->next;
    if (ask->next)
        ask->next->at = ask->at;
    free(ask);
}

bool job_ask_answered(JobAsk *ask)
{
    ask->asked = false;
    if (!ask->gone)
        return true;
    ask_free(ask);
    return false;
}

void job_ask_drop(JobAsk *ask)
{
    ask->gone = true;
    if (!ask->asked)
        ask_free(ask);
}

/* ---- What a record says ---------------------------------------------------------------------- */

bool job_is_of(const JobRecord *record, Bytes client)
{
    bool named = record->client.size && !bytes_start_with(record->client, JOB_OF_CREDENTIALS);
    return record->request_id.size && (named ? bytes_equal(record->client, client) : !client.size);
}

JobSources job_sources(const JobRecord *record, bool full)
{
    JobSources sources = job_sources_of(record);
    sources.code = record->failure.fault.size ? record->failure.code : CODE_OK;
    sources.reason = job_failure_told(&record->failure, full);
    if (record->parked.size)
        sources.reason = bytes_of(JOB_PARKED_REASON);
    return sources;
}

#define LOOK_MOST (60 * SECOND)

/* Nothing happens before its time; and else soon, or so it may be hoped. */
static uint32_t seconds_to_wait(const JobPosition *position, int64_t wall)
{
    int64_t wait = position->due - wall;
    if (job_is_at_rest(position->state))
        return 0;
    wait = wait > LOOK_MOST ? LOOK_MOST : wait;
    return wait > SECOND ? (uint32_t)((wait + SECOND - 1) / SECOND) : 1;
}

JobNote *job_note(const JobRecord *record, int64_t wall, Arena *arena)
{
    JobNote *note = arena_make(arena, JobNote);
    Buffer name = buffer_in(arena);
    buffer_printf(&name, JOB_NAME_PREFIX "%.*s", BYTES_ARGS(record->id));
    if (!note || name.full)
        return NULL;
    note->name = buffer_bytes(&name);
    note->state = job_state_name(record->position.state);
    note->retry_after = seconds_to_wait(&record->position, wall);
    return note;
}
