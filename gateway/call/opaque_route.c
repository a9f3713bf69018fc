#include "gateway/call/opaque_route.h"

#include "base/arena.h"
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

Result opaque_route_find(const Config *config, Bytes verb, Bytes path, Arena *arena,
                         const Route **route_out, Bytes *normal_out)
{
    Bytes loose;
    *route_out = NULL;
    if (config->n_http_routes == 0)
        return OK;
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
