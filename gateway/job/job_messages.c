#include "gateway/job/job_messages.h"

#include "adapters/place/placement.h"
#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job/job_field.h"

static Result out_of_memory(Arena *arena)
{
    return FAIL(arena, FAULT_OUT_OF_MEMORY, "making a message of a job");
}

static Result run_plan(const Plan *plan, Bytes from, Arena *arena, Bytes *made_out)
{
    Buffer out = buffer_in(arena);
    PlanInput input = {.bytes = from};
    Result r = plan_run(plan, &input, arena, &out, NULL);
    *made_out = buffer_message(&out);
    return r;
}

/* ---- The envelope ---------------------------------------------------------------------------- */

/* At rest it is the one that has failed the job, if one has; before it has begun there is none. */
static Bytes step_told(const JobDefinition *definition, const JobSources *sources)
{
    const JobPosition *position = sources->position;
    if (job_is_at_rest(position->state) && sources->failed.size)
        return sources->failed;
    bool none = position->state == JOB_QUEUED || position->state == JOB_DONE ||
                position->state == JOB_UNDONE;
    return bytes_of(none ? "" : definition->steps[position->step].name);
}

static void add_time(Buffer *out, int64_t wall)
{
    enum { SECONDS = 1, NANOS, LARGEST = 2 * (1 + WIRE_VARINT_MAX) };
    uint8_t room[LARGEST], *at = room;
    *at++ = SECONDS << 3;
    at = wire_put_varint(at, (uint64_t)(wall / SECOND));
    *at++ = NANOS << 3;
    at = wire_put_varint(at, (uint64_t)(wall % SECOND));
    wire_add_bytes(out, JOB_CREATED, bytes(room, (size_t)(at - room)));
}

static void add_prefixed(Buffer *out, uint32_t number, const char *prefix, Bytes rest)
{
    size_t size = strlen(prefix);
    wire_add_tag(out, number, WIRE_LENGTH);
    wire_add_varint(out, size + rest.size);
    buffer_add(out, prefix, size);
    buffer_add_bytes(out, rest);
}

static Bytes job_itself(const JobDefinition *definition, const JobSources *sources, Bytes key,
                        Arena *arena)
{
    Buffer out = buffer_in(arena);
    const JobPosition *position = sources->position;
    wire_add_bytes(&out, JOB_ID, sources->id);
    add_prefixed(&out, JOB_NAME, JOB_NAME_PREFIX, sources->id);
    add_prefixed(&out, JOB_LINK, JOB_LINK_PREFIX, sources->id);
    wire_add_bytes(&out, JOB_STATE, bytes_of(job_state_name(position->state)));
    wire_add_bytes(&out, JOB_STEP, step_told(definition, sources));
    wire_add_bytes(&out, JOB_REASON, sources->reason);
    wire_add_bytes(&out, JOB_KEY, key);
    add_time(&out, sources->created);
    return buffer_message(&out);
}

static Result make_envelope(const JobDefinition *definition, const JobNeeds *needs,
                            const JobSources *sources, Bytes key, Arena *arena, Bytes *envelope_out)
{
    Buffer out = buffer_in(arena);
    if (needs->request)
        place_record(&out, 0, sources->request);
    for (uint64_t left = needs->steps; left; left &= left - 1) {
        uint32_t step = (uint32_t)__builtin_ctzll(left);
        if (sources->responses[step].data)
            place_record(&out, step + 1, sources->responses[step]);
    }
    if (needs->job)
        place_record(&out, definition->rules.n_steps + 1,
                     job_itself(definition, sources, key, arena));
    *envelope_out = buffer_message(&out);
    return out.full ? out_of_memory(arena) : OK;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* A step that it needs has begun, and nobody has its response. */
static Result check_needs(const JobDefinition *definition, const JobNeeds *needs,
                          const JobSources *sources, Arena *arena)
{
    for (uint64_t left = needs->steps & sources->position->begun; left; left &= left - 1) {
        uint32_t step = (uint32_t)__builtin_ctzll(left);
        if (!sources->responses[step].data)
            return FAIL(arena, FAULT_UPSTREAM_MESSAGE,
                        "there is no response of the step %s, which is needed",
                        definition->steps[step].name);
    }
    return OK;
}

Result job_make_request(const JobDefinition *definition, uint32_t step, bool undo, Bytes key,
                        const JobSources *sources, Arena *arena, Bytes *request_out)
{
    const JobStep *of = &definition->steps[step];
    const JobCall *call = undo ? of->undo : of->call;
    Bytes envelope;
    CHECK(call);
    Result r = check_needs(definition, &call->needs, sources, arena);
    if (!failed(r))
        r = make_envelope(definition, &call->needs, sources, key, arena, &envelope);
    if (!failed(r))
        r = run_plan(call->request, envelope, arena, request_out);
    return failed(r) ? FAIL_OVER(arena, r, *r.error->fault, "making the request of %s%s", of->name,
                                 undo ? "'s undo" : "")
                     : OK;
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static Bytes source_of(const JobSources *sources, uint32_t source)
{
    return source ? sources->responses[source - 1] : sources->request;
}

bool job_when_holds(const JobDefinition *definition, uint32_t step, const JobSources *sources)
{
    const JobCondition *when = definition->steps[step].when;
    return !when || job_condition_holds(when, source_of(sources, when->source));
}

Result job_response_means(const JobDefinition *definition, uint32_t step, Bytes response,
                          Arena *arena, JobEvent *means_out)
{
    const JobStep *of = &definition->steps[step];
    Bytes same;
    Result r = run_plan(of->call->check, response, arena, &same);
    *means_out = JOB_SUCCEEDED;
    if (failed(r) && r.error->fault != &FAULT_OUT_OF_MEMORY)
        return FAIL_OVER(arena, r, FAULT_UPSTREAM_MESSAGE, "reading the response of the step %s",
                         of->name);
    if (failed(r))
        return r;
    if (of->fails && job_condition_holds(of->fails, response))
        *means_out = JOB_REFUSED;
    else if (of->until && !job_condition_holds(of->until, response))
        *means_out = JOB_NOT_YET;
    return OK;
}

/* ---- Views ----------------------------------------------------------------------------------- */

/* Behind all that is in the message: so it is the value that counts. */
static void add_state(const JobView *view, JobState state, Arena *arena, Buffer *out)
{
    const JobWord *word = &view->words[state];
    const FieldType *const *last = view->state;
    Buffer value = buffer_in(arena);
    while (last[1])
        last++;
    if ((*last)->enumeration)
        wire_add_number(&value, (*last)->number, (uint64_t)(int64_t)word->number);
    else
        wire_add_bytes(&value, (*last)->number, word->text);
    while (last-- > view->state) {
        Buffer around = buffer_in(arena);
        wire_add_bytes(&around, (*last)->number, buffer_bytes(&value));
        around.full |= value.full;
        value = around;
    }
    buffer_add_bytes(out, buffer_bytes(&value));
    out->full |= value.full;
}

static Result make_message(const JobDefinition *definition, const JobView *view,
                           const JobSources *sources, Arena *arena, Bytes *message_out)
{
    Bytes envelope, placed;
    Buffer out = buffer_in(arena);
    Result r = make_envelope(definition, &view->needs, sources, BYTES_NONE, arena, &envelope);
    if (!failed(r))
        r = run_plan(view->plan, envelope, arena, &placed);
    if (failed(r))
        return r;
    buffer_add_bytes(&out, placed);
    if (view->state)
        add_state(view, sources->position->state, arena, &out);
    *message_out = buffer_message(&out);
    return out.full ? out_of_memory(arena) : OK;
}

/* Of a version; NULL: the definition's own. The result's type is NULL: there is no such message. */
static MessageConversion conversion_to(const JobView *view, const Version *version)
{
    return version ? view->to[version->index] : (MessageConversion){view->type, NULL};
}

Result job_represent(const JobDefinition *definition, const JobView *view,
                     const JobSources *sources, const Version *version, Arena *arena,
                     Bytes *message_out)
{
    MessageConversion to = conversion_to(view, version);
    if (!to.type)
        return FAIL(arena, FAULT_CANNOT_CONVERT, "%s has no counterpart of %s, which a job is",
                    version->name, view->type->full_name);
    Result r = make_message(definition, view, sources, arena, message_out);
    if (!failed(r) && to.plan)
        r = run_plan(to.plan, *message_out, arena, message_out);
    return failed(r) ? FAIL_OVER(arena, r, *r.error->fault, "showing a job of %s as %s",
                                 definition->name, to.type->full_name)
                     : OK;
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* google.longrunning.Operation, google.protobuf.Any, google.rpc.Status */
enum {
    OPERATION_NAME = 1,
    OPERATION_METADATA,
    OPERATION_DONE,
    OPERATION_ERROR,
    OPERATION_RESPONSE
};
enum { ANY_TYPE = 1, ANY_VALUE };
enum { STATUS_CODE = 1, STATUS_MESSAGE };

static Result add_any(const JobDefinition *definition, const JobView *view, uint32_t number,
                      const JobSources *sources, const Version *version, Arena *arena, Buffer *out)
{
    Bytes message;
    Buffer any = buffer_in(arena);
    Result r = job_represent(definition, view, sources, version, arena, &message);
    if (failed(r))
        return r;
    add_prefixed(&any, ANY_TYPE, "type.googleapis.com/",
                 bytes_of(conversion_to(view, version).type->full_name));
    wire_add_bytes(&any, ANY_VALUE, message);
    wire_add_bytes(out, number, buffer_bytes(&any));
    return any.full ? out_of_memory(arena) : OK;
}

static Code code_of(const JobSources *sources)
{
    if (sources->code != CODE_OK)
        return sources->code;
    return sources->position->cancelled ? CODE_CANCELLED : CODE_ABORTED;
}

void job_add_error(const JobSources *sources, Buffer *out)
{
    Buffer status = buffer_in(out->arena);
    const JobPosition *position = sources->position;
    Bytes usual = bytes_of(position->cancelled ? "the job was cancelled" : "the job was undone");
    wire_add_number(&status, STATUS_CODE, (uint64_t)code_of(sources));
    wire_add_bytes(&status, STATUS_MESSAGE, sources->reason.size ? sources->reason : usual);
    wire_add_bytes(out, OPERATION_ERROR, buffer_bytes(&status));
    out->full |= status.full;
}

Result job_operation(const JobDefinition *definition, const JobSources *sources,
                     const Version *version, Arena *arena, Bytes *operation_out)
{
    Buffer out = buffer_in(arena);
    JobState state = sources->position->state;
    Result r = OK;
    add_prefixed(&out, OPERATION_NAME, JOB_NAME_PREFIX, sources->id);
    if (definition->metadata)
        r = add_any(definition, definition->metadata, OPERATION_METADATA, sources, version, arena,
                    &out);
    if (job_is_at_rest(state))
        wire_add_number(&out, OPERATION_DONE, true);
    if (state == JOB_DONE && !failed(r))
        r = add_any(definition, &definition->view, OPERATION_RESPONSE, sources, version, arena,
                    &out);
    else if (job_is_at_rest(state))
        job_add_error(sources, &out);
    *operation_out = buffer_message(&out);
    return failed(r) ? r : out.full ? out_of_memory(arena) : OK;
}

/* ---- Resources ------------------------------------------------------------------------------- */

Result job_resource(const JobMethod *method, Bytes request, Bytes id, Arena *arena,
                    Bytes *resource_out)
{
    Buffer out = buffer_in(arena);
    *resource_out = BYTES_NONE;
    if (!method->kind)
        return OK;
    buffer_printf(&out, "%s/", method->kind);
    size_t before = out.size;
    if (method->key)
        job_field_text(method->key, request, &out);
    else
        buffer_add_bytes(&out, id);
    if (out.size > before)
        *resource_out = buffer_bytes(&out);
    return out.full ? out_of_memory(arena) : OK;
}
