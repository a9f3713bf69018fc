/* First pass over the wire bytes of descriptor.proto: counts what the other two will make. */
#include "adapters/schema/schema_internal.h"

enum { MAX_NESTING = 64 /* nesting of message declarations */ };

static size_t name_in(Bytes descriptor)
{
    return wire_find_bytes(descriptor, 1).size;
}

/* Of "scope.name" without its NUL. */
static size_t joined(size_t scope, size_t name)
{
    return scope ? scope + 1 + name : name;
}

/* A JSON name that is not said differs from the name if that has a _. */
static void count_field(LoaderCounts *counts, Bytes field)
{
    Bytes name = BYTES_NONE, json = BYTES_NONE;
    bool has_json = false;
    WireReader reader = wire_reader(field);
    counts->fields++;
    for (WireField f; wire_next(&reader, &f);) {
        switch (f.number) {
        case 1: name = f.bytes; break;
        case 7:
            counts->defaults++;
            counts->names += f.bytes.size + 1;
            break;
        case 10:
            json = f.bytes;
            has_json = true;
            break;
        default: break;
        }
    }
    bool same = has_json ? bytes_equal(json, name) : bytes_find(name, '_') == name.size;
    counts->names += name.size + 1;
    if (!same)
        counts->names += (has_json ? json.size : name.size) + 1;
}

/* Its JSON name is its full name in brackets. */
static void count_extension(LoaderCounts *counts, Bytes field, size_t scope)
{
    size_t full_name = joined(scope, name_in(field));
    counts->fields++;
    counts->defaults++;
    counts->names += full_name + 1 + full_name + 3 + wire_find_bytes(field, 7).size + 1;
}

/* Those that protoc makes up for proto3's `optional` begin with a _, and are not kept. */
static void count_oneof(LoaderCounts *counts, Bytes oneof)
{
    Bytes name = wire_find_bytes(oneof, 1);
    if (!bytes_start_with(name, "_"))
        counts->names += name.size + 1;
}

static void count_enum(Loader *loader, Bytes from, size_t scope)
{
    LoaderCounts *counts = &loader->counts;
    loader->schema->n_enums++;
    counts->names += joined(scope, name_in(from)) + 1;
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number != 2)
            continue;
        counts->values++;
        counts->names += name_in(f.bytes) + 1;
    }
}

static Result count_message(Loader *loader, Bytes message, size_t scope, unsigned depth)
{
    Result r = OK;
    if (depth > MAX_NESTING)
        return BAD_SCHEMA(loader, "%s: messages are declared more than %d deep", loader->name,
                          MAX_NESTING);

    size_t full_name = joined(scope, name_in(message));
    loader->schema->n_messages++;
    loader->counts.names += full_name + 1;
    WireReader reader = wire_reader(message);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 2: count_field(&loader->counts, f.bytes); break;
        case 3: r = count_message(loader, f.bytes, full_name, depth + 1); break;
        case 4: count_enum(loader, f.bytes, full_name); break;
        case 6: count_extension(&loader->counts, f.bytes, full_name); break;
        case 8: count_oneof(&loader->counts, f.bytes); break;
        default: break;
        }
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "DescriptorProto");
}

/* A method's name is in its path. The texts of an HTTP rule are not longer than the rule. */
static void count_service(Loader *loader, Bytes from, size_t scope)
{
    LoaderCounts *counts = &loader->counts;
    size_t full_name = joined(scope, name_in(from));
    loader->schema->n_services++;
    counts->names += full_name + 1;
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number != 2)
            continue;
        Bytes options = wire_find_bytes(f.bytes, 4);
        counts->methods++;
        counts->names += 1 + full_name + 1 + name_in(f.bytes) + 1;
        counts->names += options.size ? wire_find_bytes(options, METHOD_HTTP).size : 0;
    }
}

Result descriptor_count(Loader *loader, const FileScope *file)
{
    Result r = OK;
    size_t scope = file->package_name.size;
    loader->counts.names += file->name.size + 1 + scope + 1;
    loader->counts.dependencies += file->n_dependencies;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 4: r = count_message(loader, f.bytes, scope, 1); break;
        case 5: count_enum(loader, f.bytes, scope); break;
        case 6: count_service(loader, f.bytes, scope); break;
        case 7: count_extension(&loader->counts, f.bytes, scope); break;
        default: break;
        }
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "FileDescriptorProto");
}
