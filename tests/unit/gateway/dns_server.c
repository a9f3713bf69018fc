#include "tests/unit/gateway/dns_server.h"

#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 12, TYPE_A = 1, TYPE_AAAA = 28, SERVFAIL = 2, NXDOMAIN = 3 };

/* An answer that waits for its time. */
typedef struct Late {
    Timer timer;
    DnsServer *server;
    struct sockaddr_in to;
    uint8_t answer[512];
    size_t size;
} Late;

static void send_answer(DnsServer *server, const struct sockaddr_in *to, uint8_t *answer,
                        size_t size)
{
    uv_buf_t buffer = uv_buf_init((char *)answer, (unsigned)size);
    uv_udp_try_send(&server->udp, &buffer, 1, (const struct sockaddr *)to);
}

static void on_late(Timer *timer)
{
    Late *late = (Late *)timer;
    if (!late->server->closed)
        send_answer(late->server, &late->to, late->answer, late->size);
    free(late);
}

/* "a.test" of its labels; gives the offset behind it. */
static size_t read_name(const uint8_t *query, size_t at, char *name)
{
    size_t size = 0;
    for (; query[at]; at += query[at] + 1u) {
        memcpy(name + size, query + at + 1, query[at]);
        size += query[at];
        name[size++] = '.';
    }
    name[size ? size - 1 : 0] = '\0';
    return at + 1;
}

static const DnsName *find(const DnsServer *server, const char *name)
{
    const DnsName *found = server->script;
    while (found->name && strcasecmp(found->name, name) != 0)
        found++;
    return found->name ? found : NULL;
}

/* The answer's records behind the question, which is there; gives its size. */
static size_t add_records(uint8_t *answer, size_t size, const DnsName *name,
                          const DnsFamily *family, int type)
{
    char list[256];
    snprintf(list, sizeof(list), "%s", family->addresses ? family->addresses : "");
    for (char *rest, *one = strtok_r(list, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
        size_t length = type == TYPE_A ? 4 : 16;
        uint8_t record[] = {0xc0,
                            HEAD,
                            0,
                            (uint8_t)type,
                            0,
                            1,
                            0,
                            0,
                            (uint8_t)(name->ttl >> 8),
                            (uint8_t)name->ttl,
                            0,
                            (uint8_t)length};
        memcpy(answer + size, record, sizeof(record));
        size += sizeof(record);
        assert_int_equal(inet_pton(type == TYPE_A ? AF_INET : AF_INET6, one, answer + size), 1);
        size += length;
        answer[7]++;
    }
    return size;
}

static void on_query(uv_udp_t *udp, ssize_t size, const uv_buf_t *buffer,
                     const struct sockaddr *from, unsigned flags)
{
    DnsServer *server = udp->data;
    char text[256];
    (void)flags;
    loop_enter(server->loop);
    if (size < HEAD + 5 || !from)
        return;
    const uint8_t *query = (const uint8_t *)buffer->base;
    size_t end = read_name(query, HEAD, text) + 4;
    int type = query[end - 3];
    assert_true(server->n_asked < 64);
    snprintf(server->asked[server->n_asked++], 64, "%.50s %s", text, type == TYPE_A ? "A" : "AAAA");

    static const DnsFamily nothing;
    const DnsName *name = find(server, text);
    const DnsFamily *family = !name ? &nothing : type == TYPE_A ? &name->v4 : &name->v6;
    if (family->mood == DNS_IS_SILENT)
        return;
    Late *late = calloc(1, sizeof(*late));
    memcpy(late->answer, query, end);
    late->answer[2] = 0x84; /* an answer, with authority */
    late->answer[3] = !name ? NXDOMAIN : family->mood == DNS_FAILS ? SERVFAIL : 0;
    memset(late->answer + 6, 0, 6);
    late->size = late->answer[3] ? end : add_records(late->answer, end, name, family, type);
    late->server = server;
    late->to = *(const struct sockaddr_in *)from;
    late->timer.fire = on_late;
    if (family->delay)
        timer_start(&server->loop->timers, &late->timer, server->loop->now + family->delay);
    else
        on_late(&late->timer);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char room[2048];
    *buffer = uv_buf_init(room, sizeof(room));
}

void dns_server_open(DnsServer *server, Loop *loop, const DnsName *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof(address);
    *server = (DnsServer){.loop = loop, .script = script};
    assert_int_equal(uv_udp_init(&loop->uv, &server->udp), 0);
    server->udp.data = server;
    assert_int_equal(uv_udp_bind(&server->udp, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_udp_getsockname(&server->udp, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(uv_udp_recv_start(&server->udp, give_buffer, on_query), 0);
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(address.sin_port));
}

static void on_closed(uv_handle_t *handle)
{
    ((DnsServer *)handle->data)->closed = true;
}

void dns_server_close(DnsServer *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->udp))
        uv_close((uv_handle_t *)&server->udp, on_closed);
}

int dns_server_asked(const DnsServer *server, const char *question)
{
    int n = 0;
    for (int i = 0; i < server->n_asked; i++)
        n += strcmp(server->asked[i], question) == 0;
    return n;
}
