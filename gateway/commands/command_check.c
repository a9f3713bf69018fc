/*
 * passerelle check CONFIG [--json]: every mistake of a config; or what it means: who answers what,
 * and what is lost on the way between versions.
 */
#include "gateway/commands/command.h"
#include "gateway/commands/config_report.h"

#include "base/arena.h"
#include "gateway/reflect/reflection_client.h"

#include <stdio.h>

static void print(const Buffer *out)
{
    fwrite(out->data, 1, out->size, stdout);
}

/* Warnings depend on the machine, too: the same config may have none on another one. */
static void add_warnings(const Config *config, Buffer *out)
{
    Buffer warning = buffer_in(out->arena);
    if (descriptors_warn(config, &warning))
        buffer_printf(out, "warning: %.*s\n", BYTES_ARGS(buffer_bytes(&warning)));
}

int command_check(const CommandLine *line)
{
    bool json = command_flag(line, "--json");
    if (line->n != 1)
        return command_usage(line->command);
    const char *path = line->arguments[0];

    Arena *arena = arena_new(ARENA_UNLIMITED); /* outlives the config's, for what is said of it */
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Buffer out = buffer_in(arena);
    Config *config;
    SchemaAsk ask = reflection_ask(NULL);
    Result r = config_load(path, &ask, config_arena, &problems, &config);
    if (failed(r))
        problem_add(&problems, path, 0, 0, "", NULL, "%s", error_text(arena, r));

    const Problems *told = config && config->doubts.n ? &config->doubts : &problems;
    bool good = config && !told->n;
    if (json) {
        config_report_json(good ? config : NULL, told, &out);
    } else if (good) {
        config_report(config, &out);
        add_warnings(config, &out);
    } else {
        problems_print(told, &out);
    }
    print(&out);

    int code = good ? EXIT_WELL : EXIT_NO;
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    arena_free(arena);
    return code;
}
