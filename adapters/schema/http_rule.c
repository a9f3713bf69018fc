/* Reads google.api.HttpRule from a MethodOptions (google/api/annotations.proto). */
#include "adapters/schema/schema_internal.h"

static Result read_custom(Loader *loader, Bytes pattern, HttpRule *rule)
{
    WireReader reader = wire_reader(pattern);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1)
            rule->verb = loader_text(loader, f.bytes);
        else if (f.number == 2)
            rule->path = loader_text(loader, f.bytes);
    }
    return descriptor_end(loader, &reader, "CustomHttpPattern");
}

static uint32_t count_additional(Bytes rule)
{
    uint32_t n = 0;
    WireReader reader = wire_reader(rule);
    for (WireField f; wire_next(&reader, &f);)
        n += f.number == 11;
    return n;
}

static Result read_additional(Loader *loader, Bytes rule, bool additional, HttpRule *parent)
{
    if (additional)
        return FAIL(loader->arena, FAULT_BAD_SCHEMA,
                    "%s: additional_bindings of google.api.http may not be nested", loader->name);
    return http_rule_read(loader, rule, true, &parent->additional[parent->n_additional++]);
}

static void set_pattern(Loader *loader, HttpRule *rule, const char *verb, Bytes path)
{
    rule->verb = verb;
    rule->path = loader_text(loader, path);
}

Result http_rule_read(Loader *loader, Bytes from, bool additional, HttpRule *rule)
{
    Result r = OK;
    *rule = (HttpRule){.verb = "", .path = "", .body = "", .response_body = ""};
    uint32_t n = count_additional(from);
    if (n)
        rule->additional = arena_array(loader->arena, HttpRule, n);

    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 2: set_pattern(loader, rule, "GET", f.bytes); break;
        case 3: set_pattern(loader, rule, "PUT", f.bytes); break;
        case 4: set_pattern(loader, rule, "POST", f.bytes); break;
        case 5: set_pattern(loader, rule, "DELETE", f.bytes); break;
        case 6: set_pattern(loader, rule, "PATCH", f.bytes); break;
        case 7: rule->body = loader_text(loader, f.bytes); break;
        case 8: r = read_custom(loader, f.bytes, rule); break;
        case 11: r = read_additional(loader, f.bytes, additional, rule); break;
        case 12: rule->response_body = loader_text(loader, f.bytes); break;
        default: break; /* the selector, and fields of newer versions */
        }
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "google.api.HttpRule");
}
