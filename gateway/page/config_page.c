#include "gateway/page/config_page.h"

#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/instances/instance_counts.h"
#include "gateway/instances/instance_set.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Left out where there is none. */
static void add_text(Buffer *out, const char *name, const char *text)
{
    if (text && text[0])
        json_text_add_member(out, name, bytes_of(text));
}

static void add_date(Buffer *out, const char *name, int64_t wall)
{
    if (wall)
        json_text_add_time(out, name, wall / SECOND, 0);
}

/* ---- The config ------------------------------------------------------------------------------ */

static void add_version(Buffer *out, const Version *version)
{
    json_text_open_item(out);
    add_text(out, "name", version->name);
    add_text(out, "package", version->package);
    json_text_add_number(out, "methods", version->n_methods);
    add_date(out, "released", version->released);
    add_date(out, "deprecated", version->deprecated);
    add_date(out, "sunset", version->sunset);
    buffer_add_byte(out, '}');
}

static const char *protocol_name(UpstreamProtocol protocol)
{
    static const char *const names[] = {"grpc", "connect", "grpc-web", "rest", "http"};
    return names[protocol];
}

static void add_instance(Buffer *out, const Instance *instance)
{
    uint32_t down = instance_loops_down(instance);
    const Service *service = instance->service;
    json_text_open_item(out);
    add_text(out, "address", instance->address.text);
    add_text(out, "protocol", protocol_name(instance->protocol));
    add_text(out, "codec", codec_name(instance->codec));
    json_text_add_bool(out, "tls", instance->tls != NULL);
    add_text(out, "build", instance->build);
    add_text(out, "cell", instance->cell);
    json_text_add_number(out, "weight", instance_weight(instance));
    json_text_open_list(out, "versions");
    for (uint32_t i = 0; i < service->n_versions; i++) {
        if (instance->versions >> i & 1) {
            json_text_add_element(out);
            json_text_add(out, bytes_of(service->versions[i].name));
        }
    }
    buffer_add_byte(out, ']');
    json_text_add_bool(out, "up", down == 0);
    json_text_add_number(out, "loops_away", down);
    json_text_add_number(out, "running",
                         instance->known ? known_instance_running(instance->known) : 0);
    json_text_add_bool(out, "called", instance->known && known_instance_called(instance->known));
    json_text_open_list(out, "barred");
    for (uint32_t bars = instance_barred(instance); bars; bars &= bars - 1) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(bar_name(bars)));
    }
    buffer_add_byte(out, ']');
    buffer_add_byte(out, '}');
}

static void add_service(Buffer *out, const Service *service)
{
    json_text_open_item(out);
    add_text(out, "name", service->name);
    add_text(out, "default_version",
             service->default_version ? service->default_version->name : NULL);
    if (service->discovery)
        add_text(out, "listed_in", service->discovery->place);
    json_text_open_list(out, "versions");
    for (uint32_t i = 0; i < service->n_versions; i++)
        add_version(out, &service->versions[i]);
    buffer_add_byte(out, ']');
    json_text_add_bool(out, "all_used",
                       atomic_load_explicit(&service->all_used, memory_order_relaxed));
    json_text_open_list(out, "instances");
    InstanceSet *set = instance_set_of(service);
    for (uint32_t i = 0; set && i < set->n; i++)
        add_instance(out, set->instances[i]);
    instance_set_unref(set);
    buffer_add_text(out, "]}");
}

static void add_listener(Buffer *out, const ListenerConfig *listener)
{
    json_text_open_item(out);
    add_text(out, "address", listener->address.text);
    json_text_add_bool(out, "tls", listener->tls != NULL);
    json_text_add_bool(out, "client_certificate", listener->client_certificate);
    buffer_add_byte(out, '}');
}

static void add_route(Buffer *out, const Route *route)
{
    json_text_open_item(out);
    add_text(out, "match", route->match);
    add_text(out, "impact", impact_name(route->impact));
    add_text(out, "on_failure", route->on_failure == FAILURE_GRACEFUL ? "graceful" : "loud");
    json_text_add_number(out, "attempts", route->attempts);
    if (route->hedge_after)
        json_text_add_number(out, "hedge_after_ms", (uint64_t)(route->hedge_after / MILLISECOND));
    if (route->hedge_p95)
        add_text(out, "hedge_after", "p95");
    if (route->timeout != NO_TIMEOUT)
        json_text_add_number(out, "timeout_ms", (uint64_t)(route->timeout / MILLISECOND));
    buffer_add_byte(out, '}');
}

void config_page_write(const Config *config, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_number(out, "generation", config->generation);
    add_text(out, "file", config->file);
    add_text(out, "node", config->node);
    json_text_open_list(out, "listeners");
    for (uint32_t i = 0; i < config->n_listeners; i++)
        add_listener(out, &config->listeners[i]);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "services");
    for (uint32_t i = 0; i < config->n_services; i++)
        add_service(out, &config->services[i]);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "routes");
    for (uint32_t i = 0; i < config->n_routes; i++)
        add_route(out, &config->routes[i]);
    buffer_add_text(out, "]}");
}
