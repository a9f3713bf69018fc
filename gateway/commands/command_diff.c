/*
 * passerelle diff OLD NEW: what changed between two versions of an API, whom it breaks, and a first
 * change list. OLD and NEW are descriptor sets, with the package behind a colon where there are
 * several.
 */
#include "gateway/commands/command.h"

#include "adapters/diff/schema_diff.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <ctype.h>

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
static bool load_side(const CommandLine *line, int at, const char *otherwise, Arena *arena,
                      ChangeSide *side_out)
{
    const char *argument = line->arguments[at];
    const char *colon = strrchr(argument, ':');
    const char *file =
        colon ? arena_text(arena, bytes(argument, (size_t)(colon - argument))) : argument;
    Result r = schema_load_file(arena, file, &side_out->schema);
    if (failed(r)) {
        command_tell(line, "%s", error_text(arena, r));
        return false;
    }
    side_out->package = colon ? colon + 1 : only_package(side_out->schema);
    if (!side_out->package) {
        command_tell(line, "%s has services in no or in several packages: write %s:PACKAGE", file,
                     file);
        return false;
    }
    if (!has_package(side_out->schema, side_out->package)) {
        command_tell(line, "%s has no package %s", file, side_out->package);
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

static bool breaks(const SchemaDiff *diff)
{
    for (uint32_t i = 0; i < diff->n_items; i++)
        if (diff->items[i].breaks)
            return true;
    return false;
}

static void print(const CommandLine *line, Arena *arena, const SchemaDiff *diff)
{
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    if (!command_flag(line, "--changes")) {
        schema_diff_text(diff, &text);
        buffer_add_byte(&text, '\n');
    }
    buffer_add_bytes(&text, diff->change_list);
    command_print(line, &text);
    buffer_add_byte(&json, '{');
    json_text_add_key(&json, "differences");
    schema_diff_json(diff, &json);
    json_text_add_member(&json, "change_list", diff->change_list);
    json_text_add_bool(&json, "breaks", breaks(diff));
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
}

int command_diff(const CommandLine *line)
{
    if (line->n != 2 || (command_wants_json(line) && command_flag(line, "--changes")))
        return command_usage(line->command);

    Arena *arena = arena_new(ARENA_UNLIMITED);
    ChangeSide from, to;
    int code = EXIT_USAGE;
    if (load_side(line, 0, "old", arena, &from) && load_side(line, 1, "new", arena, &to)) {
        SchemaDiff diff;
        name_apart(&from, &to);
        schema_diff(arena, &from, &to, &diff);
        print(line, arena, &diff);
        code = breaks(&diff) ? EXIT_NO : EXIT_WELL;
    }
    arena_free(arena);
    return code;
}
