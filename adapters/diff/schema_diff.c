#include "adapters/diff/schema_diff_internal.h"

#include "adapters/text/json.h"

#include <stdarg.h>
#include <stdio.h>

void diff_add(Diffing *d, unsigned breaks, bool guess, const char *path, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    SchemaDiff *diff = d->diff;
    if (diff->n_items == diff->capacity) {
        uint32_t capacity = diff->capacity ? diff->capacity * 2 : 64;
        diff->items = arena_grow(d->arena, diff->items, diff->n_items * sizeof *diff->items,
                                 capacity * sizeof *diff->items);
        diff->capacity = capacity;
    }
    diff->items[diff->n_items++] =
        (Difference){arena_string(d->arena, path), arena_string(d->arena, what), breaks, guess};
}

bool diff_in_package(const ChangeSide *side, const char *full_name)
{
    return side_name(side, full_name) != full_name;
}

/* The share of two-letter pairs that both names have (Dice's coefficient). */
int diff_likeness(const char *a, const char *b)
{
    size_t m = strlen(a), n = strlen(b), both = 0;
    if (strcmp(a, b) == 0)
        return 100;
    if (m < 2 || n < 2)
        return 0;
    bool taken[256] = {false};
    for (size_t i = 0; i + 1 < m; i++) {
        for (size_t k = 0; k + 1 < n && k < sizeof taken; k++) {
            if (!taken[k] && (a[i] | 32) == (b[k] | 32) && (a[i + 1] | 32) == (b[k + 1] | 32)) {
                taken[k] = true;
                both++;
                break;
            }
        }
    }
    return (int)(200 * both / (m + n - 2));
}

static void add_section(Buffer *out, const char *name, const Buffer *section)
{
    if (!section->size)
        return;
    buffer_printf(out, "%s:\n", name);
    buffer_add_bytes(out, buffer_bytes(section));
}

void schema_diff(Arena *arena, const ChangeSide *from, const ChangeSide *to, SchemaDiff *diff_out)
{
    const ChangeSide sides[2] = {*from, *to};
    *diff_out = (SchemaDiff){.arena = arena};
    Diffing d = {.arena = arena,
                 .diff = diff_out,
                 .sides = sides,
                 .partners = {table_in(arena), table_in(arena)},
                 .types = buffer_in(arena),
                 .messages = buffer_in(arena),
                 .enums = buffer_in(arena),
                 .methods = buffer_in(arena)};
    diff_partners(&d);
    diff_messages(&d);
    diff_enums(&d);
    diff_methods(&d);

    Buffer list = buffer_in(arena);
    buffer_printf(&list, "# What became of %s in %s. Lines marked \"guess\" are to be looked at.\n",
                  from->package, to->package);
    buffer_printf(&list, "from: %s\nto: %s\n", from->version, to->version);
    add_section(&list, "types", &d.types);
    add_section(&list, "messages", &d.messages);
    add_section(&list, "enums", &d.enums);
    add_section(&list, "methods", &d.methods);
    diff_out->change_list = buffer_bytes(&list);
}

static void add_breaks(unsigned breaks, Buffer *out)
{
    buffer_add_text(out, breaks & BREAKS_WIRE ? "wire " : "     ");
    buffer_add_text(out, breaks & BREAKS_JSON ? "json " : "     ");
    buffer_add_text(out, breaks & BREAKS_SOURCE ? "source" : "      ");
}

void schema_diff_text(const SchemaDiff *diff, Buffer *out)
{
    uint32_t breaking = 0;
    for (uint32_t i = 0; i < diff->n_items; i++) {
        const Difference *item = &diff->items[i];
        add_breaks(item->breaks, out);
        buffer_printf(out, "  %s: %s%s\n", item->path, item->what, item->guess ? " (guess)" : "");
        breaking += item->breaks != 0;
    }
    buffer_printf(out, "%u differences, %u of them breaking\n", diff->n_items, breaking);
}

void schema_diff_json(const SchemaDiff *diff, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < diff->n_items; i++) {
        const Difference *item = &diff->items[i];
        buffer_add_text(out, i ? ",{\"path\":" : "{\"path\":");
        json_write_string(out, bytes_of(item->path));
        buffer_add_text(out, ",\"what\":");
        json_write_string(out, bytes_of(item->what));
        buffer_printf(out, ",\"wire\":%s,\"json\":%s,\"source\":%s,\"guess\":%s}",
                      item->breaks & BREAKS_WIRE ? "true" : "false",
                      item->breaks & BREAKS_JSON ? "true" : "false",
                      item->breaks & BREAKS_SOURCE ? "true" : "false",
                      item->guess ? "true" : "false");
    }
    buffer_add_byte(out, ']');
}
