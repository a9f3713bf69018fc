/*
 * passerelle check CONFIG: every mistake of a config; or what it means: who answers what, what is
 * lost on the way between versions, and what harms somebody here and today.
 */
#include "gateway/commands/command.h"
#include "gateway/report/config_report.h"
#include "gateway/report/config_warnings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/reflect/reflection_client.h"
#include "gateway/sandbox/privileges.h"
#include "gateway/service/config_load.h"
#include "gateway/usage/usage_warnings.h"

#include <stdio.h>

/* All name servers together. */
#define NAMES_TIME (5 * SECOND)

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
    usage_warnings(config, here.wall, warnings);
}

typedef struct Reading {
    const Config *config;
    Buffer files; /* that cannot be read */
} Reading;

static void try_reading(void *owner)
{
    Reading *reading = owner;
    (void)config_unreadable(reading->config, &reading->files);
}

/* The gateway reads them again as another user. Only root can find out. */
static void find_unreadable(const Config *config, Problems *problems)
{
    Reading reading = {config, buffer_in(problems->arena)};
    if (!config->sandbox.user ||
        !privileges_try(config->sandbox.user, config->sandbox.group, try_reading, &reading) ||
        !reading.files.size)
        return;
    problem_add(problems, config->file, 0, 0, "user", NULL,
                "%s cannot read files that each reload reads: chown or chgrp them, or chmod: %.*s",
                config->sandbox.user, BYTES_ARGS(buffer_bytes(&reading.files)));
}

/* The mistakes are the result; without it they are told as errors. */
static void print(const CommandLine *line, const Config *config, const Problems *told,
                  const Problems *warnings, Arena *arena)
{
    Buffer json = buffer_in(arena), text = buffer_in(arena);
    config_report_json(config, told, warnings, &json);
    command_print_json(line, buffer_bytes(&json));
    if (config) {
        config_report(config, &text);
        add_warnings(warnings, &text);
    } else {
        problems_print(told, &text);
    }
    command_print(line, &text);
    if (!config && command_flag(line, "--quiet"))
        command_tell_lines(buffer_bytes(&text));
}

int command_check(const CommandLine *line)
{
    if (line->n != 1)
        return command_usage(line->command);
    const char *path = line->arguments[0];

    Arena *arena = arena_new(ARENA_UNLIMITED); /* outlives the config's, for what is said of it */
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena), warnings = problems_in(arena);
    Config *config;
    SchemaAsk ask = reflection_ask(NULL);
    Result r = config_load(path, &ask, config_arena, &problems, &config);
    if (failed(r))
        problem_add(&problems, path, 0, 0, "", NULL, "%s", error_text(arena, r));

    if (config && !config->doubts.n)
        find_unreadable(config, &problems);

    const Problems *told = config && config->doubts.n ? &config->doubts : &problems;
    bool good = config && !told->n;
    if (good)
        find_warnings(config, &warnings);
    print(line, good ? config : NULL, told, &warnings, arena);

    int code = good && !(command_flag(line, "--strict") && warnings.n) ? EXIT_WELL : EXIT_NO;
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    arena_free(arena);
    return code;
}
