#include "gateway/log_output/journal_entry.h"

/* Names of the journal's fields have capitals, digits and underscores, at most 64. */
enum { NAME_MOST = 64 - (sizeof "PASSERELLE_" - 1) };

static void add_field(Buffer *out, const char *prefix, Bytes name, Bytes value)
{
    buffer_add_text(out, prefix);
    for (size_t i = 0; i < name.size && i < NAME_MOST; i++) {
        uint8_t lower = ascii_lower(name.data[i]);
        bool is_letter = lower >= 'a' && lower <= 'z', is_digit = lower >= '0' && lower <= '9';
        buffer_add_byte(out, is_letter ? lower & ~0x20 : is_digit ? lower : '_');
    }
    if (bytes_find(value, '\n') == value.size) {
        buffer_add_byte(out, '=');
    } else {
        buffer_add_byte(out, '\n');
        for (int byte = 0; byte < 8; byte++)
            buffer_add_byte(out, (uint8_t)((uint64_t)value.size >> 8 * byte));
    }
    buffer_add_bytes(out, value);
    buffer_add_byte(out, '\n');
}

void journal_entry_write(const LogView *view, Bytes message, Buffer *out)
{
    uint8_t priority = (uint8_t)('0' + log_view_severity(view));
    add_field(out, "MESSAGE", BYTES_NONE, message);
    add_field(out, "PRIORITY", BYTES_NONE, bytes(&priority, 1));
    add_field(out, "SYSLOG_IDENTIFIER", BYTES_NONE, bytes_of("passerelle"));
    for (uint32_t i = 0; i < view->n; i++)
        add_field(out, "PASSERELLE_", view->members[i].name,
                  log_value_text(view->members[i].value, view->arena));
}
