#include "gateway/rest_request.h"

#include "adapters/json.h"
#include "base/arena.h"
#include "protocols/rest.h"

/* A message that fields are taken out of. */
typedef struct Taking {
    const MessageType *type;
    JsonNode *root;
    Arena *arena;
} Taking;

static const FieldType *member_field(const MessageType *type, Bytes name)
{
    return type ? message_field(type, name) : NULL;
}

/* The pointer that holds the member, so that it can be taken out; NULL when it is not there. */
static JsonNode **find_member(JsonNode *object, const char *name)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (JsonNode **at = &object->first; *at; at = &(*at)->next) {
        if (bytes_are((*at)->name, name))
            return at;
    }
    return NULL;
}

static JsonNode **find_path(const Taking *taking, Bytes path)
{
    const MessageType *type = taking->type;
    JsonNode *object = taking->root, **found = NULL;
    Bytes name;
    while (bytes_split(&path, '.', &name)) {
        const FieldType *field = member_field(type, name);
        found = field ? find_member(object, field->json_name) : NULL;
        if (!found && field)
            found = find_member(object, field->name);
        if (!found)
            return NULL;
        object = *found;
        type = field->message;
    }
    return found;
}

static void take_out(JsonNode **at)
{
    *at = (*at)->next;
}

/* A scalar as the text that stands for it in a URL; data NULL for objects, lists and null. */
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

static Bytes variable_text(void *owner, Bytes field_path)
{
    JsonNode **found = find_path(owner, field_path);
    return found ? scalar_text(*found) : BYTES_NONE;
}

/* ---- The query ----------------------------------------------------------------------------------- */

static Result add_to_query(const Taking *taking, const JsonNode *node, Bytes name, Buffer *path);

static Result add_members(const Taking *taking, const JsonNode *object, Bytes prefix, Buffer *path)
{
    Result r = OK;
    for (const JsonNode *member = object->first; member && !failed(r); member = member->next) {
        Buffer name = buffer_in(taking->arena);
        if (prefix.size) {
            buffer_add_bytes(&name, prefix);
            buffer_add_byte(&name, '.');
        }
        buffer_add_bytes(&name, member->name);
        r = add_to_query(taking, member, buffer_bytes(&name), path);
    }
    return r;
}

static Result add_to_query(const Taking *taking, const JsonNode *node, Bytes name, Buffer *path)
{
    if (node->kind == JSON_NULL)
        return OK;
    if (node->kind == JSON_OBJECT)
        return add_members(taking, node, name, path);
    if (node->kind != JSON_ARRAY) {
        rest_query_add(path, name, scalar_text(node));
        return OK;
    }
    for (const JsonNode *element = node->first; element; element = element->next) {
        Bytes text = scalar_text(element);
        if (!text.data)
            return FAIL_FIELD(taking->arena, FAULT_BAD_VALUE, arena_text(taking->arena, name),
                              "a list of messages has no place in a query");
        rest_query_add(path, name, text);
    }
    return OK;
}

/* ---- The request --------------------------------------------------------------------------------- */

static Bytes tree_text(Arena *arena, const JsonNode *node)
{
    Buffer text = buffer_in(arena);
    json_write(&text, node);
    return buffer_bytes(&text);
}

/* Containers that were read keep their text; one that something was taken out of is written anew. */
static void forget_text(JsonNode *node)
{
    node->text = BYTES_NONE;
    for (JsonNode *child = node->first; child; child = child->next) {
        if (child->kind == JSON_OBJECT)
            forget_text(child);
    }
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

    /* The body is taken before the variables: a variable inside it is said in both places. */
    request->verb = bytes_of(rule->verb);
    if (rule->body[0] && strcmp(rule->body, "*") != 0) {
        JsonNode **body = find_path(taking, bytes_of(rule->body));
        request->has_body = true;
        request->body = body ? tree_text(taking->arena, *body) : bytes_of("{}");
        if (body)
            take_out(body);
    }
    const Bytes *variables;
    size_t n = rest_template_variables(template, &variables);
    for (size_t i = 0; i < n; i++) {
        JsonNode **variable = find_path(taking, variables[i]);
        if (variable)
            take_out(variable);
    }
    forget_text(taking->root);
    if (strcmp(rule->body, "*") == 0) {
        request->has_body = true;
        request->body = tree_text(taking->arena, taking->root);
    } else {
        r = add_members(taking, taking->root, BYTES_NONE, &path);
    }
    request->path = buffer_bytes(&path);
    if (!failed(r) && path.full)
        r = FAIL(taking->arena, FAULT_OUT_OF_MEMORY, "writing the path of %s", method->path);
    return r;
}

Result rest_request_write(const MethodType *method, Bytes message, Arena *arena,
                          RestRequest *request_out)
{
    if (!method->http)
        return FAIL(arena, FAULT_UNSUPPORTED, "%s has no google.api.http rule for a REST instance",
                    method->path);
    Taking taking = {.type = method->input, .arena = arena};
    Result r = json_parse(arena, message, NULL, &taking.root);
    if (failed(r))
        return r;

    *request_out = (RestRequest){.verb = BYTES_NONE};
    r = write_by(method->http, method, &taking, request_out);
    for (uint32_t i = 0; failed(r) && i < method->http->n_additional; i++) {
        error_ignore(r, "another binding of the method may fit this message");
        r = write_by(&method->http->additional[i], method, &taking, request_out);
    }
    return r;
}

/* ---- The answer ---------------------------------------------------------------------------------- */

Result rest_answer_message(const MethodType *method, Bytes body, Arena *arena, Bytes *message_out)
{
    *message_out = body.size ? body : bytes_of("{}");
    const char *name = method->http ? method->http->response_body : "";
    const FieldType *field = name[0] ? message_field(method->output, bytes_of(name)) : NULL;
    if (!field)
        return OK;
    Buffer whole = buffer_in(arena);
    buffer_printf(&whole, "{\"%s\":", field->json_name);
    buffer_add_bytes(&whole, body.size ? body : bytes_of("null"));
    buffer_add_byte(&whole, '}');
    *message_out = buffer_bytes(&whole);
    return whole.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading an answer") : OK;
}
