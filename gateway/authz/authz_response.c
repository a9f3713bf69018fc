#include "gateway/authz/authz_response.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/utf8.h"
#include "protocols/http/head_fields.h"
#include "protocols/http/http_rules.h"

/* Numbers of fields: gateway/authz/proto has them with their names. */
enum {
    CHECKED_STATUS = 1,
    CHECKED_DENIED = 2,
    CHECKED_OK = 3,
    STATUS_CODE = 1,
    DENIED_STATUS = 1,
    DENIED_HEADERS = 2,
    DENIED_BODY = 3,
    HTTP_STATUS_CODE = 1,
    OK_HEADERS = 2,
    OK_HEADERS_TO_REMOVE = 5,
    OK_RESPONSE_HEADERS = 6,
    OK_QUERY_TO_SET = 7,
    OK_QUERY_TO_REMOVE = 8,
    OPTION_HEADER = 1,
    OPTION_APPEND = 2,
    OPTION_ACTION = 3,
    HEADER_KEY = 1,
    HEADER_VALUE = 2,
    HEADER_RAW_VALUE = 3,
    BOOL_VALUE = 1,
};

/* ---- Which fields ---------------------------------------------------------------------------- */

/* The way of the call, and who answers for it: forwarding.h and own_fields.h. */
static bool is_own(Bytes name)
{
    static const char *const names[] = {"host",       "via",
                                        "forwarded",  "x-request-id",
                                        "expect",     "grpc-previous-rpc-attempts",
                                        "keep-alive", "traceparent",
                                        "tracestate", NULL};
    return bytes_are_one_of(name, names) || bytes_start_with(name, "passerelle-") ||
           bytes_start_with(name, "x-forwarded-");
}

static bool is_free(Bytes name)
{
    return http_is_field_name(name) && !http_is_connection_field(name) && !is_own(name);
}

bool authz_may_change_request(Bytes name)
{
    FieldRole role = field_role(name);
    return is_free(name) && (role == FIELD_METADATA || role == FIELD_TRAILER);
}

bool authz_may_change_response(Bytes name)
{
    return is_free(name) && field_role(name) == FIELD_METADATA;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* One reading. */
typedef struct Reading {
    const PolicyServer *server;
    Arena *arena;
    AuthzResponse *out;
    uint32_t left; /* of PolicyServer.fields */
    Result why;    /* the first mistake */
} Reading;

static void refuse(Reading *r, Result why)
{
    if (!failed(r->why))
        r->why = why;
    else
        error_ignore(why, "the first mistake is told");
}

static void malformed(Reading *r)
{
    refuse(r, FAIL(r->arena, FAULT_UPSTREAM_MESSAGE, "its response is truncated or malformed"));
}

/* Calls `take` for each field. */
static void read_message(Reading *r, Bytes message, void *into,
                         void (*take)(Reading *r, const WireField *field, void *into))
{
    WireReader reader = wire_reader(message);
    for (WireField field; !failed(r->why) && wire_next(&reader, &field);)
        take(r, &field, into);
    if (reader.bad)
        malformed(r);
}

/* Of a field that has one type only. */
static bool is_bytes(const WireField *field, uint32_t number)
{
    return field->number == number && field->type == WIRE_LENGTH;
}

static bool is_number(const WireField *field, uint32_t number)
{
    return field->number == number && field->type == WIRE_VARINT;
}

static void take_header(Reading *r, const WireField *field, void *into)
{
    AuthzChange *change = into;
    if (is_bytes(field, HEADER_KEY))
        change->name = field->bytes;
    else if (is_bytes(field, HEADER_VALUE) || is_bytes(field, HEADER_RAW_VALUE))
        change->value = field->bytes.size ? field->bytes : change->value;
}

/* A HeaderValueOption. `append` is how servers said it before there were actions. */
typedef struct Option {
    AuthzChange change;
    bool has_append, append;
    uint64_t action;
} Option;

static void take_bool(Reading *r, const WireField *field, void *into)
{
    bool *value = into;
    if (is_number(field, BOOL_VALUE))
        *value = field->value != 0;
}

static void take_option(Reading *r, const WireField *field, void *into)
{
    Option *option = into;
    if (is_bytes(field, OPTION_HEADER)) {
        read_message(r, field->bytes, &option->change, take_header);
    } else if (is_bytes(field, OPTION_APPEND)) {
        option->has_append = true;
        option->append = false;
        read_message(r, field->bytes, &option->append, take_bool);
    } else if (is_number(field, OPTION_ACTION)) {
        option->action = field->value;
    }
}

/* What nobody has said is 0 in either: then a field of the request is overwritten, as one of a
   refusal is, and one of a good response is added (external_auth.proto). */
static AuthzAction action_of(const Option *option, AuthzAction unsaid)
{
    if (option->has_append)
        return option->append ? AUTHZ_APPEND : AUTHZ_OVERWRITE_OR_ADD;
    return option->action ? (AuthzAction)option->action : unsaid;
}

static bool count(Reading *r)
{
    if (r->left == 0) {
        refuse(r, FAIL(r->arena, FAULT_UPSTREAM_MESSAGE,
                       "its response names more than %u fields, which are allowed (fields)",
                       r->server->fields));
        return false;
    }
    r->left--;
    return true;
}

static void add(Reading *r, AuthzChanges *to, AuthzChange change)
{
    if (!to->items)
        to->items = arena_array(r->arena, AuthzChange, r->server->fields);
    if (to->items)
        to->items[to->n++] = change;
    else
        refuse(r, FAIL(r->arena, FAULT_OUT_OF_MEMORY, "reading the response of a policy server"));
}

/* What instances and clients read as bytes must be base64, in each part of a list. */
static bool is_readable(const AuthzChange *change, Arena *arena)
{
    Bytes rest = change->value, part;
    if (!bytes_end_with(change->name, "-bin"))
        return true;
    while (bytes_split(&rest, ',', &part)) {
        Buffer decoded = buffer_in(arena);
        if (!base64_decode(&decoded, bytes_trim(part)))
            return false;
    }
    return true;
}

static bool is_sound(const Reading *r, const AuthzChange *change, bool (*may_change)(Bytes name))
{
    return may_change(change->name) && http_is_field_value(change->value) &&
           is_readable(change, r->arena) && change->action <= AUTHZ_REMOVE;
}

/* Without one of these changes the client's own field would pass for what the server has said. */
static void change_request(Reading *r, AuthzChange change)
{
    change.name = bytes_lower(r->arena, change.name);
    if (!count(r))
        return;
    if (is_sound(r, &change, authz_may_change_request))
        add(r, &r->out->request, change);
    else
        refuse(r, FAIL(r->arena, FAULT_BAD_VALUE,
                       "it allows the call with a change of the field \"%.*s\", which it may not "
                       "change, or not to that value",
                       BYTES_ARGS(bytes_cut_text(change.name, 100))));
}

static void change_response(Reading *r, AuthzChange change)
{
    change.name = bytes_lower(r->arena, change.name);
    if (!count(r))
        return;
    if (is_sound(r, &change, authz_may_change_response))
        add(r, &r->out->response, change);
    else
        r->out->n_unfit++;
}

static AuthzChange read_option(Reading *r, Bytes message, AuthzAction unsaid)
{
    Option option = {0};
    read_message(r, message, &option, take_option);
    if (option.action >= AUTHZ_REMOVE)
        malformed(r); /* a newer one */
    option.change.action = action_of(&option, unsaid);
    return option.change;
}

static void take_ok(Reading *r, const WireField *field, void *into)
{
    if (is_bytes(field, OK_HEADERS))
        change_request(r, read_option(r, field->bytes, AUTHZ_OVERWRITE_OR_ADD));
    else if (is_bytes(field, OK_HEADERS_TO_REMOVE))
        change_request(r, (AuthzChange){.action = AUTHZ_REMOVE, .name = field->bytes});
    else if (is_bytes(field, OK_RESPONSE_HEADERS))
        change_response(r, read_option(r, field->bytes, AUTHZ_APPEND));
    else if (is_bytes(field, OK_QUERY_TO_SET) || is_bytes(field, OK_QUERY_TO_REMOVE))
        refuse(r, FAIL(r->arena, FAULT_BAD_VALUE,
                       "it allows the call with a change of its query, which is not supported"));
}

static void take_http_status(Reading *r, const WireField *field, void *into)
{
    if (is_number(field, HTTP_STATUS_CODE) && field->value >= 300 && field->value <= 599 &&
        field->value != 304)
        r->out->http_status = (uint16_t)field->value;
}

static void take_text(Reading *r, Bytes text)
{
    Buffer repaired = buffer_in(r->arena);
    utf8_add_repaired(&repaired, bytes_cut_text(text, r->server->message_bytes));
    r->out->message = buffer_bytes(&repaired);
}

static void take_denied(Reading *r, const WireField *field, void *into)
{
    if (is_bytes(field, DENIED_STATUS))
        read_message(r, field->bytes, NULL, take_http_status);
    else if (is_bytes(field, DENIED_HEADERS))
        change_response(r, read_option(r, field->bytes, AUTHZ_OVERWRITE_OR_ADD));
    else if (is_bytes(field, DENIED_BODY))
        take_text(r, field->bytes);
}

/* The whole: of each part the last one counts. */
typedef struct Parts {
    Bytes status, denied, ok; /* data NULL: it is not there */
} Parts;

static void take_part(Reading *r, const WireField *field, void *into)
{
    Parts *parts = into;
    Bytes *part = is_bytes(field, CHECKED_STATUS)   ? &parts->status
                  : is_bytes(field, CHECKED_DENIED) ? &parts->denied
                  : is_bytes(field, CHECKED_OK)     ? &parts->ok
                                                    : NULL;
    if (part)
        *part = field->bytes;
}

static void take_code(Reading *r, const WireField *field, void *into)
{
    uint64_t *code = into;
    if (is_number(field, STATUS_CODE))
        *code = field->value;
}

/* No is no, whatever else is said with it. */
static void deny(Reading *r, Bytes denied)
{
    read_message(r, denied, NULL, take_denied);
    if (!failed(r->why))
        return;
    error_ignore(r->why, "the call is refused anyway, without what cannot be used");
    r->why = OK;
    r->out->response = (AuthzChanges){0};
}

/* Something must say so, and nothing else. To Envoy an empty message is a yes, too, and a refusal
   whose status was forgotten. */
static void decide(Reading *r, const Parts *parts)
{
    uint64_t code = 0;
    read_message(r, parts->status, &code, take_code);
    r->out->allowed = code == 0 && !parts->denied.data;
    if (!parts->status.data && !parts->ok.data && !parts->denied.data)
        refuse(r, FAIL(r->arena, FAULT_UPSTREAM_MESSAGE, "its response decides nothing"));
    else if (r->out->allowed)
        read_message(r, parts->ok, NULL, take_ok);
    else if (!failed(r->why))
        deny(r, parts->denied);
}

Result authz_response_read(const PolicyServer *server, Bytes message, Arena *arena,
                           AuthzResponse *out)
{
    Reading r = {.server = server, .arena = arena, .out = out, .left = server->fields};
    Parts parts = {0};
    *out = (AuthzResponse){.http_status = 403};
    read_message(&r, message, &parts, take_part);
    if (!failed(r.why))
        decide(&r, &parts);
    return r.why;
}

/* ---- Applying -------------------------------------------------------------------------------- */

static void apply(const AuthzChange *change, Fields *fields)
{
    bool is_there = fields_find(fields, change->name).data != NULL;
    if ((change->action == AUTHZ_ADD_IF_ABSENT && is_there) ||
        (change->action == AUTHZ_OVERWRITE && !is_there))
        return;
    if (change->action != AUTHZ_APPEND && is_there)
        fields_drop(fields, change->name);
    if (change->action != AUTHZ_REMOVE)
        fields_add(fields, change->name, change->value);
}

void authz_apply(const AuthzChanges *changes, Fields *fields)
{
    for (uint32_t i = 0; i < changes->n; i++)
        apply(&changes->items[i], fields);
}
