#include "adapters/changes/change_list.h"

static const char *const field_keys[] = {
    "to",         "from",     "by",       "removed", "added",      "back",        "ignored",
    "required",   "optional", "more",     "round",   "sentinel",   "zero",        "when",
    "select",     "constant", "template", "into",    "currency",   "of",          "times",
    "divided_by", "values",   "others",   "scale",   "unused",     "ignore_case", "parts",
    "means",      "first",    "key",      "value",   "duplicates", "wider",
};

/* One change while it is read. */
typedef struct Reading {
    ChangeList *list;
    MessagePair *pair;
    const JsonNode *key;  /* the member of the message's entry: its name is the path */
    const JsonNode *node; /* the change: `key` itself, or one of its alternatives */
    const char *where;    /* "Order.customer" */
    FieldChange *change;
} Reading;

static YamlPlace place(const Reading *r, const JsonNode *node)
{
    return *yaml_place(&r->list->document, node);
}

static bool is_word(const JsonNode *node, const char *word)
{
    return node->kind == JSON_TEXT && bytes_are(node->text, word);
}

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING;
}

static JsonNode *member(const Reading *r, const char *name)
{
    return r->node->kind == JSON_OBJECT ? json_member(r->node, name) : NULL;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

enum { MOST_STEPS = 64 }; /* the depth limit of messages */

/* An extension is known by its full name: "shop.v1.note". */
static const FieldType *find_step(Arena *arena, const MessageType *message, Bytes name)
{
    const FieldType *field = message_field(message, name);
    if (!field && bytes_find(name, '.') < name.size)
        field = message_field(message, bytes_of(arena_printf(arena, "[%.*s]", BYTES_ARGS(name))));
    return field && bytes_are(name, field->name) ? field : NULL;
}

/* Splits the first step from the path. The name of an extension has dots of its own. */
static const FieldType *take_step(Arena *arena, const MessageType *message, Bytes *rest)
{
    Bytes part, behind = *rest;
    while (bytes_split(&behind, '.', &part)) {
        size_t size = (size_t)(part.data + part.size - rest->data);
        const FieldType *field = find_step(arena, message, bytes_slice(*rest, 0, size));
        if (field) {
            *rest = behind;
            return field;
        }
    }
    return NULL;
}

static bool path_parse(Arena *arena, const MessageType *message, Bytes text, FieldPath *path_out,
                       const MessageType **stopped_out, Bytes *bad_out)
{
    const FieldType **steps = arena_array(arena, const FieldType *, text.size + 1);
    uint32_t n = 0;
    Bytes rest = text, after = text;
    while (bytes_split(&after, '.', bad_out)) {
        const FieldType *last = n ? steps[n - 1] : NULL;
        const MessageType *in = !last ? message : last->repeated ? NULL : last->message;
        *stopped_out = in;
        if (!in || !(steps[n] = take_step(arena, in, &rest)))
            return false;
        after = rest;
        n++;
    }
    *path_out = (FieldPath){steps, n, steps_text(arena, steps, n)};
    return n > 0;
}

static bool is_too_deep(Bytes text)
{
    Bytes part;
    uint32_t n = 0;
    while (n <= MOST_STEPS && bytes_split(&text, '.', &part))
        n++;
    return n > MOST_STEPS;
}

static bool path_exists(ChangeList *list, const MessageType *message, Bytes text)
{
    FieldPath path;
    const MessageType *in;
    Bytes bad;
    return path_parse(list->arena, message, text, &path, &in, &bad);
}

bool change_read_path(ChangeList *list, YamlPlace at, const char *where, const MessageType *message,
                      Bytes text, FieldPath *path_out)
{
    const MessageType *in = message;
    Bytes bad = text;
    *path_out = (FieldPath){0};
    if (is_too_deep(text)) {
        change_problem(list, at, where, NULL, "a path of more than %d fields", MOST_STEPS);
        return false;
    }
    if (path_parse(list->arena, message, text, path_out, &in, &bad))
        return true;
    if (!in) {
        change_problem(list, at, where, NULL,
                       "%.*s: only a single message has fields inside it, so .%.*s cannot follow",
                       BYTES_ARGS(text), BYTES_ARGS(bad));
        return false;
    }
    const char *near = nearest_field(in, list->arena, bad);
    change_problem(list, at, where,
                   near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                   "%s has no field %.*s", in->full_name, BYTES_ARGS(bad));
    return false;
}

static bool read_path(const Reading *r, const JsonNode *node, int end, Bytes text)
{
    FieldPath *path = arena_make(r->list->arena, FieldPath);
    if (!change_read_path(r->list, place(r, node), r->where, r->pair->ends[end], text, path))
        return false;
    r->change->ends[end].paths = path;
    r->change->ends[end].n_paths = 1;
    return true;
}

static bool read_paths(const Reading *r, const JsonNode *node, int end)
{
    if (has_text(node))
        return read_path(r, node, end, node->text);
    if (node->kind != JSON_ARRAY || !node->count) {
        change_problem(r->list, place(r, node), r->where, NULL,
                       "expected a field or a list of fields");
        return false;
    }
    FieldPath *paths = arena_array(r->list->arena, FieldPath, node->count);
    uint32_t n = 0;
    for (const JsonNode *item = node->first; item; item = item->next) {
        if (!change_read_path(r->list, place(r, item), r->where, r->pair->ends[end], item->text,
                              &paths[n++]))
            return false;
    }
    r->change->ends[end].paths = paths;
    r->change->ends[end].n_paths = n;
    return true;
}

/* ---- Keys beside the paths ------------------------------------------------------------------- */

static bool read_drop(const Reading *r, const JsonNode *node, Drop *drop_out)
{
    if (is_word(node, "loud"))
        *drop_out = DROP_LOUD;
    else if (is_word(node, "graceful"))
        *drop_out = DROP_COUNTED;
    else
        change_problem(r->list, place(r, node), r->where, change_near_word(r->list, node),
                       "expected loud or graceful");
    return *drop_out != DROP_UNSAID;
}

/* A misspelled keyword without quotes must not become a value. */
static bool read_no_misspelling(const Reading *r, const JsonNode *node, const FieldType *field)
{
    const char *near = change_near_word(r->list, node);
    if (!near || (field->enumeration && enum_value_by_name(field->enumeration, node->text)))
        return true;
    change_problem(r->list, place(r, node), r->where, near,
                   "%.*s is nearly a word of change lists; a value like this is put in quotes",
                   BYTES_ARGS(node->text));
    return false;
}

/* loud, graceful, or a value. A value with the text of one of these words must be quoted. */
static bool read_missing(const Reading *r, const JsonNode *node, int end)
{
    ChangeEnd *e = &r->change->ends[end];
    if (is_word(node, "loud")) {
        e->missing = MISSING_LOUD;
    } else if (is_word(node, "graceful")) {
        e->missing = MISSING_LEAVE;
    } else {
        const FieldType *field = path_field(&e->paths[0]);
        e->missing = MISSING_VALUE;
        if (!read_no_misspelling(r, node, field))
            return false;
        e->value = change_value(r->list, node, r->where, field);
        return e->value != NULL;
    }
    return true;
}

static bool read_ignored(const Reading *r, const JsonNode *node, int end)
{
    ChangeEnd *e = &r->change->ends[end];
    ValueType type = value_type_of(path_field(&e->paths[0]));
    if (type.repeated) {
        change_problem(r->list, place(r, node), r->where, NULL,
                       "only a single value can be ignored");
        return false;
    }
    e->has_ignored = true;
    return change_literal(r->list, node, r->where, type, &e->ignored);
}

/* A default can be dropped without a count on the way back. `node` was read as the default. */
static void ignore_value(const Reading *r, const JsonNode *node, ChangeEnd *end)
{
    ValueType type = value_type_of(path_field(&end->paths[0]));
    if (end->missing == MISSING_VALUE && !type.repeated && !end->has_ignored)
        end->has_ignored = change_literal(r->list, node, r->where, type, &end->ignored);
}

static bool read_removed(const Reading *r)
{
    const JsonNode *ignored = member(r, "ignored"), *back = member(r, "back");
    if (!read_path(r, r->key, OLD, r->key->name) ||
        !read_drop(r, member(r, "removed"), &r->change->ends[OLD].drop))
        return false;
    if (ignored && !read_ignored(r, ignored, OLD))
        return false;
    if (back && !read_missing(r, back, OLD))
        return false;
    ignore_value(r, back, &r->change->ends[OLD]);
    return true;
}

static bool read_added(const Reading *r)
{
    const JsonNode *ignored = member(r, "ignored"), *back = member(r, "back");
    ChangeEnd *end = &r->change->ends[NEW];
    end->drop = DROP_COUNTED;
    if (!read_path(r, r->key, NEW, r->key->name) || !read_missing(r, member(r, "added"), NEW))
        return false;
    if (ignored && !read_ignored(r, ignored, NEW))
        return false;
    if (back && !read_drop(r, back, &end->drop))
        return false;
    ignore_value(r, member(r, "added"), end);
    return true;
}

/* The only end that has the field; -1, and a problem is reported, if both or none have it. */
static int only_end(const Reading *r)
{
    bool old = path_exists(r->list, r->pair->ends[OLD], r->key->name);
    bool new_too = path_exists(r->list, r->pair->ends[NEW], r->key->name);
    if (old != new_too)
        return old ? OLD : NEW;
    if (old)
        change_problem(r->list, place(r, r->node), r->where, NULL, "both versions have this field");
    else
        change_problem(r->list, place(r, r->node), r->where, NULL,
                       "neither version has this field");
    return -1;
}

static bool read_constant(const Reading *r)
{
    int end = only_end(r);
    if (end < 0 || !read_path(r, r->key, end, r->key->name) ||
        !read_missing(r, member(r, "constant"), end))
        return false;
    r->change->constant = true;
    r->change->ends[end].drop = DROP_LOUD;
    ignore_value(r, member(r, "constant"), &r->change->ends[end]);
    return true;
}

static bool read_unused(const Reading *r, Unused *unused_out)
{
    const JsonNode *node = member(r, "unused");
    if (!node || is_word(node, "graceful"))
        return true;
    *unused_out = is_word(node, "loud") ? UNUSED_LOUD : UNUSED_ZERO;
    if (*unused_out == UNUSED_LOUD || is_word(node, "zero"))
        return true;
    change_problem(r->list, place(r, node), r->where, change_near_word(r->list, node),
                   "expected zero, graceful or loud");
    return false;
}

static bool read_other_kinds(const Reading *r, int end)
{
    const JsonNode *node = member(r, "others");
    return !node || read_drop(r, node, &r->change->ends[end].drop);
}

static bool read_select(const Reading *r)
{
    const JsonNode *node = member(r, "select");
    int end = only_end(r);
    if (end < 0 || !read_path(r, r->key, end, r->key->name))
        return false;
    if (node->kind != JSON_OBJECT || !node->count) {
        change_problem(r->list, place(r, node), r->where, NULL,
                       "expected fields of the other version, each with its value");
        return false;
    }
    FieldPath *paths = arena_array(r->list->arena, FieldPath, node->count);
    Literal *values = arena_array(r->list->arena, Literal, node->count);
    ValueType type = value_type_of(path_field(&r->change->ends[end].paths[0]));
    uint32_t n = 0;
    for (const JsonNode *item = node->first; item; item = item->next, n++) {
        if (!change_read_path(r->list, place(r, item), r->where, r->pair->ends[!end], item->name,
                              &paths[n]) ||
            !change_literal(r->list, item, r->where, type, &values[n]))
            return false;
    }
    Selection *select = arena_make(r->list->arena, Selection);
    *select = (Selection){.paths = paths, .values = values, .n = n};
    r->change->select = select;
    r->change->ends[end].drop = DROP_COUNTED;
    return read_unused(r, &select->unused) && read_other_kinds(r, end);
}

/* One value and what it stands for at the other end: "AVRO: {avro_format: {}}", "true:
   {max_attempts: -1}". */
static bool read_meaning(const Reading *r, const JsonNode *item, int end, Mark *mark,
                         FieldPath *path)
{
    JsonNode value = *item;
    value.kind = JSON_STRING;
    value.text = item->name;
    ValueType type = value_type_of(path_field(&mark->flag));
    if (item->kind != JSON_OBJECT || item->count != 1) {
        change_problem(r->list, place(r, item), r->where,
                       arena_printf(r->list->arena,
                                    "write %.*s: {FIELD: VALUE}, or {} for a message",
                                    BYTES_ARGS(item->name)),
                       "expected one field of the other version, with its value");
        return false;
    }
    if (!change_literal(r->list, &value, r->where, type, &mark->flag_value) ||
        !change_read_path(r->list, place(r, item->first), r->where, r->pair->ends[!end],
                          item->first->name, path))
        return false;
    const FieldType *field = path_field(path);
    bool empty = item->first->kind == JSON_OBJECT && !item->first->count;
    if (field->repeated || (field->message && !empty)) {
        change_problem(r->list, place(r, item->first), r->where, NULL,
                       "a value can mean a plain value, or that a message is there: {}");
        return false;
    }
    return change_literal(r->list, item->first, r->where, value_type_of(field), &mark->value);
}

static void add_mark(const Reading *r, int end, const Mark *mark, const FieldPath *path)
{
    FieldPath *paths = arena_array(r->list->arena, FieldPath, 1);
    Mark *kept = arena_make(r->list->arena, Mark);
    paths[0] = *path;
    *kept = *mark;
    FieldChange *change = pair_add(r->list, r->pair);
    *change = (FieldChange){.node = r->node, .place = r->change->place, .mark = kept};
    change->ends[!end].paths = paths;
    change->ends[!end].n_paths = 1;
    change->ends[!end].drop = DROP_COUNTED;
}

/* `means`: values of a field stand for a field at the other end, and are recovered from it on the
   way back. */
static bool read_means(const Reading *r)
{
    const JsonNode *node = member(r, "means");
    int end = only_end(r);
    if (end < 0 || !read_path(r, r->key, end, r->key->name))
        return false;
    ValueType type = value_type_of(path_field(&r->change->ends[end].paths[0]));
    if (node->kind != JSON_OBJECT || !node->count || type.repeated || type.message) {
        change_problem(r->list, place(r, node), r->where, "write means: {VALUE: {FIELD: MEANING}}",
                       "expected values of a plain field, each with what it means");
        return false;
    }
    FieldPath *paths = arena_array(r->list->arena, FieldPath, node->count);
    Literal *values = arena_array(r->list->arena, Literal, node->count);
    Literal *equals = arena_array(r->list->arena, Literal, node->count);
    Selection *select = arena_make(r->list->arena, Selection);
    uint32_t n = 0;
    for (const JsonNode *item = node->first; item; item = item->next, n++) {
        Mark mark = {.flag = r->change->ends[end].paths[0]};
        if (!read_meaning(r, item, end, &mark, &paths[n]))
            return false;
        values[n] = mark.flag_value;
        equals[n] = mark.value;
        add_mark(r, end, &mark, &paths[n]);
    }
    *select = (Selection){.paths = paths, .values = values, .equals = equals, .n = n};
    r->change->select = select;
    r->change->ends[end].drop = DROP_COUNTED;
    return read_other_kinds(r, end);
}

/* The first name that occurs twice. It is refused: two different parts cannot be converted to one
   field. */
static Bytes repeated_name(const Template *template)
{
    for (uint32_t i = 1; i < template->n_names; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (bytes_equal(template->names[i], template->names[k]))
                return template->names[i];
        }
    }
    return BYTES_NONE;
}

static bool read_template(const Reading *r, const JsonNode *node, int end)
{
    Bytes text = node->text;
    Bytes *literals = arena_array(r->list->arena, Bytes, text.size + 1);
    Bytes *names = arena_array(r->list->arena, Bytes, text.size + 1);
    uint32_t n = 0;
    bool good = has_text(node);
    while (good) {
        size_t open = bytes_find(text, '{');
        literals[n] = bytes_slice(text, 0, open);
        if (open == text.size)
            break;
        size_t close = bytes_find(text, '}');
        good = close > open + 1 && close < text.size && (open > 0 || n == 0) &&
               bytes_find(bytes_slice(text, open + 1, close - open - 1), '{') == close - open - 1;
        if (good) {
            names[n++] = bytes_slice(text, open + 1, close - open - 1);
            text = bytes_slice(text, close + 1, text.size);
        }
    }
    if (!good || !n) {
        change_problem(
            r->list, place(r, node), r->where, NULL,
            "a template has {names} with text between them: \"projects/{project}/topics/{topic}\"");
        return false;
    }
    Template *made = arena_make(r->list->arena, Template);
    *made = (Template){literals, names, n};
    Bytes repeated = repeated_name(made);
    if (repeated.data) {
        change_problem(r->list, place(r, node), r->where, NULL,
                       "{%.*s} occurs twice in the template", BYTES_ARGS(repeated));
        return false;
    }
    r->change->ends[end].template = made;
    return true;
}

/* Reads the text of a part; a misspelled "loud" or "graceful" without quotes is refused. */
static bool read_part_text(const Reading *r, const JsonNode *node, const JsonNode *value,
                           TemplatePart *part)
{
    const char *form =
        part->end == OLD ? "write {removed: graceful, back: TEXT}" : "write {added: TEXT}";
    if (!value || !has_text(value) || !value->text.size) {
        change_problem(r->list, place(r, value ? value : node), r->where, form,
                       part->end == OLD
                           ? "a part that only the old version has needs a text for the way back"
                           : "a part that only the new version has needs a text");
        return false;
    }
    part->value = value->text;
    bool word = is_word(value, "loud") || is_word(value, "graceful");
    if (!word && !change_near_word(r->list, value))
        return true;
    change_problem(
        r->list, place(r, value), r->where,
        arena_printf(r->list->arena, "write %s: \"%.*s\" for this text",
                     part->end == OLD ? "back" : "added", BYTES_ARGS(value->text)),
        word ? "a part needs a text, and %.*s without quotes is a word of change lists"
             : "%.*s is nearly a word of change lists; a value like this is put in quotes",
        BYTES_ARGS(value->text));
    return false;
}

/* {removed: graceful, back: global}: only the old template has the part; {added: global}: only the
   new one. */
static bool read_part(const Reading *r, const JsonNode *node, TemplatePart *part)
{
    bool object = node->kind == JSON_OBJECT;
    const JsonNode *removed = object ? json_member(node, "removed") : NULL;
    const JsonNode *added = object ? json_member(node, "added") : NULL;
    const JsonNode *back = object ? json_member(node, "back") : NULL;
    uint32_t n_known = (removed != NULL) + (added != NULL) + (back != NULL);
    *part = (TemplatePart){.name = node->name,
                           .place = place(r, node),
                           .end = removed ? OLD : NEW,
                           .drop = DROP_COUNTED};
    if (!object || !removed == !added || node->count != n_known) {
        change_problem(r->list, part->place, r->where,
                       "write {removed: graceful, back: TEXT}, or {added: TEXT}",
                       "expected what becomes of a part that only one version has");
        return false;
    }
    const JsonNode *drop = removed ? removed : back;
    bool good = read_part_text(r, node, removed ? back : added, part);
    return (!drop || read_drop(r, drop, &part->drop)) && good;
}

static bool read_parts(const Reading *r, const JsonNode *node)
{
    TemplatePart *parts = arena_array(r->list->arena, TemplatePart, node->count + 1);
    bool good = node->kind == JSON_OBJECT && node->count;
    if (!good)
        change_problem(r->list, place(r, node), r->where,
                       "write parts: {NAME: {removed: graceful, back: TEXT}}, or {added: TEXT}",
                       "expected the names of parts, each with what becomes of it");
    uint32_t n = 0;
    for (const JsonNode *item = good ? node->first : NULL; item; item = item->next)
        good &= read_part(r, item, &parts[n++]);
    r->change->parts = parts;
    r->change->n_parts = n;
    return good;
}

static bool read_when(const Reading *r, const JsonNode *node)
{
    if (node->kind != JSON_OBJECT || node->count != 1) {
        change_problem(r->list, place(r, node), r->where, NULL, "expected one field and its value");
        return false;
    }
    const JsonNode *condition = node->first;
    bool in_old = path_exists(r->list, r->pair->ends[OLD], condition->name) ||
                  (!path_exists(r->list, r->pair->ends[NEW], condition->name) &&
                   nearest_field(r->pair->ends[OLD], r->list->arena, condition->name));
    int end = in_old ? OLD : NEW;
    ChangeEnd *e = &r->change->ends[end];
    if (!change_read_path(r->list, place(r, condition), r->where, r->pair->ends[end],
                          condition->name, &e->when))
        return false;
    ValueType type = value_type_of(path_field(&e->when));
    if (type.repeated || type.message) {
        change_problem(r->list, place(r, condition), r->where, NULL,
                       "only a single plain value can be asked for");
        return false;
    }
    return change_literal(r->list, condition, r->where, type, &e->when_value);
}

static bool read_sentinel(const Reading *r, const JsonNode *node)
{
    int end = OLD;
    if (node->kind == JSON_OBJECT) {
        const JsonNode *old = json_member(node, "old"), *new_one = json_member(node, "new");
        end = old ? OLD : NEW;
        node = old ? old : new_one;
    }
    ChangeEnd *e = &r->change->ends[end];
    if (!node || value_type_of(path_field(&e->paths[0])).message) {
        change_problem(r->list, place(r, r->node), r->where, "write sentinel: VALUE",
                       "a sentinel is one plain value, of the old field or {new: of the new one}");
        return false;
    }
    e->has_sentinel = true;
    return change_literal(r->list, node, r->where, value_type_element(path_field(&e->paths[0])),
                          &e->sentinel);
}

static bool read_zero(const Reading *r, const JsonNode *node)
{
    if (!is_word(node, "set") && !is_word(node, "unset")) {
        change_problem(r->list, place(r, node), r->where, NULL, "expected set or unset");
        return false;
    }
    for (int end = 0; end < 2; end++) {
        ChangeEnd *e = &r->change->ends[end];
        e->zero_is_set = is_word(node, "set") && field_is_implicit(path_field(&e->paths[0]));
    }
    return true;
}

/* `first` is only valid if there are several fields. */
static bool read_first(const Reading *r, const JsonNode *node)
{
    if (r->change->ends[OLD].n_paths > 1 || r->change->ends[NEW].n_paths > 1)
        return read_drop(r, node, &r->change->first);
    change_problem(r->list, place(r, node), r->where,
                   arena_printf(r->list->arena, "write %.*s: {from: [FIELD, LIST], first: loud}",
                                BYTES_ARGS(r->key->name)),
                   "first is said of a field and a list that are one list in the other version");
    return false;
}

/* A list of messages that becomes a map, or the reverse. The key is resolved later
   (change_keyed.c). */
static bool read_keyed(const Reading *r)
{
    const JsonNode *key = member(r, "key"), *value = member(r, "value");
    const JsonNode *duplicates = member(r, "duplicates");
    const JsonNode *wrong = key && !has_text(key) ? key : value && !has_text(value) ? value : NULL;
    r->change->keyed = key;
    if (!key && (value || duplicates)) {
        change_problem(r->list, place(r, value ? value : duplicates), r->where,
                       arena_printf(r->list->arena, "write %.*s: {key: FIELD, duplicates: loud}",
                                    BYTES_ARGS(r->key->name)),
                       "%s is said of a list of messages that is a map in the other version",
                       value ? "value" : "duplicates");
        return false;
    }
    if (wrong) {
        change_problem(r->list, place(r, wrong), r->where, NULL,
                       "expected a field of the messages");
        return false;
    }
    return !duplicates || read_drop(r, duplicates, &r->change->duplicates);
}

/* "EUR": three capital letters. */
static bool is_currency_code(Bytes text)
{
    size_t n = 0;
    while (n < text.size && text.data[n] >= 'A' && text.data[n] <= 'Z')
        n++;
    return n == 3 && text.size == 3;
}

/* A text in quotes is a currency of any form. */
static bool read_currency_text(const Reading *r, const JsonNode *node)
{
    const ChangeEnd *ends = r->change->ends;
    r->change->currency = arena_text(r->list->arena, node->text);
    if (node->kind == JSON_STRING || is_currency_code(node->text))
        return true;
    int end = value_type_of(path_field(&ends[OLD].paths[0])).message ? NEW : OLD;
    const char *near = nearest_field(r->pair->ends[end], r->list->arena, node->text);
    change_problem(r->list, place(r, node), r->where,
                   near ? arena_printf(r->list->arena, "did you mean %s?", near)
                        : "write EUR, or the field that has it; another text is put in quotes",
                   "%.*s is neither a field of %s nor a currency", BYTES_ARGS(node->text),
                   r->pair->ends[end]->full_name);
    return false;
}

static bool read_currency(const Reading *r, const JsonNode *node)
{
    if (!has_text(node)) {
        change_problem(r->list, place(r, node), r->where, NULL,
                       "expected a currency or the field that has it");
        return false;
    }
    for (int end = 0; end < 2; end++) {
        if (!value_type_of(path_field(&r->change->ends[end].paths[0])).message &&
            path_exists(r->list, r->pair->ends[end], node->text))
            return change_read_path(r->list, place(r, node), r->where, r->pair->ends[end],
                                    node->text, &r->change->ends[end].currency);
    }
    return read_currency_text(r, node);
}

static bool read_of(const Reading *r, const JsonNode *node)
{
    r->change->mask_of = side_message(&r->list->sides[OLD], r->list->arena, node->text);
    if (r->change->mask_of)
        return true;
    const char *near = nearest_message(&r->list->sides[OLD], r->list->arena, node->text);
    change_problem(r->list, place(r, node), r->where,
                   near ? arena_printf(r->list->arena, "did you mean %s?", near) : NULL,
                   "no message %.*s in %s", BYTES_ARGS(node->text), r->list->sides[OLD].version);
    return false;
}

/* The converter's name. A map is told apart, for it looks as if it had parameters: {by: {scale:
   1000}}. */
static bool read_by(const Reading *r, const JsonNode *node)
{
    r->change->by = arena_text(r->list->arena, node->text);
    if (has_text(node))
        return true;
    const JsonNode *first = node->kind == JSON_OBJECT ? node->first : NULL;
    bool named = first && converter_exists(first->name);
    bool scale = named && bytes_are(first->name, "scale");
    change_problem(r->list, place(r, node), r->where,
                   named ? arena_printf(r->list->arena, "write by: %.*s%s", BYTES_ARGS(first->name),
                                        scale ? ", times: 1000 or divided_by: 1000" : "")
                         : "for example by: text",
                   "expected the name of a converter; its parameters are keys beside by");
    return false;
}

/* Reads the keys of a change of a field that both ends have. */
static bool read_both(const Reading *r)
{
    const JsonNode *said;
    bool good = true;
    good &= read_keyed(r);
    if ((said = member(r, "template")))
        good &= read_template(r, said, member(r, "from") ? NEW : OLD);
    if ((said = member(r, "into")))
        good &= read_template(r, said, NEW);
    if ((said = member(r, "parts")))
        good &= read_parts(r, said);
    if ((said = member(r, "required")))
        good &= read_missing(r, said, NEW);
    if ((said = member(r, "optional")))
        good &= read_missing(r, said, OLD);
    if ((said = member(r, "first")))
        good &= read_first(r, said);
    if ((said = member(r, "more")))
        good &= read_drop(r, said, &r->change->more);
    if ((said = member(r, "sentinel")))
        good &= read_sentinel(r, said);
    if ((said = member(r, "zero")))
        good &= read_zero(r, said);
    if ((said = member(r, "when")))
        good &= read_when(r, said);
    if ((said = member(r, "currency")))
        good &= read_currency(r, said);
    if ((said = member(r, "of")))
        good &= read_of(r, said);
    if ((said = member(r, "wider")))
        good &= read_drop(r, said, &r->change->wider);
    if ((said = member(r, "by")))
        good &= read_by(r, said);
    return good;
}

static bool read_ends(const Reading *r)
{
    if (has_text(r->node))
        return read_path(r, r->key, OLD, r->key->name) && read_path(r, r->node, NEW, r->node->text);
    const JsonNode *to = member(r, "to"), *from = member(r, "from");
    if (from)
        return read_paths(r, from, OLD) && read_path(r, r->key, NEW, r->key->name);
    if (!read_path(r, r->key, OLD, r->key->name))
        return false;
    return to ? read_paths(r, to, NEW) : read_path(r, r->key, NEW, r->key->name);
}

/* The keys that are valid in each kind of change. */
static const char *const removed_keys[] = {"removed", "ignored", "back", NULL};
static const char *const added_keys[] = {"added", "ignored", "back", NULL};
static const char *const constant_keys[] = {"constant", NULL};
static const char *const select_keys[] = {"select", "others", "unused", NULL};
static const char *const means_keys[] = {"means", "others", NULL};
static const char *const merge_keys[] = {
    "first", "from",       "to",     "by",     "required",    "optional", "round",
    "times", "divided_by", "values", "others", "ignore_case", NULL};

static const char *const keyed_keys[] = {
    "key",   "to",    "value",      "duplicates", "by",     "required",    "optional",
    "round", "times", "divided_by", "values",     "others", "ignore_case", NULL};

static const char *const *keys_beside(const Reading *r)
{
    return member(r, "removed")    ? removed_keys
           : member(r, "added")    ? added_keys
           : member(r, "constant") ? constant_keys
           : member(r, "select")   ? select_keys
           : member(r, "means")    ? means_keys
           : member(r, "first")    ? merge_keys
           : member(r, "key")      ? keyed_keys
                                   : NULL;
}

static bool read_keys(const Reading *r)
{
    bool good = true;
    const char *const *beside = keys_beside(r);
    for (const JsonNode *item = r->node->first; item; item = item->next) {
        size_t i = 0, n = sizeof field_keys / sizeof *field_keys;
        while (i < n && !bytes_are(item->name, field_keys[i]))
            i++;
        if (i < n && (!beside || bytes_are_one_of(item->name, beside)))
            continue;
        if (i < n) {
            change_problem(r->list, place(r, item), r->where, NULL, "%.*s does not go with %s",
                           BYTES_ARGS(item->name), beside[0]);
            good = false;
            continue;
        }
        const char *near = nearest_word(item->name, field_keys, n);
        change_problem(r->list, place(r, item), r->where,
                       near ? arena_printf(r->list->arena, "did you mean %s?", near) : NULL,
                       "a change of a field has no %.*s", BYTES_ARGS(item->name));
        good = false;
    }
    return good;
}

static bool read_change(const Reading *r)
{
    if (has_text(r->node))
        return read_ends(r);
    if (r->node->kind != JSON_OBJECT) {
        bool old = path_exists(r->list, r->pair->ends[OLD], r->key->name);
        const char *hint =
            arena_printf(r->list->arena, "write %.*s: {%s: graceful}, or the new name",
                         BYTES_ARGS(r->key->name), old ? "removed" : "added");
        change_problem(r->list, place(r, r->node), r->where, hint,
                       "expected the new name or what becomes of the field");
        return false;
    }
    if (!read_keys(r))
        return false;
    if (member(r, "removed"))
        return read_removed(r);
    if (member(r, "added"))
        return read_added(r);
    if (member(r, "constant"))
        return read_constant(r);
    if (member(r, "select"))
        return read_select(r);
    if (member(r, "means"))
        return read_means(r);
    return read_ends(r) && read_both(r);
}

static void read_field(ChangeList *list, MessagePair *pair, const JsonNode *key,
                       const JsonNode *node, const char *where)
{
    FieldChange change = {.node = node, .place = *yaml_place(&list->document, node)};
    Reading reading = {list, pair, key, node, where, &change};
    if (read_change(&reading))
        *pair_add(list, pair) = change;
    else
        pair->misread = true;
}

void change_read_fields(ChangeList *list, MessagePair *pair, const JsonNode *node)
{
    pair->node = node;
    pair->said = true;
    pair->place = *yaml_place(&list->document, node);
    for (const JsonNode *key = node->first; key; key = key->next) {
        const char *where =
            arena_printf(list->arena, "%s.%.*s", pair_name(list, pair), BYTES_ARGS(key->name));
        if (key->kind != JSON_ARRAY) {
            read_field(list, pair, key, key, where);
            continue;
        }
        for (const JsonNode *item = key->first; item; item = item->next)
            read_field(list, pair, key, item, where);
    }
}
