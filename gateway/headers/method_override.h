/*
 * X-HTTP-Method-Override: the method that a POST stands for, of clients behind proxies that pass on
 * GET and POST only. A pure function.
 */
#ifndef GATEWAY_METHOD_OVERRIDE_H
#define GATEWAY_METHOD_OVERRIDE_H

#include "protocols/http/http.h"

/* The head of the request that is meant, in the arena, without the field; NULL: the request means
   what it says. Faults: BAD_REQUEST: the field is there more than once, or names another method
   than GET, PUT, PATCH and DELETE; OUT_OF_MEMORY. */
MUST_USE Result method_override_read(const HttpHead *head, Arena *arena,
                                     const HttpHead **meant_out);

#endif
