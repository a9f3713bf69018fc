#include "gateway/job_hook/job_event.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/job/job_messages.h"
#include "gateway/job/job_told.h"
#include "gateway/redaction/redaction.h"

bool job_event_is_wanted(const JobWebhookConfig *webhook, const JobRecord *record)
{
    const char *const *method = webhook->methods;
    while (method && *method && !bytes_are(record->definition, *method))
        method++;
    return (!method || *method) && (webhook->states & 1u << record->position.state);
}

const char *job_event_id(Arena *arena, Bytes job, uint64_t number)
{
    return arena_printf(arena, "%.*s-%llu", BYTES_ARGS(job), (unsigned long long)number);
}

/* ---- What is hidden -------------------------------------------------------------------------- */

static bool hides(const Config *config, const char *name)
{
    return redaction_hides(bytes_of(name), config->ledger.redact);
}

static bool hides_anything(const Config *config)
{
    return config->ledger.redact != NULL;
}

static bool hides_resource(const Config *config, const JobRecord *record)
{
    const JobDefinition *definition = job_definition_of(config, record);
    if (!hides_anything(config) || (definition && !definition->resource.key))
        return false;
    if (!definition)
        return true;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    for (const FieldType *const *field = definition->resource.key; *field; field++)
        buffer_printf(&path, "%s%s", path.size ? "." : "", (*field)->name);
    bool hidden = redaction_hides(buffer_bytes(&path), config->ledger.redact);
    arena_free(arena);
    return hidden;
}

void job_event_add_resource(const Config *config, const JobRecord *record, Buffer *out)
{
    if (!record->resource.size)
        return;
    Bytes kind = bytes_slice(record->resource, 0, bytes_find(record->resource, '/'));
    json_text_add_key(out, "resource");
    if (hides_resource(config, record))
        buffer_printf(out, "\"%.*s/redacted\"", BYTES_ARGS(kind));
    else
        json_text_add(out, record->resource);
}

/* ---- The event ------------------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *name, Bytes text)
{
    if (text.size)
        json_text_add_member(out, name, text);
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND, (int32_t)(wall % SECOND));
}

/* "operations/ID", or another prefix. */
static void add_name(Buffer *out, const char *name, const char *prefix, Bytes id)
{
    json_text_add_key(out, name);
    buffer_printf(out, "\"%s%.*s\"", prefix, BYTES_ARGS(id));
}

static bool errors_full(const Config *config, const JobRecord *record)
{
    const JobDefinition *definition = job_definition_of(config, record);
    return definition && config_errors_full(config, "", definition->method->route);
}

/* The message may quote any field of the request. */
static void add_failure(const Config *config, const JobRecord *record, Buffer *out)
{
    const JobFailure *failure = &record->failure;
    if (!failure->fault.size)
        return;
    json_text_add_key(out, "reason");
    buffer_add_byte(out, '{');
    add_text(out, "step", job_failed_step(record));
    add_text(out, "fault", failure->fault);
    json_text_add_member(out, "code", bytes_of(code_name(failure->code)));
    if (!hides_anything(config))
        add_text(out, "message", job_failure_told(failure, errors_full(config, record)));
    buffer_add_byte(out, '}');
}

static void add_data(const Config *config, const JobRecord *record, Buffer *out)
{
    json_text_add_key(out, "data");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "id", record->id);
    add_name(out, "name", JOB_NAME_PREFIX, record->id);
    add_name(out, "link", JOB_LINK_PREFIX, record->id);
    json_text_add_member(out, "method", record->definition);
    json_text_add_number(out, "number", job_told_number(record->told));
    json_text_add_member(out, "state", bytes_of(job_state_name(record->position.state)));
    add_text(out, "step", record->step);
    add_time(out, "created", record->created);
    if (!hides(config, "client"))
        add_text(out, "client", record->client);
    add_text(out, "request_id", record->request_id);
    job_event_add_resource(config, record, out);
    add_failure(config, record, out);
    buffer_add_byte(out, '}');
}

void job_event_write(const Config *config, const JobRecord *record, int64_t wall, Buffer *out)
{
    Arena *arena = out->arena;
    uint64_t number = job_told_number(record->told);
    const char *type =
        arena_printf(arena, "passerelle.job.%s", job_state_name(record->position.state));
    buffer_add_byte(out, '{');
    json_text_add_member(out, "specversion", bytes_of("1.0"));
    json_text_add_member(out, "id", bytes_of(job_event_id(arena, record->id, number)));
    json_text_add_member(out, "source", bytes_of("/v1/operations"));
    json_text_add_member(out, "type", bytes_of(type));
    add_name(out, "subject", JOB_NAME_PREFIX, record->id);
    add_time(out, "time", wall);
    json_text_add_member(out, "datacontenttype", bytes_of("application/json"));
    add_data(config, record, out);
    buffer_add_byte(out, '}');
}
