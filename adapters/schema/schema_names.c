/* Which file of a schema declares a name, for reflection. Top-level declarations are in a table;
   nested ones are searched in the descriptor's wire bytes, because such requests are rare and the
   linked types do not have all of the names. */
#include "adapters/schema/schema_internal.h"

typedef enum Declared { DECLARED_MESSAGE, DECLARED_ENUM, DECLARED_SERVICE, DECLARED_LEAF } Declared;

/* The kind of declaration in this field of a FileDescriptorProto; false: none. */
static bool declared_in_file(uint32_t number, Declared *declared_out)
{
    switch (number) {
    case 4: *declared_out = DECLARED_MESSAGE; return true;
    case 5: *declared_out = DECLARED_ENUM; return true;
    case 6: *declared_out = DECLARED_SERVICE; return true;
    case 7: *declared_out = DECLARED_LEAF; return true; /* extension */
    default: return false;
    }
}

static bool declared_in(Declared parent, uint32_t number, Declared *declared_out)
{
    *declared_out = DECLARED_LEAF;
    switch (parent) {
    case DECLARED_MESSAGE: /* field 2, nested message 3, enum 4, extension 6, oneof 8 */
        if (number == 3 || number == 4)
            *declared_out = number == 3 ? DECLARED_MESSAGE : DECLARED_ENUM;
        return number == 2 || number == 3 || number == 4 || number == 6 || number == 8;
    case DECLARED_ENUM:                        /* value */
    case DECLARED_SERVICE: return number == 2; /* method */
    case DECLARED_LEAF: break;
    }
    return false;
}

/* Removes the scope and the dot after it from the start of *name: "a.b" becomes "b", and "a"
   becomes empty. */
static bool take_scope(Bytes *name, Bytes scope)
{
    if (bytes_equal(*name, scope)) {
        *name = BYTES_NONE;
        return scope.size;
    }
    bool inside = name->size > scope.size + 1 && name->data[scope.size] == '.' &&
                  bytes_equal(bytes_slice(*name, 0, scope.size), scope);
    if (inside)
        *name = bytes_slice(*name, scope.size + 1, name->size);
    return inside && scope.size;
}

static bool declares(Declared declared, Bytes descriptor, Bytes name);

/* Whether the descriptor has a nested declaration with this name. */
static bool has_inside(Declared parent, Bytes descriptor, Bytes name)
{
    WireReader reader = wire_reader(descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        Declared declared;
        if (f.type == WIRE_LENGTH && declared_in(parent, f.number, &declared) &&
            declares(declared, f.bytes, name))
            return true;
    }
    return false;
}

/* Whether the descriptor declares the name, which is relative to its scope. Each level removes its
   own part of the name. */
static bool declares(Declared declared, Bytes descriptor, Bytes name)
{
    if (declared == DECLARED_ENUM && has_inside(DECLARED_ENUM, descriptor, name))
        return true; /* enum values are siblings of their enum */
    if (!take_scope(&name, wire_find_bytes(descriptor, 1)))
        return false;
    return name.size == 0 || has_inside(declared, descriptor, name);
}

static bool file_declares(const SchemaFile *file, Bytes name)
{
    Bytes package = bytes_of(file->package);
    if (package.size && !take_scope(&name, package))
        return false;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        Declared declared;
        if (f.type == WIRE_LENGTH && declared_in_file(f.number, &declared) &&
            declares(declared, f.bytes, name))
            return true;
    }
    return false;
}

/* ---- Top-level names ------------------------------------------------------------------------- */

static void note(Loader *loader, const FileScope *scope, Bytes name)
{
    void *file = table_get(&loader->schema->files, bytes_of(scope->name));
    if (name.size)
        table_put(&loader->schema->declared, bytes_of(loader_join(loader, scope->package, name)),
                  file);
}

Result schema_note_names(Loader *loader, const FileScope *file)
{
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        Declared declared;
        if (f.type != WIRE_LENGTH || !declared_in_file(f.number, &declared))
            continue;
        note(loader, file, wire_find_bytes(f.bytes, 1));
        WireReader values = wire_reader(declared == DECLARED_ENUM ? f.bytes : BYTES_NONE);
        for (WireField value; wire_next(&values, &value);) {
            if (value.number == 2 && value.type == WIRE_LENGTH)
                note(loader, file, wire_find_bytes(value.bytes, 1));
        }
    }
    return OK;
}

/* The name, or the declaration that contains it, is at the top level of one file only. */
const SchemaFile *schema_file_with(const Schema *schema, Bytes full_name)
{
    for (size_t size = full_name.size; size > 0; size--) {
        if (size < full_name.size && full_name.data[size] != '.')
            continue;
        const SchemaFile *file = table_get(&schema->declared, bytes_slice(full_name, 0, size));
        if (file)
            return file_declares(file, full_name) ? file : NULL;
    }
    return NULL;
}
