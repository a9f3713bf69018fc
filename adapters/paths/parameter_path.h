/*
 * ParameterPath: iterates over the fields of a parameter's path.
 *
 *   filter.color       the field color of the message filter
 *   labels[a.b]        the entry "a.b" of the map labels
 *   labels.a.b         the same: nothing can follow a value that is not a message
 *   parts[a.b].size    the field size of the entry "a.b" of the map parts
 *   parts.a.size       the field size of the entry "a"
 *
 * Only names are looked up; the caller checks whether a field can be written as text. It lives on
 * the stack of one thread, and borrows the path and the schema. No memory is allocated.
 */
#ifndef ADAPTERS_PARAMETER_PATH_H
#define ADAPTERS_PARAMETER_PATH_H

#include "adapters/schema/schema.h"

typedef struct ParameterPath {
    const MessageType *type; /* that the next name is a field of; NULL after a scalar */
    Bytes rest;              /* after this step; data NULL: it is the last */
    Bytes name;              /* of this step, as written */
    const FieldType *field;  /* of this step */
    Bytes key;               /* of the entry, where the field is a map; data NULL: no entry */
} ParameterPath;

typedef enum ParameterStep {
    PARAMETER_FIELD,
    PARAMETER_END,     /* no step is left, or none that can be looked up, because this field is no
                          message: `rest` tells them apart */
    PARAMETER_UNKNOWN, /* `type` has no field of this name, or only an extension */
    PARAMETER_BAD_KEY, /* of a map: it is empty, or its bracket is not closed */
} ParameterStep;

/* Whether the value of the field, or of an element of it, can be written as one text: what is no
   message, and the well-known types that JSON writes as texts or scalars. */
bool parameter_may_be_text(const FieldType *field);

ParameterPath parameter_path(const MessageType *type, Bytes text);
ParameterStep parameter_path_next(ParameterPath *path);

#endif
