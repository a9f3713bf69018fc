#include "gateway/usage/retirements.h"

#include "base/arena.h"
#include "base/text/query.h"

static Result read_member(Arena *arena, const QueryPair *member, RetireOrder *order)
{
    bool good = member->good;
    if (bytes_are(member->name, "service"))
        order->service = member->value;
    else if (bytes_are(member->name, "version"))
        order->version = member->value;
    else if (bytes_are(member->name, "again"))
        order->again = bytes_are(member->value, "true");
    else
        good = false;
    return good ? OK
                : FAIL(arena, FAULT_BAD_VALUE,
                       "this takes a service and a version: /retire?service=NAME&version=NAME; "
                       "and again=true where it is to be served again");
}

Result retire_order_read(Bytes query, Arena *arena, RetireOrder *order)
{
    Result r = OK;
    for (QueryPair member; !failed(r) && query_next(&query, arena, &member);)
        r = read_member(arena, &member, order);
    return r;
}
