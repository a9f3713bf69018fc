/*
 * Folders of .proto files, compiled into descriptor sets by the compiler of the machine: buf where
 * the folder has a buf.yaml, else protoc. What the compiler says goes to the standard error. For
 * commands: it waits for the compiler.
 */
#ifndef GATEWAY_PROTO_COMPILER_H
#define GATEWAY_PROTO_COMPILER_H

#include "base/bytes.h"
#include "base/result.h"

/*
 * All .proto files below `folder`, but those in hidden folders, in node_modules, and what protobuf
 * and its users share (google/), which is there for imports. Imports are looked for in the folder,
 * in `includes`, and where Debian packages have google/api; if one of `includes` has the folder in
 * it, the names of files begin there. The set has the imports and the
 * comments; `by_out`: the name of the compiler. Faults: NO_FILE (nothing to compile, no compiler),
 * BAD_SCHEMA (it refuses), SYSTEM.
 */
MUST_USE Result proto_compile(Arena *arena, const char *folder, const char *const *includes,
                              uint32_t n_includes, Bytes *set_out, const char **by_out);

#endif
