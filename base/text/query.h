/* The query of a URL as names and values, "client=ada&limit=10": of the pages and acts of
   operators. Plain functions. */
#ifndef BASE_QUERY_H
#define BASE_QUERY_H

#include "base/bytes.h"

typedef struct QueryPair {
    Bytes name;  /* as it is written; borrowed */
    Bytes value; /* decoded, a "+" being a space; in the arena */
    bool good;   /* false: a "%" stands without two hexadecimal digits, and there is no value */
} QueryPair;

/* Takes the first pair off `query`; what is empty between two "&" is none. False: there is none
   left. */
bool query_next(Bytes *query, Arena *arena, QueryPair *pair_out);

#endif
