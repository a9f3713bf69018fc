/* Streams of JSON as the body of a response: as lines, events or one array. */
#include "protocols/rest/rest.h"

/* The id of the last event of a stream, which a client sends when it reconnects. */
#define LAST_ID "end"

static Bytes last_event_id(const Call *call)
{
    return bytes_trim(fields_get(call->head, "last-event-id"));
}

RestBody rest_body_of(const Call *call)
{
    RestBody body = {.form = rest_stream_of(call)};
    if (body.form == REST_STREAM_EVENTS && !bytes_to_u64(last_event_id(call), &body.before))
        body.before = 0; /* not an id of ours */
    return body;
}

bool rest_body_is_over(const Call *call)
{
    return bytes_are(last_event_id(call), LAST_ID) && rest_stream_of(call) == REST_STREAM_EVENTS;
}

static void add_element(RestBody *body, Bytes json, Buffer *out)
{
    buffer_add_text(out, body->written++ ? "," : "[\n");
    buffer_add_bytes(out, json);
    buffer_add_byte(out, '\n');
}

static void add_event(const char *fields, Bytes json, Buffer *out)
{
    buffer_add_text(out, fields);
    buffer_add_text(out, "data: ");
    buffer_add_bytes(out, json);
    buffer_add_text(out, "\n\n");
}

static void add_line(Bytes json, Buffer *out)
{
    buffer_add_bytes(out, json);
    buffer_add_byte(out, '\n');
}

static void add_result(Bytes json, Buffer *out)
{
    buffer_add_text(out, "{\"result\":");
    buffer_add_bytes(out, json);
    buffer_add_text(out, "}\n");
}

void rest_body_add(RestBody *body, Bytes message, Buffer *out)
{
    switch (body->form) {
    case REST_STREAM_LINES: add_line(message, out); break;
    case REST_STREAM_RESULTS: add_result(message, out); break;
    case REST_STREAM_ARRAY: add_element(body, message, out); return;
    case REST_STREAM_EVENTS:
        buffer_printf(out, "id: %llu\n", (unsigned long long)body->before + body->written + 1);
        add_event("", message, out);
        break;
    }
    body->written++;
}

/* Nothing follows the bracket: Google's clients take it for another array. */
static void end_array(const RestBody *body, Buffer *out)
{
    buffer_add_text(out, body->written ? "]" : "[]");
}

void rest_body_end(const RestBody *body, Bytes end, Buffer *out)
{
    switch (body->form) {
    case REST_STREAM_LINES:
    case REST_STREAM_RESULTS: break;
    case REST_STREAM_ARRAY: end_array(body, out); break;
    case REST_STREAM_EVENTS: add_event("event: end\nid: " LAST_ID "\n", end, out); break;
    }
}

void rest_body_fail(RestBody *body, Bytes error, bool for_good, Buffer *out)
{
    switch (body->form) {
    case REST_STREAM_LINES:
    case REST_STREAM_RESULTS: add_line(error, out); break;
    case REST_STREAM_ARRAY:
        add_element(body, error, out);
        end_array(body, out);
        break;
    case REST_STREAM_EVENTS:
        add_event(for_good ? "event: error\nid: " LAST_ID "\n" : "event: error\n", error, out);
        break;
    }
}
