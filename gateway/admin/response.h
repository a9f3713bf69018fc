/*
 * Response: how the admin listener's responses are sent by libh2o. On the admin's thread.
 *
 * No browser makes anything of a response but what its media type says, and no page of another site
 * gets its bytes.
 */
#ifndef GATEWAY_ADMIN_RESPONSE_H
#define GATEWAY_ADMIN_RESPONSE_H

#include "gateway/page/asset.h"

#include <h2o.h>

/* A field of the request; empty: it has none. */
Bytes request_field(const h2o_req_t *req, const char *name);

/* `name` and `value` stay until the response is sent. */
void response_field(h2o_req_t *req, const char *name, const char *value);

/* Copies the body. */
void response_send(h2o_req_t *req, int status, const char *reason, const char *media_type,
                   Bytes body);

/* A problem document (RFC 9457), with the phrase of the status as title. */
void response_write_problem(Buffer *out, int status, const char *title, const char *detail);
void response_send_problem(h2o_req_t *req, int status, const char *title, const char *detail);

/* Begins a response that h2o_send continues. */
void response_begin_stream(h2o_req_t *req, const char *media_type, h2o_generator_t *generator);

/* Or 304, if the request knows it. */
void response_send_asset(h2o_req_t *req, const Asset *asset);

#endif
