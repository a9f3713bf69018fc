/* Messages, enums and services by their full names. */
#include "adapters/schema/schema_internal.h"

static uint32_t n_places(const Schema *schema)
{
    return schema->n_messages + schema->n_enums + schema->n_services;
}

static const char *name_at(const Schema *schema, uint32_t place)
{
    if (place < schema->n_messages)
        return schema->messages[place].full_name;
    place -= schema->n_messages;
    return place < schema->n_enums ? schema->enums[place].full_name
                                   : schema->services[place - schema->n_enums].full_name;
}

const char *schema_package_at(const Schema *schema, uint32_t place)
{
    if (place < schema->n_messages)
        return schema->messages[place].package;
    place -= schema->n_messages;
    return place < schema->n_enums ? schema->enums[place].package
                                   : schema->services[place - schema->n_enums].package;
}

/* ---- The table ------------------------------------------------------------------------------- */

void loader_make_index(Loader *loader)
{
    uint32_t size = 1, n = n_places(loader->schema);
    while (size / 4 * 3 < n || size <= n)
        size *= 2;
    loader->by_name = arena_array(loader->arena, uint32_t, size);
    loader->schema->by_name = loader->by_name;
    loader->schema->by_name_mask = size - 1;
}

/* Where the name is, or the free slot where it would be. */
static uint32_t find_slot(const Schema *schema, Bytes name, uint64_t hash)
{
    const uint32_t *slots = schema->by_name;
    uint32_t mask = schema->by_name_mask, rest = (uint32_t)(hash >> 32) & ~mask;
    uint32_t at = (uint32_t)hash & mask;
    while (slots[at] && ((slots[at] & ~mask) != rest ||
                         !bytes_are(name, name_at(schema, (slots[at] & mask) - 1))))
        at = (at + 1) & mask;
    return at;
}

uint32_t schema_place(const Schema *schema, Bytes full_name)
{
    if (!schema->by_name) /* placement.h: it was not loaded */
        return NO_PLACE;
    uint32_t slot = schema->by_name[find_slot(schema, full_name, bytes_hash(full_name))];
    return slot ? (slot & schema->by_name_mask) - 1 : NO_PLACE;
}

Result loader_declare(Loader *loader, uint32_t place, const char *full_name)
{
    const Schema *schema = loader->schema;
    uint64_t hash = bytes_hash(bytes_of(full_name));
    uint32_t at = find_slot(schema, bytes_of(full_name), hash);
    if (schema->by_name[at])
        return BAD_SCHEMA(loader, "%s: %s is declared twice", loader->name, full_name);
    loader->by_name[at] = ((uint32_t)(hash >> 32) & ~schema->by_name_mask) | (place + 1);
    return OK;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static uint32_t find(const Schema *schema, Bytes name)
{
    if (name.size && name.data[0] == '.')
        name = bytes(name.data + 1, name.size - 1);
    return schema_place(schema, name);
}

const MessageType *schema_message(const Schema *schema, Bytes full_name)
{
    uint32_t place = find(schema, full_name);
    return place < schema->n_messages ? &schema->messages[place] : NULL;
}

const EnumType *schema_enum(const Schema *schema, Bytes full_name)
{
    uint32_t place = find(schema, full_name), first = schema->n_messages;
    return place >= first && place - first < schema->n_enums ? &schema->enums[place - first] : NULL;
}

const ServiceType *schema_service(const Schema *schema, Bytes full_name)
{
    uint32_t place = find(schema, full_name), first = schema->n_messages + schema->n_enums;
    return place >= first && place - first < schema->n_services ? &schema->services[place - first]
                                                                : NULL;
}
