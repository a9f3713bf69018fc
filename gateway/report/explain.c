#include "gateway/report/explain_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/match/destination.h"
#include "protocols/dialect/dialect.h"

/* ---- Finding --------------------------------------------------------------------------------- */

/* What its path and its head say. */
typedef struct Asked {
    Destination to;
    Call call;
} Asked;

/* RPCs use POST, or Connect's GET if they have no side effects. */
static Result check_verb(Bytes verb, const Explained *found, Arena *arena)
{
    bool get = bytes_are(verb, "GET") || bytes_are(verb, "HEAD");
    if (bytes_are(verb, "POST") || (get && found->method && found->method->takes_get))
        return OK;
    return FAIL(arena, FAULT_METHOD_NOT_ALLOWED, "an RPC does not accept %.*s", BYTES_ARGS(verb));
}

/* As the data plane reads it (client_resolve.c). A request without a content type is taken for one
   with the right one. */
static Result read_head(const ExplainRequest *request, const HttpHead *head, const Explained *found,
                        Arena *arena, Asked *asked)
{
    bool is_rpc = asked->to.is_rpc;
    Dialect dialect = is_rpc ? dialect_of_request(head) : DIALECT_REST;
    bool typed = fields_get(&request->fields, "content-type").data;
    if (is_rpc && dialect == DIALECT_REST)
        dialect = DIALECT_CONNECT;
    Result r = is_rpc ? check_verb(request->verb, found, arena) : OK;
    if (failed(r) || found->route)
        return r;
    Result read = call_read(head, dialect, arena, &asked->call);
    return typed ? read : OK;
}

/* Of a client of whom nothing is given, all verbs. */
static Result find_allow(const ExplainRequest *request, Bytes allowed, Bytes path, Arena *arena,
                         Explained *found)
{
    const Config *config = found->config;
    Result r = OK;
    if (config->access.has_rules && request->identity.size)
        r = destination_allow_shown(config, path, allowed, &found->identity, arena, &allowed);
    found->allow = failed(r) ? BYTES_NONE : destination_allow(allowed, arena);
    return r;
}

static HttpHead head_of(const ExplainRequest *request, Bytes verb)
{
    return (HttpHead){.method = verb,
                      .path = request->path,
                      .minor = 2,
                      .content_length = -1,
                      .fields = request->fields};
}

static Bytes path_of(const ExplainRequest *request)
{
    return bytes_slice(request->path, 0, bytes_find(request->path, '?'));
}

Bytes explain_verb(const Config *config, const ExplainRequest *request, Arena *arena)
{
    const Bytes get = bytes_of("GET"), post = bytes_of("POST");
    HttpHead head = head_of(request, get);
    Destination to;
    Result r = destination_find(config, &head, path_of(request), arena, &to);
    if (failed(r)) {
        error_ignore(r, "it is told when the request is explained");
        return post;
    }
    if (to.is_rpc || to.method)
        return post;
    if (to.binding || to.builtin)
        return get;
    Bytes allowed = to.match.allowed, first;
    return bytes_split(&allowed, ',', &first) && first.size ? first : post;
}

static Result find(const Config *config, const ExplainRequest *request, Arena *arena, Asked *asked,
                   Explained *found)
{
    Bytes path = path_of(request);
    HttpHead head = head_of(request, request->verb);
    const HttpHead *meant;
    Destination *to = &asked->to;
    Result r = destination_find_meant(config, &head, path, arena, &meant, to);
    if (failed(r))
        return r;
    found->binding = to->binding;
    found->method = to->binding ? to->binding->method : to->method;
    found->route = to->route;
    found->by_gateway = to->builtin;
    r = read_head(request, meant, found, arena, asked);
    if (failed(r))
        found->route = NULL;
    if (failed(r) || found->method || found->route || found->by_gateway)
        return r;
    if (!to->is_rpc && bytes_are(request->verb, "OPTIONS")) {
        r = find_allow(request, to->match.allowed, path, arena, found);
        if (failed(r) || found->allow.size)
            return r;
    }
    const MissingRequest missing = {config, meant->method, path, clock_wall()};
    return destination_missing(to, &missing, arena);
}

/* The same request in the version that was negotiated. */
static Result settle(const Version *version, Arena *arena, Explained *found)
{
    const Fault *missing = found->binding ? &FAULT_UNKNOWN_PATH : &FAULT_UNKNOWN_METHOD;
    if (found->binding) {
        while (found->binding && found->binding->method->version != version)
            found->binding = found->binding->next;
        found->method = found->binding ? found->binding->method : NULL;
    } else {
        const Method *same = found->method;
        while (same && same->version != version)
            same = same->next_same_path;
        found->method = same ? same : found->method->pairs[version->index].target;
    }
    return found->method ? OK : FAIL(arena, *missing, "it is not in %s", version->name);
}

/* What the method requires of the head. */
static Result check_method(const Explained *found, const Asked *asked, Arena *arena)
{
    const MethodType *type = found->method->type;
    bool stream = type->client_streaming || type->server_streaming;
    if (found->binding && !found->binding->raw_answer &&
        !rest_accepts(&asked->call, type->server_streaming))
        return FAIL(arena, FAULT_NOT_ACCEPTABLE, "the response is JSON");
    if (asked->to.is_rpc && asked->call.dialect == DIALECT_CONNECT && stream &&
        !asked->call.foreign_media)
        return FAIL(arena, FAULT_UNSUPPORTED_MEDIA, "%s is a stream", type->path);
    return OK;
}

static bool has_exact_path(const Explained *found)
{
    return found->binding ? !found->binding->next : !found->method->next_same_path;
}

/* As the data plane does (client.c). */
static Bytes pinned_name(const ExplainRequest *request, const Explained *found)
{
    bool differ = found->binding ? found->binding->demands_differ : found->method->demands_differ;
    return differ && found->identity.how != PROOF_HEADER ? BYTES_NONE : request->identity;
}

static Result ask_version(const ExplainRequest *request, Arena *arena, Explained *found)
{
    const Version *own = found->method->version, *exact = has_exact_path(found) ? own : NULL;
    VersionQuestion question = {
        .service = own->service,
        .by_path = found->binding ? NULL : exact,
        .by_prefix = found->binding ? exact : NULL,
        .head = &request->fields,
        .identity = pinned_name(request, found),
        .client = request->identity,
        .wall = clock_wall(),
    };
    return negotiate(&question, arena, &found->negotiation);
}

/* The version that the gateway makes, or those that instances speak and that the method converts
 * to, best first. */
static uint32_t candidates(const Method *method, const Version **list)
{
    const Service *service = method->version->service;
    uint64_t spoken = service_is_listed_afar(service) ? UINT64_MAX : 0;
    uint32_t n = 0;
    if (method_is_made(method)) {
        list[0] = method->extras->made_as->version;
        return 1;
    }
    for (uint32_t i = 0; i < service->n_instances; i++)
        spoken |= service->instances[i].versions;
    for (uint32_t i = 0; i < service->n_versions; i++)
        spoken |= (uint64_t)service->versions[i].composes << i;
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        if (spoken >> method->preferred[i]->index & 1)
            list[n++] = method->preferred[i];
    }
    return n;
}

static Result find_served(Arena *arena, Explained *found)
{
    const Method *method = found->method;
    found->route = method->route;
    found->n_served = candidates(method, found->served);
    if (found->n_served)
        return OK;
    for (uint32_t i = 0; i < method->version->service->n_versions; i++)
        if (!method->pairs[i].target)
            return FAIL(arena, FAULT_METHOD_REMOVED, "%s: %s", method->type->path,
                        method->pairs[i].extras->reason);
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance serves %s", method->version->name);
}

static Result find_all(const Config *config, const ExplainRequest *request, Arena *arena,
                       Explained *found)
{
    Asked asked = {.call = {.timeout = 0}};
    Result r = find(config, request, arena, &asked, found);
    if (failed(r) || found->route || found->by_gateway || found->allow.size)
        return r;
    r = ask_version(request, arena, found);
    if (failed(r)) {
        found->negotiation = (Negotiation){NULL};
        return r;
    }
    r = settle(found->negotiation.client, arena, found);
    if (!failed(r))
        r = check_method(found, &asked, arena);
    return failed(r) ? r : find_served(arena, found);
}

void explain(const Config *config, const ExplainRequest *request, Arena *arena,
             Explained *found_out)
{
    *found_out =
        (Explained){.config = config, .identity = explain_identity(config, request, arena)};
    found_out->refused = find_all(config, request, arena, found_out);
    found_out->arm = explain_arm(request, found_out, arena);
}

/* ---- What both forms say --------------------------------------------------------------------- */

const char *explain_protocol_name(UpstreamProtocol protocol)
{
    static const char *const names[] = {"grpc", "connect", "grpc_web", "rest", "http"};
    return names[protocol];
}

bool explain_hedges(const Explained *found)
{
    RetryRefusal refusal;
    PolicyQuestion q = policy_question(found->route, found->method, BYTES_NONE, false);
    return q.hedges && policy_may_hedge(&q, &refusal);
}

/* The request has a key, by which its instances know it again. */
static bool explain_key_is_honoured(const ExplainRequest *request, const Explained *found)
{
    return found->method && found->method->extras->keys && found->method->extras->keys->honoured &&
           fields_get(&request->fields, "idempotency-key").data;
}

static bool has_usually_body(Bytes verb)
{
    return bytes_are(verb, "POST") || bytes_are(verb, "PUT") || bytes_are(verb, "PATCH");
}

uint32_t explain_failures(const ExplainRequest *request, const Explained *found,
                          ExplainFailure *failures)
{
    static const struct {
        const char *what;
        PolicyQuestion happened;
    } rows[] = {
        {"an instance cannot be reached", {.fault = &FAULT_UPSTREAM_DOWN, .attempted = true}},
        {"an instance refuses the call",
         {.fault = &FAULT_UPSTREAM_REFUSED, .attempted = true, .sent = true, .refusals = 1}},
        {"an instance breaks off",
         {.fault = &FAULT_UPSTREAM_RESET, .attempted = true, .sent = true}},
        {"an instance answers UNAVAILABLE",
         {.event = POLICY_STATUS,
          .code = CODE_UNAVAILABLE,
          .attempted = true,
          .sent = true,
          .answered = true}},
        {"an instance answers INTERNAL",
         {.event = POLICY_STATUS,
          .code = CODE_INTERNAL,
          .attempted = true,
          .sent = true,
          .answered = true}},
        {"an instance lets the deadline pass", {.fault = &FAULT_DEADLINE_EXCEEDED, .sent = true}},
    };
    static const char *const where[] = {"at another instance",
                                        "at another instance, or else the same"};
    static const char *const to[FALLBACKS] = {"to older", "to stale", "to default", "to skip"};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!found->method && rows[i].happened.event == POLICY_STATUS)
            continue; /* its responses pass unread */
        PolicyQuestion q = policy_question(found->route, found->method, request->verb,
                                           !has_usually_body(request->verb));
        q.event = rows[i].happened.event;
        q.fault = rows[i].happened.fault;
        q.code = rows[i].happened.code;
        q.attempted = rows[i].happened.attempted;
        q.sent = rows[i].happened.sent;
        q.answered = rows[i].happened.answered;
        q.refusals = rows[i].happened.refusals;
        q.attempts = q.sent && !q.refusals;
        q.picked = true;
        q.repeatable |= explain_key_is_honoured(request, found);
        PolicyVerdict verdict = policy_decide(&q);
        const char *place = "";
        if (verdict.action == POLICY_RETRY)
            place = where[verdict.where];
        if (verdict.action == POLICY_FALL_BACK)
            place = to[verdict.fallback];
        failures[n++] = (ExplainFailure){rows[i].what, place, verdict};
    }
    return n;
}

Codec explain_client_codec(const ExplainRequest *request, const Explained *found)
{
    Bytes type = fields_get(&request->fields, "content-type");
    bool json = bytes_find(type, '/') < type.size &&
                bytes_end_with(bytes_slice(type, 0, bytes_find(type, ';')), "json");
    return found->binding || json ? CODEC_JSON : CODEC_PROTO;
}

const Mapping *explain_mapping(const Version *from, const Version *to, const MethodType *method,
                               bool response, const MappingSet **set_out)
{
    *set_out = from == to ? NULL : from->to[to->index];
    if (!*set_out)
        return NULL;
    return response ? mapping_set_output(*set_out, method) : mapping_set_input(*set_out, method);
}

bool explain_serves(const Instance *instance, uint64_t versions)
{
    return versions == 0 || (instance->versions & versions);
}

const Service *explain_service(const Explained *found)
{
    return found->method ? found->method->version->service : found->route->service;
}

const ConcurrencyConfig *explain_limit(const Service *service)
{
    const ConcurrencyConfig *limit = service ? service->concurrency : NULL;
    return limit && (limit->adaptive || limit->calls != UINT32_MAX) ? limit : NULL;
}
