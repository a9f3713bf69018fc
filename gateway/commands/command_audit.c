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

static void print_row(const Row *row)
{
    printf("%-20.*s %-16.*s %-16.*s %-8.*s %-16.*s %.*s\n", BYTES_ARGS(row->at),
           BYTES_ARGS(row->node), BYTES_ARGS(row->who), BYTES_ARGS(row->action),
           BYTES_ARGS(row->result), BYTES_ARGS(row->why));
}

/* False: the page is no such list. */
static bool print_rows(Arena *arena, Bytes page)
{
    JsonCursor cursor = json_cursor(page, arena);
    Bytes name;
    print_row(&(Row){bytes_of("AT"), bytes_of("NODE"), bytes_of("WHO"), bytes_of("ACTION"),
                     bytes_of("RESULT"), bytes_of("WHY")});
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        for (bool head = true; json_cursor_element(&cursor, &head);) {
            Row row = read_row(&cursor);
            print_row(&row);
        }
    }
    return json_cursor_finish(&cursor);
}

int command_audit(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes page;
    int code = admin_get(line, "/audit", arena, &page);
    if (code == EXIT_WELL && command_flag(line, "--json"))
        printf("%.*s\n", BYTES_ARGS(page));
    else if (code == EXIT_WELL && !print_rows(arena, page)) {
        fprintf(stderr, "passerelle audit: this is not the admin listener of a gateway\n");
        code = EXIT_NO;
    }
    arena_free(arena);
    return code;
}
