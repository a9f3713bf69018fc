/*
 * CORS: which pages of other origins may call the gateway (Fetch standard, "CORS protocol").
 *
 * Off unless the config lists origins. The gateway answers a preflight itself, and no service sees
 * it. Other responses to a listed origin allow its pages to read them, and expose every field that
 * gRPC-Web and Connect need. Pure functions over the config; any thread.
 */
#ifndef GATEWAY_CORS_H
#define GATEWAY_CORS_H

#include "gateway/config/config.h"

/* Whether the request is a preflight (OPTIONS with Access-Control-Request-Method). */
bool cors_is_preflight(const HttpHead *head);

/* Adds the fields of the response to a preflight. Only Vary if the origin is not listed. */
void cors_answer_preflight(const Cors *cors, const HttpHead *head, Fields *out);

/* Adds the fields of every other response to this origin. `origin` is empty if the request had
   none. `fields` already has the response's own fields: their names are exposed, too. */
void cors_add(const Cors *cors, Bytes origin, Fields *fields);

#endif
