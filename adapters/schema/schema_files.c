/* The files of a schema: which there are, and what reflection serves of them. */
#include "adapters/schema/schema_internal.h"

#include <stdlib.h>

enum { MAX_FILES = 100000 };

extern const Bytes well_known_set; /* google/protobuf/ *.proto, compiled into the program */

static Result read_syntax(Loader *loader, FileScope *file, Bytes syntax)
{
    file->proto3 = bytes_are(syntax, "proto3");
    if (file->proto3 || syntax.size == 0 || bytes_are(syntax, "proto2"))
        return OK;
    return BAD_SCHEMA(loader, "%s: %.*s has the syntax \"%.*s\": only proto2 and proto3 are read",
                      loader->name, BYTES_ARGS(file->name), BYTES_ARGS(syntax));
}

/* As a C string has it. */
static Bytes file_name(Bytes text)
{
    return bytes_slice(text, 0, bytes_find(text, '\0'));
}

static Result read_file(Loader *loader, FileScope *file)
{
    Bytes syntax = BYTES_NONE;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        switch (f.number) {
        case 1: file->name = file_name(f.bytes); break;
        case 2: file->package_name = f.bytes; break;
        case 3: file->n_dependencies++; break;
        case 12: syntax = f.bytes; break;
        default: break;
        }
    }
    Result r = descriptor_end(loader, &reader, "FileDescriptorProto");
    return failed(r) ? r : read_syntax(loader, file, syntax);
}

/* Adds one FileDescriptorProto. A duplicate is ignored; a different file with the same name is an
   error. */
static Result add_file(Loader *loader, Bytes descriptor)
{
    FileScope *file = arena_make(loader->scratch, FileScope);
    file->descriptor = descriptor;
    Result r = read_file(loader, file);
    if (failed(r))
        return r;

    const FileScope *before = table_get(&loader->files_by_name, file->name);
    if (before && bytes_equal(before->descriptor, descriptor))
        return OK;
    if (before || !file->name.size)
        return BAD_SCHEMA(loader, "%s: the set has two files named \"%.*s\"", loader->name,
                          BYTES_ARGS(file->name));
    if (loader->schema->n_files == MAX_FILES)
        return BAD_SCHEMA(loader, "%s: more than %d files", loader->name, MAX_FILES);
    table_put(&loader->files_by_name, file->name, file);
    loader->schema->n_files++;
    *loader->files_end = file;
    loader->files_end = &file->next;
    return OK;
}

static Result add_files(Loader *loader, Bytes set)
{
    Result r = OK;
    WireReader reader = wire_reader(set);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            r = add_file(loader, f.bytes);
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "FileDescriptorSet");
}

/* The well-known file with this name, or nothing. */
static Bytes well_known_file(Bytes name)
{
    WireReader reader = wire_reader(well_known_set);
    for (WireField f; wire_next(&reader, &f);) {
        WireReader file = wire_reader(f.bytes);
        for (WireField g; wire_next(&file, &g);) {
            if (g.number == 1 && bytes_equal(g.bytes, name))
                return f.bytes;
        }
    }
    return BYTES_NONE;
}

static Result supply(Loader *loader, const FileScope *file, Bytes name)
{
    if (table_get(&loader->files_by_name, name))
        return OK;
    Bytes supplied = well_known_file(name);
    if (supplied.data)
        return add_file(loader, supplied);
    return BAD_SCHEMA(loader,
                      "%s: %.*s imports %.*s, which is not in the set (protoc --include_imports "
                      "--descriptor_set_out=%s %.*s puts it there)",
                      loader->name, BYTES_ARGS(file->name), BYTES_ARGS(name), loader->name,
                      BYTES_ARGS(file->name));
}

Result loader_find_files(Loader *loader, Bytes set)
{
    loader->files_end = &loader->files;
    loader->files_by_name = table_in(loader->scratch);
    Result r = add_files(loader, set);
    /* The list grows during the loop: added files may import others in turn. */
    for (const FileScope *file = loader->files; file; file = file->next) {
        WireReader reader = wire_reader(file->descriptor);
        for (WireField f; !failed(r) && wire_next(&reader, &f);) {
            if (f.number == 3)
                r = supply(loader, file, file_name(f.bytes));
        }
    }
    return r;
}

/* ---- What is kept of them -------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const SchemaFile *)a)->name, ((const SchemaFile *)b)->name);
}

/* All imported files are there. */
static void link_dependencies(const Schema *schema, SchemaFile *file, const SchemaFile **found)
{
    file->dependencies = found;
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 3)
            found[file->n_dependencies++] = schema_file(schema, file_name(f.bytes));
    }
}

void loader_make_files(Loader *loader)
{
    Schema *schema = loader->schema;
    const SchemaFile **dependencies =
        arena_array(loader->arena, const SchemaFile *, loader->counts.dependencies);
    schema->files = arena_array(loader->arena, SchemaFile, schema->n_files);
    SchemaFile *made = schema->files;
    for (FileScope *file = loader->files; file; file = file->next) {
        file->package = loader_package(loader, file->package_name);
        *made++ = (SchemaFile){.name = loader_text(loader, file->name),
                               .package = file->package,
                               .descriptor = file->descriptor};
    }
    qsort(schema->files, schema->n_files, sizeof *schema->files, by_name);
    for (uint32_t i = 0; i < schema->n_files; i++) {
        link_dependencies(schema, &schema->files[i], dependencies);
        dependencies += schema->files[i].n_dependencies;
    }
}

const SchemaFile *schema_file(const Schema *schema, Bytes name)
{
    uint32_t low = 0, high = schema->n_files;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(bytes_of(schema->files[middle].name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < schema->n_files && bytes_are(name, schema->files[low].name) ? &schema->files[low]
                                                                             : NULL;
}
