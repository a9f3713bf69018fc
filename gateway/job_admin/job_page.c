#include "gateway/job_admin/job_page.h"

#include "adapters/run/plan_run.h"
#include "adapters/schema/schema.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/job_hook/job_event.h"
#include "gateway/redaction/redaction.h"

/* ---- What both pages have -------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *name, Bytes text)
{
    if (text.size)
        json_text_add_member(out, name, text);
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    if (wall > 0)
        json_text_add_time(out, name, wall / SECOND, (int32_t)(wall % SECOND));
}

static void add_failure(const JobRecord *record, bool whole, Buffer *out)
{
    const JobFailure *failure = &record->failure;
    if (!failure->fault.size)
        return;
    json_text_add_key(out, "failure");
    buffer_add_byte(out, '{');
    add_text(out, "step", failure->step);
    add_text(out, "fault", failure->fault);
    json_text_add_member(out, "code", bytes_of(code_name(failure->code)));
    if (whole)
        add_text(out, "message", failure->message);
    buffer_add_byte(out, '}');
}

/* `why` is sealed in the store. */
static void add_order(const JobRecord *record, bool whole, Buffer *out)
{
    static const char *const names[] = {[JOB_CANCEL] = "cancel",
                                        [JOB_RETRY] = "retry",
                                        [JOB_SKIP] = "skip-step",
                                        [JOB_UNDO] = "undo",
                                        [JOB_ARRIVED] = "event"};
    if (!record->order.given)
        return;
    json_text_add_key(out, "order");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "what", bytes_of(names[record->order.event]));
    add_text(out, "who", record->order.who);
    if (whole)
        add_text(out, "why", record->order.why);
    buffer_add_byte(out, '}');
}

static bool is_stuck(const Config *config, const JobRecord *record)
{
    JobState state = record->position.state;
    return state == JOB_FAILED || (!job_is_at_rest(state) && !job_definition_of(config, record));
}

static void add_members(const Config *config, const JobRecord *record, int64_t wall, bool whole,
                        Buffer *out)
{
    const JobPosition *p = &record->position;
    json_text_add_member(out, "id", record->id);
    json_text_add_member(out, "method", record->definition);
    json_text_add_number(out, "revision", record->revision);
    json_text_add_member(out, "state", bytes_of(job_state_name(p->state)));
    add_text(out, "step", record->step);
    add_text(out, "client", record->client);
    job_event_add_resource(config, record, out);
    add_time(out, "created", record->created);
    add_time(out, "since", record->since);
    json_text_add_number(out, "seconds",
                         wall > record->since ? (uint64_t)((wall - record->since) / SECOND) : 0);
    if (p->tries)
        json_text_add_number(out, "tries", p->tries);
    if (!job_is_at_rest(p->state))
        add_time(out, "due", p->due);
    if (record->behind)
        json_text_add_bool(out, "behind", true);
    json_text_add_bool(out, "stuck", is_stuck(config, record));
    add_text(out, "parked", record->parked);
    add_failure(record, whole, out);
    add_order(record, whole, out);
}

/* ---- The list -------------------------------------------------------------------------------- */

void job_page_list(const Config *config, const JobRecord *const *jobs, uint32_t n, uint32_t most,
                   int64_t wall, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    buffer_add_text(&page, "{\"jobs\":[");
    for (uint32_t i = 0; i < n; i++) {
        json_text_open_item(&page);
        add_members(config, jobs[i], wall, false, &page);
        buffer_add_byte(&page, '}');
    }
    buffer_add_byte(&page, ']');
    if (n && n == most)
        json_text_add_member(&page, "next", jobs[n - 1]->id);
    buffer_add_byte(&page, '}');
    redact_job(buffer_bytes(&page), config->ledger.redact, out);
    arena_free(arena);
}

/* ---- One job --------------------------------------------------------------------------------- */

/* As JSON; says instead why it cannot be shown. */
static void add_message(Buffer *out, const char *name, const Plan *plan, Bytes message)
{
    Buffer json = buffer_in(out->arena);
    Result r = plan_run(plan, &(PlanInput){.bytes = message}, out->arena, &json, NULL);
    json_text_add_key(out, name);
    if (failed(r))
        json_text_add(out, bytes_of(error_text(out->arena, r)));
    else
        buffer_add_bytes(out, buffer_bytes(&json));
}

/* Those after it were begun, or it has responded. Of a step that was broken off nobody knows. */
static bool has_ended(const JobRecord *record, uint32_t step)
{
    const JobPosition *p = &record->position;
    return p->state == JOB_DONE || p->step > step || record->responses[step].data;
}

static const char *state_of_step(const JobRecord *record, uint32_t step)
{
    const JobPosition *p = &record->position;
    uint64_t bit = UINT64_C(1) << step;
    if (p->undo_failed & bit)
        return "undo_failed";
    if (p->state == JOB_FAILED && p->step == step) /* also if it was refused without an effect */
        return "current";
    if (p->undone & bit)
        return "undone";
    if (!(p->begun & bit))
        return p->step > step || p->state == JOB_DONE ? "passed_over" : "not_begun";
    if (p->step == step && p->state != JOB_DONE)
        return "current";
    return has_ended(record, step) ? "done" : "begun";
}

static void add_steps(const JobDefinition *definition, const JobRecord *record, Buffer *out)
{
    json_text_open_list(out, "steps");
    for (uint32_t i = 0; i < definition->rules.n_steps; i++) {
        const JobStep *step = &definition->steps[i];
        json_text_open_item(out);
        json_text_add_member(out, "name", bytes_of(step->name));
        json_text_add_member(out, "state", bytes_of(state_of_step(record, i)));
        add_text(out, "event", bytes_of(step->event ? step->event : ""));
        if (record->responses[i].data && step->call)
            add_message(out, "response", step->call->shown, record->responses[i]);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_messages(const Config *config, const JobRecord *record, Buffer *out)
{
    const JobDefinition *definition = job_definition_of(config, record);
    if (record->damage.size) {
        json_text_add_member(out, "unreadable", record->damage);
    } else if (!definition) {
        json_text_add_member(out, "unreadable",
                             bytes_of("the config has no definition of its revision and structure: "
                                      "its messages cannot be shown"));
    } else {
        add_message(out, "request", definition->shown, record->request);
        add_steps(definition, record, out);
    }
}

void job_page_job(const Config *config, const JobRecord *record, int64_t wall, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    buffer_add_byte(&page, '{');
    add_members(config, record, wall, true, &page);
    add_text(&page, "request_id", record->request_id);
    add_text(&page, "owner", record->owner);
    add_messages(config, record, &page);
    buffer_add_byte(&page, '}');
    redact_job(buffer_bytes(&page), config->ledger.redact, out);
    arena_free(arena);
}
