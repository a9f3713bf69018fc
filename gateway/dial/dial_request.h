/*
 * DialRequest: the messages of a request, as they are written behind `passerelle call`.
 *
 *      id=7  buyer.id=ada  tags=a  tags=b  labels[x]=1    fields; lists by repeating them
 *      '{"id": "7"}'                                      a message, as JSON
 *      @orders.json   -                                   messages of a file, of the standard input
 *
 * Several messages stand one behind the other, as a stream sends them. Fields are set in each
 * message. Pure but for the files that are read; everything lives in the arena, and names and
 * values of fields in the arguments.
 */
#ifndef GATEWAY_DIAL_REQUEST_H
#define GATEWAY_DIAL_REQUEST_H

#include "adapters/run/plan_run.h"

enum { DIAL_MESSAGES_MOST = 10000, DIAL_FILE_MOST = 64 << 20 /* bytes */ };

typedef struct DialRequest {
    const PlanParameter *fields;
    uint32_t n_fields;
    const Bytes *messages; /* JSON */
    uint32_t n;
} DialRequest;

/* Faults: BAD_JSON, NO_FILE, BAD_VALUE (an argument that is none of these, or too many messages).
 */
MUST_USE Result dial_request_read(Arena *arena, char *const *arguments, int n,
                                  DialRequest *request_out);

#endif
