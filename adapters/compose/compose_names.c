/* Composes what two lists specify for types that are looked up by name only, inside an Any. */
#include "adapters/compose/compose_internal.h"

/* Collects the types of a composed set that have no counterpart. */
typedef struct Stranding {
    Arena *arena;
    MappingSet *set;
    const MappingSet *first, *second;
    Table by_first, by_second; /* full name -> Stranded of the one list and of the other */
    Stranded *found;           /* the result, for the set */
    uint32_t n, capacity;
} Stranding;

Table mapping_set_stranded(Arena *arena, const MappingSet *set)
{
    Table table = table_in(arena);
    for (uint32_t i = 0; i < set->n_stranded; i++)
        table_put(&table, bytes_of(set->stranded[i].type->full_name),
                  (void *)(uintptr_t)&set->stranded[i]);
    return table;
}

/* Adds a type as the first or the second list specifies it, by its name in the first version. */
static void strand(Stranding *s, const MessageType *type, const Stranded *said, bool at_end)
{
    if (s->n == s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity * 2 : 32;
        s->found =
            arena_grow(s->arena, s->found, s->n * sizeof *s->found, capacity * sizeof *s->found);
        s->capacity = capacity;
    }
    Loss *loss = arena_make(s->arena, Loss);
    *loss = *said->loss;
    loss->path = type == said->type ? loss->path : type->name;
    bool counted = said->fate == TYPE_DROPPED;
    s->found[s->n++] = (Stranded){type, said->fate, at_end,
                                  counted ? mapping_set_add_loss(s->arena, s->set, loss) : loss};
}

/* Whether the first list does not change a type with this name, so that the second list applies to
   it. */
static bool is_passed_on(const Stranding *s, Bytes name)
{
    const Stranded *said = table_get(&s->by_first, name);
    return said ? said->fate == TYPE_KEPT : !table_get(&s->first->by_type, name);
}

static void strand_passed_on(Stranding *s)
{
    for (uint32_t i = 0; i < s->second->n_stranded; i++) {
        const Stranded *said = &s->second->stranded[i];
        Bytes name = bytes_of(said->type->full_name);
        const Stranded *kept = table_get(&s->by_first, name);
        if (is_passed_on(s, name))
            strand(s, said->type, said, kept && kept->at_end);
    }
}

/* A type that the first list keeps is then subject to the second list. */
static void strand_by_first(Stranding *s)
{
    for (uint32_t i = 0; i < s->first->n_stranded; i++) {
        const Stranded *said = &s->first->stranded[i];
        Bytes name = bytes_of(said->type->full_name);
        bool again = said->fate == TYPE_KEPT &&
                     (table_get(&s->by_second, name) || table_get(&s->second->by_type, name));
        if (!again)
            strand(s, said->type, said, said->at_end);
    }
}

/* Whether the mapping is for a type of the set's first version, not of a version between. */
static bool is_own(const MappingSet *set, const Mapping *mapping)
{
    return mapping->index < set->n_mappings && set->mappings[mapping->index] == mapping;
}

/* Types that the first list converts to a type without a counterpart in the second; several names,
   of different versions, can lead to it. A type that the second list keeps has a mapping. */
static void strand_mapped(Stranding *s)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&s->first->by_type, &at));) {
        const Mapping *mapping = entry->value;
        const Stranded *said = table_get(&s->by_second, bytes_of(mapping->to->full_name));
        if (said && said->fate != TYPE_KEPT)
            strand(s, mapping->from, said, is_own(s->first, mapping));
    }
}

/* ---- Types of the versions between ----------------------------------------------------------- */

typedef struct Between {
    MappingSet *set;
    const MessageType **types;
    uint32_t n;
} Between;

static bool is_known_at_an_end(const MappingSet *set, const MessageType *type)
{
    Bytes name = bytes_of(type->full_name);
    return schema_message(set->from, name) || schema_message(set->to, name) ||
           table_get(&set->by_type, name);
}

static bool is_found(const Between *found, const MessageType *type)
{
    for (uint32_t i = 0; i < found->n; i++) {
        if (strcmp(found->types[i]->full_name, type->full_name) == 0)
            return true;
    }
    return false;
}

static void add_between(Between *found, const MessageType *type)
{
    if (!is_known_at_an_end(found->set, type) && !is_found(found, type))
        found->types[found->n++] = type;
}

/* A message type that only a version between has belongs to the chain: an Any inside it is
   converted by every list on the way. */
static void find_between(Arena *arena, MappingSet *set, const MappingSet *first,
                         const MappingSet *second)
{
    const Schema *schema = second->from;
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    const bool *reach = any_reach(scratch, schema);
    Table stranded = mapping_set_stranded(scratch, set);
    uint32_t room = first->n_between + second->n_between;
    for (uint32_t i = 0; i < schema->n_messages; i++)
        room += reach[i];
    Between found = {set, arena_array(arena, const MessageType *, room + 1), 0};
    for (uint32_t i = 0; i < first->n_between; i++)
        add_between(&found, first->between[i]);
    for (uint32_t i = 0; i < second->n_between; i++)
        add_between(&found, second->between[i]);
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *type = &schema->messages[i];
        if (reach[i] && !type->map_entry && !table_get(&stranded, bytes_of(type->full_name)))
            add_between(&found, type);
    }
    arena_free(scratch);
    set->between = found.types;
    set->n_between = found.n;
}

/* Types that can only occur in an Any: those of the versions between, and those without a
   counterpart in one of the lists. */
void mapping_set_compose_names(Arena *arena, MappingSet *set, const MappingSet *first,
                               const MappingSet *second)
{
    Stranding s = {.arena = arena,
                   .set = set,
                   .first = first,
                   .second = second,
                   .by_first = mapping_set_stranded(arena, first),
                   .by_second = mapping_set_stranded(arena, second)};
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&second->by_type, &at));) {
        if (is_passed_on(&s, entry->key))
            table_put(&set->by_type, entry->key, entry->value);
    }
    strand_passed_on(&s);
    strand_by_first(&s);
    strand_mapped(&s);
    set->stranded = s.found;
    set->n_stranded = s.n;
    find_between(arena, set, first, second);
}
