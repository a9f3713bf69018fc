/*
 * Loader: what descriptor.c, http_rule.c and schema.c share while a Schema is being made.
 *
 * Two passes over the descriptors' wire bytes: the first declares every message and enum under its
 * full name, the second reads the fields, which by then can be linked. `scratch` dies when loading
 * ends.
 */
#ifndef ADAPTERS_SCHEMA_INTERNAL_H
#define ADAPTERS_SCHEMA_INTERNAL_H

#include "adapters/schema/schema.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"

/* What the file says about all that is in it. */
typedef struct FileScope {
    const char *name, *package;
    Bytes descriptor;
    bool proto3;
} FileScope;

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

typedef struct Loader {
    Arena *arena, *scratch;
    Schema *schema;
    const char *name;
    DeclaredMessage *messages; /* beside schema->messages */
    DeclaredExtension *extensions;
    size_t n_extensions, extension_capacity;
    char *names, *names_end; /* the free part of a block of small strings */
    size_t name_block;       /* bytes of the next one */
    Bytes bad_name;          /* `data` is NULL: all were good */
} Loader;

/* A copy that ends with NUL, packed: a schema is mostly small names. */
const char *loader_text(Loader *loader, Bytes text);

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

/* Puts a full name into one of the schema's tables; twice is a mistake, also in two of them. */
MUST_USE Result loader_declare(Loader *loader, Table *table, const char *full_name, void *what);
const char *loader_without_package(const char *full_name, const char *package);

/* Room for n names in an index; and where the next one with this name goes. */
uint16_t *loader_name_slots(Loader *loader, NameIndex *index, uint32_t n);
uint16_t *loader_free_slot(const NameIndex *index, uint16_t *slots, const char *name);

/* First pass: counts, then declares, everything in one file. */
MUST_USE Result descriptor_count(Loader *loader, const FileScope *file);
MUST_USE Result descriptor_declare(Loader *loader, const FileScope *file);

/* Second pass: everything that the first one declared. */
MUST_USE Result descriptor_define(Loader *loader);
MUST_USE Result descriptor_define_services(Loader *loader, const FileScope *file);

/* Refuses a type of a well-known name that is another type; its fields, and those of its map
   entries, are indexed. */
MUST_USE Result well_known_check(Loader *loader, const MessageType *type);

/* For schema_file_with: notes all names at the top of a file. */
MUST_USE Result schema_note_names(Loader *loader, const FileScope *file);

/* google.api.HttpRule. */
MUST_USE Result http_rule_read(Loader *loader, Bytes rule, bool additional, HttpRule *rule_out);

/* Reads a whole descriptor message: `for (...; wire_next(&r, &f);)`, then this. */
MUST_USE Result descriptor_end(Loader *loader, const WireReader *reader, const char *what);

#endif
