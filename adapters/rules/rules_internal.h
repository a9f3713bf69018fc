/* The data of FieldRules: a tree of the messages in which a field has a rule. */
#ifndef ADAPTERS_RULES_INTERNAL_H
#define ADAPTERS_RULES_INTERNAL_H

#include "adapters/mapping/expr.h"
#include "adapters/rules/rules.h"
#include "adapters/text/time_text.h"

enum {
    RULES_MOST = 32,     /* fields with a rule, or on the way to one, in one message */
    RULE_STEPS_MOST = 16 /* fields of a path */
};

/* What bounds are compared with. */
typedef enum Measure {
    MEASURE_NOTHING,
    MEASURE_NUMBER,
    MEASURE_TIME, /* Timestamp, Duration */
    MEASURE_CHARACTERS,
    MEASURE_BYTES,
    MEASURE_ELEMENTS,
} Measure;

typedef struct Bound {
    const char *text; /* as it is written; NULL: there is none */
    Literal value;    /* of lengths in `u` */
    TimeParts time;
    Bytes record; /* `clamp`: the field with this value; of a message its content */
} Bound;

typedef struct FieldRule {
    const FieldType *field;
    bool required, clamp;
    Measure measure;
    Bound least, most;
    const Literal *one_of;
    uint32_t n_one_of;
    const char *one_of_text; /* "RED, GREEN" */
    bool has_default;
    const char *default_text;
    Bytes otherwise;    /* the default: records of the field; of one message its content */
    FieldRules *inside; /* of the message in it; or NULL */
} FieldRule;

/* Of one message. The other members of a oneof are there too, without a demand: each one unsets the
   others. */
struct FieldRules {
    FieldRule *fields; /* in the order of the config */
    uint32_t n;
    uint8_t by_number[64]; /* index + 1 of fields with small numbers */
};

/* The rule of the field with this number; -1: there is none. */
static inline int rules_find(const FieldRules *rules, uint32_t number)
{
    if (number < sizeof rules->by_number)
        return rules->by_number[number] - 1;
    for (uint32_t i = 0; i < rules->n; i++) {
        if (rules->fields[i].field->number == number)
            return (int)i;
    }
    return -1;
}

/* Whether the rule is about one message, and not about each of a list or map. */
static inline bool rule_is_of_one_message(const FieldType *field)
{
    return field->message && !field->repeated;
}

/* rules.c: what several of the others need. */

/* Whether it is more than a step on the way to others. */
bool rule_demands(const FieldRule *rule);
uint64_t rule_characters(Bytes text);

/* The time in the content of a Timestamp or Duration. False: it is malformed. */
bool rule_time(Bytes message, TimeParts *time_out);
bool number_is_less(FieldKind kind, Literal a, Literal b); /* also false for NaN */
bool time_is_less(TimeParts a, TimeParts b);

#endif
