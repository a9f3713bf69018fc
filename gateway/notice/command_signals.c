/* passerelle signals: what a running gateway has found unusual; and that somebody has seen it. */
#include "gateway/notice/command_notice.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "gateway/commands/admin_page.h"

#include <string.h>

/* What is beneath a row of the table. */
static const char indent[] = "                     ";

static void add_head(Buffer *out)
{
    command_add_cell(out, bytes_of("FOUND"), 20);
    command_add_cell(out, bytes_of("KIND"), 7);
    command_add_cell(out, bytes_of("TIMES"), 6);
    command_add_cell(out, bytes_of("ID"), 17);
    command_add_cell(out, bytes_of("SUBJECT"), 0);
}

/* "since 2026-11-30T09:00:00Z; usual: 0.1; now: 0.14" */
static void add_evidence(Buffer *out, const JsonNode *row)
{
    const JsonNode *evidence = json_member(row, "evidence");
    Buffer text = buffer_in(out->arena);
    buffer_printf(&text, "since %.*s", BYTES_ARGS(json_member_text(row, "since")));
    for (const JsonNode *fact = evidence ? evidence->first : NULL; fact; fact = fact->next)
        buffer_printf(&text, "; %.*s: %.*s", BYTES_ARGS(fact->name), BYTES_ARGS(fact->text));
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&text), 0);
}

static void add_acknowledged(Buffer *out, const JsonNode *row)
{
    Bytes at = json_member_text(row, "acknowledged"), why = json_member_text(row, "why");
    if (!at.size)
        return;
    Buffer text = buffer_in(out->arena);
    buffer_printf(&text, "acknowledged %.*s by %.*s%s%.*s", BYTES_ARGS(at),
                  BYTES_ARGS(json_member_text(row, "who")), why.size ? ": " : "", BYTES_ARGS(why));
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&text), 0);
}

static void add_row(Buffer *out, const JsonNode *row)
{
    command_add_cell(out, json_member_text(row, "at"), 20);
    command_add_cell(out, json_member_text(row, "kind"), 7);
    command_add_cell(out, json_member_text(row, "times"), 6);
    command_add_cell(out, json_member_text(row, "id"), 17);
    command_add_cell(out, json_member_text(row, "subject"), 0);
    add_evidence(out, row);
    add_acknowledged(out, row);
}

/* False: it is no such page. */
static bool add_page(Buffer *out, Bytes page, uint64_t limit)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *signals = json_member(root, "signals");
    if (!signals)
        return false;
    buffer_printf(out, "signals: %u\n", signals->count);
    if (signals->count)
        add_head(out);
    admin_page_add_rows(out, signals, limit, add_row);
    return true;
}

static int acknowledge(const CommandLine *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes answer;
    int code = EXIT_USAGE;
    if (!admin_page_is_id(line->arguments[1]))
        command_tell(line, "the id of a signal has 16 hexadecimal digits");
    else
        code =
            admin_act(line, arena_printf(arena, "/signals/%s", line->arguments[1]), arena, &answer);
    if (code == EXIT_WELL)
        command_print_json(line, answer);
    arena_free(arena);
    return code;
}

int command_signals(const CommandLine *line)
{
    bool acknowledging = line->n == 2 && strcmp(line->arguments[0], "acknowledge") == 0;
    if (line->n && !acknowledging)
        return command_usage(line->command);
    return acknowledging ? acknowledge(line) : admin_page_show(line, "/signals", add_page);
}
