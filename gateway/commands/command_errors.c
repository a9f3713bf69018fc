/* passerelle errors: the failures of a running gateway by their kind, the most critical first; and
   what operators say of them. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <string.h>

/* What is beneath a row of the table. */
static const char indent[] = "          ";

/* ---- The list -------------------------------------------------------------------------------- */

/* A column of the table: the member of a row. */
typedef struct Column {
    const char *name, *member;
    size_t width;
} Column;

static const Column columns[] = {
    {"CRITICAL", "criticality", 9}, {"IMPACT", "impact", 12},           {"COUNT", "count", 8},
    {"1 MIN", "last_minute", 6},    {"1 HOUR", "last_hour", 7},         {"CLIENTS", "clients", 8},
    {"LAST", "last", 20},           {"FINGERPRINT", "fingerprint", 17}, {"FAULT", "fault", 19},
    {"CODE", "code", 19},
};

enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void add_head(Buffer *out)
{
    for (int i = 0; i < N_COLUMNS; i++)
        command_add_cell(out, bytes_of(columns[i].name), columns[i].width);
    command_add_cell(out, bytes_of("METHOD"), 0);
}

/* A method may be called by itself, and by legs: a leg's route names what it belongs to. */
static void add_leg(Buffer *where, const JsonNode *row)
{
    static const char of_leg[] = " legs.";
    Bytes leg = json_member_text(row, "leg"), route = json_member_text(row, "route");
    if (leg.size)
        buffer_printf(where, "  leg %.*s", BYTES_ARGS(leg));
    if (json_member_text(row, "method").size && route.size &&
        memmem(route.data, route.size, of_leg, sizeof of_leg - 1))
        buffer_printf(where, "  by %.*s", BYTES_ARGS(route));
}

/* "shop.orders.v1.Orders/Get  v1 -> v3  (attempts)": what kinds may differ in, beside the columns
   and the cause. */
static void add_where(Buffer *out, const JsonNode *row)
{
    Bytes client = json_member_text(row, "client_version"),
          served = json_member_text(row, "served_version");
    Bytes method = json_member_text(row, "method");
    Buffer where = buffer_in(out->arena);
    buffer_add_bytes(&where, method.size ? method : json_member_text(row, "route"));
    if (client.size) {
        buffer_add_text(&where, "  ");
        buffer_add_bytes(&where, client);
        buffer_add_text(&where, " -> ");
        buffer_add_bytes(&where, served.size ? served : bytes_of("-"));
    }
    add_leg(&where, row);
    if (bytes_are(json_member_text(row, "of"), "attempt"))
        buffer_add_text(&where, "  (attempts)");
    command_add_cell(out, buffer_bytes(&where), 0);
}

/* "muted; owner: ada; ticket: T-1; by uid 0" */
static void add_annotation(Buffer *out, const JsonNode *row)
{
    static const char *const names[] = {"owner", "ticket", "cause", "why"};
    const JsonNode *annotation = json_member(row, "annotation");
    if (!annotation)
        return;
    const JsonNode *muted = json_member(annotation, "muted");
    Buffer said = buffer_in(out->arena);
    Bytes changed = json_member_text(annotation, "changed");
    if (muted && muted->kind == JSON_TRUE)
        buffer_add_text(&said, "muted; ");
    if (changed.size)
        buffer_printf(&said, "acknowledged, but has changed (%.*s); ", BYTES_ARGS(changed));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Bytes text = json_member_text(annotation, names[i]);
        if (text.size)
            buffer_printf(&said, "%s: %.*s; ", names[i], BYTES_ARGS(text));
    }
    buffer_printf(&said, "by %.*s", BYTES_ARGS(json_member_text(annotation, "who")));
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&said), 0);
}

/* "complaints: 2": of so many clients (passerelle feedback) */
static void add_complaints(Buffer *out, const JsonNode *row)
{
    Bytes complaints = json_member_text(row, "complaints");
    if (!complaints.size)
        return;
    buffer_add_text(out, indent);
    buffer_printf(out, "complaints: %.*s\n", BYTES_ARGS(complaints));
}

static void add_row(Buffer *out, const JsonNode *row)
{
    for (int i = 0; i < N_COLUMNS; i++)
        command_add_cell(out, json_member_text(row, columns[i].member), columns[i].width);
    add_where(out, row);
    Bytes cause = json_member_text(row, "cause");
    buffer_add_text(out, indent);
    command_add_cell(out, cause.size ? cause : bytes_of("no cause is known"), 0);
    add_complaints(out, row);
    add_annotation(out, row);
}

static void add_rows(Buffer *out, const char *title, const JsonNode *rows, const JsonNode *evicted,
                     uint64_t limit)
{
    Bytes gone = evicted ? json_member_text(evicted, "rows") : BYTES_NONE;
    buffer_printf(out, "%s: %u", title, rows->count);
    if (gone.size && !bytes_are(gone, "0"))
        buffer_printf(out, "; %.*s gave way", BYTES_ARGS(gone));
    buffer_add_byte(out, '\n');
    if (rows->count)
        add_head(out);
    admin_page_add_rows(out, rows, limit, add_row);
}

/* False: it is no such page. */
static bool add_page(Buffer *out, Bytes page, uint64_t limit)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *failures = json_member(root, "failures");
    const JsonNode *mistakes = json_member(root, "mistakes");
    if (!failures || !mistakes)
        return false;
    add_rows(out, "failures", failures, json_member(root, "evicted_failures"), limit);
    add_rows(out, "\nmistakes of clients", mistakes, json_member(root, "evicted_mistakes"), limit);
    return true;
}

/* ---- Annotations ----------------------------------------------------------------------------- */

/* False: nothing is to be said. */
static bool write_annotation(const CommandLine *line, Buffer *out)
{
    static const char *const texts[][2] = {
        {"--owner", "owner"}, {"--cause", "cause"}, {"--ticket", "ticket"}};
    bool acknowledge = command_flag(line, "--acknowledge");
    buffer_add_byte(out, '{');
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = command_option(line, texts[i][0]);
        if (text)
            json_text_add_member(out, texts[i][1], bytes_of(text));
    }
    if (acknowledge || command_flag(line, "--unmute"))
        json_text_add_bool(out, "acknowledged", acknowledge);
    buffer_add_byte(out, '}');
    return out->size > 2;
}

static int annotate(const CommandLine *line)
{
    const char *fingerprint = line->arguments[1];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    Bytes answer;
    int code = EXIT_USAGE;
    if (!admin_page_is_id(fingerprint))
        command_tell(line, "a fingerprint has 16 hexadecimal digits");
    else if (!write_annotation(line, &json))
        command_tell(line, "there is nothing to say: give --owner, --cause, --ticket, "
                           "--acknowledge or --unmute");
    else
        code = admin_say(line, arena_printf(arena, "/errors/%s", fingerprint), buffer_bytes(&json),
                         arena, &answer);
    if (code == EXIT_WELL)
        command_print_json(line, answer);
    arena_free(arena);
    return code;
}

/* The first of these options that was given; NULL: none was. */
static const char *given_of(const CommandLine *line, const char *const *names)
{
    for (; *names; names++)
        for (int i = 0; i < line->n_given; i++)
            if (strcmp(line->given[i].option->name, *names) == 0)
                return *names;
    return NULL;
}

/* What would be ignored is a mistake. */
static bool options_fit(const CommandLine *line, bool annotating)
{
    static const char *const of_list[] = {"--watch", "--limit", NULL};
    static const char *const of_annotation[] = {"--owner",  "--cause", "--ticket", "--acknowledge",
                                                "--unmute", "--why",   NULL};
    const char *wrong = given_of(line, annotating ? of_list : of_annotation);
    if (wrong && annotating)
        command_tell(line, "%s is for the list: leave it out, or annotate FINGERPRINT", wrong);
    else if (wrong)
        command_tell(line, "%s is for a kind of failures: annotate FINGERPRINT", wrong);
    return !wrong;
}

int command_errors(const CommandLine *line)
{
    bool annotating = line->n == 2 && strcmp(line->arguments[0], "annotate") == 0;
    if (line->n && !annotating)
        return command_usage(line->command);
    if (!options_fit(line, annotating))
        return EXIT_USAGE;
    return annotating ? annotate(line) : admin_page_show(line, "/errors", add_page);
}
