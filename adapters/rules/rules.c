#include "adapters/rules/rules_internal.h"

#include "base/text/utf8.h"

RulePath rule_path(const MessageType *type, const char *path)
{
    RulePath at = {.in = type};
    Bytes rest = bytes_of(path);
    uint32_t n = 0;
    while (bytes_split(&rest, '.', &at.name)) {
        if (at.field && (!at.field->message || at.field->map || n == RULE_STEPS_MOST)) {
            at.closed = at.field;
            at.field = NULL;
            return at;
        }
        at.in = at.field ? at.field->message : type;
        at.field = message_field(at.in, at.name);
        if (!at.field || at.field->extension)
            return (RulePath){.in = at.in, .name = at.name};
        n++;
    }
    return at;
}

bool rule_demands(const FieldRule *rule)
{
    return rule->required || rule->has_default || rule->n_one_of || rule->least.text ||
           rule->most.text;
}

uint64_t rule_characters(Bytes text)
{
    uint64_t n = 0;
    if (!utf8_valid(text)) /* else bytes that continue nothing would have no length */
        return text.size;
    for (size_t i = 0; i < text.size; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

/* The same time with nanoseconds of 0 to 999999999, so that times have an order: a message may have
   others, which are none of a valid time. */
static TimeParts with_order(TimeParts time)
{
    enum { NANOS = 1000000000 };
    int32_t nanos = time.nanos % NANOS;
    int64_t more = time.nanos / NANOS - (nanos < 0), seconds;
    if (__builtin_add_overflow(time.seconds, more, &seconds))
        return time;
    return (TimeParts){seconds, nanos < 0 ? nanos + NANOS : nanos};
}

bool rule_time(Bytes message, TimeParts *time_out)
{
    *time_out = (TimeParts){0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_VARINT)
            time_out->seconds = (int64_t)f.value;
        else if (f.number == 2 && f.type == WIRE_VARINT)
            time_out->nanos = (int32_t)f.value;
    }
    *time_out = with_order(*time_out);
    return !reader.bad;
}

bool number_is_less(FieldKind kind, Literal a, Literal b)
{
    return kind_is_float(kind) ? a.d < b.d : kind_is_unsigned(kind) ? a.u < b.u : a.i < b.i;
}

bool time_is_less(TimeParts a, TimeParts b)
{
    return a.seconds != b.seconds ? a.seconds < b.seconds : a.nanos < b.nanos;
}
