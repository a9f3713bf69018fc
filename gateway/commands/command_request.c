/* passerelle request, idempotency: what a running gateway knows of one call, by its id or by its
   idempotency key. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"

#include <ctype.h>

enum { NAME_COLUMN = 20, ID_MOST = 128 };

static void add_value(Buffer *out, const JsonNode *value)
{
    if (value->kind == JSON_STRING)
        buffer_add_bytes(out, value->text);
    else
        json_write(out, value);
}

/* An element of a list on a line of its own: "  instance=10.0.0.7:7001 code=OK". What it has lists
   of comes beneath. */
static void add_element(Buffer *out, const JsonNode *element, int depth)
{
    buffer_printf(out, "%*s", 2 * depth, "");
    const char *between = "";
    for (const JsonNode *member = element->first; member; member = member->next) {
        if (member->kind == JSON_ARRAY)
            continue;
        buffer_printf(out, "%s%.*s=", between, BYTES_ARGS(member->name));
        add_value(out, member);
        between = "  ";
    }
    buffer_add_byte(out, '\n');
    for (const JsonNode *list = element->first; list; list = list->next)
        for (const JsonNode *beneath = list->kind == JSON_ARRAY ? list->first : NULL; beneath;
             beneath = beneath->next)
            add_element(out, beneath, depth + 1);
}

static void add_member(Buffer *out, const JsonNode *member)
{
    int width = NAME_COLUMN - (int)member->name.size;
    buffer_printf(out, "%.*s%*s", BYTES_ARGS(member->name), width > 0 ? width : 1, "");
    if (member->kind != JSON_ARRAY) {
        add_value(out, member);
        buffer_add_byte(out, '\n');
        return;
    }
    buffer_add_byte(out, '\n');
    for (const JsonNode *element = member->first; element; element = element->next)
        add_element(out, element, 1);
}

/* "converted: v1 -> v3 -> v1" */
static void add_conversion(Buffer *out, const JsonNode *record)
{
    const JsonNode *from = json_member(record, "client_version");
    const JsonNode *served = json_member(record, "served_version");
    const JsonNode *back = json_member(record, "response_version");
    if (!from || !served || !back ||
        (bytes_equal(from->text, served->text) && bytes_equal(served->text, back->text)))
        return;
    buffer_printf(out, "%-*s%.*s -> %.*s -> %.*s\n", NAME_COLUMN, "converted",
                  BYTES_ARGS(from->text), BYTES_ARGS(served->text), BYTES_ARGS(back->text));
}

/* False: it is no such page. */
static bool add_record(Buffer *out, Bytes page)
{
    const JsonNode *record = admin_page_read(out->arena, page);
    if (record->kind != JSON_OBJECT)
        return false;
    for (const JsonNode *member = record->first; member; member = member->next)
        add_member(out, member);
    add_conversion(out, record);
    return true;
}

/* ---- By its id ------------------------------------------------------------------------------- */

/* Ids are made of these; others would be another path. */
static bool is_id(const char *id)
{
    size_t size = strlen(id);
    bool good = size > 0 && size <= ID_MOST;
    for (size_t i = 0; good && i < size; i++)
        good = isalnum((unsigned char)id[i]) || strchr("-_.:", id[i]);
    return good && id[0] != '.';
}

int command_request(const CommandLine *line)
{
    if (line->n != 1)
        return command_usage(line->command);
    if (!is_id(line->arguments[0])) {
        command_tell(line, "this is no request id");
        return EXIT_USAGE;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *path = arena_printf(arena, "/requests/%s", line->arguments[0]);
    int code = admin_print(line, admin_get, path, add_record, arena);
    arena_free(arena);
    return code;
}

/* ---- By its idempotency key ------------------------------------------------------------------ */

/* False: it is no such page. */
static bool add_records(Buffer *out, Bytes page)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *records = json_member(root, "records");
    if (!records)
        return false;
    for (const JsonNode *record = records->first; record; record = record->next) {
        if (record != records->first)
            buffer_add_byte(out, '\n');
        for (const JsonNode *member = record->first; member; member = member->next)
            add_member(out, member);
    }
    return true;
}

/* "forgotten: 1 record" */
static bool add_forgotten(Buffer *out, Bytes answer)
{
    const JsonNode *root = admin_page_read(out->arena, answer);
    if (!json_member(root, "records"))
        return false;
    long long n = (long long)json_member_number(root, "records");
    buffer_printf(out, "forgotten: %lld record%s\n", n, n == 1 ? "" : "s");
    return true;
}

int command_idempotency(const CommandLine *line)
{
    const char *word = line->n == 2 ? line->arguments[0] : "";
    bool forgets = strcmp(word, "forget") == 0;
    if ((!forgets && strcmp(word, "show") != 0) || !*line->arguments[1])
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, forgets ? "/idempotency/forget" : "/idempotency");
    admin_path_add(&path, "key", line->arguments[1]);
    admin_path_add(&path, "client", command_option(line, "--client"));
    const char *text = arena_text(arena, buffer_bytes(&path));
    int code = forgets ? admin_print(line, admin_act, text, add_forgotten, arena)
                       : admin_print(line, admin_get, text, add_records, arena);
    arena_free(arena);
    return code;
}
