/*
 * RestRequest: a message as a REST instance wants it: verb, path, query and body by
 * google.api.http.
 *
 * The reverse of what a REST client sends: variables of the path are taken out of the message, then
 * the body as the rule says, and what is left becomes the query (http.proto, "HTTP Transcoding").
 * The answer's way back is in rest_answer_. Pure functions from JSON to JSON.
 */
#ifndef GATEWAY_REST_REQUEST_H
#define GATEWAY_REST_REQUEST_H

#include "adapters/schema/schema.h"
#include "base/call.h"

typedef struct RestRequest {
    const HttpRule *rule; /* the binding that was used: its answer is read by it, too */
    Bytes verb, path;     /* path with query */
    Bytes content_type;   /* of the body */
    Bytes body;
    bool has_body;
} RestRequest;

/*
 * `message` is the JSON of method->input. The first of the method's bindings is used that can say
 * it: whose variables are all set, and fit, and that leaves nothing for the query that has no
 * spelling there (maps, lists of messages, google.protobuf.Struct and the like). A
 * google.api.HttpBody is a body of its own media type. Faults: UNSUPPORTED (the method has no
 * binding), BAD_VALUE (of the last binding tried), BAD_JSON.
 */
MUST_USE Result rest_request_write(const MethodType *method, Bytes message, Arena *arena,
                                   RestRequest *request_out);

/* The JSON of method->output from an answer's body: put into response_body's field where there is
   one. */
MUST_USE Result rest_answer_message(const HttpRule *rule, const MethodType *method,
                                    Bytes content_type, Bytes body, Arena *arena,
                                    Bytes *message_out);

typedef enum RestItem {
    REST_ITEM_MESSAGE,
    REST_ITEM_ERROR, /* {"error": {...}}: for rest_status_read; the stream ends with it */
} RestItem;

/*
 * One item of a REST instance's stream. grpc-gateway wraps messages as {"result": {...}}, which is
 * taken off
 * `*item`. An output that has fields of these names is taken at its word.
 */
RestItem rest_item_read(const MethodType *method, Bytes *item, Arena *arena);

#endif
