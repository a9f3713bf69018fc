#include "gateway/match/destination.h"

#include "base/arena.h"
#include "gateway/access/access.h"
#include "gateway/catalog/catalog.h"
#include "gateway/headers/method_override.h"
#include "gateway/version/other_version.h"
#include "protocols/dialect/dialect.h"
#include "protocols/http/http_path.h"

static const Route *longest_prefix(const Config *config, Bytes path)
{
    for (uint32_t i = 0; i < config->n_http_routes; i++) {
        if (bytes_start_with(path, config->http_routes[i].path_prefix))
            return &config->http_routes[i];
    }
    return NULL;
}

/* The same of a loose reading. It may shorten one prefix more than another, so that their order
   says nothing. */
static const Route *longest_loose_prefix(const Config *config, Bytes path)
{
    const Route *longest = NULL;
    for (uint32_t i = 0; i < config->n_http_routes; i++) {
        const Route *route = &config->http_routes[i];
        Bytes prefix = route->loose_prefix;
        if (bytes_equal(bytes_slice(path, 0, prefix.size), prefix) &&
            (!longest || prefix.size > longest->loose_prefix.size))
            longest = route;
    }
    return longest;
}

static bool has_schema(const Config *config, Bytes verb, Bytes path, Arena *arena)
{
    RestMatch match;
    bool found;
    if (table_get(&config->methods, path))
        return true;
    Result r = rest_table_match(config->rest, verb, path, arena, &match, &found);
    error_ignore(r, "what cannot be matched is no path of a binding");
    return found;
}

static Result find_route(const Config *config, Bytes verb, Bytes path, Arena *arena,
                         const Route **route_out, Bytes *normal_out)
{
    Bytes loose;
    *route_out = NULL;
    if (config->n_http_routes == 0)
        return OK;
    if (http_path_is_plain(path)) { /* there is one reading only */
        const Route *only = longest_prefix(config, path);
        *normal_out = path;
        *route_out = only;
        if (!only || longest_loose_prefix(config, path) == only)
            return OK;
        *route_out = NULL;
    }
    Result r = http_path_normalize(path, arena, normal_out);
    if (failed(r))
        return r;
    const Route *route = longest_prefix(config, *normal_out);
    if (!route)
        return OK;
    r = http_path_read_loosely(*normal_out, arena, &loose);
    if (failed(r))
        return r;
    bool same = longest_loose_prefix(config, loose) == route &&
                (bytes_equal(*normal_out, path) || !has_schema(config, verb, *normal_out, arena)) &&
                (bytes_equal(loose, *normal_out) || !has_schema(config, verb, loose, arena));
    if (!same)
        return FAIL_TELL(arena, FAULT_BAD_REQUEST,
                         "%.*s can also be read as a path that does not belong to %s",
                         BYTES_ARGS(bytes_cut_text(path, 200)), route->match);
    *route_out = route;
    return OK;
}

static Result find_plain(const Config *config, Bytes verb, Bytes path, Arena *arena,
                         Destination *out)
{
    bool found = false;
    Result r = rest_table_match(config->rest, verb, path, arena, &out->match, &found);
    if (failed(r))
        return r;
    if (found)
        out->binding = out->match.value;
    else
        out->builtin = builtin_find_rest(config, verb, path, &out->match.allowed);
    return found || out->builtin ? OK
                                 : find_route(config, verb, path, arena, &out->route, &out->path);
}

Result destination_find(const Config *config, const HttpHead *head, Bytes path, Arena *arena,
                        Destination *out)
{
    *out = (Destination){.method = table_get(&config->methods, path)};
    if (!out->method)
        out->builtin = builtin_find(config, path);
    out->is_rpc = out->method || out->builtin || request_kind(head) == REQUEST_RPC;
    if (out->is_rpc)
        return OK;
    Result r = find_plain(config, head->method, path, arena, out);
    bool found = out->binding || out->builtin || out->route || out->match.allowed.size;
    out->is_rpc = !failed(r) && !found && request_is_connect(head);
    return r;
}

/* What the field says is a mistake where the path is one of REST; elsewhere it means something to
   whom the request is for, if to anybody. */
static Result take_no_override(Result why, const Destination *said)
{
    if (said->binding || said->match.allowed.size)
        return why;
    error_ignore(why, "the gateway does not know the field there");
    return OK;
}

Result destination_find_meant(const Config *config, const HttpHead *head, Bytes path, Arena *arena,
                              const HttpHead **meant_out, Destination *out)
{
    const HttpHead *meant = NULL;
    *meant_out = head;
    Result r = config->method_override ? method_override_read(head, arena, &meant) : OK;
    if (!failed(r) && meant) {
        Result other = destination_find(config, meant, path, arena, out);
        if (!failed(other) && !out->is_rpc && (out->binding || out->match.allowed.size)) {
            *meant_out = meant;
            return OK;
        }
        error_ignore(other, "it is found again");
    }
    Result said = destination_find(config, head, path, arena, out);
    if (!failed(r))
        return said;
    Result override = take_no_override(r, out);
    if (!failed(override))
        return said;
    error_ignore(said, "the field is told");
    return override;
}

/* ---- What is not there ----------------------------------------------------------------------- */

/* The service that has the procedure in one of its versions, by a name with another one in it. */
static const Service *service_by_name(const MissingRequest *request, Arena *arena, Bytes *said_out)
{
    Bytes name = bytes_slice(request->path, 1, request->path.size), same;
    for (uint32_t i = 0; i < request->config->n_services; i++) {
        const Service *service = &request->config->services[i];
        for (uint32_t k = service->n_versions; k-- > 0;) {
            if (!version_in_name(&service->versions[k], name, arena, said_out, &same))
                continue;
            same = bytes_of(arena_printf(arena, "/%.*s", BYTES_ARGS(same)));
            if (table_get(&request->config->methods, same))
                return service;
        }
    }
    return NULL;
}

/* Where the path leads with the name of a version in it: looked up once for all services that have
   such a version. */
typedef struct Instead {
    const char *name;
    const RestBinding *binding; /* NULL: nowhere */
    struct Instead *next;
} Instead;

static const RestBinding *binding_instead(const MissingRequest *request, const Version *version,
                                          Arena *arena, Instead **known)
{
    Bytes said, same;
    RestMatch match;
    bool found = false;
    for (const Instead *one = *known; one; one = one->next)
        if (strcmp(one->name, version->name) == 0)
            return one->binding;
    if (version_in_path(version, request->path, arena, &said, &same)) {
        Result r =
            rest_table_match(request->config->rest, request->verb, same, arena, &match, &found);
        error_ignore(r, "what cannot be matched is no path of a binding");
    }
    Instead *one = arena_make(arena, Instead);
    if (!one)
        return NULL;
    *one = (Instead){version->name, found ? match.value : NULL, *known};
    *known = one;
    return one->binding;
}

static const Service *service_by_path(const MissingRequest *request, Arena *arena, Bytes *said_out)
{
    Instead *known = NULL;
    *said_out = version_said_in_path(request->path);
    for (uint32_t i = 0; said_out->size && i < request->config->n_services; i++) {
        const Service *service = &request->config->services[i];
        if (service_version(service, *said_out))
            continue;
        for (uint32_t k = service->n_versions; k-- > 0;) {
            const RestBinding *binding =
                binding_instead(request, &service->versions[k], arena, &known);
            if (binding && binding->method->version->service == service)
                return service;
        }
    }
    return NULL;
}

static const char *versions_of(const Service *service, Bytes said, int64_t wall, Arena *arena)
{
    return arena_printf(arena, ": %s has no version %.*s; there are %s", service->name,
                        BYTES_ARGS(bytes_cut_text(said, 100)),
                        versions_served(service, wall, NULL, arena));
}

/* ": orders has no version v9; there are v1, v2, v3", or "". */
static const char *other_versions(const MissingRequest *request, bool is_rpc, Arena *arena)
{
    Bytes said = BYTES_NONE;
    const Service *service =
        is_rpc ? NULL : catalog_lacks_version(request->config, request->path, &said);
    if (!service)
        service = is_rpc ? service_by_name(request, arena, &said)
                         : service_by_path(request, arena, &said);
    return service ? versions_of(service, said, request->wall, arena) : "";
}

static bool lists(Bytes verbs, const char *verb)
{
    for (Bytes one; bytes_split(&verbs, ',', &one);)
        if (bytes_are(bytes_trim(one), verb))
            return true;
    return false;
}

Bytes destination_allow(Bytes allowed, Arena *arena)
{
    if (!allowed.size || lists(allowed, "OPTIONS"))
        return allowed;
    return bytes_of(arena_printf(arena, "%.*s, OPTIONS", BYTES_ARGS(allowed)));
}

static bool shows_binding(const Config *config, const RestMatch *match, const Identity *identity)
{
    for (const RestBinding *one = match->value; one; one = one->next)
        if (access_allows_method(config, one->method, identity))
            return true;
    return false;
}

Result destination_allow_shown(const Config *config, Bytes path, Bytes allowed,
                               const Identity *identity, Arena *arena, Bytes *shown_out)
{
    Buffer shown = buffer_in(arena);
    *shown_out = BYTES_NONE;
    for (Bytes verb; bytes_split(&allowed, ',', &verb);) {
        RestMatch match;
        bool found;
        verb = bytes_trim(verb);
        Result r = rest_table_match(config->rest, verb, path, arena, &match, &found);
        if (failed(r))
            return r;
        if (!found || shows_binding(config, &match, identity)) /* or it is of the gateway itself */
            buffer_printf(&shown, "%s%.*s", shown.size ? ", " : "", BYTES_ARGS(verb));
    }
    *shown_out = buffer_bytes(&shown);
    return shown.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "listing the methods of a path") : OK;
}

Result destination_refuse_verb(Bytes path, Bytes allowed, Bytes verb, Arena *arena)
{
    return FAIL_TELL(arena, FAULT_METHOD_NOT_ALLOWED, "%.*s accepts %.*s, not %.*s",
                     BYTES_ARGS(bytes_cut_text(path, 200)), BYTES_ARGS(allowed), BYTES_ARGS(verb));
}

Result destination_missing(const Destination *destination, const MissingRequest *request,
                           Arena *arena)
{
    Bytes shown = bytes_cut_text(request->path, 200), allowed = destination->match.allowed;
    if (allowed.size)
        return destination_refuse_verb(request->path, allowed, request->verb, arena);
    const char *versions = other_versions(request, destination->is_rpc, arena);
    if (destination->is_rpc)
        return FAIL_TELL(arena, FAULT_UNKNOWN_METHOD, "%.*s%s", BYTES_ARGS(shown), versions);
    return FAIL_TELL(arena, FAULT_UNKNOWN_PATH, "%.*s %.*s%s", BYTES_ARGS(request->verb),
                     BYTES_ARGS(shown), versions);
}
