/* passerelle fleet: the gateways that share a store, and where they differ. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/text/json_text.h"

typedef struct Row {
    Bytes node, version, config, last_seen, drift;
} Row;

/* "silent", "config", "build" and "name", with commas between them. */
static Bytes read_drift(JsonCursor *cursor)
{
    Buffer text = buffer_in(cursor->arena);
    for (bool first = true; json_cursor_element(cursor, &first);) {
        if (text.size)
            buffer_add_text(&text, ", ");
        Bytes word = json_cursor_string(cursor);
        buffer_add(&text, word.data, word.size);
    }
    return buffer_bytes(&text);
}

static Row read_row(JsonCursor *cursor)
{
    Row row = {0};
    Bytes name;
    for (bool first = true; json_cursor_member(cursor, &first, &name);) {
        if (bytes_are(name, "node"))
            row.node = json_cursor_string(cursor);
        else if (bytes_are(name, "version"))
            row.version = json_cursor_string(cursor);
        else if (bytes_are(name, "config"))
            row.config = json_cursor_string(cursor);
        else if (bytes_are(name, "last_seen"))
            row.last_seen = json_cursor_string(cursor);
        else if (bytes_are(name, "drift"))
            row.drift = read_drift(cursor);
        else
            json_cursor_skip(cursor);
    }
    return row;
}

static void add_row(Buffer *out, const Row *row)
{
    command_add_cell(out, row->node, 24);
    command_add_cell(out, row->version, 10);
    command_add_cell(out, row->config, 16);
    command_add_cell(out, row->last_seen, 20);
    command_add_cell(out, row->drift, 0);
}

/* What the page says. */
typedef struct List {
    Buffer rows;
    int n_drift;   /* gateways that differ */
    Bytes failure; /* of the store */
} List;

static void read_gateways(JsonCursor *cursor, List *list)
{
    for (bool first = true; json_cursor_element(cursor, &first);) {
        Row row = read_row(cursor);
        list->n_drift += row.drift.size > 0;
        add_row(&list->rows, &row);
    }
}

/* False where the page is no such list. */
static bool read_list(Arena *arena, Bytes page, List *list_out)
{
    JsonCursor cursor = json_cursor(page, arena);
    Bytes name;
    *list_out = (List){.rows = buffer_in(arena)};
    add_row(&list_out->rows, &(Row){bytes_of("NODE"), bytes_of("VERSION"), bytes_of("CONFIG"),
                                    bytes_of("LAST SEEN"), bytes_of("DRIFT")});
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "failure"))
            list_out->failure = json_cursor_string(&cursor);
        else if (bytes_are(name, "gateways"))
            read_gateways(&cursor, list_out);
        else
            json_cursor_skip(&cursor);
    }
    return json_cursor_finish(&cursor);
}

int command_fleet(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    List list;
    Bytes page;
    int code = admin_get(line, "/fleet", arena, &page);
    if (code == EXIT_WELL && !read_list(arena, page, &list)) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        command_print(line, &list.rows);
        command_print_json(line, page);
        if (list.failure.size)
            command_tell(line, "the store does not answer, the list may be old: %.*s",
                         BYTES_ARGS(list.failure));
        code = list.failure.size || list.n_drift ? EXIT_NO : EXIT_WELL;
    }
    arena_free(arena);
    return code;
}
