/*
 * RestRequest: a message as a REST instance wants it: verb, path, query and body by google.api.http.
 *
 * The reverse of what a REST client sends: variables of the path are taken out of the message, then the body
 * as the rule says, and what is left becomes the query (http.proto, "HTTP Transcoding"). The answer's way
 * back is in rest_answer_. Pure functions from JSON to JSON.
 */
#ifndef GATEWAY_REST_REQUEST_H
#define GATEWAY_REST_REQUEST_H

#include "adapters/schema.h"
#include "base/call.h"

typedef struct RestRequest {
    Bytes verb, path; /* path with query */
    Bytes body;
    bool has_body;
} RestRequest;

/*
 * `message` is the JSON of method->input. The first of the method's bindings whose variables are all set is
 * used. Faults: UNSUPPORTED (the method has no binding), BAD_VALUE (a variable is missing, or does not fit
 * its pattern), BAD_JSON.
 */
MUST_USE Result rest_request_write(const MethodType *method, Bytes message, Arena *arena,
                                   RestRequest *request_out);

/* The JSON of method->output from an answer's body: put into response_body's field where there is one. */
MUST_USE Result rest_answer_message(const MethodType *method, Bytes body, Arena *arena, Bytes *message_out);

#endif
