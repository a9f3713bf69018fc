#include "gateway/report/explain_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/call/opaque_route.h"

/* ---- Finding --------------------------------------------------------------------------------- */

static Result find(const Config *config, const ExplainRequest *request, Arena *arena,
                   Explained *found)
{
    Bytes path = bytes_slice(request->path, 0, bytes_find(request->path, '?'));
    found->method = table_get(&config->methods, path);
    if (found->method) {
        return OK;
    }
    RestMatch match;
    bool matched = false;
    Result r = rest_table_match(config->rest, request->verb, path, arena, &match, &matched);
    if (failed(r))
        return r;
    if (matched) {
        found->binding = match.value;
        found->method = found->binding->method;
        return OK;
    }
    Bytes normal;
    r = opaque_route_find(config, request->verb, path, arena, &found->route, &normal);
    if (failed(r) || found->route)
        return r;
    if (match.allowed.size)
        return FAIL(arena, FAULT_METHOD_NOT_ALLOWED, "this path takes %.*s",
                    BYTES_ARGS(match.allowed));
    return FAIL(arena, FAULT_UNKNOWN_PATH, "%.*s is no RPC, no REST path and no prefix of a route",
                BYTES_ARGS(path));
}

/* The same request in the version that was negotiated. */
static Result settle(const Version *version, Arena *arena, Explained *found)
{
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
    if (!found->method)
        return FAIL(arena, FAULT_UNKNOWN_METHOD, "it is not in %s", version->name);
    return OK;
}

/* RPCs use POST, or Connect's GET if they have no side effects. */
static Result check_verb(const ExplainRequest *request, const Explained *found, Arena *arena)
{
    bool get = (bytes_are(request->verb, "GET") || bytes_are(request->verb, "HEAD")) &&
               found->method->takes_get;
    if (found->binding || get || bytes_are(request->verb, "POST"))
        return OK;
    return FAIL(arena, FAULT_METHOD_NOT_ALLOWED, "%s does not accept %.*s",
                found->method->type->path, BYTES_ARGS(request->verb));
}

static bool has_exact_path(const Explained *found)
{
    return found->binding ? !found->binding->next : !found->method->next_same_path;
}

static Result ask_version(const ExplainRequest *request, Arena *arena, Explained *found)
{
    const Version *own = found->method->version, *exact = has_exact_path(found) ? own : NULL;
    VersionQuestion question = {
        .service = own->service,
        .by_path = found->binding ? NULL : exact,
        .by_prefix = found->binding ? exact : NULL,
        .head = &request->fields,
        .identity = request->identity,
        .wall = clock_wall(),
    };
    return negotiate(&question, arena, &found->negotiation);
}

/* Versions that instances speak and that the method converts to, best first. */
static uint32_t candidates(const Method *method, const Version **list)
{
    const Service *service = method->version->service;
    uint64_t spoken = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < service->n_instances; i++)
        spoken |= service->instances[i].versions;
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
                        method->pairs[i].reason);
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance serves %s", method->version->name);
}

static Result find_all(const Config *config, const ExplainRequest *request, Arena *arena,
                       Explained *found)
{
    Result r = find(config, request, arena, found);
    if (failed(r) || found->route)
        return r;
    r = ask_version(request, arena, found);
    if (failed(r)) {
        found->negotiation = (Negotiation){NULL};
        return r;
    }
    r = settle(found->negotiation.client, arena, found);
    if (!failed(r))
        r = check_verb(request, found, arena);
    return failed(r) ? r : find_served(arena, found);
}

void explain(const Config *config, const ExplainRequest *request, Arena *arena,
             Explained *found_out)
{
    *found_out = (Explained){.method = NULL};
    found_out->refused = find_all(config, request, arena, found_out);
}

/* ---- What both forms say --------------------------------------------------------------------- */

const char *explain_protocol_name(UpstreamProtocol protocol)
{
    static const char *const names[] = {"grpc", "connect", "grpc_web", "rest", "http"};
    return names[protocol];
}

const char *explain_impact_name(Impact impact)
{
    static const char *const names[] = {"low", "high", "catastrophic"};
    return names[impact];
}

bool explain_hedges(const Explained *found)
{
    PolicyQuestion q = policy_question(found->route, found->method, BYTES_NONE, false);
    return policy_may_hedge(&q);
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
         {.fault = &FAULT_UPSTREAM_REFUSED, .attempted = true, .sent = true}},
        {"an instance breaks off",
         {.fault = &FAULT_UPSTREAM_RESET, .attempted = true, .sent = true}},
        {"an instance answers UNAVAILABLE",
         {.event = POLICY_STATUS, .code = CODE_UNAVAILABLE, .attempted = true}},
        {"an instance answers INTERNAL",
         {.event = POLICY_STATUS, .code = CODE_INTERNAL, .attempted = true}},
        {"an instance lets the deadline pass", {.fault = &FAULT_DEADLINE_EXCEEDED, .sent = true}},
    };
    static const char *const where[] = {"at another instance",
                                        "at another instance, or else the same", "at any"};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!found->method && rows[i].happened.event == POLICY_STATUS)
            continue; /* its responses pass unread */
        PolicyQuestion q = policy_question(found->route, found->method, request->verb, true);
        q.event = rows[i].happened.event;
        q.fault = rows[i].happened.fault;
        q.code = rows[i].happened.code;
        q.attempted = rows[i].happened.attempted;
        q.sent = rows[i].happened.sent;
        q.attempts = q.sent;
        PolicyVerdict verdict = policy_decide(&q);
        bool retry = verdict.action == POLICY_RETRY;
        failures[n++] = (ExplainFailure){rows[i].what, retry ? where[verdict.where] : "", verdict};
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
