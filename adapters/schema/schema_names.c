/* Which file of a schema declares a name, for reflection. The index has types; what is in them, and
   other names, are searched in the descriptors' wire bytes, because such requests are rare and the
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

/* ---- Finding the file ------------------------------------------------------------------------ */

static const SchemaFile *file_at(const Schema *schema, uint32_t place)
{
    const char *package = schema_package_at(schema, place);
    for (uint32_t i = 0; i < schema->n_files; i++) {
        if (schema->files[i].package == package)
            return &schema->files[i];
    }
    return NULL;
}

/* Of the longest part of the name that is a type's. */
static const SchemaFile *file_of_type(const Schema *schema, Bytes full_name)
{
    for (size_t size = full_name.size; size > 0; size--) {
        if (size < full_name.size && full_name.data[size] != '.')
            continue;
        uint32_t place = schema_place(schema, bytes_slice(full_name, 0, size));
        if (place == NO_PLACE)
            continue;
        const SchemaFile *file = file_at(schema, place);
        bool whole = size == full_name.size;
        return file && (whole || file_declares(file, full_name)) ? file : NULL;
    }
    return NULL;
}

const SchemaFile *schema_file_with(const Schema *schema, Bytes full_name)
{
    const SchemaFile *file = file_of_type(schema, full_name);
    for (uint32_t i = 0; !file && i < schema->n_files; i++) {
        if (file_declares(&schema->files[i], full_name))
            file = &schema->files[i];
    }
    return file;
}
