/* What a chain of two lists makes of types that are met by their names alone, inside an Any. */
#include "adapters/change_list.h"

/* As the first or the second list has it, by the name that it has in the first version. */
static Stranded strand(Arena *arena, MappingSet *set, const MessageType *type, const Stranded *said)
{
    Loss *loss = arena_make(arena, Loss);
    *loss = *said->loss;
    loss->path = type == said->type ? loss->path : type->name;
    return (Stranded){type, said->fate, said->fate == TYPE_DROPPED ? mapping_set_add_loss(arena, set, loss) : loss};
}

/* Does the first list leave alone what has this name? Then it meets the second as it is. */
static bool is_passed_on(const MappingSet *first, Bytes name)
{
    for (uint32_t i = 0; i < first->n_stranded; i++) {
        if (bytes_are(name, first->stranded[i].type->full_name))
            return first->stranded[i].fate == TYPE_KEPT;
    }
    return !table_get(&first->by_type, name);
}

/* Types that only an Any can bring: those of the version between, and those that one of the lists strands. */
void mapping_set_compose_names(Arena *arena, MappingSet *set, const MappingSet *first,
                               const MappingSet *second)
{
    Stranded *stranded =
        arena_array(arena, Stranded, first->n_stranded + 2 * second->n_stranded + 1);
    Table later = table_in(arena);
    uint32_t n = 0;
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&second->by_type, &at));) {
        if (is_passed_on(first, entry->key))
            table_put(&set->by_type, entry->key, entry->value);
    }
    for (uint32_t i = 0; i < second->n_stranded; i++) {
        const Stranded *said = &second->stranded[i];
        Bytes name = bytes_of(said->type->full_name);
        table_put(&later, name, (void *)(uintptr_t)said);
        if (is_passed_on(first, name))
            stranded[n++] = strand(arena, set, said->type, said);
    }
    for (uint32_t i = 0; i < first->n_stranded; i++) {
        const Stranded *said = &first->stranded[i];
        Bytes name = bytes_of(said->type->full_name);
        bool again = said->fate == TYPE_KEPT &&
                     (table_get(&later, name) || table_get(&second->by_type, name));
        if (!again)
            stranded[n++] = strand(arena, set, said->type, said);
    }
    at = 0;
    for (const TableEntry *entry; (entry = table_next(&first->by_type, &at));) {
        const Mapping *mapping = entry->value;
        const Stranded *said = table_get(&later, bytes_of(mapping->to->full_name));
        if (said)
            stranded[n++] = strand(arena, set, mapping->from, said);
    }
    set->stranded = stranded;
    set->n_stranded = n;
}
