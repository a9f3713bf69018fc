/* Finds the target of a request: an RPC by its path, a REST binding, or an opaque route. */
#include "adapters/paths/parameter_path.h"
#include "base/text/json_text.h"
#include "gateway/access/access.h"
#include "gateway/access/authenticator.h"
#include "gateway/call/client_internal.h"
#include "gateway/headers/baggage.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/etags.h"
#include "gateway/headers/grpc_metadata.h"
#include "gateway/headers/trace_sample.h"
#include "gateway/identity/known_client.h"
#include "gateway/match/destination.h"
#include "gateway/memory/accounts.h"
#include "gateway/rest/rest_alt.h"
#include "gateway/telemetry/log_line.h"

/* Whether the path belongs to a rule of REST. What passes unread keeps its fields. */
static bool is_rest(const Exchange *x, const HttpHead *head)
{
    Destination to;
    Bytes path = bytes_slice(head->path, 0, bytes_find(head->path, '?'));
    Result r = destination_find(x->config, head, path, x->arena, &to);
    bool found = !failed(r) && !to.is_rpc && (to.binding || to.match.allowed.size);
    error_ignore(r, "it is found again, and told then");
    return found;
}

/* Removes forwarding fields from the head, and reads them. The head without them is in the memory
   of the turn. */
static Result take_forwarding(Client *c)
{
    Exchange *x = c->x;
    const HttpHead *received = c->head;
    HttpHead *head = arena_alloc(loop_scratch(x->loop), sizeof *head);
    CHECK(head); /* that memory has no limit */
    *head = *received;
    c->head = head;
    const Fields *fields = &received->fields;
    Fields renamed;
    if (x->config->grpc_metadata && grpc_metadata_is_in(fields) && is_rest(x, received)) {
        renamed = grpc_metadata_read(fields, x->config->identity.headers, x->arena);
        if (renamed.full)
            return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "reading a head of %u fields", fields->n);
        fields = &renamed;
    }
    return forwarding_read(&c->forwarding, fields, x->config->identity.headers, &x->config->baggage,
                           x->arena, loop_scratch(x->loop), &head->fields);
}

/* The trusted proxies of the listener, which exists, since the peer is trusted. */
static const TrustedPeers *trusted_peers(const Client *c)
{
    return &client_listener(c)->trusted;
}

static void set_identity(Exchange *x, const Identity *identity)
{
    exchange_identify(x, identity);
    x->record.client =
        identity->known ? identity->known->shown : identity_shown(identity, x->config, x->arena);
    x->record.identity = identity;
    x->record.claimed = !x->config->identity.hash_key.size;
}

static void take_identity(Client *c)
{
    Exchange *x = c->x;
    bool told = c->forwarding.trusted && x->config->identity.header;
    const CertificateNames *certificate =
        x->config->access.by_certificate ? NULL : c->connection->certificate;
    if (!told && !certificate)
        return; /* anonymous, as it began */
    IdentityEvidence evidence = {
        .config = x->config, .head = told ? &c->head->fields : NULL, .certificate = certificate};
    set_identity(x, identity_find(&evidence, x->arena));
}

static void charge(Client *c, Account *account, bool owned)
{
    exchange_charge(c->x, account, owned);
    http_stream_charge(c->stream, account);
}

/* Nearly always all calls of a connection are of one client. So it costs once, and not each call,
   to charge what is there to that one. */
static void take_connection(Client *c, Account *account)
{
    ClientConnection *connection = c->connection;
    account_keep(account);
    connection->proved = account;
    http_stream_charge_connection(c->stream, account);
    exchange_charge(c->x, account, false);
}

static void charge_known(Client *c, Account *account)
{
    const ClientConnection *connection = c->connection;
    if (account == c->x->account)
        return;
    if (connection->proved || c->forwarding.trusted)
        charge(c, account, false);
    else
        take_connection(c, account);
}

/* Calls on a connection of a proxy are charged to its clients; others to the connection's. */
static void take_place(Client *c)
{
    Exchange *x = c->x;
    const KnownClient *known = x->identity->known;
    x->client = known ? known->place : identity_place(x->identity, &x->client);
    if (known)
        charge_known(c, known->account);
    else if (!(x->account && account_is_of(x->account, &x->client)))
        charge(c, account_open(&x->client), true);
}

/* Of a client that has shown no credentials yet. */
static void take_first_place(Client *c)
{
    Exchange *x = c->x;
    IpAddress told;
    if (c->forwarding.forwarded_for.size)
        x->record.forwarded_for = forwarding_client(&c->forwarding, trusted_peers(c));
    bool is_told = x->record.forwarded_for.size && ip_read(x->record.forwarded_for, &told);
    if (is_told)
        x->client = told;
    if (is_told || x->identity->name.size)
        take_place(c);
}

static void note_baggage(Client *c)
{
    const BaggageConfig *config = &c->x->config->baggage;
    if (c->forwarding.baggage == BAGGAGE_CUT)
        telemetry_count(c->x->loop, COUNTER_BAGGAGE_CUT);
    if (config->n_record)
        c->trace.noted = baggage_note(&c->head->fields, config, c->x->arena);
}

static const char *protocol_of(const HttpHead *head)
{
    return head->minor == 2 ? "HTTP/2.0" : head->minor == 1 ? "HTTP/1.1" : "HTTP/1.0";
}

static Bytes first_of(const Client *c, const char *name, size_t size)
{
    return bytes_copy(c->x->arena, bytes_slice(fields_get(&c->head->fields, name), 0, size));
}

/* For the log, which cuts them, too. */
static void note_head(Client *c)
{
    CallNotes *notes = arena_make(c->x->arena, CallNotes);
    if (!notes)
        return;
    Bytes referer = first_of(c, "referer", LOG_TEXT_SIZE + 1);
    notes->protocol = protocol_of(c->head);
    notes->user_agent = first_of(c, "user-agent", LOG_TEXT_SIZE + 1);
    notes->referer = bytes_slice(referer, 0, bytes_find(referer, '?'));
    c->x->record.notes = notes;
}

Result client_name(Client *c)
{
    Exchange *x = c->x;
    Result r = take_forwarding(c);
    if (c->forwarding.attempts.data)
        x->n_elsewhere = policy_read_previous(c->forwarding.attempts);
    x->call.verb = bytes_copy(x->arena, c->head->method);
    x->call.path =
        bytes_copy(x->arena, bytes_slice(c->head->path, 0, bytes_find(c->head->path, '?')));
    if (x->config->log.head)
        note_head(c);
    c->origin = bytes_copy(x->arena, fields_get(&c->head->fields, "origin"));
    trace_context_begin(&c->head->fields, &x->loop->random, x->arena, &c->trace);
    x->record.request_id = c->forwarding.request_id;
    if (!x->record.request_id.size) {
        request_id_write(&x->loop->random, c->request_id);
        x->record.request_id = bytes(c->request_id, REQUEST_ID_SIZE);
    }
    if (x->config->tracing.to.on)
        trace_sample(&c->trace, &x->config->tracing, &x->loop->random);
    if (c->forwarding.baggage)
        note_baggage(c);
    if (c->trace.known || c->trace.noted)
        x->record.trace = &c->trace;
    take_identity(c);
    take_first_place(c);
    return r;
}

/* Tags that the gateway made weak become those of the instance again. */
static Result restore_tags(Client *c)
{
    Exchange *x = c->x;
    Fields *metadata = &x->call.metadata;
    for (uint32_t i = 0; i < metadata->n; i++) {
        Field *field = &metadata->items[i];
        bool none = bytes_are(field->name, "if-none-match");
        if (!none && !bytes_are(field->name, "if-match"))
            continue;
        if (none)
            c->if_none_match = field->value;
        field->value = etags_restore(field->value, x->arena);
        if (!field->value.data)
            return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "reading a list of entity tags");
    }
    return OK;
}

void client_pass_on_names(Client *c)
{
    Exchange *x = c->x;
    trace_context_write(&c->trace, &x->call.metadata);
    forwarding_write(&c->forwarding, FORWARDING_RPC, x->call.authority, c->head->minor,
                     x->record.request_id, &x->call.metadata);
}

/* The parameters of path and query. client_take_rest selects those of the rule, once the version is
   known. */
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
        x->parameters[x->n_parameters++] = (PlanParameter){
            match->parameters[i].field_path, match->parameters[i].text, PARAMETER_OF_PATH};
    for (size_t i = 0; i < n_query; i++)
        x->parameters[x->n_parameters++] = (PlanParameter){query[i].field_path, query[i].text};
    return OK;
}

static Result refuse_input(Exchange *x, Bytes name, const char *why)
{
    return FAIL_FIELD(x->arena, FAULT_UNKNOWN_FIELD, arena_text(x->arena, name), "%s %s%s%.*s %s",
                      x->binding->rule->verb, x->binding->rule->path,
                      name.size ? ": parameter " : "", BYTES_ARGS(name), why);
}

/* Input that the rule has no place for is treated as an unknown field. */
static Result refuse_or_count(Exchange *x, uint32_t n, Bytes name, const char *why)
{
    if (x->route->unknown_fields == UNKNOWN_REFUSE)
        return refuse_input(x, name, why);
    x->record.n_unknown += n;
    return OK;
}

static bool is_ignored(const QueryRule *rule, Bytes name)
{
    for (size_t i = 0; i < rule->n_names; i++)
        if (bytes_are(name, rule->names[i]))
            return true;
    return rule->ignore;
}

/* Whether a part of the path is no field of the message before it. */
static bool names_nothing(const MessageType *type, Bytes field_path)
{
    ParameterPath path = parameter_path(type, field_path);
    ParameterStep step = PARAMETER_FIELD;
    while (step == PARAMETER_FIELD)
        step = parameter_path_next(&path);
    return step == PARAMETER_UNKNOWN || (step == PARAMETER_END && path.rest.data);
}

/* Removes parameters that the route ignores, and refuses others that name no field. */
static Result drop_ignored(Exchange *x)
{
    uint32_t kept = (uint32_t)x->binding->n_variables;
    for (uint32_t i = kept; i < x->n_parameters; i++) {
        Bytes name = x->parameters[i].field_path;
        if (!names_nothing(x->method->type->input, name))
            x->parameters[kept++] = x->parameters[i];
        else if (!is_ignored(x->route->query, name))
            return refuse_input(x, name, "names no field of the request");
    }
    x->n_parameters = kept;
    return OK;
}

/* Whether a parameter leads into what is said by the body: "*" is all that the path does not say
   (http.proto). */
static bool is_in_body(const RestBinding *binding, Bytes field_path)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    if (!body[0] || strcmp(body, "*") == 0)
        return body[0];
    ParameterPath path = parameter_path(input, field_path);
    return parameter_path_next(&path) == PARAMETER_FIELD &&
           path.field == message_field(input, bytes_of(body));
}

/* Query parameters must not set fields that belong to the body, even if the body does not set
   them. */
static Result take_query(Exchange *x)
{
    uint32_t kept = (uint32_t)x->binding->n_variables, n_refused = 0;
    Bytes refused = BYTES_NONE;
    for (uint32_t i = kept; i < x->n_parameters; i++) {
        if (!is_in_body(x->binding, x->parameters[i].field_path))
            x->parameters[kept++] = x->parameters[i];
        else if (n_refused++ == 0)
            refused = x->parameters[i].field_path;
    }
    x->n_parameters = kept;
    return n_refused
               ? refuse_or_count(x, n_refused, refused, "is not accepted: the body has this field")
               : OK;
}

Result client_refuse_media(Client *c)
{
    Exchange *x = c->x;
    Bytes said = bytes_cut_text(fields_joined(x->call.head, "content-type"), 200);
    return FAIL_TELL(x->arena, FAULT_UNSUPPORTED_MEDIA, "%s%.*s; %s",
                     said.data ? "content-type " : "the request has no content-type",
                     BYTES_ARGS(said),
                     x->binding ? "application/json is accepted"
                                : "application/proto and application/json are accepted");
}

/*
 * JSON is what a page of another origin cannot send without a preflight; bodies of other types, and
 * of none, it can (Fetch, "CORS-safelisted request-header"). A stream is passed on before its first
 * byte, so that where it may have a body it counts as having one; else the body's first byte is
 * waited for.
 */
static Result check_media(Client *c)
{
    Exchange *x = c->x;
    bool untyped = !fields_get(x->call.head, "content-type").data;
    bool has_body = c->head->content_length > 0 || (c->head->content_length < 0 && !x->bodiless &&
                                                    x->method->type->client_streaming);
    if (x->binding->raw_request || (untyped && x->config->untyped_json))
        x->call.foreign_media = false;
    return x->call.foreign_media && has_body ? client_refuse_media(c) : OK;
}

/* Whether a response of it can be a message of protobuf: one whole message, with a JSON form. */
static bool may_be_proto(const Exchange *x)
{
    const RestBinding *reply = x->reply_binding;
    return reply && !reply->raw_answer && !reply->rule->response_body[0] &&
           !x->method->type->server_streaming;
}

static Result use_alt(Exchange *x, Bytes text, RestAlt *alt)
{
    if (*alt != REST_ALT_NONE)
        return FAIL_FIELD(x->arena, FAULT_BAD_VALUE, "$alt", "$alt is there more than once");
    Result r = rest_alt_read(text, x->arena, alt);
    if (!failed(r) && *alt == REST_ALT_PROTO && !may_be_proto(x))
        r = FAIL_FIELD(x->arena, FAULT_BAD_VALUE, "$alt", "this response has no form in protobuf");
    return r;
}

/* The parameters $alt and alt are no fields of the request, unless it has one of that name. */
static Result take_alt(Exchange *x, RestAlt *alt_out)
{
    uint32_t kept = (uint32_t)x->binding->n_variables;
    Result r = OK;
    *alt_out = REST_ALT_NONE;
    for (uint32_t i = kept; i < x->n_parameters && !failed(r); i++) {
        Bytes name = x->parameters[i].field_path;
        bool is_alt = (bytes_are(name, "$alt") || bytes_are(name, "alt")) &&
                      !message_field(x->method->type->input, name);
        if (is_alt)
            r = use_alt(x, x->parameters[i].text, alt_out);
        else
            x->parameters[kept++] = x->parameters[i];
    }
    if (!failed(r))
        x->n_parameters = kept;
    return r;
}

Result client_take_rest(Client *c)
{
    Exchange *x = c->x;
    const RestBinding *binding = x->binding;
    const RestBinding *reply = x->reply_binding;
    bool is_stream = x->method->type->server_streaming;
    RestAlt alt = REST_ALT_NONE;
    Result r = x->route->rest && x->route->rest->alt ? take_alt(x, &alt) : OK;
    if (failed(r))
        return r;
    x->call.enums_as_numbers = alt == REST_ALT_JSON_NUMBERS;
    if ((binding->raw_answer && reply && reply->raw_answer) || alt == REST_ALT_PROTO)
        x->call.reply_codec = CODEC_PROTO;
    else if (!rest_accepts(&x->call, is_stream))
        return FAIL_TELL(x->arena, FAULT_NOT_ACCEPTABLE, "accept: %.*s; there is %s",
                         BYTES_ARGS(bytes_cut_text(fields_joined(x->call.head, "accept"), 200)),
                         is_stream ? "application/x-ndjson and text/event-stream"
                                   : "application/json");
    r = check_media(c);
    if (failed(r))
        return r;
    /* Another version may have other names for the variables of the same path. */
    for (size_t i = 0; i < binding->n_variables; i++)
        x->parameters[i].field_path = binding->variables[i];
    r = x->route->query ? drop_ignored(x) : OK;
    return failed(r) ? r : take_query(x);
}

enum { MOST_OF_NOTHING = 64 * 1024 };

/* No bytes, or an object without members. Whoever sends much says something. */
static bool says_nothing(const Client *c, const Message *body)
{
    Arena *arena = c->x->arena;
    Bytes plain = body->bytes, name;
    if (body->compressed &&
        !message_reader_decompress_small(&c->reader, body->bytes, MOST_OF_NOTHING, arena, &plain))
        return false;
    JsonCursor cursor = json_cursor(plain, arena);
    bool first = true;
    if (plain.size == 0)
        return true;
    return plain.size <= MOST_OF_NOTHING && json_cursor_peek(&cursor) == JSON_KIND_OBJECT &&
           !json_cursor_member(&cursor, &first, &name) && json_cursor_finish(&cursor);
}

Result client_take_rest_body(Client *c, Message *body)
{
    Exchange *x = c->x;
    if (x->binding->rule->body[0])
        return OK;
    bool nothing = says_nothing(c, body);
    *body = (Message){.bytes = bytes("", 0)};
    return nothing ? OK : refuse_or_count(x, 1, bytes("", 0), "takes no body");
}

static Result refuse_verb(Client *c)
{
    Exchange *x = c->x;
    c->allow = bytes_of(x->method && x->method->takes_get ? "GET, HEAD, POST" : "POST");
    return FAIL_TELL(x->arena, FAULT_METHOD_NOT_ALLOWED, "%.*s accepts %.*s, not %.*s",
                     BYTES_ARGS(bytes_cut_text(x->call.path, 200)), BYTES_ARGS(c->allow),
                     BYTES_ARGS(x->call.verb));
}

/* Any page can cause a GET with the visitor's cookies, by a link or an image. */
Result client_check_get(Client *c)
{
    Exchange *x = c->x;
    bool taken = !x->call.is_get || (x->method && x->method->takes_get);
    return taken ? OK : refuse_verb(c);
}

/* If GET is not allowed, the error says so, even if the request has other mistakes. */
static Result refuse_rpc(Client *c, Result why)
{
    bool of_verb = why.error->fault == &FAULT_METHOD_NOT_ALLOWED || failed(client_check_get(c));
    return of_verb ? refuse_verb(c) : why;
}

static Result missing_of(const Exchange *x, const Destination *to)
{
    MissingRequest request = {x->config, x->call.verb, x->call.path, x->record.began};
    return destination_missing(to, &request, x->arena);
}

/* On a method's path, a request that is not clearly of another RPC dialect is Connect's. */
static Result resolve_rpc(Client *c, const Destination *to, const Builtin **builtin_out)
{
    Exchange *x = c->x;
    const Builtin *builtin = to->builtin;
    Dialect dialect = dialect_of_request(c->head);
    Result r =
        call_read(c->head, dialect == DIALECT_REST ? DIALECT_CONNECT : dialect, x->arena, &x->call);
    if (!failed(r) && builtin)
        r = client_check_get(c);
    if (!failed(r) && x->call.foreign_media && !x->config->untyped_json)
        r = client_refuse_media(c);
    if (failed(r)) {
        /* Clients that speak no RPC dialect get the error as plain HTTP. */
        if (dialect == DIALECT_REST && r.error->fault == &FAULT_UNSUPPORTED_MEDIA)
            x->call.dialect = DIALECT_REST;
        return refuse_rpc(c, r);
    }
    x->call.foreign_media = false;
    *builtin_out = builtin;
    return x->method || builtin ? OK : missing_of(x, to);
}

/* An operation is told as a stream of its states to those who take nothing else. */
static Result take_builtin(Client *c, const Builtin *builtin, const Builtin **builtin_out)
{
    const Call *call = &c->x->call;
    *builtin_out = builtin;
    if (builtin->method == BUILTIN_PAGE) /* whose media types few clients name */
        return OK;
    bool follows = builtin->method == BUILTIN_GET_OPERATION && !rest_accepts(call, false);
    *builtin_out = follows ? builtin_follow() : builtin;
    return rest_accepts(call, follows)
               ? OK
               : FAIL_TELL(c->x->arena, FAULT_NOT_ACCEPTABLE, "accept: %.*s; there is %s",
                           BYTES_ARGS(bytes_cut_text(fields_joined(call->head, "accept"), 200)),
                           "application/json");
}

/* If nothing is found, the error is in the REST dialect. */
static Result resolve_plain(Client *c, Result found, const Destination *to,
                            const Builtin **builtin_out)
{
    Exchange *x = c->x;
    Result r = call_read(c->head, x->route ? DIALECT_HTTP : DIALECT_REST, x->arena, &x->call);
    if (failed(found))
        return found;
    if (!x->binding && !x->route && !to->builtin) {
        c->allow = to->match.allowed;
        c->allow_of_path = c->allow.size > 0;
        return missing_of(x, to);
    }
    if (failed(r))
        return r;
    if (to->builtin)
        return take_builtin(c, to->builtin, builtin_out);
    if (!x->binding)
        return opaque_keep_head(c, to->path);
    r = restore_tags(c);
    return failed(r) ? r : take_parameters(x, &to->match);
}

/* All that follows sees the method that is meant. */
static Result find_destination(Client *c, Destination *to)
{
    Exchange *x = c->x;
    const HttpHead *meant;
    Result r = destination_find_meant(x->config, c->head, x->call.path, x->arena, &meant, to);
    if (meant != c->head) {
        c->head = meant;
        x->call.verb = bytes_copy(x->arena, meant->method);
    }
    return r;
}

Result client_resolve(Client *c, const Builtin **builtin_out)
{
    Exchange *x = c->x;
    Destination to;
    Result found = find_destination(c, &to);
    x->method = to.method;
    x->binding = to.binding;
    x->route = x->record.route = to.route;
    client_note_destination(c->connection, &to);
    return to.is_rpc ? resolve_rpc(c, &to, builtin_out) : resolve_plain(c, found, &to, builtin_out);
}

/* ---- Who calls, and whether he may ----------------------------------------------------------- */

/* Instances do not get what proves the client's name. */
static void withhold(Client *c, const Authenticated *proved)
{
    for (uint32_t i = 0; i < proved->n_withheld; i++) {
        fields_drop(&c->x->call.metadata, proved->withheld[i]);
        if (c->opaque_head)
            fields_drop(&c->opaque_head->fields, proved->withheld[i]);
    }
}

/* The call, or stream, does not outlive its credentials, nor the time after which they must be
   shown again. */
static void end_with(Exchange *x, const Authenticated *proved)
{
    int64_t renew = proved->credential->renew;
    int64_t left = proved->expires == INT64_MAX ? NO_TIMEOUT : proved->expires - x->record.began;
    if (renew && renew < left)
        left = renew;
    if (left >= x->call.timeout)
        return;
    x->call.timeout = left;
    x->by_proof = true;
}

/* A trusted proxy's word comes before credentials, which are checked nevertheless, and these before
   the certificate of the connection. */
static Result take_credentials(Client *c, const ListenerConfig *listener, const AccessRules *rules)
{
    Exchange *x = c->x;
    Authenticated proved;
    if (!x->config->access.n_credentials)
        return OK;
    const Asked asked = {.loop = x->loop,
                         .config = x->config,
                         .head = &c->head->fields,
                         .certificate = c->connection->certificate,
                         .wall = x->record.began,
                         .arena = x->arena,
                         .last = &c->connection->last_proof};
    Result r = client_may_guess(c);
    if (failed(r))
        return r;
    r = authenticate(&asked, access_credentials(&x->config->access, listener, rules), &proved);
    if (failed(r) && r.error->fault == &FAULT_CREDENTIALS_REFUSED)
        client_guessed_wrong(c);
    if (failed(r) && r.error->fault == &FAULT_KEYS_UNAVAILABLE)
        x->retry_after = proved.retry_after;
    if (failed(r))
        return r;
    withhold(c, &proved);
    if (!proved.identity || x->identity->how == PROOF_HEADER)
        return OK;
    set_identity(x, proved.identity);
    take_place(c);
    end_with(x, &proved);
    return OK;
}

/* The form of an error must not tell either what is at the path: a request that is not clearly of
   an RPC dialect, and can be none, gets it in that of REST. */
static void choose_form(Client *c)
{
    Exchange *x = c->x;
    bool plain = dialect_of_request(c->head) == DIALECT_REST;
    if (plain && (x->call.dialect == DIALECT_HTTP || !bytes_are(x->call.verb, "POST")))
        x->call.dialect = DIALECT_REST;
}

static Result missing(Client *c)
{
    const Exchange *x = c->x;
    choose_form(c);
    return FAIL_TELL(x->arena, FAULT_CREDENTIALS_MISSING, "the request has no credentials");
}

const Method *client_method_in(const Method *method, const Version *version)
{
    for (const Method *same = method; same; same = same->next_same_path) {
        if (same->version == version)
            return same;
    }
    return method->pairs[version->index].target;
}

/* The method that the request is for in this version; NULL: there is none. */
static const Method *method_of(const Exchange *x, const Version *version)
{
    const RestBinding *binding = x->binding;
    if (!binding)
        return client_method_in(x->method, version);
    while (binding && binding->method->version != version)
        binding = binding->next;
    return binding ? binding->method : NULL;
}

/* Where the version decides by what clients prove their names, these cannot decide the version:
   only what a trusted proxy says pins it. */
static Bytes pinned_name(const Exchange *x)
{
    bool differ = x->binding ? x->binding->demands_differ : x->method->demands_differ;
    return differ && x->identity->how != PROOF_HEADER ? BYTES_NONE : x->identity->name;
}

Result client_find_version(const Client *c, Negotiation *out)
{
    const Exchange *x = c->x;
    const Method *method = x->binding ? x->binding->method : x->method;
    VersionQuestion question = {
        .service = method->version->service,
        .by_path = !x->binding && !method->next_same_path ? method->version : NULL,
        .by_prefix = x->binding && !x->binding->next ? method->version : NULL,
        .head = &c->head->fields,
        .identity = pinned_name(x),
        .client = x->identity->name.size ? x->identity->name
                                         : bytes(x->client.bytes, sizeof x->client.bytes),
        .wall = x->record.began,
    };
    return negotiate(&question, x->arena, out);
}

/* Of several methods that the request may be for, that of the version that it asks for. NULL:
   there is none, or the request has no version. */
static const Method *foresee_method(const Client *c)
{
    Negotiation found = {0};
    Result r = client_find_version(c, &found);
    if (failed(r))
        error_ignore(r, "it is told once it is known who asks");
    return found.client ? method_of(c->x, found.client) : NULL;
}

/* What the route demands that the call has in the end. */
static const AccessRules *demands(const Client *c)
{
    const Exchange *x = c->x;
    bool differ = x->binding  ? x->binding->demands_differ
                  : x->method ? x->method->demands_differ
                              : false;
    const Method *method = differ ? foresee_method(c) : NULL;
    return method ? &method->route->access : client_rules(x);
}

static bool has_token(const Fields *fields)
{
    Bytes scheme = bytes_of("bearer ");
    return bytes_are_nocase(bytes_slice(fields_get(fields, "authorization"), 0, scheme.size),
                            "bearer ");
}

Result client_authenticate(Client *c, Result found, const Builtin *builtin)
{
    Exchange *x = c->x;
    const AccessConfig *access = &x->config->access;
    const ListenerConfig *listener = client_listener(c);
    const AccessRules *rules = demands(c);
    c->has_token = access->n_credentials && has_token(&c->head->fields);
    Authenticate mode = access_authenticate(access, listener, rules);
    if (builtin && builtin_is_health(builtin))
        return found;
    Result r = mode == AUTHENTICATE_NONE ? OK : take_credentials(c, listener, rules);
    if (failed(r)) {
        choose_form(c);
        return r;
    }
    if (mode == AUTHENTICATE_REQUIRED && !x->identity->name.size)
        return missing(c);
    return failed(found) ? client_conceal(c, found) : OK;
}

/* The log says which of both it is; the client learns the same: that it may not, or, while nobody
   knows who it is, that it may say so. */
static Result not_allowed(const Exchange *x, Result why)
{
    if (!x->identity->name.size && x->config->access.n_credentials)
        return error_new(x->arena, &FAULT_CREDENTIALS_MISSING, why, "", __FILE__, __LINE__,
                         "the request has no credentials");
    return error_new(x->arena, &FAULT_NOT_ALLOWED, why, "", __FILE__, __LINE__,
                     "there is no such call, or no rule allows it to this client");
}

static Result refuse(Client *c, Result why)
{
    choose_form(c);
    return not_allowed(c->x, why);
}

/* Rules of the request's fields are asked when it is there; of a stream none holds. */
static bool may_call(const Exchange *x, const Version *version)
{
    if (x->method && x->method->extras->allow_paths && x->method->type->client_streaming)
        return access_allows_request(x->config, x->method, x->identity, BYTES_NONE);
    return access_allows_call(&x->config->access, &x->route->access, x->identity,
                              version ? version->name : NULL);
}

Result client_authorize(Client *c, const Version *version)
{
    const Exchange *x = c->x;
    return may_call(x, version)
               ? OK
               : refuse(c, FAIL(x->arena, FAULT_NOT_ALLOWED, "no rule of the route %s allows it",
                                x->route->match));
}

/* The request in protobuf. A large one would hold the loop: then it is as if there were none. */
static Result read_fields(Exchange *x, Arena *arena, Bytes *request_out)
{
    size_t most = x->config->limits.work_bytes;
    Message message = x->message;
    Conversion c = {.arena = arena, .reader = exchange_reader(x)};
    const Plan *plan =
        x->call.codec == CODEC_JSON ? x->method->extras->allow_paths->to_proto : NULL;
    *request_out = BYTES_NONE;
    if (message.compressed) {
        Bytes plain;
        if (!message_reader_decompress_small(c.reader, message.bytes, most, arena, &plain))
            return OK;
        message = (Message){.bytes = plain};
    }
    return message.bytes.size > most ? OK : exchange_read_with(x, message, plan, &c, request_out);
}

/* Who may call whatever the request has does not pay for a look at it. */
Result exchange_allow(Exchange *x)
{
    Bytes request;
    if (x->record.leg || !x->record.listener) /* a call of the gateway's own: access_check */
        return OK;
    if (access_allows_request(x->config, x->method, x->identity, BYTES_NONE))
        return OK;
    Arena *arena = exchange_arena_new(x);
    Result r = read_fields(x, arena, &request);
    if (failed(r))
        r = error_copy(x->arena, r);
    else if (!access_allows_request(x->config, x->method, x->identity, request))
        r = not_allowed(x, FAIL(x->arena, FAULT_NOT_ALLOWED, "no rule of the route %s allows %s",
                                x->route->match,
                                request.data ? "a request with these fields"
                                             : "a request whose fields are not known: it is "
                                               "larger than limits.work_bytes"));
    arena_free(arena);
    return r;
}

/* Whether the client may know that what its request names is there. */
static bool may_know(const Exchange *x)
{
    const AccessConfig *access = &x->config->access;
    if (x->method)
        return access_allows_some(access, &x->method->route->access, x->identity);
    if (x->route && !x->binding)
        return access_allows_some(access, &x->route->access, x->identity);
    for (const RestBinding *one = x->binding; one; one = one->next)
        if (access_allows_some(access, &one->method->route->access, x->identity))
            return true;
    return !x->binding && !access_hides_some(x->config, x->identity);
}

/* Of a path of REST that takes other verbs. Who asks for them learns those that it may use; who may
   use none, as little as of a path that is not there. */
static Result conceal_verbs(Client *c, Result why)
{
    const Exchange *x = c->x;
    Bytes all = c->allow;
    bool asks = bytes_are(x->call.verb, "OPTIONS");
    if (x->config->access.has_rules) {
        Result r =
            destination_allow_shown(x->config, x->call.path, all, x->identity, x->arena, &c->allow);
        if (failed(r))
            return r;
        if (!c->allow.size || !(asks || may_know(x)))
            return refuse(c, why);
        if (c->allow.size < all.size)
            why = destination_refuse_verb(x->call.path, c->allow, x->call.verb, x->arena);
    }
    c->allow = destination_allow(c->allow, x->arena);
    return why;
}

Result client_conceal(Client *c, Result why)
{
    const Exchange *x = c->x;
    if (c->allow_of_path)
        return conceal_verbs(c, why);
    return x->config->access.has_rules && !may_know(x) ? refuse(c, why) : why;
}
