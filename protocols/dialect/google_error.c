#include "protocols/dialect/google_error.h"

#include "base/text/json_text.h"

static void begin(unsigned code, const Reply *reply, Buffer *out)
{
    buffer_printf(out, "{\"error\":{\"code\":%u", code);
    json_text_add_member(out, "message", reply->message);
}

static void end(const Reply *reply, Buffer *out)
{
    json_text_add_key(out, "details");
    reply_add_details_json(reply, out);
    buffer_add_text(out, "}}");
}

void google_error_add(const Reply *reply, uint16_t http_status, Buffer *out)
{
    begin(http_status, reply, out);
    json_text_add_member(out, "status", bytes_of(code_name(reply->status->code)));
    end(reply, out);
}

void google_error_add_of_gateway(const Reply *reply, Buffer *out)
{
    uint32_t own = reply->status->service_code;
    begin(own ? own : (unsigned)reply->status->code, reply, out);
    end(reply, out);
}
