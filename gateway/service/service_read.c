/* Services: their versions, schemas, instances, and the negotiation of versions. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

/* ---- Versions -------------------------------------------------------------------------------- */

/* The package must have an RPC service in the schema. Without one the schema counts as absent, so
   that nothing else is told of what it lacks. */
static void check_package(ConfigReader *reader, Version *version, const char *path)
{
    const Schema *schema = version->schema;
    const char **packages = arena_array(reader->working, const char *, schema->n_services);
    for (uint32_t i = 0; i < schema->n_services; i++) {
        packages[i] = schema->services[i].package;
        if (strcmp(packages[i], version->package) == 0)
            return;
    }
    config_tell(reader, path, config_hint(reader, version->package, packages, schema->n_services),
                "%s has no RPC service in the package %s", schema->name, version->package);
    version->schema = NULL;
}

/* Names are used in headers, URLs and matches of routes. */
static bool is_name(const char *name)
{
    return config_is_word(name, "-_.") && *name != '.';
}

static void check_times(ConfigReader *reader, const Service *service, const Version *version,
                        const char *path)
{
    if (version->sunset && version->deprecated > version->sunset)
        config_tell(reader, config_path(reader, "%s.sunset", path), NULL,
                    "the sunset is before the version is deprecated");
    if (version->sunset && version->released >= version->sunset)
        config_tell(reader, config_path(reader, "%s.sunset", path), NULL,
                    "the sunset is before the version is released");
    for (uint32_t i = 0; i < version->index; i++)
        if (version->released && service->versions[i].released > version->released) {
            config_tell(reader, config_path(reader, "%s.released", path), NULL,
                        "versions must be oldest first, but %s is released later",
                        service->versions[i].name);
            return;
        }
}

static void check_version_name(ConfigReader *reader, const Service *service, const Version *version,
                               const char *path)
{
    path = config_path(reader, "%s.name", path);
    if (!is_name(version->name))
        config_tell(reader, path, "letters, digits, - and _, for example v1",
                    "\"%s\" cannot be the name of a version", version->name);
    for (uint32_t i = 0; i < version->index; i++)
        if (strcmp(service->versions[i].name, version->name) == 0) {
            config_tell(reader, path, NULL, "there already is a version %s", version->name);
            return;
        }
}

static void read_version(ConfigReader *reader, Service *service,
                         const Passerelle__Config__Version *text, const char *path)
{
    Version *version = &service->versions[service->n_versions];
    *version = (Version){
        .name = text->name ? text->name : "",
        .index = service->n_versions,
        .service = service,
        .package = text->package ? text->package : "",
        .released = text->released,
        .deprecated = text->deprecated,
        .sunset = text->sunset,
        .successor_link = text->successor,
        .composes = text->n_compose > 0,
    };
    service->n_versions++;
    check_times(reader, service, version, path);
    if (text->name)
        check_version_name(reader, service, version, path);
    if (!text->schema)
        return;
    config_read_schema(reader, version, text->schema, text->http_rules != NULL,
                       config_path(reader, "%s.schema", path));
    if (version->schema && text->http_rules)
        conventions_use_http_rules(reader, version, text->http_rules,
                                   config_path(reader, "%s.http_rules", path));
    if (version->schema && text->package)
        check_package(reader, version, config_path(reader, "%s.package", path));
}

static void read_versions(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    const Passerelle__Config__Service *text = plan->text;
    size_t n = text->n_versions;
    if (n > SERVICE_VERSIONS_MOST) {
        config_tell(reader, config_path(reader, "%s.versions", plan->path), NULL,
                    "a service has at most %d versions", SERVICE_VERSIONS_MOST);
        n = SERVICE_VERSIONS_MOST;
    }
    service->versions = arena_array(reader->arena, Version, n);
    for (size_t i = 0; i < n; i++)
        read_version(reader, service, text->versions[i],
                     config_path(reader, "%s.versions[%zu]", plan->path, i));
}

const Version *config_find_version(ConfigReader *reader, const Service *service, const char *name,
                                   const char *path)
{
    const char **names = arena_array(reader->working, const char *, service->n_versions);
    for (uint32_t i = 0; i < service->n_versions; i++) {
        names[i] = service->versions[i].name;
        if (strcmp(names[i], name) == 0)
            return &service->versions[i];
    }
    config_tell(reader, path, config_hint(reader, name, names, service->n_versions),
                "%s has no version %s", service->name, name);
    return NULL;
}

/* ---- Negotiation ----------------------------------------------------------------------------- */

static VersionRule rule_of(Passerelle__Config__VersionRule rule)
{
    switch (rule) {
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_PATH: return RULE_PATH;
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_PREFIX: return RULE_PREFIX;
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_HEADER: return RULE_HEADER;
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_MEDIA_TYPE: return RULE_MEDIA_TYPE;
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_PIN: return RULE_PIN;
    case PASSERELLE__CONFIG__VERSION_RULE__VERSION_RULE_DEFAULT:
    case _PASSERELLE__CONFIG__VERSION_RULE_IS_INT_SIZE: break;
    }
    return RULE_DEFAULT;
}

static void read_rules(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    bool seen[RULE_COUNT] = {false};
    for (size_t i = 0; i < plan->text->n_negotiate; i++) {
        VersionRule rule = rule_of(plan->text->negotiate[i]);
        if (seen[rule])
            config_tell(reader, config_path(reader, "%s.negotiate[%zu]", plan->path, i), NULL,
                        "this rule is already in the list");
        else
            service->rules[service->n_rules++] = rule;
        seen[rule] = true;
    }
    if (!plan->text->n_negotiate)
        for (VersionRule rule = RULE_PATH; rule < RULE_COUNT; rule++)
            service->rules[service->n_rules++] = rule;
}

static void read_pins(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    static const Table none;
    service->pins = &none;
    if (!plan->text->n_pins)
        return;
    Table *pins = arena_make(reader->arena, Table);
    *pins = table_in(reader->arena);
    table_reserve(pins, plan->text->n_pins);
    for (size_t i = 0; i < plan->text->n_pins; i++) {
        const Passerelle__Config__Service__PinsEntry *pin = plan->text->pins[i];
        const Version *version = config_find_version(
            reader, service, pin->value, config_path(reader, "%s.pins.%s", plan->path, pin->key));
        if (version)
            table_put(pins, bytes_of(pin->key), (void *)(uintptr_t)version);
    }
    service->pins = pins;
}

static void read_status_codes(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    size_t n = plan->text->n_status_codes;
    StatusCode *codes = arena_array(reader->arena, StatusCode, n);
    service->status_codes = codes;
    for (size_t i = 0; i < n; i++) {
        const Passerelle__Config__Service__StatusCodesEntry *entry = plan->text->status_codes[i];
        const char *path = config_path(reader, "%s.status_codes.%u", plan->path, entry->key);
        if (entry->key < CODE_COUNT || entry->key > INT32_MAX)
            config_tell(reader, path, NULL,
                        "a service's own status codes are %d and above, and at most %d", CODE_COUNT,
                        INT32_MAX);
        if (entry->value < 400 || entry->value > 599)
            config_tell(reader, path, NULL, "the HTTP status of an error is 400 to 599, not %u",
                        entry->value);
        codes[service->n_status_codes++] = (StatusCode){entry->key, (uint16_t)entry->value};
    }
}

static void read_negotiation(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    read_rules(reader, service, plan);
    read_pins(reader, service, plan);
    service->first_on_conflict =
        plan->text->on_conflict == PASSERELLE__CONFIG__ON_CONFLICT__ON_CONFLICT_FIRST;
    service->version_header = config_field_name(
        reader, plan->text->version_header, config_path(reader, "%s.version_header", plan->path));
    if (plan->text->default_version)
        service->default_version =
            config_find_version(reader, service, plan->text->default_version,
                                config_path(reader, "%s.default_version", plan->path));
    else if (service->n_versions)
        service->default_version = &service->versions[0];
}

/* ---- Services -------------------------------------------------------------------------------- */

static void check_service_name(ConfigReader *reader, const Service *service, const char *path)
{
    path = config_path(reader, "%s.name", path);
    if (!is_name(service->name) || strchr(service->name, '.'))
        config_tell(reader, path, "letters, digits, - and _",
                    "\"%s\" cannot be the name of a service", service->name);
    for (uint32_t i = 0; i < service->index; i++)
        if (strcmp(reader->config->services[i].name, service->name) == 0) {
            config_tell(reader, path, NULL, "there already is a service %s", service->name);
            return;
        }
}

/* The schema of each version must have each mixin. */
static void check_mixin(ConfigReader *reader, const Service *service, const char *mixin,
                        const char *path)
{
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Schema *schema = service->versions[i].schema;
        if (!schema || schema_service(schema, bytes_of(mixin)))
            continue;
        const char **names = arena_array(reader->working, const char *, schema->n_services);
        for (uint32_t k = 0; k < schema->n_services; k++)
            names[k] = schema->services[k].full_name;
        config_tell(reader, path, config_hint(reader, mixin, names, schema->n_services),
                    "%s has no RPC service %s", schema->name, mixin);
        return;
    }
}

static void check_mixins(ConfigReader *reader, const Service *service, const ServicePlan *plan)
{
    for (uint32_t i = 0; i < service->n_mixins; i++)
        check_mixin(reader, service, service->mixins[i],
                    config_path(reader, "%s.mixins[%u]", plan->path, i));
}

void config_read_retry_budget(ConfigReader *reader, Service *service,
                              const Passerelle__Config__RetryBudget *text, const char *path)
{
    static const Passerelle__Config__RetryBudget defaults = PASSERELLE__CONFIG__RETRY_BUDGET__INIT;
    text = text ? text : &defaults;
    if (!text->percent)
        config_tell(reader, config_path(reader, "%s.retry_budget.percent", path),
                    "percent: 20 here, or attempts: 1 in the routes if there must be no retries",
                    "of no calls, however many, may any be retried");
    service->retries = (RetryAllowance){.percent = text->percent,
                                        .at_least = text->at_least,
                                        .n_loops = config_n_loops(reader->config)};
}

static void read_discovery(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    const char *path = config_path(reader, "%s.discovery", plan->path);
    if (!plan->text->discovery)
        return;
    if (plan->text->n_instances)
        config_tell(reader, path, NULL,
                    "the instances of %s are in the config or in a list, not in both",
                    service->name);
    else
        config_read_discovery(reader, service, plan->text->discovery, path);
}

static bool is_composed(const Service *service)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (service->versions[i].composes)
            return true;
    return false;
}

/* Its calls go to instances, or the gateway makes the responses itself. */
static void check_servers(ConfigReader *reader, const Service *service, const char *path)
{
    bool has_some = service->n_instances || service->discovery;
    if (is_composed(service) && has_some)
        config_tell(reader, path, "leave out one of them",
                    "the service %s is composed, so that it has no instances of its own",
                    service->name);
    if (!is_composed(service) && !has_some && service->n_versions)
        config_tell(reader, path, NULL, "the service %s has no instances", service->name);
}

void service_read_baggage(ConfigReader *reader, Service *service, bool has)
{
    service->no_baggage = !has;
    reader->config->baggage.withheld |= !has;
}

void config_read_services(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    config_read_cells(reader);
    /* With room for opaque routes and policy servers, each of which becomes a service. */
    size_t most = text->n_services + text->n_policy_servers;
    for (size_t i = 0; i < text->n_routes; i++)
        most += text->routes[i]->match && text->routes[i]->match[0] == '/';
    config->services = arena_array(reader->arena, Service, most);
    reader->services = arena_array(reader->working, ServicePlan, most);
    for (size_t i = 0; i < text->n_services; i++) {
        Service *service = &config->services[i];
        ServicePlan *plan = &reader->services[i];
        *plan = (ServicePlan){.text = text->services[i],
                              .path = config_path(reader, "services[%zu]", i)};
        service->name = plan->text->name ? plan->text->name : "";
        service->index = (uint32_t)i;
        config->n_services++;
        if (plan->text->name)
            check_service_name(reader, service, plan->path);
        service->mixins = (const char *const *)plan->text->mixins;
        service->n_mixins = (uint32_t)plan->text->n_mixins;
        read_versions(reader, service, plan);
        check_mixins(reader, service, plan);
        read_negotiation(reader, service, plan);
        config_read_retiring(reader, service, plan);
        read_status_codes(reader, service, plan);
        config_read_retry_budget(reader, service, plan->text->retry_budget, plan->path);
        config_use_cells(reader, service);
        config_read_affinity(reader, plan->text->affinity, plan->path, &service->affinity);
        service->warm = plan->text->warm;
        service->unlisted = !plan->text->catalog;
        service_read_baggage(reader, service, plan->text->baggage);
        memcpy(service->objectives, config->objectives, sizeof service->objectives);
        config_read_objectives(reader, plan->text->objectives,
                               config_path(reader, "%s.objectives", plan->path),
                               service->objectives);
        config_read_guards(reader, service, plan->text->breaker, plan->text->concurrency,
                           plan->path);
        config_read_instances(reader, service, plan->text->instances, plan->text->n_instances,
                              plan->path);
        read_discovery(reader, service, plan);
        config_read_health(reader, service, plan->text->health, plan->path);
        check_servers(reader, service, plan->path);
    }
}
