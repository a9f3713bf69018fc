/* The named converters: which pairs of types each fits, and its parameters. */
#include "adapters/changes/change_list.h"
#include "adapters/paths/field_mask.h"

/* The types that one end of a converter may have. */
typedef enum Shape {
    SHAPE_NUMBER, /* integers and floats */
    SHAPE_INTEGER,
    SHAPE_BOOL,
    SHAPE_ENUM,
    SHAPE_STRING,
    SHAPE_BYTES,
    SHAPE_TIMESTAMP,
    SHAPE_TIME,  /* Timestamp or Duration */
    SHAPE_DATE,  /* year, month, day */
    SHAPE_MONEY, /* units, nanos */
    SHAPE_WRAPPER,
    SHAPE_SCALAR,
    SHAPE_MESSAGE,
    SHAPE_MASK,
} Shape;

/* `first` and `second` may be at either end; `there` converts first to second, `back` the
   reverse. */
typedef struct Form {
    const char *name;
    Shape first, second;
    ConverterCode there, back;
    int64_t unit;
} Form;

enum { SECOND = 1000000000 };

static const Form forms[] = {
    {"number", SHAPE_NUMBER, SHAPE_NUMBER, CONVERT_NUMBER, CONVERT_NUMBER, 0},
    {"number", SHAPE_NUMBER, SHAPE_BOOL, CONVERT_NUMBER, CONVERT_NUMBER, 0},
    {"number", SHAPE_INTEGER, SHAPE_ENUM, CONVERT_NUMBER, CONVERT_NUMBER, 0},
    {"scale", SHAPE_NUMBER, SHAPE_NUMBER, CONVERT_SCALE, CONVERT_SCALE, 0},
    {"text", SHAPE_NUMBER, SHAPE_STRING, CONVERT_NUMBER_TEXT, CONVERT_TEXT_NUMBER, 0},
    {"text", SHAPE_BOOL, SHAPE_STRING, CONVERT_NUMBER_TEXT, CONVERT_TEXT_NUMBER, 0},
    {"enum", SHAPE_ENUM, SHAPE_ENUM, CONVERT_ENUM, CONVERT_ENUM, 0},
    {"enum_name", SHAPE_ENUM, SHAPE_STRING, CONVERT_ENUM_TEXT, CONVERT_TEXT_ENUM, 0},
    {"text_table", SHAPE_STRING, SHAPE_STRING, CONVERT_TEXT_TABLE, CONVERT_TEXT_TABLE, 0},
    {"flag", SHAPE_BOOL, SHAPE_ENUM, CONVERT_BOOL_ENUM, CONVERT_BOOL_ENUM, 0},
    {"utf8", SHAPE_BYTES, SHAPE_STRING, CONVERT_BYTES_TEXT, CONVERT_TEXT_BYTES, 0},
    {"base64", SHAPE_BYTES, SHAPE_STRING, CONVERT_BYTES_TEXT, CONVERT_TEXT_BYTES, 0},
    {"hex", SHAPE_BYTES, SHAPE_STRING, CONVERT_BYTES_TEXT, CONVERT_TEXT_BYTES, 0},
    {"wrapper", SHAPE_SCALAR, SHAPE_WRAPPER, CONVERT_WRAP, CONVERT_UNWRAP, 0},
    {"nanoseconds", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 1},
    {"microseconds", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 1000},
    {"milliseconds", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 1000000},
    {"seconds", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, SECOND},
    {"minutes", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 60LL * SECOND},
    {"hours", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 3600LL * SECOND},
    {"days", SHAPE_TIME, SHAPE_NUMBER, CONVERT_TIME_UNITS, CONVERT_UNITS_TIME, 86400LL * SECOND},
    {"time_text", SHAPE_TIME, SHAPE_STRING, CONVERT_TIME_TEXT, CONVERT_TEXT_TIME, 0},
    {"date", SHAPE_TIMESTAMP, SHAPE_DATE, CONVERT_TIME_DATE, CONVERT_DATE_TIME, 0},
    {"date_text", SHAPE_DATE, SHAPE_STRING, CONVERT_DATE_TEXT, CONVERT_TEXT_DATE, 0},
    {"units_to_money", SHAPE_INTEGER, SHAPE_MONEY, CONVERT_AMOUNT_MONEY, CONVERT_MONEY_AMOUNT, 1},
    {"cents_to_money", SHAPE_INTEGER, SHAPE_MONEY, CONVERT_AMOUNT_MONEY, CONVERT_MONEY_AMOUNT, 100},
    {"mills_to_money", SHAPE_INTEGER, SHAPE_MONEY, CONVERT_AMOUNT_MONEY, CONVERT_MONEY_AMOUNT,
     1000},
    {"micros_to_money", SHAPE_INTEGER, SHAPE_MONEY, CONVERT_AMOUNT_MONEY, CONVERT_MONEY_AMOUNT,
     1000000},
    {"nanos_to_money", SHAPE_INTEGER, SHAPE_MONEY, CONVERT_AMOUNT_MONEY, CONVERT_MONEY_AMOUNT,
     1000000000},
    {"serialized", SHAPE_MESSAGE, SHAPE_BYTES, CONVERT_SERIALIZED, CONVERT_SERIALIZED, 0},
    {"field_mask", SHAPE_MASK, SHAPE_MASK, CONVERT_FIELD_MASK, CONVERT_FIELD_MASK, 0},
    {"message", SHAPE_MESSAGE, SHAPE_MESSAGE, CONVERT_SERIALIZED, CONVERT_SERIALIZED, 0},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

bool converter_exists(Bytes name)
{
    for (size_t i = 0; i < N_FORMS; i++) {
        if (bytes_are(name, forms[i].name))
            return true;
    }
    return false;
}

/* ---- Which types a shape takes --------------------------------------------------------------- */

static const FieldType *integer_member(const MessageType *message, const char *name)
{
    const FieldType *field = message_field(message, bytes_of(name));
    return field && !field->repeated && kind_is_integer(field->kind) ? field : NULL;
}

static const FieldType *text_member(const MessageType *message, const char *name)
{
    const FieldType *field = message_field(message, bytes_of(name));
    return field && !field->repeated && field->kind == KIND_STRING ? field : NULL;
}

static bool is_message(ValueType type)
{
    return type.kind == KIND_MESSAGE || type.kind == KIND_GROUP;
}

static bool shape_takes(Shape shape, ValueType type)
{
    WellKnown known = is_message(type) ? type.message->well_known : WELL_KNOWN_NONE;
    switch (shape) {
    case SHAPE_NUMBER: return kind_is_number(type.kind);
    case SHAPE_INTEGER: return kind_is_integer(type.kind);
    case SHAPE_BOOL: return type.kind == KIND_BOOL;
    case SHAPE_ENUM: return type.kind == KIND_ENUM;
    case SHAPE_STRING: return type.kind == KIND_STRING;
    case SHAPE_BYTES: return type.kind == KIND_BYTES;
    case SHAPE_TIMESTAMP: return known == WELL_KNOWN_TIMESTAMP;
    case SHAPE_TIME: return known == WELL_KNOWN_TIMESTAMP || known == WELL_KNOWN_DURATION;
    case SHAPE_DATE:
        return is_message(type) && integer_member(type.message, "year") &&
               integer_member(type.message, "month") && integer_member(type.message, "day");
    case SHAPE_MONEY:
        return is_message(type) && integer_member(type.message, "units") &&
               integer_member(type.message, "nanos");
    case SHAPE_WRAPPER: return known == WELL_KNOWN_WRAPPER;
    case SHAPE_SCALAR: return !is_message(type) && type.kind != KIND_ENUM;
    case SHAPE_MESSAGE: return is_message(type);
    case SHAPE_MASK: return known == WELL_KNOWN_FIELD_MASK;
    }
    return false;
}

/* A wrapper fits the kind that it wraps, and a wrapper of a number fits any kind of number. */
static bool wraps(ValueType scalar, ValueType wrapper)
{
    ValueType wrapped = value_type_of(&wrapper.message->fields[0]);
    return wrapped.kind == scalar.kind ||
           (shape_takes(SHAPE_NUMBER, wrapped) && shape_takes(SHAPE_NUMBER, scalar));
}

/* 1: `a` is the first; -1: `b` is; 0: it does not fit. */
static int form_fits(const Form *form, ValueType a, ValueType b)
{
    int way = shape_takes(form->first, a) && shape_takes(form->second, b)   ? 1
              : shape_takes(form->first, b) && shape_takes(form->second, a) ? -1
                                                                            : 0;
    if (way && form->second == SHAPE_WRAPPER)
        return wraps(way > 0 ? a : b, way > 0 ? b : a) ? way : 0;
    return way;
}

/* ---- Problems -------------------------------------------------------------------------------- */

static const char *type_in_words(const ChangeSide *side, const FieldType *field, Arena *arena)
{
    ValueType type = value_type_of(field);
    const char *name = type.message       ? side_name(side, type.message->full_name)
                       : type.enumeration ? side_name(side, type.enumeration->full_name)
                                          : field_kind_name(type.kind);
    if (field->map) {
        ValueType value = value_type_element(field);
        name = value.message       ? side_name(side, value.message->full_name)
               : value.enumeration ? side_name(side, value.enumeration->full_name)
                                   : field_kind_name(value.kind);
        return arena_printf(arena, "a map of %s", name);
    }
    return field->repeated ? arena_printf(arena, "a list of %s", name) : name;
}

/* The hint if there is no conversion between the two. */
static const char *say_replaced(ChangeList *list, const FieldPath *old, const FieldPath *new_one)
{
    if (strcmp(old->text, new_one->text) == 0)
        return arena_printf(list->arena,
                            "no converter fits: write %s: [{removed: graceful}, {added: graceful}]",
                            old->text);
    return arena_printf(
        list->arena, "no converter fits: write %s: {removed: graceful} and %s: {added: graceful}",
        old->text, new_one->text);
}

/* "write a: {to: b, by: seconds | time_text}" */
static const char *say_converter(ChangeList *list, const FieldChange *change, ValueType a,
                                 ValueType b)
{
    Buffer names = buffer_in(list->arena);
    for (size_t i = 0; i < N_FORMS; i++) {
        if (form_fits(&forms[i], a, b))
            buffer_printf(&names, names.size ? " | %s" : "%s", forms[i].name);
    }
    const FieldPath *old = &change->ends[OLD].paths[0], *new_one = &change->ends[NEW].paths[0];
    if (!names.size)
        return say_replaced(list, old, new_one);
    buffer_add_byte(&names, 0);
    if (strcmp(old->text, new_one->text) == 0)
        return arena_printf(list->arena, "write %s: {by: %s}", old->text, (const char *)names.data);
    return arena_printf(list->arena, "write %s: {to: %s, by: %s}", old->text, new_one->text,
                        (const char *)names.data);
}

static void tell_types(ChangeList *list, FieldChange *change, const char *path, const char *hint,
                       const char *reason)
{
    const FieldType *old = path_field(&change->ends[OLD].paths[0]);
    const FieldType *new_field = path_field(&change->ends[NEW].paths[0]);
    change_problem(list, change->place, path, hint, "%s: it is %s in %s and %s in %s", reason,
                   type_in_words(&list->sides[OLD], old, list->arena), list->sides[OLD].version,
                   type_in_words(&list->sides[NEW], new_field, list->arena),
                   list->sides[NEW].version);
}

static void types_clash(ChangeList *list, FieldChange *change, const char *path, ValueType a,
                        ValueType b, const char *reason)
{
    tell_types(list, change, path, say_converter(list, change, a, b), reason);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static const JsonNode *parameter(const FieldChange *change, const char *name)
{
    return change->node && change->node->kind == JSON_OBJECT ? json_member(change->node, name)
                                                             : NULL;
}

static void find_members(Converter *converter)
{
    ValueType side = is_message(converter->to) ? converter->to : converter->from;
    if (!is_message(side))
        return;
    const MessageType *message = side.message;
    converter->value = message->well_known == WELL_KNOWN_WRAPPER ? &message->fields[0] : NULL;
    converter->seconds = integer_member(message, "seconds");
    converter->nanos = integer_member(message, "nanos");
    converter->units = integer_member(message, "units");
    converter->currency = text_member(message, "currency_code");
    if (!converter->currency)
        converter->currency = text_member(message, "currency");
    /* TIME_DATE has messages at both ends: the date is the one that has a year. */
    if (!integer_member(message, "year") && is_message(converter->from))
        message = converter->from.message;
    converter->year = integer_member(message, "year");
    converter->month = integer_member(message, "month");
    converter->day = integer_member(message, "day");
    if (converter->code == CONVERT_DATE_TIME || converter->code == CONVERT_TIME_DATE) {
        bool to_time = converter->code == CONVERT_DATE_TIME;
        const MessageType *time = to_time ? converter->to.message : converter->from.message;
        converter->seconds = integer_member(time, "seconds");
        converter->nanos = integer_member(time, "nanos");
    }
}

static bool read_round(ChangeList *list, FieldChange *change, Converter *converter,
                       const char *path)
{
    const JsonNode *node = parameter(change, "round");
    if (!node)
        return true;
    converter->round = bytes_are(node->text, "graceful");
    if (converter->round || bytes_are(node->text, "loud"))
        return true;
    change_problem(list, *yaml_place(&list->document, node), path, NULL,
                   "expected loud or graceful");
    return false;
}

static bool read_scale(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path)
{
    const JsonNode *times = parameter(change, "times"), *over = parameter(change, "divided_by");
    uint64_t factor;
    const JsonNode *said = times ? times : over;
    if (times && over) {
        change_problem(list, *yaml_place(&list->document, over), path,
                       "write times: 1000, or divided_by: 1000",
                       "times and divided_by exclude each other");
        return false;
    }
    if (!said || !bytes_to_u64(said->text, &factor) || factor == 0 || factor > INT64_MAX) {
        change_problem(list, change->place, path, "write {by: scale, times: 1000} or divided_by",
                       "scale needs a whole number to multiply with or to divide by");
        return false;
    }
    int64_t up = times ? (int64_t)factor : 1, down = times ? 1 : (int64_t)factor;
    to_new->numerator = to_old->denominator = up;
    to_new->denominator = to_old->numerator = down;
    return true;
}

static bool check_currency(ChangeList *list, FieldChange *change, const Converter *converter,
                           const char *path)
{
    bool said = change->currency || change->ends[OLD].currency.n_steps ||
                change->ends[NEW].currency.n_steps;
    const FieldPath *old = &change->ends[OLD].paths[0], *new_one = &change->ends[NEW].paths[0];
    if (converter->currency && (path_field(old)->repeated || path_field(new_one)->repeated)) {
        change_problem(list, change->place, path, say_replaced(list, old, new_one),
                       "only a single amount can have a currency, not those of a list or a map");
        return false;
    }
    if (said == (converter->currency != NULL))
        return true;
    change_problem(list, change->place, path,
                   said ? NULL : "write currency: EUR, or currency: with the field that has it",
                   said ? "the message has no field for a currency"
                        : "the message has a currency, and the list does not say which");
    return false;
}

static bool read_parameters(ChangeList *list, FieldChange *change, const Form *form,
                            Converter *to_old, Converter *to_new, const char *path)
{
    Converter *both[2] = {to_old, to_new};
    for (int end = 0; end < 2; end++) {
        both[end]->unit = form->unit;
        if (form->there == CONVERT_BYTES_TEXT)
            both[end]->format = form->name;
        find_members(both[end]);
        if (!read_round(list, change, both[end], path))
            return false;
    }
    if (form->there == CONVERT_SCALE)
        return read_scale(list, change, to_old, to_new, path);
    if (form->there == CONVERT_ENUM_TEXT)
        return change_enum_texts(list, change, to_old, to_new, path);
    if (form->there == CONVERT_TEXT_TABLE)
        return change_text_table(list, change, to_old, to_new, path);
    if (form->there == CONVERT_BOOL_ENUM)
        return change_flag_values(list, change, to_old, to_new, path);
    if (form->there == CONVERT_AMOUNT_MONEY)
        return check_currency(list, change, to_new, path);
    return true;
}

/* Which converters each parameter belongs to: one that would have no effect is reported. */
static const struct {
    const char *name;
    const char *of[12];
} parameters[] = {
    {"times", {"scale"}},
    {"divided_by", {"scale"}},
    {"values", {"enum_name", "text_table", "flag"}},
    {"others", {"enum_name", "text_table", "flag"}},
    {"ignore_case", {"enum_name", "text_table"}},
    {"currency",
     {"units_to_money", "cents_to_money", "mills_to_money", "micros_to_money", "nanos_to_money"}},
    {"round",
     {"scale", "nanoseconds", "microseconds", "milliseconds", "seconds", "minutes", "hours", "days",
      "date"}},
};

static bool takes_parameter(size_t at, const char *by)
{
    if (strcmp(parameters[at].name, "round") == 0 && takes_parameter(at - 1, by))
        return true; /* money is rounded, too: the row before lists its converters */
    for (size_t i = 0; by && i < 12 && parameters[at].of[i]; i++) {
        if (strcmp(parameters[at].of[i], by) == 0)
            return true;
    }
    return false;
}

static void check_parameters(ChangeList *list, const FieldChange *change, const char *path)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const JsonNode *said = parameter(change, parameters[i].name);
        if (said && !takes_parameter(i, change->by))
            change_problem(
                list, *yaml_place(&list->document, said), path, NULL,
                change->by ? "%s does not go with by: %s"
                           : "%s is a parameter of converters, and the change names no converter",
                parameters[i].name, change->by);
    }
}

/* ---- The choice ------------------------------------------------------------------------------ */

static void set_pair(ChangeList *list, FieldChange *change, const Form *form, int way, ValueType a,
                     ValueType b, const char *path)
{
    Converter *to_old = arena_make(list->arena, Converter),
              *to_new = arena_make(list->arena, Converter);
    *to_new = (Converter){
        .code = way > 0 ? form->there : form->back, .from = a, .to = b, .name = form->name};
    *to_old = (Converter){
        .code = way > 0 ? form->back : form->there, .from = b, .to = a, .name = form->name};
    if (!read_parameters(list, change, form, to_old, to_new, path))
        return;
    change->convert[OLD] = to_old;
    change->convert[NEW] = to_new;
}

static const Form number_form = {"number",       SHAPE_NUMBER,   SHAPE_NUMBER,
                                 CONVERT_NUMBER, CONVERT_NUMBER, 0};

static void set_enum(ChangeList *list, FieldChange *change, ValueType a, ValueType b)
{
    EnumPair *pair = enum_pair(list, a.enumeration, b.enumeration);
    enum_pair_build(list, pair);
    change->convert[OLD] = pair->convert[OLD];
    change->convert[NEW] = pair->convert[NEW];
}

static void set_mask(ChangeList *list, FieldChange *change, ValueType a, ValueType b,
                     const char *path)
{
    const FieldType *mask = path_field(&change->ends[OLD].paths[0]);
    const MessageType *subject = change->mask_of ? change->mask_of : field_mask_subject(mask);
    const MessageType *counterpart = subject ? message_counterpart(list, OLD, subject) : NULL;
    if (!counterpart) {
        change_problem(
            list, change->place, path,
            arena_printf(list->arena, "write %s: {of: MESSAGE}", change->ends[OLD].paths[0].text),
            "the list does not say whose fields this mask names");
        return;
    }
    MessagePair *pair = message_pair(list, subject, counterpart);
    for (int end = 0; end < 2; end++) {
        Converter *converter = arena_make(list->arena, Converter);
        *converter = (Converter){.code = CONVERT_FIELD_MASK,
                                 .from = end == NEW ? a : b,
                                 .to = end == NEW ? b : a,
                                 .name = "field_mask",
                                 .widen = change->wider == DROP_COUNTED,
                                 .mapping = pair->mappings[end]};
        change->convert[end] = converter;
    }
}

static void set_any(ChangeList *list, FieldChange *change, ValueType a, ValueType b)
{
    for (int end = 0; end < 2; end++) {
        Converter *converter = arena_make(list->arena, Converter);
        *converter = (Converter){.code = CONVERT_TYPE_URL,
                                 .from = end == NEW ? a : b,
                                 .to = end == NEW ? b : a,
                                 .name = "any"};
        change->convert[end] = converter;
    }
}

static void choose_messages(ChangeList *list, FieldChange *change, ValueType a, ValueType b,
                            const char *path)
{
    if (a.message->well_known == WELL_KNOWN_FIELD_MASK &&
        b.message->well_known == WELL_KNOWN_FIELD_MASK)
        set_mask(list, change, a, b, path);
    else if (a.message->well_known == WELL_KNOWN_ANY && b.message->well_known == WELL_KNOWN_ANY)
        set_any(list, change, a, b);
    else if (message_counterpart(list, OLD, a.message) == b.message)
        change->pair = message_pair(list, a.message, b.message);
    else
        types_clash(list, change, path, a, b, "the types differ");
}

static void choose_automatic(ChangeList *list, FieldChange *change, ValueType a, ValueType b,
                             const char *path)
{
    bool integers = kind_is_integer(a.kind) && kind_is_integer(b.kind);
    bool floats = kind_is_float(a.kind) && kind_is_float(b.kind);
    if (is_message(a) && is_message(b))
        choose_messages(list, change, a, b, path);
    else if (a.kind == KIND_ENUM && b.kind == KIND_ENUM &&
             enum_counterpart(list, OLD, a.enumeration) == b.enumeration)
        set_enum(list, change, a, b);
    else if (a.kind == KIND_ENUM || b.kind == KIND_ENUM)
        types_clash(list, change, path, a, b, "the types differ");
    else if (a.kind != b.kind && (integers || floats))
        set_pair(list, change, &number_form, 1, a, b, path);
    else if (a.kind != b.kind)
        types_clash(list, change, path, a, b, "the types differ");
}

/* False, and a problem is reported, if there is no converter of this name. */
static bool check_name(ChangeList *list, FieldChange *change, const char *path)
{
    if (!change->by || converter_exists(bytes_of(change->by)))
        return true;
    const char *words[N_FORMS];
    for (size_t i = 0; i < N_FORMS; i++)
        words[i] = forms[i].name;
    const char *near = nearest_word(bytes_of(change->by), words, N_FORMS);
    ValueType a = value_type_element(path_field(&change->ends[OLD].paths[0]));
    ValueType b = value_type_element(path_field(&change->ends[NEW].paths[0]));
    change_problem(list, change->place, path,
                   near ? arena_printf(list->arena, "did you mean %s?", near)
                        : say_converter(list, change, a, b),
                   "there is no converter %s", change->by);
    return false;
}

static void choose_named(ChangeList *list, FieldChange *change, ValueType a, ValueType b,
                         const char *path)
{
    for (size_t i = 0; i < N_FORMS; i++) {
        int way = form_fits(&forms[i], a, b);
        if (!way || strcmp(forms[i].name, change->by) != 0)
            continue;
        if (forms[i].second == SHAPE_MASK)
            set_mask(list, change, a, b, path);
        else if (strcmp(change->by, "message") == 0)
            change->pair = message_pair(list, a.message, b.message);
        else if (strcmp(change->by, "enum") == 0)
            set_enum(list, change, a, b);
        else
            set_pair(list, change, &forms[i], way, a, b, path);
        return;
    }
    types_clash(list, change, path, a, b, arena_printf(list->arena, "%s does not fit", change->by));
}

/* The hint for a map at one end only: a list of messages can become a map by one of their
   fields. */
static const char *say_keyed(ChangeList *list, const FieldChange *change, const FieldType *old,
                             const FieldType *new_field)
{
    const FieldPath *from = &change->ends[OLD].paths[0], *to = &change->ends[NEW].paths[0];
    const FieldType *other = old->map ? new_field : old;
    if (old->map == new_field->map || !other->repeated || !other->message)
        return say_replaced(list, from, to);
    return strcmp(from->text, to->text) == 0
               ? arena_printf(list->arena, "write %s: {key: FIELD, duplicates: loud}", from->text)
               : arena_printf(list->arena, "write %s: {to: %s, key: FIELD, duplicates: loud}",
                              from->text, to->text);
}

/* A list can become a single value, and the reverse, with `more`. Map keys are not converted. */
static bool check_lists(ChangeList *list, FieldChange *change, const FieldType *old,
                        const FieldType *new_field, const char *path)
{
    if (old->map != new_field->map ||
        (old->map && value_type_of(message_field_by_number(old->message, 1)).kind !=
                         value_type_of(message_field_by_number(new_field->message, 1)).kind)) {
        tell_types(list, change, path, say_keyed(list, change, old, new_field),
                   "a map and its keys cannot be converted");
        return false;
    }
    if (old->repeated == new_field->repeated || change->more)
        return true;
    change_problem(
        list, change->place, path,
        strcmp(change->ends[OLD].paths[0].text, change->ends[NEW].paths[0].text) == 0
            ? arena_printf(list->arena, "write %s: {more: loud}", change->ends[OLD].paths[0].text)
            : arena_printf(list->arena, "write %s: {to: %s, more: loud}",
                           change->ends[OLD].paths[0].text, change->ends[NEW].paths[0].text),
        "it is one value in %s and a list in %s: say what becomes of more than one",
        list->sides[old->repeated ? NEW : OLD].version,
        list->sides[old->repeated ? OLD : NEW].version);
    return false;
}

void change_choose_converter(ChangeList *list, FieldChange *change, const char *path)
{
    const FieldType *old = path_field(&change->ends[OLD].paths[0]);
    const FieldType *new_field = path_field(&change->ends[NEW].paths[0]);
    if (check_lists(list, change, old, new_field, path))
        change_choose_for_elements(list, change, path);
}

void change_choose_for_elements(ChangeList *list, FieldChange *change, const char *path)
{
    const FieldType *old = path_field(&change->ends[OLD].paths[0]);
    const FieldType *new_field = path_field(&change->ends[NEW].paths[0]);
    if (!check_name(list, change, path))
        return;
    ValueType a = value_type_element(old), b = value_type_element(new_field);
    a.repeated = b.repeated = false;
    check_parameters(list, change, path);
    if (change->by)
        choose_named(list, change, a, b, path);
    else
        choose_automatic(list, change, a, b, path);
    if (change->wider && (!shape_takes(SHAPE_MASK, a) || !shape_takes(SHAPE_MASK, b)))
        change_problem(list, *yaml_place(&list->document, parameter(change, "wider")), path, NULL,
                       "wider is said of a field mask");
}
