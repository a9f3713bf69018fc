/* Templates: one text composed of several parts, which are texts or integers. A part that only one
   version's template has is written as the value in the list; on the way back it is lost, and if it
   has another value, that is counted or an error. */
#include "adapters/changes/change_list.h"

/* ---- Names, fields, parts -------------------------------------------------------------------- */

const TemplatePart *change_part(const FieldChange *change, Bytes name)
{
    for (uint32_t i = 0; i < change->n_parts; i++) {
        if (bytes_equal(change->parts[i].name, name))
            return &change->parts[i];
    }
    return NULL;
}

uint32_t change_part_field(const FieldChange *change, const Template *template, uint32_t name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < name; i++)
        n += !change_part(change, template->names[i]);
    return n;
}

static bool has_name(const Template *template, Bytes name)
{
    for (uint32_t i = 0; template && i < template->n_names; i++) {
        if (bytes_equal(template->names[i], name))
            return true;
    }
    return false;
}

/* "{project}, {topic}" */
static const char *names_text(ChangeList *list, const FieldChange *change, const Template *template)
{
    Buffer text = buffer_in(list->arena);
    for (uint32_t i = 0; i < template->n_names; i++) {
        if (!change_part(change, template->names[i]))
            buffer_printf(&text, text.size ? ", {%.*s}" : "{%.*s}", BYTES_ARGS(template->names[i]));
    }
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

static uint32_t name_index(const Template *template, Bytes name)
{
    uint32_t i = 0;
    while (i + 1 < template->n_names && !bytes_equal(template->names[i], name))
        i++;
    return i;
}

/* Whether splitting a composed text gives this part's value again. */
static bool comes_back(ChangeList *list, const Template *template, const TemplatePart *part)
{
    uint32_t index = name_index(template, part->name);
    Bytes behind = template->literals[index + 1];
    if (index + 1 == template->n_names)
        return true; /* the last part reaches to the end */
    Buffer text = buffer_in(list->arena);
    buffer_add_bytes(&text, part->value);
    buffer_add_bytes(&text, behind);
    for (size_t at = 0; at < part->value.size; at++) {
        if (bytes_equal(bytes_slice(buffer_bytes(&text), at, behind.size), behind))
            return false;
    }
    return true;
}

/* Checks a part that the other end does not have. */
static void check_part(ChangeList *list, const FieldChange *change, const TemplatePart *part,
                       const char *path)
{
    const Template *old = change->ends[OLD].template, *new_one = change->ends[NEW].template;
    bool in_old = has_name(old, part->name), in_new = has_name(new_one, part->name);
    const Template *template = in_old ? old : new_one;
    if (in_old == in_new) {
        change_problem(list, change->place, path, NULL,
                       in_old ? "{%.*s} is in both templates" : "no template has a part {%.*s}",
                       BYTES_ARGS(part->name));
    } else if (in_old != (part->end == OLD)) {
        const char *hint =
            arena_printf(list->arena,
                         in_old ? "write {removed: graceful, back: \"%.*s\"}, or loud"
                                : "write {added: \"%.*s\", back: graceful}, or loud",
                         BYTES_ARGS(part->value));
        change_problem(list, part->place, path, hint, "{%.*s} is only in the template of %s",
                       BYTES_ARGS(part->name), list->sides[in_old ? OLD : NEW].version);
    } else if (!comes_back(list, template, part)) {
        change_problem(list, part->place, path, NULL,
                       "\"%.*s\" would end {%.*s} early: \"%.*s\" follows it in the template",
                       BYTES_ARGS(part->value), BYTES_ARGS(part->name),
                       BYTES_ARGS(template->literals[name_index(template, part->name) + 1]));
    }
}

static void check_parts(ChangeList *list, const FieldChange *change, const char *path)
{
    for (uint32_t i = 0; i < change->n_parts; i++)
        check_part(list, change, &change->parts[i], path);
}

/* Between two templates, parts that only one has must be in the list. */
static void check_two(ChangeList *list, const FieldChange *change, int end, const char *path)
{
    const Template *one = change->ends[end].template, *other = change->ends[!end].template;
    for (uint32_t i = 0; i < one->n_names; i++) {
        Bytes name = one->names[i];
        if (!has_name(other, name) && !change_part(change, name))
            change_problem(list, change->place, path,
                           arena_printf(list->arena, "write parts: {%.*s: {%s}}", BYTES_ARGS(name),
                                        end == OLD ? "removed: graceful, back: ..." : "added: ..."),
                           "{%.*s} is only in one of the two templates", BYTES_ARGS(name));
    }
}

static bool is_number(const FieldType *field)
{
    return !field->repeated && kind_is_integer(field->kind);
}

static bool is_part(const FieldType *field)
{
    return !field->repeated && (field->kind == KIND_STRING || kind_is_integer(field->kind));
}

/* ---- Which field is which part --------------------------------------------------------------- */

/* A part has the name of its field, or the whole path where two fields have one name. */
static bool is_called(const FieldPath *path, Bytes name)
{
    return bytes_are(name, path->text) || bytes_are(name, path_field(path)->name);
}

static uint32_t count_called(const ChangeEnd *fields, Bytes name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n_paths; i++)
        n += is_called(&fields->paths[i], name);
    return n;
}

/* "{project_id} in place of {project}": a name that a field has, and no part. */
static const char *name_hint(ChangeList *list, const Template *template, const ChangeEnd *fields,
                             Bytes name)
{
    const char **words = arena_array(list->arena, const char *, fields->n_paths + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n_paths; i++) {
        const FieldPath *path = &fields->paths[i];
        const char *word = count_called(fields, bytes_of(path_field(path)->name)) > 1
                               ? path->text
                               : path_field(path)->name;
        if (!has_name(template, bytes_of(word)))
            words[n++] = word;
    }
    const char *near = nearest_word(name, words, n);
    return n ? arena_printf(list->arena, "write {%s} in place of {%.*s}", near ? near : words[0],
                            BYTES_ARGS(name))
             : NULL;
}

/* Puts the fields in the order of the parts that have their names. */
static void bind_fields(ChangeList *list, FieldChange *change, int parts, const char *path)
{
    const Template *template = change->ends[!parts].template;
    ChangeEnd *fields = &change->ends[parts];
    FieldPath *bound = arena_array(list->arena, FieldPath, fields->n_paths + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < template->n_names; i++) {
        Bytes name = template->names[i];
        if (change_part(change, name))
            continue;
        if (count_called(fields, name) != 1) {
            change_problem(list, change->place, path, name_hint(list, template, fields, name),
                           count_called(fields, name)
                               ? "several fields have the name of the part {%.*s}"
                               : "no field has the name of the part {%.*s}",
                           BYTES_ARGS(name));
            return;
        }
        uint32_t k = 0;
        while (!is_called(&fields->paths[k], name))
            k++;
        bound[n++] = fields->paths[k];
    }
    fields->paths = bound;
}

/* Whether some part has presence or cannot be zero, so that an unset template can be recognized. */
static bool has_witness(const ChangeEnd *fields)
{
    for (uint32_t i = 0; i < fields->n_paths; i++) {
        const FieldType *field = path_field(&fields->paths[i]);
        if (!is_number(field) || field->presence)
            return true;
    }
    return false;
}

static void check_fields(ChangeList *list, FieldChange *change, int parts, const char *path)
{
    const Template *template = change->ends[!parts].template;
    const ChangeEnd *fields = &change->ends[parts];
    uint32_t n = change_part_field(change, template, template->n_names);
    if (fields->n_paths != n)
        change_problem(list, change->place, path,
                       arena_printf(list->arena, "write %s: with a field for each of %s",
                                    parts == NEW ? "to" : "from",
                                    names_text(list, change, template)),
                       "the template has %u names, and %u fields are given", n, fields->n_paths);
    else if (!has_witness(fields))
        change_problem(list, change->place, path, NULL,
                       "all parts are integers without presence, so zeros and an unset template "
                       "cannot be told apart");
    else
        bind_fields(list, change, parts, path);
}

void change_check_template(ChangeList *list, FieldChange *change, const char *path)
{
    const Template *old = change->ends[OLD].template, *new_one = change->ends[NEW].template;
    for (int end = 0; end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        for (uint32_t i = 0; i < e->n_paths; i++) {
            const FieldType *field = path_field(&e->paths[i]);
            bool fits =
                e->template ? !field->repeated && field->kind == KIND_STRING : is_part(field);
            if (fits)
                continue;
            change_problem(list, change->place, path, NULL,
                           e->template ? "a template is of a single string"
                                       : "the parts of a template are single strings or integers");
            return;
        }
    }
    check_parts(list, change, path);
    if (!old || !new_one) {
        check_fields(list, change, old ? NEW : OLD, path);
        return;
    }
    check_two(list, change, OLD, path);
    check_two(list, change, NEW, path);
}

/* ---- Expressions ----------------------------------------------------------------------------- */

static const ValueType text_type = {.kind = KIND_STRING};

static const Expr *split(Making *m, const Template *template, uint32_t part, const Expr *text)
{
    Converter *converter = arena_make(m->arena, Converter);
    *converter = (Converter){.code = CONVERT_TEMPLATE_PART,
                             .from = text_type,
                             .to = text_type,
                             .name = "template",
                             .template_parts = template->literals,
                             .n_variables = template->n_names,
                             .part = part};
    return expr_convert(m->arena, converter, text, NULL);
}

static const Expr *number_step(Making *m, ConverterCode code, ValueType from, ValueType to,
                               const Expr *value, const Loss *loss)
{
    Converter *converter = arena_make(m->arena, Converter);
    *converter = (Converter){.code = code, .from = from, .to = to, .name = "text"};
    return expr_convert(m->arena, converter, value, loss);
}

/* The first field that is set whenever the template is. */
static const Expr *witness(Making *m, const ChangeEnd *fields)
{
    for (uint32_t i = 0; i < fields->n_paths; i++) {
        const FieldType *field = path_field(&fields->paths[i]);
        if (!is_number(field) || field->presence)
            return making_field(m, &fields->paths[i]);
    }
    return NULL;
}

/* A field as the text of a part; an integer without presence is 0 if another part is set. */
static const Expr *field_text(Making *m, const ChangeEnd *fields, uint32_t which)
{
    const FieldPath *path = &fields->paths[which];
    const FieldType *field = path_field(path);
    const Expr *value = making_field(m, path);
    if (!is_number(field))
        return value;
    if (field_is_implicit(field)) {
        const Expr *zero = expr_const(m->arena, value_type_of(field), (Literal){0}, NULL);
        value = expr_default(m->arena, value, expr_when(m->arena, zero, witness(m, fields), NULL),
                             NULL);
    }
    return number_step(m, CONVERT_NUMBER_TEXT, value_type_of(field), text_type, value, NULL);
}

/* A part that only this end has is given if the others are set. */
static const Expr *said_part(Making *m, const FieldChange *change, const TemplatePart *part)
{
    const ChangeEnd *from = &change->ends[!m->to];
    const Expr *text = expr_const(m->arena, text_type, (Literal){.bytes = part->value}, NULL);
    const Expr *there = from->template ? making_field(m, &from->paths[0]) : witness(m, from);
    return expr_when(m->arena, text, there, NULL);
}

static const Expr *composed(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    const Template *template = change->ends[m->to].template;
    const Expr **args = arena_array(m->arena, const Expr *, template->n_names);
    for (uint32_t i = 0; i < template->n_names; i++) {
        const TemplatePart *part = change_part(change, template->names[i]);
        args[i] = part ? said_part(m, change, part)
                  : from->template
                      ? split(m, from->template, name_index(from->template, template->names[i]),
                              making_field(m, &from->paths[0]))
                      : field_text(m, from, change_part_field(change, template, i));
    }
    Converter *converter = arena_make(m->arena, Converter);
    *converter = (Converter){.code = CONVERT_TEMPLATE,
                             .from = text_type,
                             .to = text_type,
                             .name = "template",
                             .template_parts = template->literals,
                             .n_variables = template->n_names};
    return expr_convert_many(m->arena, converter, args, template->n_names);
}

const Expr *making_template(Making *m, const FieldChange *change, uint32_t which)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    if (to->template)
        return composed(m, change);
    uint32_t name = 0;
    while (change_part(change, from->template->names[name]) ||
           change_part_field(change, from->template, name) < which)
        name++;
    const Expr *part = split(m, from->template, name, making_field(m, &from->paths[0]));
    const FieldType *target = path_field(&to->paths[which]);
    return is_number(target)
               ? number_step(m, CONVERT_TEXT_NUMBER, text_type, value_type_of(target), part,
                             making_loss(m, change, LOSS_RESPELLED, false, RESPELLED_HOW))
               : part;
}

void making_template_guards(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    for (uint32_t i = 0; from->template && i < change->n_parts; i++) {
        const TemplatePart *part = &change->parts[i];
        if (!has_name(from->template, part->name))
            continue;
        bool loud = part->drop == DROP_LOUD;
        const char *how = arena_printf(m->arena, "{%.*s}, unless it is the value that comes back",
                                       BYTES_ARGS(part->name));
        making_guard(
            m, (Guard){.source = split(m, from->template, name_index(from->template, part->name),
                                       making_field(m, &from->paths[0])),
                       .loud = loud,
                       .has_ignored = true,
                       .ignored = {.bytes = part->value},
                       .loss = making_loss(m, change, LOSS_DROPPED, loud, how)});
    }
}
