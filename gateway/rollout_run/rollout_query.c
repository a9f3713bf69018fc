#include "gateway/rollout_run/rollout_query.h"

#include "base/arena.h"
#include "base/text/query.h"

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

static Result read_part(const QueryPair *pair, uint32_t *seen, Arena *arena, RolloutQuery *query)
{
    int at = find_part(pair->name);
    if (at == N_PARTS || *seen & 1u << at)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s: it is unknown here, or there twice",
                    BYTES_ARGS(bytes_cut_text(pair->name, 100)));
    *seen |= 1u << at;
    if (!pair->good || !parts[at].read(pair->value, query))
        return FAIL(arena, FAULT_BAD_VALUE, "%s takes %s", parts[at].name, parts[at].values);
    return OK;
}

Result rollout_query_read(Bytes text, Arena *arena, RolloutQuery *query_out)
{
    *query_out = (RolloutQuery){.bad = true};
    uint32_t seen = 0;
    Result r = OK;
    for (QueryPair pair; !failed(r) && query_next(&text, arena, &pair);)
        r = read_part(&pair, &seen, arena, query_out);
    return r;
}
