/* How much clients may do: the limits of the config, of services and of routes; and which ones
   calls of each method meet. */
#include "gateway/settings/settings.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"

#define REFILL_MOST (31.0 * 86400 * SECOND)
#define RATE_MOST_CALLS 1000000.0 /* in a second */
#define RATE_MOST_BYTES (64.0 * 1024 * 1024 * 1024)

/* ---- Reading one ----------------------------------------------------------------------------- */

static int64_t period_of(Bytes text)
{
    return bytes_are(text, "s")   ? SECOND
           : bytes_are(text, "m") ? 60 * SECOND
           : bytes_are(text, "h") ? 3600 * SECOND
           : bytes_are(text, "d") ? 86400 * SECOND
                                  : 0;
}

static bool is_number(Bytes text)
{
    uint64_t number;
    return bytes_to_u64(text, &number);
}

/* "100/s", and "10MiB/s" of bytes. */
static void read_rate(ConfigReader *reader, const char *text, RateLimit *limit)
{
    Bytes rest = bytes_of(text), count = BYTES_NONE;
    const char *path = config_path(reader, "%s.rate", limit->path);
    bool bytes_counted = limit->count == LIMIT_BYTES;
    bytes_split(&rest, '/', &count);
    limit->period = period_of(rest);
    if (!limit->period || !spelling_size(count, &limit->rate) || !limit->rate ||
        (!bytes_counted && !is_number(count))) {
        config_tell(reader, path, bytes_counted ? "10MiB/s" : "100/s, 6000/m, 1000/h or 1/d",
                    "\"%s\" is no rate: a number above 0, /, and s, m, h or d", text);
        limit->rate = 1;
        limit->period = SECOND;
    }
    double a_second = (double)limit->rate * (double)SECOND / (double)limit->period;
    if (a_second > (bytes_counted ? RATE_MOST_BYTES : RATE_MOST_CALLS))
        config_tell(reader, path, bytes_counted ? "64GiB/s" : "1000000/s",
                    "more than %s in a second cannot be told apart from no limit",
                    bytes_counted ? "64 GiB" : "1,000,000");
}

static void read_burst(ConfigReader *reader, const Passerelle__Config__RateLimit *text,
                       RateLimit *limit)
{
    const char *path = config_path(reader, "%s.burst", limit->path);
    limit->burst = text->has_burst ? text->burst : limit->rate;
    if (!limit->burst)
        config_tell(reader, path, "1", "no call would ever be admitted");
    else if ((double)limit->burst * (double)limit->period / (double)limit->rate > REFILL_MOST)
        config_tell(reader, path,
                    arena_printf(reader->arena, "burst: %.0f",
                                 REFILL_MOST / (double)limit->period * (double)limit->rate),
                    "it would take more than 31 days until it is there again");
    limit->burst = limit->burst ? limit->burst : 1;
}

static void read_cost(ConfigReader *reader, const Passerelle__Config__LimitCost *text,
                      RateLimit *limit)
{
    if (!text || !text->field)
        return;
    limit->cost = text->field;
    limit->most_cost = text->has_most ? text->most : limit->burst;
    if (limit->count != LIMIT_CALLS)
        config_tell(reader, config_path(reader, "%s.count", limit->path), "leave it out",
                    "messages and bytes are counted as they pass, and have no other cost");
    else if (limit->most_cost > limit->burst)
        config_tell(reader, config_path(reader, "%s.cost.most", limit->path),
                    arena_printf(reader->arena, "most: %llu", (unsigned long long)limit->burst),
                    "a call that costs more than the burst would never be admitted");
}

static void read_concurrent(ConfigReader *reader, const Passerelle__Config__RateLimit *text,
                            RateLimit *limit)
{
    const char *wrong = text->has_burst ? "burst" : text->cost ? "cost" : NULL;
    limit->concurrent = text->concurrent;
    limit->burst = 1;
    if (wrong || limit->count != LIMIT_CALLS)
        config_tell(reader, config_path(reader, "%s.%s", limit->path, wrong ? wrong : "count"),
                    "leave it out", "concurrent counts calls, one each");
}

static const char *const *names_of(ConfigReader *reader, char **names, size_t n)
{
    const char **copy = arena_array(reader->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = names[i];
    return n ? copy : NULL;
}

static void check_clients(ConfigReader *reader, const LimitTest *test, const char *path)
{
    for (uint32_t i = 0; test->clients && test->clients[i]; i++) {
        const char *star = strchr(test->clients[i], '*');
        if (!test->clients[i][0] || (star && star[1]))
            config_tell(reader, config_path(reader, "%s.client[%u]", path, i), "test-*",
                        "it is a client's name, which may have a star at its end");
    }
    if (test->anonymous && (test->clients || test->classes))
        config_tell(reader, config_path(reader, "%s.anonymous", path), "leave it out",
                    "a client without an identity has neither a name nor a class");
}

static LimitTest read_test(ConfigReader *reader, const Passerelle__Config__LimitWhen *text,
                           const char *path)
{
    if (!text)
        return (LimitTest){0};
    LimitTest test = {.versions = names_of(reader, text->version, text->n_version),
                      .classes = names_of(reader, text->class_, text->n_class_),
                      .clients = names_of(reader, text->client, text->n_client),
                      .anonymous = text->anonymous,
                      .said = true};
    if (!test.versions && !test.classes && !test.clients && !test.anonymous)
        config_tell(reader, path, "version: [v1], class: [free] or anonymous: true",
                    "it says nothing of a call");
    check_clients(reader, &test, path);
    return test;
}

/* In the order of enum LimitPer in config.proto. */
static const char *const per_names[] = {"client", "tenant", "class",  "service",
                                        "route",  "method", "version"};

static uint32_t read_per(ConfigReader *reader, const Passerelle__Config__RateLimit *text,
                         const char *path)
{
    uint32_t per = 0;
    for (size_t i = 0; i < text->n_per; i++) {
        uint32_t bit = 1u << text->per[i];
        if (per & bit)
            config_tell(reader, config_path(reader, "%s.per[%zu]", path, i), "leave it out",
                        "%s is in the list already", per_names[text->per[i]]);
        per |= bit;
    }
    return per;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool is_taken(const Config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_rate_limits; i++)
        if (strcmp(config->rate_limits[i].name, name) == 0)
            return true;
    return false;
}

/* "orders.client-method"; what is no letter or digit of a path is a dash. */
static const char *derived_name(ConfigReader *reader, const RateLimit *limit)
{
    Buffer name = buffer_in(reader->arena);
    for (const char *at = limit->scope; at && *at; at++)
        buffer_add_byte(&name, config_is_word((char[2]){*at}, "-_.") ? (uint8_t)*at : '-');
    const char *between = limit->scope ? "." : "";
    for (size_t i = 0; i < sizeof per_names / sizeof *per_names; i++)
        if (limit->per >> i & 1) {
            buffer_printf(&name, "%s%s", between, per_names[i]);
            between = "-";
        }
    if (!limit->per)
        buffer_printf(&name, "%sall", between);
    return arena_text(reader->arena, bytes_cut_text(buffer_bytes(&name), LIMIT_NAME_MOST - 4));
}

static const char *name_of(ConfigReader *reader, const char *said, const RateLimit *limit)
{
    const char *path = config_path(reader, "%s.name", limit->path);
    if (said && (!config_is_word(said, "-_.") || strlen(said) > LIMIT_NAME_MOST))
        config_tell(reader, path, "client-burst",
                    "a limit's name has 1 to %d letters, digits, -, _ and dots", LIMIT_NAME_MOST);
    else if (said && is_taken(reader->config, said))
        config_tell(reader, path, NULL, "another limit has the name %s", said);
    if (said)
        return said;
    const char *name = derived_name(reader, limit), *free_name = name;
    for (uint32_t n = 2; is_taken(reader->config, free_name); n++)
        free_name = arena_printf(reader->arena, "%s-%u", name, n);
    return free_name;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

#define HASH_EMPTY UINT64_C(0xcbf29ce484222325) /* FNV-1a */

/* Whose calls; all NULL: everybody's. */
typedef struct Scope {
    const char *name;
    const Service *service;
    bool of_service; /* else of a route of it, or of a path prefix */
} Scope;

static void read_one(ConfigReader *reader, const Passerelle__Config__RateLimit *text,
                     const char *path, const Scope *scope)
{
    Config *config = reader->config;
    RateLimit limit = {.scope = scope->name,
                       .of_service = scope->of_service,
                       .path = arena_string(reader->arena, path),
                       .per = read_per(reader, text, path),
                       .count = (LimitCount)text->count,
                       .told = text->tell};
    if (!text->rate == !text->has_concurrent)
        config_tell(reader, path, "rate: 100/s or concurrent: 10",
                    "a limit has exactly one of rate and concurrent");
    if (text->rate) {
        read_rate(reader, text->rate, &limit);
        read_burst(reader, text, &limit);
        read_cost(reader, text->cost, &limit);
    } else {
        read_concurrent(reader, text, &limit);
    }
    limit.on = read_test(reader, text->on, config_path(reader, "%s.on", path));
    limit.unless = read_test(reader, text->unless, config_path(reader, "%s.unless", path));
    limit.name = name_of(reader, text->name, &limit);
    limit.id = hash_text(HASH_EMPTY, limit.name);
    config->rate_limits[config->n_rate_limits++] = limit;
}

/* ---- Reading all ----------------------------------------------------------------------------- */

/* One that no call can have is a mistake. */
static void check_versions(ConfigReader *reader, const LimitTest *test, const char *path,
                           const Service *service)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; test->versions && test->versions[i]; i++) {
        bool found = service && service_version(service, bytes_of(test->versions[i]));
        for (uint32_t k = 0; !service && k < config->n_services; k++)
            found |= service_version(&config->services[k], bytes_of(test->versions[i])) != NULL;
        if (!found)
            config_tell(reader, config_path(reader, "%s.version[%u]", path, i), NULL,
                        "%s has no version %s",
                        service ? service->name : "no service of this config", test->versions[i]);
    }
}

static void read_list(ConfigReader *reader, Passerelle__Config__RateLimit *const *texts, size_t n,
                      const char *path, const Scope *scope)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = config_path(reader, "%s[%zu]", path, i);
        read_one(reader, texts[i], at, scope);
        const RateLimit *limit = &reader->config->rate_limits[reader->config->n_rate_limits - 1];
        check_versions(reader, &limit->on, config_path(reader, "%s.on", at), scope->service);
        check_versions(reader, &limit->unless, config_path(reader, "%s.unless", at),
                       scope->service);
    }
}

static void read_room(ConfigReader *reader)
{
    static const Passerelle__Config__RateLimiting defaults =
        PASSERELLE__CONFIG__RATE_LIMITING__INIT;
    const Passerelle__Config__RateLimiting *said = reader->file.content->rate_limiting;
    const Passerelle__Config__RateLimiting *text = said ? said : &defaults;
    reader->config->limit_room =
        (LimitRoom){.clients = text->clients, .addresses = text->addresses, .every = text->every};
}

static size_t count_all(const Passerelle__Config__Config *text)
{
    size_t n = text->n_rate_limits;
    for (size_t i = 0; i < text->n_services; i++)
        n += text->services[i]->n_rate_limits;
    for (size_t i = 0; i < text->n_routes; i++)
        n += text->routes[i]->n_rate_limits;
    return n;
}

static const Service *service_named(const Config *config, const char *name)
{
    for (uint32_t i = 0; name && i < config->n_services; i++)
        if (strcmp(config->services[i].name, name) == 0)
            return &config->services[i];
    return NULL;
}

static const Service *service_of_route(const Config *config, const char *match)
{
    for (uint32_t i = 0; match && i < config->n_routes; i++)
        if (strcmp(config->routes[i].match, match) == 0)
            return config->routes[i].service;
    return NULL;
}

void config_read_rate_limits(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    read_room(reader);
    config->rate_limits = arena_array(reader->arena, RateLimit, count_all(text));
    read_list(reader, text->rate_limits, text->n_rate_limits, "rate_limits", &(Scope){0});
    for (size_t i = 0; i < text->n_services; i++) {
        const Passerelle__Config__Service *of = text->services[i];
        Scope scope = {of->name, service_named(config, of->name), true};
        read_list(reader, of->rate_limits, of->n_rate_limits,
                  config_path(reader, "services[%zu].rate_limits", i), &scope);
    }
    for (size_t i = 0; i < text->n_routes; i++) {
        const Passerelle__Config__Route *of = text->routes[i];
        Scope scope = {of->match, service_of_route(config, of->match), false};
        read_list(reader, of->rate_limits, of->n_rate_limits,
                  config_path(reader, "routes[%zu].rate_limits", i), &scope);
    }
}

/* ---- Failures of credentials ----------------------------------------------------------------- */

/* `name`: also where it is in the document. NULL: they are not counted. */
static RateLimit *read_failures(ConfigReader *reader, const char *name, const char *rate,
                                uint64_t burst, const MethodLimits **guesses_out)
{
    Passerelle__Config__RateLimit text = PASSERELLE__CONFIG__RATE_LIMIT__INIT;
    if (strcmp(rate, "none") == 0)
        return NULL;
    text.has_burst = true;
    text.burst = burst;
    RateLimit *limit = arena_make(reader->arena, RateLimit);
    MethodLimits *guesses = arena_make(reader->arena, MethodLimits);
    MethodLimit *item = arena_make(reader->arena, MethodLimit);
    *limit =
        (RateLimit){.name = name, .path = name, .per = LIMIT_PER_CLIENT, .count = LIMIT_FAILURES};
    limit->id = hash_text(HASH_EMPTY, limit->name);
    read_rate(reader, rate, limit);
    read_burst(reader, &text, limit);
    *item = (MethodLimit){.limit = limit, .fixed = limit->id};
    *guesses = (MethodLimits){.items = item, .n = 1};
    *guesses_out = guesses;
    return limit;
}

static bool has_passwords(const Config *config)
{
    for (uint32_t i = 0; i < config->n_operators; i++)
        if (config->operators[i].password)
            return true;
    return false;
}

static void read_password_failures(ConfigReader *reader)
{
    static const Passerelle__Config__PasswordFailures defaults =
        PASSERELLE__CONFIG__PASSWORD_FAILURES__INIT;
    const Passerelle__Config__Admin *admin = reader->file.content->admin;
    const Passerelle__Config__PasswordFailures *said =
        admin && admin->password_failures ? admin->password_failures : &defaults;
    Config *config = reader->config;
    if (has_passwords(config))
        config->admin_failures = read_failures(reader, "admin.password_failures", said->rate,
                                               said->burst, &config->admin_guesses);
}

void config_read_failures(ConfigReader *reader)
{
    static const Passerelle__Config__AuthenticationFailures defaults =
        PASSERELLE__CONFIG__AUTHENTICATION_FAILURES__INIT;
    const Passerelle__Config__AuthenticationFailures *said =
        reader->file.content->authentication_failures;
    AccessConfig *access = &reader->config->access;
    said = said ? said : &defaults;
    if (access->n_credentials)
        access->failures = read_failures(reader, "authentication_failures", said->rate, said->burst,
                                         &access->guesses);
    read_password_failures(reader);
}

/* ---- Which ones a call meets ----------------------------------------------------------------- */

/* What is called: a method, or a path prefix without one. */
typedef struct Called {
    const Method *method; /* NULL: opaque HTTP */
    const Route *route;
} Called;

static bool names_version(const char *const *names, const Called *called)
{
    for (uint32_t i = 0; names[i]; i++)
        if (called->method && strcmp(names[i], called->method->version->name) == 0)
            return true;
    return false;
}

/* Whether a test about versions alone has decided: against the limit, or not at all. */
static bool may_meet(const RateLimit *limit, const Called *called)
{
    const LimitTest *unless = &limit->unless;
    bool only_versions = !unless->classes && !unless->clients && !unless->anonymous;
    if (limit->on.versions && !names_version(limit->on.versions, called))
        return false;
    return !(unless->versions && only_versions && names_version(unless->versions, called));
}

static bool is_of(const RateLimit *limit, const Called *called)
{
    if (!limit->scope)
        return true;
    if (limit->of_service)
        return called->method && strcmp(called->method->version->service->name, limit->scope) == 0;
    return strcmp(called->route->match, limit->scope) == 0;
}

static const char *method_text(const Called *called)
{
    return called->method ? called->method->type->name : called->route->match;
}

/* What of the bucket the config says. */
static uint64_t hash_fixed(const RateLimit *limit, const Called *called)
{
    const Method *method = called->method;
    const char *service = method ? method->version->service->name : called->route->match;
    uint64_t hash = limit->id;
    if (limit->per & (LIMIT_PER_SERVICE | LIMIT_PER_METHOD | LIMIT_PER_VERSION))
        hash = hash_text(hash, service);
    if (limit->per & LIMIT_PER_ROUTE)
        hash = hash_text(hash, called->route->match);
    if (limit->per & LIMIT_PER_METHOD) {
        hash = hash_text(hash, method ? method->type->service->name : "");
        hash = hash_text(hash, method_text(called));
    }
    if (limit->per & LIMIT_PER_VERSION)
        hash = hash_text(hash, method ? method->version->name : "");
    return hash;
}

static void add(ConfigReader *reader, const RateLimit *limit, const Called *called,
                MethodLimits *limits)
{
    if (limits->n == LIMITS_OF_CALL) {
        config_tell(reader, limit->path, "fewer limits",
                    "calls of %s would meet more than %d limits", called->route->match,
                    LIMITS_OF_CALL);
        return;
    }
    limits->items[limits->n++] =
        (MethodLimit){.limit = limit,
                      .version = called->method ? called->method->version->name : NULL,
                      .fixed = hash_fixed(limit, called)};
    limits->costs |= limit->cost != NULL;
    limits->flows |= limit->count != LIMIT_CALLS;
    limits->kept |= limit->cost || limit->count != LIMIT_CALLS || limit->concurrent || limit->told;
}

static MethodLimits *limits_of(ConfigReader *reader, const Called *called)
{
    const Config *config = reader->config;
    MethodLimits *limits = arena_make(reader->arena, MethodLimits);
    limits->items = arena_array(reader->arena, MethodLimit, config->n_rate_limits);
    for (uint32_t i = 0; i < config->n_rate_limits; i++) {
        const RateLimit *limit = &config->rate_limits[i];
        if (is_of(limit, called) && may_meet(limit, called))
            add(reader, limit, called, limits);
    }
    return limits->n ? limits : NULL;
}

void config_assign_rate_limits(ConfigReader *reader)
{
    Config *config = reader->config;
    if (!config->n_rate_limits)
        return;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
            Version *version = &config->services[i].versions[k];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                Method *method = &version->methods[m];
                if (method->route)
                    method->limits = limits_of(reader, &(Called){method, method->route});
            }
        }
    for (uint32_t i = 0; i < config->n_http_routes; i++) {
        /* They are the config's own copies, and nobody else has them yet. */
        Route *route = (Route *)(uintptr_t)&config->http_routes[i];
        route->limits = limits_of(reader, &(Called){NULL, route});
    }
}
