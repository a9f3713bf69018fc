#include "gateway/limits/limit_blob.h"

#include "gateway/limits/rate.h"

static const char magic[] = "passerelle limits 1\n";
_Static_assert(sizeof magic - 1 + 16 + 8 == LIMIT_BLOB_HEAD, "the head has another size");

#define MISSING_MOST (INT64_C(1) << 58) /* nanoseconds: nine years */

static void add_number(Buffer *out, uint64_t number)
{
    uint8_t little[8];
    for (int i = 0; i < 8; i++)
        little[i] = (uint8_t)(number >> 8 * i);
    buffer_add_bytes(out, bytes(little, sizeof little));
}

static uint64_t number_at(Bytes blob, size_t at)
{
    return key_word(blob.data + at);
}

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct Writing {
    int64_t now;
    size_t most;
    Buffer *out;
} Writing;

static void write_one(void *owner, LimitPart part, uint64_t key, uint64_t word)
{
    Writing *writing = owner;
    if (word & LIMIT_COUNT || writing->out->size + LIMIT_BLOB_ROW > writing->most)
        return;
    buffer_add_byte(writing->out, (uint8_t)part);
    add_number(writing->out, key);
    add_number(writing->out, (uint64_t)rate_missing(word, writing->now));
}

void limit_blob_write(LimitTable *table, const KeySeed *seed, int64_t now, int64_t wall,
                      size_t most, Buffer *out)
{
    Writing writing = {now, out->size + most, out};
    buffer_add_text(out, magic);
    add_number(out, seed->low);
    add_number(out, seed->high);
    add_number(out, (uint64_t)wall);
    limit_table_each(table, now, write_one, &writing);
}

/* ---- Reading --------------------------------------------------------------------------------- */

bool limit_blob_seed(Bytes blob, KeySeed *seed_out)
{
    size_t at = sizeof magic - 1;
    if (blob.size < LIMIT_BLOB_HEAD || !bytes_start_with(blob, magic))
        return false;
    *seed_out = (KeySeed){number_at(blob, at), number_at(blob, at + 8)};
    return true;
}

/* A clock that went back brings nothing. */
static uint64_t elapsed_since(uint64_t then, int64_t wall)
{
    return (int64_t)then < wall ? (uint64_t)wall - then : 0;
}

bool limit_blob_read(LimitTable *table, Bytes blob, int64_t now, int64_t wall, KeySeed *seed_out)
{
    if (!limit_blob_seed(blob, seed_out))
        return false;
    uint64_t elapsed = elapsed_since(number_at(blob, LIMIT_BLOB_HEAD - 8), wall);
    for (size_t at = LIMIT_BLOB_HEAD; at + LIMIT_BLOB_ROW <= blob.size; at += LIMIT_BLOB_ROW) {
        uint64_t missing = number_at(blob, at + 9);
        if (blob.data[at] >= LIMIT_PARTS || missing > MISSING_MOST || missing <= elapsed)
            continue;
        uint64_t word = ((uint64_t)now + missing - elapsed) * RATE_TICKS;
        limit_table_put(table, (LimitPart)blob.data[at], number_at(blob, at + 1), word, now);
    }
    return true;
}
