/* What a route says of its REST clients: conventions of other servers of google.api.http. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

static const QueryRule *read_query(Arena *arena, const Passerelle__Config__UnknownQuery *text)
{
    QueryRule *rule = arena_make(arena, QueryRule);
    bool ignores = text->rule == PASSERELLE__CONFIG__UNKNOWN_QUERY_RULE__UNKNOWN_QUERY_RULE_IGNORE;
    *rule = (QueryRule){
        .ignore = text->has_rule && ignores, .names = text->names, .n_names = text->n_names};
    return rule;
}

void config_read_rest(ConfigReader *reader, const Passerelle__Config__Route *text, const char *path,
                      Route *route)
{
    const char *query = config_path(reader, "%s.unknown_query", path);
    if (!text->unknown_query)
        return;
    if (text->match[0] == '/')
        config_tell(reader, query, "to match an RPC write service.RpcService/Method",
                    "queries that pass through a path prefix are not read");
    else
        route->query = read_query(reader->arena, text->unknown_query);
}
