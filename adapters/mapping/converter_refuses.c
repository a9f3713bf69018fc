/* Which converters can refuse values, so that the loss report lists every possible error. */
#include "adapters/mapping/expr.h"

static const char *out_of_range(FieldKind from, FieldKind to)
{
    return number_narrows(from, to) ? "out of range is an error" : NULL;
}

static const EnumEntry *entry_of(const Converter *converter, int32_t number)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == number)
            return &converter->entries[i];
    }
    return NULL;
}

/* Whether `to` has a name for a number that has no name in `from`. Such a number is an error, not
   kept as unknown. */
static bool names_more(const EnumType *to, const EnumType *from)
{
    for (uint32_t i = 0; i < to->n_values; i++) {
        if (!enum_value_by_number(from, to->values[i].number))
            return true;
    }
    return false;
}

const char *converter_lacks_numbers(const Converter *converter)
{
    const EnumType *from = converter->from.enumeration;
    if (from->closed || (converter->keep_unknown && !names_more(converter->to.enumeration, from)))
        return NULL;
    return converter->keep_unknown ? "a number that only the other version has a name for"
                                   : "a number without a name";
}

/* Named values that are errors are reported by name; this is for the other numbers. */
static const char *refused_by_number(const Converter *converter)
{
    if (converter->has_fallback || !converter_lacks_numbers(converter))
        return NULL;
    return converter->keep_unknown
               ? "a number that only the other version has a name for is an error"
               : "a number without a name is an error";
}

static const char *refused_as_flag(const Converter *converter)
{
    const EnumType *from = converter->from.enumeration;
    bool all = converter->has_fallback || !from || from->closed;
    for (uint32_t i = 0; all && from && !converter->has_fallback && i < from->n_values; i++)
        all = entry_of(converter, from->values[i].number);
    return all ? NULL : "another value is an error";
}

static const char *refused_as_amount(const Converter *converter)
{
    /* A uint64 divided by the unit fits into 64 bits. */
    bool wide = converter->unit > 1 && !number_narrows(KIND_INT64, converter->units->kind);
    return wide ? NULL : out_of_range(converter->from.kind, converter->units->kind);
}

static const char *refused_by_scale(const Converter *converter)
{
    FieldKind from = converter->from.kind, to = converter->to.kind;
    bool divided = converter->numerator == 1 && converter->round && !kind_is_float(from);
    if (kind_is_float(from) && kind_is_float(to))
        return converter->numerator > 1 || number_narrows(from, to) ? "out of range is an error"
                                                                    : NULL;
    if (kind_is_float(to))
        return number_narrows(from, to) && !converter->round
                   ? "more digits than it can hold are an error"
                   : NULL;
    if (divided && !number_narrows(from, to))
        return NULL;
    return "what does not fit is an error";
}

const char *converter_refuses(const Converter *converter)
{
    FieldKind from = converter->from.kind, to = converter->to.kind;
    bool text = converter->format && strcmp(converter->format, "utf8") == 0;
    switch (converter->code) {
    case CONVERT_NUMBER: return out_of_range(from, to);
    case CONVERT_WRAP: return out_of_range(from, converter->value->kind);
    case CONVERT_UNWRAP: return out_of_range(converter->value->kind, to);
    case CONVERT_SCALE: return refused_by_scale(converter);
    case CONVERT_ENUM:
    case CONVERT_ENUM_TEXT: return refused_by_number(converter);
    case CONVERT_TEXT_ENUM:
    case CONVERT_TEXT_TABLE:
        return converter->has_fallback   ? NULL
               : converter->keep_unknown ? "a text that means another there is an error"
                                         : "another text is an error";
    case CONVERT_BOOL_ENUM: return refused_as_flag(converter);
    case CONVERT_TEXT_NUMBER: return "a text that is no such value is an error";
    case CONVERT_BYTES_TEXT: return text ? "bytes that are no text are an error" : NULL;
    case CONVERT_TEXT_BYTES: return text ? NULL : "a text that is none is an error";
    case CONVERT_TIME_UNITS:
    case CONVERT_TIME_DATE:
    case CONVERT_MONEY_AMOUNT: return "what does not fit is an error";
    case CONVERT_UNITS_TIME:
        return kind_is_float(from) && !converter->round ? "what does not fit is an error"
                                                        : "out of range is an error";
    case CONVERT_TIME_TEXT: return "out of range is an error";
    case CONVERT_TEXT_TIME: return "a text that is no time is an error";
    case CONVERT_DATE_TIME:
    case CONVERT_DATE_TEXT:
    case CONVERT_TEXT_DATE: return "what is no date is an error";
    case CONVERT_AMOUNT_MONEY: return refused_as_amount(converter);
    case CONVERT_TEMPLATE: return "what does not match it is an error";
    case CONVERT_TEMPLATE_PART: return "what does not match it is an error";
    case CONVERT_FIELD_MASK:
        return converter->mapping->identity ? NULL
               : converter->widen           ? "a path without a counterpart is an error"
                                  : "a path without a counterpart, or of a part, is an error";
    case CONVERT_SERIALIZED:
        return from == KIND_BYTES ? "bytes that hold no message are an error" : NULL;
    case CONVERT_NUMBER_TEXT:
    case CONVERT_SENTINEL:
    case CONVERT_TYPE_URL: /* its content has lines of its own */
    case CONVERT_MEMBER: return NULL;
    }
    return NULL;
}

static bool merges(const Converter *converter)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].merges)
            return true;
    }
    return false;
}

#define TOO_SMALL "a number too near to zero becomes zero"

/* What a number loses on the way to another kind. */
static const char *lost_of_number(FieldKind from, FieldKind to)
{
    if (kind_is_float(from) && !kind_is_float(to))
        return "-0 becomes 0";
    return from == KIND_DOUBLE && to == KIND_FLOAT ? TOO_SMALL : NULL;
}

const char *converter_drops(const Converter *converter)
{
    FieldKind from = converter->from.kind, to = converter->to.kind;
    switch (converter->code) {
    case CONVERT_ENUM: return merges(converter) ? "values that become the same one" : NULL;
    case CONVERT_TEXT_TABLE: return merges(converter) ? "texts that become the same one" : NULL;
    case CONVERT_NUMBER: return lost_of_number(from, to);
    case CONVERT_SCALE:
        return kind_is_float(from) && kind_is_float(to) && converter->denominator > 1
                   ? TOO_SMALL
                   : lost_of_number(from, to);
    case CONVERT_UNITS_TIME: return kind_is_float(from) ? "-0 becomes 0" : NULL;
    case CONVERT_WRAP: return lost_of_number(from, converter->value->kind);
    case CONVERT_UNWRAP: return lost_of_number(converter->value->kind, to);
    default: return NULL;
    }
}

/* A text of the table that is not the one which comes back for its value. */
static bool has_other_texts(const Converter *converter)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        const EnumEntry *entry = &converter->entries[i];
        if (!entry->merges && !bytes_equal(entry->text, entry->back))
            return true;
    }
    return false;
}

bool converter_respells(const Converter *converter)
{
    switch (converter->code) {
    case CONVERT_TEXT_NUMBER: return converter->to.kind != KIND_BOOL;
    case CONVERT_TEXT_BYTES: return strcmp(converter->format, "utf8") != 0;
    case CONVERT_TEXT_TIME: return true;
    case CONVERT_TEXT_ENUM:
    case CONVERT_TEXT_TABLE: return converter->ignore_case || has_other_texts(converter);
    default: return false;
    }
}
