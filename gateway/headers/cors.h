/*
 * CORS: which pages of other origins may call the gateway (Fetch standard, "CORS protocol").
 *
 * Off unless the config lists origins. A preflight is answered by the gateway itself and reaches no
 * service; other answers to a listed origin say that its page may read them, with every field that
 * gRPC-Web and Connect need exposed. Pure functions over the config; any thread.
 */
#ifndef GATEWAY_CORS_H
#define GATEWAY_CORS_H

#include "gateway/config/config.h"

/* Does the request ask whether a page may call (OPTIONS with Access-Control-Request-Method)? */
bool cors_is_preflight(const HttpHead *head);

/* The fields of the answer to a preflight. None but Vary when the origin is not listed. */
void cors_answer_preflight(const Cors *cors, const HttpHead *head, Fields *out);

/* The fields that every other answer to this origin has. `origin` is empty when the request had
   none. `fields` holds the answer's own fields already: their names are exposed too. */
void cors_add(const Cors *cors, Bytes origin, Fields *fields);

#endif
