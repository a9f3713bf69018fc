/* What became of a contract: two schemas of one source, the one of before and that of now. */
#include "gateway/draft/draft.h"

#include "adapters/diff/schema_diff.h"
#include "adapters/schema/package.h"
#include "base/arena.h"

static bool has_package(const Schema *schema, const char *package)
{
    for (uint32_t i = 0; i < schema->n_services; i++)
        if (strcmp(schema->services[i].package, package) == 0)
            return true;
    return false;
}

static bool is_told(const Schema *schema, uint32_t at)
{
    const char *package = schema->services[at].package;
    bool told = *package && !package_is_common(bytes_of(package));
    for (uint32_t i = 0; i < at && told; i++)
        told = strcmp(schema->services[i].package, package) != 0;
    return told;
}

static void add_differences(Arena *arena, const char *package, const Schema *before,
                            const Schema *now, Buffer *out)
{
    SchemaDiff diff;
    const ChangeSide old = {.version = "before", .schema = before, .package = package},
                     new = {.version = "now", .schema = now, .package = package};
    schema_diff(arena, &old, &new, &diff);
    for (uint32_t i = 0; i < diff.n_items; i++)
        buffer_printf(out, "%s %s: %s\n", package, diff.items[i].path, diff.items[i].what);
}

void draft_contract(Arena *arena, const DraftSource *source, const Schema *before, Buffer *out)
{
    const Schema *now = source->schema;
    for (uint32_t i = 0; i < now->n_services; i++) {
        const char *package = now->services[i].package;
        if (is_told(now, i) && has_package(before, package))
            add_differences(arena, package, before, now, out);
        else if (is_told(now, i))
            buffer_printf(out, "%s: added\n", package);
    }
    for (uint32_t i = 0; i < before->n_services; i++)
        if (is_told(before, i) && !has_package(now, before->services[i].package))
            buffer_printf(out, "%s: removed\n", before->services[i].package);
}
