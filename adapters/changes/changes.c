#include "adapters/changes/change_list.h"
#include "adapters/compose/compose.h"

static const char *const sections[] = {"from", "to", "types", "messages", "enums", "methods"};

static void check_sections(ChangeList *list)
{
    size_t n = sizeof sections / sizeof *sections;
    for (const JsonNode *node = list->document.root->first; node; node = node->next) {
        size_t i = 0;
        while (i < n && !bytes_are(node->name, sections[i]))
            i++;
        if (i < n)
            continue;
        const char *near = nearest_word(node->name, sections, n);
        list->misread = true; /* do not report as missing what the unknown section may contain */
        change_problem(list, *yaml_place(&list->document, node), "",
                       near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                       "a change list has no %.*s", BYTES_ARGS(node->name));
    }
}

static void check_version(ChangeList *list, const char *key, int end)
{
    const JsonNode *node = json_member(list->document.root, key);
    if (node && bytes_are(node->text, list->sides[end].version))
        return;
    YamlPlace place = node ? *yaml_place(&list->document, node) : (YamlPlace){1, 1, 1, 1, NULL};
    change_problem(list, place, key,
                   arena_printf(list->arena, "write %s: %s", key, list->sides[end].version),
                   node ? "this list is used between %s and %s"
                        : "the list does not say from or to; it is used between %s and %s",
                   list->sides[OLD].version, list->sides[NEW].version);
}

/* The empty list has no sections. */
static void read_list(ChangeList *list)
{
    if (list->document.root->kind == JSON_OBJECT) {
        check_sections(list);
        check_version(list, "from", OLD);
        check_version(list, "to", NEW);
    } else if (list->document.root->kind != JSON_NULL) {
        change_problem(list, (YamlPlace){1, 1, 1, 1, NULL}, "", "from: v1",
                       "a change list is from, to, messages, enums and methods");
        return;
    }
    change_read_types(list);
    change_read_messages(list);
    change_read_enum_keys(list);
    change_read_methods(list);
    change_check_types(list);
    pairs_check(list);
    for (uint32_t i = 0; i < list->n_enum_pairs; i++)
        enum_pair_build(list, list->enum_pairs[i]);
}

static bool same_package(const ChangeList *list)
{
    if (strcmp(list->sides[OLD].package, list->sides[NEW].package) != 0)
        return false;
    for (uint32_t i = 0; i < list->n_pairs; i++) {
        if (strcmp(list->pairs[i]->ends[OLD]->full_name, list->pairs[i]->ends[NEW]->full_name) != 0)
            return false;
    }
    return true;
}

/* The mapping between these two; NULL if the pair has problems. */
static const Mapping *made_mapping(ChangeList *list, int to, const MessageType *old,
                                   const MessageType *new_type)
{
    const MessagePair *pair = message_pair(list, old, new_type);
    return pair->checked && !pair->bad ? pair->mappings[to] : NULL;
}

static void map_methods(ChangeList *list, int to)
{
    MappingSet *set = &list->sets[to];
    set->by_method = table_in(list->arena);
    for (uint32_t i = 0; i < list->n_methods; i++) {
        const MethodType *old = list->methods[i].ends[OLD], *is = list->methods[i].ends[NEW];
        if (!old || !is)
            continue;
        MethodMapping *made = arena_make(list->arena, MethodMapping);
        made->to = list->methods[i].ends[to];
        made->input = made_mapping(list, to, old->input, is->input);
        made->output = making_operation(list, to, &list->methods[i],
                                        made_mapping(list, to, old->output, is->output));
        table_put(&set->by_method, bytes_of(list->methods[i].ends[!to]->path), made);
    }
}

static void make_sets(ChangeList *list)
{
    Mapping **made[2];
    uint32_t n = 0;
    for (int to = 0; to < 2; to++) {
        MappingSet *set = &list->sets[to];
        const ChangeSide *source = &list->sides[!to], *target = &list->sides[to];
        made[to] = arena_array(list->arena, Mapping *, list->n_pairs + 1);
        set->from = source->schema;
        set->to = target->schema;
        set->from_version = source->version;
        set->file = list->file;
        set->to_version = target->version;
        set->by_type = table_in(list->arena);
    }
    for (uint32_t i = 0; i < list->n_pairs; i++) {
        MessagePair *pair = list->pairs[i];
        if (!pair->checked || pair->bad)
            continue;
        pair_map(list, pair);
        for (int to = 0; to < 2; to++) {
            made[to][n] = pair->mappings[to];
            made[to][n]->index = n;
            if (pair->canonical)
                table_put(&list->sets[to].by_type, bytes_of(pair->ends[!to]->full_name),
                          made[to][n]);
        }
        n++;
    }
    bool same = same_package(list);
    for (int to = 0; to < 2; to++) {
        list->sets[to].mappings = (const Mapping **)made[to];
        list->sets[to].n_mappings = n;
        mappings_settle(made[to], n, same);
        map_methods(list, to);
        change_strand_types(list, to);
    }
}

Result changes_load(Arena *arena, Bytes yaml, const char *file, const ChangeSide *from,
                    const ChangeSide *to, Problems *problems, const ChangeList **list_out)
{
    return changes_load_in(arena, arena, yaml, file, from, to, problems, list_out);
}

Result changes_load_in(Arena *arena, Arena *working, Bytes yaml, const char *file,
                       const ChangeSide *from, const ChangeSide *to, Problems *problems,
                       const ChangeList **list_out)
{
    *list_out = NULL;
    ChangeList *list = arena_make(arena, ChangeList);
    if (!list)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading the change list %s", file);
    *list = (ChangeList){
        .arena = arena,
        .working = working,
        .file = arena_string(arena, file),
        .sides = {*from, *to},
        .problems = problems,
        .types = {table_in(arena), table_in(arena)},
        .fates = {table_in(arena), table_in(arena)},
        .pairs_by_ends = table_in(arena),
        .enum_pairs_by_ends = table_in(arena),
    };

    size_t n_problems = problems->n;
    yaml_parse(arena, yaml, list->file, NULL, problems, &list->document);
    if (list->document.root) {
        read_list(list);
        change_check_marks(list, yaml);
    }
    list->problems = NULL; /* only borrowed during the load */
    if (problems->n > n_problems)
        return OK;
    make_sets(list);
    *list_out = list;
    return OK;
}

Result changes_none(Arena *arena, Arena *working, const ChangeSide *from, const ChangeSide *to,
                    Problems *problems, const ChangeList **list_out)
{
    const char *file = arena_printf(arena, "changes from %s to %s", from->version, to->version);
    return changes_load_in(arena, working, BYTES_NONE, file, from, to, problems, list_out);
}

const char *changes_from(const ChangeList *list)
{
    return list->sides[OLD].version;
}

const char *changes_to(const ChangeList *list)
{
    return list->sides[NEW].version;
}

Result changes_compose(Arena *arena, const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                       Problems *problems, const MappingSet **set_out)
{
    int to = upwards ? NEW : OLD;
    const MappingSet *set = NULL;
    *set_out = NULL;
    if (!n_lists)
        return FAIL(arena, FAULT_BAD_CHANGES, "composing no change list");
    size_t n_problems = problems->n;
    for (uint32_t i = 0; i < n_lists; i++) {
        const ChangeList *list = chain_list(lists, n_lists, upwards, i);
        if (set && set->to != list->sets[to].from)
            return FAIL(arena, FAULT_BAD_CHANGES,
                        "%s ends with %s, and %s begins with another schema of it", list->file,
                        set->to_version, list->sets[to].from_version);
        const ChangeSide *first = &chain_list(lists, n_lists, upwards, 0)->sides[!to];
        bool same = strcmp(first->package, list->sides[to].package) == 0;
        set = set ? mapping_sets_compose(arena, set, &list->sets[to], same, problems)
                  : &list->sets[to];
    }
    if (problems->n == n_problems)
        *set_out = set;
    return OK;
}
