/*
 * passerelle diff OLD NEW: what changed between two versions of an API, whom it breaks, and a first
 * change list. OLD and NEW are descriptor sets, with the package behind a colon where there are
 * several.
 */
#include "gateway/commands/command.h"

#include "adapters/diff/schema_diff.h"
#include "base/arena.h"

#include <ctype.h>
#include <stdio.h>

/* The main package of a schema: the only one with RPC services. */
static const char *only_package(const Schema *schema)
{
    const char *package = NULL;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        if (package && strcmp(package, schema->services[i].package) != 0)
            return NULL;
        package = schema->services[i].package;
    }
    return package;
}

/* "v2" of "shop.orders.v2"; else what the caller says. */
static const char *version_of(const char *package, const char *otherwise)
{
    const char *dot = strrchr(package, '.');
    const char *last = dot ? dot + 1 : package;
    return last[0] == 'v' && isdigit((unsigned char)last[1]) ? last : otherwise;
}

/* A package may have services only. */
static bool has_package(const Schema *schema, const char *package)
{
    for (uint32_t i = 0; i < schema->n_messages; i++)
        if (strcmp(schema->messages[i].package, package) == 0)
            return true;
    for (uint32_t i = 0; i < schema->n_services; i++)
        if (strcmp(schema->services[i].package, package) == 0)
            return true;
    return false;
}

/* "orders.binpb:shop.orders.v2" or "orders.binpb". False: said why not. */
static bool load_side(Arena *arena, const char *argument, const char *otherwise,
                      ChangeSide *side_out)
{
    const char *colon = strrchr(argument, ':');
    const char *file =
        colon ? arena_text(arena, bytes(argument, (size_t)(colon - argument))) : argument;
    Result r = schema_load_file(arena, file, &side_out->schema);
    if (failed(r)) {
        fprintf(stderr, "passerelle: %s\n", error_text(arena, r));
        return false;
    }
    side_out->package = colon ? colon + 1 : only_package(side_out->schema);
    if (!side_out->package) {
        fprintf(stderr,
                "passerelle: %s has services in no or in several packages: write %s:PACKAGE\n",
                file, file);
        return false;
    }
    if (!has_package(side_out->schema, side_out->package)) {
        fprintf(stderr, "passerelle: %s has no package %s\n", file, side_out->package);
        return false;
    }
    side_out->version = version_of(side_out->package, otherwise);
    return true;
}

/* Versions in one package are told apart by their sets alone; then they are "old" and "new". */
static void name_apart(ChangeSide *from, ChangeSide *to)
{
    if (strcmp(from->version, to->version) != 0)
        return;
    from->version = "old";
    to->version = "new";
}

static void print(Arena *arena, const SchemaDiff *diff, bool json, bool only_changes)
{
    Buffer out = buffer_in(arena);
    if (json)
        schema_diff_json(diff, &out);
    else if (!only_changes)
        schema_diff_text(diff, &out);
    if (!json) {
        buffer_add_text(&out, only_changes ? "" : "\n");
        buffer_add_bytes(&out, diff->change_list);
    }
    fwrite(out.data, 1, out.size, stdout);
}

int command_diff(const CommandLine *line)
{
    bool json = command_flag(line, "--json");
    bool only_changes = command_flag(line, "--changes");
    if (line->n != 2 || (json && only_changes))
        return command_usage(line->command);

    Arena *arena = arena_new(ARENA_UNLIMITED);
    ChangeSide from, to;
    int code = EXIT_USAGE;
    if (load_side(arena, line->arguments[0], "old", &from) &&
        load_side(arena, line->arguments[1], "new", &to)) {
        SchemaDiff diff;
        name_apart(&from, &to);
        schema_diff(arena, &from, &to, &diff);
        print(arena, &diff, json, only_changes);
        code = EXIT_WELL;
        for (uint32_t i = 0; i < diff.n_items; i++)
            if (diff.items[i].breaks)
                code = EXIT_NO;
    }
    arena_free(arena);
    return code;
}
