#include "gateway/job_store/job_record.h"

#include "base/arena.h"

JobRecord *job_record_copy(const JobRecord *record, Arena *arena)
{
    JobRecord *copy = arena_make(arena, JobRecord);
    *copy = *record;
    Bytes *texts[] = {
        &copy->id,
        &copy->definition,
        &copy->client,
        &copy->resource,
        &copy->request_id,
        &copy->step,
        &copy->request,
        &copy->failure.step,
        &copy->failure.fault,
        &copy->failure.message,
        &copy->damage,
        &copy->owner,
        &copy->order.who,
        &copy->order.why,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = bytes_copy(arena, *texts[i]);
    for (uint32_t i = 0; i < JOB_STEPS_MOST; i++)
        if (record->responses[i].data)
            copy->responses[i] = bytes_copy(arena, record->responses[i]);
    copy->forwarded = fields_in(arena);
    for (uint32_t i = 0; i < record->forwarded.n; i++) {
        const Field *field = &record->forwarded.items[i];
        fields_add(&copy->forwarded, bytes_copy(arena, field->name),
                   bytes_copy(arena, field->value));
    }
    return copy;
}

bool job_order_fits(JobEvent order, JobState state)
{
    switch (order) {
    case JOB_CANCEL: return state != JOB_UNDONE && state != JOB_DONE;
    case JOB_RETRY:
    case JOB_SKIP: return state == JOB_FAILED;
    case JOB_UNDO: return state == JOB_FAILED || state == JOB_DONE;
    case JOB_ARRIVED: return state == JOB_WAITING;
    case JOB_TAKEN:
    case JOB_SUCCEEDED:
    case JOB_NOT_YET:
    case JOB_REFUSED:
    case JOB_DECLINED:
    case JOB_BROKE:
    case JOB_PASSED_OVER: break;
    }
    return false;
}
