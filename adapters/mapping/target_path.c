#include "adapters/mapping/target_path.h"

#include "adapters/schema/wire.h"

void target_path_write(Buffer *out, const TargetPath *path)
{
    if (path->outer) {
        target_path_write(out, path->outer);
        buffer_add_byte(out, '.');
    }
    buffer_add_text(out, path->field->name);
    buffer_add_bytes(out, path->element);
}

Bytes target_path_text(Buffer *paths, const TargetPath *path, Bytes rest)
{
    Buffer text = buffer_in(paths->arena);
    target_path_write(&text, path);
    if (rest.size) {
        buffer_add_byte(&text, '.');
        buffer_add_bytes(&text, rest);
    }
    paths->full |= text.full;
    return buffer_bytes(&text);
}

bool target_paths_have(const Buffer *paths, Bytes path)
{
    WireReader reader = wire_reader(buffer_bytes(paths));
    for (WireField f; wire_next(&reader, &f);) {
        if (bytes_equal(f.bytes, path))
            return true;
    }
    return false;
}
