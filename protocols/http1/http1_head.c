#include "protocols/http1/http1_head.h"

#include "base/arena.h"
#include "base/sixteen.h"
#include "protocols/http/http_rules.h"
#include "protocols/http/picohttpparser.h"

enum {
    BAD = -1,
    INCOMPLETE = -2,
    LONGEST_METHOD = 32,
    MOST_LISTS = 8,   /* Connection fields that name other fields */
    FEW_FIELDS = 160, /* up to so many, fields are parsed into an array on the stack */
};

static Http1Parse refuse(Http1Refusal *why, uint16_t status, const char *detail)
{
    *why = (Http1Refusal){http_refusal_fault(status), status, detail};
    return HTTP1_BAD;
}

/* Marks each LF of these sixteen bytes that no CR is before. */
static Sixteen bare_lf(const uint8_t *at)
{
    return (Sixteen)((sixteen_load(at) == '\n') & (sixteen_load(at - 1) != '\r'));
}

/* The parser accepts LF alone as the end of a line. (It refuses CR alone.) Sixteen bytes at once;
   the last ones may overlap those before. */
static bool has_bare_lf(Bytes head)
{
    Sixteen found = {0};
    size_t i = 1;
    if (head.size && head.data[0] == '\n')
        return true;
    if (head.size > sizeof found) {
        for (; i + sizeof found < head.size; i += sizeof found)
            found |= bare_lf(head.data + i);
        found |= bare_lf(head.data + head.size - sizeof found);
        return sixteen_any(found);
    }
    while (i < head.size && !(head.data[i] == '\n' && head.data[i - 1] != '\r'))
        i++;
    return i < head.size;
}

static size_t count_lines(Bytes head)
{
    size_t n = 0;
    const uint8_t *at = head.data, *end = head.data + head.size;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        n++;
        at++;
    }
    return n;
}

static Bytes first_line(Bytes input)
{
    if (bytes_start_with(input, "\r\n"))
        input = bytes_slice(input, 2, SIZE_MAX);
    return bytes_slice(input, 0, bytes_find(input, '\n'));
}

/* "... HTTP/2.0": well-formed, but a version that this engine does not support. */
static bool is_other_version(Bytes line)
{
    line = bytes_trim(line);
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size < 9)
        return false;
    const uint8_t *v = line.data + line.size - 9;
    return memcmp(v, " HTTP/", 6) == 0 && v[6] >= '0' && v[6] <= '9' && v[7] == '.' &&
           v[8] >= '0' && v[8] <= '9' && v[6] != '1';
}

/* Neither a version nor a known method: the client uses another protocol and could not read an HTTP
   response. */
static bool is_not_http(Bytes line)
{
    static const char *const methods[] = {"GET ",    "HEAD ",  "POST ",   "PUT ",
                                          "DELETE ", "PATCH ", "OPTIONS "};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (bytes_equal_nocase(bytes_slice(line, 0, strlen(methods[i])), bytes_of(methods[i])))
            return false;
    }
    return bytes_trim(line).size > 1 && !memmem(line.data, line.size, "HTTP", 4) &&
           !memmem(line.data, line.size, "http", 4);
}

/* Finds out why the parser refused the head, because it gives no reason. This is rare. */
static Http1Parse refuse_head(const HttpLimits *limits, Bytes input, Http1Refusal *why)
{
    Bytes line = first_line(input);
    bool whole_line = line.data + line.size < input.data + input.size;
    if (is_other_version(line))
        return refuse(why, 505, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are supported");
    if (count_lines(input) > (size_t)limits->head_fields + 2)
        return refuse(why, 431, "too many header fields (limits.head_fields)");
    if (whole_line && is_not_http(line))
        return refuse(why, 0, "this is not HTTP");
    return refuse(why, 400, "the head of the message is malformed");
}

/* An incomplete head that is too large already. */
static Http1Parse wait_for_more(const HttpLimits *limits, Bytes input, Http1Refusal *why)
{
    if (input.size > limits->head_bytes)
        return refuse(why, 431, "the head of the message is too large (limits.head_bytes)");
    return HTTP1_MORE;
}

/* Bit 5 set in each byte that is an upper-case letter. No byte carries into the next one. */
static uint64_t lower_eight(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), ascii = ~x & ones * 0x80;
    uint64_t low = x & ones * 0x7f;
    uint64_t upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ascii;
    return x | upper >> 2;
}

/* Eight bytes at a time, or four; the last ones may overlap those before. */
static void copy_lower(uint8_t *into, const char *name, size_t size)
{
    const uint8_t *from = (const uint8_t *)name;
    uint64_t eight;
    if (size >= sizeof eight) {
        for (size_t i = 0; i + sizeof eight < size; i += sizeof eight) {
            eight = lower_eight(bytes_word(from + i));
            memcpy(into + i, &eight, sizeof eight);
        }
        eight = lower_eight(bytes_word(from + size - sizeof eight));
        memcpy(into + size - sizeof eight, &eight, sizeof eight);
    } else if (size >= 4) {
        eight = lower_eight(bytes_half(from) | (uint64_t)bytes_half(from + size - 4) << 32);
        memcpy(into, &eight, 4);
        memcpy(into + size - 4, (uint8_t *)&eight + 4, 4);
    } else {
        for (size_t i = 0; i < size; i++)
            into[i] = ascii_lower(from[i]);
    }
}

/* Copies the parser's headers to `fields`, with lower-case names. */
static Http1Parse take_fields(Arena *arena, const HttpLimits *limits,
                              const struct phr_header *headers, size_t n, Fields *fields,
                              Http1Refusal *why)
{
    size_t names = 0, weight = 0;
    if (n > limits->head_fields)
        return refuse(why, 431, "too many header fields (limits.head_fields)");
    for (size_t i = 0; i < n; i++) {
        if (!headers[i].name)
            return refuse(why, 400, "a header field is folded over several lines");
        names += headers[i].name_len;
        weight += headers[i].name_len + headers[i].value_len + 32;
    }
    if (weight > limits->head_bytes)
        return refuse(why, 431, "the header fields are too large (limits.head_bytes)");

    uint8_t *name = arena_alloc(arena, names);
    fields->items = arena_alloc(arena, (n + 1) * sizeof(Field));
    if (!name || !fields->items)
        return refuse(why, 431, "the header fields are too large (limits.head_bytes)");
    fields->capacity = (uint32_t)n + 1;
    for (size_t i = 0; i < n; i++) {
        Bytes value = bytes_trim(bytes(headers[i].value, headers[i].value_len));
        copy_lower(name, headers[i].name, headers[i].name_len);
        Bytes lower = bytes(name, headers[i].name_len);
        if (!http_is_field_name(lower) || !http_is_field_value(value))
            return refuse(why, 400, "a header field has characters that are not allowed");
        fields->items[fields->n++] = (Field){lower, value};
        name += lower.size;
    }
    return HTTP1_PARSED;
}

/* The fields about framing and the connection, which are removed from the others. */
typedef struct Framing {
    Bytes coding, length, host, upgrade, expect;
    uint32_t codings, lengths, hosts, expects;
    bool close, keep_alive, upgrades, takes_trailers, too_many_lists;
} Framing;

static void note_connection(Framing *f, Bytes value)
{
    f->close |= http_list_has(value, "close");
    f->keep_alive |= http_list_has(value, "keep-alive");
    f->upgrades |= http_list_has(value, "upgrade");
}

/* True if the field is for this connection only, and is not passed on. */
static bool note_field(Framing *f, const Field *field)
{
    Bytes name = field->name, value = field->value;
    switch (name.size) {
    case 2:
        if (!bytes_are(name, "te"))
            return false;
        f->takes_trailers |= http_list_has(value, "trailers");
        return true;
    case 4:
        if (!bytes_are(name, "host"))
            return false;
        f->host = value;
        f->hosts++;
        return true;
    case 6:
        if (!bytes_are(name, "expect"))
            return false;
        f->expect = value;
        f->expects++;
        return true;
    case 7:
        if (!bytes_are(name, "upgrade"))
            return false;
        f->upgrade = value;
        return true;
    case 10:
        if (bytes_are(name, "connection")) {
            note_connection(f, value);
            return true;
        }
        return bytes_are(name, "keep-alive");
    case 14:
        if (!bytes_are(name, "content-length"))
            return false;
        f->length = value;
        f->lengths++;
        return true;
    case 16: return bytes_are(name, "proxy-connection");
    case 17:
        if (!bytes_are(name, "transfer-encoding"))
            return false;
        f->coding = value;
        f->codings++;
        return true;
    default: return false;
    }
}

/* Removes the fields that a Connection field names (RFC 9110 section 7.6.1). */
static void drop_named(Fields *fields, Bytes list)
{
    Bytes part;
    while (bytes_split(&list, ',', &part)) {
        part = bytes_trim(part);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < fields->n; i++) {
            if (!bytes_equal_nocase(fields->items[i].name, part))
                fields->items[kept++] = fields->items[i];
        }
        fields->n = kept;
    }
}

/* Whether a Connection field has a single known option, and so names no other field. */
static bool is_usual_connection(Bytes value)
{
    return bytes_are_nocase(value, "keep-alive") || bytes_are_nocase(value, "close") ||
           bytes_are_nocase(value, "upgrade");
}

static Framing sort_fields(Fields *fields)
{
    Framing f = {0};
    Bytes lists[MOST_LISTS];
    uint32_t kept = 0, n_lists = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        Field field = fields->items[i];
        if (!note_field(&f, &field))
            fields->items[kept++] = field;
        else if (!bytes_are(field.name, "connection") || is_usual_connection(field.value))
            continue;
        else if (n_lists < MOST_LISTS)
            lists[n_lists++] = field.value;
        else
            f.too_many_lists = true;
    }
    fields->n = kept;
    for (uint32_t i = 0; i < n_lists; i++)
        drop_named(fields, lists[i]);
    return f;
}

/* RFC 9112 sections 6.1 to 6.3, for requests, and for responses that may have a body. */
static Http1Parse find_framing(const Framing *f, Http1Head *head, Http1Refusal *why)
{
    head->http.content_length = -1;
    if (f->too_many_lists)
        return refuse(why, 400, "there are too many Connection fields");
    if (f->codings) {
        if (f->lengths)
            return refuse(why, 400, "Content-Length and Transfer-Encoding are both present");
        if (head->http.minor == 0)
            return refuse(why, 400, "Transfer-Encoding is not allowed in HTTP/1.0");
        if (f->codings > 1)
            return refuse(why, 400, "there are several Transfer-Encoding fields");
        if (!bytes_are_nocase(f->coding, "chunked"))
            return refuse(why, http_list_has(f->coding, "chunked") ? 400 : 501,
                          "the only supported transfer coding is chunked");
        head->framing = HTTP1_CHUNKED;
        return HTTP1_PARSED;
    }
    if (f->lengths) {
        uint64_t length;
        if (f->lengths > 1)
            return refuse(why, 400, "there are several Content-Length fields");
        if (!bytes_to_u64(f->length, &length) || length > INT64_MAX)
            return refuse(why, 400, "Content-Length is not a number");
        head->http.content_length = (int64_t)length;
        head->framing = length ? HTTP1_LENGTH : HTTP1_NO_BODY;
        return HTTP1_PARSED;
    }
    head->framing = HTTP1_NO_BODY;
    return HTTP1_PARSED;
}

/* Splits the absolute form "http://host/path" (RFC 9112 section 3.2.2) into authority and path. */
static bool split_absolute(Bytes *target, Bytes *authority)
{
    size_t skip = bytes_equal_nocase(bytes_slice(*target, 0, 7), bytes_of("http://"))    ? 7
                  : bytes_equal_nocase(bytes_slice(*target, 0, 8), bytes_of("https://")) ? 8
                                                                                         : 0;
    if (!skip)
        return false;
    Bytes rest = bytes_slice(*target, skip, SIZE_MAX);
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    *authority = bytes_slice(rest, 0, end);
    *target = bytes_slice(rest, end, SIZE_MAX);
    return true;
}

/* Checks method and target, which `http` has as received. Sets `authority` from a target in
   absolute form. */
static Http1Parse read_line(Arena *arena, const HttpLimits *limits, HttpHead *http,
                            Http1Refusal *why)
{
    Bytes target = http->path;
    if (!http_is_token(http->method))
        return refuse(why, 400, "the method is malformed");
    if (http->method.size > LONGEST_METHOD)
        return refuse(why, 501, "the method is too long");
    if (target.size > limits->path_bytes)
        return refuse(why, 414, "the request target is too long (limits.path_bytes)");
    if (bytes_are(http->method, "CONNECT"))
        return refuse(why, 501, "CONNECT is not supported");
    if (!bytes_start_with(target, "/") && split_absolute(&target, &http->authority)) {
        if (!http_is_authority(http->authority))
            return refuse(why, 400, "the authority of the request target is malformed");
        if (target.size == 0)
            target = bytes_are(http->method, "OPTIONS") ? bytes_of("*") : bytes_of("/");
        else if (target.data[0] == '?')
            target = bytes_of(arena_printf(arena, "/%.*s", BYTES_ARGS(target)));
    }
    if (!http_is_path(target) || (target.data[0] == '*' && !bytes_are(http->method, "OPTIONS")))
        return refuse(why, 400, "the request target is malformed");
    http->path = target;
    return HTTP1_PARSED;
}

/* The authority of a target in absolute form replaces Host (RFC 9112 section 3.2.2). */
static Http1Parse find_authority(const Framing *f, HttpHead *http, Http1Refusal *why)
{
    if (f->hosts > 1 || (f->hosts == 0 && http->minor))
        return refuse(why, 400, "there must be exactly one Host field");
    if (f->host.size && !http_is_authority(f->host))
        return refuse(why, 400, "the Host field is malformed");
    if (!http->authority.data)
        http->authority = f->host;
    return HTTP1_PARSED;
}

/* Checks the request line as soon as it is complete, so that a client with a wrong one gets its
   response before the head is complete. Later calls with the same line return at once. `seen` as
   for http1_parse_request. */
static Http1Parse check_line(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                             Http1Refusal *why)
{
    Bytes line = first_line(input);
    size_t end = line.size + (bytes_start_with(input, "\r\n") ? 2 : 0);
    if (end == input.size)
        return input.size > (size_t)limits->path_bytes + LONGEST_METHOD + 32 /* version, CRLF */
                   ? refuse(why, 414, "the request target is too long (limits.path_bytes)")
                   : HTTP1_MORE;
    if (end < seen)
        return HTTP1_MORE;

    Buffer text = buffer_in(arena);
    buffer_add_bytes(&text, line);
    buffer_add_text(&text, "\n\r\n");
    Bytes alone = buffer_bytes(&text);
    const char *method, *path;
    size_t method_size, path_size, n = 1;
    int minor;
    struct phr_header none[1];
    if (phr_parse_request((const char *)alone.data, alone.size, &method, &method_size, &path,
                          &path_size, &minor, none, &n, 0) != (int)alone.size)
        return refuse_head(limits, input, why);
    if (line.data[line.size - 1] != '\r')
        return refuse(why, 400, "a line ends with LF instead of CRLF");
    HttpHead http = {.method = bytes(method, method_size), .path = bytes(path, path_size)};
    Http1Parse parse = read_line(arena, limits, &http, why);
    return parse == HTTP1_PARSED ? HTTP1_MORE : parse;
}

/* Options of the connection: keep-alive, trailers, Expect, Upgrade. */
static Http1Parse find_options(const Framing *f, Http1Head *head, Http1Refusal *why)
{
    HttpHead *http = &head->http;
    head->keep_alive = http->minor ? !f->close : f->keep_alive && !f->close;
    head->takes_trailers = f->takes_trailers && http->minor;
    if (f->expects && http->minor) {
        if (f->expects > 1 || !bytes_are_nocase(f->expect, "100-continue"))
            return refuse(why, 417, "the only supported expectation is 100-continue");
        head->expects_continue = head->framing != HTTP1_NO_BODY;
    }
    /* Upgrade to h2c is not passed on: requests on such a tunnel would bypass the gateway. */
    http->upgrade = http->minor && f->upgrades && f->upgrade.size &&
                    !http_list_has(f->upgrade, "h2c") && head->framing == HTTP1_NO_BODY;
    if (http->upgrade)
        fields_add(&http->fields, bytes_of("upgrade"), f->upgrade);
    return HTTP1_PARSED;
}

Http1Parse http1_parse_request(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                               Http1Head *head_out, size_t *size_out, Http1Refusal *why_out)
{
    const char *method, *path;
    size_t method_size, path_size, n = (size_t)limits->head_fields + 1;
    int minor;
    struct phr_header few[FEW_FIELDS];
    struct phr_header *headers = n <= FEW_FIELDS ? few : arena_alloc(arena, n * sizeof *headers);
    if (!headers)
        return refuse(why_out, 431, "the head of the message is too large (limits.head_bytes)");

    int size = phr_parse_request((const char *)input.data, input.size, &method, &method_size, &path,
                                 &path_size, &minor, headers, &n, seen);
    if (size == INCOMPLETE) {
        Http1Parse line = check_line(arena, limits, input, seen, why_out);
        return line == HTTP1_MORE ? wait_for_more(limits, input, why_out) : line;
    }
    if (size == BAD)
        return refuse_head(limits, input, why_out);
    if (has_bare_lf(bytes_slice(input, 0, (size_t)size)))
        return refuse(why_out, 400, "a line ends with LF instead of CRLF");
    if ((size_t)size > limits->head_bytes)
        return refuse(why_out, 431, "the head of the message is too large (limits.head_bytes)");

    *size_out = (size_t)size;
    *head_out = (Http1Head){.http = {
                                .method = bytes(method, method_size),
                                .path = bytes(path, path_size),
                                .minor = minor > 0,
                                .fields = fields_in(arena),
                            }};
    Http1Parse parse = take_fields(arena, limits, headers, n, &head_out->http.fields, why_out);
    if (parse == HTTP1_PARSED)
        parse = read_line(arena, limits, &head_out->http, why_out);
    if (parse != HTTP1_PARSED)
        return parse;
    Framing framing = sort_fields(&head_out->http.fields);
    parse = find_framing(&framing, head_out, why_out);
    if (parse == HTTP1_PARSED)
        parse = find_authority(&framing, &head_out->http, why_out);
    if (parse == HTTP1_PARSED)
        parse = find_options(&framing, head_out, why_out);
    return parse;
}

/* RFC 9112 section 6.3, items 1, 2 and 8. */
static void frame_response(const Framing *f, bool to_head_request, Http1Head *head)
{
    unsigned status = head->http.status;
    if (status < 200 || status == 204 || status == 304 || to_head_request)
        head->framing = HTTP1_NO_BODY;
    else if (head->framing == HTTP1_NO_BODY && head->http.content_length < 0)
        head->framing = HTTP1_UNTIL_CLOSE;
    head->keep_alive = head->framing != HTTP1_UNTIL_CLOSE &&
                       (head->http.minor ? !f->close : f->keep_alive && !f->close);
    head->http.upgrade = status == 101;
    if (head->http.upgrade && f->upgrade.size)
        fields_add(&head->http.fields, bytes_of("upgrade"), f->upgrade);
}

/* The head of a frame with which HTTP/2 begins, or ends: SETTINGS or GOAWAY, of stream 0. */
static bool is_http2(Bytes input)
{
    static const uint8_t stream[4] = {0};
    return input.size >= 9 && input.data[0] == 0 && (input.data[3] == 4 || input.data[3] == 7) &&
           memcmp(input.data + 5, stream, sizeof stream) == 0;
}

Http1Parse http1_parse_response(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                                bool to_head_request, Http1Head *head_out, size_t *size_out,
                                Http1Refusal *why_out)
{
    const char *reason;
    size_t reason_size, n = (size_t)limits->head_fields + 1;
    int minor, status;
    struct phr_header few[FEW_FIELDS];
    struct phr_header *headers = n <= FEW_FIELDS ? few : arena_alloc(arena, n * sizeof *headers);
    if (!headers)
        return refuse(why_out, 431, "the head of the message is too large (limits.head_bytes)");

    int size = phr_parse_response((const char *)input.data, input.size, &minor, &status, &reason,
                                  &reason_size, headers, &n, seen);
    if (size == INCOMPLETE)
        return wait_for_more(limits, input, why_out);
    if (size == BAD && is_http2(input))
        return refuse(why_out, 0, "the instance answers in HTTP/2: is its protocol grpc?");
    if (size == BAD)
        return refuse_head(limits, input, why_out);
    if (has_bare_lf(bytes_slice(input, 0, (size_t)size)))
        return refuse(why_out, 400, "a line ends with LF instead of CRLF");
    if ((size_t)size > limits->head_bytes)
        return refuse(why_out, 431, "the head of the message is too large (limits.head_bytes)");
    if (status < 100 || status > 999)
        return refuse(why_out, 400, "the status code does not have three digits");

    *size_out = (size_t)size;
    *head_out = (Http1Head){.http = {
                                .status = (uint16_t)status,
                                .minor = minor > 0,
                                .fields = fields_in(arena),
                            }};
    Http1Parse parse = take_fields(arena, limits, headers, n, &head_out->http.fields, why_out);
    if (parse != HTTP1_PARSED)
        return parse;
    Framing framing = sort_fields(&head_out->http.fields);
    parse = find_framing(&framing, head_out, why_out);
    if (parse == HTTP1_PARSED)
        frame_response(&framing, to_head_request, head_out);
    return parse;
}

Http1Parse http1_parse_trailers(Arena *arena, const HttpLimits *limits, Bytes section,
                                Fields *fields_out, Http1Refusal *why_out)
{
    size_t n = (size_t)limits->head_fields + 1;
    *fields_out = fields_in(arena);
    if (section.size == 2)
        return HTTP1_PARSED;
    struct phr_header few[FEW_FIELDS];
    struct phr_header *headers = n <= FEW_FIELDS ? few : arena_alloc(arena, n * sizeof *headers);
    if (!headers)
        return refuse(why_out, 431, "the trailers are too large");
    int size = phr_parse_headers((const char *)section.data, section.size, headers, &n, 0);
    if (size < 0 || (size_t)size != section.size || has_bare_lf(section))
        return refuse(why_out, 400, "the trailers are malformed");

    Http1Parse parse = take_fields(arena, limits, headers, n, fields_out, why_out);
    if (parse != HTTP1_PARSED)
        return parse;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fields_out->n; i++) {
        if (!http_is_dropped_from_trailers(fields_out->items[i].name))
            fields_out->items[kept++] = fields_out->items[i];
    }
    fields_out->n = kept;
    return HTTP1_PARSED;
}
