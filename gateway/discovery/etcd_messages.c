#include "gateway/discovery/etcd_messages.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"

/* Numbers of fields in etcd's rpc.proto and kv.proto. */
enum {
    HEADER_REVISION = 3,
    RANGE_KEY = 1,
    RANGE_END = 2,
    RANGE_LIMIT = 3,
    RANGE_REVISION = 4,
    RANGED_HEADER = 1,
    RANGED_PAIRS = 2,
    RANGED_MORE = 3,
    PAIR_KEY = 1,
    PAIR_VALUE = 5,
    WATCH_CREATE = 1,
    WATCH_PROGRESS = 3,
    CREATE_KEY = 1,
    CREATE_END = 2,
    CREATE_REVISION = 3,
    CREATE_NOTIFY = 4,
    CREATE_FRAGMENT = 8,
    WATCHED_HEADER = 1,
    WATCHED_CREATED = 3,
    WATCHED_CANCELED = 4,
    WATCHED_COMPACTED = 5,
    WATCHED_REASON = 6,
    WATCHED_FRAGMENT = 7,
    WATCHED_EVENTS = 11,
    EVENT_TYPE = 1,
    EVENT_PAIR = 2,
    EVENT_IS_DELETE = 1,
    LOGIN_NAME = 1,
    LOGIN_PASSWORD = 2,
    LOGGED_IN_TOKEN = 2,
};

/* ---- Requests -------------------------------------------------------------------------------- */

/* The end of a range is the first key after it: the prefix, counted up by one in its last byte that
   can be. Without one, all keys to the last. */
static void add_end(Buffer *out, uint32_t number, Bytes prefix)
{
    size_t size = prefix.size;
    while (size && prefix.data[size - 1] == 0xff)
        size--;
    if (!size) {
        wire_add_bytes(out, number, bytes("\0", 1));
        return;
    }
    wire_add_tag(out, number, WIRE_LENGTH);
    wire_add_varint(out, size);
    buffer_add(out, prefix.data, size - 1);
    buffer_add_byte(out, (uint8_t)(prefix.data[size - 1] + 1));
}

void etcd_add_range(Buffer *out, Bytes prefix, Bytes after, int64_t revision, uint32_t limit)
{
    if (after.size) {
        wire_add_tag(out, RANGE_KEY, WIRE_LENGTH);
        wire_add_varint(out, after.size + 1);
        buffer_add(out, after.data, after.size);
        buffer_add_byte(out, 0); /* the smallest key that is larger */
    } else {
        wire_add_bytes(out, RANGE_KEY, prefix);
    }
    add_end(out, RANGE_END, prefix);
    wire_add_number(out, RANGE_LIMIT, limit);
    if (revision)
        wire_add_number(out, RANGE_REVISION, (uint64_t)revision);
}

void etcd_add_watch(Buffer *out, Bytes prefix, int64_t revision)
{
    Buffer create = buffer_in(out->arena);
    wire_add_bytes(&create, CREATE_KEY, prefix);
    add_end(&create, CREATE_END, prefix);
    wire_add_number(&create, CREATE_REVISION, (uint64_t)revision);
    wire_add_number(&create, CREATE_NOTIFY, 1);
    wire_add_number(&create, CREATE_FRAGMENT, 1);
    wire_add_bytes(out, WATCH_CREATE, buffer_bytes(&create));
}

void etcd_add_progress(Buffer *out)
{
    wire_add_bytes(out, WATCH_PROGRESS, BYTES_NONE);
}

void etcd_add_authenticate(Buffer *out, Bytes user, Bytes password)
{
    wire_add_bytes(out, LOGIN_NAME, user);
    wire_add_bytes(out, LOGIN_PASSWORD, password);
}

/* ---- Responses ------------------------------------------------------------------------------- */

static Result malformed(Arena *arena)
{
    return FAIL(arena, FAULT_UPSTREAM_MESSAGE, "a message of etcd is truncated or malformed");
}

/* Whether the message can be read to its end; counts its fields with this number. */
static bool is_whole(Bytes message, uint32_t number, size_t *n_out)
{
    WireReader reader = wire_reader(message);
    *n_out = 0;
    for (WireField f; wire_next(&reader, &f);)
        *n_out += f.number == number && f.type == WIRE_LENGTH;
    return !reader.bad;
}

static int64_t revision_of(Bytes header)
{
    int64_t revision = 0;
    WireReader reader = wire_reader(header);
    for (WireField f; wire_next(&reader, &f);)
        if (f.number == HEADER_REVISION && f.type == WIRE_VARINT)
            revision = (int64_t)f.value;
    return revision;
}

/* False: it is malformed, or has no key. */
static bool read_pair(Bytes message, EtcdPair *pair)
{
    size_t ignored;
    if (!is_whole(message, PAIR_KEY, &ignored))
        return false;
    pair->key = wire_find_bytes(message, PAIR_KEY);
    pair->value = wire_find_bytes(message, PAIR_VALUE);
    return pair->key.size > 0;
}

Result etcd_read_range(Arena *arena, Bytes message, EtcdRange *range_out)
{
    size_t most;
    *range_out = (EtcdRange){.revision = revision_of(wire_find_bytes(message, RANGED_HEADER))};
    if (!is_whole(message, RANGED_PAIRS, &most))
        return malformed(arena);
    range_out->pairs = arena_array(arena, EtcdPair, most);
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == RANGED_MORE && f.type == WIRE_VARINT)
            range_out->more = f.value != 0;
        if (f.number != RANGED_PAIRS || f.type != WIRE_LENGTH)
            continue;
        if (!read_pair(f.bytes, &range_out->pairs[range_out->n++]))
            return malformed(arena);
    }
    /* With more to come after nothing, it would be asked for the same for ever. */
    return range_out->more && !range_out->n ? malformed(arena) : OK;
}

static bool read_event(Bytes message, EtcdPair *pair)
{
    WireReader reader = wire_reader(message);
    Bytes said = BYTES_NONE;
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == EVENT_TYPE && f.type == WIRE_VARINT)
            pair->gone = f.value == EVENT_IS_DELETE;
        if (f.number == EVENT_PAIR && f.type == WIRE_LENGTH)
            said = f.bytes;
    }
    return !reader.bad && read_pair(said, pair);
}

static void read_flag(const WireField *f, EtcdEvents *events)
{
    switch (f->number) {
    case WATCHED_CREATED: events->created = f->value != 0; break;
    case WATCHED_CANCELED: events->canceled = f->value != 0; break;
    case WATCHED_COMPACTED: events->compacted = (int64_t)f->value; break;
    case WATCHED_FRAGMENT: events->fragment = f->value != 0; break;
    default: break;
    }
}

Result etcd_read_events(Arena *arena, Bytes message, EtcdEvents *events_out)
{
    size_t most;
    *events_out = (EtcdEvents){.revision = revision_of(wire_find_bytes(message, WATCHED_HEADER)),
                               .reason = wire_find_bytes(message, WATCHED_REASON)};
    if (!is_whole(message, WATCHED_EVENTS, &most))
        return malformed(arena);
    events_out->pairs = arena_array(arena, EtcdPair, most);
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type == WIRE_VARINT)
            read_flag(&f, events_out);
        if (f.number != WATCHED_EVENTS || f.type != WIRE_LENGTH)
            continue;
        EtcdPair *pair = &events_out->pairs[events_out->n++];
        *pair = (EtcdPair){.gone = false};
        if (!read_event(f.bytes, pair))
            return malformed(arena);
    }
    return OK;
}

Result etcd_read_token(Arena *arena, Bytes message, Bytes *token_out)
{
    *token_out = wire_find_bytes(message, LOGGED_IN_TOKEN);
    for (size_t i = 0; i < token_out->size; i++)
        if (token_out->data[i] <= ' ' || token_out->data[i] >= 0x7f)
            return malformed(arena);
    return token_out->size ? OK : malformed(arena);
}
