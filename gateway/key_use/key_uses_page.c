#include "gateway/key_use/key_uses_page.h"

#include "base/clock.h"
#include "base/text/json_text.h"

int64_t key_row_idle_since(const KeyRow *row)
{
    return row->last > row->since ? row->last : row->since;
}

static void add_use(Buffer *out, int64_t last, uint64_t calls)
{
    if (last)
        json_text_add_time(out, "last", last / SECOND, 0);
    json_text_add_number(out, "calls", calls);
}

static void add_node(Buffer *out, const KeyNode *node)
{
    json_text_open_item(out);
    json_text_add_member(out, "node", node->node);
    add_use(out, node->last, node->calls);
    buffer_add_byte(out, '}');
}

static void add_row(Buffer *out, const KeyRow *row, const KeyNode *nodes, uint32_t n,
                    bool is_unused)
{
    json_text_open_item(out);
    json_text_add_member(out, "key", bytes_of(row->name));
    if (*row->id)
        json_text_add_member(out, "id", bytes_of(row->id));
    json_text_add_time(out, "since", row->since / SECOND, 0);
    add_use(out, row->last, row->calls);
    json_text_add_bool(out, "unused", is_unused);
    json_text_open_list(out, "gateways");
    for (uint32_t i = 0; i < n; i++)
        if (nodes[i].calls)
            add_node(out, &nodes[i]);
    buffer_add_text(out, "]}");
}

void key_uses_page_write(const KeyRow *rows, uint32_t n, const KeyNode *nodes, uint32_t n_nodes,
                         int64_t unused, int64_t wall, Buffer *out)
{
    uint32_t first = 0, end;
    buffer_add_byte(out, '{');
    json_text_open_list(out, "keys");
    for (uint32_t i = 0; i < n; i++) {
        Bytes name = bytes_of(rows[i].name);
        while (first < n_nodes && bytes_compare(nodes[first].key, name) < 0)
            first++;
        for (end = first; end < n_nodes && bytes_equal(nodes[end].key, name);)
            end++;
        add_row(out, &rows[i], n_nodes ? nodes + first : NULL, end - first,
                wall - key_row_idle_since(&rows[i]) >= unused);
    }
    buffer_add_byte(out, ']');
    json_text_add_time(out, "as_of", wall / SECOND, 0);
    buffer_add_byte(out, '}');
}
