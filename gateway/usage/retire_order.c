#include "gateway/usage/retirements.h"

#include "base/arena.h"
#include "base/text/percent.h"

static Result read_member(Arena *arena, Bytes member, RetireOrder *order)
{
    size_t end = bytes_find(member, '=');
    Bytes name = bytes_slice(member, 0, end);
    Buffer value = buffer_in(arena);
    bool good =
        percent_decode(&value, bytes_slice(member, end + 1, member.size), PERCENT_PLUS_IS_SPACE);
    if (bytes_are(name, "service"))
        order->service = buffer_bytes(&value);
    else if (bytes_are(name, "version"))
        order->version = buffer_bytes(&value);
    else if (bytes_are(name, "again"))
        order->again = bytes_are(buffer_bytes(&value), "true");
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
    for (Bytes member; !failed(r) && query.size && bytes_split(&query, '&', &member);)
        r = read_member(arena, member, order);
    return r;
}
