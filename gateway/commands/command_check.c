/*
 * passerelle check CONFIG: every mistake of a config; or what it means: who answers what, what is
 * lost on the way between versions, and what harms somebody here and today.
 */
#include "gateway/commands/command.h"
#include "gateway/commands/config_report.h"
#include "gateway/commands/config_warnings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/reflect/reflection_client.h"

#include <stdio.h>

/* All name servers together. */
#define NAMES_TIME (5 * SECOND)

static void print(const Buffer *out)
{
    fwrite(out->data, 1, out->size, stdout);
}

static void add_warnings(const Problems *warnings, Buffer *out)
{
    for (size_t i = 0; i < warnings->n; i++)
        buffer_printf(out, "warning: %s\n", warnings->items[i].reason);
}

static void find_warnings(const Config *config, Problems *warnings)
{
    Patience patience = {.patience = NAMES_TIME};
    Surroundings here = surroundings_here(&patience);
    config_warnings(config, &here, warnings);
}

int command_check(const CommandLine *line)
{
    bool json = command_flag(line, "--json"), strict = command_flag(line, "--strict");
    if (line->n != 1)
        return command_usage(line->command);
    const char *path = line->arguments[0];

    Arena *arena = arena_new(ARENA_UNLIMITED); /* outlives the config's, for what is said of it */
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena), warnings = problems_in(arena);
    Buffer out = buffer_in(arena);
    Config *config;
    SchemaAsk ask = reflection_ask(NULL);
    Result r = config_load(path, &ask, config_arena, &problems, &config);
    if (failed(r))
        problem_add(&problems, path, 0, 0, "", NULL, "%s", error_text(arena, r));

    const Problems *told = config && config->doubts.n ? &config->doubts : &problems;
    bool good = config && !told->n;
    if (good)
        find_warnings(config, &warnings);
    if (json) {
        config_report_json(good ? config : NULL, told, &warnings, &out);
    } else if (good) {
        config_report(config, &out);
        add_warnings(&warnings, &out);
    } else {
        problems_print(told, &out);
    }
    print(&out);

    int code = good && !(strict && warnings.n) ? EXIT_WELL : EXIT_NO;
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    arena_free(arena);
    return code;
}
