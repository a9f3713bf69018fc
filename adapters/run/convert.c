#include "adapters/run/convert.h"

#include "adapters/program/same_message.h"

#include <math.h>

bool cannot_convert(Conversion *c, const char *why)
{
    return run_fail(c->runner, &FAULT_CANNOT_CONVERT, "%s: %s", c->converter->name, why);
}

void count_loss(Conversion *c)
{
    if (c->loss)
        run_loss(c->runner, c->loss);
    else
        c->runner->report->n_losses++;
}

void count_respelled(Conversion *c, Bytes text, Bytes back)
{
    if (c->loss && !bytes_equal(text, back))
        run_loss(c->runner, c->loss);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool is_unsigned(FieldKind kind)
{
    return kind == KIND_UINT64 || kind == KIND_UINT32 || kind == KIND_FIXED64 ||
           kind == KIND_FIXED32 || kind == KIND_BOOL;
}

static bool is_floating(FieldKind kind)
{
    return kind == KIND_DOUBLE || kind == KIND_FLOAT;
}

static double floating_value(FieldKind kind, Value value)
{
    return kind == KIND_FLOAT ? (double)value_float(value) : value.d;
}

bool whole_number(FieldKind kind, Value value, bool *negative_out, uint64_t *magnitude_out)
{
    if (is_floating(kind)) {
        double number = floating_value(kind, value);
        *negative_out = number < 0;
        number = fabs(number);
        if (!(number < 18446744073709551616.0) || floor(number) != number)
            return false;
        *magnitude_out = (uint64_t)number;
        return true;
    }
    *negative_out = !is_unsigned(kind) && value.i < 0;
    *magnitude_out = *negative_out ? -value.u : value.u;
    return true;
}

static uint64_t largest_of(FieldKind kind)
{
    switch (kind) {
    case KIND_BOOL: return 1;
    case KIND_UINT32:
    case KIND_FIXED32: return UINT32_MAX;
    case KIND_UINT64:
    case KIND_FIXED64: return UINT64_MAX;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: return INT64_MAX;
    default: return INT32_MAX;
    }
}

bool number_of_kind(FieldKind kind, bool negative, uint64_t magnitude, Value *value_out)
{
    if (is_floating(kind)) {
        double number = negative ? -(double)magnitude : (double)magnitude;
        if (!(fabs(number) < 18446744073709551616.0) || (uint64_t)fabs(number) != magnitude)
            return false;
        *value_out = kind == KIND_FLOAT ? value_of_float((float)number) : (Value){.d = number};
        return kind == KIND_DOUBLE || (double)value_float(*value_out) == number;
    }
    if (negative && magnitude && is_unsigned(kind))
        return false;
    if (magnitude > largest_of(kind) + (negative && !is_unsigned(kind) ? 1 : 0))
        return false;
    *value_out = (Value){.u = negative ? -magnitude : magnitude};
    return true;
}

/* A number that becomes zero is counted: else it is only rounded, which the schemas demand. */
static bool give_nearest(Conversion *c, FieldKind to, double number, double exact, Value *value_out)
{
    double nearest = to == KIND_FLOAT ? (double)(float)number : number;
    if (isfinite(exact) && !isfinite(nearest))
        return cannot_convert(c, "the number is too large");
    if (exact != 0 && nearest == 0)
        count_loss(c);
    *value_out = to == KIND_FLOAT ? value_of_float((float)number) : (Value){.d = number};
    return true;
}

static const char *why_not_whole(FieldKind kind, Value value)
{
    double number = floating_value(kind, value);
    return floor(number) == number ? "the number is out of range" : "the number is not whole";
}

void count_minus_zero(Conversion *c, FieldKind kind, Value value)
{
    if (is_floating(kind) && floating_value(kind, value) == 0 &&
        signbit(floating_value(kind, value)))
        count_loss(c);
}

bool convert_number_kind(Conversion *c, FieldKind from, FieldKind to, Value *value)
{
    bool negative;
    uint64_t magnitude;
    if (from == to)
        return true;
    if (is_floating(from) && is_floating(to)) {
        double number = floating_value(from, *value);
        return give_nearest(c, to, number, number, value);
    }
    if (from == KIND_BOOL || to == KIND_BOOL || !is_floating(to)) {
        if (!whole_number(from, *value, &negative, &magnitude))
            return cannot_convert(c, why_not_whole(from, *value));
        count_minus_zero(c, from, *value);
        return number_of_kind(to, negative, magnitude, value) ||
               cannot_convert(c, "the number is out of range");
    }
    whole_number(from, *value, &negative, &magnitude);
    return number_of_kind(to, negative, magnitude, value) ||
           cannot_convert(
               c, "the number has more digits than the version it is converted to can hold");
}

static bool convert_number(Conversion *c)
{
    c->value = c->args[0];
    return convert_number_kind(c, c->converter->from.kind, c->converter->to.kind, &c->value);
}

bool may_round(Conversion *c, const char *why)
{
    if (!c->converter->round)
        return cannot_convert(c, why);
    count_loss(c);
    return true;
}

bool give_floating(Conversion *c, Wide number, Ratio ratio)
{
    bool single = c->converter->to.kind == KIND_FLOAT;
    double nearest = ratio_nearest(number, ratio, single);
    RatioWhole back;
    c->value = single ? value_of_float((float)nearest) : (Value){.d = nearest};
    return (ratio_whole(nearest, (Ratio){ratio.over, ratio.times}, single, &back) && back.exact &&
            back.nearest == number) ||
           may_round(c, "the number has more digits than the version it is converted to can hold");
}

bool give_whole(Conversion *c, Wide number)
{
    bool negative = number < 0;
    Wide magnitude = negative ? -number : number;
    return (magnitude <= UINT64_MAX &&
            number_of_kind(c->converter->to.kind, negative, (uint64_t)magnitude, &c->value)) ||
           cannot_convert(c, "the number is out of range");
}

/* Multiplies by numerator and divides by denominator. */
static bool convert_scale(Conversion *c)
{
    const Converter *by = c->converter;
    FieldKind from = by->from.kind, to = by->to.kind;
    Ratio ratio = {by->numerator, by->denominator};
    bool negative;
    uint64_t magnitude;
    RatioWhole whole;
    if (is_floating(from)) {
        double number = floating_value(from, c->args[0]);
        double scaled = number * (double)ratio.times / (double)ratio.over;
        if (is_floating(to))
            return give_nearest(c, to, scaled, number, &c->value);
        if (!ratio_whole(number, ratio, from == KIND_FLOAT, &whole))
            return cannot_convert(c, "the number is out of range");
        if (!whole.exact && !may_round(c, "the result is not whole"))
            return false;
        count_minus_zero(c, from, c->args[0]);
        return give_whole(c, whole.exact ? whole.nearest : whole.cut);
    }
    whole_number(from, c->args[0], &negative, &magnitude);
    Wide number = negative ? -(Wide)magnitude : (Wide)magnitude;
    if (is_floating(to))
        return give_floating(c, number, ratio);
    number *= ratio.times;
    if (number % ratio.over != 0 && !may_round(c, "the result is not whole"))
        return false;
    return give_whole(c, number / ratio.over);
}

/* ---- Enums ----------------------------------------------------------------------------------- */

static const EnumEntry *entry_by_number(const Converter *by, int32_t number)
{
    uint32_t low = 0, high = by->n_entries;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by->entries[middle].from < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < by->n_entries && by->entries[low].from == number ? &by->entries[low] : NULL;
}

static const EnumEntry *entry_by_text(const Converter *by, Bytes text)
{
    uint32_t low = 0, high = by->n_entries;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(by->entries[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < by->n_entries && bytes_equal(by->entries[low].text, text) ? &by->entries[low]
                                                                           : NULL;
}

static const EnumEntry *fallback(Conversion *c)
{
    if (!c->converter->has_fallback)
        return NULL;
    count_loss(c);
    return &c->converter->fallback;
}

/* A number with a name in either version needs a counterpart; only one that is unknown to both is
   kept. */
static bool knows_number(const Converter *by, int32_t number)
{
    return enum_value_by_number(by->from.enumeration, number) ||
           enum_value_by_number(by->to.enumeration, number);
}

/* "STOLEN (4) of State has no counterpart in Status"; false. */
static bool no_counterpart(Conversion *c, int32_t number)
{
    const EnumType *from = c->converter->from.enumeration, *to = c->converter->to.enumeration;
    const EnumValue *value = from ? enum_value_by_number(from, number) : NULL;
    return run_fail(c->runner, &FAULT_CANNOT_CONVERT, "%s (%d) of %s has no counterpart%s%s",
                    value ? value->name : "the value", number, from ? from->full_name : "bool",
                    to ? " in " : "", to ? to->full_name : "");
}

/* Also between an enum and bool, whose values are 0 and 1. */
static bool convert_enum(Conversion *c)
{
    int32_t number = (int32_t)c->args[0].i;
    const EnumEntry *entry = entry_by_number(c->converter, number);
    if (!entry && c->converter->keep_unknown && !knows_number(c->converter, number)) {
        c->value = (Value){.i = number};
        return true;
    }
    if (!entry && !(entry = fallback(c)))
        return no_counterpart(c, number);
    if (entry->merges)
        count_loss(c);
    c->value = (Value){.i = entry->to};
    return true;
}

static bool convert_enum_text(Conversion *c)
{
    int32_t number = (int32_t)c->args[0].i;
    const EnumEntry *entry = entry_by_number(c->converter, number);
    if (!entry && !(entry = fallback(c)))
        return no_counterpart(c, number);
    c->value = value_of_bytes(entry->text);
    return true;
}

/* The text in the table's letter case; no data: out of memory. */
static Bytes folded(Conversion *c, Bytes text)
{
    return c->converter->ignore_case ? bytes_lower(c->runner->arena, text) : text;
}

static bool convert_text_enum(Conversion *c)
{
    Bytes text = folded(c, value_bytes(c->args[0]));
    if (c->converter->ignore_case && !text.data)
        return run_out_of_memory(c->runner);
    const EnumEntry *entry = entry_by_text(c->converter, text);
    if (entry)
        count_respelled(c, value_bytes(c->args[0]), entry->back);
    else if (!(entry = fallback(c)))
        return cannot_convert(c, "the text names no value");
    c->value = (Value){.i = entry->to};
    return true;
}

/* Whether the table produces this text, so that keeping it would change it on the way back. */
static bool is_made_by_table(const Converter *by, Bytes text)
{
    for (uint32_t i = 0; i < by->n_entries; i++) {
        if (by->ignore_case ? bytes_equal_nocase(by->entries[i].into, text)
                            : bytes_equal(by->entries[i].into, text))
            return true;
    }
    return false;
}

static bool convert_text_table(Conversion *c)
{
    Bytes text = value_bytes(c->args[0]), key = folded(c, text);
    if (c->converter->ignore_case && !key.data)
        return run_out_of_memory(c->runner);
    const EnumEntry *entry = entry_by_text(c->converter, key);
    c->value = c->args[0];
    if (!entry && c->converter->keep_unknown)
        return !is_made_by_table(c->converter, text) ||
               cannot_convert(c, "the text means another one there");
    if (entry)
        count_respelled(c, text, entry->back);
    else if (!(entry = fallback(c)))
        return cannot_convert(c, "the text has no counterpart");
    c->value = value_of_bytes(entry->into);
    return true;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static bool convert_sentinel(Conversion *c)
{
    const Literal *sentinel = &c->converter->sentinel;
    FieldKind kind = c->converter->from.kind;
    c->value = c->args[0];
    if (kind_is_message(kind))
        c->absent =
            messages_same(c->converter->from.message, value_bytes(c->value), sentinel->bytes);
    else if (kind_is_bytes(kind))
        c->absent = bytes_equal(value_bytes(c->value), sentinel->bytes);
    else if (kind == KIND_FLOAT)
        c->absent = c->value.u == value_of_float((float)sentinel->d).u;
    else
        c->absent = c->value.u == sentinel->u;
    return true;
}

static bool run_conversion(Conversion *c)
{
    switch (c->converter->code) {
    case CONVERT_NUMBER: return convert_number(c);
    case CONVERT_NUMBER_TEXT: return convert_number_text(c);
    case CONVERT_TEXT_NUMBER: return convert_text_number(c);
    case CONVERT_ENUM:
    case CONVERT_BOOL_ENUM: return convert_enum(c);
    case CONVERT_ENUM_TEXT: return convert_enum_text(c);
    case CONVERT_TEXT_ENUM: return convert_text_enum(c);
    case CONVERT_TEXT_TABLE: return convert_text_table(c);
    case CONVERT_BYTES_TEXT: return convert_bytes_text(c);
    case CONVERT_TEXT_BYTES: return convert_text_bytes(c);
    case CONVERT_WRAP: return convert_wrap(c);
    case CONVERT_UNWRAP: return convert_unwrap(c);
    case CONVERT_TIME_UNITS: return convert_time_units(c);
    case CONVERT_UNITS_TIME: return convert_units_time(c);
    case CONVERT_TIME_TEXT: return convert_time_text(c);
    case CONVERT_TEXT_TIME: return convert_text_time(c);
    case CONVERT_TIME_DATE: return convert_time_date(c);
    case CONVERT_DATE_TIME: return convert_date_time(c);
    case CONVERT_DATE_TEXT: return convert_date_text(c);
    case CONVERT_TEXT_DATE: return convert_text_date(c);
    case CONVERT_AMOUNT_MONEY: return convert_amount_money(c);
    case CONVERT_MONEY_AMOUNT: return convert_money_amount(c);
    case CONVERT_SCALE: return convert_scale(c);
    case CONVERT_SENTINEL: return convert_sentinel(c);
    case CONVERT_TEMPLATE: return convert_template(c);
    case CONVERT_TEMPLATE_PART: return convert_template_part(c);
    case CONVERT_FIELD_MASK: return convert_field_mask(c);
    case CONVERT_TYPE_URL: break; /* compiled to a program of its own */
    case CONVERT_SERIALIZED: return convert_serialized(c);
    case CONVERT_MEMBER: return convert_member(c);
    }
    return cannot_convert(c, "no such converter");
}

bool convert(Runner *runner, const Converter *converter, const Value *args, uint32_t n_args,
             const Loss *loss, Value *value_out, bool *set_out)
{
    Conversion c = {
        .runner = runner, .converter = converter, .args = args, .n_args = n_args, .loss = loss};
    if (!run_conversion(&c))
        return false;
    *value_out = c.value;
    *set_out = !c.absent;
    return true;
}
