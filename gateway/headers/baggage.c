#include "gateway/headers/baggage.h"

/* "name = value;property". False: it is another one. */
static bool is_named(Bytes member, const char *name, Bytes *value_out)
{
    size_t end = bytes_find(member, '=');
    Bytes value = bytes_slice(member, end + 1, SIZE_MAX);
    if (end == member.size || !bytes_are(bytes_trim(bytes_slice(member, 0, end)), name))
        return false;
    *value_out = bytes_trim(bytes_slice(value, 0, bytes_find(value, ';')));
    return true;
}

static bool find_in(Bytes list, const char *name, Bytes *value_out)
{
    Bytes member;
    while (bytes_split(&list, ',', &member)) {
        if (is_named(member, name, value_out))
            return true;
    }
    return false;
}

Bytes baggage_find(const Fields *fields, const char *name)
{
    Bytes value;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (bytes_are(fields->items[i].name, BAGGAGE_FIELD) &&
            find_in(fields->items[i].value, name, &value))
            return value.size ? value : bytes("", 0);
    }
    return BYTES_NONE;
}

Bytes baggage_without(Bytes list, const char *name, Arena *arena)
{
    Bytes rest = list, member, value;
    Buffer kept = buffer_in(arena);
    if (!find_in(list, name, &value))
        return list;
    buffer_add_text(&kept, "");
    while (bytes_split(&rest, ',', &member)) {
        if (is_named(member, name, &value))
            continue;
        if (kept.size)
            buffer_add_byte(&kept, ',');
        buffer_add_bytes(&kept, member);
    }
    if (kept.full)
        return BYTES_NONE;
    return kept.size ? buffer_bytes(&kept) : bytes("", 0);
}
