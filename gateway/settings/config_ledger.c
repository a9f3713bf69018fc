/* The ledger of failures: its settings, who is told of them, and what its records do not show. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "gateway/log_output/log_members.h"

/* ---- Webhooks -------------------------------------------------------------------------------- */

static void check_other_names(ConfigReader *reader, const char *name, const char *path)
{
    const LedgerConfig *ledger = &reader->config->ledger;
    for (uint32_t i = 0; i < ledger->n_webhooks; i++)
        if (strcmp(ledger->webhooks[i].name, name) == 0)
            config_tell(reader, path, NULL, "another webhook has the name %s already", name);
}

static const Fault *read_fault(ConfigReader *reader, const char *name, const char *path)
{
    const Fault *fault = fault_by_name(name);
    size_t n = 0;
    while (fault_table[n])
        n++;
    const char **names = arena_array(reader->arena, const char *, n);
    for (size_t i = 0; i < n; i++)
        names[i] = fault_table[i]->name;
    if (!fault)
        config_tell(reader, path, config_hint(reader, name, names, n), "there is no fault %s",
                    name);
    else if (fault->side == SIDE_CLIENT)
        config_tell(reader, path, "for example UPSTREAM_DOWN",
                    "%s is a mistake of clients, of which webhooks do not tell", name);
    return fault;
}

static void read_when(ConfigReader *reader, const Passerelle__Config__FailureTrigger *said,
                      const char *path, FailureTrigger *when)
{
    static const Passerelle__Config__FailureTrigger defaults =
        PASSERELLE__CONFIG__FAILURE_TRIGGER__INIT;
    const Passerelle__Config__FailureTrigger *text = said ? said : &defaults;
    *when = (FailureTrigger){
        .impact = config_impact(text->impact),
        .criticality = text->criticality,
        .failures = text->failures,
        .new_only = text->new_,
        .routes = config_texts(reader->arena, text->routes, text->n_routes),
        .services = config_texts(reader->arena, text->services, text->n_services),
    };
    if (!(text->criticality >= 0 && text->criticality <= 100))
        config_tell(reader, config_path(reader, "%s.when.criticality", path), "for example 0.5",
                    "a criticality is from 0 to 100");
    const Fault **faults = arena_array(reader->arena, const Fault *, text->n_faults + 1);
    for (size_t i = 0; i < text->n_faults; i++)
        faults[i] = read_fault(reader, text->faults[i],
                               config_path(reader, "%s.when.faults[%zu]", path, i));
    when->faults = text->n_faults ? faults : NULL;
}

static uint32_t read_signals(const Passerelle__Config__Webhook *text)
{
    uint32_t signals = 0;
    for (size_t i = 0; i < text->n_signals; i++)
        signals |= 1u << text->signals[i];
    return signals;
}

static void read_webhook(ConfigReader *reader, const Passerelle__Config__Webhook *text,
                         const char *path, WebhookConfig *webhook)
{
    *webhook = (WebhookConfig){
        .every = text->every,
        .per_hour = text->per_hour,
        .timeout = text->timeout,
        .backoff = text->backoff,
        .attempts = text->attempts,
        .queue = text->queue,
        .is_public = text->public_,
        .signals = read_signals(text),
        .signals_only = text->n_signals && !text->when,
    };
    read_when(reader, text->when, path, &webhook->when);
    const ReceiverText receiver = {text->name, text->url, text->ca, text->token_file,
                                   text->secret_file};
    config_read_receiver(reader, &receiver, path, webhook);
}

static void read_webhooks(ConfigReader *reader, const Passerelle__Config__Ledger *text)
{
    LedgerConfig *ledger = &reader->config->ledger;
    if (text->n_webhooks > WEBHOOKS_MOST) {
        config_tell(reader, "ledger.webhooks", NULL, "there are at most %d webhooks",
                    WEBHOOKS_MOST);
        return;
    }
    ledger->webhooks = arena_array(reader->arena, WebhookConfig, text->n_webhooks);
    for (size_t i = 0; i < text->n_webhooks; i++) {
        const Passerelle__Config__Webhook *one = text->webhooks[i];
        const char *path = config_path(reader, "ledger.webhooks[%zu]", i);
        if (one->name) /* else it was reported as missing */
            check_other_names(reader, one->name, config_path(reader, "%s.name", path));
        read_webhook(reader, one, path, &ledger->webhooks[ledger->n_webhooks++]);
    }
}

/* ---- What `when` names ----------------------------------------------------------------------- */

typedef struct Names {
    const char **all;
    uint32_t n;
} Names;

static void check_named(ConfigReader *reader, const char *name, const char *what, const char *path,
                        const Names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (strcmp(names->all[i], name) == 0)
            return;
    config_tell(reader, path, config_hint(reader, name, names->all, names->n), "there is no %s %s",
                what, name);
}

static void add_legs(Buffer *out, const Version *version)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Composed *composed = version->methods[i].extras->composed;
        for (uint32_t k = 0; composed && k < composed->n_legs; k++)
            if (composed->legs[k].route)
                buffer_add(out, &composed->legs[k].route->match, sizeof(const char *));
    }
}

static void add_job_call(Buffer *out, const JobCall *call)
{
    if (call)
        buffer_add(out, &call->route->match, sizeof(const char *));
}

static void add_steps(Buffer *out, const JobDefinition *job)
{
    for (uint32_t i = 0; i < job->rules.n_steps; i++) {
        add_job_call(out, job->steps[i].call);
        add_job_call(out, job->steps[i].undo);
    }
}

static Names names_in(const Buffer *out)
{
    return (Names){(const char **)out->data, (uint32_t)(out->size / sizeof(const char *))};
}

/* The routes of the config, and those of legs and steps: what the ledger calls `route`. */
static Names route_names(const ConfigReader *reader)
{
    const Config *config = reader->config;
    Buffer out = buffer_in(reader->arena);
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].match)
            buffer_add(&out, &config->routes[i].match, sizeof(const char *));
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            add_legs(&out, &config->services[i].versions[k]);
    for (uint32_t i = 0; i < config->n_jobs; i++)
        add_steps(&out, &config->jobs[i]);
    return names_in(&out);
}

static Names service_names(const ConfigReader *reader)
{
    const Config *config = reader->config;
    Buffer out = buffer_in(reader->arena);
    for (uint32_t i = 0; i < config->n_services; i++)
        buffer_add(&out, &config->services[i].name, sizeof(const char *));
    return names_in(&out);
}

void config_check_webhooks(ConfigReader *reader)
{
    const LedgerConfig *ledger = &reader->config->ledger;
    Names routes = route_names(reader), services = service_names(reader);
    for (uint32_t w = 0; w < ledger->n_webhooks; w++) {
        const FailureTrigger *when = &ledger->webhooks[w].when;
        for (size_t i = 0; when->routes && when->routes[i]; i++)
            check_named(reader, when->routes[i], "route",
                        config_path(reader, "ledger.webhooks[%u].when.routes[%zu]", w, i), &routes);
        for (size_t i = 0; when->services && when->services[i]; i++)
            check_named(reader, when->services[i], "service",
                        config_path(reader, "ledger.webhooks[%u].when.services[%zu]", w, i),
                        &services);
    }
}

/* ---- Settings -------------------------------------------------------------------------------- */

void config_read_ledger(ConfigReader *reader)
{
    static const Passerelle__Config__Ledger defaults = PASSERELLE__CONFIG__LEDGER__INIT;
    const Passerelle__Config__Ledger *said = reader->file.content->ledger;
    const Passerelle__Config__Ledger *text = said ? said : &defaults;
    reader->config->ledger = (LedgerConfig){.rows = text->rows,
                                            .requests = text->requests,
                                            .every = text->every,
                                            .unmute_rate = text->unmute_rate,
                                            .unmute_pause = text->unmute_pause};
    read_webhooks(reader, text);
}

/* ---- What is redacted ------------------------------------------------------------------------ */

/* What a record of a call has beside the members of its line in the log. */
static const char *const added_names[] = {"doing", "field", "lost", "tries"};

enum { N_ADDED = sizeof added_names / sizeof *added_names };

typedef struct Members {
    const char **names;
    size_t n;
} Members;

static Members members_of_records(Arena *arena)
{
    size_t n;
    const char *const *of_lines = log_members(&n);
    Members all = {arena_array(arena, const char *, n + N_ADDED), n + N_ADDED};
    memcpy(all.names, of_lines, n * sizeof *of_lines);
    memcpy(all.names + n, added_names, sizeof added_names);
    return all;
}

/* One entry of `redact`, while it is looked for. */
typedef struct Redacted {
    ConfigReader *reader;
    const Members *members;
    const char *name;
    bool of_log;   /* of `redact`; else of `ledger.redact` */
    Buffer *names; /* const char *: all spellings of it */
    bool found;
    size_t good;      /* bytes of the name that some message has */
    const char *near; /* what may stand there; NULL: nothing is near */
} Redacted;

static void add_name(Redacted *redacted, const char *name)
{
    const char **names = (const char **)redacted->names->data;
    for (size_t i = 0; i < redacted->names->size / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return;
    buffer_add(redacted->names, &name, sizeof name);
}

/* The path goes on with `part`, which the message lacks. */
static void miss(Redacted *redacted, const MessageType *type, Bytes part)
{
    Arena *arena = redacted->reader->arena;
    size_t at = (size_t)((const char *)part.data - redacted->name);
    const char *near = type ? message_nearest_field(type, part, arena) : NULL;
    if (at < redacted->good || (at == redacted->good && (redacted->near || !near)))
        return;
    redacted->good = at;
    redacted->near = near ? arena_printf(arena, "%.*s%s", (int)at, redacted->name, near) : NULL;
}

/* Errors name fields as clients do: by either of their names. */
static void look_in(Redacted *redacted, const MessageType *type)
{
    Arena *arena = redacted->reader->arena;
    Bytes rest = bytes_of(redacted->name), part;
    const char *proto = "", *json = "", *dot = "";
    while (bytes_split(&rest, '.', &part)) {
        const FieldType *field = type ? message_field(type, part) : NULL;
        if (!field) {
            miss(redacted, type, part);
            return;
        }
        proto = arena_printf(arena, "%s%s%s", proto, dot, field->name);
        json = arena_printf(arena, "%s%s%s", json, dot, field->json_name);
        dot = ".";
        type = field_element_message(field);
    }
    redacted->found = true;
    add_name(redacted, proto);
    add_name(redacted, json);
}

static void look_everywhere(Redacted *redacted)
{
    const Config *config = redacted->reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t v = 0; v < config->services[i].n_versions; v++) {
            const Version *version = &config->services[i].versions[v];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                look_in(redacted, version->methods[m].type->input);
                look_in(redacted, version->methods[m].type->output);
            }
        }
}

static bool is_member(const Members *members, const char *name)
{
    for (size_t i = 0; i < members->n; i++)
        if (strcmp(members->names[i], name) == 0)
            return true;
    return false;
}

static const char *hint_of(const Redacted *redacted)
{
    ConfigReader *reader = redacted->reader;
    const Members *members = redacted->members;
    const char *member = nearest_word(bytes_of(redacted->name), members->names, members->n);
    const char *near = redacted->good || !member ? redacted->near : member;
    return near ? arena_printf(reader->arena, "did you mean \"%s\"", near)
                : "for example client, or order.customer";
}

/* Outputs, filters and samples of the log go by them. */
static bool is_needed(const char *name)
{
    return strcmp(name, "level") == 0 || strcmp(name, "log") == 0 || strcmp(name, "time") == 0;
}

static void check_name(Redacted *redacted, const char *path)
{
    if (redacted->of_log && is_needed(redacted->name)) {
        config_tell(redacted->reader, path, NULL,
                    "the log needs \"%s\" to know where a line belongs: it cannot be hidden",
                    redacted->name);
        return;
    }
    if (is_member(redacted->members, redacted->name)) {
        redacted->found = true;
        add_name(redacted, redacted->name);
    }
    look_everywhere(redacted);
    if (!redacted->found)
        config_tell(redacted->reader, path, hint_of(redacted),
                    "\"%s\" is neither a member of a record nor a field of a message",
                    redacted->name);
}

static void check_names(ConfigReader *reader, char *const *said, size_t n, const char *key,
                        Buffer *names)
{
    Members members = members_of_records(reader->arena);
    for (size_t i = 0; i < n; i++) {
        Redacted redacted = {.reader = reader,
                             .members = &members,
                             .name = said[i],
                             .names = names,
                             .of_log = strcmp(key, "redact") == 0};
        check_name(&redacted, config_path(reader, "%s[%zu]", key, i));
    }
}

/* A copy that ends with NULL; NULL: there are none. */
static const char *const *list_of(ConfigReader *reader, const Buffer *names)
{
    if (!names->size)
        return NULL;
    Buffer list = buffer_in(reader->arena);
    const char *end = NULL;
    buffer_add_bytes(&list, buffer_bytes(names));
    buffer_add(&list, &end, sizeof end);
    return (const char *const *)list.data;
}

void config_check_ledger(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    const Passerelle__Config__Ledger *said = text->ledger;
    Buffer names = buffer_in(reader->arena);
    check_names(reader, text->redact, text->n_redact, "redact", &names);
    reader->config->log.redact = list_of(reader, &names);
    if (said)
        check_names(reader, said->redact, said->n_redact, "ledger.redact", &names);
    reader->config->ledger.redact = list_of(reader, &names);
}
