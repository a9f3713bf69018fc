/*
 * DnsAnswer: the addresses, or the SRV records, in a response of a name server.
 *
 * Pure: bytes in, records out. c-ares has the functions to read such responses, but those for SRV
 * records (1.18) leave out how long they are valid.
 */
#ifndef GATEWAY_DNS_ANSWER_H
#define GATEWAY_DNS_ANSWER_H

#include "base/net/ip.h"
#include "base/result.h"

enum { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 }; /* types of records */

typedef struct DnsRecord {
    IpAddress ip;       /* of A and AAAA */
    const char *target; /* of SRV: a host name, in the arena; may have any characters */
    uint16_t priority, weight, port;
} DnsRecord;

typedef struct DnsAnswer {
    DnsRecord *records; /* in their order */
    uint32_t n;
    uint32_t ttl; /* seconds: the least, of these and of the aliases that led to them */
} DnsAnswer;

/* Reads the records of one type; `response` may be empty: there are none. An SRV record whose
   target is "." says that there is no such service, and is left out. All lives in the arena, which
   has no limit. Fault: UPSTREAM_MESSAGE. */
MUST_USE Result dns_answer_read(Arena *arena, Bytes response, uint16_t type, DnsAnswer *answer_out);

/* Of SRV records, only those with the lowest priority: the others stand in for them. Their weights
   become those of instances, DNS_WEIGHT_MOST at most; 0 becomes 1. */
enum { DNS_WEIGHT_MOST = 1000 };
void dns_answer_prefer(DnsAnswer *answer);

#endif
