#include "gateway/rest/rest_request.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "gateway/rest/http_body.h"
#include "protocols/rest/rest.h"

/* A message from which variables and body are removed. */
typedef struct Taking {
    const MessageType *type;
    JsonNode *root;
    Arena *arena;
} Taking;

/* What a field path refers to. */
typedef struct Place {
    const FieldType *field; /* NULL: there is no such field */
    JsonNode *parent;       /* the object that it may be in, or NULL: not set */
    JsonNode **member;      /* the pointer to it, by which it can be removed; NULL: not set */
} Place;

static JsonNode **find_member(JsonNode *object, const FieldType *field)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (JsonNode **at = &object->first; *at; at = &(*at)->next) {
        if (bytes_are((*at)->name, field->json_name) || bytes_are((*at)->name, field->name))
            return at;
    }
    return NULL;
}

static Place find_path(const Taking *taking, Bytes path)
{
    const MessageType *type = taking->type;
    Place place = {.parent = taking->root};
    JsonNode *object = taking->root;
    Bytes name;
    while (bytes_split(&path, '.', &name)) {
        place.parent = object;
        place.field = type ? message_field(type, name) : NULL;
        place.member = place.field ? find_member(object, place.field) : NULL;
        object = place.member ? *place.member : NULL;
        type = place.field ? place.field->message : NULL;
    }
    return place;
}

static void take_out(JsonNode **at)
{
    *at = (*at)->next;
}

/* The text of a scalar in a URL; data NULL for objects, lists and null. */
static Bytes scalar_text(const JsonNode *node)
{
    switch (node->kind) {
    case JSON_TRUE: return bytes_of("true");
    case JSON_FALSE: return bytes_of("false");
    case JSON_NUMBER:
    case JSON_STRING:
    case JSON_TEXT: return node->text.data ? node->text : bytes_of("");
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return BYTES_NONE;
}

/* The text of a number, bool or enum that JSON omits because it is zero; data NULL for other
   types. */
static Bytes zero_text(const FieldType *field)
{
    if (field->repeated || field->presence || field->kind == KIND_STRING ||
        field->kind == KIND_BYTES || field->message)
        return BYTES_NONE;
    if (field->kind == KIND_BOOL)
        return bytes_of("false");
    const EnumValue *zero = field->enumeration ? enum_value_by_number(field->enumeration, 0) : NULL;
    return bytes_of(zero ? zero->name : "0");
}

static Bytes variable_text(void *owner, Bytes field_path)
{
    Place place = find_path(owner, field_path);
    if (place.member)
        return scalar_text(*place.member);
    return place.field && place.parent ? zero_text(place.field) : BYTES_NONE;
}

/* ---- The query ------------------------------------------------------------------------------- */

static Result refuse_in_query(const Taking *taking, Bytes name, const char *what)
{
    return FAIL_FIELD(taking->arena, FAULT_BAD_VALUE, arena_text(taking->arena, name),
                      "%s cannot be written as a query parameter", what);
}

/* Why a field cannot be written as query parameters; NULL: it can. */
static const char *why_not_in_query(const FieldType *field)
{
    if (!field)
        return NULL;
    if (field->map)
        return "a map";
    if (!field->message)
        return NULL;
    switch (field->message->well_known) {
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_VALUE:
    case WELL_KNOWN_LIST_VALUE: return "a value of any type";
    case WELL_KNOWN_NONE: return field->repeated ? "a list of messages" : NULL;
    default: return NULL;
    }
}

static Result add_members(const Taking *taking, const MessageType *type, const JsonNode *object,
                          Bytes prefix, Buffer *path);

static Result add_to_query(const Taking *taking, const FieldType *field, const JsonNode *node,
                           Bytes name, Buffer *path)
{
    if (node->kind == JSON_NULL)
        return OK;
    const char *why_not = why_not_in_query(field);
    if (why_not)
        return refuse_in_query(taking, name, why_not);
    if (node->kind == JSON_OBJECT)
        return add_members(taking, field ? field->message : NULL, node, name, path);
    if (node->kind != JSON_ARRAY) {
        rest_query_add(path, name, scalar_text(node));
        return OK;
    }
    for (const JsonNode *element = node->first; element; element = element->next) {
        Bytes text = scalar_text(element);
        if (!text.data)
            return refuse_in_query(taking, name, "a list of lists");
        rest_query_add(path, name, text);
    }
    return OK;
}

static Result add_members(const Taking *taking, const MessageType *type, const JsonNode *object,
                          Bytes prefix, Buffer *path)
{
    Result r = OK;
    for (const JsonNode *member = object->first; member && !failed(r); member = member->next) {
        Buffer name = buffer_in(taking->arena);
        if (prefix.size) {
            buffer_add_bytes(&name, prefix);
            buffer_add_byte(&name, '.');
        }
        buffer_add_bytes(&name, member->name);
        const FieldType *field = type ? message_field(type, member->name) : NULL;
        r = add_to_query(taking, field, member, buffer_bytes(&name), path);
    }
    return r;
}

/* ---- The body -------------------------------------------------------------------------------- */

static Bytes tree_text(Arena *arena, const JsonNode *node)
{
    Buffer text = buffer_in(arena);
    json_write(&text, node);
    return buffer_bytes(&text);
}

/* Parsed containers keep their text. Removes it, because members were taken out. */
static void forget_text(JsonNode *node)
{
    node->text = BYTES_NONE;
    for (JsonNode *child = node->first; child; child = child->next) {
        if (child->kind == JSON_OBJECT)
            forget_text(child);
    }
}

/* The body for a field that is not set. */
static Bytes unset_text(const FieldType *field, Arena *arena)
{
    if (field->map)
        return bytes_of("{}");
    if (field->repeated)
        return bytes_of("[]");
    if (field->message)
        return bytes_of(field->message->well_known == WELL_KNOWN_NONE ? "{}" : "null");
    if (field->presence)
        return bytes_of("null");
    Bytes zero = zero_text(field);
    bool plain =
        field->kind != KIND_STRING && field->kind != KIND_BYTES && field->kind != KIND_ENUM;
    return plain ? zero : bytes_of(arena_printf(arena, "\"%.*s\"", BYTES_ARGS(zero)));
}

/* google.api.HttpBody: its data is the body, with its content type. */
static Result give_http_body(const Taking *taking, const JsonNode *node, RestRequest *request)
{
    const JsonNode *content_type = node ? json_member(node, "contentType") : NULL;
    const JsonNode *data = node ? json_member(node, "data") : NULL;
    Buffer decoded = buffer_in(taking->arena);
    if (data && !base64_decode(&decoded, data->text))
        return FAIL(taking->arena, FAULT_BAD_VALUE, "the data of an HttpBody is not base64");
    request->body = buffer_bytes(&decoded);
    request->content_type =
        content_type ? content_type->text : bytes_of("application/octet-stream");
    return decoded.full ? FAIL(taking->arena, FAULT_OUT_OF_MEMORY, "writing a body") : OK;
}

static Result give_body(const Taking *taking, const MessageType *type, const JsonNode *node,
                        Bytes unset, RestRequest *request)
{
    request->has_body = true;
    if (http_body_is(type))
        return give_http_body(taking, node, request);
    request->content_type = bytes_of("application/json");
    request->body = node ? tree_text(taking->arena, node) : unset;
    return OK;
}

/* ---- The request ----------------------------------------------------------------------------- */

static void take_variables(const RestTemplate *template, Taking *taking)
{
    const Bytes *variables;
    size_t n = rest_template_variables(template, &variables);
    for (size_t i = 0; i < n; i++) {
        Place place = find_path(taking, variables[i]);
        if (place.member)
            take_out(place.member);
    }
    forget_text(taking->root);
}

/* One field is the body. It is written before the variables are removed, so a variable within it is
   in the path and in the body. */
static Result give_field(const char *name, Taking *taking, RestRequest *request)
{
    Place place = find_path(taking, bytes_of(name));
    const JsonNode *node = place.member ? *place.member : NULL;
    Result r = give_body(taking, place.field->message, node, unset_text(place.field, taking->arena),
                         request);
    if (place.member)
        take_out(place.member);
    return r;
}

static Result write_by(const HttpRule *rule, const MethodType *method, Taking *taking,
                       RestRequest *request)
{
    const RestTemplate *template;
    Result r = rest_template_parse(taking->arena, bytes_of(rule->path), &template);
    if (failed(r))
        return r;
    Buffer path = buffer_in(taking->arena);
    r = rest_template_expand(template, variable_text, taking, taking->arena, &path);
    if (failed(r))
        return r;

    bool whole = strcmp(rule->body, "*") == 0;
    *request = (RestRequest){.rule = rule, .verb = bytes_of(rule->verb)};
    if (rule->body[0] && !whole)
        r = give_field(rule->body, taking, request);
    take_variables(template, taking);
    if (!failed(r))
        r = whole ? give_body(taking, method->input, taking->root, BYTES_NONE, request)
                  : add_members(taking, method->input, taking->root, BYTES_NONE, &path);
    request->path = buffer_bytes(&path);
    if (!failed(r) && path.full)
        r = FAIL(taking->arena, FAULT_OUT_OF_MEMORY, "writing the path of %s", method->path);
    return r;
}

/* Each binding needs its own copy of the message, because it removes members. */
static Result try_rule(const HttpRule *rule, const MethodType *method, Bytes message, Arena *arena,
                       RestRequest *request)
{
    Taking taking = {.type = method->input, .arena = arena};
    Result r = json_parse(arena, message, NULL, &taking.root);
    return failed(r) ? r : write_by(rule, method, &taking, request);
}

Result rest_request_write(const MethodType *method, Bytes message, Arena *arena,
                          RestRequest *request_out)
{
    *request_out = (RestRequest){.verb = BYTES_NONE};
    if (!method->http)
        return FAIL(arena, FAULT_UNSUPPORTED, "%s has no google.api.http rule for a REST instance",
                    method->path);
    Result r = try_rule(method->http, method, message, arena, request_out);
    for (uint32_t i = 0; failed(r) && i < method->http->n_additional; i++) {
        error_ignore(r, "another binding of the method may fit this message");
        r = try_rule(&method->http->additional[i], method, message, arena, request_out);
    }
    return r;
}

/* ---- The response ---------------------------------------------------------------------------- */

/* The field of the message that the body is; NULL: the whole message. */
static const FieldType *response_field(const HttpRule *rule, const MethodType *method)
{
    return rule->response_body[0] ? message_field(method->output, bytes_of(rule->response_body))
                                  : NULL;
}

Result rest_answer_message(const HttpRule *rule, const MethodType *method, Bytes content_type,
                           Bytes body, Arena *arena, Bytes *message_out)
{
    const FieldType *field = response_field(rule, method);
    bool raw = http_body_out(method, rule);
    *message_out = body.size ? body : bytes_of("{}");
    if (!field && !raw)
        return OK;
    Buffer whole = buffer_in(arena);
    if (field)
        buffer_printf(&whole, "{\"%s\":", field->json_name);
    if (raw)
        http_body_wrap(content_type, body, &whole);
    else
        buffer_add_bytes(&whole, body.size ? body : bytes_of("null"));
    if (field)
        buffer_add_byte(&whole, '}');
    *message_out = buffer_bytes(&whole);
    return whole.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading a response") : OK;
}

/* The value of the only member of an object, if it has this name and is an object; else
   BYTES_NONE. */
static Bytes only_member(Bytes text, const char *wanted, Arena *arena)
{
    JsonCursor cursor = json_cursor(text, arena);
    bool first = true;
    Bytes name;
    if (json_cursor_peek(&cursor) != JSON_KIND_OBJECT ||
        !json_cursor_member(&cursor, &first, &name) || !bytes_are(name, wanted) ||
        json_cursor_peek(&cursor) != JSON_KIND_OBJECT)
        return BYTES_NONE;
    Bytes value = json_cursor_skip(&cursor);
    return json_cursor_member(&cursor, &first, &name) || !json_cursor_finish(&cursor) ? BYTES_NONE
                                                                                      : value;
}

RestItem rest_item_read(const MethodType *method, Bytes *item, Arena *arena)
{
    if (!message_field(method->output, bytes_of("error")) &&
        only_member(*item, "error", arena).data)
        return REST_ITEM_ERROR;
    if (!message_field(method->output, bytes_of("result"))) {
        Bytes inner = only_member(*item, "result", arena);
        *item = inner.data ? inner : *item;
    }
    return REST_ITEM_MESSAGE;
}
