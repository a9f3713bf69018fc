/*
 * ParameterPath: the fields that the path of a parameter leads through, one after the other.
 *
 *   filter.color       the field color of the message filter
 *   labels[a.b]        the entry "a.b" of the map labels
 *   labels.a.b         the same: after a value that is no message nothing follows
 *   parts[a.b].size    the field size of the entry "a.b" of the map parts
 *   parts.a.size       the field size of the entry "a"
 *
 * Only names are looked up; whether a field can be given as text is for the caller. It lives on the
 * stack of one thread, and borrows the path and the schema. No memory is allocated.
 */
#ifndef ADAPTERS_PARAMETER_PATH_H
#define ADAPTERS_PARAMETER_PATH_H

#include "adapters/schema/schema.h"

typedef struct ParameterPath {
    const MessageType *type; /* that the next name is a field of; NULL after a scalar */
    Bytes rest;              /* after this step; data NULL: it is the last */
    Bytes name;              /* of this step, as it is said */
    const FieldType *field;  /* of this step */
    Bytes key; /* of the entry, where the field is a map; data NULL: no entry is said */
} ParameterPath;

typedef enum ParameterStep {
    PARAMETER_FIELD,
    PARAMETER_END,     /* no step is left, or none that can be looked up, because this field is no
                          message: `rest` tells them apart */
    PARAMETER_UNKNOWN, /* `type` has no field of this name, or only an extension */
    PARAMETER_BAD_KEY, /* of a map: it is empty, or its bracket is not closed */
} ParameterStep;

ParameterPath parameter_path(const MessageType *type, Bytes text);
ParameterStep parameter_path_next(ParameterPath *path);

#endif
