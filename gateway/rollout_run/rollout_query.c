#include "gateway/rollout_run/rollout_query.h"

#include "base/arena.h"
#include "base/text/percent.h"

static bool read_name(Bytes value, RolloutQuery *query)
{
    query->name = value;
    return value.size > 0;
}

static bool read_client(Bytes value, RolloutQuery *query)
{
    query->client = value;
    return value.size > 0;
}

static bool read_metric(Bytes value, RolloutQuery *query)
{
    query->metric = value;
    return value.size > 0;
}

static bool read_value(Bytes value, RolloutQuery *query)
{
    query->bad = bytes_are(value, "1");
    return query->bad || bytes_are(value, "0");
}

static const struct {
    const char *name;
    bool (*read)(Bytes value, RolloutQuery *query); /* false: it is no value of this part */
    const char *values;                             /* what it takes, for people */
} parts[] = {
    {"name", read_name, "a service, or a rollout: orders, \"orders build 3.1.0\""},
    {"client", read_client, "the name of a client"},
    {"metric", read_metric, "one of the rollout's `posted`"},
    {"value", read_value, "1: it was bad; 0: it was good"},
};

enum { N_PARTS = sizeof parts / sizeof *parts };

static int find_part(Bytes name)
{
    int i = 0;
    while (i < N_PARTS && !bytes_are(name, parts[i].name))
        i++;
    return i;
}

static Result read_part(Bytes text, uint32_t *seen, Arena *arena, RolloutQuery *query)
{
    Buffer value = buffer_in(arena);
    size_t equals = bytes_find(text, '=');
    Bytes name = bytes_slice(text, 0, equals);
    int at = find_part(name);
    if (at == N_PARTS || *seen & 1u << at)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s: it is unknown here, or there twice",
                    BYTES_ARGS(bytes_cut_text(name, 100)));
    *seen |= 1u << at;
    if (!percent_decode(&value, bytes_slice(text, equals + 1, SIZE_MAX), PERCENT_PLUS_IS_SPACE) ||
        !parts[at].read(buffer_bytes(&value), query))
        return FAIL(arena, FAULT_BAD_VALUE, "%s takes %s", parts[at].name, parts[at].values);
    return OK;
}

Result rollout_query_read(Bytes text, Arena *arena, RolloutQuery *query_out)
{
    *query_out = (RolloutQuery){.bad = true};
    uint32_t seen = 0;
    Bytes part;
    Result r = OK;
    while (!failed(r) && text.size && bytes_split(&text, '&', &part))
        r = read_part(part, &seen, arena, query_out);
    return r;
}
