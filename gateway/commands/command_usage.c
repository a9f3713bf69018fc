/* passerelle usage, retire: who uses which version of a service, and the end of an old one. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/percent.h"

#include <stdio.h>

static void add_parameter(Buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_printf(path, "%c%s=", bytes_find(buffer_bytes(path), '?') < path->size ? '&' : '?',
                  name);
    percent_encode(path, bytes_of(value), PERCENT_KEEP_UNRESERVED);
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static Bytes number_text(Arena *arena, const JsonNode *row, const char *name)
{
    return bytes_of(arena_printf(arena, "%lld", (long long)json_member_number(row, name)));
}

static bool is_true(const JsonNode *row, const char *name)
{
    const JsonNode *member = json_member(row, name);
    return member && member->kind == JSON_TRUE;
}

static void add_method(Buffer *out, const JsonNode *row)
{
    Bytes clients = number_text(out->arena, row, "clients");
    Bytes field = json_member_text(row, "field");
    if (is_true(row, "more_clients"))
        clients = bytes_of(arena_printf(out->arena, "%.*s+", BYTES_ARGS(clients)));
    command_add_cell(out, json_member_text(row, "version"), 8);
    command_add_cell(out, number_text(out->arena, row, "calls"), 12);
    command_add_cell(out, clients, 10);
    command_add_cell(out, json_member_text(row, "last"), 20);
    if (field.size)
        command_add_cell(out, bytes_of(arena_printf(out->arena, "  %.*s", BYTES_ARGS(field))), 0);
    else
        command_add_cell(out, json_member_text(row, "method"), 0);
}

static void add_client(Buffer *out, const JsonNode *row)
{
    Bytes client = json_member_text(row, "client");
    command_add_cell(out, json_member_text(row, "version"), 8);
    command_add_cell(out, number_text(out->arena, row, "calls"), 12);
    command_add_cell(out, BYTES_NONE, 10);
    command_add_cell(out, json_member_text(row, "last"), 20);
    command_add_cell(out, client.size ? client : bytes_of("(anonymous)"), 0);
}

static void add_heading(Buffer *out, const char *clients, const char *what)
{
    command_add_cell(out, bytes_of("VERSION"), 8);
    command_add_cell(out, bytes_of("CALLS"), 12);
    command_add_cell(out, bytes_of(clients), 10);
    command_add_cell(out, bytes_of("LAST"), 20);
    command_add_cell(out, bytes_of(what), 0);
}

static void add_retiring(Buffer *out, const JsonNode *row)
{
    Bytes why = json_member_text(row, "why"), who = json_member_text(row, "who");
    buffer_printf(
        out, "%.*s of %.*s: %.*s, unused for %lld s of %lld s",
        BYTES_ARGS(json_member_text(row, "version")), BYTES_ARGS(json_member_text(row, "service")),
        BYTES_ARGS(json_member_text(row, "state")), (long long)json_member_number(row, "unused_s"),
        (long long)json_member_number(row, "unused_for_s"));
    if (why.size)
        buffer_printf(out, ": %.*s%s%.*s", BYTES_ARGS(why), who.size ? ", says " : "",
                      BYTES_ARGS(who));
    buffer_add_byte(out, '\n');
}

/* False: it is no such page. The gateway has limited the clients. */
static bool add_page(Buffer *out, Bytes page, uint64_t limit)
{
    (void)limit;
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *methods = json_member(root, "methods");
    const JsonNode *clients = json_member(root, "clients");
    const JsonNode *retiring = json_member(root, "retiring");
    if (!methods || !clients || !retiring)
        return false;
    add_heading(out, "CLIENTS", "METHOD");
    for (const JsonNode *row = methods->first; row; row = row->next)
        add_method(out, row);
    buffer_add_byte(out, '\n');
    add_heading(out, "", "CLIENT");
    for (const JsonNode *row = clients->first; row; row = row->next)
        add_client(out, row);
    if (json_member(root, "fields_counted") && !is_true(root, "fields_counted"))
        buffer_add_text(out, "\nfields of requests are not counted: write usage: {fields: true} "
                             "under the service\n");
    if (retiring->count)
        buffer_add_byte(out, '\n');
    for (const JsonNode *row = retiring->first; row; row = row->next)
        add_retiring(out, row);
    return true;
}

int command_usage_of(const CommandLine *line)
{
    if (line->n < 1 || line->n > 2)
        return command_usage(line->command);
    const char *limit = command_option(line, "--limit");
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, "/usage");
    add_parameter(&path, "service", line->arguments[0]);
    add_parameter(&path, "version", line->n > 1 ? line->arguments[1] : NULL);
    add_parameter(&path, "client", command_option(line, "--client"));
    add_parameter(&path, "fields", command_flag(line, "--fields") ? "true" : NULL);
    add_parameter(&path, "limit", limit ? limit : "20");
    buffer_add_byte(&path, 0);
    int code = admin_page_show(line, (const char *)path.data, add_page);
    arena_free(arena);
    return code;
}

/* ---- Retire ---------------------------------------------------------------------------------- */

int command_retire(const CommandLine *line)
{
    if (line->n != 2)
        return command_usage(line->command);
    if (!command_has_reason(line)) {
        command_tell(line, "this needs a reason: --why TEXT");
        return EXIT_USAGE;
    }
    bool again = command_flag(line, "--again");
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena), done = buffer_in(arena);
    Bytes answer;
    buffer_add_text(&path, "/retire");
    add_parameter(&path, "service", line->arguments[0]);
    add_parameter(&path, "version", line->arguments[1]);
    add_parameter(&path, "again", again ? "true" : NULL);
    buffer_add_byte(&path, 0);
    int code = admin_act(line, (const char *)path.data, arena, &answer);
    if (code == EXIT_WELL) {
        buffer_printf(&done, "%s of %s is %s\n", line->arguments[1], line->arguments[0],
                      again ? "served again" : "not served any more");
        command_print(line, &done);
        command_print_json(line, answer);
    }
    arena_free(arena);
    return code;
}
