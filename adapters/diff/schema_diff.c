#include "adapters/diff/schema_diff_internal.h"

#include "adapters/text/json.h"

#include <stdarg.h>
#include <stdio.h>

void diff_add(Diffing *d, unsigned breaks, bool guess, const char *path, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    text_format(what, sizeof what, format, args);
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

void diff_add_extra(Diffing *d, ExtraPair extra)
{
    const char *names =
        arena_printf(d->arena, "%s %s", extra.ends[OLD]->full_name, extra.ends[NEW]->full_name);
    if (table_put(&d->extra_pairs, bytes_of(names), (void *)extra.ends[OLD]))
        return;
    if (d->n_extras == d->extras_capacity) {
        uint32_t capacity = d->extras_capacity ? d->extras_capacity * 2 : 16;
        d->extras = arena_grow(d->arena, d->extras, d->n_extras * sizeof *d->extras,
                               capacity * sizeof *d->extras);
        d->extras_capacity = capacity;
    }
    d->extras[d->n_extras++] = extra;
}

bool diff_in_package(const ChangeSide *side, const char *full_name)
{
    return side_name(side, full_name) != full_name;
}

bool diff_serves(const ChangeSide *side, const ServiceType *service)
{
    return strcmp(service->package, side->package) == 0;
}

bool diff_is_own(const Diffing *d, int end, const char *full_name)
{
    return diff_in_package(&d->sides[end], full_name) ||
           (table_get(&d->used[end], bytes_of(full_name)) &&
            !table_get(&d->used[!end], bytes_of(full_name)) &&
            !bytes_start_with(bytes_of(full_name), "google.protobuf."));
}

/* ---- What a version's package uses ----------------------------------------------------------- */

static bool add_new(Table *into, const char *full_name, const void *type)
{
    return !table_get(into, bytes_of(full_name)) &&
           !table_put(into, bytes_of(full_name), (void *)type);
}

void diff_add_with_all(Diffing *d, Table *into, const MessageType *message)
{
    List open = {0};
    if (add_new(into, message->full_name, message))
        list_add(d->arena, &open, message);
    while (open.n) {
        message = open.items[--open.n];
        for (uint32_t i = 0; i < message->n_fields; i++) {
            const FieldType *field = &message->fields[i];
            if (field->message && add_new(into, field->message->full_name, field->message))
                list_add(d->arena, &open, field->message);
            else if (field->enumeration)
                add_new(into, field->enumeration->full_name, field->enumeration);
        }
    }
}

static void add_used(Diffing *d, int end)
{
    const ChangeSide *side = &d->sides[end];
    for (uint32_t i = 0; i < side->schema->n_messages; i++)
        if (diff_in_package(side, side->schema->messages[i].full_name))
            diff_add_with_all(d, &d->used[end], &side->schema->messages[i]);
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        for (uint32_t k = 0; diff_serves(side, service) && k < service->n_methods; k++) {
            diff_add_with_all(d, &d->used[end], service->methods[k].input);
            diff_add_with_all(d, &d->used[end], service->methods[k].output);
        }
    }
}

const char *diff_guess(Diffing *d, int score, const char *why)
{
    return arena_printf(d->arena, score >= DIFF_SURE ? "  # guess: %s" : "  # decide: a guess, %s",
                        why);
}

static void count_fields(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        const Schema *schema = d->sides[end].schema;
        for (uint32_t i = 0; i < schema->n_messages; i++) {
            const MessageType *message = &schema->messages[i];
            for (uint32_t k = 0; k < message->n_fields; k++) {
                Bytes name = bytes_of(message->fields[k].name);
                uint32_t *n = table_get(&d->rarity, name);
                if (!n)
                    table_put(&d->rarity, name, n = arena_make(d->arena, uint32_t));
                ++*n;
            }
        }
    }
}

/* ---- What is to be matched again ------------------------------------------------------------- */

/* As deep as paths go. */
enum { ALL_LEVELS = MOST_STEPS + 1 };

static uint8_t *level_of(Diffing *d, int end, const MessageType *message)
{
    return &d->stale[end][message - d->sides[end].schema->messages];
}

/* `level`: so far up it goes on, with this one. */
static void change(Diffing *d, int end, const MessageType *message, uint8_t level)
{
    uint8_t *stale = level_of(d, end, message);
    if (*stale >= level)
        return;
    *stale = level;
    const List *users = lists_get(&d->users[end], message->full_name);
    for (uint32_t i = 0; level > 1 && i < users->n; i++)
        change(d, end, users->items[i], level - 1);
}

void diff_changed(Diffing *d, int end, const char *full_name)
{
    const MessageType *message = schema_message(d->sides[end].schema, bytes_of(full_name));
    if (message)
        change(d, end, message, ALL_LEVELS);
    const List *users = lists_get(&d->users[end], full_name);
    for (uint32_t i = 0; i < users->n; i++)
        change(d, end, users->items[i], ALL_LEVELS - 1);
}

void diff_rematched(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    const char *names[2] = {old->full_name, new_type->full_name};
    for (int end = 0; end < 2; end++) {
        const List *users = lists_get(&d->users[end], names[end]);
        for (uint32_t i = 0; i < users->n; i++)
            change(d, end, users->items[i], 1);
    }
}

bool diff_take_stale(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    uint8_t *levels[2] = {level_of(d, OLD, old), level_of(d, NEW, new_type)};
    bool stale = *levels[OLD] || *levels[NEW];
    *levels[OLD] = *levels[NEW] = 0;
    return stale;
}

static void make_all_stale(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        uint32_t n = d->sides[end].schema->n_messages;
        d->stale[end] = arena_array(d->arena, uint8_t, n + 1);
        memset(d->stale[end], ALL_LEVELS, n);
    }
}

/* ---- The diff -------------------------------------------------------------------------------- */

/* Methods tell about types, types about fields, and these about types again: most of it in the
   first rounds. A bound, because two schemas can be made so that each round tells about one. */
static void find_counterparts(Diffing *d)
{
    enum { MOST_ROUNDS = 64 };
    add_used(d, OLD);
    add_used(d, NEW);
    diff_same_types(d);
    bool more = true;
    for (int i = 0; more && i < MOST_ROUNDS; i++) {
        more = diff_pair_methods(d) || diff_alike_types(d, DIFF_SURE);
        if (more)
            continue;
        size_t types = d->partners[OLD].n;
        diff_all_matches(d);
        more = d->partners[OLD].n > types || diff_alike_types(d, DIFF_LIKELY) ||
               diff_types_in_place(d);
    }
    diff_all_matches(d);
}

static void add_section(Buffer *out, const char *name, const Buffer *section)
{
    if (!section->size)
        return;
    buffer_printf(out, "%s:\n", name);
    buffer_add_bytes(out, buffer_bytes(section));
}

static void make_tables(Diffing *d)
{
    Table *const pairs[] = {d->used,
                            d->partners,
                            d->methods,
                            d->reached,
                            d->claimed,
                            d->by_name,
                            d->by_words,
                            d->by_field,
                            d->users,
                            d->enums_by_name,
                            d->enums_by_words,
                            d->enums_by_value,
                            d->methods_by_name,
                            d->methods_by_word,
                            d->methods_by_type,
                            d->methods_by_noun,
                            d->methods_by_http,
                            d->methods_by_path,
                            d->services,
                            d->services_by_words,
                            d->service_partners,
                            d->free_methods};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        pairs[i][OLD] = pairs[i][NEW] = table_in(d->arena);
    Table *const tables[] = {&d->spoken,     &d->matches,     &d->words, &d->type_names,
                             &d->bare_names, &d->extra_pairs, &d->rarity};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        *tables[i] = table_in(d->arena);
}

void schema_diff(Arena *arena, const ChangeSide *from, const ChangeSide *to, SchemaDiff *diff_out)
{
    const ChangeSide sides[2] = {*from, *to};
    *diff_out = (SchemaDiff){.arena = arena};
    Diffing d = {.arena = arena,
                 .diff = diff_out,
                 .sides = sides,
                 .types = buffer_in(arena),
                 .messages = buffer_in(arena),
                 .enums = buffer_in(arena),
                 .method_lines = buffer_in(arena),
                 .unsure = buffer_in(arena)};
    make_tables(&d);
    make_all_stale(&d);
    count_fields(&d);
    diff_learn_words(&d);
    diff_index(&d);
    find_counterparts(&d);
    diff_types(&d);
    diff_method_types(&d);
    diff_messages(&d);
    diff_enums(&d);
    diff_methods(&d);

    diff_out->n_counterparts = (uint32_t)(d.partners[OLD].n + d.methods[OLD].n);

    Buffer list = buffer_in(arena);
    buffer_printf(
        &list,
        "# First change list from %s to %s. \"guess\" gives the evidence for a line. A line with\n"
        "# \"decide\" needs a decision: the list is refused until that comment is deleted.\n",
        from->package, to->package);
    if (strcmp(from->package, to->package) == 0)
        buffer_add_text(&list, "# Both versions have one package: their descriptor sets are "
                               "compared.\n");
    buffer_printf(&list, "from: %s\nto: %s\n", from->version, to->version);
    add_section(&list, "types", &d.types);
    add_section(&list, "messages", &d.messages);
    add_section(&list, "enums", &d.enums);
    add_section(&list, "methods", &d.method_lines);
    buffer_add_bytes(&list, buffer_bytes(&d.unsure));
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
    if (!diff->n_items)
        buffer_add_text(out, "no differences\n");
    else
        buffer_printf(out, "%u difference%s, %u of them breaking\n", diff->n_items,
                      diff->n_items == 1 ? "" : "s", breaking);
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
