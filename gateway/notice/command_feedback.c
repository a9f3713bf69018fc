/* passerelle feedback: what customers say, entered and shown. */
#include "gateway/notice/command_notice.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/json_text.h"
#include "gateway/commands/admin_page.h"
#include "gateway/notice/mbox_filter.h"

#include <string.h>

enum {
    FILE_MOST = 256 << 20,
    BATCH_SIZE = 56 * 1024, /* bytes of one request: the gateway takes 64 KiB */
    BATCH_LINES = 100,
};

/* What is beneath a row of the table. */
static const char indent[] = "                     ";

/* ---- What was said --------------------------------------------------------------------------- */

/* "in v1, candidate; 7 calls, of which bad: shop.Orders/Get UNAVAILABLE UPSTREAM_DOWN" */
static void add_then(Buffer *out, const JsonNode *then)
{
    const JsonNode *bad = then ? json_member(then, "bad") : NULL;
    Buffer text = buffer_in(out->arena);
    if (!bad)
        return;
    buffer_printf(&text, "then: %lld calls in %.*s %.*s; %u bad",
                  (long long)json_member_number(then, "calls"),
                  BYTES_ARGS(json_member_text(then, "version")),
                  BYTES_ARGS(json_member_text(then, "arm")), bad->count);
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&text), 0);
    for (const JsonNode *call = bad->first; call; call = call->next) {
        Buffer row = buffer_in(out->arena);
        buffer_printf(&row, "  %.*s %.*s %.*s %.*s", BYTES_ARGS(json_member_text(call, "time")),
                      BYTES_ARGS(json_member_text(call, "method")),
                      BYTES_ARGS(json_member_text(call, "code")),
                      BYTES_ARGS(json_member_text(call, "fault")));
        buffer_add_text(out, indent);
        command_add_cell(out, buffer_bytes(&row), 0);
    }
}

static void add_kinds(Buffer *out, const JsonNode *kinds)
{
    if (!kinds || !kinds->count)
        return;
    Buffer text = buffer_in(out->arena);
    buffer_add_text(&text, "kinds of failures:");
    for (const JsonNode *kind = kinds->first; kind; kind = kind->next)
        buffer_printf(&text, " %.*s", BYTES_ARGS(kind->text));
    buffer_add_text(out, indent);
    command_add_cell(out, buffer_bytes(&text), 0);
}

static void add_row(Buffer *out, const JsonNode *row)
{
    command_add_cell(out, json_member_text(row, "at"), 20);
    command_add_cell(out, json_member_text(row, "id"), 17);
    command_add_cell(out, json_member_text(row, "source"), 8);
    command_add_cell(out, json_member_text(row, "client"), 20);
    command_add_cell(out, json_member_text(row, "words"), 0);
    add_kinds(out, json_member(row, "kinds"));
    add_then(out, json_member(row, "then"));
}

/* False: it is no such page. */
static bool add_page(Buffer *out, Bytes page, uint64_t limit)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *said = json_member(root, "feedback");
    if (!said)
        return false;
    if (said->count) {
        command_add_cell(out, bytes_of("SAID"), 20);
        command_add_cell(out, bytes_of("ID"), 17);
        command_add_cell(out, bytes_of("SOURCE"), 8);
        command_add_cell(out, bytes_of("CLIENT"), 20);
        command_add_cell(out, bytes_of("WORDS"), 0);
    }
    admin_page_add_rows(out, said, limit, add_row);
    return true;
}

static int list(const CommandLine *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, "/feedback/list");
    admin_path_add(&path, "client", command_option(line, "--client"));
    admin_path_add(&path, "limit", command_option(line, "--limit"));
    int code = admin_page_show(line, arena_text(arena, buffer_bytes(&path)), add_page);
    arena_free(arena);
    return code;
}

static int show(const CommandLine *line, const char *id)
{
    if (!admin_page_is_id(id)) {
        command_tell(line, "the id of what was said has 16 hexadecimal digits");
        return EXIT_USAGE;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int code = admin_page_show(line, arena_printf(arena, "/feedback/%s", id), add_page);
    arena_free(arena);
    return code;
}

/* ---- Entering -------------------------------------------------------------------------------- */

/* How many the gateway took, and had already. */
typedef struct Import {
    const CommandLine *line;
    Arena *arena;
    int64_t added, known;
} Import;

static int send_lines(Import *import, Bytes lines)
{
    JsonNode *root;
    Bytes answer;
    int code = admin_say(import->line, "/feedback", lines, import->arena, &answer);
    if (code != EXIT_WELL)
        return code;
    Result r = json_parse(import->arena, answer, &(JsonLimits){.elements = 10000}, &root);
    error_ignore(r, "told as one of a stranger");
    if (failed(r))
        return admin_tell_stranger(import->line);
    import->added += json_member_number(root, "added");
    import->known += json_member_number(root, "known");
    return code;
}

/* As many lines as one request may have; at least one. */
static Bytes next_batch(Bytes *rest)
{
    Bytes whole = *rest, line;
    size_t size = 0;
    for (int n = 0; n < BATCH_LINES && bytes_split(rest, '\n', &line); n++) {
        size_t end = (size_t)(line.data - whole.data) + line.size;
        if (n && end > BATCH_SIZE) {
            *rest = bytes_slice(whole, size, SIZE_MAX);
            break;
        }
        size = end < whole.size ? end + 1 : end;
    }
    return bytes_slice(whole, 0, size);
}

static void tell_import(const Import *import)
{
    Buffer text = buffer_in(import->arena);
    buffer_printf(&text, "%lld entered, %lld known already\n", (long long)import->added,
                  (long long)import->known);
    command_print(import->line, &text);
    command_print_json(import->line,
                       bytes_of(arena_printf(import->arena, "{\"added\":%lld,\"known\":%lld}",
                                             (long long)import->added, (long long)import->known)));
}

static int import_lines(const CommandLine *line, Bytes lines, Arena *arena)
{
    Import import = {.line = line, .arena = arena};
    int code = EXIT_WELL;
    while (code == EXIT_WELL && lines.size)
        code = send_lines(&import, next_batch(&lines));
    if (code == EXIT_WELL || import.added)
        tell_import(&import);
    return code;
}

/* "-" is the standard input. A mailbox is known by its first line. */
static Result read_lines(const CommandLine *line, const char *file, Arena *arena, Bytes *lines_out)
{
    const char *from = strcmp(file, "-") == 0 ? "/dev/stdin" : file;
    Result r = file_read(arena, from, FILE_MOST, lines_out);
    if (!failed(r) && mbox_is_one(*lines_out))
        r = mbox_filter(arena, *lines_out, command_option(line, "--client"),
                        command_option(line, "--source"), lines_out);
    return r;
}

static int import(const CommandLine *line, const char *file)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes text;
    int code = EXIT_USAGE;
    Result r = read_lines(line, file, arena, &text);
    if (failed(r))
        command_tell(line, "%s", error_text(arena, r));
    else
        code = import_lines(line, text, arena);
    arena_free(arena);
    return code;
}

static void add_option(Buffer *json, const CommandLine *line, const char *option,
                       const char *member)
{
    const char *value = command_option(line, option);
    if (value)
        json_text_add_member(json, member, bytes_of(value));
}

static int add(const CommandLine *line, const char *words)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "words", bytes_of(words));
    add_option(&json, line, "--client", "client");
    add_option(&json, line, "--request", "request");
    add_option(&json, line, "--source", "source");
    add_option(&json, line, "--at", "at");
    buffer_add_byte(&json, '}');
    int code = import_lines(line, buffer_bytes(&json), arena);
    arena_free(arena);
    return code;
}

int command_feedback(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "list";
    if (line->n <= 1 && strcmp(word, "list") == 0)
        return list(line);
    if (line->n == 2 && strcmp(word, "show") == 0)
        return show(line, line->arguments[1]);
    if (line->n == 2 && strcmp(word, "add") == 0)
        return add(line, line->arguments[1]);
    if (line->n == 2 && strcmp(word, "import") == 0)
        return import(line, line->arguments[1]);
    return command_usage(line->command);
}
