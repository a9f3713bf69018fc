/* passerelle healing: what a running gateway does about what is broken. passerelle limits: who is
   refused most. passerelle shadow: what copies of calls have shown. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "gateway/shadow/shadow_report.h"

/* A column of a table: the member of a row. */
typedef struct Column {
    const char *name, *member;
    size_t width; /* 0: the last one */
} Column;

static const Column now_columns[] = {
    {"SINCE", "since", 25},     {"SECONDS", "seconds", 10}, {"ACT", "act", 10},
    {"SERVICE", "service", 16}, {"SUBJECT", "subject", 24}, {"WHY", "why", 0},
};

static const Column history_columns[] = {
    {"ENDED", "ended", 25},     {"SECONDS", "seconds", 10}, {"ACT", "act", 10},
    {"SERVICE", "service", 16}, {"SUBJECT", "subject", 24}, {"WHY", "why", 0},
};

static const Column act_columns[] = {
    {"ACT", "act", 10},        {"SERVICE", "service", 16},
    {"TOTAL", "total", 10},    {"NOW", "now", 6},
    {"LATELY", "lately", 8},   {"AT MOST", "at_most", 8},
    {"SECONDS", "seconds", 8}, {"", "", 0},
};

static const Column manual_columns[] = {
    {"UNTIL", "until", 25}, {"ACT", "act", 10}, {"TARGET", "target", 24},
    {"TO", "to", 10},       {"WHO", "who", 16}, {"WHY", "why", 0},
};

static const Column limited_columns[] = {
    {"SINCE", "since", 25}, {"LAST", "last", 25},    {"REFUSED", "refused", 10},
    {"LIMIT", "limit", 24}, {"CLIENT", "client", 0},
};

/* What is beneath a row of a table. */
static const char indent[] = "                         ";

static bool is_true(const JsonNode *row, const char *name)
{
    const JsonNode *member = json_member(row, name);
    return member && member->kind == JSON_TRUE;
}

/* What the last column of acts says: whether it is too much. */
static Bytes verdict_of(const JsonNode *row)
{
    if (is_true(row, "stopped"))
        return bytes_of("too many: no more are done");
    return bytes_of(is_true(row, "excess") ? "too many" : "");
}

static void add_row(Buffer *out, const Column *columns, const JsonNode *row)
{
    for (; columns->width; columns++)
        command_add_cell(out, json_member_text(row, columns->member), columns->width);
    if (columns->member[0] && is_true(row, "excess"))
        buffer_add_text(out, "too many: ");
    command_add_cell(
        out, columns->member[0] ? json_member_text(row, columns->member) : verdict_of(row), 0);
}

static void add_beneath(Buffer *out, const char *what, Bytes text)
{
    if (!text.size)
        return;
    buffer_printf(out, "%s%s: ", indent, what);
    command_add_cell(out, text, 0);
}

static void add_rows(Buffer *out, const char *title, const Column *columns, const JsonNode *rows,
                     uint64_t limit)
{
    buffer_printf(out, "%s: %u\n", title, rows->count);
    for (const Column *column = columns; rows->count; column++) {
        command_add_cell(out, bytes_of(column->name), column->width);
        if (!column->width)
            break;
    }
    uint64_t shown = 0;
    for (const JsonNode *row = rows->first; row && shown < limit; row = row->next, shown++) {
        add_row(out, columns, row);
        add_beneath(out, "ended", json_member_text(row, "how"));
        add_beneath(out, "because", json_member_text(row, "cause"));
    }
    if (shown < rows->count)
        buffer_printf(out, "%llu more: --limit\n", (unsigned long long)(rows->count - shown));
}

/* False: it is no such page. */
static bool add_page(Buffer *out, Bytes page, uint64_t limit)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *now = json_member(root, "now");
    const JsonNode *acts = json_member(root, "acts");
    const JsonNode *history = json_member(root, "history");
    const JsonNode *manual = json_member(root, "manual");
    if (!now || !acts || !history || !manual)
        return false;
    Bytes store = json_member_text(root, "store_down");
    if (store.size)
        buffer_printf(out,
                      "the store (%.*s) cannot be used, or has no room: nothing is kept; the event "
                      "store_down says why\n\n",
                      BYTES_ARGS(store));
    if (manual->count)
        add_rows(out, "by hand", manual_columns, manual, UINT64_MAX);
    if (manual->count)
        buffer_add_byte(out, '\n');
    add_rows(out, "now", now_columns, now, limit);
    add_rows(out, "\nacts", act_columns, acts, limit);
    add_rows(out, "\nhistory", history_columns, history, limit);
    return true;
}

int command_healing(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    return admin_page_show(line, "/healing", add_page);
}

static bool add_limited(Buffer *out, Bytes page, uint64_t limit)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *limited = json_member(root, "limited");
    if (limited)
        add_rows(out, "limited now", limited_columns, limited, limit);
    return limited != NULL;
}

int command_limits(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    return admin_page_show(line, "/limits", add_limited);
}

int command_shadow(const CommandLine *line)
{
    char path[200];
    if (line->n > 1)
        return command_usage(line->command);
    snprintf(path, sizeof path, "/shadow%s%s", line->n ? "?service=" : "",
             line->n ? line->arguments[0] : "");
    return admin_page_show(line, path, shadow_report_write);
}
