/* What belongs to the process as a whole, and to no other file. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "protocols/http/http_rules.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static const char *host_name(Arena *arena)
{
    char name[256];
    if (gethostname(name, sizeof name) != 0)
        return "passerelle";
    name[sizeof name - 1] = '\0';
    return arena_string(arena, name);
}

void config_read_cors(ConfigReader *reader)
{
    const Passerelle__Config__Cors *text = reader->file.content->cors;
    if (!text)
        return;
    Cors *cors = &reader->config->cors;
    const char **origins = arena_array(reader->arena, const char *, text->n_origins);
    for (size_t i = 0; i < text->n_origins; i++) {
        const char *path = config_path(reader, "cors.origins[%zu]", i);
        const char *host = strstr(text->origins[i], "://");
        origins[i] = text->origins[i];
        if (strcmp(origins[i], "*") == 0 && text->credentials)
            config_tell(reader, path, "list the origins",
                        "credentials cannot be sent to every origin");
        else if (strcmp(origins[i], "*") != 0 && (!host || strchr(host + 3, '/')))
            config_tell(reader, path, "for example https://panel.example",
                        "%s is not an origin: scheme, host and, if any, port", origins[i]);
    }
    cors->origins = origins;
    cors->n_origins = (uint32_t)text->n_origins;
    cors->credentials = text->credentials;
    cors->max_age_seconds = (uint32_t)(text->max_age / 1000000000);
}

/* `{reason}` is replaced once; whatever else is in braces would be sent to clients as it is. */
static void check_places(ConfigReader *reader, const char *url)
{
    static const char place[] = "{reason}";
    const char *reason = strstr(url, place);
    for (const char *at = url; (at = strpbrk(at, "{}")) != NULL; at++) {
        if (at == reason) {
            at += strlen(place) - 1;
            continue;
        }
        config_tell(reader, "error_help", "https://docs.example.com/errors#{reason}",
                    "the only placeholder is {reason}, once: there is no %.*s",
                    *at == '{' ? (int)strcspn(at, "}") + 1 : 1, at);
        return;
    }
}

static void check_error_help(ConfigReader *reader, const char *url)
{
    check_places(reader, url);
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        config_tell(reader, "error_help", "https://docs.example.com/errors#{reason}",
                    "%s is not a URL", url);
}

static UpgradeConfig upgrade_of(const Passerelle__Config__Upgrade *text)
{
    return (UpgradeConfig){.prove = text->prove,
                           .drain = text->drain,
                           .restarts = text->restarts,
                           .steady = text->steady,
                           .wait = text->wait,
                           .longest_wait = text->longest_wait,
                           .hung = text->hung};
}

enum { NAMES_SIZE = 65536 }; /* of a user with all that belongs to it, or of a group */

/* What cannot be looked up now is told when the process becomes it. */
static void find_user(ConfigReader *reader, const char *name)
{
    char *room = arena_array(reader->arena, char, NAMES_SIZE);
    struct passwd one, *found = NULL;
    if (getpwnam_r(name, &one, room, NAMES_SIZE, &found) == 0 && !found)
        config_tell(reader, "user", NULL, "there is no user %s", name);
    reader->config->sandbox.root = found && found->pw_uid == 0;
}

static void find_group(ConfigReader *reader, const char *name)
{
    char *room = arena_array(reader->arena, char, NAMES_SIZE);
    struct group one, *found = NULL;
    if (getgrnam_r(name, &one, room, NAMES_SIZE, &found) == 0 && !found)
        config_tell(reader, "group", NULL, "there is no group %s", name);
}

static void read_sandbox(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    reader->config->sandbox =
        (SandboxConfig){.on = text->sandbox, .user = text->user, .group = text->group};
    if (text->user)
        find_user(reader, text->user);
    if (text->group)
        find_group(reader, text->group);
    if (text->user && !text->sandbox)
        config_tell(reader, "user", "sandbox: true", "user needs sandbox");
    if (text->group && !text->user)
        config_tell(reader, "group", NULL, "group needs user");
}

void config_read_process(ConfigReader *reader)
{
    static const Passerelle__Config__Upgrade upgrades = PASSERELLE__CONFIG__UPGRADE__INIT;
    static const Passerelle__Config__Drain defaults = PASSERELLE__CONFIG__DRAIN__INIT;
    const Passerelle__Config__Config *text = reader->file.content;
    const Passerelle__Config__Drain *drain = text->drain ? text->drain : &defaults;
    Config *config = reader->config;
    config->n_loops = text->loops;
    config->n_work_threads = text->work_threads;
    config->watch_every = text->watch_every;
    config->drain_delay = drain->delay;
    config->drain_time = drain->time;
    config->upgrade = upgrade_of(text->upgrade ? text->upgrade : &upgrades);
    config->node = text->node ? text->node : host_name(reader->arena);
    config->errors = config_errors(text->errors);
    if (config->errors.told == ERRORS_UNSAID)
        config->errors.told = ERRORS_PUBLIC;
    if (config->errors.written == SHAPE_UNSAID)
        config->errors.written = SHAPE_PROBLEM;
    config->error_help = text->error_help;
    if (text->error_help)
        check_error_help(reader, text->error_help);
    config->no_reflection = !text->reflection;
    config->method_override = text->rest && text->rest->method_override;
    config->grpc_metadata = text->rest && text->rest->grpc_metadata;
    config->untyped_json =
        text->untyped_bodies == PASSERELLE__CONFIG__UNTYPED_BODIES__UNTYPED_BODIES_JSON;
    read_sandbox(reader);
}

void config_read_baggage(ConfigReader *reader)
{
    static const Passerelle__Config__Baggage defaults = PASSERELLE__CONFIG__BAGGAGE__INIT;
    const Passerelle__Config__Baggage *said = reader->file.content->baggage;
    const Passerelle__Config__Baggage *text = said ? said : &defaults;
    for (size_t i = 0; i < text->n_record; i++)
        if (!http_is_token(bytes_of(text->record[i])))
            config_tell(reader, config_path(reader, "baggage.record[%zu]", i), "for example tenant",
                        "%s cannot be the name of a member", text->record[i]);
    reader->config->baggage = (BaggageConfig){.record = (const char *const *)text->record,
                                              .n_record = (uint32_t)text->n_record,
                                              .members = text->members,
                                              .bytes = text->bytes,
                                              .strangers = text->strangers};
}

void config_read_cache(ConfigReader *reader)
{
    static const Passerelle__Config__Cache defaults = PASSERELLE__CONFIG__CACHE__INIT;
    const Passerelle__Config__Cache *said = reader->file.content->cache;
    const Passerelle__Config__Cache *text = said ? said : &defaults;
    reader->config->cache = (CacheConfig){
        .memory = text->memory, .client_percent = text->client_percent, .joined = text->joined};
}

void config_read_usage(ConfigReader *reader)
{
    const Passerelle__Config__Usage *text = reader->file.content->usage;
    if (text)
        reader->config->usage = (UsageConfig){
            .on = true, .memory = text->memory, .every = text->every, .keep = text->keep};
}

void config_read_overload(ConfigReader *reader)
{
    static const Passerelle__Config__Overload defaults = PASSERELLE__CONFIG__OVERLOAD__INIT;
    const Passerelle__Config__Overload *said = reader->file.content->overload;
    const Passerelle__Config__Overload *text = said ? said : &defaults;
    reader->config->overload = (OverloadConfig){.shed = text->shed,
                                                .delay = text->delay,
                                                .interval = text->interval,
                                                .calm = text->calm,
                                                .retry_after = text->retry_after,
                                                .pause = text->pause};
    if (text->delay > text->interval)
        config_tell(reader, "overload.delay", "delay: 10ms",
                    "one turn that is late would be overload: it is more than interval, which is "
                    "%lld ms",
                    (long long)(text->interval / 1000000));
}
