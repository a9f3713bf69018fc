#include "gateway/report/config_warnings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory/machine.h"
#include "base/net/ip.h"
#include "base/text/date.h"
#include "gateway/access_report/access_warnings.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/report/rollout_report.h"
#include "gateway/report/writable.h"
#include "gateway/store/sqlite_file.h"
#include "gateway/tls/certificate_time.h"
#include "gateway/tls/tls_context.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <unistd.h>

#define DAY (86400 * SECOND)
#define CERTIFICATE_TIME (30 * DAY) /* warned of when a certificate ends sooner */

typedef struct Warnings {
    const Config *config;
    const Surroundings *here;
    Problems *told;
    Table certificates, names; /* seen before */
} Warnings;

static void PRINTF_LIKE(2, 3) warn(Warnings *w, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    problem_add(w->told, w->config->file, 0, 0, "", NULL, "%s", text);
}

static const char *day_text(Warnings *w, int64_t wall)
{
    char text[DATE_DAY_SIZE];
    date_write_day(wall / SECOND, text);
    return arena_text(w->told->arena, bytes(text, sizeof text));
}

static void warn_of_each(Warnings *w, const Problems *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const Problem *p = &found->items[i];
        warn(w, "%s:%d:%d: %s: %s (%s)", p->file, p->line, p->column, p->path, p->reason, p->hint);
    }
}

/* ---- Sunsets --------------------------------------------------------------------------------- */

static bool has_rule(const Service *service, VersionRule rule)
{
    for (uint32_t i = 0; i < service->n_rules; i++)
        if (service->rules[i] == rule)
            return true;
    return false;
}

static bool is_past(const Warnings *w, const Version *version)
{
    return !version->retiring && version->sunset && version->sunset <= w->here->wall;
}

static void warn_of_sunsets(Warnings *w, const Service *service)
{
    const Version *version = service->default_version;
    if (version && has_rule(service, RULE_DEFAULT) && is_past(w, version))
        warn(w,
             "%s: the default version %s is no longer served since its sunset, %s: clients that "
             "specify no version get 410",
             service->name, version->name, day_text(w, version->sunset));
    size_t at = 0;
    bool pins = service->pins && has_rule(service, RULE_PIN);
    for (const TableEntry *pin; pins && (pin = table_next(service->pins, &at));) {
        version = pin->value;
        if (is_past(w, version))
            warn(w,
                 "%s: the client %.*s is pinned to %s, which is no longer served since its "
                 "sunset, %s",
                 service->name, BYTES_ARGS(pin->key), version->name, day_text(w, version->sunset));
    }
}

/* ---- Certificates ---------------------------------------------------------------------------- */

/* Instances may share one. */
static bool is_new_certificate(Warnings *w, const X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    CHECK(X509_digest(certificate, EVP_sha256(), digest, &size) == 1);
    Bytes key = bytes_copy(w->told->arena, bytes(digest, size));
    return !table_put(&w->certificates, key, w);
}

static void warn_of_certificate(Warnings *w, const X509 *certificate, const char *which,
                                const char *where)
{
    int64_t begins = certificate_begins(certificate), ends = certificate_ends(certificate);
    if (begins > w->here->wall)
        warn(w, "%s: %s is not valid before %s", where, which, day_text(w, begins));
    if (ends <= w->here->wall)
        warn(w, "%s: %s expired on %s", where, which, day_text(w, ends));
    else if (ends - w->here->wall <= CERTIFICATE_TIME)
        warn(w, "%s: %s ends on %s", where, which, day_text(w, ends));
}

typedef struct Place {
    Warnings *w;
    const char *where;
    bool seen; /* the certificate that the chain belongs to */
} Place;

static void see_certificate(void *owner, X509 *certificate, int at)
{
    Place *place = owner;
    if (at == 0)
        place->seen = !is_new_certificate(place->w, certificate);
    if (!place->seen)
        warn_of_certificate(place->w, certificate,
                            at == 0 ? "the certificate" : "a certificate of the chain",
                            place->where);
}

static void warn_of_revocations(Warnings *w, SSL_CTX *tls, const char *where)
{
    int64_t ends = revocations_end(tls, INT64_MIN);
    if (ends <= w->here->wall)
        warn(w,
             "%s: a revocation list ended on %s: certificates of its authority are refused until "
             "there is a new one",
             where, day_text(w, ends));
}

/* The gateway's certificates there, and those that follow them in their files. */
static void warn_of_certificates(Warnings *w, SSL_CTX *tls, const char *where)
{
    if (!tls)
        return;
    tls_context_certificates(tls, see_certificate, &(Place){w, where, false});
    warn_of_revocations(w, tls, where);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void warn_of_name(Warnings *w, const Address *address, const char *where)
{
    IpAddress ip;
    if (!address->host || ip_read(bytes_of(address->host), &ip) ||
        table_put(&w->names, bytes_of(address->host), w))
        return;
    const char *why = w->here->resolve(w->here->owner, address->host);
    if (why)
        warn(w, "%s: %s cannot be resolved: %s", where, address->host, why);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void warn_of_limits(Warnings *w)
{
    Buffer text = buffer_in(w->told->arena);
    if (w->config->connections_said && config_few_descriptors(w->config, &text))
        warn(w, "%.*s", BYTES_ARGS(buffer_bytes(&text)));
    const Limits *limits = &w->config->limits;
    uint64_t here = w->here->memory, memory = limits->memory ? limits->memory : here / 2;
    if (here && limits->call_memory > here)
        warn(w, "limits.call_memory is %llu bytes, but the process may have %llu in all",
             (unsigned long long)limits->call_memory, (unsigned long long)here);
    if (here && limits->memory > here)
        warn(w, "limits.memory is %llu bytes, but the process may have %llu in all",
             (unsigned long long)limits->memory, (unsigned long long)here);
    if (memory && limits->call_memory > memory)
        warn(w, "limits.call_memory is %llu bytes, but limits.memory is %llu for all calls",
             (unsigned long long)limits->call_memory, (unsigned long long)memory);
}

/* The name of a file in the folder of the config, and other paths as they are. */
static const char *beside_config(const Warnings *w, const char *path)
{
    const char *slash = strrchr(path, '/'), *folder = strrchr(w->config->file, '/');
    size_t size = folder ? (size_t)(folder - w->config->file) : 0;
    bool beside = slash && (folder ? (size_t)(slash - path) == size &&
                                         strncmp(path, w->config->file, size) == 0
                                   : slash == path + 1 && *path == '.');
    return beside ? slash + 1 : path;
}

/* Of outputs, which are named so elsewhere. */
static void warn_of_log_names(Warnings *w)
{
    static const char *const names[] = {"stdout", "stderr", NULL};
    const LogConfig *log = &w->config->log;
    for (uint32_t i = 0; i < log->n_outputs; i++) {
        const LogOutputConfig *output = &log->outputs[i];
        const char *name = output->to == LOG_TO_FILE ? beside_config(w, output->path) : "";
        if (bytes_are_one_of(bytes_of(name), names))
            warn(w, "log: %s is a file of that name; the standard output is \"-\"", name);
    }
}

static void warn_of_log(Warnings *w)
{
    warn_of_log_names(w);
    Result r = log_outputs_check(w->told->arena, &w->config->log);
    if (failed(r))
        warn(w, "%s", r.error->doing);
}

/* ---- The store and keys ---------------------------------------------------------------------- */

static void see_open_secret(void *owner, const char *text)
{
    warn(owner, "%s", text);
}

/* A file that is missing is made when the gateway starts. */
static void warn_of_store(Warnings *w, const char *key, const char *file)
{
    Result r = file ? sqlite_file_look(w->told->arena, file) : OK;
    if (failed(r))
        warn(w, "%s: %s", key, error_text(w->told->arena, r));
}

static void warn_of_stores(Warnings *w)
{
    const StoreConfig *store = &w->config->store;
    bool keeps = w->config->n_rollouts && !store->sqlite && !store->postgresql;
    warn_of_store(w, "store", store->sqlite);
    warn_of_store(w, "rollouts_file", keeps ? w->config->rollouts_file : NULL);
}

/* ---- The sandbox ----------------------------------------------------------------------------- */

static void warn_of_sandbox(Warnings *w)
{
    const SandboxConfig *sandbox = &w->config->sandbox;
    bool root = sandbox->user ? sandbox->root : w->here->root;
    if (sandbox->on && root)
        warn(w, "sandbox: root stays root, and owns the files of root: name %s user",
             sandbox->user ? "another" : "a");
}

/* ---- All ------------------------------------------------------------------------------------- */

static void warn_of_instance(Warnings *w, const Service *service, const Instance *instance)
{
    const char *where =
        arena_printf(w->told->arena, "%s: instance %s", service->name, instance->address.text);
    warn_of_certificates(w, instance->tls, where);
    warn_of_name(w, &instance->address, where);
}

static void warn_of_service(Warnings *w, const Service *service)
{
    warn_of_sunsets(w, service);
    for (uint32_t i = 0; i < service->n_instances; i++)
        warn_of_instance(w, service, &service->instances[i]);
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (service->versions[i].reflected)
            warn_of_instance(w, service, &service->versions[i].reflected->instance);
}

/* A config without services and routes, perhaps a file that was cut off. */
static void warn_of_nothing(Warnings *w)
{
    if (w->config->n_services == 0 && w->config->n_routes == 0)
        warn(w, "there are no services and no routes: every call is answered with UNKNOWN_PATH");
}

/* Where the gateway's cell has no instance at all, its name is probably misspelt. Lists in networks
   are not known. */
static void warn_of_cell(Warnings *w)
{
    const Config *config = w->config;
    const char *other = NULL;
    for (uint32_t i = 0; config->cell && i < config->n_services; i++) {
        const Service *service = &config->services[i];
        if (service_is_listed_afar(service))
            return;
        for (uint32_t k = 0; k < service->n_instances; k++) {
            if (!service->instances[k].far)
                return;
            other = service->instances[k].cell;
        }
    }
    if (other)
        warn(w,
             "cell: no instance is in the gateway's cell %s, so that all calls leave it; others "
             "are in %s, for example",
             config->cell, other);
}

/* ---- Limits of clients ----------------------------------------------------------------------- */

/* A message is counted when it has passed. A client that sends a large one is then refused for as
   long as it takes to make up for it. */
static void warn_of_rates(Warnings *w)
{
    enum { LONG = 60 /* seconds */ };
    uint64_t largest = w->config->limits.message_bytes;
    for (uint32_t i = 0; i < w->config->n_rate_limits; i++) {
        const RateLimit *limit = &w->config->rate_limits[i];
        if (limit->count != LIMIT_BYTES || !limit->rate || limit->burst >= largest)
            continue;
        double seconds =
            (double)(largest - limit->burst) / (double)limit->rate * (double)limit->period / SECOND;
        if (seconds > LONG)
            warn(w,
                 "limit %s: one message of %llu bytes, which limits.message_bytes allows, keeps "
                 "its client "
                 "out for %.0f seconds: write a larger rate or burst",
                 limit->name, (unsigned long long)largest, seconds);
    }
}

/* ---- Rules ----------------------------------------------------------------------------------- */

static void warn_of_rules(Warnings *w, const char *what, bool more)
{
    warn(w,
         "no rule says who may call %s%s: whoever proves who he is may; write `allow` in a route, "
         "or "
         "`authorization: {default: deny}`",
         what, more ? " and other methods" : "");
}

static void warn_of_methods(Warnings *w, const Service *service)
{
    const Method *first = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (!method->route || method->route->access.n_allow)
                continue;
            first = first ? first : method;
            n++;
        }
    if (first)
        warn_of_rules(w, first->type->path, n > 1);
}

/* Who started this may be another user than the one that writes: root becomes that of the sandbox.
 */
static void warn_of_kept_keys(Warnings *w, const char *issuer, const char *file)
{
    const SandboxConfig *sandbox = &w->config->sandbox;
    const char *user = w->here->root && sandbox->on ? sandbox->user : NULL;
    if (!folder_takes_files(file, user, sandbox->group))
        warn(w,
             "tokens of %s: the folder of %s takes no file of %s: keys are not kept there, so that "
             "a process that begins refuses tokens until it has fetched them",
             issuer, file, user ? user : "this user");
}

/* An upgrade, too, begins a new process. */
static void warn_of_urls(Warnings *w)
{
    const AccessConfig *access = &w->config->access;
    for (uint32_t i = 0; i < access->n_credentials; i++) {
        const CredentialConfig *method = &access->credentials[i];
        const KeyPlace *place = method->source ? key_source_place(method->source) : NULL;
        if (place && place->url && !place->file)
            warn(w,
                 "tokens of %s: a process that begins refuses them until their keys are fetched; "
                 "write `keys: FILE` beside `keys_url`",
                 method->rules.issuer);
        else if (place && place->url)
            warn_of_kept_keys(w, method->rules.issuer, place->file);
    }
}

/* Who wants to know who calls may want to say who may: or has said that all may. */
static bool is_asked(const Config *config, const PolicyServer *server)
{
    bool found = config->access.policy.server == server;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        found |= config->listeners[i].policy.server == server;
    for (uint32_t i = 0; i < config->n_routes; i++)
        found |= config->routes[i].access.policy.server == server;
    return found;
}

static void warn_of_policy_servers(Warnings *w)
{
    const AccessConfig *access = &w->config->access;
    for (uint32_t i = 0; i < access->n_policy_servers; i++) {
        const PolicyServer *server = &access->policy_servers[i];
        if (!is_asked(w->config, server))
            warn(w,
                 "the policy server %s is never asked: write `policy_server: %s` in "
                 "`authorization`, in a listener or in a route",
                 server->name, server->name);
        if (server->admits)
            warn(w,
                 "while the policy server %s cannot be asked, the calls that it decides about are "
                 "made (on_error: admit), with all fields that clients send",
                 server->name);
    }
}

static void warn_of_missing_rules(Warnings *w)
{
    const Config *config = w->config;
    if (!config->access.n_credentials || config->access.deny_said)
        return;
    for (uint32_t i = 0; i < config->n_services; i++)
        warn_of_methods(w, &config->services[i]);
    for (uint32_t i = 0; i < config->n_http_routes; i++)
        if (!config->http_routes[i].access.n_allow &&
            config->http_routes[i].access.authenticate != AUTHENTICATE_NONE)
            warn_of_rules(w, config->http_routes[i].match, false);
}

void config_warnings(const Config *config, const Surroundings *here, Problems *warnings)
{
    Warnings w = {.config = config, .here = here, .told = warnings};
    w.certificates = w.names = table_in(warnings->arena);
    warn_of_each(&w, &config->deprecated);
    warn_of_each(&w, &config->hidden);
    warn_of_limits(&w);
    warn_of_log(&w);
    warn_of_stores(&w);
    config_open_secrets(config, see_open_secret, &w);
    warn_of_sandbox(&w);
    warn_of_nothing(&w);
    warn_of_cell(&w);
    warn_of_rates(&w);
    warn_of_missing_rules(&w);
    warn_of_policy_servers(&w);
    warn_of_urls(&w);
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        const ListenerConfig *listener = &config->listeners[i];
        const char *where = arena_printf(warnings->arena, "listener %s", listener->address.text);
        warn_of_certificates(&w, listener->tls, where);
        warn_of_name(&w, &listener->address, where);
    }
    warn_of_certificates(&w, config->admin_tls, "admin");
    warn_of_name(&w, &config->admin, "admin");
    for (uint32_t i = 0; i < config->n_services; i++)
        warn_of_service(&w, &config->services[i]);
    access_warnings(config, warnings);
    rollout_warnings(config, warnings);
}

/* ---- This process ---------------------------------------------------------------------------- */

static const char *resolve(void *owner, const char *host)
{
    const Patience *patience = owner;
    if (clock_now() - patience->began > patience->patience)
        return "it was not looked up, because name servers are too slow";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error)
        return gai_strerror(error);
    freeaddrinfo(found);
    return NULL;
}

Surroundings surroundings_here(Patience *patience)
{
    patience->began = clock_now();
    return (Surroundings){.wall = clock_wall(),
                          .memory = machine_memory(""),
                          .root = geteuid() == 0,
                          .resolve = resolve,
                          .owner = patience};
}
