/*
 * A name server for tests, on the test's own loop: UDP on 127.0.0.1, answers by a script.
 *
 * A name that the script does not have does not exist (NXDOMAIN); a name that it has, without
 * addresses of the family that is asked for, has none.
 */
#ifndef TESTS_UNIT_GATEWAY_DNS_SERVER_H
#define TESTS_UNIT_GATEWAY_DNS_SERVER_H

#include "gateway/loop/loop.h"

typedef enum DnsMood { DNS_ANSWERS, DNS_IS_SILENT, DNS_FAILS /* SERVFAIL */ } DnsMood;

/* What is said of one family of a name. */
typedef struct DnsFamily {
    const char *addresses; /* "10.0.0.1 10.0.0.2"; NULL: none */
    DnsMood mood;
    int64_t delay; /* until the answer goes out */
} DnsFamily;

typedef struct DnsName {
    const char *name; /* NULL ends the script */
    DnsFamily v4, v6;
    uint32_t ttl; /* seconds */
} DnsName;

typedef struct DnsServer {
    uv_udp_t udp;
    Loop *loop;
    const DnsName *script;
    char address[32];   /* "127.0.0.1:port" */
    char asked[64][64]; /* the names, as they came: "a.test A" */
    int n_asked;
    bool closed;
} DnsServer;

void dns_server_open(DnsServer *server, Loop *loop, const DnsName *script);

/* `closed` follows. */
void dns_server_close(DnsServer *server);

/* How often the name was asked for: "a.test A", "a.test AAAA". */
int dns_server_asked(const DnsServer *server, const char *question);

#endif
