/* What a route says of its REST clients: conventions of other servers of google.api.http. */
#include "gateway/conventions/conventions.h"

#include "base/arena.h"
#include "gateway/rest/update_mask.h"

static const QueryRule *read_query(Arena *arena, const Passerelle__Config__UnknownQuery *text)
{
    QueryRule *rule = arena_make(arena, QueryRule);
    bool ignores = text->rule == PASSERELLE__CONFIG__UNKNOWN_QUERY_RULE__UNKNOWN_QUERY_RULE_IGNORE;
    *rule = (QueryRule){
        .ignore = text->has_rule && ignores, .names = text->names, .n_names = text->n_names};
    return rule;
}

static const RestStyle *read_style(ConfigReader *reader, const Passerelle__Config__RestRoute *text,
                                   const char *path)
{
    RestStyle *style = arena_make(reader->arena, RestStyle);
    *style = (RestStyle){.alt = text->alt, .update_masks = text->update_masks};
    if (text->status_from)
        style->status_from = config_field_name(reader, text->status_from,
                                               config_path(reader, "%s.status_from", path));
    return style;
}

void conventions_read(ConfigReader *reader, const Passerelle__Config__Route *text, const char *path,
                      Route *route)
{
    const char *query = config_path(reader, "%s.unknown_query", path);
    const char *rest = config_path(reader, "%s.rest", path);
    bool is_opaque = text->match[0] == '/';
    if (is_opaque && (text->unknown_query || text->rest))
        config_tell(reader, text->unknown_query ? query : rest,
                    "to match an RPC write service.RpcService/Method",
                    "queries and bodies that pass through a path prefix are not read");
    if (is_opaque)
        return;
    if (text->unknown_query)
        route->query = read_query(reader->arena, text->unknown_query);
    if (text->rest)
        route->rest = read_style(reader, text->rest, rest);
}

static bool choose_masks(const Method *method)
{
    bool chosen = false;
    bool wanted = method->route->rest && method->route->rest->update_masks;
    for (uint32_t i = 0; wanted && i < method->n_bindings; i++) {
        RestBinding *binding = &method->bindings[i];
        binding->mask = update_mask_field(method->type->input, binding->rule);
        chosen |= binding->mask != NULL;
    }
    return chosen;
}

/* `useful`: by the number of the route. */
static void tell_useless_masks(ConfigReader *reader, const bool *useful)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        if (route->rest && route->rest->update_masks && reader->route_paths[i] && !useful[i])
            config_tell(reader, config_path(reader, "%s.rest.update_masks", reader->route_paths[i]),
                        NULL, "%s matches no method with a PATCH of one field and an update_mask",
                        route->match);
    }
}

void conventions_choose_masks(ConfigReader *reader)
{
    const Config *config = reader->config;
    bool *useful = arena_array(reader->working, bool, config->n_routes + 1);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            const Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++)
                if (choose_masks(&version->methods[k]))
                    useful[version->methods[k].route - config->routes] = true;
        }
    tell_useless_masks(reader, useful);
}
