/* Lists of instances outside of the config. */
#include "gateway/inventory/instance_list.h"
#include "gateway/inventory/instance_read.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>

enum { LIST_SIZE_MOST = 64 << 20, LIST_FILES_MOST = 10000 };

/* ---- Files ----------------------------------------------------------------------------------- */

Result config_list_text(Arena *arena, const char *file, Bytes *text_out)
{
    return file_read(arena, file, LIST_SIZE_MOST, text_out);
}

static bool is_list_name(const char *name)
{
    Bytes whole = bytes_of(name);
    return name[0] != '.' && (bytes_end_with(whole, ".yaml") || bytes_end_with(whole, ".yml") ||
                              bytes_end_with(whole, ".json"));
}

static int compare_names(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

static Result read_names(Arena *arena, const char *folder, DIR *opened, const char **names,
                         uint32_t *n_out)
{
    struct dirent *entry;
    uint32_t n = 0;
    for (errno = 0; (entry = readdir(opened)); errno = 0) {
        if (!is_list_name(entry->d_name))
            continue;
        if (n == LIST_FILES_MOST)
            return FAIL(arena, FAULT_NO_FILE, "%s has more than %d files", folder, LIST_FILES_MOST);
        names[n++] = arena_printf(arena, "%s/%s", folder, entry->d_name);
    }
    if (errno)
        return FAIL(arena, FAULT_NO_FILE, "reading the folder %s: %s", folder, strerror(errno));
    qsort(names, n, sizeof *names, compare_names);
    *n_out = n;
    return OK;
}

Result config_list_names(Arena *arena, const char *folder, const char ***names_out, uint32_t *n_out)
{
    *n_out = 0;
    *names_out = arena_array(arena, const char *, LIST_FILES_MOST);
    file_note_reading(folder);
    DIR *opened = opendir(folder);
    if (!opened) {
        file_note_reading(NULL);
        return FAIL(arena, FAULT_NO_FILE, "opening the folder %s: %s", folder, strerror(errno));
    }
    Result r = read_names(arena, folder, opened, *names_out, n_out);
    closedir(opened);
    file_note_reading(NULL);
    return r;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* A new instance while it is read. */
typedef struct Fresh {
    Instance *instance; /* with `said` filled in; later `service`, unless it has a mistake */
    const char *path;
    const ListDocument *from; /* NULL: from what it was read from before */
    const YamlDocument *document;
} Fresh;

typedef struct ListReader {
    ConfigReader reader; /* only what reading an instance needs */
    const Service *service;
    const Table *had;
    const Schema *schema;
    const MessageType *type; /* Instance */
    const DocumentRules *rules;
    InstanceList *list;
    const ListDocument *
        *froms; /* [i]: of list->items[i]; NULL: from what it was read from before */
    Fresh *fresh;
    Table contexts; /* of the fresh ones, with a reference each */
    uint32_t n_fresh, fresh_capacity, list_capacity;
    Buffer fresh_json; /* {"instances":[...]} */
} ListReader;

static Result begin(ListReader *l, Arena *arena, const Service *service, const Table *had,
                    Problems *problems, InstanceList *list)
{
    *l = (ListReader){.service = service, .had = had, .list = list};
    l->reader = (ConfigReader){.arena = arena, .working = arena, .problems = problems};
    l->fresh_json = buffer_in(arena);
    l->contexts = table_in(arena);
    l->reader.contexts = &l->contexts;
    *list = (InstanceList){0};
    Result r = config_schema(arena, &l->schema, &l->rules);
    if (!failed(r))
        l->type = schema_message(l->schema, bytes_of("passerelle.config.Instance"));
    return r;
}

/* Mistakes from this one on are of the document, whatever it is relative to; where it is one entry,
   paths begin with its keys. */
static void name_problems(const Problems *problems, size_t from, const ListDocument *document)
{
    for (size_t i = from; i < problems->n; i++) {
        Problem *problem = &problems->items[i];
        problem->file = document->name;
        problem->path += *problem->path == '.';
    }
}

/* The value of `instances`; NULL: there is no such list, which was reported. */
static const JsonNode *find_entries(ConfigReader *reader)
{
    const JsonNode *root = reader->file.document.root, *entries = NULL;
    size_t n_problems = reader->problems->n;
    if (!root || root->kind != JSON_OBJECT) {
        config_tell(reader, "", "instances: []", "this is not a list of instances");
        return NULL;
    }
    for (const JsonNode *member = root->first; member; member = member->next) {
        if (bytes_are(member->name, "instances"))
            entries = member;
        else
            config_tell(reader, "", NULL, "there is no such key as %.*s", BYTES_ARGS(member->name));
    }
    if (reader->problems->n > n_problems)
        return NULL;
    if (!entries)
        config_tell(reader, "", "instances: []", "the key instances is missing");
    else if (entries->kind != JSON_ARRAY)
        config_tell(reader, "instances", "[]", "this is not a list");
    return entries && entries->kind == JSON_ARRAY ? entries : NULL;
}

static void list_add(ListReader *l, Instance *instance, const ListDocument *from)
{
    if (l->list->n == l->list_capacity) {
        uint32_t before = l->list_capacity, capacity = before ? 2 * before : 16;
        l->list->items =
            arena_grow(l->reader.arena, l->list->items, before * sizeof *l->list->items,
                       capacity * sizeof *l->list->items);
        l->froms = arena_grow(l->reader.arena, l->froms, before * sizeof *l->froms,
                              capacity * sizeof *l->froms);
        l->list_capacity = capacity;
    }
    l->froms[l->list->n] = from;
    l->list->items[l->list->n++] = instance;
}

static void fresh_add(ListReader *l, Fresh fresh)
{
    if (l->n_fresh == l->fresh_capacity) {
        uint32_t capacity = l->fresh_capacity ? 2 * l->fresh_capacity : 16;
        l->fresh = arena_grow(l->reader.arena, l->fresh, l->fresh_capacity * sizeof *l->fresh,
                              capacity * sizeof *l->fresh);
        l->fresh_capacity = capacity;
    }
    buffer_add_text(&l->fresh_json, l->n_fresh ? "," : "{\"instances\":[");
    buffer_add(&l->fresh_json, fresh.instance->said.data, fresh.instance->said.size);
    l->fresh[l->n_fresh++] = fresh;
    list_add(l, fresh.instance, fresh.from);
}

static void add_entry(ListReader *l, const ListDocument *from, const YamlDocument *document,
                      const char *path, Bytes said)
{
    Instance *instance = l->had ? table_get(l->had, said) : NULL;
    if (instance) {
        list_add(l, instance, from);
        return;
    }
    instance = arena_make(l->reader.arena, Instance);
    instance->said = said;
    fresh_add(l, (Fresh){instance, path, from, document});
}

/* Those that are valid by themselves are added to the list. */
static void read_entry(ListReader *l, const ListDocument *from, const YamlDocument *document,
                       const JsonNode *entry, const char *path)
{
    ConfigReader *reader = &l->reader;
    size_t n_problems = reader->problems->n;
    Buffer json = buffer_in(reader->arena);
    document_read(l->rules, l->type, document, entry, path, reader->problems, reader->problems,
                  reader->problems, &json);
    if (reader->problems->n == n_problems)
        add_entry(l, from, document, path, buffer_bytes(&json));
    else
        l->list->n_refused++;
}

static void read_document(ListReader *l, ListDocument *from)
{
    ConfigReader *reader = &l->reader;
    size_t n_problems = reader->problems->n;
    YamlDocument *document = arena_make(reader->arena, YamlDocument);
    yaml_parse(reader->arena, from->text, from->base, NULL, reader->problems, document);
    bool readable = reader->problems->n == n_problems;
    reader->file.document = *document;
    const JsonNode *entries = NULL;
    if (readable && !from->is_entry)
        entries = find_entries(reader);
    from->bad = !from->is_entry && !entries;
    if (readable && from->is_entry)
        read_entry(l, from, document, document->root, "");
    else if (from->is_entry)
        l->list->n_refused++;
    uint32_t i = 0;
    for (const JsonNode *entry = entries ? entries->first : NULL; entry; entry = entry->next, i++)
        read_entry(l, from, document, entry, config_path(reader, "instances[%u]", i));
    name_problems(reader->problems, n_problems, from);
}

static void read_one_fresh(ListReader *l, const Fresh *fresh,
                           const Passerelle__Config__Instance *text)
{
    ConfigReader *reader = &l->reader;
    Instance *instance = fresh->instance;
    Bytes said = instance->said;
    size_t n_problems = reader->problems->n;
    reader->file.path = fresh->from ? fresh->from->base : "";
    reader->file.document = fresh->document ? *fresh->document : (YamlDocument){.file = ""};
    config_read_instance(reader, l->service, l->service->n_versions == 0, text, fresh->path,
                         instance);
    instance->said = said;
    if (reader->problems->n == n_problems)
        return;
    if (fresh->from)
        name_problems(reader->problems, n_problems, fresh->from);
    SSL_CTX_free(instance->tls);
    instance->service = NULL; /* marks a mistake: see keep_good */
}

static Result read_fresh(ListReader *l)
{
    ConfigReader *reader = &l->reader;
    if (!l->n_fresh)
        return OK;
    buffer_add_text(&l->fresh_json, "]}");
    ProtobufCMessage *message;
    Result r = config_message(
        reader->arena, schema_message(l->schema, bytes_of("passerelle.config.InstanceList")),
        buffer_bytes(&l->fresh_json), &passerelle__config__instance_list__descriptor, &message);
    if (failed(r))
        return r;
    const Passerelle__Config__InstanceList *text =
        (const Passerelle__Config__InstanceList *)message;
    for (uint32_t i = 0; i < l->n_fresh; i++)
        read_one_fresh(l, &l->fresh[i], text->instances[i]);
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&l->contexts, &at));)
        SSL_CTX_free(entry->value);
    return OK;
}

/* Removes entries with mistakes, and repeated addresses. */
static void keep_good(ListReader *l)
{
    ConfigReader *reader = &l->reader;
    Table seen = table_in(reader->arena);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->list->n; i++) {
        Instance *instance = l->list->items[i];
        Bytes address = bytes_of(instance->address.text);
        if (instance->service && !table_get(&seen, address)) {
            table_put(&seen, address, instance);
            l->list->items[n++] = instance;
            continue;
        }
        l->list->n_refused++;
        if (!instance->service)
            continue;
        problem_add(reader->problems, l->froms[i] ? l->froms[i]->name : "", 0, 0, "instances", NULL,
                    "the address %s occurs twice", instance->address.text);
        if (!l->had || !table_get(l->had, instance->said))
            SSL_CTX_free(instance->tls);
    }
    l->list->n = n;
}

Result config_list_read(Arena *arena, const Service *service, ListDocument *documents, uint32_t n,
                        const Table *had, Problems *problems, InstanceList *list_out)
{
    ListReader l;
    Result r = begin(&l, arena, service, had, problems, list_out);
    if (failed(r))
        return r;
    uint32_t n_bad = 0;
    for (uint32_t i = 0; i < n; i++) {
        read_document(&l, &documents[i]);
        n_bad += documents[i].bad;
    }
    if (n && n_bad == n)
        return FAIL(arena, FAULT_BAD_CONFIG, "%s has no list of instances of %s", documents->name,
                    service->name);
    r = read_fresh(&l);
    if (!failed(r))
        keep_good(&l);
    return r;
}

Result config_list_again(Arena *arena, const Service *service, Instance *const *instances,
                         uint32_t n, Problems *problems, InstanceList *list_out)
{
    ListReader l;
    Result r = begin(&l, arena, service, NULL, problems, list_out);
    if (failed(r))
        return r;
    for (uint32_t i = 0; i < n; i++) {
        Instance *fresh = arena_make(arena, Instance);
        fresh->said = instances[i]->said;
        if (fresh->said.size)
            fresh_add(&l, (Fresh){fresh, instances[i]->address.text, NULL, NULL});
    }
    r = read_fresh(&l);
    if (!failed(r))
        keep_good(&l);
    return r;
}
