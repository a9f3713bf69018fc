/*
 * LimitBlob: what clients have used, as bytes for the process after this one (gateway/handover).
 *
 *      "passerelle limits 1\n"  seed (16)  wall time (8)  then for each bucket: part (1) key (8)
 * missing (8)
 *
 * Numbers are little endian; `missing` are nanoseconds until the bucket is full, at that wall time.
 * Counts of what is in progress are not in it: that ends with this process. Pure.
 */
#ifndef GATEWAY_LIMIT_BLOB_H
#define GATEWAY_LIMIT_BLOB_H

#include "base/bytes.h"
#include "gateway/cache/response_key.h"
#include "gateway/limits/limit_table.h"

enum { LIMIT_BLOB_HEAD = 20 + 16 + 8, LIMIT_BLOB_ROW = 1 + 8 + 8 };

/* At most `most` bytes: what is left out is full again for the successor. `now` and `wall` are the
   same moment. */
void limit_blob_write(LimitTable *table, const KeySeed *seed, int64_t now, int64_t wall,
                      size_t most, Buffer *out);

/* Adds the buckets to the table, and gives the seed of their keys. False: it is no such blob, and
   nothing has changed. What has refilled since is left out. */
bool limit_blob_read(LimitTable *table, Bytes blob, int64_t now, int64_t wall, KeySeed *seed_out);

/* The seed alone. False: it is no such blob. */
bool limit_blob_seed(Bytes blob, KeySeed *seed_out);

#endif
