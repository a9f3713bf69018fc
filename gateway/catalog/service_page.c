/* What a client is shown of a service: its versions, with their methods. */
#include "gateway/catalog/catalog_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/json_text.h"
#include "gateway/access/access.h"
#include "gateway/version/retiring.h"
#include "gateway/version/version_text.h"

/* ---- What is shown --------------------------------------------------------------------------- */

bool catalog_shows_method(const CatalogView *view, const Method *method)
{
    return !view->config->access.has_rules ||
           access_allows_method(view->config, method, view->identity);
}

bool catalog_shows_version(const CatalogView *view, const Version *version)
{
    for (uint32_t i = 0; !version->service->unlisted && i < version->n_methods; i++)
        if (catalog_shows_method(view, &version->methods[i]))
            return true;
    return false;
}

bool catalog_shows_service(const CatalogView *view, const Service *service)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (catalog_shows_version(view, &service->versions[i]))
            return true;
    return false;
}

const Version *catalog_successor(const CatalogView *view, const Version *version)
{
    const Service *service = version->service;
    for (uint32_t i = version->index + 1; i < service->n_versions; i++) {
        const Version *next = &service->versions[i];
        if (!version_is_sunset(next, view->wall) && catalog_shows_version(view, next))
            return next;
    }
    return NULL;
}

const char *catalog_url(const Config *config, const Service *service, const Version *version,
                        Arena *arena)
{
    return arena_printf(arena, "%s%s/%s%s%s", config->catalog->url, config->catalog->path,
                        service->name, version ? "/" : "", version ? version->name : "");
}

/* ---- Versions -------------------------------------------------------------------------------- */

/* "current", "deprecated", "ended" */
static const char *state_of(const Version *version, int64_t wall)
{
    if (version_is_sunset(version, wall))
        return "ended";
    return version->deprecated && version->deprecated <= wall ? "deprecated" : "current";
}

static void add_day(Buffer *out, const char *name, int64_t wall)
{
    char day[DATE_DAY_SIZE];
    if (!wall)
        return;
    date_write_day(wall / SECOND, day);
    json_text_add_member(out, name, bytes(day, sizeof day));
}

static void add_text(Buffer *out, const char *name, const char *text)
{
    json_text_add_member(out, name, bytes_of(text));
}

static void add_bindings(const Method *method, Buffer *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < method->n_bindings; i++) {
        const RestBinding *binding = &method->bindings[i];
        if (binding->hidden_by)
            continue;
        if (n++ == 0) {
            json_text_open_list(out, "http");
        }
        json_text_add_element(out);
        json_text_add(out, bytes_of(arena_printf(out->arena, "%s %s", binding->rule->verb,
                                                 binding->rule->path)));
    }
    if (n)
        buffer_add_byte(out, ']');
}

static const char *streams_of(const MethodType *type)
{
    if (type->client_streaming)
        return type->server_streaming ? "both" : "requests";
    return type->server_streaming ? "responses" : NULL;
}

static void add_method(const Method *method, Buffer *out)
{
    const char *streams = streams_of(method->type);
    json_text_open_item(out);
    add_text(out, "rpc", method->type->path);
    add_bindings(method, out);
    if (streams)
        add_text(out, "streams", streams);
    if (method->type->deprecated)
        json_text_add_bool(out, "deprecated", true);
    buffer_add_byte(out, '}');
}

static void add_methods(const CatalogView *view, const Version *version, Buffer *out)
{
    json_text_open_list(out, "methods");
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (catalog_shows_method(view, &version->methods[i]))
            add_method(&version->methods[i], out);
    buffer_add_byte(out, ']');
}

static void add_links(const CatalogView *view, const Version *version, Buffer *out)
{
    const char *url = catalog_url(view->config, version->service, version, out->arena);
    add_text(out, "url", url);
    if (view->config->catalog->openapi)
        add_text(out, "openapi", arena_printf(out->arena, "%s/openapi.json", url));
}

void catalog_write_version(const CatalogView *view, const Version *version, Buffer *out)
{
    const Version *successor = catalog_successor(view, version);
    buffer_add_byte(out, '{');
    add_text(out, "service", version->service->name);
    add_text(out, "name", version->name);
    add_text(out, "package", version->package);
    add_text(out, "state", state_of(version, view->wall));
    if (version == version->service->default_version)
        json_text_add_bool(out, "default", true);
    add_day(out, "released", version->released);
    add_day(out, "deprecated", version->deprecated);
    add_day(out, "sunset", version->sunset);
    if (successor)
        add_text(out, "successor", successor->name);
    if (version->successor_link)
        add_text(out, "successor_link", version->successor_link);
    add_links(view, version, out);
    add_methods(view, version, out);
    buffer_add_byte(out, '}');
}

void catalog_write_service(const CatalogView *view, const Service *service, Buffer *out)
{
    buffer_add_byte(out, '{');
    add_text(out, "name", service->name);
    add_text(out, "url", catalog_url(view->config, service, NULL, out->arena));
    json_text_open_list(out, "versions");
    for (uint32_t i = 0; i < service->n_versions; i++) {
        if (!catalog_shows_version(view, &service->versions[i]))
            continue;
        json_text_add_element(out);
        catalog_write_version(view, &service->versions[i], out);
    }
    buffer_add_text(out, "]}");
}
