#include "protocols/http/http_rules.h"

enum {
    TOKEN = 1, /* RFC 9110 section 5.6.2 */
    UPPER = 2,
    HOST = 4,  /* reg-name, IP-literal and port, without "@": RFC 3986 section 3.2 */
    PATH = 8,  /* visible ASCII without "#" */
    TEXT = 16, /* in a field value */
};

#define MARKS(c)                                                                                   \
    (((((c) >= '0' && (c) <= '9') || ((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') ||   \
       (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' ||        \
       (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' ||         \
       (c) == '`' || (c) == '|' || (c) == '~')                                                     \
          ? TOKEN                                                                                  \
          : 0) |                                                                                   \
     ((c) >= 'A' && (c) <= 'Z' ? UPPER : 0) |                                                      \
     ((((c) >= '0' && (c) <= '9') || ((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') ||   \
       (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || (c) == '%' || (c) == '!' ||         \
       (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || (c) == '*' ||        \
       (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=' || (c) == ':' || (c) == '[' ||         \
       (c) == ']')                                                                                 \
          ? HOST                                                                                   \
          : 0) |                                                                                   \
     ((c) > 0x20 && (c) < 0x7f && (c) != '#' ? PATH : 0) |                                         \
     (((c) >= 0x20 && (c) != 0x7f) || (c) == '\t' ? TEXT : 0))
#define MARKS_4(c) MARKS(c), MARKS((c) + 1), MARKS((c) + 2), MARKS((c) + 3)
#define MARKS_16(c) MARKS_4(c), MARKS_4((c) + 4), MARKS_4((c) + 8), MARKS_4((c) + 12)
#define MARKS_64(c) MARKS_16(c), MARKS_16((c) + 16), MARKS_16((c) + 32), MARKS_16((c) + 48)

static const uint8_t marks[256] = {MARKS_64(0), MARKS_64(64), MARKS_64(128), MARKS_64(192)};

static bool all_have(Bytes text, uint8_t mark)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!(marks[text.data[i]] & mark))
            return false;
    }
    return true;
}

bool http_is_token(Bytes text)
{
    return text.size && all_have(text, TOKEN);
}

/* ---- Sixteen bytes at once ------------------------------------------------------------------- */

/* Most names, values and paths consist of usual characters, which is checked sixteen bytes at a
   time. Each of these functions marks the other bytes; a text with such bytes is checked again,
   byte by byte. */
typedef int8_t Sixteen __attribute__((vector_size(16))); /* signed: above ASCII is negative */
typedef uint64_t Halves __attribute__((vector_size(16)));

/* All but "a" to "z", "0" to "9" and "-". */
static inline Sixteen unusual_in_name(Sixteen x)
{
    return ~(((x > 'a' - 1) & (x < 'z' + 1)) | ((x > '0' - 1) & (x < '9' + 1)) | (x == '-'));
}

/* All but visible ASCII and space. */
static inline Sixteen unusual_in_value(Sixteen x)
{
    return (x < ' ') | (x == 0x7f);
}

/* All but visible ASCII without "#". */
static inline Sixteen unusual_in_path(Sixteen x)
{
    return (x < '!') | (x == 0x7f) | (x == '#');
}

/* All bytes of a text of one to fifteen, some of them twice. What is missing is a letter, which is
   usual everywhere. */
static inline Sixteen load_few(Bytes text)
{
    const uint64_t letters = UINT64_C(0x6161616161000000);
    const uint8_t *at = text.data;
    size_t size = text.size;
    if (size >= 8)
        return (Sixteen)(Halves){bytes_word(at), bytes_word(at + size - 8)};
    uint64_t all =
        size >= 4 ? bytes_half(at) | (uint64_t)bytes_half(at + size - 4) << 32
                  : letters | (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1];
    return (Sixteen)(Halves){all, all};
}

static inline Sixteen load(const uint8_t *at)
{
    Sixteen x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* The unusual bytes of a text that is not empty. The last sixteen may overlap those before. */
static inline Sixteen unusual_of(Bytes text, Sixteen (*unusual)(Sixteen))
{
    Sixteen found;
    if (text.size < sizeof found)
        return unusual(load_few(text));
    found = unusual(load(text.data + text.size - sizeof found));
    for (size_t i = 0; i + sizeof found < text.size; i += sizeof found)
        found |= unusual(load(text.data + i));
    return found;
}

static inline bool are_none(Sixteen found)
{
    Halves halves = (Halves)found;
    return (halves[0] | halves[1]) == 0;
}

/* Whether there are bytes, and all are usual. */
static inline bool all_usual(Bytes text, Sixteen (*unusual)(Sixteen))
{
    return text.size && are_none(unusual_of(text, unusual));
}

/* ---- Names and values ------------------------------------------------------------------------ */

bool http_is_field_name(Bytes name)
{
    if (all_usual(name, unusual_in_name))
        return true;
    for (size_t i = 0; i < name.size; i++) {
        if ((marks[name.data[i]] & (TOKEN | UPPER)) != TOKEN)
            return false;
    }
    return name.size > 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

bool http_is_field_value(Bytes value)
{
    if (value.size == 0)
        return true;
    uint8_t first = value.data[0], last = value.data[value.size - 1];
    if (first > ' ' && last > ' ' && all_usual(value, unusual_in_value))
        return true;
    return !is_blank(first) && !is_blank(last) && all_have(value, TEXT);
}

static bool is_port(Bytes port)
{
    uint64_t number;
    return port.size == 0 || (port.size <= 5 && bytes_to_u64(port, &number) && number <= 65535);
}

bool http_is_authority(Bytes authority)
{
    if (authority.size == 0 || !all_have(authority, HOST))
        return false;
    size_t end; /* of the host */
    if (authority.data[0] == '[') {
        end = bytes_find(authority, ']');
        if (end == authority.size)
            return false;
        end++;
    } else {
        end = bytes_find(authority, ':');
        if (end == 0 || bytes_find(authority, '[') != authority.size)
            return false;
    }
    if (end == authority.size)
        return true;
    return authority.data[end] == ':' && is_port(bytes_slice(authority, end + 1, SIZE_MAX));
}

bool http_is_path(Bytes path)
{
    if (path.size == 0 || !(all_usual(path, unusual_in_path) || all_have(path, PATH)))
        return false;
    return path.data[0] == '/' || bytes_are(path, "*");
}

bool http_is_connection_field(Bytes name)
{
    switch (name.size) {
    case 7: return bytes_are(name, "upgrade");
    case 10: return bytes_are(name, "connection") || bytes_are(name, "keep-alive");
    case 16: return bytes_are(name, "proxy-connection");
    case 17: return bytes_are(name, "transfer-encoding");
    default: return false;
    }
}

bool http_is_barred_from_trailers(Bytes name)
{
    if (http_is_connection_field(name))
        return true;
    switch (name.size) {
    case 2: return bytes_are(name, "te");
    case 4: return bytes_are(name, "host");
    case 5: return bytes_are(name, "range");
    case 6: return bytes_are(name, "cookie") || bytes_are(name, "expect");
    case 7: return bytes_are(name, "trailer");
    case 10: return bytes_are(name, "set-cookie");
    case 12: return bytes_are(name, "content-type") || bytes_are(name, "max-forwards");
    case 13:
        return bytes_are(name, "authorization") || bytes_are(name, "cache-control") ||
               bytes_are(name, "content-range");
    case 14: return bytes_are(name, "content-length");
    case 16: return bytes_are(name, "content-encoding");
    case 19: return bytes_are(name, "proxy-authorization");
    default: return false;
    }
}

bool http_is_dropped_from_trailers(Bytes name)
{
    return http_is_barred_from_trailers(name) &&
           !(name.size == 13 && bytes_are(name, "cache-control"));
}

/* Of name and value at once: nearly all fields are so. */
static bool is_usual(const Field *field)
{
    Bytes name = field->name, value = field->value;
    return name.size && value.size && value.data[0] > ' ' && value.data[value.size - 1] > ' ' &&
           are_none(unusual_of(name, unusual_in_name) | unusual_of(value, unusual_in_value));
}

bool http_may_go_out(const Field *field)
{
    return (is_usual(field) ||
            (http_is_field_name(field->name) && http_is_field_value(field->value))) &&
           !http_is_connection_field(field->name) &&
           !(field->name.size == 14 && bytes_are(field->name, "content-length"));
}

bool http_list_has(Bytes list, const char *member)
{
    Bytes part;
    while (bytes_split(&list, ',', &part)) {
        if (bytes_are_nocase(bytes_trim(part), member))
            return true;
    }
    return false;
}

bool http_is_idempotent(Bytes method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (bytes_are(method, methods[i]))
            return true;
    }
    return false;
}
