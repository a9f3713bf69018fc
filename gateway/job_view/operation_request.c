#include "gateway/job_view/operation_request.h"

#include "adapters/schema/wire.h"
#include "adapters/text/json.h"
#include "adapters/text/time_text.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job/job_messages.h"
#include "protocols/rest/rest.h"

/* The fields of all requests of the service, by their names and their numbers in each. */
typedef enum AskField { ASK_NAME, ASK_FILTER, ASK_PAGE_SIZE, ASK_PAGE_TOKEN, ASK_TIMEOUT } AskField;

typedef struct AskedField {
    AskField field;
    bool of_list, of_wait; /* else of all the others, and of the wait */
    uint32_t number;
    const char *name, *json_name;
} AskedField;

static const AskedField fields[] = {
    {ASK_NAME, false, false, 1, "name", "name"},
    {ASK_NAME, true, false, 4, "name", "name"},
    {ASK_FILTER, true, false, 1, "filter", "filter"},
    {ASK_PAGE_SIZE, true, false, 2, "page_size", "pageSize"},
    {ASK_PAGE_TOKEN, true, false, 3, "page_token", "pageToken"},
    {ASK_TIMEOUT, false, true, 2, "timeout", "timeout"},
};

static bool has_field(const Builtin *builtin, const AskedField *field)
{
    if (builtin->method == BUILTIN_LIST_OPERATIONS)
        return field->of_list;
    return !field->of_list && (!field->of_wait || builtin->method == BUILTIN_WAIT_OPERATION);
}

static const AskedField *field_of_number(const Builtin *builtin, uint32_t number)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].number == number && has_field(builtin, &fields[i]))
            return &fields[i];
    return NULL;
}

static const AskedField *field_of_name(const Builtin *builtin, Bytes name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((bytes_are(name, fields[i].name) || bytes_are(name, fields[i].json_name)) &&
            has_field(builtin, &fields[i]))
            return &fields[i];
    return NULL;
}

static void set_timeout(OperationRequest *request, TimeParts time)
{
    bool far = time.seconds >= INT64_MAX / SECOND - 1;
    request->timeout = far ? NO_TIMEOUT : time.seconds * SECOND + time.nanos;
}

/* ---- Protobuf -------------------------------------------------------------------------------- */

static bool read_duration(Bytes message, TimeParts *time_out)
{
    *time_out = (TimeParts){0, 0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type == WIRE_VARINT && f.number == 1)
            time_out->seconds = (int64_t)f.value;
        if (f.type == WIRE_VARINT && f.number == 2)
            time_out->nanos = (int32_t)f.value;
    }
    return !reader.bad && duration_in_range(*time_out);
}

static bool take_wire(OperationRequest *request, AskField field, const WireField *f)
{
    TimeParts time;
    if (field == ASK_PAGE_SIZE) {
        request->page_size = f->value > INT32_MAX ? 0 : (uint32_t)f->value;
        return f->type == WIRE_VARINT && f->value <= INT32_MAX;
    }
    if (f->type != WIRE_LENGTH)
        return false;
    switch (field) {
    case ASK_NAME: request->name = f->bytes; return true;
    case ASK_FILTER: request->filter = f->bytes; return true;
    case ASK_PAGE_TOKEN: request->page_token = f->bytes; return true;
    case ASK_TIMEOUT:
        if (!read_duration(f->bytes, &time))
            return false;
        set_timeout(request, time);
        return true;
    case ASK_PAGE_SIZE: break;
    }
    return false;
}

/* Fields that are not known are ignored, as in any message. */
static Result read_wire(const Builtin *builtin, Bytes message, Arena *arena,
                        OperationRequest *request)
{
    bool bad = false;
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        const AskedField *field = field_of_number(builtin, f.number);
        bad |= field && !take_wire(request, field->field, &f);
    }
    return bad || reader.bad
               ? FAIL_TELL(arena, FAULT_BAD_MESSAGE, "the request is truncated or malformed")
               : OK;
}

/* ---- Texts: of JSON and of a query ----------------------------------------------------------- */

static bool take_text(OperationRequest *request, AskField field, Bytes text)
{
    TimeParts time;
    uint64_t number;
    switch (field) {
    case ASK_NAME: request->name = text; return true;
    case ASK_FILTER: request->filter = text; return true;
    case ASK_PAGE_TOKEN: request->page_token = text; return true;
    case ASK_PAGE_SIZE:
        if (!bytes_to_u64(text, &number) || number > INT32_MAX)
            return false;
        request->page_size = (uint32_t)number;
        return true;
    case ASK_TIMEOUT:
        if (!duration_read(text, &time))
            return false;
        set_timeout(request, time);
        return true;
    }
    return false;
}

static Result take_named(const Builtin *builtin, Bytes name, Bytes text, Arena *arena,
                         OperationRequest *request)
{
    const AskedField *field = field_of_name(builtin, name);
    const char *shown = arena_text(arena, bytes_cut_text(name, 200));
    if (!field)
        return FAIL_FIELD(arena, FAULT_UNKNOWN_FIELD, shown, "%s has no such field", builtin->path);
    return take_text(request, field->field, text)
               ? OK
               : FAIL_FIELD(arena, FAULT_BAD_VALUE, shown, "%.*s",
                            BYTES_ARGS(bytes_cut_text(text, 200)));
}

static bool is_scalar(const JsonNode *node)
{
    return node->kind == JSON_STRING || node->kind == JSON_NUMBER;
}

static Result take_member(const Builtin *builtin, const JsonNode *member, Arena *arena,
                          OperationRequest *request)
{
    if (member->kind == JSON_NULL)
        return OK;
    Bytes text = is_scalar(member) ? member->text : BYTES_NONE;
    if (!is_scalar(member))
        return FAIL_FIELD(arena, FAULT_BAD_VALUE,
                          arena_text(arena, bytes_cut_text(member->name, 200)), "it is a text");
    return take_named(builtin, member->name, text, arena, request);
}

static Result read_json(const Builtin *builtin, Bytes message, Arena *arena,
                        OperationRequest *request)
{
    JsonNode *root;
    if (!message.size) /* no body */
        return OK;
    Result r = json_parse(arena, message, &(JsonLimits){.depth = 4, .elements = 100}, &root);
    if (failed(r))
        return r;
    if (root->kind != JSON_OBJECT)
        return FAIL_TELL(arena, FAULT_BAD_JSON, "the request is an object");
    for (const JsonNode *member = root->first; member && !failed(r); member = member->next)
        r = take_member(builtin, member, arena, request);
    return r;
}

/* Parameters that Google's clients send to any API say how the response is to be written: "$alt".
 */
static bool is_of_system(Bytes name)
{
    return bytes_start_with(name, "$");
}

static Result read_query(const Call *call, const Builtin *builtin, Arena *arena,
                         OperationRequest *request)
{
    RestParameter *parameters;
    size_t n;
    Result r = rest_query_parse(call->query, arena, &parameters, &n);
    for (size_t i = 0; !failed(r) && i < n; i++)
        if (!is_of_system(parameters[i].field_path))
            r = take_named(builtin, parameters[i].field_path, parameters[i].text, arena, request);
    return r;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* "/v1/operations/ID:cancel": what stands between the version and the verb. */
static Bytes name_of_path(Bytes path)
{
    Bytes name = bytes_slice(path, strlen("/v1/"), SIZE_MAX);
    return bytes_slice(name, 0, bytes_find(name, ':'));
}

/* A name of something else is one of nothing here. */
static Bytes id_of_name(Bytes name)
{
    Bytes id = BYTES_NONE;
    if (bytes_start_with(name, JOB_NAME_PREFIX))
        id = bytes_slice(name, strlen(JOB_NAME_PREFIX), SIZE_MAX);
    return job_id_is_valid(id) ? id : BYTES_NONE;
}

Result operation_request_read(const Call *call, const Builtin *builtin, Bytes message, Arena *arena,
                              OperationRequest *request_out)
{
    bool is_rest = call->dialect == DIALECT_REST;
    *request_out = (OperationRequest){.timeout = NO_TIMEOUT};
    Result r = call->codec == CODEC_PROTO && !is_rest
                   ? read_wire(builtin, message, arena, request_out)
                   : read_json(builtin, message, arena, request_out);
    if (!failed(r) && is_rest)
        r = read_query(call, builtin, arena, request_out);
    if (is_rest)
        request_out->name = name_of_path(call->path);
    request_out->id = id_of_name(request_out->name);
    return r;
}

/* ---- Filters --------------------------------------------------------------------------------- */

static const uint32_t all_states = (1u << JOB_STATES) - 1;

static uint32_t states_at_rest(void)
{
    uint32_t states = 0;
    for (JobState state = 0; state < JOB_STATES; state++)
        states |= job_is_at_rest(state) ? 1u << state : 0;
    return states;
}

/* Which states have the value; false: there is no such field, or value. */
static bool states_with(Bytes field, Bytes value, uint32_t *states_out)
{
    JobState state;
    if (value.size > 1 && value.data[0] == '"' && value.data[value.size - 1] == '"')
        value = bytes_slice(value, 1, value.size - 2);
    if (bytes_are(field, "done") && (bytes_are(value, "true") || bytes_are(value, "false"))) {
        *states_out = states_at_rest() ^ (bytes_are(value, "true") ? 0 : all_states);
        return true;
    }
    if (!bytes_are(field, "state") || !job_state_of(value, &state))
        return false;
    *states_out = 1u << state;
    return true;
}

/* "done = true" */
static bool read_term(Bytes term, uint32_t *states_out)
{
    size_t at = 0;
    while (at < term.size && !strchr("=:!", term.data[at]))
        at++;
    bool is_not = at + 1 < term.size && term.data[at] == '!' && term.data[at + 1] == '=';
    if (at == term.size || (term.data[at] == '!' && !is_not))
        return false;
    Bytes field = bytes_trim(bytes_slice(term, 0, at));
    Bytes value = bytes_trim(bytes_slice(term, at + 1 + is_not, SIZE_MAX));
    if (!states_with(field, value, states_out))
        return false;
    if (is_not)
        *states_out ^= all_states;
    return true;
}

/* The first term of several, which is taken away. */
static Bytes next_term(Bytes *rest)
{
    static const char and[] = " AND ";
    const uint8_t *at = memmem(rest->data, rest->size, and, sizeof and-1);
    size_t size = at ? (size_t)(at - rest->data) : rest->size;
    Bytes term = bytes_slice(*rest, 0, size);
    *rest = at ? bytes_slice(*rest, size + sizeof and-1, SIZE_MAX) : BYTES_NONE;
    return term;
}

static Result read_filter(Bytes filter, Arena *arena, uint32_t *states_out)
{
    Bytes rest = bytes_trim(filter);
    *states_out = all_states;
    while (rest.size) {
        uint32_t states;
        Bytes term = next_term(&rest);
        if (!read_term(term, &states))
            return FAIL_FIELD(arena, FAULT_BAD_VALUE, "filter",
                              "%.*s: a filter is done = true, state = running, or several with AND",
                              BYTES_ARGS(bytes_cut_text(term, 100)));
        *states_out &= states;
    }
    return OK;
}

Result operation_request_filter(const OperationRequest *request, Arena *arena,
                                JobFilter *filter_out)
{
    uint32_t states, size = request->page_size ? request->page_size : OPERATION_PAGE;
    size = size > OPERATION_PAGE ? OPERATION_PAGE : size;
    *filter_out =
        (JobFilter){.most = size, .after = request->page_token, .content = JOB_CONTENT_OF_DONE};
    if (request->page_token.size && !job_id_is_valid(request->page_token))
        return FAIL_FIELD(arena, FAULT_BAD_VALUE, "page_token", "it is none of a page before");
    Result r = read_filter(request->filter, arena, &states);
    if (!failed(r) && !states)
        r = FAIL_FIELD(arena, FAULT_BAD_VALUE, "filter", "no operation can be so");
    filter_out->states = states == all_states ? 0 : states;
    return r;
}
