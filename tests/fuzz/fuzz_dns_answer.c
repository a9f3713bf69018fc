/* Any bytes as the response of a name server: records within bounds, or a refusal. */
#include "gateway/discovery/dns_answer.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read(Bytes response, uint16_t type)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    DnsAnswer answer;
    Result r = dns_answer_read(arena, response, type, &answer);
    CHECK(!failed(r) || (r.error->fault == &FAULT_UPSTREAM_MESSAGE && answer.n == 0));
    for (uint32_t i = 0; i < answer.n; i++)
        CHECK(type == DNS_SRV ? answer.records[i].target[0] != '\0'
                              : answer.records[i].ip.known && !answer.records[i].target);
    uint32_t n = answer.n;
    dns_answer_prefer(&answer);
    CHECK(answer.n <= n && (answer.n > 0) == (n > 0));
    for (uint32_t i = 0; i < answer.n; i++)
        CHECK(answer.records[i].priority == answer.records[0].priority &&
              answer.records[i].weight >= 1 && answer.records[i].weight <= DNS_WEIGHT_MOST);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read(bytes(data, size), DNS_A);
    read(bytes(data, size), DNS_AAAA);
    read(bytes(data, size), DNS_SRV);
    return 0;
}
