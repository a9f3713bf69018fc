/* passerelle errors: the failures of a running gateway by their kind, the most critical first; and
   what operators say of them. */
#include "gateway/commands/admin_client.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <unistd.h>

enum { WATCH_SECONDS = 2 };

/* Home, and clear what is below. */
static const char clear_screen[] = "\033[H\033[2J";

/* What is beneath a row of the table. */
static const char indent[] = "          ";

static Bytes text_of(const JsonNode *row, const char *name)
{
    const JsonNode *member = json_member(row, name);
    return member ? member->text : BYTES_NONE;
}

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
};

enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void add_head(Buffer *out)
{
    for (int i = 0; i < N_COLUMNS; i++)
        command_add_cell(out, bytes_of(columns[i].name), columns[i].width);
    command_add_cell(out, bytes_of("METHOD"), 0);
}

/* "shop.orders.v1.Orders/Get  v1 -> v3" */
static void add_where(Buffer *out, const JsonNode *row)
{
    Bytes client = text_of(row, "client_version"), served = text_of(row, "served_version");
    Bytes method = text_of(row, "method");
    Buffer where = buffer_in(out->arena);
    buffer_add_bytes(&where, method.size ? method : text_of(row, "route"));
    if (client.size) {
        buffer_add_text(&where, "  ");
        buffer_add_bytes(&where, client);
        buffer_add_text(&where, " -> ");
        buffer_add_bytes(&where, served.size ? served : bytes_of("-"));
    }
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
    if (muted && muted->kind == JSON_TRUE)
        buffer_add_text(&said, "muted; ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Bytes text = text_of(annotation, names[i]);
        if (text.size)
            buffer_printf(&said, "%s: %.*s; ", names[i], BYTES_ARGS(text));
    }
    buffer_printf(&said, "by %.*s", BYTES_ARGS(text_of(annotation, "who")));
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&said), 0);
}

static void add_row(Buffer *out, const JsonNode *row)
{
    for (int i = 0; i < N_COLUMNS; i++)
        command_add_cell(out, text_of(row, columns[i].member), columns[i].width);
    add_where(out, row);
    Bytes cause = text_of(row, "cause");
    buffer_add_text(out, indent);
    command_add_cell(out, cause.size ? cause : bytes_of("no cause is known"), 0);
    add_annotation(out, row);
}

static void add_rows(Buffer *out, const char *title, const JsonNode *rows, const JsonNode *evicted)
{
    Bytes gone = evicted ? text_of(evicted, "rows") : BYTES_NONE;
    buffer_printf(out, "%s: %u", title, rows->count);
    if (gone.size && !bytes_are(gone, "0"))
        buffer_printf(out, "; %.*s gave way", BYTES_ARGS(gone));
    buffer_add_byte(out, '\n');
    if (rows->count)
        add_head(out);
    for (const JsonNode *row = rows->first; row; row = row->next)
        add_row(out, row);
}

/* False: it is no such page. */
static bool add_page(Buffer *out, Bytes page)
{
    JsonNode *root;
    Result r = json_parse(out->arena, page, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the gateway's own page; told by the caller");
    const JsonNode *failures = failed(r) ? NULL : json_member(root, "failures");
    const JsonNode *mistakes = failed(r) ? NULL : json_member(root, "mistakes");
    if (!failures || !mistakes)
        return false;
    add_rows(out, "failures", failures, json_member(root, "evicted_failures"));
    add_rows(out, "\nmistakes of clients", mistakes, json_member(root, "evicted_mistakes"));
    return true;
}

static int show(const CommandLine *line, bool clear)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    Bytes page;
    int code = admin_get(line, "/errors", arena, &page);
    if (code == EXIT_WELL && clear)
        printf("%s", clear_screen);
    if (code == EXIT_WELL && !add_page(&text, page)) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        command_print(line, &text);
        command_print_json(line, page);
    }
    fflush(stdout);
    arena_free(arena);
    return code;
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

static bool is_fingerprint(const char *text)
{
    return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

static int annotate(const CommandLine *line)
{
    const char *fingerprint = line->arguments[1];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    Bytes answer;
    int code = EXIT_USAGE;
    if (!is_fingerprint(fingerprint))
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

int command_errors(const CommandLine *line)
{
    if (line->n == 2 && strcmp(line->arguments[0], "annotate") == 0)
        return annotate(line);
    if (line->n)
        return command_usage(line->command);
    bool watch = command_flag(line, "--watch");
    bool clear = watch && isatty(STDOUT_FILENO) && !command_wants_json(line);
    int code = show(line, clear);
    while (watch && code == EXIT_WELL) {
        sleep(WATCH_SECONDS);
        code = show(line, clear);
    }
    return code;
}
