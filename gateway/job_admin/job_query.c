#include "gateway/job_admin/job_query.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/text/query.h"

typedef struct Part {
    const char *name;
    unsigned kind;
    bool (*read)(Bytes value, JobQuery *query); /* false: it is no value of this part */
    const char *values;                         /* what it takes, for people */
} Part;

/* ---- Values ---------------------------------------------------------------------------------- */

static bool read_client(Bytes value, JobQuery *query)
{
    query->client = value;
    return query->has_client = true;
}

static bool read_service(Bytes value, JobQuery *query)
{
    query->filter.method = value;
    return value.size > 0;
}

static bool read_state(Bytes value, JobQuery *query)
{
    Bytes rest = value, word;
    JobState state;
    while (rest.size && bytes_split(&rest, ',', &word)) {
        if (!job_state_of(word, &state))
            return false;
        query->filter.states |= 1u << state;
    }
    return value.size > 0;
}

static bool read_step(Bytes value, JobQuery *query)
{
    query->filter.step = value;
    return value.size > 0;
}

static bool read_resource(Bytes value, JobQuery *query)
{
    query->filter.resource = value;
    return value.size > 0;
}

static bool read_older(Bytes value, JobQuery *query)
{
    return spelling_duration(value, &query->older) && query->older > 0;
}

static bool read_limit(Bytes value, JobQuery *query)
{
    uint64_t number;
    if (!bytes_to_u64(value, &number) || number < 1 || number > JOB_PAGE_MOST)
        return false;
    query->filter.most = (uint32_t)number;
    return true;
}

static bool read_after(Bytes value, JobQuery *query)
{
    query->filter.after = value;
    return job_id_is_valid(value);
}

static bool read_name(Bytes value, JobQuery *query)
{
    query->name = value;
    return value.size > 0;
}

static bool read_to(Bytes value, JobQuery *query)
{
    uint64_t number;
    if (!bytes_to_u64(value, &number) || number < 1 || number > UINT32_MAX)
        return false;
    query->to = (uint32_t)number;
    return true;
}

static const Part parts[] = {
    {"client", JOB_QUERY_LIST, read_client, "the name of a client"},
    {"service", JOB_QUERY_LIST, read_service,
     "a service, an RPC service of it, or a method: hosting, hosting.Sites, hosting.Sites/Create"},
    {"state", JOB_QUERY_LIST, read_state,
     "queued, running, waiting, failed, undoing, undone, done, or several with commas"},
    {"step", JOB_QUERY_LIST, read_step, "the name of a step"},
    {"resource", JOB_QUERY_LIST, read_resource, "what jobs work on: site/NAME"},
    {"older", JOB_QUERY_LIST, read_older, "a time: 90s, 1h, 7d"},
    {"limit", JOB_QUERY_LIST, read_limit, "a number from 1 to 1000"},
    {"after", JOB_QUERY_LIST, read_after, "the id of a job"},
    {"name", JOB_QUERY_EVENT, read_name, "the name of an event"},
    {"method", JOB_QUERY_METHOD, read_name, "a method with jobs: hosting.Sites/Create"},
    {"to", JOB_QUERY_TO, read_to, "a revision of the definition"},
};

enum { N_PARTS = sizeof parts / sizeof *parts };

/* ---- The query ------------------------------------------------------------------------------- */

static int find_part(Bytes name, unsigned may_say)
{
    int i = 0;
    while (i < N_PARTS && !((parts[i].kind & may_say) && bytes_are(name, parts[i].name)))
        i++;
    return i;
}

static Result read_part(const QueryPair *pair, unsigned may_say, uint32_t *seen, Arena *arena,
                        JobQuery *query)
{
    int at = find_part(pair->name, may_say);
    if (at == N_PARTS || *seen & 1u << at)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s: it is unknown here, or there twice",
                    BYTES_ARGS(pair->name));
    *seen |= 1u << at;
    if (!pair->good || !parts[at].read(pair->value, query))
        return FAIL(arena, FAULT_BAD_VALUE, "%s takes %s", parts[at].name, parts[at].values);
    return OK;
}

Result job_query_read(Bytes text, unsigned may_say, Arena *arena, JobQuery *query_out)
{
    *query_out = (JobQuery){.filter.most = JOB_LIST_DEFAULT};
    uint32_t seen = 0;
    Result r = OK;
    for (QueryPair pair; !failed(r) && query_next(&text, arena, &pair);)
        r = read_part(&pair, may_say, &seen, arena, query_out);
    if (failed(r))
        return r;
    if (may_say & JOB_QUERY_EVENT && !query_out->name.size)
        return FAIL(arena, FAULT_BAD_VALUE, "name=EVENT is missing: the event that has come");
    if (may_say & JOB_QUERY_METHOD && !query_out->name.size)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "method=METHOD is missing: of which jobs begin again, hosting.Sites/Create");
    return OK;
}
