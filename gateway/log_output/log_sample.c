#include "gateway/log_output/log_sample.h"

#include "base/arena.h"

LogSample log_sample_of(double share, int64_t slow, Arena *arena)
{
    return (LogSample){.below = (uint64_t)(share * 4294967296.0),
                       .slow = slow,
                       .member = bytes_of(arena_printf(arena, ",\"sampled\":%.10g", share))};
}

/* FNV-1a, then the finalizer of MurmurHash3, since ids may differ in their last bytes only. */
uint32_t log_sample_hash(Bytes id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < id.size; i++)
        hash = (hash ^ id.data[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)((hash ^ hash >> 33) >> 32);
}
