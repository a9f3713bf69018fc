/*
 * Loader: what descriptor.c, http_rule.c and schema.c share while a Schema is being made.
 *
 * Three passes over the descriptors' wire bytes: the first counts, so that each kind of thing is
 * one array of the right size that never moves; the second declares every message and enum under
 * its full name; the third reads the fields, which by then can be linked. `scratch` dies when
 * loading ends.
 */
#ifndef ADAPTERS_SCHEMA_INTERNAL_H
#define ADAPTERS_SCHEMA_INTERNAL_H

#include "adapters/schema/schema.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"

/* What the file says about all that is in it. */
typedef struct FileScope {
    struct FileScope *next;
    Bytes name, package_name;
    const char *package; /* of its SchemaFile, once that was made */
    Bytes descriptor;
    uint32_t n_dependencies;
    bool proto3;
} FileScope;

enum { METHOD_HTTP = 72295728 }; /* an option: google/api/annotations.proto */

/* What the first pass counts beside the messages, enums and services. */
typedef struct LoaderCounts {
    uint32_t fields; /* extensions included */
    uint32_t values; /* of enums */
    uint32_t methods, dependencies, defaults;
    size_t names; /* bytes of all names, each with a NUL; about */
} LoaderCounts;

typedef struct DeclaredMessage {
    Bytes descriptor;
    const FileScope *file;
    uint32_t n_extensions;
} DeclaredMessage;

typedef struct DeclaredExtension {
    Bytes descriptor;
    const FileScope *file;
    const char *scope; /* the full name of what it is declared in */
    const MessageType *extended;
} DeclaredExtension;

#define BAD_SCHEMA(loader, ...) FAIL((loader)->arena, FAULT_BAD_SCHEMA, __VA_ARGS__)

typedef struct FieldDefault {
    uint32_t message, number; /* the message's index */
    Bytes text;
} FieldDefault;

typedef struct Loader {
    Arena *arena, *scratch;
    Schema *schema;
    const char *name;
    FileScope *files, **files_end; /* in the order of the set */
    Table files_by_name;           /* -> FileScope */
    LoaderCounts counts;
    /* What is free of the arrays that were made of the counts. */
    uint32_t n_messages, n_enums, n_services; /* how many of the schema's were declared */
    FieldType *fields, *fields_end;
    EnumValue *values;
    MethodType *methods;
    FieldDefault *defaults; /* the schema's; n_defaults of them are read */
    char *names, *names_end;
    uint32_t *by_name;         /* the schema's */
    DeclaredMessage *messages; /* beside schema->messages */
    DeclaredExtension *extensions;
    size_t n_extensions, extension_capacity;
    Bytes bad_name; /* `data` is NULL: all were good */
} Loader;

/* A copy that ends with NUL, packed: a schema is mostly small names. */
const char *loader_text(Loader *loader, Bytes text);
char *loader_text_room(Loader *loader, size_t size);

/* Notes a name that is none. */
void loader_check_name(Loader *loader, Bytes name);

/*
 * The same for names, which are letters, digits and _ (a package has dots between them), as protoc
 * sees to: they become paths, and words of configs and change lists. The first that is none is
 * noted, and loading ends with it.
 */
const char *loader_name(Loader *loader, Bytes name);
const char *loader_package(Loader *loader, Bytes name);
const char *loader_join(Loader *loader, const char *scope, Bytes name); /* "scope.name" */

/* The same for a name in JSON, which may be any text without NUL. */
const char *loader_json_name(Loader *loader, Bytes name);

/*
 * Messages, enums and services by full name: a hash table of their places + 1, which are counted
 * through all three arrays. Those bits of a slot that no place needs are of the name's hash, so
 * that hardly a name is compared in vain.
 */
#define NO_PLACE UINT32_MAX

void loader_make_index(Loader *loader);

/* Without a leading dot; or NO_PLACE. */
uint32_t schema_place(const Schema *schema, Bytes full_name);

/* Of what is in a place: the pointer that its file has, too. */
const char *schema_package_at(const Schema *schema, uint32_t place);

/* Enters the name of a place; twice is a mistake. */
MUST_USE Result loader_declare(Loader *loader, uint32_t place, const char *full_name);
const char *loader_without_package(const char *full_name, const char *package);

/* Messages and enums of up to so many fields and values are searched one by one. */
enum { FEW_NAMES = 8 };

/* The slots - 1 that an index of n names in 16 bits has; and where the next one with this name
   goes. */
uint16_t loader_name_mask(uint32_t n);
uint16_t *loader_free_slot(uint16_t *slots, uint16_t mask, const char *name);

/* Finds the files of a set, and the well-known ones that they import and the set lacks. */
MUST_USE Result loader_find_files(Loader *loader, Bytes set);

/* Makes the SchemaFiles of them, after all was counted. */
void loader_make_files(Loader *loader);

/* The first two passes over everything in one file. */
MUST_USE Result descriptor_count(Loader *loader, const FileScope *file);
MUST_USE Result descriptor_declare(Loader *loader, const FileScope *file);

/* The third: everything that the second one declared. */
MUST_USE Result descriptor_define(Loader *loader);
MUST_USE Result descriptor_define_services(Loader *loader, const FileScope *file);

/* Refuses a type of a well-known name that is another type; its fields, and those of its map
   entries, are indexed. */
MUST_USE Result well_known_check(Loader *loader, const MessageType *type);

/* google.api.HttpRule. */
MUST_USE Result http_rule_read(Loader *loader, Bytes rule, bool additional, HttpRule *rule_out);

/* Reads a whole descriptor message: `for (...; wire_next(&r, &f);)`, then this. */
MUST_USE Result descriptor_end(Loader *loader, const WireReader *reader, const char *what);

#endif
