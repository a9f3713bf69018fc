#include "adapters/prove/oracle_internal.h"

/* The values at a path, or the result of an expression. */
typedef struct Found {
    TreeValue *values;
    uint32_t n;
    bool list; /* of a repeated field */
} Found;

static Result cannot(Oracle *o, const FieldPath *path, const char *why)
{
    return FAIL_FIELD(o->arena, FAULT_CANNOT_CONVERT, path->text, "%s: %s", path->text, why);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static Found get(Oracle *o, const Tree *tree, const FieldPath *path)
{
    for (uint32_t i = 0; i + 1 < path->n_steps; i++) {
        TreeField *field = tree_field(tree, path->steps[i]);
        if (!field->n)
            return (Found){.list = path_field(path)->repeated};
        tree = field->values[0].message;
    }
    TreeField *field = tree_field(tree, path_field(path));
    Found found = {arena_array(o->arena, TreeValue, field->n + 1), field->n,
                   path_field(path)->repeated};
    for (uint32_t i = 0; i < field->n; i++)
        found.values[i] = field->values[i];
    return found;
}

static Tree *make_parents(Oracle *o, Tree *tree, const FieldPath *path)
{
    for (uint32_t i = 0; i + 1 < path->n_steps; i++) {
        TreeField *field = tree_field(tree, path->steps[i]);
        if (!field->n)
            tree_put(o->arena, tree, path->steps[i],
                     (TreeValue){.message = tree_new(o->arena, path->steps[i]->message)});
        tree = field->values[0].message;
    }
    return tree;
}

static void put(Oracle *o, Tree *tree, const FieldPath *path, const Found *found)
{
    const FieldType *field = path_field(path);
    bool stored = false;
    for (uint32_t i = 0; i < found->n; i++)
        stored |= !field_is_implicit(field) ||
                  !literal_is_zero(&found->values[i].plain, value_type_of(field));
    if (!stored)
        return;
    Tree *parent = make_parents(o, tree, path);
    for (uint32_t i = 0; i < found->n; i++)
        tree_put(o->arena, parent, field, found->values[i]);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static Found one(Oracle *o, TreeValue value)
{
    Found found = {arena_array(o->arena, TreeValue, 1), 1, false};
    found.values[0] = value;
    return found;
}

static bool implicit_zero(const FieldPath *path, const Found *found)
{
    return !found->n && field_is_implicit(path_field(path));
}

static Result convert_one(Oracle *o, const FieldChange *change, const TreeValue *from,
                          TreeValue *to, bool *absent)
{
    *absent = false;
    o->part = path_field(&change->ends[!o->to].paths[0])->name;
    if (change->pair)
        return oracle_pair(o, change->pair, from->message, &to->message);
    if (change->convert[o->to])
        return oracle_value(o, change->convert[o->to], from, to, absent);
    *to = *from;
    return OK;
}

/* Converts a map's entry: the key is kept, the value is converted; a missing one is zero. */
static Result convert_entry(Oracle *o, const FieldChange *change, const Tree *from,
                            const MessageType *to_type, TreeValue *to)
{
    const FieldType *key = message_field_by_number(from->type, 1),
                    *value = message_field_by_number(from->type, 2);
    const FieldType *to_key = message_field_by_number(to_type, 1),
                    *to_value = message_field_by_number(to_type, 2);
    Tree *entry = tree_new(o->arena, to_type);
    TreeValue before = {0}, after = {0};
    bool absent = false;
    if (tree_field(from, value)->n)
        before = tree_field(from, value)->values[0];
    else if (value->message)
        before.message = tree_new(o->arena, value->message);
    Result r = convert_one(o, change, &before, &after, &absent);
    if (failed(r))
        return r;
    if (tree_field(from, key)->n)
        tree_put(o->arena, entry, to_key, tree_field(from, key)->values[0]);
    if (!absent)
        tree_put(o->arena, entry, to_value, after);
    tree_fill_entry(o->arena, entry);
    to->message = entry;
    return OK;
}

static Result convert_all(Oracle *o, const FieldChange *change, const FieldType *target,
                          Found *found)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < found->n; i++) {
        TreeValue to = {0};
        bool absent = false;
        Result r = target->map && found->list
                       ? convert_entry(o, change, found->values[i].message, target->message, &to)
                       : convert_one(o, change, &found->values[i], &to, &absent);
        if (failed(r))
            return r;
        if (!absent)
            found->values[n++] = to;
    }
    found->n = n;
    return OK;
}

/* An unset enum is zero, which may become another number. */
static void keep_zero(Oracle *o, const FieldChange *change, Found *found)
{
    const Converter *converter = change->convert[o->to];
    const FieldPath *from = &change->ends[!o->to].paths[0];
    if (!converter || !implicit_zero(from, found) ||
        (converter->code != CONVERT_ENUM && converter->code != CONVERT_BOOL_ENUM))
        return;
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == 0 && converter->entries[i].to != 0)
            *found = one(o, (TreeValue){.plain = {.i = converter->entries[i].to}});
    }
}

static Result take_sentinel(Oracle *o, const ChangeEnd *from, Found *found)
{
    ValueType type = value_type_of(path_field(&from->paths[0]));
    bool zero_counts =
        from->zero_is_set || (from->has_sentinel && !literal_is_zero(&from->sentinel, type));
    if (zero_counts && implicit_zero(&from->paths[0], found))
        *found = one(o, (TreeValue){0});
    if (from->has_sentinel && found->n &&
        literal_equal(&found->values[0].plain, &from->sentinel, type))
        found->n = 0;
    return OK;
}

/* An unset kind counts as zero. */
static bool when_holds(Oracle *o, const ChangeEnd *from, const Tree *tree)
{
    if (!from->when.n_steps)
        return true;
    Found found = get(o, tree, &from->when);
    ValueType type = value_type_of(path_field(&from->when));
    Literal zero = {0};
    if (!found.n)
        return literal_equal(&zero, &from->when_value, type);
    return literal_equal(&found.values[0].plain, &from->when_value, type);
}

/* If the currency is set, an unset amount is zero. */
static bool has_currency(Oracle *o, const FieldChange *change, const Tree *tree)
{
    const Converter *converter = change->convert[o->to];
    const FieldPath *currency = &change->ends[!o->to].currency;
    return converter && converter->code == CONVERT_AMOUNT_MONEY && currency->n_steps &&
           get(o, tree, currency).n;
}

/* Whether the message that the field is alone in is there, and so is the field. */
static bool is_boxed(Oracle *o, const MessagePair *pair, const FieldChange *change,
                     const Tree *tree)
{
    FieldPath box;
    return change_box(pair, change, !o->to, &box) && get(o, tree, &box).n;
}

static bool is_given(Oracle *o, const MessagePair *pair, const FieldChange *change,
                     const Tree *tree)
{
    return get(o, tree, &change->ends[!o->to].paths[0]).n || is_boxed(o, pair, change, tree);
}

static bool means_another(const MessagePair *pair, int end, const FieldPath *path,
                          const Found *found)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        const ChangeEnd *e = &other->ends[end];
        if (other->mark && e->n_paths && !path_field(path)->message &&
            path_equal(&e->paths[0], path) &&
            literal_equal(&found->values[0].plain, &other->mark->value,
                          value_type_of(path_field(path))))
            return true;
    }
    return false;
}

static Result plain_value(Oracle *o, const MessagePair *pair, const FieldChange *change,
                          const Tree *tree, Found *found)
{
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    const FieldType *target = path_field(&to->paths[0]);
    *found = get(o, tree, &from->paths[0]);
    if (implicit_zero(&from->paths[0], found) &&
        (has_currency(o, change, tree) || is_boxed(o, pair, change, tree)))
        *found = one(o, (TreeValue){0});
    Result r = take_sentinel(o, from, found);
    if (!failed(r) && found->n && !found->list &&
        means_another(pair, !o->to, &from->paths[0], found))
        found->n = 0;
    if (failed(r))
        return r;
    if (found->list && !target->repeated && found->n > 1) {
        if (change->more == DROP_LOUD)
            return cannot(o, &from->paths[0], "more than one");
        found->n = 1;
    }
    found->list &= target->repeated;
    r = convert_all(o, change, target, found);
    if (failed(r))
        return r;
    keep_zero(o, change, found);
    if (to->has_sentinel && !found->n)
        *found = one(o, (TreeValue){.plain = to->sentinel});
    if (!when_holds(o, from, tree))
        found->n = 0;
    return OK;
}

/* ---- Templates, selections, money ------------------------------------------------------------ */

static bool match_template(const Template *template, Bytes text, Bytes *parts)
{
    if (!bytes_equal(bytes_slice(text, 0, template->literals[0].size), template->literals[0]))
        return false;
    text = bytes_slice(text, template->literals[0].size, text.size);
    for (uint32_t i = 0; i < template->n_names; i++) {
        Bytes behind = template->literals[i + 1];
        size_t end = 0;
        if (i + 1 == template->n_names) {
            if (text.size < behind.size)
                return false;
            end = text.size - behind.size;
            if (!bytes_equal(bytes_slice(text, end, behind.size), behind))
                return false;
        } else {
            while (end < text.size && !bytes_equal(bytes_slice(text, end, behind.size), behind))
                end++;
            if (end == text.size)
                return false;
        }
        if (!end)
            return false; /* a part must not be empty */
        parts[i] = bytes_slice(text, 0, end);
        text = bytes_slice(text, end + behind.size, text.size);
    }
    return true;
}

/* Whether splitting the composed text gives the same parts again. */
static bool comes_apart_again(Oracle *o, const Template *template, Bytes text, const Bytes *parts)
{
    Bytes *again = arena_array(o->arena, Bytes, template->n_names);
    if (!match_template(template, text, again))
        return false;
    for (uint32_t i = 0; i < template->n_names; i++) {
        if (!bytes_equal(again[i], parts[i]))
            return false;
    }
    return true;
}

static Bytes part_text(Oracle *o, const FieldPath *path, const TreeValue *value)
{
    FieldKind kind = path_field(path)->kind;
    if (kind == KIND_STRING)
        return value->plain.bytes;
    return bytes_of(kind_is_unsigned(kind)
                        ? arena_printf(o->arena, "%llu", (unsigned long long)value->plain.u)
                        : arena_printf(o->arena, "%lld", (long long)value->plain.i));
}

/* Parts with a value in the list, and integers without presence, are set if another part is. */
static void fill_parts(Oracle *o, const FieldChange *change, const Template *template, Bytes *parts)
{
    const ChangeEnd *from = &change->ends[!o->to];
    for (uint32_t i = 0; i < template->n_names; i++) {
        const TemplatePart *said = change_part(change, template->names[i]);
        const FieldType *field =
            said || from->template
                ? NULL
                : path_field(&from->paths[change_part_field(change, template, i)]);
        if (said)
            parts[i] = said->value;
        else if (!parts[i].data && field && field->kind != KIND_STRING && field_is_implicit(field))
            parts[i] = bytes_of("0");
    }
}

/* The parts of the source, by the names of `template`. */
static Result variables(Oracle *o, const FieldChange *change, const Tree *tree,
                        const Template *names, Bytes *parts, bool *any)
{
    const ChangeEnd *from = &change->ends[!o->to];
    *any = false;
    for (uint32_t i = 0; !from->template && i < names->n_names; i++) {
        if (change_part(change, names->names[i]))
            continue;
        const FieldPath *path = &from->paths[change_part_field(change, names, i)];
        Found found = get(o, tree, path);
        if (found.n)
            parts[i] = part_text(o, path, &found.values[0]);
        if (found.n && !parts[i].data)
            parts[i] = bytes_of("");
        *any |= found.n > 0;
    }
    if (!from->template)
        return OK;
    Found found = get(o, tree, &from->paths[0]);
    if (!found.n)
        return OK;
    Bytes *own = arena_array(o->arena, Bytes, from->template->n_names);
    if (!match_template(from->template, found.values[0].plain.bytes, own))
        return cannot(o, &from->paths[0], "it does not match its template");
    for (uint32_t k = 0; k < from->template->n_names; k++) {
        const TemplatePart *said = change_part(change, from->template->names[k]);
        if (said && said->drop == DROP_LOUD && !bytes_equal(own[k], said->value))
            return cannot(o, &from->paths[0], "a part would be lost");
        for (uint32_t i = 0; i < names->n_names; i++) {
            if (bytes_equal(names->names[i], from->template->names[k]))
                parts[i] = own[k];
        }
    }
    *any = true;
    return OK;
}

/* The part of one field. */
static Result give_part(Oracle *o, const FieldChange *change, uint32_t which, const Bytes *parts,
                        Found *found)
{
    const Template *template = change->ends[!o->to].template;
    const FieldType *target = path_field(&change->ends[o->to].paths[which]);
    uint32_t name = 0;
    bool absent;
    while (change_part(change, template->names[name]) ||
           change_part_field(change, template, name) < which)
        name++;
    TreeValue text = {.plain = {.bytes = parts[name]}}, value = text;
    Converter number = {.code = CONVERT_TEXT_NUMBER, .to = value_type_of(target), .name = "text"};
    Result r = target->kind == KIND_STRING ? OK : oracle_value(o, &number, &text, &value, &absent);
    *found = one(o, value);
    return r;
}

/* Whether the first part that has presence or is a text is set. */
static bool is_witnessed(Oracle *o, const FieldChange *change, const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to];
    for (uint32_t i = 0; !from->template && i < from->n_paths; i++) {
        const FieldType *field = path_field(&from->paths[i]);
        if (field->kind == KIND_STRING || field->presence)
            return get(o, tree, &from->paths[i]).n;
    }
    return true;
}

static Result template_value(Oracle *o, const FieldChange *change, uint32_t which, const Tree *tree,
                             Found *found)
{
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    const Template *names = to->template ? to->template : from->template;
    Bytes *parts = arena_array(o->arena, Bytes, names->n_names);
    bool any;
    *found = (Found){0};
    for (uint32_t i = 0; i < names->n_names; i++)
        parts[i] = BYTES_NONE;
    Result r = variables(o, change, tree, names, parts, &any);
    if (failed(r) || !any)
        return r;
    if (!to->template)
        return give_part(o, change, which, parts, found);
    if (is_witnessed(o, change, tree))
        fill_parts(o, change, names, parts);
    Buffer text = buffer_in(o->arena);
    for (uint32_t i = 0; i < names->n_names; i++) {
        if (!parts[i].data)
            return cannot(o, &to->paths[0], "only a part of its template is there");
        buffer_add_bytes(&text, names->literals[i]);
        buffer_add_bytes(&text, parts[i]);
    }
    buffer_add_bytes(&text, names->literals[names->n_names]);
    if (!comes_apart_again(o, names, buffer_bytes(&text), parts))
        return cannot(o, &to->paths[0], "its parts would not come back");
    *found = one(o, (TreeValue){.plain = {.bytes = buffer_bytes(&text)}});
    return OK;
}

static bool is_zero(const FieldPath *path, const TreeValue *value)
{
    ValueType type = value_type_of(path_field(path));
    return !type.message && !type.repeated && literal_is_zero(&value->plain, type);
}

/* Whether the alternative is set; with `means`, whether the field has that value. */
static bool is_there(Oracle *o, const Selection *select, uint32_t which, const Tree *tree)
{
    const FieldPath *path = &select->paths[which];
    Found found = get(o, tree, path);
    if (!select->equals || path_field(path)->message)
        return found.n;
    Literal zero = {0};
    bool unset = !found.n && !implicit_zero(path, &found);
    return !unset && literal_equal(found.n ? &found.values[0].plain : &zero, &select->equals[which],
                                   value_type_of(path_field(path)));
}

/* The alternative that is set; select->n: none. With UNUSED_ZERO, one that is not zero takes
   precedence. */
static uint32_t chosen(Oracle *o, const Selection *select, const Tree *tree)
{
    uint32_t first = select->n;
    for (uint32_t i = 0; i < select->n; i++) {
        Found found = get(o, tree, &select->paths[i]);
        if (!is_there(o, select, i, tree))
            continue;
        if (select->unused != UNUSED_ZERO || !is_zero(&select->paths[i], &found.values[0]))
            return i;
        first = first == select->n ? i : first;
    }
    return first;
}

static Found selected(Oracle *o, const FieldChange *change, const Tree *tree)
{
    uint32_t which = chosen(o, change->select, tree);
    return which == change->select->n ? (Found){0}
                                      : one(o, (TreeValue){.plain = change->select->values[which]});
}

static bool is_some_money(const Tree *money, const Converter *converter)
{
    const FieldType *const parts[] = {converter->units, converter->nanos};
    for (size_t i = 0; i < 2; i++) {
        const TreeField *part = tree_field(money, parts[i]);
        if (part->n && !literal_is_zero(&part->values[0].plain, value_type_of(parts[i])))
            return true;
    }
    return false;
}

/* Converts a currency field beside an amount to the money's currency, and back. */
static Result currencies(Oracle *o, const FieldChange *change, const Tree *tree, Tree *out)
{
    const Converter *converter = change->convert[o->to];
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    if (!converter || !converter->currency)
        return OK;
    if (converter->code == CONVERT_AMOUNT_MONEY) {
        TreeField *money =
            tree_field(make_parents(o, out, &to->paths[0]), path_field(&to->paths[0]));
        Found code = from->currency.n_steps ? get(o, tree, &from->currency) : (Found){0};
        if (change->currency)
            code = one(o, (TreeValue){.plain = {.bytes = bytes_of(change->currency)}});
        if (money->n && code.n)
            tree_put(o->arena, money->values[0].message, converter->currency, code.values[0]);
        return OK;
    }
    Found money = get(o, tree, &from->paths[0]);
    if (!money.n)
        return OK;
    TreeField *code = tree_field(money.values[0].message, converter->currency);
    bool needed = change->currency && change->currency[0];
    if (!code->n)
        return needed && is_some_money(money.values[0].message, converter)
                   ? cannot(o, &from->paths[0], "no currency")
                   : OK;
    if (change->currency && !bytes_are(code->values[0].plain.bytes, change->currency))
        return cannot(o, &from->paths[0], "another currency");
    Found text = one(o, code->values[0]);
    if (to->currency.n_steps)
        put(o, out, &to->currency, &text);
    return OK;
}

/* ---- Defaults -------------------------------------------------------------------------------- */

static Result constant(Oracle *o, const Expr *expr, Found *found);

/* A literal in the form of bytes: a message, or the elements of a list as records of field 1. */
static Result literal_bytes(Oracle *o, const Expr *expr, Found *found)
{
    WireReader reader = wire_reader(expr->constants->bytes);
    uint32_t room = 1;
    if (!expr->type.repeated) {
        *found = one(o, (TreeValue){0});
        return tree_parse(o->arena, expr->type.message, expr->constants->bytes,
                          &found->values[0].message);
    }
    for (WireField f; wire_next(&reader, &f);)
        room++;
    *found = (Found){arena_array(o->arena, TreeValue, room), 0, true};
    reader = wire_reader(expr->constants->bytes);
    for (WireField f; wire_next(&reader, &f);) {
        TreeValue *value = &found->values[found->n++];
        *value = (TreeValue){0};
        Result r = expr->type.message
                       ? tree_parse(o->arena, expr->type.message, f.bytes, &value->message)
                       : OK;
        if (failed(r))
            return r;
        if (!expr->type.message)
            value->plain = literal_of_wire(expr->type.kind, &f);
    }
    return OK;
}

static Result built(Oracle *o, const Expr *expr, Found *found)
{
    *found = one(o, (TreeValue){.message = tree_new(o->arena, expr->type.message)});
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        Found inner;
        Result r = constant(o, expr->rules[i].value, &inner);
        if (failed(r))
            return r;
        for (uint32_t k = 0; k < inner.n; k++)
            tree_put(o->arena, found->values[0].message, expr->rules[i].target, inner.values[k]);
    }
    return OK;
}

/* Evaluates the constant expressions that change_value makes. */
static Result constant(Oracle *o, const Expr *expr, Found *found)
{
    bool absent;
    Found inner;
    if (expr->kind == EXPR_CONST && (expr->type.repeated || expr->type.message))
        return literal_bytes(o, expr, found);
    if (expr->kind == EXPR_CONST) {
        *found = one(o, (TreeValue){.plain = *expr->constants});
        return OK;
    }
    if (expr->kind == EXPR_WRAP)
        return constant(o, expr->args[0], found);
    if (expr->kind == EXPR_BUILD)
        return built(o, expr, found);
    Result r = constant(o, expr->args[0], &inner);
    *found = one(o, (TreeValue){0});
    return failed(r) ? r : oracle_value(o, expr->converter, inner.values, found->values, &absent);
}

static Result without_value(Oracle *o, const FieldChange *change, const FieldPath *path,
                            Found *found)
{
    const ChangeEnd *to = &change->ends[o->to];
    if (found->n)
        return OK;
    if (to->missing == MISSING_LOUD)
        return FAIL_FIELD(o->arena, FAULT_FIELD_REQUIRED, path->text, "%s is required", path->text);
    if (to->missing != MISSING_VALUE)
        return OK;
    return constant(o, to->value, found);
}

/* ---- One change ------------------------------------------------------------------------------ */

static bool is_under(Oracle *o, const FieldChange *change, const Tree *tree)
{
    const FieldPath *under = &change->ends[!o->to].under;
    return !under->n_steps || get(o, tree, under).n;
}

/* Whether other changes lead into this message, so that a change of the message itself is only
   about its presence. */
static bool is_entered(const MessagePair *pair, int end, const FieldPath *message)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[end];
        for (uint32_t k = 0; k < e->n_paths; k++) {
            if (path_inside(&e->paths[k], message))
                return true;
        }
    }
    return false;
}

static bool is_ignored(Oracle *o, const ChangeEnd *from, const TreeValue *value)
{
    ValueType type = value_type_of(path_field(&from->paths[0]));
    Tree *ignored;
    if (!type.message)
        return literal_equal(&value->plain, &from->ignored, type);
    return !failed(tree_parse(o->arena, type.message, from->ignored.bytes, &ignored)) &&
           tree_equal(&o->chain->known, value->message, ignored);
}

/* Refuses a value without a mark, of a field with marks that no other change converts. */
static Result check_marked(Oracle *o, const MessagePair *pair, const FieldChange *change,
                           const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to];
    if (!from->n_paths || path_field(&from->paths[0])->message)
        return OK;
    Found found = get(o, tree, &from->paths[0]);
    ValueType type = value_type_of(path_field(&from->paths[0]));
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        const ChangeEnd *e = &other->ends[!o->to];
        bool same = e->n_paths && path_equal(&e->paths[0], &from->paths[0]);
        if (same && (!other->mark || !found.n ||
                     literal_equal(&found.values[0].plain, &other->mark->value, type)))
            return OK;
    }
    return found.n ? cannot(o, &from->paths[0], "nothing stands for it") : OK;
}

static Result check_dropped(Oracle *o, const MessagePair *pair, const FieldChange *change,
                            const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to];
    if (change->mark)
        return check_marked(o, pair, change, tree);
    if (!from->n_paths || change->ends[o->to].n_paths || change->select ||
        from->drop != DROP_LOUD || is_entered(pair, !o->to, &from->paths[0]))
        return OK;
    Found found = get(o, tree, &from->paths[0]);
    if (!found.n || (from->has_ignored && is_ignored(o, from, &found.values[0])) ||
        (!found.list && means_another(pair, !o->to, &from->paths[0], &found)))
        return OK;
    return cannot(o, &from->paths[0], "it has no counterpart");
}

/* Whether an earlier change with the same target has given a value. */
static bool is_fed(const FieldChange *change, const FieldChange *first, const bool *gave, int to)
{
    for (const FieldChange *other = first; other < change; other++) {
        if (gave[other - first] && other->ends[to].n_paths &&
            path_equal(&other->ends[to].paths[0], &change->ends[to].paths[0]))
            return true;
    }
    return false;
}

/* What the flag's value stands for, if the flag has that value. */
static Found marked(Oracle *o, const FieldChange *change, const Tree *tree)
{
    const Mark *mark = change->mark;
    const FieldType *target = path_field(&change->ends[o->to].paths[0]);
    Found flag = get(o, tree, &mark->flag);
    Literal zero = {0};
    if (!literal_equal(flag.n ? &flag.values[0].plain : &zero, &mark->flag_value,
                       value_type_of(path_field(&mark->flag))))
        return (Found){0};
    return one(o, target->message ? (TreeValue){.message = tree_new(o->arena, target->message)}
                                  : (TreeValue){.plain = mark->value});
}

/* With UNUSED_ZERO, an alternative is only converted if its kind selects it. */
static Result alternative_value(Oracle *o, const MessagePair *pair, const FieldChange *change,
                                const Tree *tree, Found *found)
{
    uint32_t which;
    const FieldChange *kind =
        change_alternative(pair, !o->to, &change->ends[!o->to].paths[0], &which);
    Result r = plain_value(o, pair, change, tree, found);
    if (failed(r) || !kind || kind->select->unused != UNUSED_ZERO)
        return r;
    const Selection *select = kind->select;
    uint32_t at = chosen(o, select, tree);
    ValueType type = value_type_of(path_field(&kind->ends[o->to].paths[0]));
    if (at == select->n || !literal_equal(&select->values[at], &select->values[which], type))
        found->n = 0;
    return r;
}

/* A field and a list, as one list. */
static Result joined(Oracle *o, const FieldChange *change, const Tree *tree, Found *found)
{
    const ChangeEnd *from = &change->ends[!o->to];
    Found first = get(o, tree, &from->paths[0]), others = get(o, tree, &from->paths[1]);
    if (!first.n && others.n && change->first == DROP_LOUD)
        return cannot(o, &from->paths[1], "there is no first one");
    *found = (Found){arena_array(o->arena, TreeValue, first.n + others.n + 1), 0, true};
    for (uint32_t i = 0; i < first.n; i++)
        found->values[found->n++] = first.values[i];
    for (uint32_t i = 0; i < others.n; i++)
        found->values[found->n++] = others.values[i];
    return convert_all(o, change, path_field(&change->ends[o->to].paths[0]), found);
}

/* The first element of the list, or the others. */
static Result parted(Oracle *o, const FieldChange *change, uint32_t which, const Tree *tree,
                     Found *found)
{
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    const FieldType *target = path_field(&to->paths[which]);
    *found = get(o, tree, &from->paths[0]);
    if (which && found->n) {
        found->values++;
        found->n--;
    } else if (found->n) {
        found->n = 1;
    }
    found->list = which;
    Result r = convert_all(o, change, target, found);
    bool lost = !which && found->n && field_is_implicit(target) &&
                literal_is_zero(&found->values[0].plain, value_type_of(target));
    return !failed(r) && lost && change->first == DROP_LOUD
               ? cannot(o, &from->paths[0], "its first element is zero")
               : r;
}

static Literal key_of(const Tree *entry)
{
    const TreeField *key = tree_field(entry, message_field_by_number(entry->type, 1));
    return key->n ? key->values[0].plain : (Literal){0};
}

static int compare_keys(const Tree *a, const Tree *b)
{
    const FieldType *field = message_field_by_number(a->type, 1);
    Literal x = key_of(a), y = key_of(b);
    if (field->kind == KIND_STRING)
        return bytes_compare(x.bytes, y.bytes);
    return kind_is_unsigned(field->kind) ? (x.u > y.u) - (x.u < y.u) : (x.i > y.i) - (x.i < y.i);
}

static bool is_last_list(const Oracle *o)
{
    const OracleChain *chain = o->chain;
    return o->list == chain_list(chain->lists, chain->n_lists, o->to == NEW, chain->n_lists - 1);
}

/* A list of messages as a map: of duplicate keys the last one counts. The lists after this one see
   all of them, since what one of them refuses is refused. */
static Result keyed(Oracle *o, const FieldChange *change, Found *found)
{
    bool last = is_last_list(o);
    uint32_t n = 0;
    for (uint32_t i = 0; i < found->n; i++) {
        Tree *entry;
        Result r = oracle_pair(o, change->entries, found->values[i].message, &entry);
        if (failed(r))
            return r;
        tree_fill_entry(o->arena, entry);
        uint32_t same = 0;
        while (same < n && compare_keys(found->values[same].message, entry) != 0)
            same++;
        if (same < n && change->duplicates == DROP_LOUD)
            return cannot(o, &change->ends[!o->to].paths[0], "a key comes twice");
        found->values[last ? same : n].message = entry;
        n += same == n || !last;
    }
    found->n = n;
    return OK;
}

/* Leaves the last entry of each key. */
static void drop_replaced(Found *found)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < found->n; i++) {
        uint32_t later = i + 1;
        while (later < found->n &&
               compare_keys(found->values[i].message, found->values[later].message) != 0)
            later++;
        if (later == found->n)
            found->values[n++] = found->values[i];
    }
    found->n = n;
}

/* A map as a list, in the order of its keys. */
static Result listed(Oracle *o, const FieldChange *change, Found *found)
{
    drop_replaced(found);
    for (uint32_t i = 1; i < found->n; i++) {
        for (uint32_t k = i;
             k && compare_keys(found->values[k - 1].message, found->values[k].message) > 0; k--) {
            TreeValue value = found->values[k];
            found->values[k] = found->values[k - 1];
            found->values[k - 1] = value;
        }
    }
    for (uint32_t i = 0; i < found->n; i++) {
        Tree *message;
        Result r = oracle_pair(o, change->entries, found->values[i].message, &message);
        if (failed(r))
            return r;
        found->values[i].message = message;
    }
    return OK;
}

static Result change_value_of(Oracle *o, const MessagePair *pair, const FieldChange *change,
                              uint32_t which, const Tree *tree, Found *found)
{
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    *found = (Found){0};
    if (change->mark)
        *found = marked(o, change, tree);
    else if (change->select)
        *found = selected(o, change, tree);
    else if (from->template || to->template)
        return template_value(o, change, which, tree, found);
    else if (change->keyed) {
        *found = get(o, tree, &from->paths[0]);
        return path_field(&from->paths[0])->map ? listed(o, change, found)
                                                : keyed(o, change, found);
    } else if (change->merged)
        return from->n_paths > 1 ? joined(o, change, tree, found)
                                 : parted(o, change, which, tree, found);
    else if (from->n_paths)
        return alternative_value(o, pair, change, tree, found);
    return OK;
}

/* The oneof at which the two paths diverge, with two of its members; or NULL. */
static const OneofType *parting_oneof(const FieldPath *a, const FieldPath *b)
{
    for (uint32_t i = 0; i < a->n_steps && i < b->n_steps; i++) {
        if (a->steps[i] != b->steps[i])
            return a->steps[i]->oneof == b->steps[i]->oneof ? a->steps[i]->oneof : NULL;
    }
    return NULL;
}

/* Whether another member of the same oneof is given: then this one gets no default. */
static bool another_is_given(Oracle *o, const MessagePair *pair, const FieldChange *change,
                             const Tree *tree)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        Found found;
        if (other == change || !other->ends[o->to].n_paths ||
            (!other->ends[!o->to].n_paths && !other->mark) ||
            !parting_oneof(&change->ends[o->to].paths[0], &other->ends[o->to].paths[0]) ||
            !is_under(o, other, tree))
            continue;
        Result r = change_value_of(o, pair, other, 0, tree, &found);
        if (!failed(r) && found.n)
            return true;
    }
    return false;
}

/* Whether the value comes from the source, not from a default of the list. */
static bool gave_by_itself(Oracle *o, const MessagePair *pair, const FieldChange *change,
                           const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to];
    return change->select || change->mark || from->n_paths > 1 || from->when.n_steps ||
           (from->n_paths && is_given(o, pair, change, tree));
}

static bool is_marked(Oracle *o, const MessagePair *pair, const FieldChange *change, uint32_t which,
                      const Tree *tree)
{
    for (uint32_t i = 0; !change->mark && i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        if (other->mark && other->ends[o->to].n_paths &&
            path_equal(&other->ends[o->to].paths[0], &change->ends[o->to].paths[which]) &&
            is_under(o, other, tree) && marked(o, other, tree).n)
            return true;
    }
    return false;
}

static Result apply(Oracle *o, const MessagePair *pair, const FieldChange *change,
                    const FieldChange *first, bool *gave, const Tree *tree, Tree *out)
{
    const ChangeEnd *to = &change->ends[o->to];
    Result r = check_dropped(o, pair, change, tree);
    for (uint32_t k = 0; !failed(r) && k < to->n_paths; k++) {
        Found found;
        if (!is_under(o, change, tree))
            continue;
        r = change_value_of(o, pair, change, k, tree, &found);
        if (!failed(r) && is_marked(o, pair, change, k, tree))
            continue; /* marks take precedence */
        bool was_there = gave_by_itself(o, pair, change, tree);
        if (!failed(r) && !was_there && another_is_given(o, pair, change, tree))
            continue;
        if (!failed(r) && !(change->merged && k))
            r = without_value(o, change, &to->paths[k], &found);
        if (failed(r) || !found.n)
            continue;
        bool entered = !change->ends[!o->to].n_paths && is_entered(pair, o->to, &to->paths[k]);
        if (entered && get(o, out, &to->paths[k]).n)
            continue; /* only its presence is given, and it is set already */
        FieldPath box;
        if (!is_fed(change, first, gave, o->to))
            put(o, out, &to->paths[k], &found);
        if (change_box(pair, change, o->to, &box))
            make_parents(o, out, &to->paths[k]);
        gave[change - first] = true;
    }
    return failed(r) || !to->n_paths || !change->ends[!o->to].n_paths
               ? r
               : currencies(o, change, tree, out);
}

/* ---- Values that exclude each other ---------------------------------------------------------- */

/* Refuses a value that is not converted because no alternative's condition holds. */
static Result check_alternatives(Oracle *o, const MessagePair *pair, const FieldChange *change,
                                 const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to];
    if (!from->when.n_steps)
        return OK;
    Found found = get(o, tree, &from->paths[0]);
    const FieldChange *kind = change_selection(pair, !o->to, &from->when);
    if (!found.n || (is_zero(&from->paths[0], &found.values[0]) &&
                     (!kind || kind->select->unused != UNUSED_LOUD)))
        return OK;
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[!o->to];
        if (e->when.n_steps && path_equal(&e->paths[0], &from->paths[0]) && when_holds(o, e, tree))
            return OK;
    }
    return cannot(o, &from->paths[0], "no alternative takes it");
}

/* Refuses a value of which the kind that is written beside it names another alternative. */
static Result check_named(Oracle *o, const MessagePair *pair, const FieldChange *change,
                          const Tree *tree)
{
    const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
    const FieldChange *kind =
        to->when.n_steps && from->n_paths ? change_of_kind(pair, o->to, &to->when) : NULL;
    if (!kind || !get(o, tree, &from->paths[0]).n)
        return OK;
    Found found;
    Literal zero = {0};
    Result r = change_value_of(o, pair, kind, 0, tree, &found);
    if (failed(r))
        return r;
    return literal_equal(found.n ? &found.values[0].plain : &zero, &to->when_value,
                         value_type_of(path_field(&to->when)))
               ? OK
               : cannot(o, &from->paths[0], "the kind names another");
}

/* Two alternatives at once are an error, unless they are members of one oneof. */
static Result check_selected(Oracle *o, const FieldChange *change, const Tree *tree)
{
    const Selection *select = change->select;
    if (!select || !change->ends[o->to].n_paths)
        return OK;
    for (uint32_t i = 0; i < select->n; i++) {
        Found found = get(o, tree, &select->paths[i]);
        for (uint32_t k = 0; k < i; k++) {
            Found other = get(o, tree, &select->paths[k]);
            if (!is_there(o, select, i, tree) || !is_there(o, select, k, tree) ||
                path_equal(&select->paths[i], &select->paths[k]))
                continue;
            bool zero = select->unused == UNUSED_ZERO && found.n && other.n &&
                        (is_zero(&select->paths[i], &found.values[0]) ||
                         is_zero(&select->paths[k], &other.values[0]));
            if (!zero)
                return cannot(o, &select->paths[i], "another alternative is there");
        }
    }
    return OK;
}

/* Handles a kind for which the way back would give another one. */
static Result check_kind(Oracle *o, const FieldChange *change, const Tree *tree, const Tree *out)
{
    const ChangeEnd *from = &change->ends[!o->to];
    if (!change->select || !from->n_paths || from->drop != DROP_LOUD)
        return OK;
    Found kind = get(o, tree, &from->paths[0]);
    ValueType type = value_type_of(path_field(&from->paths[0]));
    Literal back = {0};
    for (uint32_t i = change->select->n; i-- > 0;) {
        if (is_there(o, change->select, i, out))
            back = change->select->values[i];
    }
    return !kind.n || literal_equal(&kind.values[0].plain, &back, type)
               ? OK
               : cannot(o, &from->paths[0], "another kind would come back");
}

static Result check_oneof(Oracle *o, const MessagePair *pair, uint32_t at, const Tree *tree)
{
    const ChangeEnd *to = &pair->changes[at].ends[o->to], *from = &pair->changes[at].ends[!o->to];
    if (!to->n_paths || !from->n_paths || from->when.n_steps ||
        !is_given(o, pair, &pair->changes[at], tree))
        return OK;
    for (uint32_t i = 0; i < at; i++) {
        const ChangeEnd *other_to = &pair->changes[i].ends[o->to];
        const ChangeEnd *other = &pair->changes[i].ends[!o->to];
        if (other_to->n_paths && other->n_paths &&
            parting_oneof(&to->paths[0], &other_to->paths[0]) &&
            is_given(o, pair, &pair->changes[i], tree))
            return cannot(o, &from->paths[0], "another of the same oneof is there");
    }
    return OK;
}

/* Two flags that stand for members of one oneof. */
static Result check_flags(Oracle *o, const MessagePair *pair, uint32_t at, const Tree *tree)
{
    const FieldChange *change = &pair->changes[at];
    if (!change->mark || !change->ends[o->to].n_paths || !marked(o, change, tree).n)
        return OK;
    for (uint32_t i = 0; i < at; i++) {
        const FieldChange *first = &pair->changes[i];
        if (first->mark && first->ends[o->to].n_paths &&
            !path_equal(&first->mark->flag, &change->mark->flag) &&
            parting_oneof(&first->ends[o->to].paths[0], &change->ends[o->to].paths[0]) &&
            marked(o, first, tree).n)
            return cannot(o, &change->mark->flag, "another of the same oneof is meant");
    }
    return OK;
}

/* ---- Messages whose fields are moved out ----------------------------------------------------- */

/* Whether the message's presence is kept: a field inside it is converted, or has a default on the
   way back. */
static bool leaves_a_trace(Oracle *o, const MessagePair *pair, const FieldPath *message,
                           const Tree *tree, const Tree *out)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        const ChangeEnd *from = &change->ends[!o->to], *to = &change->ends[o->to];
        if (!from->n_paths || !path_inside(&from->paths[0], message))
            continue;
        if (from->missing == MISSING_VALUE)
            return true;
        for (uint32_t k = 0; k < (change->merged ? to->n_paths : to->n_paths > 0); k++) {
            Found given;
            if (!failed(change_value_of(o, pair, change, k, tree, &given)) && given.n &&
                get(o, out, &to->paths[k]).n)
                return true;
        }
    }
    return false;
}

static Result check_presence(Oracle *o, const MessagePair *pair, const FieldChange *change,
                             const Tree *tree, const Tree *out)
{
    const ChangeEnd *from = &change->ends[!o->to];
    if (!from->n_paths || change->ends[o->to].n_paths || from->drop != DROP_LOUD ||
        from->missing == MISSING_VALUE || !is_entered(pair, !o->to, &from->paths[0]) ||
        !get(o, tree, &from->paths[0]).n || leaves_a_trace(o, pair, &from->paths[0], tree, out))
        return OK;
    return cannot(o, &from->paths[0], "that it is there is lost");
}

/* ---- One message ----------------------------------------------------------------------------- */

Result oracle_pair(Oracle *o, const MessagePair *pair, const Tree *from, Tree **to_out)
{
    Tree *out = tree_new(o->arena, pair->ends[o->to]);
    bool *gave = arena_array(o->arena, bool, pair->n_changes + 1);
    Result r = OK;
    *to_out = out;
    for (uint32_t i = 0; i < pair->n_expanded; i++) {
        const FieldPath *target = &pair->expanded[i][o->to];
        Found whole = get(o, from, &pair->expanded[i][!o->to]);
        Found empty =
            one(o, (TreeValue){.message = tree_new(o->arena, path_field(target)->message)});
        if (whole.n && !get(o, out, target).n)
            put(o, out, target, &empty);
    }
    for (uint32_t i = 0; !failed(r) && i < pair->n_changes; i++) {
        r = check_alternatives(o, pair, &pair->changes[i], from);
        if (!failed(r))
            r = check_named(o, pair, &pair->changes[i], from);
        if (!failed(r))
            r = check_selected(o, &pair->changes[i], from);
        if (!failed(r))
            r = check_oneof(o, pair, i, from);
        if (!failed(r))
            r = check_flags(o, pair, i, from);
        if (!failed(r))
            r = apply(o, pair, &pair->changes[i], pair->changes, gave, from, out);
    }
    for (uint32_t i = 0; !failed(r) && i < pair->n_changes; i++) {
        r = check_kind(o, &pair->changes[i], from, out);
        if (!failed(r))
            r = check_presence(o, pair, &pair->changes[i], from, out);
    }
    return r;
}

const MessagePair *oracle_find_pair(const Oracle *o, const MessageType *from)
{
    for (uint32_t i = 0; i < o->list->n_pairs; i++) {
        const MessagePair *pair = o->list->pairs[i];
        if (pair->canonical && pair->checked && !pair->bad && pair->ends[!o->to] == from)
            return pair;
    }
    return NULL;
}

/* The pair of the method's messages. Sets role->method to the counterpart. */
static const MessagePair *pair_of_method(Oracle *o, OracleRole *role)
{
    for (uint32_t i = 0; i < o->list->n_methods; i++) {
        const MethodType *const *ends = o->list->methods[i].ends;
        const MessageType *types[2];
        if (ends[!o->to] != role->method || !ends[o->to])
            continue;
        for (int end = 0; end < 2; end++)
            types[end] = role->output ? ends[end]->output : ends[end]->input;
        role->method = ends[o->to];
        o->method = role->output ? &o->list->methods[i] : NULL;
        return table_get(&o->list->pairs_by_ends, bytes(types, sizeof types));
    }
    return NULL;
}

Result oracle_convert(Arena *arena, const OracleChain *chain, bool upwards, OracleRole role,
                      const Tree *from, Tree **to_out)
{
    Tree *tree = NULL;
    *to_out = NULL;
    for (uint32_t i = 0; i < chain->n_lists; i++) {
        const ChangeList *list = chain_list(chain->lists, chain->n_lists, upwards, i);
        Oracle o = {arena, chain, list, upwards ? NEW : OLD, NULL, ""};
        const MessageType *type = tree ? tree->type : from->type;
        const MessagePair *pair =
            role.method ? pair_of_method(&o, &role) : oracle_find_pair(&o, type);
        if (!pair)
            return FAIL(arena, FAULT_CANNOT_CONVERT, "%s has no counterpart", type->full_name);
        Result r = oracle_pair(&o, pair, tree ? tree : from, &tree);
        if (failed(r))
            return r;
    }
    *to_out = tree;
    return OK;
}
