#include "protocols/http/proxy_protocol.h"

enum {
    VERSION_2_HEAD = 16, /* signature, version and command, family, length (section 2.2) */
    VERSION_2_LOCAL = 0x20,
    VERSION_2_PROXY = 0x21,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    FAMILY_UNIX = 3,
    PORTS = 4, /* bytes of both */
};

static const uint8_t signature_2[12] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- Version 1: a line ----------------------------------------------------------------------- */

static bool is_port(Bytes text, uint16_t *port_out)
{
    uint64_t port;
    bool good = text.size <= 5 && bytes_to_u64(text, &port) && port <= UINT16_MAX &&
                (text.size == 1 || text.data[0] != '0');
    if (good)
        *port_out = (uint16_t)port;
    return good;
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 443": five words, one space between them. */
static ProxyOutcome read_line(Bytes line, ProxySource *source_out)
{
    Bytes words[5], word;
    size_t n = 0;
    IpAddress target;
    uint16_t target_port;
    if (bytes_are(line, "UNKNOWN") || bytes_start_with(line, "UNKNOWN "))
        return PROXY_DONE;
    while (bytes_split(&line, ' ', &word)) {
        if (n == 5)
            return PROXY_BAD;
        words[n++] = word;
    }
    bool is_ipv4 = n == 5 && bytes_are(words[0], "TCP4");
    if (n != 5 || (!is_ipv4 && !bytes_are(words[0], "TCP6")) ||
        (bytes_find(words[1], ':') == words[1].size) != is_ipv4)
        return PROXY_BAD;
    bool good = ip_read(words[1], &source_out->ip) && ip_read(words[2], &target) &&
                is_port(words[3], &source_out->port) && is_port(words[4], &target_port);
    return good ? PROXY_DONE : PROXY_BAD;
}

static ProxyOutcome read_version_1(ProxyReader *reader, Bytes *input, ProxySource *source_out)
{
    while (input->size && reader->n < sizeof reader->head) {
        uint8_t byte = input->data[0];
        *input = bytes_slice(*input, 1, SIZE_MAX);
        reader->head[reader->n++] = byte;
        if (byte == '\n') {
            Bytes line = bytes(reader->head, reader->n);
            return bytes_end_with(line, "\r\n")
                       ? read_line(
                             bytes_slice(line, strlen("PROXY "), line.size - strlen("PROXY \r\n")),
                             source_out)
                       : PROXY_BAD;
        }
    }
    return reader->n == sizeof reader->head ? PROXY_BAD : PROXY_MORE;
}

/* ---- Version 2: binary ----------------------------------------------------------------------- */

static uint16_t number_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Bytes of both addresses and ports; 0: another family, which is not read. */
static uint32_t addresses_size(uint8_t family)
{
    switch (family >> 4) {
    case FAMILY_INET: return 2 * 4 + PORTS;
    case FAMILY_INET6: return 2 * 16 + PORTS;
    default: return 0;
    }
}

static bool is_version_2_head(const uint8_t *head)
{
    uint8_t family = head[13] >> 4, transport = head[13] & 15;
    return (head[12] == VERSION_2_LOCAL || head[12] == VERSION_2_PROXY) && family <= FAMILY_UNIX &&
           transport <= 2 &&
           number_at(head + 14) >= (head[12] == VERSION_2_PROXY ? addresses_size(head[13]) : 0);
}

static void read_addresses(const uint8_t *head, ProxySource *source_out)
{
    const uint8_t *at = head + VERSION_2_HEAD;
    size_t size = head[13] >> 4 == FAMILY_INET ? 4 : 16;
    source_out->ip = ip_of_bytes(bytes(at, size));
    source_out->port = number_at(at + 2 * size);
}

/* Takes input until the head has `until` bytes. True when it has. */
static bool keep(ProxyReader *reader, Bytes *input, uint32_t until)
{
    size_t want = until - reader->n, size = input->size < want ? input->size : want;
    if (size)
        memcpy(reader->head + reader->n, input->data, size);
    reader->n = (uint8_t)(reader->n + size);
    *input = bytes_slice(*input, size, SIZE_MAX);
    return reader->n == until;
}

static ProxyOutcome read_version_2(ProxyReader *reader, Bytes *input, ProxySource *source_out)
{
    const uint8_t *head = reader->head;
    if (reader->n < VERSION_2_HEAD && !keep(reader, input, VERSION_2_HEAD))
        return PROXY_MORE;
    if (!is_version_2_head(head))
        return PROXY_BAD;
    uint32_t kept = VERSION_2_HEAD + (head[12] == VERSION_2_PROXY ? addresses_size(head[13]) : 0);
    if (reader->n < kept && !keep(reader, input, kept))
        return PROXY_MORE;
    uint32_t more = VERSION_2_HEAD + number_at(head + 14) - kept - reader->skipped;
    uint32_t skipped = input->size < more ? (uint32_t)input->size : more;
    reader->skipped += skipped;
    *input = bytes_slice(*input, skipped, SIZE_MAX);
    if (skipped < more)
        return PROXY_MORE;
    source_out->local = head[12] == VERSION_2_LOCAL;
    if (kept > VERSION_2_HEAD)
        read_addresses(head, source_out);
    return PROXY_DONE;
}

/* ---- Either ---------------------------------------------------------------------------------- */

/* Whether the bytes received so far may begin a header of this version. */
static bool may_be(const ProxyReader *reader, const void *begin, size_t size)
{
    return memcmp(reader->head, begin, reader->n < size ? reader->n : size) == 0;
}

ProxyOutcome proxy_reader_read(ProxyReader *reader, Bytes *input, ProxySource *source_out)
{
    const size_t word = strlen("PROXY ");
    *source_out = (ProxySource){.port = 0};
    for (;;) {
        if (reader->n >= word && reader->head[0] == 'P')
            return read_version_1(reader, input, source_out);
        if (reader->n >= sizeof signature_2)
            return read_version_2(reader, input, source_out);
        if (!input->size)
            return PROXY_MORE;
        keep(reader, input, reader->n + 1u);
        if (!may_be(reader, "PROXY ", word) && !may_be(reader, signature_2, sizeof signature_2))
            return PROXY_BAD;
    }
}
