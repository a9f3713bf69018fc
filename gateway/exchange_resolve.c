/* What is asked for: an RPC by its path, a REST binding, or an opaque route. */
#include "base/arena.h"
#include "base/json_text.h"
#include "gateway/exchange_internal.h"

void exchange_name(Exchange *x)
{
    x->call.verb = bytes_copy(x->arena, x->head->method);
    x->call.path = bytes_copy(x->arena, bytes_slice(x->head->path, 0, bytes_find(x->head->path, '?')));
    x->origin = bytes_copy(x->arena, fields_get(&x->head->fields, "origin"));
    request_id_write(&x->loop->random, x->request_id);
    trace_context_begin(&x->head->fields, &x->loop->random, x->arena, &x->trace);
    x->record.request_id = bytes(x->request_id, REQUEST_ID_SIZE);
    x->record.trace_id = bytes(x->trace.trace_id, TRACE_ID_SIZE);

    const char *header = x->config->identity_header;
    if (x->client_connection->identity)
        x->record.client = bytes_of(x->client_connection->identity);
    else if (header)
        x->record.client = bytes_copy(x->arena, fields_get(&x->head->fields, header));
}

static void pass_on_names(Exchange *x)
{
    trace_context_write(&x->trace, &x->call.metadata);
    if (!fields_get(&x->call.metadata, "x-request-id").data)
        fields_add(&x->call.metadata, bytes_of("x-request-id"), x->record.request_id);
}

/* Of path and query. Which of them the rule takes is known with the version: see exchange_take_rest. */
static Result take_parameters(Exchange *x, const RestMatch *match)
{
    RestParameter *query;
    size_t n_query;
    Result r = rest_query_parse(x->call.query, x->arena, &query, &n_query);
    if (failed(r))
        return r;
    x->parameters = arena_array(x->arena, PlanParameter, match->n_parameters + n_query);
    if (!x->parameters)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping %zu parameters",
                    match->n_parameters + n_query);
    for (size_t i = 0; i < match->n_parameters; i++)
        x->parameters[x->n_parameters++] =
            (PlanParameter){match->parameters[i].field_path, match->parameters[i].text};
    for (size_t i = 0; i < n_query; i++)
        x->parameters[x->n_parameters++] = (PlanParameter){query[i].field_path, query[i].text};
    return OK;
}

/* What the rule has no place for goes the way of unknown fields. */
static Result refuse_or_count(Exchange *x, uint32_t n, Bytes name, const char *why)
{
    if (x->route->unknown_fields == UNKNOWN_REFUSE)
        return FAIL_FIELD(x->arena, FAULT_UNKNOWN_FIELD, arena_text(x->arena, name),
                          "%s %s%s%.*s %s", x->binding->rule->verb, x->binding->rule->path,
                          name.size ? ": parameter " : "", BYTES_ARGS(name), why);
    x->record.n_unknown += n;
    return OK;
}

Result exchange_take_rest(Exchange *x)
{
    const RestBinding *binding = x->binding;
    bool is_stream = x->method->type->server_streaming;
    if (http_body_out(binding))
        x->call.reply_codec = CODEC_PROTO;
    else if (!rest_accepts(&x->call, is_stream))
        return FAIL_TELL(x->arena, FAULT_NOT_ACCEPTABLE, "accept: %.*s; there is %s",
                         BYTES_ARGS(bytes_slice(fields_joined(x->call.head, "accept"), 0, 200)),
                         is_stream ? "application/x-ndjson and text/event-stream" : "application/json");
    /* The same path may name its variables otherwise in another version. */
    for (size_t i = 0; i < binding->n_variables; i++)
        x->parameters[i].field_path = binding->variables[i];
    uint32_t n_query = x->n_parameters - (uint32_t)binding->n_variables;
    if (n_query == 0 || strcmp(binding->rule->body, "*") != 0)
        return OK;
    x->n_parameters -= n_query;
    return refuse_or_count(x, n_query, x->parameters[x->n_parameters].field_path,
                           "is not taken: the body is all that the path does not say");
}

/* No bytes, or an object without members. */
static bool says_nothing(Bytes body, Arena *arena)
{
    JsonCursor cursor = json_cursor(body, arena);
    bool first = true;
    Bytes name;
    if (body.size == 0)
        return true;
    return json_cursor_peek(&cursor) == JSON_KIND_OBJECT && !json_cursor_member(&cursor, &first, &name) &&
           json_cursor_finish(&cursor);
}

Result exchange_take_rest_body(Exchange *x)
{
    if (x->binding->rule->body[0] || says_nothing(x->message.bytes, x->arena))
        return OK;
    return refuse_or_count(x, 1, BYTES_NONE, "takes no body");
}

/* The path's REST binding or opaque route. Neither: nothing is set, and `match` says which verbs would do. */
static Result find_plain(Exchange *x, RestMatch *match)
{
    bool found = false;
    Result r = rest_table_match(x->config->rest, x->call.verb, x->call.path, x->arena, match, &found);
    if (found)
        x->binding = match->value;
    else
        x->route = x->record.route = opaque_route(x->config, x->call.path);
    return r;
}

static Result not_found(Exchange *x, const RestMatch *match)
{
    Bytes shown = bytes_slice(x->call.path, 0, 200);
    if (match->allowed.size) {
        x->allow = match->allowed;
        return FAIL_TELL(x->arena, FAULT_METHOD_NOT_ALLOWED, "%.*s takes %.*s, not %.*s", BYTES_ARGS(shown),
                         BYTES_ARGS(match->allowed), BYTES_ARGS(x->call.verb));
    }
    return FAIL_TELL(x->arena, FAULT_UNKNOWN_PATH, "%.*s %.*s", BYTES_ARGS(x->call.verb), BYTES_ARGS(shown));
}

static Result resolve_rpc(Exchange *x, Dialect dialect)
{
    Result r = call_read(x->head, dialect, x->arena, &x->call);
    if (failed(r))
        return r;
    pass_on_names(x);
    Bytes shown = bytes_slice(x->call.path, 0, 200);
    return x->method || x->builtin ? OK : FAIL_TELL(x->arena, FAULT_UNKNOWN_METHOD, "%.*s", BYTES_ARGS(shown));
}

static Result resolve_plain(Exchange *x)
{
    /* The dialect of the error, should there be none, is REST's. */
    RestMatch match = {0};
    Result found = find_plain(x, &match);
    Result r = call_read(x->head, x->route ? DIALECT_HTTP : DIALECT_REST, x->arena, &x->call);
    if (failed(found))
        return found;
    if (!x->binding && !x->route)
        return not_found(x, &match);
    bool any_media = x->binding && http_body_in(x->binding);
    if (failed(r) && !(any_media && r.error->fault == &FAULT_UNSUPPORTED_MEDIA))
        return r;
    pass_on_names(x);
    if (x->binding)
        return take_parameters(x, &match);
    return opaque_keep_head(x);
}

Result exchange_resolve(Exchange *x)
{
    x->method = table_get(&x->config->methods, x->call.path);

    if (!x->method)
        x->builtin = builtin_find(x->config, x->call.path);
    bool rpc = request_kind(x->head) == REQUEST_RPC || x->method || x->builtin;
    return rpc ? resolve_rpc(x, dialect_of_request(x->head)) : resolve_plain(x);
}
