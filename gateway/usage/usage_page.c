#include "gateway/usage/usage_page.h"

#include "base/text/json_text.h"

static void add_calls(Buffer *out, uint64_t calls, int64_t last)
{
    json_text_add_number(out, "calls", calls);
    json_text_add_time(out, "last", last / SECOND, 0);
}

static void add_method(Buffer *out, const UsageOfMethod *method)
{
    json_text_open_item(out);
    json_text_add_member(out, "service", method->name.service);
    json_text_add_member(out, "version", method->name.version);
    json_text_add_member(out, "method", method->name.method);
    if (method->name.field.size)
        json_text_add_member(out, "field", method->name.field);
    add_calls(out, method->calls, method->last);
    json_text_add_number(out, "clients", method->clients);
    json_text_add_bool(out, "more_clients", method->shared);
    buffer_add_byte(out, '}');
}

static void add_client(Buffer *out, const UsageOfClient *client)
{
    json_text_open_item(out);
    json_text_add_member(out, "client", client->client);
    json_text_add_member(out, "service", client->service);
    json_text_add_member(out, "version", client->version);
    add_calls(out, client->calls, client->last);
    buffer_add_byte(out, '}');
}

void usage_page_write(const UsagePage *page, Buffer *out)
{
    const UsageFound *found = page->found;
    buffer_add_byte(out, '{');
    json_text_add_time(out, "as_of", page->wall / SECOND, 0);
    json_text_add_number(out, "kept_s", (uint64_t)(page->keep / SECOND));
    json_text_add_bool(out, "all_gateways", page->all_gateways);
    if (page->question->fields)
        json_text_add_bool(out, "fields_counted", page->fields_counted);
    json_text_open_list(out, "methods");
    for (uint32_t i = 0; i < found->n_methods; i++)
        add_method(out, &found->methods[i]);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "clients");
    for (uint32_t i = 0; i < found->n_clients; i++)
        add_client(out, &found->clients[i]);
    buffer_add_byte(out, ']');
    json_text_add_key(out, "retiring");
    retirements_write(page->retirements, page->wall, out);
    buffer_add_text(out, "}\n");
}
