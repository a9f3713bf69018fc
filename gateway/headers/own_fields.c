#include "gateway/headers/own_fields.h"

#include "base/arena.h"

/* ---- The list -------------------------------------------------------------------------------- */

static const char *version_field(const Version *version)
{
    const char *name = version->service->version_header;
    return name ? name : "api-version";
}

static bool speaks_of_another(const OwnFields *own)
{
    return own->served && own->served != own->version;
}

static bool is_own(const OwnFields *own, Bytes name)
{
    if (bytes_start_with(name, "trailer-"))
        return is_own(own, bytes_slice(name, strlen("trailer-"), SIZE_MAX));
    if (bytes_are(name, "x-request-id") || bytes_start_with(name, "passerelle-") ||
        bytes_are(name, "grpc-previous-rpc-attempts"))
        return true;
    if (bytes_start_with(name, "access-control-"))
        return own->cors;
    if (!own->version)
        return false;
    if (bytes_are(name, "deprecation"))
        return own->version->deprecated || speaks_of_another(own);
    if (bytes_are(name, "sunset"))
        return own->version->sunset || speaks_of_another(own);
    return bytes_are(name, version_field(own->version));
}

static bool is_own_link(const OwnFields *own)
{
    return own->version && (own->version->successor_link || speaks_of_another(own));
}

/* ---- Links (RFC 8288 section 3) -------------------------------------------------------------- */

/* Removes the first part from a list. The separator may also occur within <> and "". */
static Bytes take_part(Bytes *list, uint8_t separator)
{
    bool in_target = false, in_quotes = false;
    size_t i = 0;
    for (; i < list->size; i++) {
        uint8_t c = list->data[i];
        if (in_quotes && c == '\\')
            i++;
        else if (c == '"' && !in_target)
            in_quotes = !in_quotes;
        else if ((c == '<' || c == '>') && !in_quotes)
            in_target = c == '<';
        else if (c == separator && !in_target && !in_quotes)
            break;
    }
    Bytes part = bytes_trim(bytes_slice(*list, 0, i));
    *list = bytes_slice(*list, i + 1, SIZE_MAX);
    return part;
}

static bool is_successor(Bytes link)
{
    while (link.size) {
        Bytes parameter = take_part(&link, ';'), relation;
        size_t equals = bytes_find(parameter, '=');
        Bytes value = bytes_trim(bytes_slice(parameter, equals + 1, SIZE_MAX));
        if (!bytes_are_nocase(bytes_trim(bytes_slice(parameter, 0, equals)), "rel"))
            continue;
        if (value.size >= 2 && value.data[0] == '"')
            value = bytes_slice(value, 1, value.size - 2);
        while (bytes_split(&value, ' ', &relation)) {
            if (bytes_are_nocase(relation, "successor-version"))
                return true;
        }
    }
    return false;
}

/* The links except those to successors; may be empty. Borrowed from `links` if all remain. */
static Bytes other_links(Bytes links, Arena *arena)
{
    Buffer others = buffer_in(arena);
    bool dropped = false;
    for (Bytes rest = links; rest.size;) {
        Bytes link = take_part(&rest, ',');
        if (is_successor(link)) {
            dropped = true;
            continue;
        }
        if (others.size)
            buffer_add_text(&others, ", ");
        buffer_add_bytes(&others, link);
    }
    if (!dropped)
        return links;
    return others.full ? BYTES_NONE : buffer_bytes(&others);
}

/* ---- Both ------------------------------------------------------------------------------------ */

void own_fields_remove(const OwnFields *own, Fields *fields)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        Field field = fields->items[i];
        if (is_own(own, field.name))
            continue;
        if ((bytes_are(field.name, "link") || bytes_are(field.name, "trailer-link")) &&
            is_own_link(own)) {
            field.value = other_links(field.value, fields->arena);
            if (!field.value.size)
                continue;
        }
        fields->items[n++] = field;
    }
    fields->n = n;
}

static bool is_listed(Bytes list, Bytes name)
{
    Bytes listed;
    while (bytes_split(&list, ',', &listed)) {
        if (bytes_equal_nocase(bytes_trim(listed), name))
            return true;
    }
    return false;
}

static uint32_t count_vary(const Fields *fields)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        n += bytes_are(fields->items[i].name, "vary");
    return n;
}

void own_fields_merge_vary(Fields *fields)
{
    if (count_vary(fields) < 2)
        return;
    Bytes all = fields_joined(fields, "vary"), name;
    Buffer once = buffer_in(fields->arena);
    while (bytes_split(&all, ',', &name)) {
        name = bytes_trim(name);
        if (!name.size || is_listed(buffer_bytes(&once), name))
            continue;
        if (once.size)
            buffer_add_text(&once, ", ");
        buffer_add_bytes(&once, name);
    }
    fields->full |= once.full;
    if (once.size && !once.full)
        fields_set(fields, "vary", buffer_bytes(&once));
}
