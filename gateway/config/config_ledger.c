/* The ledger of failures: its settings, and what its records do not show. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"

/* Of a record of a call: a line of the log, and what the ledger adds to it. */
static const char *const member_names[] = {
    "age_s",
    "attempts",
    "build",
    "bytes_in",
    "bytes_out",
    "causes",
    "claims",
    "class",
    "client",
    "client_by",
    "client_version",
    "code",
    "codec",
    "degraded",
    "degraded_by",
    "detail_causes",
    "dialect",
    "doing",
    "failure_mode",
    "field",
    "forwarded_for",
    "http_status",
    "impact",
    "instance",
    "level",
    "listener",
    "log",
    "losses",
    "lost",
    "messages_in",
    "messages_out",
    "method",
    "node",
    "path",
    "peer",
    "request_id",
    "response_version",
    "retry_refused",
    "route",
    "rule",
    "served_version",
    "served_why",
    "service",
    "status_code",
    "tenant",
    "time",
    "to_upstream_ms",
    "total_ms",
    "trace_id",
    "tries",
    "unknown",
    "upstream_head_ms",
    "verb",
};

enum { N_MEMBERS = sizeof member_names / sizeof *member_names };

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
}

/* ---- What is redacted ------------------------------------------------------------------------ */

/* One entry of `redact`, while it is looked for. */
typedef struct Redacted {
    ConfigReader *reader;
    const char *name;
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

static bool is_member(const char *name)
{
    for (int i = 0; i < N_MEMBERS; i++)
        if (strcmp(member_names[i], name) == 0)
            return true;
    return false;
}

static const char *hint_of(const Redacted *redacted)
{
    ConfigReader *reader = redacted->reader;
    const char *member = nearest_word(bytes_of(redacted->name), member_names, N_MEMBERS);
    const char *near = redacted->good || !member ? redacted->near : member;
    return near ? arena_printf(reader->arena, "did you mean \"%s\"", near)
                : "for example client, or order.customer";
}

static void check_name(Redacted *redacted, const char *path)
{
    if (is_member(redacted->name)) {
        redacted->found = true;
        add_name(redacted, redacted->name);
    }
    look_everywhere(redacted);
    if (!redacted->found)
        config_tell(redacted->reader, path, hint_of(redacted),
                    "\"%s\" is neither a member of a record nor a field of a message",
                    redacted->name);
}

void config_check_ledger(ConfigReader *reader)
{
    const Passerelle__Config__Ledger *said = reader->file.content->ledger;
    Buffer names = buffer_in(reader->arena);
    for (size_t i = 0; said && i < said->n_redact; i++) {
        Redacted redacted = {.reader = reader, .name = said->redact[i], .names = &names};
        check_name(&redacted, config_path(reader, "ledger.redact[%zu]", i));
    }
    const char *end = NULL;
    buffer_add(&names, &end, sizeof end);
    reader->config->ledger.redact = (const char *const *)names.data;
}
