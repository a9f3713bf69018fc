#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/monitoring/monitored.h"
#include "gateway/monitoring/monitoring_internal.h"

/* An address that is every one of the machine is written as the machine's name: --host. */
static const char *reachable(const Monitoring *m, const Address *address)
{
    const char *host = address->host;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || strcmp(host, "*") == 0)
        host = m->options->host ? m->options->host : m->config->node;
    return arena_printf(m->arena, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, address->port);
}

static void add_probe(Buffer *out, const char *target, const char *module, const char *service)
{
    buffer_add_text(out, "- targets: [");
    json_text_add(out, bytes_of(target));
    buffer_printf(out, "]\n  labels: {module: %s", module);
    if (service) {
        buffer_add_text(out, ", probed: ");
        json_text_add(out, bytes_of(service));
    }
    buffer_add_text(out, "}\n");
}

static void add_listener(const Monitoring *m, Buffer *out, const ListenerConfig *listener)
{
    if (!listener->address.host || listener->proxy_protocol)
        return; /* a prober reaches no unix socket, and sends no PROXY header */
    const char *target = reachable(m, &listener->address);
    if (listener->client_certificate)
        add_probe(out, target, "passerelle_tcp", NULL); /* a prober has no certificate */
    else
        add_probe(out, target, listener->tls ? "passerelle_grpc_tls" : "passerelle_grpc", NULL);
}

Bytes monitoring_probes(const Monitoring *m)
{
    Buffer out = buffer_in(m->arena);
    buffer_add_text(&out, "# Made by `passerelle monitoring`: do not edit; see monitoring.md.\n");
    size_t head = out.size;
    if (m->config->admin.host) {
        const char *scheme = m->config->admin_tls ? "https" : "http";
        add_probe(&out,
                  arena_printf(m->arena, "%s://%s/readyz", scheme, reachable(m, &m->config->admin)),
                  "passerelle_ready", NULL);
    }
    for (uint32_t i = 0; i < m->config->n_listeners; i++)
        add_listener(m, &out, &m->config->listeners[i]);
    if (out.size == head)
        buffer_add_text(&out, "[]\n"); /* unix sockets only */
    return buffer_bytes(&out);
}

Bytes monitoring_probe_modules(const Monitoring *m)
{
    (void)m;
    return bytes_of(
        "# Made by `passerelle monitoring`: modules of blackbox_exporter for probes.yaml.\n"
        "modules:\n"
        "  passerelle_ready: {prober: http, timeout: 5s}\n"
        "  passerelle_tcp: {prober: tcp, timeout: 5s}\n"
        "  passerelle_grpc: {prober: grpc, timeout: 5s}\n"
        "  passerelle_grpc_tls: {prober: grpc, timeout: 5s, grpc: {tls: true}}\n");
}
