#include "gateway/commands/admin_page.h"

#include "base/arena.h"

#include <string.h>
#include <unistd.h>

enum { LIMIT = 20, WATCH_SECONDS = 2 };

/* Home, and clear what is below. */
static const char clear_screen[] = "\033[H\033[2J";

/* 0: it is none. */
static uint64_t limit_of(const CommandLine *line)
{
    const char *limit = command_option(line, "--limit");
    uint64_t number = LIMIT;
    return !limit || bytes_to_u64(bytes_of(limit), &number) ? number : 0;
}

static int show(const CommandLine *line, const char *path, AdminPageWriter *write, bool clear)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    Bytes page;
    int code = admin_get(line, path, arena, &page);
    if (code == EXIT_WELL && !write(&text, page, limit_of(line))) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        fputs(clear ? clear_screen : "", stdout);
        command_print(line, &text);
        command_print_json(line, page);
    }
    fflush(stdout);
    arena_free(arena);
    return code;
}

/* A gateway that restarts is away for a while; one that was never there may be the wrong one. */
static int watch(const CommandLine *line, const char *path, AdminPageWriter *write)
{
    bool clear = isatty(STDOUT_FILENO) && !command_wants_json(line), away = false;
    int code = show(line, path, write, clear);
    bool was_there = code == EXIT_WELL;
    while (code == EXIT_WELL || (was_there && code == EXIT_UNREACHED)) {
        if (code == EXIT_UNREACHED && !away)
            command_tell(line, "trying again every %d s", WATCH_SECONDS);
        away = code == EXIT_UNREACHED;
        sleep(WATCH_SECONDS);
        code = show(line, path, write, clear);
    }
    return code;
}

int admin_page_show(const CommandLine *line, const char *path, AdminPageWriter *write)
{
    if (limit_of(line) == 0) {
        command_tell(line, "--limit: %s is no number from 1 on", command_option(line, "--limit"));
        return EXIT_USAGE;
    }
    return command_flag(line, "--watch") ? watch(line, path, write)
                                         : show(line, path, write, false);
}

const JsonNode *admin_page_read(Arena *arena, Bytes page)
{
    static const JsonNode nothing = {.kind = JSON_NULL};
    JsonNode *root;
    Result r = json_parse(arena, page, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the gateway's own page; told by the caller");
    return failed(r) ? &nothing : root;
}

void admin_page_add_rows(Buffer *out, const JsonNode *rows, uint64_t limit,
                         void (*add)(Buffer *out, const JsonNode *row))
{
    uint64_t shown = 0;
    for (const JsonNode *row = rows->first; row && shown < limit; row = row->next, shown++)
        add(out, row);
    if (shown < rows->count)
        buffer_printf(out, "%llu more: --limit\n", (unsigned long long)(rows->count - shown));
}

bool admin_page_is_id(const char *text)
{
    return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}
