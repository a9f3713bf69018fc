/* Converters between messages of known shape (wrappers, times, dates, money, masks) and plain
   values. Messages are protobuf bytes here. */
#include "adapters/run/convert.h"

#include "adapters/mapping/mask_rewrite.h"
#include "adapters/run/put.h"
#include "adapters/text/time_text.h"
#include "base/text/utf8.h"

enum { SECONDS_PER_DAY = 86400, NANOS_PER_SECOND = 1000000000 };
enum { MEMBER_ROOM = WIRE_TAG_MAX + WIRE_VARINT_MAX, MESSAGE_ROOM = 3 * MEMBER_ROOM };

/* ---- Members --------------------------------------------------------------------------------- */

static bool take_member(Conversion *c, const FieldType *field, const WireField *f, Value *value_out)
{
    if (f->number != field->number || f->type != kind_wire_type(field->kind))
        return true;
    *value_out =
        f->type == WIRE_LENGTH ? value_of_bytes(f->bytes) : value_of_wire(field->kind, f->value);
    if (!field->check_utf8 || text_is_valid(f->bytes.data, f->bytes.size))
        return true;
    wire_bad_text(c->runner);
    return false;
}

/* The same, of a message that has nothing but varints of these fields, as most do. */
static bool read_varints(Bytes message, const FieldType *const *fields, unsigned n,
                         Value *values_out)
{
    const uint8_t *at = message.data, *end = message.size ? at + message.size : at;
    memset(values_out, 0, n * sizeof(*values_out));
    while (at != end) {
        uint32_t tag = *at++; /* of one byte, or else of none of the fields */
        uint64_t raw;
        unsigned i = 0;
        while (i < n && (fields[i]->number << 3 | WIRE_VARINT) != tag)
            i++;
        if (i == n || tag >= 0x80 || kind_wire_type(fields[i]->kind) != WIRE_VARINT ||
            !(at = wire_varint(at, end, &raw)))
            return false;
        values_out[i] = value_of_wire(fields[i]->kind, raw);
    }
    return true;
}

/* Reads the last value of each of these fields of a message in one pass; zero for one that is not
   set. */
static bool read_members(Conversion *c, Bytes message, const FieldType *const *fields, unsigned n,
                         Value *values_out)
{
    if (read_varints(message, fields, n, values_out))
        return true;
    memset(values_out, 0, n * sizeof(*values_out));
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        for (unsigned i = 0; i < n; i++) {
            if (!take_member(c, fields[i], &f, &values_out[i]))
                return false;
        }
    }
    return !reader.bad ||
           run_fail(c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
}

/* The messages here have two or three fields, usually numbers: enough memory for all of them. */
static Buffer new_message(Conversion *c)
{
    Buffer message = buffer_in(c->runner->arena);
    message.data = arena_alloc(message.arena, MESSAGE_ROOM);
    message.capacity = message.data ? MESSAGE_ROOM : 0;
    return message;
}

static void write_member(Buffer *out, const FieldType *field, Value value)
{
    if (value_is_zero(field->kind, value) || !buffer_reserve(out, MEMBER_ROOM))
        return;
    uint32_t tag = field->number << 3 | kind_wire_type(field->kind);
    uint8_t *to = wire_put_varint(out->data + out->size, tag);
    bool varint = field->kind == KIND_INT64 || field->kind == KIND_INT32;
    out->size = (size_t)((varint ? wire_put_varint(to, value.u) : to) - out->data);
    if (!varint)
        put_wire_scalar(out, field->kind, value);
}

static void write_integer(Buffer *out, const FieldType *field, int64_t value)
{
    write_member(out, field, (Value){.i = value});
}

static bool give_message(Conversion *c, const Buffer *message)
{
    c->value = value_of_bytes(buffer_bytes(message));
    return !message->full || run_out_of_memory(c->runner);
}

/* ---- Wrappers -------------------------------------------------------------------------------- */

bool convert_wrap(Conversion *c)
{
    Buffer out = new_message(c);
    Value value = c->args[0];
    if (!convert_number_kind(c, c->converter->from.kind, c->converter->value->kind, &value))
        return false;
    write_member(&out, c->converter->value, value);
    return give_message(c, &out);
}

bool convert_unwrap(Conversion *c)
{
    const FieldType *member = c->converter->value;
    return read_members(c, value_bytes(c->args[0]), &member, 1, &c->value) &&
           convert_number_kind(c, member->kind, c->converter->to.kind, &c->value);
}

/* A message and a bytes field with the serialized message are the same bytes; those of a bytes
   field are checked. */
bool convert_serialized(Conversion *c)
{
    c->value = c->args[0];
    WireReader reader = wire_reader(value_bytes(c->value));
    for (WireField f; wire_next(&reader, &f);)
        continue;
    return !reader.bad || cannot_convert(c, "the bytes hold no message");
}

/* ---- Timestamp and Duration ------------------------------------------------------------------ */

static bool read_time(Conversion *c, TimeParts *time)
{
    const FieldType *const fields[] = {c->converter->seconds, c->converter->nanos};
    Value values[2];
    if (!read_members(c, value_bytes(c->args[0]), fields, 2, values))
        return false;
    *time = (TimeParts){values[0].i, (int32_t)values[1].i};
    return true;
}

static bool is_duration(ValueType type)
{
    return type.message->well_known == WELL_KNOWN_DURATION;
}

static bool in_range(ValueType type, TimeParts time)
{
    return is_duration(type) ? duration_in_range(time) : timestamp_in_range(time);
}

static bool give_time(Conversion *c, TimeParts time)
{
    Buffer out = new_message(c);
    if (!in_range(c->converter->to, time))
        return cannot_convert(c, "the time is out of range");
    write_integer(&out, c->converter->seconds, time.seconds);
    write_integer(&out, c->converter->nanos, time.nanos);
    return give_message(c, &out);
}

static bool is_floating(FieldKind kind)
{
    return kind == KIND_DOUBLE || kind == KIND_FLOAT;
}

/* Rounds towards minus infinity. */
static Wide floor_divide(Wide number, int64_t by)
{
    return number / by - (number % by < 0);
}

bool convert_time_units(Conversion *c)
{
    TimeParts time;
    int64_t unit = c->converter->unit;
    if (!read_time(c, &time))
        return false;
    if (!in_range(c->converter->from, time))
        return cannot_convert(c, "the time is out of range");
    Wide nanos = (Wide)time.seconds * NANOS_PER_SECOND + time.nanos;
    if (is_floating(c->converter->to.kind))
        return give_floating(c, nanos, (Ratio){1, unit});
    if (nanos % unit != 0 &&
        !may_round(c, "the time is finer than the version it is converted to can say"))
        return false;
    return give_whole(c, floor_divide(nanos, unit));
}

static TimeParts time_of_nanos(ValueType type, Wide nanos)
{
    Wide seconds =
        is_duration(type) ? nanos / NANOS_PER_SECOND : floor_divide(nanos, NANOS_PER_SECOND);
    if (seconds > INT64_MAX || seconds < INT64_MIN)
        return (TimeParts){INT64_MAX, 0};
    return (TimeParts){(int64_t)seconds, (int32_t)(nanos - seconds * NANOS_PER_SECOND)};
}

bool convert_units_time(Conversion *c)
{
    FieldKind from = c->converter->from.kind;
    bool negative;
    uint64_t magnitude;
    if (is_floating(from)) {
        double number = from == KIND_FLOAT ? (double)value_float(c->args[0]) : c->args[0].d;
        RatioWhole nanos;
        if (!ratio_whole(number, (Ratio){c->converter->unit, 1}, from == KIND_FLOAT, &nanos))
            return cannot_convert(c, "the time is out of range");
        count_minus_zero(c, from, c->args[0]);
        return (nanos.exact || may_round(c, "the number is finer than nanoseconds")) &&
               give_time(c, time_of_nanos(c->converter->to, nanos.nearest));
    }
    whole_number(from, c->args[0], &negative, &magnitude);
    Wide nanos = (Wide)magnitude * c->converter->unit;
    return give_time(c, time_of_nanos(c->converter->to, negative ? -nanos : nanos));
}

static bool give_text(Conversion *c, const uint8_t *text, size_t size)
{
    Bytes copy = bytes_copy(c->runner->arena, bytes(text, size));
    c->value = value_of_bytes(copy);
    return copy.data || run_out_of_memory(c->runner);
}

static Bytes write_time(uint8_t *text, ValueType type, TimeParts time)
{
    return bytes(text,
                 is_duration(type) ? duration_write(text, time) : timestamp_write(text, time));
}

bool convert_time_text(Conversion *c)
{
    TimeParts time;
    uint8_t text[TIME_TEXT_MAX];
    if (!read_time(c, &time))
        return false;
    if (!in_range(c->converter->from, time))
        return cannot_convert(c, "the time is out of range");
    return give_text(c, text, write_time(text, c->converter->from, time).size);
}

bool convert_text_time(Conversion *c)
{
    TimeParts time;
    Bytes text = value_bytes(c->args[0]);
    if (!(is_duration(c->converter->to) ? duration_read(text, &time) : timestamp_read(text, &time)))
        return cannot_convert(c, "the text is not a time");
    if (c->loss) {
        uint8_t back[TIME_TEXT_MAX];
        count_respelled(c, text, write_time(back, c->converter->to, time));
    }
    return give_time(c, time);
}

/* ---- Dates ----------------------------------------------------------------------------------- */

static bool read_date(Conversion *c, CivilDate *date)
{
    const FieldType *const fields[] = {c->converter->year, c->converter->month, c->converter->day};
    Value values[3];
    if (!read_members(c, value_bytes(c->args[0]), fields, 3, values))
        return false;
    int64_t year = values[0].i, month = values[1].i, day = values[2].i;
    bool small = year > 0 && year < 10000 && month > 0 && month < 13 && day > 0 && day < 32;
    *date = small ? (CivilDate){(int32_t)year, (int32_t)month, (int32_t)day} : (CivilDate){0, 0, 0};
    return date_is_real(*date) || cannot_convert(c, "there is no such date");
}

static bool give_date(Conversion *c, CivilDate date)
{
    Buffer out = new_message(c);
    write_integer(&out, c->converter->year, date.year);
    write_integer(&out, c->converter->month, date.month);
    write_integer(&out, c->converter->day, date.day);
    return give_message(c, &out);
}

bool convert_time_date(Conversion *c)
{
    TimeParts time;
    if (!read_time(c, &time))
        return false;
    if (!timestamp_in_range(time))
        return cannot_convert(c, "the time is out of range");
    bool whole = time.nanos == 0 && time.seconds % SECONDS_PER_DAY == 0;
    if (!whole && !may_round(c, "the time is not midnight UTC, and a date cannot say it"))
        return false;
    return give_date(c, civil_date_from_days((int64_t)floor_divide(time.seconds, SECONDS_PER_DAY)));
}

bool convert_date_time(Conversion *c)
{
    CivilDate date;
    return read_date(c, &date) &&
           give_time(c, (TimeParts){civil_date_to_days(date) * SECONDS_PER_DAY, 0});
}

bool convert_date_text(Conversion *c)
{
    CivilDate date;
    uint8_t text[TIME_TEXT_MAX];
    return read_date(c, &date) && give_text(c, text, date_write(text, date));
}

bool convert_text_date(Conversion *c)
{
    CivilDate date;
    return date_read(value_bytes(c->args[0]), &date) ? give_date(c, date)
                                                     : cannot_convert(c, "the text is not a date");
}

/* ---- Money: {units, nanos}, both with the same sign ------------------------------------------ */

bool convert_amount_money(Conversion *c)
{
    const Converter *by = c->converter;
    Buffer out = new_message(c);
    bool negative;
    uint64_t amount;
    whole_number(by->from.kind, c->args[0], &negative, &amount);
    uint64_t units = amount / (uint64_t)by->unit, parts = amount % (uint64_t)by->unit;
    uint64_t nanos = parts * (uint64_t)(NANOS_PER_SECOND / by->unit);
    Value units_value, nanos_value;
    if (!number_of_kind(by->units->kind, negative && units, units, &units_value) ||
        !number_of_kind(by->nanos->kind, negative && nanos, nanos, &nanos_value))
        return cannot_convert(c, "the amount is out of range");
    if (by->currency && c->n_args > 1)
        write_member(&out, by->currency, c->args[1]);
    write_member(&out, by->units, units_value);
    write_member(&out, by->nanos, nanos_value);
    return give_message(c, &out);
}

bool convert_money_amount(Conversion *c)
{
    const Converter *by = c->converter;
    const FieldType *const fields[] = {by->units, by->nanos};
    Value values[2];
    if (!read_members(c, value_bytes(c->args[0]), fields, 2, values))
        return false;
    int64_t units = values[0].i, nanos = values[1].i;
    if (nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND || (units > 0 && nanos < 0) ||
        (units < 0 && nanos > 0))
        return cannot_convert(c, "the amount of money is not valid");
    int64_t nanos_per_part = NANOS_PER_SECOND / by->unit;
    if (nanos % nanos_per_part != 0 &&
        !may_round(c, "the amount is finer than the version it is converted to can say"))
        return false;
    return give_whole(c, (Wide)units * by->unit + nanos / nanos_per_part);
}

/* ---- Field masks ----------------------------------------------------------------------------- */

static bool refuse_mask(Conversion *c, MaskFate fate, const MaskRewrite *rewrite)
{
    Arena *arena = c->runner->arena;
    Bytes path = bytes_cut_text(rewrite->path, 80);
    if (fate == MASK_MALFORMED)
        return run_fail(c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    if (fate == MASK_TOO_LONG)
        return run_fail(c->runner, &FAULT_MESSAGE_TOO_LARGE, "a field mask with more than %d paths",
                        MASK_REWRITE_MOST);
    if (!utf8_valid(path))
        return cannot_convert(c, "a path that is no text");
    if (fate == MASK_NO_FIELD)
        return cannot_convert(c, arena_printf(arena, "the path %.*s names no field of %s",
                                              BYTES_ARGS(path), c->converter->mapping->from->name));
    if (fate == MASK_NO_COUNTERPART)
        return cannot_convert(
            c, arena_printf(arena, "the path %.*s has no place in the version it is converted to",
                            BYTES_ARGS(path)));
    return cannot_convert(c,
                          arena_printf(arena,
                                       "the path %.*s names only a part of what becomes %s in the "
                                       "version it is converted to: name %s",
                                       BYTES_ARGS(path), rewrite->whole, rewrite->instead));
}

bool convert_field_mask(Conversion *c)
{
    const Converter *by = c->converter;
    MaskRewrite rewrite;
    c->value = c->args[0];
    if (by->mapping->identity)
        return true;
    MaskFate fate =
        mask_rewrite(c->runner->arena, by->mapping, value_bytes(c->args[0]), by->widen, &rewrite);
    if (rewrite.paths.full)
        return run_out_of_memory(c->runner);
    if (fate != MASK_OK)
        return refuse_mask(c, fate, &rewrite);
    if (rewrite.widened)
        count_loss(c);
    c->value = value_of_bytes(buffer_bytes(&rewrite.paths));
    return true;
}
