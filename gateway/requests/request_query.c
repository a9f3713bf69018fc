#include "gateway/requests/request_query.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/query.h"

#include <string.h>

/* A parameter, and the member of a record that it is about. */
typedef struct Asked {
    const char *name, *member;
} Asked;

static const Asked values[] = {{"id", "request_id"},
                               {"client", "client"},
                               {"service", "service"},
                               {"version", "client_version"},
                               {"served", "served_version"}};
static const Asked marks[] = {{"lost", ",\"lost\":\""}, {"failed", ",\"level\":\"error\""}};

static void add_piece(RequestQuery *query, Bytes piece)
{
    if (piece.size)
        query->pieces[query->n++] = piece;
}

static Bytes member_of(Arena *arena, const char *name, Bytes value)
{
    Buffer piece = buffer_in(arena);
    buffer_printf(&piece, "\"%s\":", name);
    json_text_add(&piece, value);
    return buffer_bytes(&piece);
}

/* As it stands in a record: without the quotes around it. */
static Bytes text_of(Arena *arena, Bytes value)
{
    Buffer piece = buffer_in(arena);
    json_text_add(&piece, value);
    return bytes_slice(buffer_bytes(&piece), 1, piece.size - 2);
}

static bool read_limit(Bytes value, uint32_t *limit)
{
    uint64_t number;
    if (!bytes_to_u64(value, &number) || number < 1 || number > REQUESTS_LISTED_MOST)
        return false;
    *limit = (uint32_t)number;
    return true;
}

static bool read_mark(const Asked *mark, Bytes value, RequestQuery *query)
{
    bool wanted = bytes_are(value, "true");
    if (wanted)
        add_piece(query, bytes_of(mark->member));
    return wanted || bytes_are(value, "false");
}

static bool read_parameter(Bytes name, Bytes value, Arena *arena, RequestQuery *query)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (bytes_are(name, values[i].name)) {
            add_piece(query, member_of(arena, values[i].member, value));
            return true;
        }
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (bytes_are(name, marks[i].name))
            return read_mark(&marks[i], value, query);
    if (!bytes_are(name, "text"))
        return bytes_are(name, "limit") && read_limit(value, &query->limit);
    add_piece(query, text_of(arena, value));
    return true;
}

Result request_query_read(Bytes query, Arena *arena, RequestQuery *query_out)
{
    *query_out = (RequestQuery){.limit = REQUESTS_LISTED};
    for (QueryPair pair; query_next(&query, arena, &pair);)
        if (query_out->n == REQUEST_PIECES || !pair.good ||
            !read_parameter(pair.name, pair.value, arena, query_out))
            return FAIL(arena, FAULT_BAD_VALUE,
                        "the query has id, client, service, version, served, text, lost=true, "
                        "failed=true and limit, which is from 1 to %d",
                        (int)REQUESTS_LISTED_MOST);
    return OK;
}

bool request_query_fits(const RequestQuery *query, Bytes record)
{
    for (uint32_t i = 0; i < query->n; i++)
        if (!memmem(record.data, record.size, query->pieces[i].data, query->pieces[i].size))
            return false;
    return true;
}
