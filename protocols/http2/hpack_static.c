#include "protocols/http2/hpack_static.h"

#include "protocols/http/http_rules.h"

#define ENTRY(name, value, token)                                                                  \
    {                                                                                              \
        name, value, sizeof name - 1, sizeof value - 1, HPACK_##token                              \
    }

const HpackStatic hpack_static[HPACK_STATIC + 1] = {
    {"", "", 0, 0, HPACK_OTHER}, /* there is no entry 0 */
    ENTRY(":authority", "", TOKEN_AUTHORITY),
    ENTRY(":method", "GET", TOKEN_METHOD),
    ENTRY(":method", "POST", TOKEN_METHOD),
    ENTRY(":path", "/", TOKEN_PATH),
    ENTRY(":path", "/index.html", TOKEN_PATH),
    ENTRY(":scheme", "http", TOKEN_SCHEME),
    ENTRY(":scheme", "https", TOKEN_SCHEME),
    ENTRY(":status", "200", TOKEN_STATUS),
    ENTRY(":status", "204", TOKEN_STATUS),
    ENTRY(":status", "206", TOKEN_STATUS),
    ENTRY(":status", "304", TOKEN_STATUS),
    ENTRY(":status", "400", TOKEN_STATUS),
    ENTRY(":status", "404", TOKEN_STATUS),
    ENTRY(":status", "500", TOKEN_STATUS),
    ENTRY("accept-charset", "", OTHER),
    ENTRY("accept-encoding", "gzip, deflate", OTHER),
    ENTRY("accept-language", "", OTHER),
    ENTRY("accept-ranges", "", OTHER),
    ENTRY("accept", "", OTHER),
    ENTRY("access-control-allow-origin", "", OTHER),
    ENTRY("age", "", OTHER),
    ENTRY("allow", "", OTHER),
    ENTRY("authorization", "", TOKEN_NO_TRAILER),
    ENTRY("cache-control", "", OTHER),
    ENTRY("content-disposition", "", OTHER),
    ENTRY("content-encoding", "", TOKEN_NO_TRAILER),
    ENTRY("content-language", "", OTHER),
    ENTRY("content-length", "", TOKEN_CONTENT_LENGTH),
    ENTRY("content-location", "", OTHER),
    ENTRY("content-range", "", TOKEN_NO_TRAILER),
    ENTRY("content-type", "", TOKEN_NO_TRAILER),
    ENTRY("cookie", "", TOKEN_COOKIE),
    ENTRY("date", "", OTHER),
    ENTRY("etag", "", OTHER),
    ENTRY("expect", "", TOKEN_EXPECT),
    ENTRY("expires", "", OTHER),
    ENTRY("from", "", OTHER),
    ENTRY("host", "", TOKEN_HOST),
    ENTRY("if-match", "", OTHER),
    ENTRY("if-modified-since", "", OTHER),
    ENTRY("if-none-match", "", OTHER),
    ENTRY("if-range", "", OTHER),
    ENTRY("if-unmodified-since", "", OTHER),
    ENTRY("last-modified", "", OTHER),
    ENTRY("link", "", OTHER),
    ENTRY("location", "", OTHER),
    ENTRY("max-forwards", "", TOKEN_NO_TRAILER),
    ENTRY("proxy-authenticate", "", OTHER),
    ENTRY("proxy-authorization", "", TOKEN_NO_TRAILER),
    ENTRY("range", "", TOKEN_NO_TRAILER),
    ENTRY("referer", "", OTHER),
    ENTRY("refresh", "", OTHER),
    ENTRY("retry-after", "", OTHER),
    ENTRY("server", "", OTHER),
    ENTRY("set-cookie", "", TOKEN_NO_TRAILER),
    ENTRY("strict-transport-security", "", OTHER),
    ENTRY("transfer-encoding", "", TOKEN_CONNECTION),
    ENTRY("user-agent", "", OTHER),
    ENTRY("vary", "", OTHER),
    ENTRY("via", "", OTHER),
    ENTRY("www-authenticate", "", OTHER),
};

enum { LONGEST = 27, MOST = 6 };

/* The first entries with names of each length; 0 ends them. */
static const uint8_t by_length[LONGEST + 1][MOST + 1] = {
    [3] = {21, 60},
    [4] = {33, 34, 37, 38, 45, 59},
    [5] = {4, 22, 50},
    [6] = {19, 32, 35, 54},
    [7] = {2, 6, 8, 36, 51, 52},
    [8] = {39, 42, 46},
    [10] = {1, 55, 58},
    [11] = {53},
    [12] = {31, 47},
    [13] = {18, 23, 24, 30, 41, 44},
    [14] = {15, 28},
    [15] = {16, 17},
    [16] = {26, 27, 29, 61},
    [17] = {40, 57},
    [18] = {48},
    [19] = {25, 43, 49},
    [25] = {56},
    [27] = {20},
};

uint32_t hpack_static_find(Bytes name)
{
    if (name.size > LONGEST)
        return 0;
    for (const uint8_t *at = by_length[name.size]; *at; at++) {
        if (bytes_are_at((const uint8_t *)hpack_static[*at].name, name))
            return *at;
    }
    return 0;
}

static HpackToken pseudo_token(Bytes name)
{
    for (uint32_t i = HPACK_AUTHORITY; i <= HPACK_STATUS; i++) {
        if (bytes_are(name, hpack_static[i].name))
            return (HpackToken)hpack_static[i].token;
    }
    return HPACK_TOKEN_PSEUDO;
}

HpackToken hpack_token(Bytes name)
{
    if (name.size && name.data[0] == ':')
        return pseudo_token(name);
    if (http_is_connection_field(name))
        return HPACK_TOKEN_CONNECTION;
    switch (name.size) {
    case 2:
        if (bytes_are(name, "te"))
            return HPACK_TOKEN_TE;
        break;
    case 4:
        if (bytes_are(name, "host"))
            return HPACK_TOKEN_HOST;
        break;
    case 6:
        if (bytes_are(name, "cookie"))
            return HPACK_TOKEN_COOKIE;
        if (bytes_are(name, "expect"))
            return HPACK_TOKEN_EXPECT;
        break;
    case 14:
        if (bytes_are(name, "content-length"))
            return HPACK_TOKEN_CONTENT_LENGTH;
        break;
    default: break;
    }
    return http_is_dropped_from_trailers(name) ? HPACK_TOKEN_NO_TRAILER : HPACK_OTHER;
}

uint8_t hpack_name_flaws(HpackToken token, Bytes name)
{
    bool good = (token >= HPACK_TOKEN_METHOD && token < HPACK_TOKEN_PSEUDO) ||
                (token != HPACK_TOKEN_PSEUDO && http_is_field_name(name));
    return good ? 0 : HPACK_BAD_NAME;
}

uint8_t hpack_value_flaws(Bytes value)
{
    if (http_is_field_value(value))
        return 0;
    return http_is_field_value(bytes_trim(value)) ? HPACK_BLANK_ENDS : HPACK_BAD_VALUE;
}
