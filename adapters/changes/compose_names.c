/* What a chain of two lists makes of types that are met by their names alone, inside an Any. */
#include "adapters/changes/change_list.h"

/* At work on the types of one composed set that have no counterpart. */
typedef struct Stranding {
    Arena *arena;
    MappingSet *set;
    const MappingSet *first, *second;
    Table by_first, by_second; /* full name -> Stranded of the one list and of the other */
    Stranded *found;           /* they become the set's */
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

/* As the first or the second list has it, by the name that it has in the first version. */
static void strand(Stranding *s, const MessageType *type, const Stranded *said)
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
    s->found[s->n++] =
        (Stranded){type, said->fate, counted ? mapping_set_add_loss(s->arena, s->set, loss) : loss};
}

/* Does the first list leave alone what has this name? Then it meets the second as it is. */
static bool is_passed_on(const Stranding *s, Bytes name)
{
    const Stranded *said = table_get(&s->by_first, name);
    return said ? said->fate == TYPE_KEPT : !table_get(&s->first->by_type, name);
}

static void strand_passed_on(Stranding *s)
{
    for (uint32_t i = 0; i < s->second->n_stranded; i++) {
        const Stranded *said = &s->second->stranded[i];
        if (is_passed_on(s, bytes_of(said->type->full_name)))
            strand(s, said->type, said);
    }
}

/* What the first list keeps meets the second, which may say more of it. */
static void strand_by_first(Stranding *s)
{
    for (uint32_t i = 0; i < s->first->n_stranded; i++) {
        const Stranded *said = &s->first->stranded[i];
        Bytes name = bytes_of(said->type->full_name);
        bool again = said->fate == TYPE_KEPT &&
                     (table_get(&s->by_second, name) || table_get(&s->second->by_type, name));
        if (!again)
            strand(s, said->type, said);
    }
}

/* What the first list gives as something that the second strands; names of several versions can
   lead there. What the second keeps has a mapping. */
static void strand_mapped(Stranding *s)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&s->first->by_type, &at));) {
        const Mapping *mapping = entry->value;
        const Stranded *said = table_get(&s->by_second, bytes_of(mapping->to->full_name));
        if (said && said->fate != TYPE_KEPT)
            strand(s, mapping->from, said);
    }
}

/* Types that only an Any can bring: those of the versions between, and those that one of the lists
   strands. */
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
}
