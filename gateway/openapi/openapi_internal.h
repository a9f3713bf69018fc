/*
 * The inside of gateway/openapi: one document while it is made.
 *
 *      openapi.c       the whole, and which operations there are
 *      operation.c     one operation: parameters, body, responses
 *      demand.c        what a method demands of its requests beyond their schema
 *      query.c         which fields of a request are parameters of its query
 *      schema_json.c   messages, enums and fields as JSON Schema
 *      security.c      how clients prove who they are
 */
#ifndef GATEWAY_OPENAPI_INTERNAL_H
#define GATEWAY_OPENAPI_INTERNAL_H

#include "gateway/openapi/notes.h"
#include "gateway/openapi/open_path.h"
#include "gateway/openapi/openapi.h"

/* Where a message occurs, bits of OpenApi.uses. */
enum {
    USED_IN = 1,   /* in a request */
    USED_OUT = 2,  /* in a response */
    USED_OPEN = 4, /* in a request whose route takes unknown fields */
};

typedef enum Side { SIDE_IN, SIDE_OUT } Side;

typedef struct OpenApi {
    const OpenApiQuestion *question;
    const Config *config;
    const Version *version;
    const Schema *schema;
    Notes notes;
    uint8_t *uses;    /* index: of the message */
    uint8_t *demands; /* likewise; 1: requests need a field of it, or of a message in it */
    bool *enums;      /* index: of the enum; something written refers to it */
    Table shared;     /* RestBinding that another version has, too; by its address */
    bool proto_names; /* of fields, in responses */
    bool nulls;       /* some responses have null for unset messages */
    bool enum_numbers, enum_names;
    bool google_errors; /* some errors have the shape of Google's */
    bool is_rest;       /* some instance speaks REST, and chooses the status */
    Arena *arena;       /* without a limit */
    Buffer *out;
} OpenApi;

/* What is written from then on is for nobody. Looked at between operations, and between messages.
 */
static inline bool openapi_is_dropped(const OpenApi *api)
{
    return api->question->dropped && api->question->dropped(api->question->owner);
}

/* One operation of the document. */
typedef struct Operation {
    const RestBinding *binding;
    OpenPath path;
    const OpenPath *names;  /* of the first operation with this path: its parameters have them */
    const char *verb;       /* "get" */
    uint32_t nth;           /* among the bindings of its method, from 0 */
    struct Operation *next; /* with the same path, in the order of the schema; NULL: the last */
} Operation;

/* ---- schema_json.c --------------------------------------------------------------------------- */

/* Fields of a request message that something else than its body says. */
typedef struct Covered {
    const FieldType **fields;
    uint32_t n;
} Covered;

/* Remembers that the message, and what is in it, is used. Before anything is written. */
void schema_use(OpenApi *api, const MessageType *type, uint8_t uses);
void schema_use_field(OpenApi *api, const FieldType *field, uint8_t uses);

/* The name by which the document calls a message or enum of the schema. */
const char *schema_name(const OpenApi *api, const MessageType *type, Side side);

/* Each adds members of a schema to the object that was begun at the end of `out`: of a message, of
   a field, of one value of a field. */
void schema_add_message(OpenApi *api, const MessageType *type, Side side);
void schema_add_field(OpenApi *api, const FieldType *field, Side side);
void schema_add_value(OpenApi *api, const FieldType *field, Side side);

/* The same of a message as it is, without those fields; `open`: others may be there. */
void schema_add_object(OpenApi *api, const MessageType *type, Side side, const Covered *covered,
                       bool open);

/* How a field is called in JSON. */
const char *schema_field_name(const OpenApi *api, const FieldType *field);

/* Adds a member for each message and enum that is used. */
void schema_add_components(OpenApi *api);

/* `description` and `deprecated` of what the note is of. */
void schema_add_note(OpenApi *api, const Note *note);

/* ---- demand.c -------------------------------------------------------------------------------- */

/* A field that requests of one method must have, though its schema does not say so. */
typedef struct Demand {
    const char *path; /* "spec.name", by names of the schema */
    bool whole;       /* the messages that it is in must be there, too */
} Demand;

typedef struct Demands {
    Demand *items;
    uint32_t n;
} Demands;

/* By the rules of its route, and the key of the resource of a job. */
Demands demands_of(const OpenApi *api, const Method *method);

/* Whether the parameter for the field at this path must be there. */
bool demands_have(const Demands *demands, const char *path);

/* Adds to the schema of a body, of this type, what is demanded of it: `allOf`, if there is any.
   `body`: the field of the request that it is; NULL: it is the request, without the fields that are
   covered. */
void demands_add(OpenApi *api, const Demands *demands, const MessageType *input,
                 const FieldType *body, const Covered *covered);

/* ---- operation.c, query.c, security.c -------------------------------------------------------- */

void operation_add(OpenApi *api, const Operation *operation);

/* The fields of the path, and of a named body. */
void operation_cover(const OpenApi *api, const RestBinding *binding, Covered *covered);

/* Adds the parameters of the query to the array that was begun. */
void query_add(OpenApi *api, const RestBinding *binding, const Demands *demands);

/* Begins a parameter in the array: an object, which is open. */
void parameter_begin(OpenApi *api, const char *name, const char *in, bool required);

/* Of the config: what `components.securitySchemes` has. */
void security_add_schemes(OpenApi *api);
/* Of an operation: its member `security`; nothing where clients prove nothing. */
void security_add(OpenApi *api, const Route *route);

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Begins a member that is an object or array; whoever begins it adds the closing bracket. */
void json_open(OpenApi *api, const char *name, char bracket);
/* Begins an element of an array. */
void json_open_element(OpenApi *api);
void json_close(OpenApi *api, char bracket);
void json_add(OpenApi *api, const char *name, const char *text);

#endif
