/*
 * ChangeList: the changes between two neighbouring versions of a service, as written by its
 * developers.
 *
 * A YAML file, read against both schemas: a field that is not in it is converted to the field with
 * the same name. The check does not stop at the first problem: all are reported with file, line and
 * column, and a list with problems yields no mapping. See docs/changes.md for the language. Used
 * when a config is loaded; lives in its arena; one thread.
 */
#ifndef ADAPTERS_CHANGES_H
#define ADAPTERS_CHANGES_H

#include "adapters/mapping/mapping.h"
#include "base/problem.h"

typedef struct ChangeList ChangeList;

/* One side of a change list: a version's schema and the package that its names are in. */
typedef struct ChangeSide {
    const char *version; /* "v1" */
    const Schema *schema;
    const char *package;       /* names in the list are relative to it */
    const char *const *mixins; /* full names of RPC services of other packages that it has, too */
    uint32_t n_mixins;
} ChangeSide;

/*
 * Reads and checks one list. Problems are added to `problems`; NULL in *list_out if there are any.
 * `file` is for their texts. The Result is an error only for causes other than the text (memory).
 */
MUST_USE Result changes_load(Arena *arena, Bytes yaml, const char *file, const ChangeSide *from,
                             const ChangeSide *to, Problems *problems, const ChangeList **list_out);

/*
 * The same, with the parts of the list that only prove/ reads in the arena `working`. After that is
 * freed, only changes_compose and changes_method work with the list.
 */
MUST_USE Result changes_load_in(Arena *arena, Arena *working, Bytes yaml, const char *file,
                                const ChangeSide *from, const ChangeSide *to, Problems *problems,
                                const ChangeList **list_out);

/* The empty list: everything is the same by name. It is also checked for silent losses. */
MUST_USE Result changes_none(Arena *arena, Arena *working, const ChangeSide *from,
                             const ChangeSide *to, Problems *problems, const ChangeList **list_out);

const char *changes_from(const ChangeList *list); /* version names */
const char *changes_to(const ChangeList *list);

/* The counterpart of a method. */
typedef struct MethodChange {
    const MethodType *target; /* NULL: it has no counterpart */
    const char *reason;       /* then: why, for the client */
} MethodChange;

/*
 * Composes a chain of neighbouring lists, read upwards (older to newer) or downwards, into the
 * mappings from the first version's messages to the last's. n_lists may be 1. Problems of the
 * composition are added to `problems`.
 */
MUST_USE Result changes_compose(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                                bool upwards, Problems *problems, const MappingSet **set_out);

/* The counterpart of a method over the chain, in the same directions. */
MethodChange changes_method(const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                            const MethodType *method, Arena *arena);

#endif
