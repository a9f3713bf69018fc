/* The oracle's converters: each by its definition in docs/changes.md. */
#include "adapters/prove/oracle_internal.h"

#include "adapters/text/time_text.h"
#include "base/text/base64.h"
#include "base/text/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NANOS = 1000000000, DAY = 86400 };

/* The conversion of one value by one converter. */
typedef struct Step {
    Oracle *o;
    const Converter *by;
    const TreeValue *from;
    TreeValue *to;
} Step;

static Result cannot(Step *s, const char *why)
{
    return FAIL(s->o->arena, FAULT_CANNOT_CONVERT, "%s: %s", s->by->name, why);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool fits(FieldKind kind, Wide number)
{
    switch (kind) {
    case KIND_BOOL: return number >= 0 && number <= 1;
    case KIND_UINT32:
    case KIND_FIXED32: return number >= 0 && number <= UINT32_MAX;
    case KIND_UINT64:
    case KIND_FIXED64: return number >= 0 && number <= UINT64_MAX;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: return number >= INT64_MIN && number <= INT64_MAX;
    default: return number >= INT32_MIN && number <= INT32_MAX;
    }
}

static Wide whole(FieldKind kind, const Literal *value)
{
    return kind_is_unsigned(kind) ? (Wide)value->u : (Wide)value->i;
}

static Result give_whole(Step *s, Wide number)
{
    FieldKind kind = s->by->to.kind;
    if (kind == KIND_DOUBLE || kind == KIND_FLOAT) {
        double there = kind == KIND_FLOAT ? (double)(float)(double)number : (double)number;
        if ((Wide)there != number)
            return cannot(s, "more digits than it can hold");
        s->to->plain.d = there;
        return OK;
    }
    if (!fits(kind, number))
        return cannot(s, "out of range");
    s->to->plain.i = (int64_t)number;
    return OK;
}

static Result number(Step *s)
{
    FieldKind from = s->by->from.kind, to = s->by->to.kind;
    double d = s->from->plain.d;
    if (!kind_is_float(from))
        return give_whole(s, whole(from, &s->from->plain));
    if (kind_is_float(to)) {
        s->to->plain.d = to == KIND_FLOAT ? (double)(float)d : d;
        return isfinite(d) && !isfinite(s->to->plain.d) ? cannot(s, "too large") : OK;
    }
    if (!(fabs(d) < 18446744073709551616.0) || floor(d) != d)
        return cannot(s, "not whole");
    return give_whole(s, (Wide)d);
}

/* A whole number as the floating one nearest to it, from which it has to come back. */
static Result give_nearest(Step *s, Wide number, Ratio ratio)
{
    bool single = s->by->to.kind == KIND_FLOAT, exact;
    Wide back, cut;
    s->to->plain.d = oracle_nearest(number, ratio, single);
    return s->by->round || (oracle_whole(s->to->plain.d, (Ratio){ratio.over, ratio.times}, single,
                                         &back, &cut, &exact) &&
                            exact && back == number)
               ? OK
               : cannot(s, "more digits than it can hold");
}

static Result scale(Step *s)
{
    FieldKind from = s->by->from.kind, to = s->by->to.kind;
    Ratio ratio = {s->by->numerator, s->by->denominator};
    bool exact;
    Wide nearest, cut;
    if (!kind_is_float(from)) {
        Wide number = whole(from, &s->from->plain), product = number * ratio.times;
        if (kind_is_float(to))
            return give_nearest(s, number, ratio);
        return product % ratio.over && !s->by->round ? cannot(s, "not whole")
                                                     : give_whole(s, product / ratio.over);
    }
    double value = s->from->plain.d;
    if (kind_is_float(to)) {
        double there = value * (double)ratio.times / (double)ratio.over;
        s->to->plain.d = to == KIND_FLOAT ? (double)(float)there : there;
        return isfinite(value) && !isfinite(s->to->plain.d) ? cannot(s, "too large") : OK;
    }
    if (!oracle_whole(value, ratio, from == KIND_FLOAT, &nearest, &cut, &exact))
        return cannot(s, "out of range");
    if (!exact && !s->by->round)
        return cannot(s, "not whole");
    return give_whole(s, exact ? nearest : cut);
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static Result give_text(Step *s, const char *text)
{
    s->to->plain.bytes = bytes_of(arena_string(s->o->arena, text));
    return OK;
}

/* With 15 digits, or 17 if those are another number; of a float with 6 to 9. */
static Result floating_text(Step *s, double value, bool single)
{
    char text[64];
    if (!isfinite(value))
        return give_text(s, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    for (int digits = single ? 6 : 15; digits < 18; digits += single ? 1 : 2) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    return give_text(s, text);
}

static Result number_text(Step *s)
{
    FieldKind kind = s->by->from.kind;
    const Literal *value = &s->from->plain;
    if (kind_is_float(kind))
        return floating_text(s, value->d, kind == KIND_FLOAT);
    if (kind == KIND_BOOL)
        return give_text(s, value->u ? "true" : "false");
    return give_text(s, kind_is_unsigned(kind)
                            ? arena_printf(s->o->arena, "%llu", (unsigned long long)value->u)
                            : arena_printf(s->o->arena, "%lld", (long long)value->i));
}

static size_t digits_at(const char *text)
{
    return strspn(text, "0123456789");
}

/* A number as JSON writes it: no plus sign, no leading zeros. */
static bool is_json_number(const char *text)
{
    text += *text == '-';
    size_t n = digits_at(text);
    if (!n || (n > 1 && *text == '0'))
        return false;
    text += n;
    if (*text == '.') {
        if (!(n = digits_at(++text)))
            return false;
        text += n;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        if (!(n = digits_at(text)))
            return false;
        text += n;
    }
    return !*text;
}

static Result whole_text(Step *s, const char *text)
{
    char *end;
    errno = 0;
    if (!strpbrk(text, ".eE")) {
        Wide whole = *text == '-' ? (Wide)strtoll(text, &end, 10) : (Wide)strtoull(text, &end, 10);
        return errno ? cannot(s, "no whole number") : give_whole(s, whole);
    }
    long double value = strtold(text, NULL);
    if (value != floorl(value) || fabsl(value) > 18446744073709551615.0L)
        return cannot(s, "no whole number");
    return give_whole(s, (Wide)value);
}

static Result text_number(Step *s)
{
    Bytes text = s->from->plain.bytes;
    FieldKind kind = s->by->to.kind;
    const char *copy = arena_text(s->o->arena, text);
    if (kind == KIND_BOOL) {
        s->to->plain.u = bytes_are(text, "true");
        return s->to->plain.u || bytes_are(text, "false") ? OK : cannot(s, "no bool");
    }
    bool named = kind_is_float(kind) && (bytes_are(text, "NaN") || bytes_are(text, "Infinity") ||
                                         bytes_are(text, "-Infinity"));
    if (strlen(copy) != text.size || (!named && !is_json_number(copy)))
        return cannot(s, "no number");
    if (!kind_is_float(kind))
        return whole_text(s, copy);
    s->to->plain.d = kind == KIND_FLOAT ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    return isfinite(s->to->plain.d) || named ? OK : cannot(s, "too large a number");
}

static Result bytes_text(Step *s)
{
    Bytes from = s->from->plain.bytes;
    Buffer out = buffer_in(s->o->arena);
    if (strcmp(s->by->format, "utf8") == 0) {
        s->to->plain.bytes = from;
        return utf8_valid(from) ? OK : cannot(s, "not UTF-8");
    }
    if (strcmp(s->by->format, "base64") == 0)
        base64_encode(&out, from, BASE64_STANDARD, true);
    for (size_t i = 0; strcmp(s->by->format, "hex") == 0 && i < from.size; i++)
        buffer_printf(&out, "%02x", from.data[i]);
    s->to->plain.bytes = buffer_bytes(&out);
    return OK;
}

static Result text_bytes(Step *s)
{
    Bytes from = s->from->plain.bytes;
    Buffer out = buffer_in(s->o->arena);
    s->to->plain.bytes = from;
    if (strcmp(s->by->format, "utf8") == 0)
        return OK;
    if (strcmp(s->by->format, "base64") == 0) {
        if (!base64_decode(&out, from))
            return cannot(s, "not base64");
    } else {
        for (size_t i = 0; i < from.size; i += 2) {
            unsigned byte;
            char pair[3] = {(char)from.data[i], (char)(i + 1 < from.size ? from.data[i + 1] : 'x')};
            if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%x", &byte) != 1)
                return cannot(s, "not hexadecimal");
            buffer_add_byte(&out, (uint8_t)byte);
        }
    }
    s->to->plain.bytes = buffer_bytes(&out);
    return OK;
}

/* ---- Enums ----------------------------------------------------------------------------------- */

static Result give_entry(Step *s, const EnumEntry *entry)
{
    if (!entry && s->by->has_fallback)
        entry = &s->by->fallback;
    if (!entry)
        return cannot(s, "no counterpart");
    if (s->by->to.kind == KIND_STRING)
        s->to->plain.bytes = entry->text;
    else
        s->to->plain.i = entry->to;
    return OK;
}

static bool same_text(const Converter *by, Bytes a, Bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        int x = a.data[i], y = b.data[i];
        if (by->ignore_case && x < 128 && y < 128 ? tolower(x) != tolower(y) : x != y)
            return false;
    }
    return true;
}

static Result text_table(Step *s)
{
    Bytes text = s->from->plain.bytes;
    bool means_another = false;
    for (uint32_t i = 0; i < s->by->n_entries; i++) {
        s->to->plain.bytes = s->by->entries[i].into;
        if (same_text(s->by, s->by->entries[i].text, text))
            return OK;
        means_another |= same_text(s->by, s->by->entries[i].into, text);
    }
    s->to->plain.bytes = s->by->keep_unknown ? text : s->by->fallback.into;
    if (s->by->keep_unknown)
        return means_another ? cannot(s, "it means another there") : OK;
    return s->by->has_fallback ? OK : cannot(s, "no counterpart");
}

static Result enumeration(Step *s)
{
    const EnumEntry *found = NULL;
    int32_t value = (int32_t)s->from->plain.i;
    for (uint32_t i = 0; i < s->by->n_entries; i++) {
        const EnumEntry *entry = &s->by->entries[i];
        if (s->by->from.kind == KIND_STRING ? same_text(s->by, entry->text, s->from->plain.bytes)
                                            : entry->from == value)
            found = entry;
    }
    bool known = s->by->from.kind != KIND_ENUM || s->by->to.kind != KIND_ENUM ||
                 enum_value_by_number(s->by->from.enumeration, value) ||
                 enum_value_by_number(s->by->to.enumeration, value);
    if (!found && s->by->keep_unknown && !known) {
        s->to->plain.i = value;
        return OK;
    }
    return give_entry(s, found);
}

/* ---- Well-known messages --------------------------------------------------------------------- */

static int64_t member(const Tree *tree, const FieldType *field)
{
    const TreeField *values = tree_field(tree, field);
    return values->n ? values->values[0].plain.i : 0;
}

static void set_member(Step *s, const FieldType *field, int64_t value)
{
    tree_put(s->o->arena, s->to->message, field, (TreeValue){.plain = {.i = value}});
}

static Tree *give_message(Step *s)
{
    return s->to->message = tree_new(s->o->arena, s->by->to.message);
}

/* The value of a wrapper: a number is converted to the wrapper's kind. */
static Result as_kind(Step *s, const TreeValue *from, FieldKind from_kind, FieldKind to_kind,
                      TreeValue *to)
{
    Converter by = {.name = s->by->name, .from = {.kind = from_kind}, .to = {.kind = to_kind}};
    Step inner = {s->o, &by, from, to};
    *to = *from;
    return from_kind == to_kind ? OK : number(&inner);
}

static Result wrap(Step *s)
{
    TreeValue value;
    Result r = as_kind(s, s->from, s->by->from.kind, s->by->value->kind, &value);
    if (!failed(r))
        tree_put(s->o->arena, give_message(s), s->by->value, value);
    return r;
}

static Result unwrap(Step *s)
{
    const TreeField *found = tree_field(s->from->message, s->by->value);
    TreeValue value = found->n ? found->values[0] : (TreeValue){0};
    return as_kind(s, &value, s->by->value->kind, s->by->to.kind, s->to);
}

static bool time_fits(ValueType type, TimeParts time)
{
    return type.message->well_known == WELL_KNOWN_DURATION ? duration_in_range(time)
                                                           : timestamp_in_range(time);
}

static Result give_time(Step *s, Wide seconds, int64_t nanos)
{
    TimeParts time = {(int64_t)seconds, (int32_t)nanos};
    if (seconds != time.seconds || !time_fits(s->by->to, time))
        return cannot(s, "out of range");
    give_message(s);
    set_member(s, s->by->seconds, time.seconds);
    set_member(s, s->by->nanos, time.nanos);
    return OK;
}

static bool read_time(Step *s, TimeParts *time)
{
    *time = (TimeParts){member(s->from->message, s->by->seconds),
                        (int32_t)member(s->from->message, s->by->nanos)};
    return time_fits(s->by->from, *time);
}

static Wide floor_divided(Wide number, Wide by)
{
    return number / by - (number % by < 0);
}

static Result time_units(Step *s)
{
    TimeParts time;
    if (!read_time(s, &time))
        return cannot(s, "out of range");
    Wide nanos = (Wide)time.seconds * NANOS + time.nanos;
    if (kind_is_float(s->by->to.kind))
        return give_nearest(s, nanos, (Ratio){1, s->by->unit});
    if (nanos % s->by->unit && !s->by->round)
        return cannot(s, "finer than it can say");
    return give_whole(s, floor_divided(nanos, s->by->unit));
}

static Result units_time(Step *s)
{
    Wide nanos, cut;
    FieldKind from = s->by->from.kind;
    bool exact = true;
    if (kind_is_float(from)) {
        if (!oracle_whole(s->from->plain.d, (Ratio){s->by->unit, 1}, from == KIND_FLOAT, &nanos,
                          &cut, &exact))
            return cannot(s, "out of range");
        if (!exact && !s->by->round)
            return cannot(s, "finer than nanoseconds");
    } else {
        nanos = whole(s->by->from.kind, &s->from->plain) * s->by->unit;
    }
    bool duration = s->by->to.message->well_known == WELL_KNOWN_DURATION;
    Wide seconds = duration ? nanos / NANOS : floor_divided(nanos, NANOS);
    return give_time(s, seconds, (int64_t)(nanos - seconds * NANOS));
}

static Result time_text(Step *s)
{
    TimeParts time;
    uint8_t text[TIME_TEXT_MAX];
    if (!read_time(s, &time))
        return cannot(s, "out of range");
    size_t size = s->by->from.message->well_known == WELL_KNOWN_DURATION
                      ? duration_write(text, time)
                      : timestamp_write(text, time);
    s->to->plain.bytes = bytes_copy(s->o->arena, bytes(text, size));
    return OK;
}

static Result text_time(Step *s)
{
    TimeParts time;
    Bytes text = s->from->plain.bytes;
    bool good = s->by->to.message->well_known == WELL_KNOWN_DURATION ? duration_read(text, &time)
                                                                     : timestamp_read(text, &time);
    return good ? give_time(s, time.seconds, time.nanos) : cannot(s, "no time");
}

static bool read_date(Step *s, CivilDate *date)
{
    int64_t year = member(s->from->message, s->by->year),
            month = member(s->from->message, s->by->month),
            day = member(s->from->message, s->by->day);
    *date = (CivilDate){(int32_t)year, (int32_t)month, (int32_t)day};
    return year > 0 && year < 10000 && month > 0 && month < 13 && day > 0 && day < 32 &&
           date_is_real(*date);
}

static Result give_date(Step *s, CivilDate date)
{
    give_message(s);
    set_member(s, s->by->year, date.year);
    set_member(s, s->by->month, date.month);
    set_member(s, s->by->day, date.day);
    return OK;
}

static Result time_date(Step *s)
{
    TimeParts time;
    if (!read_time(s, &time))
        return cannot(s, "out of range");
    if ((time.nanos || time.seconds % DAY) && !s->by->round)
        return cannot(s, "not midnight");
    return give_date(s, civil_date_from_days((int64_t)floor_divided(time.seconds, DAY)));
}

static Result dates(Step *s)
{
    CivilDate date;
    uint8_t text[TIME_TEXT_MAX];
    if (s->by->code == CONVERT_TEXT_DATE)
        return date_read(s->from->plain.bytes, &date) ? give_date(s, date) : cannot(s, "no date");
    if (!read_date(s, &date))
        return cannot(s, "no such date");
    if (s->by->code == CONVERT_DATE_TIME)
        return give_time(s, (Wide)civil_date_to_days(date) * DAY, 0);
    s->to->plain.bytes = bytes_copy(s->o->arena, bytes(text, date_write(text, date)));
    return OK;
}

static Result amount_money(Step *s)
{
    Wide amount = whole(s->by->from.kind, &s->from->plain), unit = s->by->unit;
    Wide units = amount / unit, nanos = amount % unit * (NANOS / unit);
    if (!fits(s->by->units->kind, units) || !fits(s->by->nanos->kind, nanos))
        return cannot(s, "out of range");
    give_message(s);
    set_member(s, s->by->units, (int64_t)units);
    set_member(s, s->by->nanos, (int64_t)nanos);
    return OK;
}

static Result money_amount(Step *s)
{
    int64_t units = member(s->from->message, s->by->units),
            nanos = member(s->from->message, s->by->nanos);
    int64_t part = NANOS / s->by->unit;
    if (nanos <= -NANOS || nanos >= NANOS || (units > 0 && nanos < 0) || (units < 0 && nanos > 0))
        return cannot(s, "no money");
    if (nanos % part && !s->by->round)
        return cannot(s, "finer than it can say");
    return give_whole(s, (Wide)units * s->by->unit + nanos / part);
}

/* ---- Serialized messages --------------------------------------------------------------------- */

static Result serialized(Step *s)
{
    if (s->by->to.kind != KIND_BYTES) {
        Bytes wire = s->from->plain.bytes;
        return failed(tree_parse(s->o->arena, s->by->to.message, wire, &s->to->message))
                   ? cannot(s, "no message")
                   : OK;
    }
    Buffer out = buffer_in(s->o->arena);
    tree_write(s->from->message, &out);
    s->to->plain.bytes = s->from->message->raw.data ? s->from->message->raw : buffer_bytes(&out);
    return OK;
}

static Result any(Step *s)
{
    give_message(s);
    return oracle_any(s->o, s->from->message, s->to->message);
}

static Result field_mask(Step *s)
{
    give_message(s);
    return oracle_mask(s->o, s->by, s->from->message, s->to->message);
}

/* ---- All of them ----------------------------------------------------------------------------- */

Result oracle_value(Oracle *o, const Converter *converter, const TreeValue *from, TreeValue *to_out,
                    bool *absent_out)
{
    Step s = {o, converter, from, to_out};
    *to_out = (TreeValue){0};
    *absent_out = false;
    switch (converter->code) {
    case CONVERT_NUMBER: return number(&s);
    case CONVERT_SCALE: return scale(&s);
    case CONVERT_NUMBER_TEXT: return number_text(&s);
    case CONVERT_TEXT_NUMBER: return text_number(&s);
    case CONVERT_BYTES_TEXT: return bytes_text(&s);
    case CONVERT_TEXT_BYTES: return text_bytes(&s);
    case CONVERT_ENUM:
    case CONVERT_ENUM_TEXT:
    case CONVERT_TEXT_ENUM:
    case CONVERT_BOOL_ENUM: return enumeration(&s);
    case CONVERT_TEXT_TABLE: return text_table(&s);
    case CONVERT_WRAP: return wrap(&s);
    case CONVERT_UNWRAP: return unwrap(&s);
    case CONVERT_TIME_UNITS: return time_units(&s);
    case CONVERT_UNITS_TIME: return units_time(&s);
    case CONVERT_TIME_TEXT: return time_text(&s);
    case CONVERT_TEXT_TIME: return text_time(&s);
    case CONVERT_TIME_DATE: return time_date(&s);
    case CONVERT_DATE_TIME:
    case CONVERT_DATE_TEXT:
    case CONVERT_TEXT_DATE: return dates(&s);
    case CONVERT_AMOUNT_MONEY: return amount_money(&s);
    case CONVERT_MONEY_AMOUNT: return money_amount(&s);
    case CONVERT_SERIALIZED: return serialized(&s);
    case CONVERT_TYPE_URL: return any(&s);
    case CONVERT_FIELD_MASK: return field_mask(&s);
    case CONVERT_SENTINEL:
    case CONVERT_TEMPLATE:
    case CONVERT_TEMPLATE_PART:
    case CONVERT_MEMBER: break; /* the oracle reads these from the change itself */
    }
    return FAIL(o->arena, FAULT_INTERNAL, "the oracle has no converter %s", converter->name);
}
