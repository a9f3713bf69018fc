/* Messages, enums and methods: which are the same, also under another name, and what became of the
   rest. */
#include "adapters/diff/schema_diff_internal.h"

enum { LIKELY = 60 };

const MessageType *diff_partner(const Diffing *d, int end, const MessageType *message)
{
    const MessageType *said = table_get(&d->partners[end], bytes_of(message->full_name));
    if (said || diff_in_package(&d->sides[end], message->full_name))
        return said;
    return schema_message(d->sides[!end].schema, bytes_of(message->full_name));
}

const EnumType *diff_enum_partner(const Diffing *d, int end, const EnumType *type)
{
    const EnumType *said = table_get(&d->partners[end], bytes_of(type->full_name));
    if (said || diff_in_package(&d->sides[end], type->full_name))
        return said;
    return schema_enum(d->sides[!end].schema, bytes_of(type->full_name));
}

static const MethodType *method_named(const ChangeSide *side, const char *service,
                                      const char *method)
{
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *s = &side->schema->services[i];
        if (strcmp(side_name(side, s->full_name), service) != 0)
            continue;
        for (uint32_t k = 0; k < s->n_methods; k++) {
            if (strcmp(s->methods[k].name, method) == 0)
                return &s->methods[k];
        }
    }
    return NULL;
}

static void marry(Diffing *d, const char *old, void *old_type, const char *new_name, void *new_type)
{
    table_put(&d->partners[OLD], bytes_of(old), new_type);
    table_put(&d->partners[NEW], bytes_of(new_name), old_type);
}

static void say_renamed(Diffing *d, const char *old, const char *new_name)
{
    diff_add(d, BREAKS_SOURCE, true, old, "renamed to %s", new_name);
    buffer_printf(&d->types, "  %s: %s  # guess\n", old, new_name);
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* How many of a message's fields the other has too, by name, from 0 to 100. */
static int field_likeness(const MessageType *a, const MessageType *b)
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < a->n_fields; i++)
        both += message_field(b, bytes_of(a->fields[i].name)) != NULL;
    return a->n_fields + b->n_fields ? (int)(200 * both / (a->n_fields + b->n_fields)) : 0;
}

static bool is_free(Diffing *d, int end, const MessageType *message)
{
    return !message->map_entry && diff_in_package(&d->sides[end], message->full_name) &&
           !table_get(&d->partners[end], bytes_of(message->full_name));
}

static void marry_same_messages(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *same =
            is_free(d, OLD, old) ? side_message(&d->sides[NEW], d->arena,
                                                bytes_of(side_name(&d->sides[OLD], old->full_name)))
                                 : NULL;
        if (same && diff_in_package(&d->sides[NEW], same->full_name))
            marry(d, old->full_name, (void *)old, same->full_name, (void *)same);
    }
}

static const MessageType *most_alike(Diffing *d, const MessageType *old)
{
    const Schema *schema = d->sides[NEW].schema;
    const MessageType *best = NULL;
    int most = LIKELY;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *other = &schema->messages[i];
        if (!is_free(d, NEW, other))
            continue;
        int fields = field_likeness(old, other), names = diff_likeness(old->name, other->name);
        int alike = names < 40 || (fields < 50 && names < 90) ? 0 : (2 * fields + names) / 3;
        if (alike > most) {
            most = alike;
            best = other;
        }
    }
    return best;
}

static void marry_alike_messages(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *alike = is_free(d, OLD, old) ? most_alike(d, old) : NULL;
        if (!alike)
            continue;
        marry(d, old->full_name, (void *)old, alike->full_name, (void *)alike);
        say_renamed(d, side_name(&d->sides[OLD], old->full_name),
                    side_name(&d->sides[NEW], alike->full_name));
    }
    for (int end = 0; end < 2; end++) {
        const ChangeSide *side = &d->sides[end];
        for (uint32_t i = 0; i < side->schema->n_messages; i++) {
            const MessageType *message = &side->schema->messages[i];
            if (is_free(d, end, message))
                diff_add(d, end == OLD ? BREAKS_SOURCE : 0, false,
                         side_name(side, message->full_name),
                         end == OLD ? "message removed" : "message added");
        }
    }
}

/* ---- Enums ----------------------------------------------------------------------------------- */

static bool enum_is_free(Diffing *d, int end, const EnumType *type)
{
    return diff_in_package(&d->sides[end], type->full_name) &&
           !table_get(&d->partners[end], bytes_of(type->full_name));
}

static int value_likeness(const EnumType *a, const EnumType *b)
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < a->n_values; i++)
        both += enum_value_by_name(b, bytes_of(a->values[i].name)) != NULL;
    return (int)(200 * both / (a->n_values + b->n_values + !a->n_values));
}

static void marry_same_enums(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        const char *name = side_name(&d->sides[OLD], old->full_name);
        const EnumType *same =
            enum_is_free(d, OLD, old) ? side_enum(&d->sides[NEW], d->arena, bytes_of(name)) : NULL;
        if (same && diff_in_package(&d->sides[NEW], same->full_name))
            marry(d, old->full_name, (void *)old, same->full_name, (void *)same);
    }
}

static void marry_alike_enums(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema, *other_schema = d->sides[NEW].schema;
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        for (uint32_t k = 0; k < other_schema->n_enums && enum_is_free(d, OLD, old); k++) {
            const EnumType *other = &other_schema->enums[k];
            if (!enum_is_free(d, NEW, other) ||
                (value_likeness(old, other) < LIKELY && diff_likeness(old->name, other->name) < 90))
                continue;
            marry(d, old->full_name, (void *)old, other->full_name, (void *)other);
            say_renamed(d, side_name(&d->sides[OLD], old->full_name),
                        side_name(&d->sides[NEW], other->full_name));
        }
    }
}

/* ---- What stands in the same place ----------------------------------------------------------- */

static bool marry_if_free(Diffing *d, const MessageType *old, const MessageType *other)
{
    if (!old || !other || !is_free(d, OLD, old) || !is_free(d, NEW, other))
        return false;
    marry(d, old->full_name, (void *)old, other->full_name, (void *)other);
    say_renamed(d, side_name(&d->sides[OLD], old->full_name),
                side_name(&d->sides[NEW], other->full_name));
    return true;
}

/* Fields of the same name hold the same thing, mostly. */
static bool marry_types_of_fields(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    bool more = false;
    for (uint32_t i = 0; i < old->n_fields; i++) {
        const FieldType *a = &old->fields[i];
        const FieldType *b = message_field(new_type, bytes_of(a->name));
        if (!b || a->map != b->map)
            continue;
        ValueType x = value_type_element(a), y = value_type_element(b);
        more |= marry_if_free(d, x.message, y.message);
        if (!x.enumeration || !y.enumeration || !enum_is_free(d, OLD, x.enumeration) ||
            !enum_is_free(d, NEW, y.enumeration))
            continue;
        marry(d, x.enumeration->full_name, (void *)x.enumeration, y.enumeration->full_name,
              (void *)y.enumeration);
        say_renamed(d, side_name(&d->sides[OLD], x.enumeration->full_name),
                    side_name(&d->sides[NEW], y.enumeration->full_name));
        more = true;
    }
    return more;
}

static bool marry_types_of_methods(Diffing *d)
{
    const ChangeSide *side = &d->sides[OLD];
    bool more = false;
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        for (uint32_t k = 0; k < service->n_methods; k++) {
            const MethodType *method = &service->methods[k];
            const MethodType *same =
                method_named(&d->sides[NEW], side_name(side, service->full_name), method->name);
            if (!same || !diff_in_package(side, service->full_name))
                continue;
            more |= marry_if_free(d, method->input, same->input);
            more |= marry_if_free(d, method->output, same->output);
        }
    }
    return more;
}

static bool marry_places(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    bool more = marry_types_of_methods(d);
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *partner = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (partner && diff_in_package(&d->sides[OLD], old->full_name))
            more |= marry_types_of_fields(d, old, partner);
    }
    return more;
}

void diff_partners(Diffing *d)
{
    marry_same_messages(d);
    marry_same_enums(d);
    while (marry_places(d))
        ;
    marry_alike_enums(d);
    marry_alike_messages(d);
}

static const EnumValue *same_number(const EnumType *type, const EnumType *other,
                                    const EnumValue *value)
{
    const EnumValue *found = enum_value_by_number(other, value->number);
    return found && !enum_value_by_name(type, bytes_of(found->name)) ? found : NULL;
}

static void diff_enum(Diffing *d, const EnumType *old, const EnumType *new_type)
{
    const char *name = side_name(&d->sides[OLD], old->full_name);
    Buffer lines = buffer_in(d->arena);
    bool *used = arena_array(d->arena, bool, new_type->n_values + 1);
    for (uint32_t i = 0; i < old->n_values; i++) {
        const EnumValue *value = &old->values[i];
        const EnumValue *same = enum_value_by_name(new_type, bytes_of(value->name));
        const char *path = arena_printf(d->arena, "%s.%s", name, value->name);
        if (same) {
            if (same->number != value->number)
                diff_add(d, BREAKS_WIRE, false, path, "renumbered from %d to %d", value->number,
                         same->number);
            continue;
        }
        const EnumValue *other = same_number(old, new_type, value);
        if (other && !used[other - new_type->values] &&
            (value->number == 0 || diff_likeness(value->name, other->name) >= LIKELY)) {
            used[other - new_type->values] = true;
            diff_add(d, BREAKS_JSON | BREAKS_SOURCE, true, path, "renamed to %s", other->name);
            buffer_printf(&lines, "    %s: %s  # guess\n", value->name, other->name);
        } else {
            diff_add(d, BREAKS_JSON | BREAKS_SOURCE, false, path, "value removed");
            buffer_printf(&lines, "    %s: {removed: loud}\n", value->name);
        }
    }
    for (uint32_t i = 0; i < new_type->n_values; i++) {
        const EnumValue *value = &new_type->values[i];
        if (enum_value_by_name(old, bytes_of(value->name)) || used[i])
            continue;
        diff_add(d, 0, false, arena_printf(d->arena, "%s.%s", name, value->name), "value added");
        buffer_printf(&lines, "    %s: {added: loud}\n", value->name);
    }
    if (lines.size) {
        buffer_printf(&d->enums, "  %s:\n", name);
        buffer_add_bytes(&d->enums, buffer_bytes(&lines));
    }
}

void diff_enums(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        const EnumType *partner = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (partner && diff_in_package(&d->sides[OLD], old->full_name))
            diff_enum(d, old, partner);
        else if (!partner && diff_in_package(&d->sides[OLD], old->full_name))
            diff_add(d, BREAKS_SOURCE, false, side_name(&d->sides[OLD], old->full_name),
                     "enum removed");
    }
}

/* ---- Methods --------------------------------------------------------------------------------- */

static bool types_go_together(Diffing *d, const MethodType *a, const MethodType *b)
{
    return diff_partner(d, OLD, a->input) == b->input &&
           diff_partner(d, OLD, a->output) == b->output &&
           a->client_streaming == b->client_streaming && a->server_streaming == b->server_streaming;
}

static bool same_http(const HttpRule *a, const HttpRule *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->verb, b->verb) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->body, b->body) == 0;
}

/* The same method in a service of another name. */
static const MethodType *method_moved(Diffing *d, const MethodType *old)
{
    const ChangeSide *side = &d->sides[NEW];
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        const char *name = side_name(side, service->full_name);
        for (uint32_t k = 0; k < service->n_methods; k++) {
            const MethodType *method = &service->methods[k];
            if (strcmp(method->name, old->name) == 0 && types_go_together(d, old, method) &&
                !method_named(&d->sides[OLD], name, method->name))
                return method;
        }
    }
    return NULL;
}

static void diff_method(Diffing *d, const MethodType *old)
{
    const char *service = side_name(&d->sides[OLD], old->service->full_name);
    const char *name = arena_printf(d->arena, "%s.%s", service, old->name);
    const MethodType *same = method_named(&d->sides[NEW], service, old->name);
    if (same && types_go_together(d, old, same)) {
        if (!same_http(old->http, same->http))
            diff_add(d, BREAKS_JSON, false, name, "its HTTP binding changed");
        return;
    }
    if (same) {
        diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name,
                 "other types: %s to %s, now %s to %s", old->input->name, old->output->name,
                 same->input->name, same->output->name);
        buffer_printf(&d->methods, "  %s: {removed: \"its types are others in %s\"}\n", name,
                      d->sides[NEW].version);
        return;
    }
    const MethodType *moved = method_moved(d, old);
    if (moved) {
        const char *to = side_name(&d->sides[NEW], moved->service->full_name);
        diff_add(d, BREAKS_WIRE | BREAKS_SOURCE, true, name, "moved to %s.%s", to, moved->name);
        buffer_printf(&d->methods, "  %s: %s.%s  # guess\n", name, to, moved->name);
        return;
    }
    diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name, "method removed");
    buffer_printf(&d->methods, "  %s: {removed: \"%s has no such method\"}\n", name,
                  d->sides[NEW].version);
}

void diff_methods(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        const ChangeSide *side = &d->sides[end];
        for (uint32_t i = 0; i < side->schema->n_services; i++) {
            const ServiceType *service = &side->schema->services[i];
            const char *name = side_name(side, service->full_name);
            if (name == service->full_name)
                continue;
            for (uint32_t k = 0; k < service->n_methods; k++) {
                const MethodType *method = &service->methods[k];
                if (end == OLD)
                    diff_method(d, method);
                else if (!method_named(&d->sides[OLD], name, method->name))
                    diff_add(d, 0, false, arena_printf(d->arena, "%s.%s", name, method->name),
                             "method added");
            }
        }
    }
}
