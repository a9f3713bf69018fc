#include "gateway/policy/stream_starts.h"

static uint32_t begin_slice(StreamStarts *s)
{
    uint32_t *of_slice = &s->n[++s->slice % 2], lost = *of_slice;
    *of_slice = 0;
    return lost;
}

uint32_t stream_starts_expire(StreamStarts *s, int64_t slice_length, int64_t now)
{
    if (now < s->slice_until)
        return 0;
    bool both = now - s->slice_until >= slice_length;
    uint32_t lost = begin_slice(s);
    if (both)
        lost += begin_slice(s);
    s->slice_until = now + slice_length;
    return lost;
}

uint32_t stream_starts_add(StreamStarts *s)
{
    s->n[s->slice % 2]++;
    return s->slice;
}

bool stream_starts_remove(StreamStarts *s, uint32_t slice)
{
    bool has_place = s->slice - slice < 2;
    s->n[slice % 2] -= has_place;
    return has_place;
}
