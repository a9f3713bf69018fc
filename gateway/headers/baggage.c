#include "gateway/headers/baggage.h"

#include "base/arena.h"
#include "base/text/percent.h"
#include "base/text/utf8.h"

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

/* ---- Room ------------------------------------------------------------------------------------ */

Bytes baggage_within(Bytes list, BaggageRoom *room)
{
    Bytes rest = list, member;
    size_t kept = 0;
    while (bytes_split(&rest, ',', &member)) {
        size_t end = (size_t)(member.data + member.size - list.data);
        bool empty = bytes_trim(member).size == 0;
        if (end > room->bytes || (!empty && !room->members))
            break;
        room->members -= !empty;
        kept = end;
    }
    size_t taken = kept + 1; /* the comma before the next field's */
    room->bytes -= taken < room->bytes ? taken : room->bytes;
    return bytes_slice(list, 0, kept);
}

/* ---- Recording ------------------------------------------------------------------------------- */

/* Empty: the arena is full, too. */
static Bytes decode(Bytes value, Arena *arena)
{
    Buffer decoded = buffer_in(arena), repaired = buffer_in(arena);
    percent_decode_leniently(&decoded, value);
    utf8_add_repaired(&repaired, buffer_bytes(&decoded));
    return decoded.full || repaired.full ? BYTES_NONE : buffer_bytes(&repaired);
}

const BaggageNotes *baggage_note(const Fields *fields, const BaggageConfig *config, Arena *arena)
{
    BaggageNotes *notes = NULL;
    for (uint32_t i = 0; i < config->n_record; i++) {
        Bytes value = baggage_find(fields, config->record[i]);
        value = value.size ? decode(value, arena) : value;
        if (!value.size)
            continue;
        if (!notes) {
            notes = arena_alloc(arena, sizeof *notes + config->n_record * sizeof *notes->items);
            if (!notes)
                return NULL;
            notes->n = 0;
        }
        notes->items[notes->n].name = config->record[i];
        notes->items[notes->n++].value = value;
    }
    return notes;
}
