/* Defaults of proto2: finds fields whose default differs between the two versions, so that an unset
   field would change its value. */
#include "adapters/changes/change_list.h"

static bool has_default(const FieldType *field)
{
    return field_default(field).data != NULL;
}

static double as_double(const Literal *value, FieldKind kind)
{
    return kind_is_float(kind)      ? value->d
           : kind_is_unsigned(kind) ? (double)value->u
                                    : (double)value->i;
}

static const EnumEntry *entry_of(const Converter *converter, int64_t number)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == number)
            return &converter->entries[i];
    }
    return NULL;
}

/* The source field's default, converted to the target field's type. False if its value at the
   target cannot be determined. */
static bool converted_default(const FieldChange *change, int to, Literal *value_out)
{
    const FieldType *from = path_field(&change->ends[!to].paths[0]);
    const FieldType *target = path_field(&change->ends[to].paths[0]);
    const Converter *converter = change->convert[to];
    if (!literal_of_default(from, value_out))
        return false;
    if (!converter)
        return from->kind == target->kind;
    if (converter->code == CONVERT_ENUM) {
        const EnumEntry *entry = entry_of(converter, value_out->i);
        value_out->i = entry ? entry->to : value_out->i;
        return entry != NULL;
    }
    if (converter->code != CONVERT_NUMBER)
        return false;
    double number = as_double(value_out, from->kind);
    if (kind_is_float(target->kind) && !kind_is_float(from->kind))
        value_out->d = number;
    else if (kind_is_float(from->kind) && !kind_is_float(target->kind))
        return false;
    return true;
}

static bool is_plain(const FieldChange *change)
{
    for (int end = 0; end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        if (e->n_paths != 1 || e->template || e->when.n_steps || path_field(&e->paths[0])->repeated)
            return false;
    }
    return !change->select;
}

/* The value as it is written in a list: "5", "RED"; "..." for bytes. */
static const char *value_text(ChangeList *list, const Literal *value, const FieldType *field)
{
    Buffer text = buffer_in(list->arena);
    if (field->kind == KIND_BYTES)
        return "...";
    literal_print(&text, value, value_type_of(field));
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

static const char *default_text(ChangeList *list, const FieldType *field)
{
    Literal value;
    return literal_of_default(field, &value) ? value_text(list, &value, field) : "...";
}

/* Whether an unset field would be read as another value at this end, and the list specifies nothing
   for it. */
static bool is_misread(const FieldChange *change, int to, Literal *value_out, bool *known_out)
{
    const ChangeEnd *from = &change->ends[!to], *e = &change->ends[to];
    const FieldType *target = path_field(&e->paths[0]);
    Literal own;
    *known_out = converted_default(change, to, value_out);
    if (e->missing != MISSING_UNSAID || e->has_sentinel || from->has_sentinel ||
        from->zero_is_set || path_field(&from->paths[0])->required)
        return false;
    bool same = *known_out && literal_of_default(target, &own) &&
                literal_equal(value_out, &own, value_type_of(target));
    return !same;
}

void change_check_default(ChangeList *list, const FieldChange *change, const char *path)
{
    if (!is_plain(change))
        return;
    const FieldType *ends[2] = {path_field(&change->ends[OLD].paths[0]),
                                path_field(&change->ends[NEW].paths[0])};
    if (ends[OLD]->message || ends[NEW]->message ||
        (!has_default(ends[OLD]) && !has_default(ends[NEW])))
        return;
    Buffer said = buffer_in(list->arena);
    const char *const words[2] = {"optional", "required"};
    for (int to = NEW; to >= OLD; to--) {
        Literal value;
        bool known;
        if (is_misread(change, to, &value, &known))
            buffer_printf(&said, "%s%s: %s", said.size ? ", " : "", words[to],
                          known ? value_text(list, &value, ends[to]) : "...");
    }
    if (!said.size)
        return;
    const char *old = change->ends[OLD].paths[0].text, *is = change->ends[NEW].paths[0].text;
    const char *moved = strcmp(old, is) == 0 ? "" : arena_printf(list->arena, "to: %s, ", is);
    change_problem(list, change->place, path,
                   arena_printf(list->arena, "write %s: {%s%.*s}, or graceful for a value", old,
                                moved, BYTES_ARGS(buffer_bytes(&said))),
                   "the default is %s in %s and %s in %s, and the list does not say what an unset "
                   "field becomes",
                   default_text(list, ends[OLD]), list->sides[OLD].version,
                   default_text(list, ends[NEW]), list->sides[NEW].version);
}
