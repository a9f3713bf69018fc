/*
 * RequestQuery: which calls of the last hour are asked for, as a query: "lost=true&service=orders".
 *
 *      id        the request id; legs and steps have that of their call
 *      client, service    by name
 *      version, served    what the client spoke, and what the instance speaks
 *      lost=true          fields were lost in a conversion
 *      failed=true        it failed, and neither was it the client's mistake
 *      text               stands anywhere in the record
 *      limit              how many at most: the newest
 *
 * Each of them is a piece of JSON that a record has or not: records need not be parsed on the loops
 * that have them. A quote inside of a value is escaped, so a piece can only be a member. Any
 * thread.
 */
#ifndef GATEWAY_REQUEST_QUERY_H
#define GATEWAY_REQUEST_QUERY_H

#include "base/bytes.h"
#include "base/result.h"

enum { REQUESTS_LISTED = 100, REQUESTS_LISTED_MOST = 1000, REQUEST_PIECES = 16 };

typedef struct RequestQuery {
    Bytes pieces[REQUEST_PIECES]; /* all of them are in a record that is asked for */
    uint32_t n;
    uint32_t limit;
} RequestQuery;

/* The pieces are in the arena. BAD_VALUE: the query has something else, or too much. */
MUST_USE Result request_query_read(Bytes query, Arena *arena, RequestQuery *query_out);

/* Whether this record, a JSON object without spaces, is asked for. */
bool request_query_fits(const RequestQuery *query, Bytes record);

#endif
