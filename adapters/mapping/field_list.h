/*
 * FieldList: which fields of a message may be seen, by paths: `id`, `items.name`. All others are
 * hidden, also those that the schema does not have yet.
 *
 *      id           the field, with all that is in it
 *      items.name   of each element of a list, or of each value of a map, that field
 *      *            all fields that the schema has
 *
 * A list restricts the mapping that makes the message: what is hidden is not computed, so that a
 * plan of it costs less than one of everything, and what a message that is shown in part loses is
 * not counted. Made when a config is loaded, in its arena, which
 * has no limit; immutable then.
 */
#ifndef ADAPTERS_FIELD_LIST_H
#define ADAPTERS_FIELD_LIST_H

#include "adapters/mapping/mapping.h"
#include "base/arena.h"

typedef struct FieldList FieldList;

/* Nothing is shown. */
FieldList *field_list_new(Arena *arena, const MessageType *type);

typedef enum FieldListMistake {
    FIELD_LIST_FITS,
    FIELD_LIST_NO_FIELD, /* `type` has no field `name` */
    FIELD_LIST_NO_WAY,   /* the field `name` of `type` has no fields: no message, or one that JSON
                            writes as a value (google.protobuf.Timestamp) */
} FieldListMistake;

typedef struct FieldListPlace {
    const MessageType *type;
    Bytes name; /* borrowed from the path */
} FieldListPlace;

/* Shows what is at the path, too. *place_out: where it does not fit. */
FieldListMistake field_list_add(Arena *arena, FieldList *list, Bytes path,
                                FieldListPlace *place_out);

/* A required field of proto2 that is hidden in a message that is shown, without which nobody can
   read that; NULL: there is none. */
const FieldType *field_list_lacks(const FieldList *list);

/* Whether nothing of the field at the path is shown. A path that does not fit is not hidden. NONE:
   all of the message. */
bool field_list_hides(const FieldList *list, Bytes path);

/* "total, items.price": the paths of what is hidden, each as far up as all of it is. Nothing, if
   all that the schema has is shown. The buffer has an arena. */
void field_list_add_hidden(const FieldList *list, Buffer *out);

/* Whether it has "*". */
bool field_list_shows_all(const FieldList *list);

/*
 * The mapping, which makes a message of the list's type, without what is hidden. Plans of it need
 * PlanOptions.walk_all, and no UNKNOWN_KEEP: else messages that are shown whole are copied with
 * fields that the schema does not have. `same`: the identities of the list's schema.
 */
const Mapping *field_list_restrict(Arena *arena, const FieldList *list, const Mapping *mapping,
                                   const MappingSet *same);

#endif
