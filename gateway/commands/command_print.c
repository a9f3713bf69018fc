/* What commands print, and what they say when something is wrong. */
#include "gateway/commands/command.h"

#include "base/arena.h"
#include "base/text/printable.h"
#include "gateway/reflect/reflection_client.h"
#include "gateway/report/config_report.h"
#include "gateway/service/config_load.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static void write_lines(Bytes lines, FILE *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer shown = buffer_in(arena);
    printable_add_lines(&shown, lines);
    fwrite(shown.data, 1, shown.size, out);
    arena_free(arena);
}

/* https://no-color.org */
bool command_colours(void)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(none && *none) && !text_equal(terminal, "dumb");
}

bool command_wants_json(const CommandLine *line)
{
    return command_flag(line, "--json");
}

void command_print(const CommandLine *line, const Buffer *text)
{
    if (!command_flag(line, "--quiet") && !command_wants_json(line))
        write_lines(buffer_bytes(text), stdout);
}

void command_print_json(const CommandLine *line, Bytes json)
{
    if (command_flag(line, "--quiet") || !command_wants_json(line))
        return;
    fwrite(json.data, 1, json.size, stdout);
    if (!bytes_end_with(json, "\n"))
        fputc('\n', stdout);
}

/* Characters, not bytes, take a column. */
static size_t columns(Bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

void command_add_cell(Buffer *out, Bytes text, size_t width)
{
    size_t begin = out->size;
    printable_add(out, text);
    if (width == 0) {
        while (out->size && out->data[out->size - 1] == ' ')
            out->size--;
        buffer_add_byte(out, '\n');
        return;
    }
    size_t n = columns(bytes(out->data + begin, out->size - begin));
    buffer_printf(out, "%*s", (int)(n < width ? width - n + 1 : 1), "");
}

void command_tell_lines(Bytes lines)
{
    write_lines(lines, stderr);
}

void command_tell(const CommandLine *line, const char *format, ...)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    CHECK(size >= 0);
    Buffer shown = buffer_in(arena);
    buffer_printf(&shown, "passerelle %s: ", line->command->name);
    printable_add_lines(&shown, bytes(text, (size_t)size));
    fprintf(stderr, "%.*s\n", BYTES_ARGS(buffer_bytes(&shown)));
    free(text);
    arena_free(arena);
}

static void tell_problems(const CommandLine *line, const Problems *problems, Arena *arena)
{
    Buffer out = buffer_in(arena);
    if (command_wants_json(line) && !command_flag(line, "--quiet")) {
        Problems none = problems_in(arena);
        config_report_json(NULL, problems, &none, &out);
        command_print_json(line, buffer_bytes(&out));
    } else {
        problems_print(problems, &out);
        command_tell_lines(buffer_bytes(&out));
    }
}

Config *command_config(const CommandLine *line, int at)
{
    const char *path = line->arguments[at];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    SchemaAsk ask = reflection_ask(NULL);
    Result r = config_load(path, &ask, arena, &problems, &config);
    if (config)
        return config;
    if (failed(r))
        problem_add(&problems, path, 0, 0, "", NULL, "%s", error_text(arena, r));
    tell_problems(line, &problems, arena);
    arena_free(arena);
    return NULL;
}
