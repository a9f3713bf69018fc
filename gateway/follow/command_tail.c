#include "gateway/follow/command_tail.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/percent.h"
#include "gateway/commands/admin_client.h"
#include "gateway/log_output/log_filter.h"
#include "gateway/log_output/log_readable.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE_MOST = 1 << 20 /* of a line that has not ended yet */ };

#define PATIENCE (60 * SECOND) /* for a gateway that is started again */
#define PAUSE (500 * MILLISECOND / MICROSECOND)

typedef struct Tail {
    const CommandLine *line;
    Arena *arena; /* for one line */
    Buffer begun; /* of a line, whose end is still to come */
    bool colours;
    bool heard;    /* some of the connection */
    uint64_t left; /* lines; 0: it goes on */
} Tail;

/* ---- Lines ----------------------------------------------------------------------------------- */

static void print_lost(const Tail *tail, Bytes n)
{
    command_tell(tail->line, "%.*s lines are missing here: they were read too slowly",
                 BYTES_ARGS(n));
}

static void print_readable(Tail *tail, Bytes line)
{
    LogView view;
    Buffer out = buffer_in(tail->arena);
    if (!log_view_read(line, tail->arena, &view))
        return; /* half a line, of a connection that has broken off */
    if (bytes_are(log_view_get(&view, "log"), "tail")) {
        print_lost(tail, log_view_get(&view, "lost"));
        return;
    }
    log_readable_write(&view, tail->colours, &out);
    printf("%.*s\n", (int)out.size, (const char *)out.data);
}

static bool print_line(Tail *tail, Bytes line)
{
    if (!line.size) /* a heartbeat */
        return true;
    if (command_wants_json(tail->line))
        printf("%.*s\n", BYTES_ARGS(line));
    else
        print_readable(tail, line);
    arena_reset(tail->arena);
    return !tail->left || --tail->left > 0;
}

static bool take_piece(void *owner, Bytes piece)
{
    Tail *tail = owner;
    bool goes_on = true;
    tail->heard = true;
    while (goes_on && piece.size) {
        size_t end = bytes_find(piece, '\n');
        buffer_add_bytes(&tail->begun, bytes_slice(piece, 0, end));
        if (end < piece.size || tail->begun.size > LINE_MOST) {
            goes_on = print_line(tail, buffer_bytes(&tail->begun));
            tail->begun.size = 0;
        }
        piece = bytes_slice(piece, end + 1, SIZE_MAX);
    }
    return fflush(stdout) == 0 && goes_on;
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* Whether it is over: enough lines, or an answer that will be the same again. */
static bool is_over(const Tail *tail, int code, bool first)
{
    if (code == EXIT_WELL)
        return tail->left == 0 && command_option(tail->line, "--lines");
    return first || code != EXIT_UNREACHED || ferror(stdout);
}

static int follow(Tail *tail, const char *path)
{
    int64_t heard = clock_now();
    for (bool first = true;; first = false) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        tail->begun = buffer_in(arena);
        tail->heard = false;
        bool answered;
        int code = admin_follow(tail->line, path, take_piece, tail, arena, &answered);
        arena_free(arena);
        if (is_over(tail, code, first))
            return code == EXIT_UNREACHED && answered ? EXIT_NO : code;
        if (tail->heard || code == EXIT_WELL) {
            command_tell(tail->line, "the connection has ended: a new one is made");
            heard = clock_now();
        }
        if (clock_now() - heard > PATIENCE)
            return answered ? EXIT_NO : EXIT_UNREACHED;
        usleep(PAUSE);
    }
}

/* ---- The command ----------------------------------------------------------------------------- */

/* "service=orders": the name stays, the value is encoded. False: it is no filter. */
static bool add_filter(Buffer *path, const char *filter)
{
    const char *equals = strchr(filter, '=');
    if (!equals)
        return false;
    buffer_add_byte(path, memchr(path->data, '?', path->size) ? '&' : '?');
    percent_encode(path, bytes(filter, (size_t)(equals - filter)), PERCENT_KEEP_UNRESERVED);
    buffer_add_byte(path, '=');
    percent_encode(path, bytes_of(equals + 1), PERCENT_KEEP_UNRESERVED);
    return true;
}

static bool read_path(const CommandLine *line, Arena *arena, Buffer *path)
{
    LogFilter filter;
    buffer_add_text(path, "/tail");
    for (int i = 0; i < line->n; i++)
        if (!add_filter(path, line->arguments[i])) {
            command_tell(line, "%s is no filter: write service=orders", line->arguments[i]);
            return false;
        }
    size_t mark = bytes_find(buffer_bytes(path), '?') + 1;
    Result r = log_filter_read(bytes_slice(buffer_bytes(path), mark, SIZE_MAX), arena, &filter);
    if (failed(r))
        command_tell(line, "%s", r.error->doing);
    return !failed(r);
}

static bool read_count(const CommandLine *line, uint64_t *count_out)
{
    const char *text = command_option(line, "--lines");
    *count_out = 0;
    if (!text || (bytes_to_u64(bytes_of(text), count_out) && *count_out))
        return true;
    command_tell(line, "--lines %s is no number of lines", text);
    return false;
}

int command_tail(const CommandLine *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    Tail tail = {.line = line, .arena = arena_new(ARENA_UNLIMITED), .colours = command_colours()};
    int code = EXIT_USAGE;
    if (read_path(line, arena, &path) && read_count(line, &tail.left))
        code = follow(&tail, arena_text(arena, buffer_bytes(&path)));
    arena_free(tail.arena);
    arena_free(arena);
    return code;
}
