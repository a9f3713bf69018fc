/*
 * passerelle config show CONFIG: each value of a config, and where it is from: which line of which
 * file, a variable, a file with a secret, or the default. passerelle config schema: the JSON Schema
 * of configs, for editors.
 */
#include "gateway/config_view/command_config.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/config/config_reader.h"
#include "gateway/in_force/config_values.h"

#include <stdlib.h>

enum { PATH_WIDTH = 40, VALUE_WIDTH = 30 };

typedef struct Showing {
    const CommandLine *line;
    const char *main; /* the config's own file */
    Buffer text, json;
} Showing;

static void add_origin(const ConfigValue *value, Buffer *out)
{
    if (!value->line) {
        buffer_add_text(out, "default");
        return;
    }
    buffer_printf(out, "%s:%d", value->file, value->line);
    if (value->variables)
        buffer_printf(out, ", environment: %s", value->variables);
    if (value->from)
        buffer_printf(out, ", secret: %s", value->from);
}

static void show_value(void *owner, const ConfigValue *value)
{
    Showing *showing = owner;
    Buffer origin = buffer_in(showing->text.arena);
    if (!value->line && command_flag(showing->line, "--written"))
        return;
    add_origin(value, &origin);
    command_add_cell(&showing->text, bytes_of(value->path), PATH_WIDTH);
    command_add_cell(&showing->text, value->secret ? bytes_of("(secret)") : value->text,
                     VALUE_WIDTH);
    command_add_cell(&showing->text, buffer_bytes(&origin), 0);
    json_text_add_element(&showing->json);
    config_value_write(value, showing->main, &showing->json);
}

static int show(const CommandLine *line)
{
    Config *config = command_config(line, 1);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Showing showing = {line, config->file, buffer_in(arena), buffer_in(arena)};
    buffer_add_byte(&showing.json, '{');
    json_text_add_member(&showing.json, "file", bytes_of(config->file));
    json_text_open_list(&showing.json, "values");
    config_values(config->texts, show_value, &showing);
    buffer_add_text(&showing.json, "]}");
    command_print(line, &showing.text);
    command_print_json(line, buffer_bytes(&showing.json));
    arena_free(arena);
    config_unref(config);
    return EXIT_WELL;
}

static int print_schema(const CommandLine *line)
{
    if (!command_flag(line, "--quiet"))
        fwrite(config_json_schema.data, 1, config_json_schema.size, stdout);
    return EXIT_WELL;
}

int command_config_view(const CommandLine *line)
{
    if (line->n == 2 && strcmp(line->arguments[0], "show") == 0)
        return show(line);
    if (line->n == 1 && strcmp(line->arguments[0], "schema") == 0)
        return print_schema(line);
    return command_usage(line->command);
}
