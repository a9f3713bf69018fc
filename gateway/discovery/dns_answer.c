#include "gateway/discovery/dns_answer.h"

#include "base/arena.h"

#include <ares.h>

/* RFC 1035 section 4.1, RFC 2782. */
enum {
    HEAD_SIZE = 12,
    RECORD_HEAD_SIZE = 10, /* after the name: type, class, TTL, length */
    SRV_HEAD_SIZE = 6,     /* priority, weight, port */
    TYPE_CNAME = 5,
    CLASS_IN = 1,
    TTL_MOST = 0x7fffffff, /* RFC 2181 section 8: a larger one is 0 */
};

typedef struct AnswerReader {
    Arena *arena;
    Bytes whole;
    size_t at;
} AnswerReader;

static uint16_t number_at(const AnswerReader *reader, size_t at)
{
    return (uint16_t)(reader->whole.data[at] << 8 | reader->whole.data[at + 1]);
}

static bool has(const AnswerReader *reader, size_t size)
{
    return size <= reader->whole.size - reader->at;
}

/* False: it is malformed. `name_out` may be NULL. */
static bool read_name(AnswerReader *reader, const char **name_out)
{
    char *name;
    long size;
    if (!has(reader, 1) || ares_expand_name(reader->whole.data + reader->at, reader->whole.data,
                                            (int)reader->whole.size, &name, &size) != ARES_SUCCESS)
        return false;
    if (name_out)
        *name_out = arena_string(reader->arena, name);
    ares_free_string(name);
    reader->at += (size_t)size;
    return reader->at <= reader->whole.size;
}

static bool skip_questions(AnswerReader *reader)
{
    for (uint16_t n = number_at(reader, 4); n > 0; n--) {
        if (!read_name(reader, NULL) || !has(reader, 4))
            return false;
        reader->at += 4;
    }
    return true;
}

/* Reads what a record says, at `at`; it ends at `end`. */
static bool read_record(AnswerReader *reader, uint16_t type, size_t end, DnsRecord *record)
{
    size_t size = end - reader->at;
    *record = (DnsRecord){.priority = 0};
    if (type != DNS_SRV) {
        if (size != (type == DNS_A ? 4 : 16))
            return false;
        record->ip = ip_of_bytes(bytes(reader->whole.data + reader->at, size));
        return true;
    }
    if (size <= SRV_HEAD_SIZE)
        return false;
    record->priority = number_at(reader, reader->at);
    record->weight = number_at(reader, reader->at + 2);
    record->port = number_at(reader, reader->at + 4);
    reader->at += SRV_HEAD_SIZE;
    return read_name(reader, &record->target) && reader->at == end;
}

static bool read_answer(AnswerReader *reader, uint16_t type, DnsAnswer *answer)
{
    if (!read_name(reader, NULL) || !has(reader, RECORD_HEAD_SIZE))
        return false;
    uint16_t its = number_at(reader, reader->at), class = number_at(reader, reader->at + 2);
    uint32_t ttl =
        (uint32_t)number_at(reader, reader->at + 4) << 16 | number_at(reader, reader->at + 6);
    uint16_t size = number_at(reader, reader->at + 8);
    reader->at += RECORD_HEAD_SIZE;
    if (!has(reader, size))
        return false;
    size_t end = reader->at + size;
    DnsRecord *record = &answer->records[answer->n];
    bool counts = class == CLASS_IN && (its == type || its == TYPE_CNAME);
    if (counts && its == type && !read_record(reader, type, end, record))
        return false;
    if (counts && its == type && (type != DNS_SRV || *record->target))
        answer->n++;
    ttl = ttl > TTL_MOST ? 0 : ttl;
    if (counts && ttl < answer->ttl)
        answer->ttl = ttl;
    reader->at = end;
    return true;
}

Result dns_answer_read(Arena *arena, Bytes response, uint16_t type, DnsAnswer *answer_out)
{
    *answer_out = (DnsAnswer){.ttl = TTL_MOST};
    if (!response.size)
        return OK;
    AnswerReader reader = {arena, response, HEAD_SIZE};
    bool good = response.size >= HEAD_SIZE && skip_questions(&reader);
    uint16_t n = good ? number_at(&reader, 6) : 0;
    /* A record has at least a byte of name and its head, so that a wrong number takes no memory. */
    size_t most = response.size / (1 + RECORD_HEAD_SIZE);
    answer_out->records = arena_array(arena, DnsRecord, most + 1);
    for (uint16_t i = 0; good && i < n; i++)
        good = i < most && read_answer(&reader, type, answer_out);
    if (good)
        return OK;
    *answer_out = (DnsAnswer){.ttl = TTL_MOST};
    return FAIL(arena, FAULT_UPSTREAM_MESSAGE, "the response of the name server is malformed");
}

static void scale_weights(DnsAnswer *answer)
{
    uint32_t most = DNS_WEIGHT_MOST;
    for (uint32_t i = 0; i < answer->n; i++)
        most = answer->records[i].weight > most ? answer->records[i].weight : most;
    for (uint32_t i = 0; i < answer->n; i++) {
        uint32_t weight = answer->records[i].weight * DNS_WEIGHT_MOST / most;
        answer->records[i].weight = (uint16_t)(weight ? weight : 1);
    }
}

void dns_answer_prefer(DnsAnswer *answer)
{
    uint32_t lowest = UINT32_MAX, n = 0;
    for (uint32_t i = 0; i < answer->n; i++)
        lowest = answer->records[i].priority < lowest ? answer->records[i].priority : lowest;
    for (uint32_t i = 0; i < answer->n; i++)
        if (answer->records[i].priority == lowest)
            answer->records[n++] = answer->records[i];
    answer->n = n;
    scale_weights(answer);
}
