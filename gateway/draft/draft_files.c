/* Which files a draft consists of. */
#include "gateway/draft/draft.h"

#include "adapters/diff/schema_diff.h"
#include "base/arena.h"

typedef struct Files {
    Arena *arena;
    DraftFile *items;
    uint32_t n, capacity;
} Files;

static DraftFile *add_file(Files *files, const char *name, Bytes content, const char *mark)
{
    if (files->n == files->capacity) {
        uint32_t capacity = files->capacity ? files->capacity * 2 : 8;
        files->items = arena_grow(files->arena, files->items, files->capacity * sizeof(DraftFile),
                                  capacity * sizeof(DraftFile));
        files->capacity = capacity;
    }
    DraftFile *file = &files->items[files->n++];
    *file = (DraftFile){.name = name, .content = content, .mark = mark};
    Bytes rest = content, line;
    while (mark && bytes_split(&rest, '\n', &line))
        file->n_decisions += memmem(line.data, line.size, mark, strlen(mark)) != NULL;
    return file;
}

const char *draft_changes_name(const Draft *draft, const DraftService *service, uint32_t at)
{
    if (service->versions[at].changes)
        return service->versions[at].changes;
    return arena_printf(draft->arena, "%s-%s-%s.yaml", service->name, service->versions[at].name,
                        service->versions[at + 1].name);
}

static ChangeSide side_of(const DraftVersion *version)
{
    return (ChangeSide){
        .version = version->name, .schema = version->source->schema, .package = version->package};
}

static void add_changes(Files *files, const Draft *draft, const DraftService *service)
{
    for (uint32_t i = 0; i + 1 < service->n_versions; i++) {
        SchemaDiff diff;
        const ChangeSide from = side_of(&service->versions[i]),
                         to = side_of(&service->versions[i + 1]);
        schema_diff(draft->arena, &from, &to, &diff);
        add_file(files, draft_changes_name(draft, service, i), diff.change_list, "# decide:");
    }
}

void draft_files(const Draft *draft, const DraftTexts *texts, const DraftSource *sources,
                 uint32_t n, const DraftFile **files_out, uint32_t *n_out)
{
    Files files = {.arena = draft->arena};
    Buffer config = buffer_in(draft->arena), notes = buffer_in(draft->arena);
    draft_config(draft, texts, &config);
    add_file(&files, texts->config, buffer_bytes(&config), "# DECIDE:");
    for (uint32_t i = 0; i < draft->n_services; i++)
        add_changes(&files, draft, &draft->services[i]);
    draft_notes(draft, texts, files.items, files.n, &notes);
    for (uint32_t i = 0; i < n; i++)
        if (sources[i].set.data)
            add_file(&files, sources[i].file, sources[i].set, NULL)->source = &sources[i];
    add_file(&files, texts->notes, buffer_bytes(&notes), NULL);
    *files_out = files.items;
    *n_out = files.n;
}
