/*
 * FieldValue: one field of a message in protobuf, found by its path, and its value as a text.
 *
 * For single fields of small messages that the gateway looks into: what belongs together, what a
 * call costs, what its log line says. Borrows all it is given; any thread.
 */
#ifndef ADAPTERS_FIELD_VALUE_H
#define ADAPTERS_FIELD_VALUE_H

#include "adapters/schema/schema.h"
#include "adapters/schema/wire.h"

/* The last field at the path, which ends with NULL and leads through single messages, as protobuf
   requires. False: there is none, its text is empty, or the message cannot be read. */
bool field_find(const FieldType *const *path, Bytes message, WireField *found_out);

/* Whether it has one value that is a text: it is no list, map or message. */
bool field_has_text(const FieldType *field);

enum { FIELD_NUMBER_SIZE = 24 };

/* A number of an integer field, as readers of protobuf take it: of 32 bits, where the field has no
   more. Enums and bool: their number. Borrows `out`. */
Bytes field_number_text(FieldKind kind, uint64_t value, char out[FIELD_NUMBER_SIZE]);

/* Adds the value as JSON would have it, without quotes: an enum by its name, where it has one, and
   bytes in base64, of the first `most` of them. Also a text is cut there, between two characters.
   Nothing is added for a value of another kind than the field's. */
void field_value_add(Buffer *out, const FieldType *field, const WireField *found, size_t most);

#endif
