#include "gateway/job_store/job_record.h"

#include "base/arena.h"
#include "gateway/job/job_told.h"

#include <string.h>

const JobDefinition *job_definition_of(const Config *config, const JobRecord *record)
{
    const JobDefinition *definition = config_find_job(config, record->definition, record->revision);
    return definition && definition->structure == record->structure ? definition : NULL;
}

JobRecord job_record_of(const JobDefinition *definition, Bytes id, int64_t wall)
{
    return (JobRecord){.id = id,
                       .definition = bytes_of(definition->name),
                       .revision = definition->revision,
                       .structure = definition->structure,
                       .impact = definition->method->route->impact,
                       .created = wall,
                       .keep = definition->keep,
                       .position = job_accepted(wall)};
}

int64_t job_record_size(const JobRecord *record)
{
    size_t size = JOB_ROW + record->request.size;
    for (uint32_t i = 0; i < record->forwarded.n; i++)
        size += record->forwarded.items[i].name.size + record->forwarded.items[i].value.size;
    return (int64_t)size;
}

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
        &copy->parked,
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
    copy->identity = record->identity ? identity_copy(record->identity, arena) : NULL;
    return copy;
}

#define THEN_UNDO "; then the undo of "

Bytes job_failure_cause(Bytes message)
{
    if (!message.size)
        return message;
    const uint8_t *end = memmem(message.data, message.size, THEN_UNDO, sizeof THEN_UNDO - 1);
    return end ? bytes(message.data, (size_t)(end - message.data)) : message;
}

/* What a message tells of undos, without the one of this step. */
static void add_other_undos(Bytes message, Bytes step, Buffer *out)
{
    Bytes rest = bytes_slice(message, job_failure_cause(message).size, SIZE_MAX);
    while (rest.size) {
        Bytes told = bytes_slice(rest, sizeof THEN_UNDO - 1, SIZE_MAX);
        Bytes one = job_failure_cause(told);
        if (!bytes_equal(bytes_slice(one, 0, bytes_find(one, ' ')), step))
            buffer_printf(out, THEN_UNDO "%.*s", BYTES_ARGS(one));
        rest = bytes_slice(told, one.size, SIZE_MAX);
    }
}

JobFailure job_failure_add_undo(const JobFailure *first, const JobFailure *undo, Arena *arena)
{
    if (!first->fault.size)
        return *undo;
    JobFailure both = *first;
    Buffer message = buffer_in(arena);
    buffer_add_bytes(&message, job_failure_cause(first->message));
    add_other_undos(first->message, undo->step, &message);
    buffer_printf(&message, THEN_UNDO "%.*s failed: %.*s", BYTES_ARGS(undo->step),
                  BYTES_ARGS(undo->message));
    both.message = buffer_bytes(&message);
    return both;
}

static Bytes text_of_fault(Bytes name)
{
    char text[64] = "";
    if (name.size < sizeof text)
        memcpy(text, name.data, name.size);
    const Fault *fault = fault_by_name(text);
    return bytes_of(fault ? fault->text : "a step has failed");
}

/* What was said was written for whoever asks; not so what an undo came to. */
Bytes job_failure_told(const JobFailure *failure, bool full)
{
    bool said = !failure->fault.size || bytes_are(failure->fault, FAULT_UPSTREAM_STATUS.name) ||
                bytes_are(failure->fault, FAULT_CANCELLED.name);
    if (full)
        return failure->message;
    return said ? job_failure_cause(failure->message) : text_of_fault(failure->fault);
}

Bytes job_failed_step(const JobRecord *record)
{
    JobState state = record->position.state;
    bool has_failed = state == JOB_FAILED || state == JOB_UNDOING || state == JOB_UNDONE;
    bool cancelled = bytes_are(record->failure.fault, FAULT_CANCELLED.name);
    return has_failed && !cancelled ? record->failure.step : BYTES_NONE;
}

/* What has begun may have had effects, so that it is not undone, but has failed. */
static void cancel_without_undo(JobRecord *record, Arena *arena)
{
    JobPosition *position = &record->position;
    Bytes why = record->order.why;
    bool begun = position->state != JOB_QUEUED;
    const char *message =
        begun ? arena_printf(arena,
                             "%.*s%sits definition is not in the config any more: nothing that it "
                             "has done is undone",
                             BYTES_ARGS(why), why.size ? "; " : "")
              : arena_text(arena, why);
    position->state = begun ? JOB_FAILED : JOB_UNDONE;
    position->due = 0;
    position->cancelled = true;
    record->failure = (JobFailure){.step = record->step,
                                   .fault = bytes_of(FAULT_CANCELLED.name),
                                   .code = CODE_CANCELLED,
                                   .message = bytes_of(message)};
}

bool job_give_up(JobRecord *record, Arena *arena)
{
    bool rests = job_is_at_rest(record->position.state);
    if (!rests && record->order.event == JOB_CANCEL)
        cancel_without_undo(record, arena);
    else if (!rests)
        return false;
    record->is_news = job_told_next(&record->told, &record->position);
    return true;
}

bool job_order_fits(JobEvent order, JobState state)
{
    switch (order) {
    case JOB_CANCEL: return !job_is_at_rest(state);
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
