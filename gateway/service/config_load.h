/*
 * Loading a config: its text is read and checked (gateway/config), and its services are compiled:
 * schemas, change lists, methods, plans, bindings, fallbacks, composed methods.
 */
#ifndef GATEWAY_CONFIG_LOAD_H
#define GATEWAY_CONFIG_LOAD_H

#include "gateway/config/config.h"

/*
 * Reads, checks and compiles a config file; "-" is the standard input, and names of files in it are
 * relative to the working directory. All mistakes, also those in files that it names, go to
 * `problems`; *config_out is NULL if there is one. The Result fails if the file cannot be read at
 * all. `ask` fetches schemas from instances; it is borrowed during the call. NULL: a version with
 * such a schema is a mistake. `arena` has no limit; the Config takes it, and without a Config it
 * stays the caller's.
 */
MUST_USE Result config_load(const char *path, const SchemaAsk *ask, Arena *arena,
                            Problems *problems, Config **config_out);

/* The same with the text at hand, which the Config borrows; `path` is what names of files in it are
   relative to. */
MUST_USE Result config_load_text(Bytes text, const char *path, const SchemaAsk *ask, Arena *arena,
                                 Problems *problems, Config **config_out);

#endif
