/* passerelle audit: what operators changed. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/text/json_text.h"

typedef struct Row {
    Bytes at, node, who, action, result, why;
} Row;

static Row read_row(JsonCursor *cursor)
{
    Row row = {0};
    Bytes name;
    const struct {
        const char *name;
        Bytes *into;
    } members[] = {{"at", &row.at},          {"node", &row.node},     {"who", &row.who},
                   {"action", &row.action},  {"result", &row.result}, {"why", &row.why},
                   {"why_failure", &row.why}};
    for (bool first = true; json_cursor_member(cursor, &first, &name);) {
        Bytes *into = NULL;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (bytes_are(name, members[i].name))
                into = members[i].into;
        if (into)
            *into = json_cursor_string(cursor);
        else
            json_cursor_skip(cursor);
    }
    return row;
}

static void add_row(Buffer *out, const Row *row)
{
    command_add_cell(out, row->at, 20);
    command_add_cell(out, row->node, 16);
    command_add_cell(out, row->who, 16);
    command_add_cell(out, row->action, 8);
    command_add_cell(out, row->result, 16);
    command_add_cell(out, row->why, 0);
}

/* False: the page is no such list. */
static bool add_rows(Buffer *out, Bytes page)
{
    JsonCursor cursor = json_cursor(page, out->arena);
    Bytes name;
    add_row(out, &(Row){bytes_of("AT"), bytes_of("NODE"), bytes_of("WHO"), bytes_of("ACTION"),
                        bytes_of("RESULT"), bytes_of("WHY")});
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        for (bool head = true; json_cursor_element(&cursor, &head);) {
            Row row = read_row(&cursor);
            add_row(out, &row);
        }
    }
    return json_cursor_finish(&cursor);
}

int command_audit(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int code = admin_print(line, admin_get, "/audit", add_rows, arena);
    arena_free(arena);
    return code;
}
