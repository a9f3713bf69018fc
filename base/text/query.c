#include "base/text/query.h"

#include "base/arena.h"
#include "base/text/percent.h"

bool query_next(Bytes *query, Arena *arena, QueryPair *pair_out)
{
    Bytes part = BYTES_NONE;
    while (query->size && !part.size)
        bytes_split(query, '&', &part);
    if (!part.size)
        return false;
    size_t equals = bytes_find(part, '=');
    Buffer value = buffer_in(arena);
    *pair_out = (QueryPair){.name = bytes_slice(part, 0, equals)};
    pair_out->good =
        percent_decode(&value, bytes_slice(part, equals + 1, SIZE_MAX), PERCENT_PLUS_IS_SPACE);
    pair_out->value = pair_out->good ? buffer_bytes(&value) : BYTES_NONE;
    return true;
}
