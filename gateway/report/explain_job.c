/* What a method has to do with jobs: for a person, and as JSON. */
#include "gateway/report/explain_internal.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"

#include <inttypes.h>

/* ---- What both forms say --------------------------------------------------------------------- */

static void add_value(const JobCondition *condition, const FieldType *field, uint32_t i,
                      Buffer *out)
{
    const EnumValue *value = NULL;
    if (condition->texts)
        buffer_add_bytes(out, condition->texts[i]);
    else if (field->enumeration &&
             (value = enum_value_by_number(field->enumeration, (int32_t)condition->numbers[i])))
        buffer_add_text(out, value->name);
    else if (field->kind == KIND_BOOL)
        buffer_add_text(out, condition->numbers[i] ? "true" : "false");
    else
        buffer_printf(out, "%" PRId64, condition->numbers[i]);
}

/* "request.kind is LARGE or ODD" */
static Bytes condition_text(const JobDefinition *job, const JobCondition *condition,
                            bool of_response, Arena *arena)
{
    Buffer out = buffer_in(arena);
    const FieldType *last = NULL;
    if (!of_response && condition->source)
        buffer_printf(&out, "steps.%s.", job->steps[condition->source - 1].name);
    else if (!of_response)
        buffer_add_text(&out, "request.");
    for (const FieldType *const *field = condition->path; *field; field++) {
        buffer_printf(&out, "%s%s", last ? "." : "", (*field)->name);
        last = *field;
    }
    buffer_add_text(&out, condition->unless ? " is not " : " is ");
    for (uint32_t i = 0; i < condition->n; i++) {
        buffer_add_text(&out, i ? " or " : "");
        add_value(condition, last, i, &out);
    }
    return buffer_bytes(&out);
}

static const char *repeats_why(const JobCall *call)
{
    return call->honours_key ? "key" : "declared";
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void tell_time(const char *before, int64_t time, Buffer *out)
{
    buffer_add_text(out, before);
    spelling_add_duration(out, time);
}

static void tell_condition(const JobDefinition *job, const char *before,
                           const JobCondition *condition, bool of_response, Buffer *out)
{
    if (condition)
        buffer_printf(out, "%s%.*s", before,
                      BYTES_ARGS(condition_text(job, condition, of_response, out->arena)));
}

static void tell_call(const JobStep *step, Buffer *out)
{
    const JobCall *call = step->call;
    buffer_printf(out, "%s in %s", call->method->type->path, call->method->version->name);
    tell_time(", timeout ", call->timeout, out);
    tell_time(", tried for ", step->rules.retry_for, out);
    buffer_add_text(out, call->honours_key ? ", once by its idempotency key" : ", idempotent");
}

static void tell_wait(const JobDefinition *job, const JobStep *step, Buffer *out)
{
    switch (step->rules.kind) {
    case JOB_STEP_CALL: break;
    case JOB_STEP_POLL:
        tell_time(", every ", step->rules.every, out);
        tell_condition(job, " until ", step->until, true, out);
        tell_time(", for ", step->rules.wait, out);
        tell_condition(job, ", in vain if ", step->fails, true, out);
        break;
    case JOB_STEP_TIME: tell_time("waits ", step->rules.wait, out); break;
    case JOB_STEP_EVENT:
        buffer_printf(out, "waits for the event %s", step->event);
        tell_time(", for ", step->rules.wait, out);
        break;
    }
}

static void tell_step(const JobDefinition *job, const JobStep *step, Buffer *out)
{
    buffer_printf(out, "step      %s: ", step->name);
    if (step->call)
        tell_call(step, out);
    tell_wait(job, step, out);
    tell_condition(job, ", when ", step->when, false, out);
    buffer_printf(out, ", %s\n", step->rules.graceful ? "graceful" : "loud");
    if (step->undo)
        buffer_printf(out, "undo      %s: %s in %s, %s\n", step->name,
                      step->undo->method->type->path, step->undo->method->version->name,
                      step->undo->honours_key ? "once by its idempotency key" : "idempotent");
}

void explain_job_text(const JobDefinition *job, Buffer *out)
{
    buffer_printf(out, "the gateway at once, which then executes %u step%s (revision %u)\n",
                  job->rules.n_steps, job->rules.n_steps == 1 ? "" : "s", job->revision);
    if (job->resource.kind)
        buffer_printf(out, "job       of the kind %s: another one of the same thing %s\n",
                      job->resource.kind,
                      job->resource.busy == JOB_BUSY_QUEUE ? "waits" : "is refused");
    for (uint32_t i = 0; i < job->rules.n_steps; i++)
        tell_step(job, &job->steps[i], out);
}

void explain_job_use_text(const JobMethod *use, Buffer *out)
{
    if (use->use == JOB_READS)
        buffer_printf(out,
                      "job       while one of the kind %s is unfinished, it is answered from "
                      "that; else:\n",
                      use->kind);
    else if (use->use == JOB_BLOCKED)
        buffer_printf(out,
                      "job       while one of the kind %s is unfinished, it is refused; else:\n",
                      use->kind);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_text(Buffer *out, const char *name, const char *text)
{
    json_text_add_member(out, name, bytes_of(text));
}

static void add_millis(Buffer *out, const char *name, int64_t nanoseconds)
{
    json_text_add_number(out, name, (uint64_t)(nanoseconds / MILLISECOND));
}

static void open(Buffer *out, const char *name, char bracket)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, (uint8_t)bracket);
}

static void add_call(const char *name, const JobCall *call, Buffer *out)
{
    if (!call)
        return;
    open(out, name, '{');
    add_text(out, "method", call->method->type->path);
    add_text(out, "version", call->method->version->name);
    add_millis(out, "timeout_ms", call->timeout);
    add_text(out, "idempotency", repeats_why(call));
    buffer_add_byte(out, '}');
}

static void add_condition(const JobDefinition *job, const char *name, const JobCondition *condition,
                          bool of_response, Buffer *out)
{
    if (condition)
        json_text_add_member(out, name, condition_text(job, condition, of_response, out->arena));
}

static void add_wait(const JobDefinition *job, const JobStep *step, Buffer *out)
{
    if (step->rules.kind == JOB_STEP_CALL)
        return;
    open(out, "wait", '{');
    if (step->rules.kind == JOB_STEP_POLL)
        add_millis(out, "every_ms", step->rules.every);
    add_millis(out, "for_ms", step->rules.wait);
    add_condition(job, "until", step->until, true, out);
    add_condition(job, "fails", step->fails, true, out);
    if (step->event)
        add_text(out, "event", step->event);
    buffer_add_byte(out, '}');
}

static void add_step(const JobDefinition *job, const JobStep *step, Buffer *out)
{
    json_text_open_item(out);
    add_text(out, "name", step->name);
    add_call("call", step->call, out);
    add_call("undo", step->undo, out);
    add_wait(job, step, out);
    add_condition(job, "when", step->when, false, out);
    if (step->call)
        add_millis(out, "retry_for_ms", step->rules.retry_for);
    add_text(out, "on_failure", step->rules.graceful ? "graceful" : "loud");
    buffer_add_byte(out, '}');
}

static const char *use_name(JobUse use)
{
    static const char *const names[] = {
        [JOB_BEGINS] = "begins", [JOB_READS] = "reads", [JOB_BLOCKED] = "blocked"};
    return names[use];
}

void explain_job_json(const JobMethod *use, Buffer *out)
{
    const JobDefinition *job = use->definition;
    open(out, "job", '{');
    add_text(out, "use", use_name(use->use));
    if (use->kind)
        add_text(out, "kind", use->kind);
    if (job) {
        json_text_add_number(out, "revision", job->revision);
        if (job->resource.kind)
            add_text(out, "busy", job->resource.busy == JOB_BUSY_QUEUE ? "queue" : "refuse");
        open(out, "steps", '[');
        for (uint32_t i = 0; i < job->rules.n_steps; i++)
            add_step(job, &job->steps[i], out);
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, '}');
}
