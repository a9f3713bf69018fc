/* passerelle instance eject, drain, return; service pin, unpin: what operators do by hand. */
#include "gateway/commands/admin_client.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/percent.h"

/* "orders: 2 of 3 instances get calls" */
static void add_service(Buffer *out, const JsonNode *row)
{
    buffer_printf(out, "%.*s: %.*s of %.*s instances get calls\n",
                  BYTES_ARGS(json_member_text(row, "service")),
                  BYTES_ARGS(json_member_text(row, "left")),
                  BYTES_ARGS(json_member_text(row, "instances")));
}

/* False: it is no such answer. */
static bool add_answer(Buffer *out, Bytes answer)
{
    JsonNode *root;
    Result r = json_parse(out->arena, answer, &(JsonLimits){0}, &root);
    error_ignore(r, "the gateway's own page; told by the caller");
    const JsonNode *services = failed(r) ? NULL : json_member(root, "services");
    const JsonNode *lifted = failed(r) ? NULL : json_member(root, "lifted");
    if (!services || !json_member_text(root, "action").size)
        return false;
    buffer_printf(out, "%.*s: %.*s", BYTES_ARGS(json_member_text(root, "action")),
                  BYTES_ARGS(json_member_text(root, "target")));
    if (json_member_text(root, "to").size)
        buffer_printf(out, " to %.*s", BYTES_ARGS(json_member_text(root, "to")));
    if (json_member_text(root, "until").size)
        buffer_printf(out, " until %.*s", BYTES_ARGS(json_member_text(root, "until")));
    buffer_add_text(out,
                    lifted && lifted->kind == JSON_FALSE ? ": there was nothing to lift\n" : "\n");
    for (const JsonNode *row = services->first; row; row = row->next)
        add_service(out, row);
    return true;
}

static int act(const CommandLine *line, Buffer *path, Arena *arena)
{
    Buffer text = buffer_in(arena);
    Bytes answer;
    int code = admin_act(line, arena_text(arena, buffer_bytes(path)), arena, &answer);
    if (code == EXIT_WELL && !add_answer(&text, answer)) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        command_print(line, &text);
        command_print_json(line, answer);
    }
    return code;
}

/* "?address=10.0.0.7:7001"; NULL: left out. */
static void add_part(Buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    bool first = !memchr(path->data, '?', path->size);
    buffer_printf(path, "%c%s=", first ? '?' : '&', name);
    percent_encode(path, bytes_of(value), PERCENT_KEEP_UNRESERVED);
}

/* What would be ignored is a mistake. */
static bool time_fits(const CommandLine *line, bool lasts)
{
    bool fits = lasts || !command_option(line, "--for");
    if (!fits)
        command_tell(line, "--for: %s ends what has a time: leave it out", line->arguments[0]);
    return fits;
}

int command_instance(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    bool lasts = strcmp(word, "eject") == 0 || strcmp(word, "drain") == 0;
    if (line->n != 2 || (!lasts && strcmp(word, "return") != 0) || !line->arguments[1][0])
        return command_usage(line->command);
    if (!time_fits(line, lasts))
        return EXIT_USAGE;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_printf(&path, "/instance/%s", word);
    add_part(&path, "address", line->arguments[1]);
    add_part(&path, "for", command_option(line, "--for"));
    int code = act(line, &path, arena);
    arena_free(arena);
    return code;
}

/* The service may be left out where there is only one. */
int command_service(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    bool pins = strcmp(word, "pin") == 0;
    int most = pins ? 3 : 2;
    if ((!pins && strcmp(word, "unpin") != 0) || line->n > most || line->n < most - 1)
        return command_usage(line->command);
    if (!time_fits(line, pins))
        return EXIT_USAGE;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_printf(&path, "/service/%s", word);
    add_part(&path, "service", line->n == most ? line->arguments[1] : NULL);
    add_part(&path, "to", pins ? line->arguments[most - 1 - (line->n < most)] : NULL);
    add_part(&path, "for", command_option(line, "--for"));
    int code = act(line, &path, arena);
    arena_free(arena);
    return code;
}
