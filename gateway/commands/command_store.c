/* passerelle store: what is in the store of a config, and a copy of it. */
#include "gateway/commands/command.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/json_text.h"
#include "gateway/store/sqlite_file.h"
#include "gateway/store/store_report.h"
#include "gateway/store/store_schema.h"

#include <string.h>

static StoreSettings settings_of(const Config *config)
{
    const StoreConfig *store = &config->store;
    return (StoreSettings){.sqlite = store->sqlite,
                           .postgresql = store->postgresql,
                           .connections = 1,
                           .queue = 1,
                           .time = store->time};
}

/* A damaged store is a negative result; one that cannot be asked gives none. */
static int tell_failure(const CommandLine *line, Arena *arena, Result r)
{
    command_tell(line, "%s", error_text(arena, r));
    const Fault *origin = error_origin(r)->fault;
    return origin == &FAULT_STORE_DOWN ? EXIT_UNREACHED : EXIT_NO;
}

/* ---- check ----------------------------------------------------------------------------------- */

static const char *time_text(Arena *arena, int64_t wall)
{
    char text[DATE_RFC3339_SIZE + 1] = {0};
    if (!wall)
        return "";
    date_write_rfc3339(wall / SECOND, 0, text);
    return arena_string(arena, text);
}

static const char *bytes_text(Arena *arena, int64_t n)
{
    return n < 0 ? "" : arena_printf(arena, "%lld", (long long)n);
}

static void print_table(Arena *arena, const StoreTable *table, Buffer *out)
{
    const char *oldest = time_text(arena, table->oldest);
    buffer_printf(out, "%-16s %12lld %14s%s%s\n", table->name, (long long)table->rows,
                  bytes_text(arena, table->bytes), *oldest ? " " : "", oldest);
}

static void print_report(Arena *arena, const StoreReport *report, const Config *config, Buffer *out)
{
    buffer_printf(
        out, "%s %s: %lld bytes, schema %lld; this gateway knows schema %lld\n", report->kind,
        config->store.sqlite ? config->store.sqlite
                             : store_shown_address(arena, config->store.postgresql),
        (long long)report->bytes, (long long)report->schema, (long long)store_schema_number());
    if (report->n_tables)
        buffer_printf(out, "%-16s %12s %14s %s\n", "TABLE", "ROWS", "BYTES", "OLDEST");
    for (uint32_t i = 0; i < report->n_tables; i++)
        print_table(arena, &report->tables[i], out);
    for (uint32_t i = 0; i < report->n_damage; i++)
        buffer_printf(out, "damaged: %s\n", report->damage[i]);
    if (!report->n_damage && !store_report_is_usable(report))
        buffer_printf(out, "it needs a gateway that knows schema %lld\n",
                      (long long)report->oldest_reader);
}

static void add_table_json(Arena *arena, const StoreTable *table, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "table", bytes_of(table->name));
    json_text_add_number(out, "rows", table->rows);
    if (table->bytes >= 0)
        json_text_add_number(out, "bytes", table->bytes);
    if (table->oldest)
        json_text_add_member(out, "oldest", bytes_of(time_text(arena, table->oldest)));
    buffer_add_byte(out, '}');
}

static void print_report_json(Arena *arena, const StoreReport *report, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_bool(out, "ok", store_report_is_usable(report));
    json_text_add_member(out, "kind", bytes_of(report->kind));
    json_text_add_number(out, "bytes", report->bytes);
    json_text_add_number(out, "schema", report->schema);
    json_text_add_number(out, "known_schema", store_schema_number());
    json_text_add_number(out, "oldest_reader", report->oldest_reader);
    json_text_open_list(out, "tables");
    for (uint32_t i = 0; i < report->n_tables; i++) {
        buffer_add_text(out, i ? "," : "");
        add_table_json(arena, &report->tables[i], out);
    }
    buffer_add_byte(out, ']');
    json_text_open_list(out, "damage");
    for (uint32_t i = 0; i < report->n_damage; i++) {
        buffer_add_text(out, i ? "," : "");
        json_text_add(out, bytes_of(report->damage[i]));
    }
    buffer_add_text(out, "]}");
}

static int check(const CommandLine *line, const Config *config, Arena *arena)
{
    StoreSettings settings = settings_of(config);
    StoreReport report;
    Result r = store_report(&settings, &store_kinds, true, arena, &report);
    if (failed(r))
        return tell_failure(line, arena, r);
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    print_report(arena, &report, config, &text);
    command_print(line, &text);
    print_report_json(arena, &report, &json);
    command_print_json(line, buffer_bytes(&json));
    return store_report_is_usable(&report) ? EXIT_WELL : EXIT_NO;
}

/* ---- backup ---------------------------------------------------------------------------------- */

/* As one word of a shell. */
static void add_quoted(Buffer *out, const char *word)
{
    buffer_add_byte(out, '\'');
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            buffer_add_text(out, "'\\'");
        buffer_add_byte(out, (uint8_t)*c);
    }
    buffer_add_byte(out, '\'');
}

/* The server has its own tools, which its operators trust: what would do it is said, and that it
   was not done. */
static int print_dump_command(const CommandLine *line, const Config *config, Arena *arena)
{
    Buffer out = buffer_in(arena);
    buffer_add_text(&out, "pg_dump --format=custom --table=store_schema");
    for (size_t i = 0; i < store_kinds.n; i++)
        buffer_printf(&out, " --table=%s", store_kinds.kinds[i].table);
    buffer_add_text(&out, " --file=");
    add_quoted(&out, line->arguments[2]);
    buffer_add_text(&out, " --dbname=");
    add_quoted(&out, store_shown_address(arena, config->store.postgresql));
    buffer_add_byte(&out, '\n');
    command_tell(line, "nothing was copied: PostgreSQL is backed up by its own tools, for example "
                       "by this command:");
    command_print(line, &out);
    Buffer json = buffer_in(arena);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "command", bytes_trim(buffer_bytes(&out)));
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
    return EXIT_NO;
}

static int back_up(const CommandLine *line, const Config *config, Arena *arena)
{
    if (config->store.postgresql)
        return print_dump_command(line, config, arena);
    Result r = sqlite_file_back_up(arena, config->store.sqlite, line->arguments[2]);
    if (failed(r))
        return tell_failure(line, arena, r);
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    buffer_printf(&text, "copied to %s\n", line->arguments[2]);
    command_print(line, &text);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "file", bytes_of(line->arguments[2]));
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

int command_store(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    bool checks = strcmp(word, "check") == 0 && line->n == 2;
    bool backs_up = strcmp(word, "backup") == 0 && line->n == 3;
    if (!checks && !backs_up)
        return command_usage(line->command);
    Config *config = command_config(line, 1);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int code = EXIT_NO;
    if (!config->store.sqlite && !config->store.postgresql)
        command_tell(line, "%s has no key `store`", line->arguments[1]);
    else
        code = checks ? check(line, config, arena) : back_up(line, config, arena);
    arena_free(arena);
    config_unref(config);
    return code;
}
