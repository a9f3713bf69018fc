/* Second pass over the wire bytes of descriptor.proto: declares all types. The bytes are read
   directly into the Schema, because a generic tree of a descriptor set of 20 MB would be larger
   than the Schema itself. */
#include "adapters/schema/schema_internal.h"

#include <stdlib.h>

enum { MAX_ENUM_VALUES = 60000 };

Result descriptor_end(Loader *loader, const WireReader *reader, const char *what)
{
    return reader->bad
               ? BAD_SCHEMA(loader, "%s: %s is not a well-formed message", loader->name, what)
               : OK;
}

static Result declare_extension(Loader *loader, const FileScope *file, Bytes field,
                                const char *scope)
{
    if (loader->n_extensions == loader->extension_capacity) {
        size_t capacity = loader->extension_capacity ? loader->extension_capacity * 2 : 64;
        loader->extensions = arena_grow(loader->scratch, loader->extensions,
                                        loader->n_extensions * sizeof(DeclaredExtension),
                                        capacity * sizeof(DeclaredExtension));
        loader->extension_capacity = capacity;
    }
    loader->extensions[loader->n_extensions++] =
        (DeclaredExtension){.descriptor = field, .file = file, .scope = scope};
    return OK;
}

static int by_number(const void *a, const void *b, void *owner)
{
    const EnumType *type = owner;
    uint16_t i = *(const uint16_t *)a, j = *(const uint16_t *)b;
    int64_t order = (int64_t)type->values[i].number - type->values[j].number;
    return order ? (order > 0) - (order < 0) : (i > j) - (i < j);
}

uint16_t loader_name_mask(uint32_t n)
{
    uint32_t size = 4;
    while (size / 4 * 3 < n)
        size *= 2;
    return (uint16_t)(size - 1);
}

uint16_t *loader_free_slot(uint16_t *slots, uint16_t mask, const char *name)
{
    uint32_t at = bytes_hash(bytes_of(name)) & mask;
    while (slots[at])
        at = (at + 1) & mask;
    return &slots[at];
}

static bool is_in_order(const EnumType *type)
{
    for (uint32_t i = 1; i < type->n_values; i++) {
        if (type->values[i - 1].number > type->values[i].number)
            return false;
    }
    return true;
}

static void index_enum_numbers(Loader *loader, EnumType *type)
{
    if (is_in_order(type))
        return;
    uint16_t *order = arena_array(loader->arena, uint16_t, type->n_values);
    for (uint32_t i = 0; i < type->n_values; i++)
        order[i] = (uint16_t)i;
    qsort_r(order, type->n_values, sizeof(*order), by_number, type);
    type->by_number = order;
}

/* Values are added one by one, so that each is looked for among those before it. */
static Result index_enum_names(Loader *loader, EnumType *type, uint32_t n)
{
    uint16_t *slots = NULL;
    if (n > FEW_NAMES) {
        type->by_name_mask = loader_name_mask(n);
        slots = arena_array(loader->arena, uint16_t, type->by_name_mask + 1u);
    }
    type->by_name = slots;
    while (type->n_values < n) {
        const char *name = type->values[type->n_values].name;
        if (enum_value_by_name(type, bytes_of(name)))
            return BAD_SCHEMA(loader, "%s: %s has two values %s", loader->name, type->full_name,
                              name);
        type->n_values++;
        if (slots)
            *loader_free_slot(slots, type->by_name_mask, name) = (uint16_t)type->n_values;
    }
    return OK;
}

static Result read_enum_value(Loader *loader, Bytes from, EnumValue *value)
{
    value->name = loader_name(loader, wire_find_bytes(from, 1));
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 2)
            value->number = (int32_t)f.value;
    }
    return descriptor_end(loader, &reader, "EnumValueDescriptorProto");
}

static Result count_enum_values(Loader *loader, Bytes from, uint32_t *n_out)
{
    WireReader reader = wire_reader(from);
    *n_out = 0;
    for (WireField f; wire_next(&reader, &f);)
        *n_out += f.number == 2;
    if (*n_out == 0 || *n_out > MAX_ENUM_VALUES)
        return BAD_SCHEMA(loader, "%s: an enum with %u values", loader->name, *n_out);
    return descriptor_end(loader, &reader, "EnumDescriptorProto");
}

const char *loader_without_package(const char *full_name, const char *package)
{
    return *package ? full_name + strlen(package) + 1 : full_name;
}

static Result declare_enum(Loader *loader, const FileScope *file, Bytes from, const char *scope)
{
    uint32_t n, index = loader->n_enums++;
    EnumType *type = &loader->schema->enums[index];
    type->full_name = loader_join(loader, scope, wire_find_bytes(from, 1));
    type->package = file->package;
    type->name = loader_without_package(type->full_name, file->package);
    type->index = index;
    type->closed = !file->proto3;
    type->is_null_value = strcmp(type->full_name, "google.protobuf.NullValue") == 0;

    Result r = count_enum_values(loader, from, &n);
    if (failed(r))
        return r;
    type->values = loader->values;
    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 2)
            r = read_enum_value(loader, f.bytes, loader->values++);
    }
    if (!failed(r))
        r = index_enum_names(loader, type, n);
    if (failed(r))
        return r;
    index_enum_numbers(loader, type);
    return loader_declare(loader, loader->schema->n_messages + index, type->full_name);
}

static WellKnown well_known_of(const char *full_name)
{
    static const struct {
        const char *name;
        WellKnown kind;
    } rows[] = {
        {"Any", WELL_KNOWN_ANY},
        {"Timestamp", WELL_KNOWN_TIMESTAMP},
        {"Duration", WELL_KNOWN_DURATION},
        {"FieldMask", WELL_KNOWN_FIELD_MASK},
        {"Struct", WELL_KNOWN_STRUCT},
        {"Value", WELL_KNOWN_VALUE},
        {"ListValue", WELL_KNOWN_LIST_VALUE},
        {"Empty", WELL_KNOWN_EMPTY},
        {"DoubleValue", WELL_KNOWN_WRAPPER},
        {"FloatValue", WELL_KNOWN_WRAPPER},
        {"Int64Value", WELL_KNOWN_WRAPPER},
        {"UInt64Value", WELL_KNOWN_WRAPPER},
        {"Int32Value", WELL_KNOWN_WRAPPER},
        {"UInt32Value", WELL_KNOWN_WRAPPER},
        {"BoolValue", WELL_KNOWN_WRAPPER},
        {"StringValue", WELL_KNOWN_WRAPPER},
        {"BytesValue", WELL_KNOWN_WRAPPER},
    };
    static const char package[] = "google.protobuf.";
    if (strncmp(full_name, package, strlen(package)) != 0)
        return WELL_KNOWN_NONE;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(full_name + strlen(package), rows[i].name) == 0)
            return rows[i].kind;
    }
    return WELL_KNOWN_NONE;
}

static Result declare_message(Loader *loader, const FileScope *file, Bytes from, const char *scope)
{
    uint32_t index = loader->n_messages++;
    MessageType *type = &loader->schema->messages[index];
    loader->messages[index] = (DeclaredMessage){.descriptor = from, .file = file};
    type->full_name = loader_join(loader, scope, wire_find_bytes(from, 1));
    type->package = file->package;
    type->name = loader_without_package(type->full_name, file->package);
    type->index = index;
    type->proto3 = file->proto3;
    type->schema = loader->schema;
    type->well_known = well_known_of(type->full_name);

    Result r = loader_declare(loader, index, type->full_name);
    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 3: r = declare_message(loader, file, f.bytes, type->full_name); break;
        case 4: r = declare_enum(loader, file, f.bytes, type->full_name); break;
        case 6: r = declare_extension(loader, file, f.bytes, type->full_name); break;
        default: break;
        }
    }
    return r;
}

Result descriptor_declare(Loader *loader, const FileScope *file)
{
    Result r = OK;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 4: r = declare_message(loader, file, f.bytes, file->package); break;
        case 5: r = declare_enum(loader, file, f.bytes, file->package); break;
        case 7: r = declare_extension(loader, file, f.bytes, file->package); break;
        default: break;
        }
    }
    return r;
}
