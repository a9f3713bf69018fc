/*
 * RestRequest: a message as a request to a REST instance: verb, path, query and body by
 * google.api.http.
 *
 * The reverse of reading a REST client's request: path variables and body are taken from the
 * message by the rule, and the rest becomes the query (http.proto, "HTTP Transcoding"). The
 * functions rest_answer_* read the response. Pure functions from JSON to JSON.
 */
#ifndef GATEWAY_REST_REQUEST_H
#define GATEWAY_REST_REQUEST_H

#include "adapters/schema/schema.h"
#include "base/call.h"

typedef struct RestRequest {
    const HttpRule *rule; /* the binding that was used; the response is read by it, too */
    Bytes verb, path;     /* path with query */
    Bytes content_type;   /* of the body */
    Bytes body;
    bool has_body;
} RestRequest;

/*
 * `message` is the JSON of method->input. Uses the first binding of the method that can express the
 * message: all its variables are set and match, and nothing is left for the query that a query
 * cannot express (maps, lists of messages, google.protobuf.Struct and similar). A
 * google.api.HttpBody is a body of its own media type. Faults: UNSUPPORTED (the method has no
 * binding), BAD_VALUE (of the last binding tried), BAD_JSON.
 */
MUST_USE Result rest_request_write(const MethodType *method, Bytes message, Arena *arena,
                                   RestRequest *request_out);

/* The JSON of method->output from a response's body, which becomes the field response_body if the
   rule has one. */
MUST_USE Result rest_answer_message(const HttpRule *rule, const MethodType *method,
                                    Bytes content_type, Bytes body, Arena *arena,
                                    Bytes *message_out);

typedef enum RestItem {
    REST_ITEM_MESSAGE,
    REST_ITEM_ERROR, /* {"error": {...}}: for rest_status_read; the stream ends with it */
} RestItem;

/*
 * Reads one item of a REST instance's stream. grpc-gateway wraps messages as {"result": {...}};
 * this wrapper is removed from `*item`. If the output has fields of these names, they are fields.
 */
RestItem rest_item_read(const MethodType *method, Bytes *item, Arena *arena);

#endif
