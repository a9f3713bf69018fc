/* FieldMask: its paths rewritten by the rules of the message that it is about. A path that feeds
 * nothing cannot be said in the served version. */
#include "adapters/run/convert.h"

#include "adapters/mapping/path_rewrite.h"
#include "base/utf8.h"

static bool refuse_path(Conversion *c, Bytes path)
{
    Bytes shown = bytes_slice(path, 0, 80);
    return cannot_convert(c, utf8_valid(shown)
                                 ? arena_printf(c->runner->arena,
                                                "the path %.*s has no place in the served version",
                                                BYTES_ARGS(shown))
                                 : "a path that is no text");
}

static bool convert_path(Conversion *c, PathRewrite *rewrite, Bytes path)
{
    if (bytes_are(path, "*")) {
        wire_add_bytes(&rewrite->paths, 1, path);
        return true;
    }
    bool found = path_rewrite(rewrite, c->converter->mapping, path);
    if (rewrite->full)
        return run_fail(c->runner, &FAULT_MESSAGE_TOO_LARGE, "a field mask with more than %d paths",
                        PATH_REWRITE_MOST);
    return found || refuse_path(c, path);
}

bool convert_field_mask(Conversion *c)
{
    PathRewrite rewrite = path_rewrite_in(c->runner->arena);
    WireReader reader = wire_reader(value_bytes(c->args[0]));
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH && !convert_path(c, &rewrite, f.bytes))
            return false;
    }
    if (reader.bad)
        return run_fail(c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    c->value = value_of_bytes(buffer_bytes(&rewrite.paths));
    return !rewrite.paths.full || run_out_of_memory(c->runner);
}
