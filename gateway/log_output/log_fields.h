/*
 * LogFields: what a line of the log says of a request's message, by the fields that its route
 * names.
 *
 *      fields: [order.id, customer]        "order.id":"7","customer":"acme"
 *
 * Names are those of the schema, and values texts, in the version that the client speaks. What the
 * message does not have is left out. Made with a config, and never changed; any thread.
 */
#ifndef GATEWAY_LOG_FIELDS_H
#define GATEWAY_LOG_FIELDS_H

#include "adapters/schema/schema.h"

enum {
    LOG_FIELD_SIZE = 128,   /* of one value, before escaping; the rest is cut off */
    LOG_FIELDS_SIZE = 1024, /* of all members, as they are written; one that does not fit is left
                               out */
    LOG_FIELDS_MOST = 16,   /* names */
};

typedef struct LogField {
    const char *name;             /* "order.id"; needs no escapes */
    const FieldType *const *path; /* ends with NULL; the last one is single and no message */
} LogField;

/* Of one method, in its version. */
typedef struct LogFields {
    const LogField *items;
    uint32_t n;
    const struct Plan *to_proto; /* from JSON */
} LogFields;

/* Adds the members, which are empty where the message has none of them or cannot be read. `message`
   is in protobuf of the method's version, and `out` is empty and in an arena. */
void log_fields_write(const LogFields *fields, Bytes message, Buffer *out);

#endif
