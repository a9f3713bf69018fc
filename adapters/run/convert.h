/*
 * Converters: shared by convert.c, convert_text.c and convert_message.c.
 *
 * Each reads its arguments and returns one value; messages are protobuf bytes.
 */
#ifndef ADAPTERS_CONVERT_H
#define ADAPTERS_CONVERT_H

#include "adapters/run/runner.h"
#include "adapters/text/ratio.h"

typedef struct Conversion {
    Runner *runner;
    const Converter *converter;
    const Value *args;
    uint32_t n_args;
    const Loss *loss; /* counted if a value is truncated or falls back; or NULL */
    Value value;      /* the result */
    bool absent;      /* there is no result */
} Conversion;

/* Records that the value has no counterpart. Always false. */
bool cannot_convert(Conversion *c, const char *why);

void count_loss(Conversion *c);

/* A number of any kind, without loss, as a decimal of at most 64 bits; false when it is not whole
   or too large. */
bool whole_number(FieldKind kind, Value value, bool *negative_out, uint64_t *magnitude_out);

/* The same back: false when the kind cannot hold it. */
bool number_of_kind(FieldKind kind, bool negative, uint64_t magnitude, Value *value_out);

/* Counts -0.0, which becomes a zero without a sign. */
void count_minus_zero(Conversion *c, FieldKind kind, Value value);

/* *value, a number of one kind, as one of another, in place. False: it does not fit. */
bool convert_number_kind(Conversion *c, FieldKind from, FieldKind to, Value *value);

/* Gives a whole number, or one in nanoseconds, as a floating one of the converter's target. What
   does not come back as the same number is refused, or counted where the converter may round. */
bool give_floating(Conversion *c, Wide number, Ratio ratio);

/* Gives a whole number of the converter's target. */
bool give_whole(Conversion *c, Wide number);

/* Whether the converter may round, which is counted. False: it is refused. */
bool may_round(Conversion *c, const char *why);

/* Counts a text for which another one comes back. */
void count_respelled(Conversion *c, Bytes text, Bytes back);

/* convert_text.c */
bool convert_number_text(Conversion *c);
bool convert_text_number(Conversion *c);
bool convert_bytes_text(Conversion *c);
bool convert_text_bytes(Conversion *c);
bool convert_template(Conversion *c);
bool convert_template_part(Conversion *c);

/* convert_message.c */
bool convert_wrap(Conversion *c);
bool convert_unwrap(Conversion *c);
bool convert_time_units(Conversion *c);
bool convert_units_time(Conversion *c);
bool convert_time_text(Conversion *c);
bool convert_text_time(Conversion *c);
bool convert_time_date(Conversion *c);
bool convert_date_time(Conversion *c);
bool convert_date_text(Conversion *c);
bool convert_text_date(Conversion *c);
bool convert_amount_money(Conversion *c);
bool convert_money_amount(Conversion *c);
bool convert_serialized(Conversion *c);
bool convert_field_mask(Conversion *c);

/* convert_member.c */
bool convert_member(Conversion *c);

#endif
