#include "gateway/access_report/access_report.h"

#include "adapters/mapping/field_list.h"
#include "base/text/json_text.h"
#include "gateway/access/access.h"
#include "gateway/access_report/access_words.h"

/* ---- Which routes ---------------------------------------------------------------------------- */

static bool is_silent(const AccessConfig *access)
{
    return !access->n_credentials && !access->has_rules;
}

/* One that calls can have: narrower routes may have all of its methods. */
static bool is_used(const Route *route)
{
    const Service *service = route->service;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++)
            if (service->versions[i].methods[k].route == route)
                return true;
    return false;
}

typedef void Visit(const Config *config, const Route *route, Buffer *out);

static void visit_routes(const Config *config, Visit *visit, Buffer *out)
{
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (!config->routes[i].path_prefix && config->routes[i].service &&
            is_used(&config->routes[i]))
            visit(config, &config->routes[i], out);
    for (uint32_t i = 0; i < config->n_http_routes; i++)
        visit(config, &config->http_routes[i], out);
}

/* ---- How clients prove who they are ---------------------------------------------------------- */

/* What counts at one listener. */
typedef struct Door {
    const char *address; /* NULL: all listeners are alike */
    Authenticate mode;
    CredentialList methods;
} Door;

static Door door_of(const Config *config, const Route *route, const ListenerConfig *listener)
{
    return (Door){.address = listener ? listener->address.text : NULL,
                  .mode = access_authenticate(&config->access, listener, &route->access),
                  .methods = access_credentials(&config->access, listener, &route->access)};
}

static bool are_alike(const Config *config, const Route *route)
{
    Door first = door_of(config, route, config->n_listeners ? &config->listeners[0] : NULL);
    for (uint32_t i = 1; i < config->n_listeners; i++) {
        Door other = door_of(config, route, &config->listeners[i]);
        if (other.mode != first.mode || other.methods != first.methods)
            return false;
    }
    return true;
}

static uint32_t n_doors(const Config *config, const Route *route)
{
    return are_alike(config, route) ? 1 : config->n_listeners;
}

static Door door_at(const Config *config, const Route *route, uint32_t at)
{
    Door door = door_of(config, route, config->n_listeners ? &config->listeners[at] : NULL);
    if (n_doors(config, route) == 1)
        door.address = NULL;
    return door;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void add_proof(const Door *door, Buffer *out)
{
    if (door->address)
        buffer_printf(out, " on %s,", door->address);
    buffer_printf(out, " proof %s", access_mode_name(door->mode));
    for (int i = 0; door->mode != AUTHENTICATE_NONE && door->methods[i]; i++)
        buffer_printf(out, "%s %s", i ? "," : " by", access_method_name(door->methods[i]));
    buffer_add_byte(out, ';');
}

static void add_line(const Config *config, const Route *route, Buffer *out)
{
    const AccessRules *rules = &route->access;
    buffer_printf(out, "%s:", route->match);
    for (uint32_t i = 0; i < n_doors(config, route); i++) {
        Door door = door_at(config, route, i);
        add_proof(&door, out);
    }
    buffer_add_text(out, " allowed");
    for (uint32_t i = 0; i < rules->n_allow; i++) {
        buffer_add_text(out, i ? ", {" : " {");
        access_words_add_rule(&rules->allow[i], out);
        buffer_add_byte(out, '}');
    }
    if (!rules->n_allow)
        buffer_add_text(out, access_is_open(&config->access, rules) ? " whoever gets so far"
                                                                    : " nobody");
    buffer_add_byte(out, '\n');
}

static void add_hidden(const Config *config, const Route *route, Buffer *out)
{
    const Service *service = route->service;
    for (uint32_t i = 0; route->shown && i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (method->route != route)
                continue;
            buffer_printf(out, "%s of %s hides ", method->type->path, method->version->name);
            size_t before = out->size;
            field_list_add_hidden(method->extras->shown, out);
            buffer_add_text(out, out->size == before ? "what the schema does not have\n" : "\n");
        }
}

void access_report(const Config *config, Buffer *out)
{
    if (!is_silent(&config->access))
        visit_routes(config, add_line, out);
    visit_routes(config, add_hidden, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_door_json(const Door *door, Buffer *out)
{
    json_text_open_item(out);
    if (door->address)
        json_text_add_member(out, "listener", bytes_of(door->address));
    json_text_add_member(out, "authenticate", bytes_of(access_mode_name(door->mode)));
    json_text_open_list(out, "methods");
    for (int i = 0; door->mode != AUTHENTICATE_NONE && door->methods[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(access_method_name(door->methods[i])));
    }
    buffer_add_text(out, "]}");
}

static void add_route_json(const Config *config, const Route *route, Buffer *out)
{
    const AccessRules *rules = &route->access;
    json_text_open_item(out);
    json_text_add_member(out, "match", bytes_of(route->match));
    json_text_open_list(out, "proof");
    for (uint32_t i = 0; i < n_doors(config, route); i++) {
        Door door = door_at(config, route, i);
        add_door_json(&door, out);
    }
    buffer_add_byte(out, ']');
    json_text_open_list(out, "allow");
    for (uint32_t i = 0; i < rules->n_allow; i++) {
        json_text_open_item(out);
        access_words_add_rule(&rules->allow[i], out);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    if (!rules->n_allow)
        json_text_add_bool(out, "denied", !access_is_open(&config->access, rules));
    buffer_add_byte(out, '}');
}

static void add_hidden_json(const Config *config, const Route *route, Buffer *out)
{
    const Service *service = route->service;
    for (uint32_t i = 0; route->shown && i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            Buffer fields = buffer_in(out->arena);
            if (method->route != route)
                continue;
            field_list_add_hidden(method->extras->shown, &fields);
            json_text_open_item(out);
            json_text_add_member(out, "method", bytes_of(method->type->path));
            json_text_add_member(out, "version", bytes_of(method->version->name));
            json_text_add_member(out, "fields", buffer_bytes(&fields));
            buffer_add_byte(out, '}');
        }
}

static bool hides_some(const Config *config)
{
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].shown)
            return true;
    return false;
}

void access_report_json(const Config *config, Buffer *out)
{
    if (!is_silent(&config->access)) {
        buffer_add_text(out, ",\"access\":[");
        visit_routes(config, add_route_json, out);
        buffer_add_byte(out, ']');
    }
    if (hides_some(config)) {
        buffer_add_text(out, ",\"hidden\":[");
        visit_routes(config, add_hidden_json, out);
        buffer_add_byte(out, ']');
    }
}
