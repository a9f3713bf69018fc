#include "gateway/headers/etags.h"

#include "base/arena.h"

#define WEAK "W/"
#define MARK "passerelle-"
#define MARKED WEAK "\"" MARK

/* The front of the list up to the next tag that has the mark, which stays on the list. A tag ends
   with its second quote, and may have commas in it (RFC 9110 section 8.8.3). */
static Bytes take_unmarked(Bytes *list)
{
    size_t i = 0;
    bool in_tag = false;
    while (i < list->size &&
           (in_tag || !bytes_start_with(bytes_slice(*list, i, SIZE_MAX), MARKED))) {
        in_tag ^= list->data[i] == '"';
        i++;
    }
    Bytes front = bytes_slice(*list, 0, i);
    *list = bytes_slice(*list, i, SIZE_MAX);
    return front;
}

Bytes etags_restore(Bytes list, Arena *arena)
{
    Bytes rest = list, front = take_unmarked(&rest);
    if (!rest.size)
        return list;
    Buffer restored = buffer_in(arena);
    buffer_add_bytes(&restored, front);
    while (rest.size) {
        rest = bytes_slice(rest, strlen(MARKED), SIZE_MAX);
        size_t end = bytes_find(rest, '"') + 1;
        buffer_add_text(&restored, "\"");
        buffer_add_bytes(&restored, bytes_slice(rest, 0, end));
        rest = bytes_slice(rest, end, SIZE_MAX);
        buffer_add_bytes(&restored, take_unmarked(&rest));
    }
    return restored.full ? BYTES_NONE : buffer_bytes(&restored);
}

bool etags_have(Bytes list, Bytes etag)
{
    for (Bytes tag; bytes_split(&list, ',', &tag);) {
        tag = bytes_trim(tag);
        if (bytes_start_with(tag, WEAK))
            tag = bytes_slice(tag, strlen(WEAK), SIZE_MAX);
        if (bytes_equal(tag, etag) || bytes_are(tag, "*"))
            return true;
    }
    return false;
}

bool etags_have_weakened(Bytes list, Bytes etag)
{
    take_unmarked(&list);
    while (list.size) {
        list = bytes_slice(list, strlen(MARKED), SIZE_MAX);
        size_t end = bytes_find(list, '"') + 1;
        if (bytes_equal(bytes_slice(list, 0, end), bytes_slice(etag, 1, SIZE_MAX)))
            return true;
        list = bytes_slice(list, end, SIZE_MAX);
        take_unmarked(&list);
    }
    return false;
}

static bool is_strong(Bytes etag)
{
    return etag.size >= 2 && etag.data[0] == '"' && etag.data[etag.size - 1] == '"';
}

void etag_weaken(Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        Field *field = &fields->items[i];
        if (!bytes_are(field->name, "etag") || !is_strong(field->value))
            continue;
        Buffer weak = buffer_in(fields->arena);
        buffer_add_text(&weak, MARKED);
        buffer_add_bytes(&weak, bytes_slice(field->value, 1, SIZE_MAX));
        fields->full |= weak.full;
        field->value = buffer_bytes(&weak);
    }
}
