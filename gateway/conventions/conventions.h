/*
 * Conventions: what a config says of REST clients that were made for other servers of
 * google.api.http, read into its routes and bindings; and rules from a service YAML (docs/rest.md).
 *
 * Parts of one config_load: mistakes go to the reader, and all lives in its arena. One thread.
 */
#ifndef GATEWAY_CONVENTIONS_H
#define GATEWAY_CONVENTIONS_H

#include "gateway/config/config_reader.h"

/* Reads Route.query and Route.rest; `path` is the route's place in the document. */
void conventions_read(ConfigReader *reader, const Passerelle__Config__Route *text, const char *path,
                      Route *route);

/* RestBinding.mask of all bindings, once methods have their routes and bindings. */
void conventions_choose_masks(ConfigReader *reader);

/* Gives methods of the version the rules of a service YAML, `file`; `path`: the key that names it.
   The schema of the version is changed: it is shared with no other. */
void conventions_use_http_rules(ConfigReader *reader, Version *version, const char *file,
                                const char *path);

#endif
