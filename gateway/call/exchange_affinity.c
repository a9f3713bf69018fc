/* What calls of a route with affinity have in common: they go to one instance (choose.h). */
#include "adapters/schema/wire.h"
#include "gateway/call/exchange_internal.h"

static bool key_of_header(const Exchange *x, const char *name, uint32_t *hash_out)
{
    Bytes value = x->call.head ? fields_get(x->call.head, name) : BYTES_NONE;
    *hash_out = ring_key(value);
    return value.size > 0;
}

/* The address of an anonymous client; one that has a name is the same at all of its addresses, for
   all gateways. */
static bool key_of_client(const Exchange *x, uint32_t *hash_out)
{
    Bytes name = x->identity->name;
    *hash_out = ring_key(name.size ? name : bytes(x->client.bytes, sizeof x->client.bytes));
    return name.size || x->client.known;
}

/* The last field with this number, as protobuf requires. */
static bool find_last(Bytes message, const FieldType *field, WireField *found_out)
{
    WireReader reader = wire_reader(message);
    WireField each;
    bool found = false;
    while (wire_next(&reader, &each)) {
        if (each.number != field->number)
            continue;
        *found_out = each;
        found = true;
    }
    return found && !reader.bad;
}

/* The same for a text in all codecs: they have become protobuf. */
static bool key_of_message(const Method *method, Bytes message, uint32_t *hash_out)
{
    const FieldType *const *field = method->key;
    WireField last;
    for (; field[1]; field++)
        message = wire_find_bytes(message, (*field)->number);
    if (!message.data || !find_last(message, *field, &last))
        return false;
    bool is_text = last.type == WIRE_LENGTH;
    *hash_out = ring_key(is_text ? last.bytes : bytes(&last.value, sizeof last.value));
    return !is_text || last.bytes.size > 0;
}

/* A message that cannot be read is told when it is converted. Large JSON would hold the loop; a
   stream has no message yet. */
static bool key_of_field(Exchange *x, uint32_t *hash_out)
{
    Bytes message;
    if (!x->method || !x->method->key || !x->has_message ||
        (x->call.codec == CODEC_JSON && x->message.bytes.size > x->config->limits.work_bytes))
        return false;
    Arena *arena = exchange_arena_new(x);
    Result r = exchange_read_request(x, arena, &message);
    bool found = !failed(r) && key_of_message(x->method, message, hash_out);
    if (failed(r))
        error_ignore(r, "it goes by load");
    arena_free(arena);
    return found;
}

void exchange_find_key(Exchange *x)
{
    const Affinity *affinity = &x->route->affinity;
    uint32_t hash = 0;
    bool found = false;
    switch (affinity->by) {
    case AFFINITY_NONE: return;
    case AFFINITY_HEADER: found = key_of_header(x, affinity->name, &hash); break;
    case AFFINITY_FIELD: found = key_of_field(x, &hash); break;
    case AFFINITY_CLIENT: found = key_of_client(x, &hash); break;
    }
    if (found)
        x->key = (PickKey){.hash = hash, .bound = affinity->bound};
}
