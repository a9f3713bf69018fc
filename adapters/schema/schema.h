/*
 * Schema: the messages, enums and services of one FileDescriptorSet, linked.
 *
 * Immutable once loaded; any thread may read it; it lives as long as the arena that it was loaded
 * in (a config generation's). A descriptor set may hold several versions of a service; two versions
 * that share a package name come from two Schemas. proto2 and proto3 (descriptor.proto; editions
 * are refused).
 */
#ifndef ADAPTERS_SCHEMA_H
#define ADAPTERS_SCHEMA_H

#include "base/bytes.h"
#include "base/result.h"
#include "base/table.h"

typedef struct Schema Schema;
typedef struct MessageType MessageType;
typedef struct FieldType FieldType;
typedef struct OneofType OneofType;
typedef struct EnumType EnumType;
typedef struct ServiceType ServiceType;
typedef struct MethodType MethodType;
typedef struct HttpRule HttpRule;

/* The numbers of FieldDescriptorProto.Type. */
typedef enum FieldKind {
    KIND_DOUBLE = 1,
    KIND_FLOAT,
    KIND_INT64,
    KIND_UINT64,
    KIND_INT32,
    KIND_FIXED64,
    KIND_FIXED32,
    KIND_BOOL,
    KIND_STRING,
    KIND_GROUP,
    KIND_MESSAGE,
    KIND_BYTES,
    KIND_UINT32,
    KIND_ENUM,
    KIND_SFIXED32,
    KIND_SFIXED64,
    KIND_SINT32,
    KIND_SINT64,
} FieldKind;

/* Messages whose JSON is not an object of their fields (protobuf's JSON mapping). */
typedef enum WellKnown {
    WELL_KNOWN_NONE,
    WELL_KNOWN_ANY,
    WELL_KNOWN_TIMESTAMP,
    WELL_KNOWN_DURATION,
    WELL_KNOWN_FIELD_MASK,
    WELL_KNOWN_STRUCT,
    WELL_KNOWN_VALUE,
    WELL_KNOWN_LIST_VALUE,
    WELL_KNOWN_EMPTY,
    WELL_KNOWN_WRAPPER, /* google.protobuf.*Value with one field "value" */
} WellKnown;

struct FieldType {
    const char *name;           /* "customer_id"; an extension's is its full name */
    const char *json_name;      /* "customerId"; an extension's is "[full.name]" */
    const MessageType *message; /* of MESSAGE, GROUP and map entries; else NULL */
    const EnumType *enumeration;
    const OneofType *oneof;    /* a real one (not proto3 optional's), or NULL */
    const MessageType *parent; /* the message that it is in (for extensions: the extended one) */
    uint32_t number;
    uint16_t index; /* in message->fields (sorted by number) */
    FieldKind kind : 8;
    bool repeated : 1, map : 1, packed : 1, required : 1, extension : 1;
    bool presence : 1;   /* explicit: unset and zero differ (proto2, optional, oneof, messages) */
    bool check_utf8 : 1; /* proto3 string */
    bool side_required : 1; /* google.api.field_behavior has REQUIRED */
};

struct OneofType {
    const char *name;
    const FieldType **fields;
    uint32_t n_fields;
    uint32_t index; /* in message->oneofs */
};

struct MessageType {
    const char *name;      /* "Order", or "Order.Item" for a nested one: without the package */
    const char *full_name; /* "shop.orders.v1.Order.Item" */
    const char *package;
    FieldType *fields; /* sorted by number, extensions known in this schema included */
    OneofType *oneofs;
    const Schema *schema;
    /* Private: number -> index + 1 for small numbers; behind them, where it has more than a few
       fields, both spellings. */
    const uint16_t *by_number;
    uint32_t index; /* in schema->messages */
    uint16_t n_fields, n_oneofs;
    uint16_t by_number_n, by_name_mask; /* private */
    WellKnown well_known : 8;
    bool map_entry, proto3, message_set;
};

typedef struct EnumValue {
    const char *name;
    int32_t number;
} EnumValue;

struct EnumType {
    const char *name, *full_name, *package;
    EnumValue *values;       /* in the order of declaration */
    const uint16_t *by_name; /* private; NULL: it has a few values */
    /* Private: indexes sorted by number, the first declared of equals first. NULL: as declared. */
    const uint16_t *by_number;
    uint32_t index;
    uint32_t n_values;
    uint16_t by_name_mask; /* private */
    bool closed;           /* proto2 */
    bool is_null_value;    /* google.protobuf.NullValue */
};

struct HttpRule {
    const char *verb;          /* "GET", or a custom kind */
    const char *path;          /* template */
    const char *body;          /* "", "*" or a field name */
    const char *response_body; /* "" or a field name */
    HttpRule *additional;
    uint32_t n_additional;
};

struct MethodType {
    const char *name; /* "Get" */
    const char *path; /* "/shop.orders.v1.Orders/Get" */
    const MessageType *input, *output;
    const HttpRule *http; /* google.api.http, or NULL */
    /* google.longrunning.operation_info: what is in the operation that it begins. NULL: nothing is
       said, or no such message is in the schema. */
    const MessageType *operation_response, *operation_metadata;
    const ServiceType *service;
    bool client_streaming, server_streaming;
    bool no_side_effects, idempotent; /* option idempotency_level */
    bool deprecated;
};

struct ServiceType {
    const char *name, *full_name, *package;
    MethodType *methods;
    uint32_t n_methods;
};

/* One FileDescriptorProto, for reflection. */
typedef struct SchemaFile {
    const char *name;
    const char *package; /* what is declared in it has this very pointer */
    Bytes descriptor;
    const struct SchemaFile *const *dependencies;
    uint32_t n_dependencies;
} SchemaFile;

struct Schema {
    const char *name; /* for messages: the name of its file */
    MessageType *messages;
    EnumType *enums;
    ServiceType *services;
    SchemaFile *files; /* sorted by name */
    uint32_t n_messages, n_enums, n_services, n_files;
    uint32_t by_name_mask;               /* private */
    const uint32_t *by_name;             /* private: messages, enums and services by full name */
    const struct FieldDefault *defaults; /* private: sorted by message and number */
    uint32_t n_defaults;
};

/*
 * Loads a FileDescriptorSet. `name` is for error texts. The bytes are borrowed and live as long as
 * the arena, which has no limit. The error names imported files that are missing; those of
 * google/protobuf well-known types are added if they are missing. Fault: BAD_SCHEMA.
 */
MUST_USE Result schema_load(Arena *arena, Bytes descriptor_set, const char *name,
                            const Schema **schema_out);

/* The same with the bytes of a file. Faults: NO_FILE, BAD_SCHEMA. */
MUST_USE Result schema_load_file(Arena *arena, const char *path, const Schema **schema_out);

/* By full name, with or without a leading dot. NULL if there is none. */
const MessageType *schema_message(const Schema *schema, Bytes full_name);
const EnumType *schema_enum(const Schema *schema, Bytes full_name);
const ServiceType *schema_service(const Schema *schema, Bytes full_name);

/*
 * A copy of a descriptor set without the places in its sources (SourceCodeInfo) that have no
 * comment: they are most of a set that is made with --include_source_info, and only compilers need
 * them. Malformed bytes are copied as they are. The arena has no limit.
 */
Bytes schema_set_copy(Arena *arena, Bytes descriptor_set);

const SchemaFile *schema_file(const Schema *schema, Bytes name); /* NULL if there is none */

/* The file that declares this full name, without a leading dot: a message, enum, enum value (beside
   its enum, as in protobuf, or within it), field, oneof, extension, service or method. NULL if
   there is none. For what is no message, enum or service, or in one, the files of its package are
   searched. */
const SchemaFile *schema_file_with(const Schema *schema, Bytes full_name);

/* proto2's default, as text of descriptor.proto, which ends with NUL; data NULL when none. */
Bytes field_default(const FieldType *field);

const FieldType *message_field(const MessageType *message, Bytes name); /* either spelling */
/* The field's JSON name that a misspelled name is nearest to; NULL: none is near, or the arena is
   full. */
const char *message_nearest_field(const MessageType *message, Bytes name, Arena *arena);
const FieldType *message_field_by_number(const MessageType *message, uint32_t number);
/* The message of a field: of a list that of an element, of a map that of a value. NULL: it is none.
 */
const MessageType *field_element_message(const FieldType *field);
/* Whether it is null where unset messages are: a message, but no member of a oneof, no extension,
   and not one of which null is a value. */
bool field_emits_null(const FieldType *field);
const EnumValue *enum_value_by_name(const EnumType *type, Bytes name);
const EnumValue *enum_value_by_number(const EnumType *type, int32_t number);

/* Whether both read and write the same bytes with the same meaning, including all sub-messages.
   Names that only matter in JSON are ignored. Results are not cached: for load time. */
bool message_same_wire(const MessageType *a, const MessageType *b);

/* Raises the level of each message, by its index, to the highest of those that it may contain. */
void reach_spread(const Schema *schema, uint8_t *levels);

/* Whether a message can contain a google.protobuf.Any, by index of the message. In the arena, which
   has no limit. */
const bool *any_reach(Arena *arena, const Schema *schema);

const char *field_kind_name(FieldKind kind); /* "int64" */
/* The type of its values, of a list that of an element: "shop.v1.Order", "int64". Not for maps. */
const char *field_type_name(const FieldType *field);

#endif
