/* passerelle fleet: the gateways that share a store, and where they differ. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/text/json_text.h"

typedef struct Row {
    Bytes node, version, config, last_seen, drift;
} Row;

/* "silent", "config" and "build", with commas between them. */
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

static void print_row(const Row *row)
{
    printf("%-24.*s %-10.*s %-16.*s %-20.*s %.*s\n", BYTES_ARGS(row->node),
           BYTES_ARGS(row->version), BYTES_ARGS(row->config), BYTES_ARGS(row->last_seen),
           BYTES_ARGS(row->drift));
}

/* Returns the number of gateways with a drift. */
static int print_gateways(JsonCursor *cursor, bool quiet)
{
    int n_drift = 0;
    for (bool first = true; json_cursor_element(cursor, &first);) {
        Row row = read_row(cursor);
        n_drift += row.drift.size > 0;
        if (!quiet)
            print_row(&row);
    }
    return n_drift;
}

/* False where the page is no such list. */
static bool print_rows(Arena *arena, Bytes page, bool quiet, int *n_drift_out, Bytes *failure_out)
{
    JsonCursor cursor = json_cursor(page, arena);
    Bytes name;
    *n_drift_out = 0;
    *failure_out = BYTES_NONE;
    if (!quiet)
        print_row(&(Row){bytes_of("NODE"), bytes_of("VERSION"), bytes_of("CONFIG"),
                         bytes_of("LAST SEEN"), bytes_of("DRIFT")});
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "failure"))
            *failure_out = json_cursor_string(&cursor);
        else if (bytes_are(name, "gateways"))
            *n_drift_out = print_gateways(&cursor, quiet);
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
    Bytes page;
    int code = admin_get(line, "/fleet", arena, &page);
    if (code == EXIT_WELL) {
        bool json = command_flag(line, "--json");
        if (json)
            fwrite(page.data, 1, page.size, stdout);
        int n_drift;
        Bytes failure;
        bool list =
            print_rows(arena, page, json || command_flag(line, "--quiet"), &n_drift, &failure);
        if (!list)
            fprintf(stderr, "passerelle fleet: this is not the admin listener of a gateway\n");
        if (failure.size)
            fprintf(stderr,
                    "passerelle fleet: the store does not answer, the list may be old: %.*s\n",
                    BYTES_ARGS(failure));
        code = !list || failure.size || n_drift ? EXIT_NO : EXIT_WELL;
    }
    arena_free(arena);
    return code;
}
