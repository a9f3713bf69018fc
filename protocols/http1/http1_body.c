#include "protocols/http1/http1_body.h"

#include "base/arena.h"

enum {
    MOST_DIGITS = 15,       /* of a chunk size, which stays below 2^60 */
    MOST_EXTENSIONS = 4096, /* bytes of chunk extensions in one body: no known client uses them */
};

void http1_body_begin(Http1Body *body, Arena *arena, const HttpLimits *limits, Http1Framing framing,
                      int64_t length)
{
    *body = (Http1Body){
        .framing = framing,
        .state = framing == HTTP1_CHUNKED   ? HTTP1_BODY_SIZE
                 : framing == HTTP1_NO_BODY ? HTTP1_BODY_DONE
                                            : HTTP1_BODY_DATA,
        .left = framing == HTTP1_LENGTH ? (uint64_t)length : UINT64_MAX,
        .arena = arena,
        .trailers_most = limits->head_bytes,
    };
}

static Http1BodyStep bad(Http1Refusal *why, const char *detail)
{
    *why = (Http1Refusal){&FAULT_PROTOCOL_VIOLATION, 400, detail};
    return HTTP1_STEP_BAD;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_ends(Http1Body *body, uint8_t c)
{
    if (body->digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
        return false;
    body->state = c == '\r' ? HTTP1_BODY_SIZE_LF : HTTP1_BODY_EXTENSION;
    return true;
}

/* One byte outside of the chunk data. False: it is not allowed there. */
static bool step_byte(Http1Body *body, uint8_t c)
{
    int digit;
    switch ((Http1BodyState)body->state) {
    case HTTP1_BODY_SIZE:
        digit = hex_value(c);
        if (digit < 0)
            return size_ends(body, c);
        if (body->digits++ == 0)
            body->left = 0;
        body->left = body->left * 16 + (uint64_t)digit;
        return body->digits <= MOST_DIGITS;
    case HTTP1_BODY_EXTENSION:
        if (c == '\r')
            body->state = HTTP1_BODY_SIZE_LF;
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
        return ++body->extensions <= MOST_EXTENSIONS;
    case HTTP1_BODY_SIZE_LF:
        body->digits = 0;
        body->state = body->left ? HTTP1_BODY_DATA : HTTP1_BODY_TRAILERS;
        return c == '\n';
    case HTTP1_BODY_DATA_CR: body->state = HTTP1_BODY_DATA_LF; return c == '\r';
    case HTTP1_BODY_DATA_LF: body->state = HTTP1_BODY_SIZE; return c == '\n';
    case HTTP1_BODY_DATA:
    case HTTP1_BODY_TRAILERS:
    case HTTP1_BODY_DONE: break;
    }
    return false;
}

/* The section ends with an empty line, and may have no other. Lines that end with LF alone are
   accepted here and refused when the section is parsed. */
static bool trailers_end(const Buffer *trailers)
{
    Bytes section = buffer_bytes(trailers);
    return bytes_are(section, "\r\n") || bytes_are(section, "\n") ||
           bytes_end_with(section, "\n\r\n") || bytes_end_with(section, "\n\n");
}

static Http1BodyStep step_trailers(Http1Body *body, Bytes *input, Http1Refusal *why)
{
    if (!body->trailers && !(body->trailers = arena_make(body->arena, Buffer)))
        return bad(why, "the trailers are too large (limits.head_bytes)");
    Buffer *trailers = body->trailers;
    trailers->arena = body->arena;
    while (input->size) {
        size_t line = bytes_find(*input, '\n');
        Bytes piece = bytes_slice(*input, 0, line + 1);
        if (trailers->size + piece.size > body->trailers_most) {
            *why = (Http1Refusal){&FAULT_HEAD_TOO_LARGE, 431,
                                  "the trailers are too large (limits.head_bytes)"};
            return HTTP1_STEP_BAD;
        }
        buffer_add_bytes(trailers, piece);
        if (trailers->full)
            return bad(why, "the trailers are too large (limits.head_bytes)");
        *input = bytes_slice(*input, piece.size, SIZE_MAX);
        if (trailers_end(trailers)) {
            body->state = HTTP1_BODY_DONE;
            return HTTP1_STEP_END;
        }
    }
    return HTTP1_STEP_MORE;
}

static Bytes take_piece(Http1Body *body, Bytes *input)
{
    Bytes piece = bytes_slice(*input, 0, body->left < input->size ? body->left : input->size);
    *input = bytes_slice(*input, piece.size, SIZE_MAX);
    if (body->framing == HTTP1_UNTIL_CLOSE)
        return piece;
    body->left -= piece.size;
    if (body->left == 0)
        body->state = body->framing == HTTP1_CHUNKED ? HTTP1_BODY_DATA_CR : HTTP1_BODY_DONE;
    return piece;
}

Http1BodyStep http1_body_next(Http1Body *body, Bytes *input, Bytes *piece_out,
                              Http1Refusal *why_out)
{
    if (body->state == HTTP1_BODY_DONE)
        return HTTP1_STEP_END;
    while (input->size) {
        if (body->state == HTTP1_BODY_DATA) {
            *piece_out = take_piece(body, input);
            return HTTP1_STEP_PIECE;
        }
        if (body->state == HTTP1_BODY_TRAILERS)
            return step_trailers(body, input, why_out);
        if (!step_byte(body, input->data[0]))
            return bad(why_out, "the chunks of the body are malformed");
        *input = bytes_slice(*input, 1, SIZE_MAX);
    }
    return HTTP1_STEP_MORE;
}
