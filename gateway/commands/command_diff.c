/*
 * passerelle diff OLD NEW: what changed between two versions of an API, whom it breaks, and a first
 * change list. OLD and NEW are descriptor sets, with the package behind a colon where there are
 * several.
 */
#include "gateway/commands/command.h"

#include "adapters/diff/schema_diff.h"
#include "adapters/schema/package.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <unistd.h>

/* Distinct packages, in the order of the schema. */
enum { MOST_PACKAGES = 64 };

typedef struct Packages {
    const char *names[MOST_PACKAGES];
    uint32_t n;
} Packages;

static void add_package(Packages *packages, const char *name)
{
    for (uint32_t i = 0; i < packages->n; i++)
        if (strcmp(packages->names[i], name) == 0)
            return;
    if (packages->n < MOST_PACKAGES)
        packages->names[packages->n++] = name;
}

/* Those with services; without any, those with messages or enums. */
static Packages packages_of(const Schema *schema)
{
    Packages packages = {.n = 0};
    for (uint32_t i = 0; i < schema->n_services; i++)
        add_package(&packages, schema->services[i].package);
    for (uint32_t i = 0; !schema->n_services && i < schema->n_messages; i++)
        add_package(&packages, schema->messages[i].package);
    for (uint32_t i = 0; !schema->n_services && i < schema->n_enums; i++)
        add_package(&packages, schema->enums[i].package);
    return packages;
}

/* The only one, but for what comes with others; NULL: there are several, or none. */
static const char *only_package(const Packages *packages)
{
    const char *only = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < packages->n; i++)
        if (!package_is_common(bytes_of(packages->names[i]))) {
            only = packages->names[i];
            n++;
        }
    return n == 1 ? only : packages->n == 1 ? packages->names[0] : NULL;
}

/* "shop.v1, shop.v2 and 3 more" */
static const char *list_packages(Arena *arena, const Packages *packages)
{
    enum { MOST_TOLD = 6 };
    const char *told = "";
    for (uint32_t i = 0; i < packages->n && i < MOST_TOLD; i++)
        told = arena_printf(arena, "%s%s%s", told, i ? ", " : "",
                            packages->names[i][0] ? packages->names[i] : "no package");
    return packages->n > MOST_TOLD
               ? arena_printf(arena, "%s and %u more", told, packages->n - MOST_TOLD)
               : told;
}

/* A package may have services or enums only. */
static bool has_package(const Schema *schema, const char *package)
{
    for (uint32_t i = 0; i < schema->n_messages; i++)
        if (strcmp(schema->messages[i].package, package) == 0)
            return true;
    for (uint32_t i = 0; i < schema->n_enums; i++)
        if (strcmp(schema->enums[i].package, package) == 0)
            return true;
    for (uint32_t i = 0; i < schema->n_services; i++)
        if (strcmp(schema->services[i].package, package) == 0)
            return true;
    return false;
}

/* Which package of the file, if the argument does not say it. NULL: said why not. */
static const char *choose_package(const CommandLine *line, Arena *arena, const char *file,
                                  const Schema *schema)
{
    Packages packages = packages_of(schema);
    const char *only = only_package(&packages);
    if (only)
        return only;
    if (!packages.n)
        command_tell(line, "%s has no messages and no services: is it the right file?", file);
    else
        command_tell(line, "%s has %s in several packages (%s): say which, as in %s:%s", file,
                     schema->n_services ? "services" : "messages", list_packages(arena, &packages),
                     file, packages.names[0]);
    return NULL;
}

static bool is_source(const char *file)
{
    return bytes_end_with(bytes_of(file), ".proto");
}

/* The file of "orders.binpb:shop.orders.v2"; the package behind the colon, or NULL. */
static const char *split_argument(Arena *arena, const char *argument, const char **package_out)
{
    const char *colon = access(argument, F_OK) == 0 ? NULL : strrchr(argument, ':');
    *package_out = colon ? colon + 1 : NULL;
    return colon ? arena_text(arena, bytes(argument, (size_t)(colon - argument))) : argument;
}

/* "orders.binpb:shop.orders.v2" or "orders.binpb". False: said why not. */
static bool load_side(const CommandLine *line, int at, const char *otherwise, Arena *arena,
                      ChangeSide *side_out)
{
    const char *file = split_argument(arena, line->arguments[at], &side_out->package);
    if (is_source(file)) {
        command_tell(line,
                     "%s is protobuf source, and a descriptor set is needed: protoc "
                     "--include_imports --descriptor_set_out=%.*s.binpb %s",
                     file, (int)(strlen(file) - strlen(".proto")), file, file);
        return false;
    }
    Result r = schema_load_file(arena, file, &side_out->schema);
    if (failed(r)) {
        command_tell(line, "%s", error_text(arena, r));
        return false;
    }
    if (!side_out->package)
        side_out->package = choose_package(line, arena, file, side_out->schema);
    if (!side_out->package)
        return false;
    if (!side_out->package[0]) {
        command_tell(line,
                     "types without a package are not compared: say one (%s:PACKAGE), or "
                     "begin the source with \"package shop.v1;\"",
                     file);
        return false;
    }
    if (!has_package(side_out->schema, side_out->package)) {
        Packages packages = packages_of(side_out->schema);
        if (packages.n)
            command_tell(line, "%s has no package \"%s\"; it has %s", file, side_out->package,
                         list_packages(arena, &packages));
        else
            command_tell(line, "%s has no messages and no services: is it the right file?", file);
        return false;
    }
    Bytes version = package_version(side_out->package);
    side_out->version = version.size ? arena_text(arena, version) : otherwise;
    return true;
}

/* ---- What looks like a mistake --------------------------------------------------------------- */

static bool is_older(const ChangeSide *a, const ChangeSide *b)
{
    int64_t rank = version_rank(a->version), other = version_rank(b->version);
    return rank && rank < other;
}

enum { MOST_DOUBTS = 2 };

typedef struct Doubts {
    const char *texts[MOST_DOUBTS];
    uint32_t n;
} Doubts;

static Doubts doubts_about(const CommandLine *line, Arena *arena, const ChangeSide *from,
                           const ChangeSide *to, const SchemaDiff *diff)
{
    Doubts doubts = {.n = 0};
    if (strcmp(line->arguments[0], line->arguments[1]) == 0)
        doubts.texts[doubts.n++] = "OLD and NEW are the same: give two files, or two packages of "
                                   "one, as in FILE:PACKAGE";
    else if (is_older(to, from))
        doubts.texts[doubts.n++] = arena_printf(
            arena, "OLD is %s and NEW is %s: if that is the wrong order, exchange them",
            from->version, to->version);
    if (!diff->n_counterparts)
        doubts.texts[doubts.n++] = arena_printf(
            arena,
            "%s and %s have nothing in common: are they two versions of one API? If another "
            "package is meant, write it behind a colon: FILE:PACKAGE",
            from->package, to->package);
    return doubts;
}

static void add_doubts(Buffer *json, const Doubts *doubts)
{
    json_text_open_list(json, "doubts");
    for (uint32_t i = 0; i < doubts->n; i++) {
        json_text_add_element(json);
        json_text_add(json, bytes_of(doubts->texts[i]));
    }
    buffer_add_byte(json, ']');
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

static void print(const CommandLine *line, Arena *arena, const SchemaDiff *diff,
                  const Doubts *doubts)
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
    add_doubts(&json, doubts);
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
}

int command_diff(const CommandLine *line)
{
    if (line->n != 2)
        return command_usage(line->command);
    if (command_wants_json(line) && command_flag(line, "--changes")) {
        command_tell(line, "--changes and --json do not go together: --json has the change list "
                           "as \"change_list\"");
        return EXIT_USAGE;
    }

    Arena *arena = arena_new(ARENA_UNLIMITED);
    ChangeSide from, to;
    int code = EXIT_USAGE;
    if (load_side(line, 0, "old", arena, &from) && load_side(line, 1, "new", arena, &to)) {
        SchemaDiff diff;
        const ChangeSide named[2] = {from, to};
        name_apart(&from, &to);
        schema_diff(arena, &from, &to, &diff);
        Doubts doubts = doubts_about(line, arena, &named[0], &named[1], &diff);
        bool told = !command_wants_json(line) && !command_flag(line, "--quiet");
        for (uint32_t i = 0; told && i < doubts.n; i++)
            command_tell(line, "%s", doubts.texts[i]);
        print(line, arena, &diff, &doubts);
        code = breaks(&diff) ? EXIT_NO : EXIT_WELL;
    }
    arena_free(arena);
    return code;
}
