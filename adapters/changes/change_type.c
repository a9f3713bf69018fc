/* Which types are counterparts, and which have none. */
#include "adapters/changes/change_list.h"

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING;
}

/* ---- Names of messages and enums ------------------------------------------------------------- */

static void unknown_type(ChangeList *list, const JsonNode *node, const char *near, const char *what,
                         Bytes name, int end)
{
    change_problem(list, *yaml_place(&list->document, node), "",
                   near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                   "no %s %.*s in %s", what, BYTES_ARGS(name), list->sides[end].version);
}

static bool said_gone(ChangeList *list, const JsonNode *node, const char *old, const char *new_name)
{
    if (!table_get(&list->fates[OLD], bytes_of(old)) &&
        !table_get(&list->fates[NEW], bytes_of(new_name)))
        return false;
    change_problem(list, *yaml_place(&list->document, node), "", NULL,
                   "%s and %s: one of them is declared as removed or added",
                   side_name(&list->sides[OLD], old), side_name(&list->sides[NEW], new_name));
    return true;
}

static void put_type(ChangeList *list, const JsonNode *node, const char *old, const char *new_name)
{
    if (table_get(&list->types[OLD], bytes_of(old)) ||
        table_get(&list->types[NEW], bytes_of(new_name))) {
        change_problem(list, *yaml_place(&list->document, node), "", NULL,
                       "%s and %s: one of them already corresponds to another type",
                       side_name(&list->sides[OLD], old), side_name(&list->sides[NEW], new_name));
        return;
    }
    if (said_gone(list, node, old, new_name))
        return;
    table_put(&list->types[OLD], bytes_of(old), (void *)new_name);
    table_put(&list->types[NEW], bytes_of(new_name), (void *)old);
}

static void read_message_name(ChangeList *list, const JsonNode *node)
{
    const MessageType *old = side_message(&list->sides[OLD], list->arena, node->name);
    const MessageType *new_type = side_message(&list->sides[NEW], list->arena, node->text);
    if (!old)
        unknown_type(list, node, nearest_message(&list->sides[OLD], list->arena, node->name),
                     "message", node->name, OLD);
    if (!new_type)
        unknown_type(list, node, nearest_message(&list->sides[NEW], list->arena, node->text),
                     "message", node->text, NEW);
    if (old && new_type)
        put_type(list, node, old->full_name, new_type->full_name);
}

static void read_enum_name(ChangeList *list, const JsonNode *node)
{
    const EnumType *old = side_enum(&list->sides[OLD], list->arena, node->name);
    const EnumType *new_type = side_enum(&list->sides[NEW], list->arena, node->text);
    if (!old)
        unknown_type(list, node, nearest_enum(&list->sides[OLD], list->arena, node->name), "enum",
                     node->name, OLD);
    if (!new_type)
        unknown_type(list, node, nearest_enum(&list->sides[NEW], list->arena, node->text), "enum",
                     node->text, NEW);
    if (old && new_type)
        put_type(list, node, old->full_name, new_type->full_name);
}

static const JsonNode *section(ChangeList *list, const char *name)
{
    const JsonNode *node = json_member(list->document.root, name);
    if (!node || node->kind == JSON_NULL)
        return NULL;
    if (node->kind == JSON_OBJECT)
        return node;
    change_problem(list, *yaml_place(&list->document, node), "", NULL,
                   "%s: expected names, each with what became of it", name);
    return NULL;
}

/* ---- Types that only one version has --------------------------------------------------------- */

/* loud, graceful, kept */
static bool read_fate(ChangeList *list, const JsonNode *node, TypeFate *fate_out)
{
    static const char *const words[] = {
        [TYPE_LOUD] = "loud", [TYPE_DROPPED] = "graceful", [TYPE_KEPT] = "kept"};
    for (int i = TYPE_LOUD; i <= TYPE_KEPT; i++) {
        *fate_out = (TypeFate)i;
        if (node->kind == JSON_TEXT && bytes_are(node->text, words[i]))
            return true;
    }
    change_problem(list, *yaml_place(&list->document, node), "", NULL,
                   "expected loud, graceful or kept");
    return false;
}

static const char *type_hint(ChangeList *list, Bytes name)
{
    bool old = side_message(&list->sides[OLD], list->arena, name);
    return arena_printf(list->arena, "write %.*s: {%s: loud}, or the new name", BYTES_ARGS(name),
                        old ? "removed" : "added");
}

/* "Promo: {removed: graceful}": how a type without a counterpart is handled inside an Any. */
static void read_gone(ChangeList *list, const JsonNode *node, Bytes name)
{
    YamlPlace place = *yaml_place(&list->document, node);
    bool said = node->kind == JSON_OBJECT;
    const JsonNode *removed = said ? json_member(node, "removed") : NULL;
    const JsonNode *added = said ? json_member(node, "added") : NULL;
    int end = removed ? OLD : NEW;
    if (node->count != 1 || (!removed && !added)) {
        change_problem(list, place, "", type_hint(list, name),
                       "expected the new name, or removed or added");
        return;
    }
    const MessageType *type = side_message(&list->sides[end], list->arena, name);
    if (!type) {
        unknown_type(list, node, nearest_message(&list->sides[end], list->arena, name), "message",
                     name, end);
        return;
    }
    TypeGone *gone = arena_make(list->arena, TypeGone);
    *gone = (TypeGone){.type = type, .place = place};
    if (read_fate(list, removed ? removed : added, &gone->fate))
        table_put(&list->fates[end], bytes_of(type->full_name), gone);
}

void change_read_types(ChangeList *list)
{
    const JsonNode *types = section(list, "types"), *messages = section(list, "messages"),
                   *enums = section(list, "enums");
    for (const JsonNode *node = types ? types->first : NULL; node; node = node->next) {
        if (node->kind == JSON_OBJECT)
            read_gone(list, node, node->name);
        for (const JsonNode *item = node->first; node->kind == JSON_ARRAY && item;
             item = item->next)
            read_gone(list, item, node->name);
    }
    for (const JsonNode *node = types ? types->first : NULL; node; node = node->next) {
        if (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY)
            continue;
        if (!has_text(node))
            change_problem(list, *yaml_place(&list->document, node), "",
                           type_hint(list, node->name), "expected the new name");
        else if (side_enum(&list->sides[OLD], list->arena, node->name))
            read_enum_name(list, node);
        else
            read_message_name(list, node);
    }
    for (const JsonNode *node = messages ? messages->first : NULL; node; node = node->next) {
        if (has_text(node))
            read_message_name(list, node);
    }
    for (const JsonNode *node = enums ? enums->first : NULL; node; node = node->next) {
        if (has_text(node))
            read_enum_name(list, node);
    }
}

/* "A to B": two messages that are not counterparts, for fields that convert one to the other. */
static bool split_names(Bytes key, Bytes *old_out, Bytes *new_out)
{
    size_t space = bytes_find(key, ' ');
    if (space == key.size || !bytes_start_with(bytes_slice(key, space, key.size), " to "))
        return false;
    *old_out = bytes_slice(key, 0, space);
    *new_out = bytes_slice(key, space + 4, key.size);
    return true;
}

static MessagePair *read_pair(ChangeList *list, const JsonNode *node)
{
    Bytes old_name = node->name, new_name = BYTES_NONE;
    bool both = split_names(node->name, &old_name, &new_name);
    const MessageType *old = side_message(&list->sides[OLD], list->arena, old_name);
    const MessageType *new_type = NULL;
    if (both) {
        new_type = side_message(&list->sides[NEW], list->arena, new_name);
    } else if (old) {
        new_type = message_counterpart(list, OLD, old);
    } else if ((new_type = side_message(&list->sides[NEW], list->arena, old_name))) {
        old = message_counterpart(list, NEW, new_type);
        new_name = old_name;
    }
    if (old && new_type)
        return message_pair(list, old, new_type);

    if (!old && !new_type) {
        unknown_type(list, node, nearest_message(&list->sides[OLD], list->arena, old_name),
                     "message", old_name, OLD);
    } else {
        int end = old ? NEW : OLD;
        Bytes name = old ? old_name : new_name;
        const char *near = nearest_message(&list->sides[end], list->arena, name), *taken = "";
        const MessageType *alike =
            near ? side_message(&list->sides[end], list->arena, bytes_of(near)) : NULL;
        const MessageType *taker = alike ? message_counterpart(list, end, alike) : NULL;
        if (taker) {
            taken = arena_printf(list->arena, ": %s goes with %s of %s", near,
                                 side_name(&list->sides[!end], taker->full_name),
                                 list->sides[!end].version);
            near = NULL;
        }
        bool parted = old && table_get(&list->fates[OLD], bytes_of(old->full_name));
        const char *hint = parted ? arena_printf(list->arena, "write %.*s to %.*s: ...",
                                                 BYTES_ARGS(name), BYTES_ARGS(name))
                           : old  ? arena_printf(list->arena, "types: {%.*s: %s}", BYTES_ARGS(name),
                                                near ? near : "...")
                                  : arena_printf(list->arena, "types: {%s: %.*s}",
                                                near ? near : "...", BYTES_ARGS(name));
        change_problem(list, *yaml_place(&list->document, node), "", hint,
                       "%.*s has no counterpart in %s%s", BYTES_ARGS(name),
                       list->sides[end].version, taken);
    }
    return NULL;
}

void change_read_messages(ChangeList *list)
{
    const JsonNode *messages = section(list, "messages");
    for (const JsonNode *node = messages ? messages->first : NULL; node; node = node->next) {
        if (has_text(node) || node->kind == JSON_NULL)
            continue;
        if (node->kind != JSON_OBJECT) {
            change_problem(list, *yaml_place(&list->document, node), "", NULL,
                           "expected fields, each with what became of it");
            continue;
        }
        MessagePair *pair = read_pair(list, node);
        if (!pair)
            continue;
        if (pair->said)
            change_problem(list, *yaml_place(&list->document, node), "", NULL,
                           "%s already has an entry, in line %d", pair->ends[OLD]->name,
                           pair->place.name_line);
        else
            change_read_fields(list, pair, node);
    }
}

void change_read_enum_keys(ChangeList *list)
{
    const JsonNode *enums = section(list, "enums");
    for (const JsonNode *node = enums ? enums->first : NULL; node; node = node->next) {
        if (node->kind != JSON_OBJECT)
            continue;
        Bytes old_name = node->name, new_name = BYTES_NONE;
        bool both = split_names(node->name, &old_name, &new_name);
        const EnumType *old = side_enum(&list->sides[OLD], list->arena, old_name);
        const EnumType *new_type = both  ? side_enum(&list->sides[NEW], list->arena, new_name)
                                   : old ? enum_counterpart(list, OLD, old)
                                         : side_enum(&list->sides[NEW], list->arena, old_name);
        if (!old && new_type)
            old = enum_counterpart(list, NEW, new_type);
        if (!old || !new_type) {
            unknown_type(list, node, nearest_enum(&list->sides[OLD], list->arena, old_name), "enum",
                         node->name, old ? NEW : OLD);
            continue;
        }
        EnumPair *pair = enum_pair(list, old, new_type);
        if (pair->node)
            change_problem(list, *yaml_place(&list->document, node), "", NULL,
                           "%s already has an entry, in line %d", old->name, pair->place.name_line);
        pair->node = node;
        pair->place = *yaml_place(&list->document, node);
    }
}

/* ---- Types without a counterpart ------------------------------------------------------------- */

/* A version's own types are those of its package. Other types are shared by all versions. */
static bool side_owns(const ChangeSide *side, const MessageType *type)
{
    return side->package[0] ? side_name(side, type->full_name) != type->full_name
                            : type->package[0] == '\0';
}

/* A type that the list declares removed or added must not have a counterpart, and one that is kept
   must not share its name with a different type of the other version. */
static void check_gone(ChangeList *list, int end, const TypeGone *gone)
{
    const ChangeSide *other = &list->sides[!end];
    const MessageType *counterpart = message_namesake(list, end, gone->type);
    bool parted = counterpart && table_get(&list->fates[!end], bytes_of(counterpart->full_name));
    const char *name = side_name(&list->sides[end], gone->type->full_name);
    const MessageType *taken = schema_message(other->schema, bytes_of(gone->type->full_name));
    if (counterpart && !parted)
        change_problem(list, gone->place, name,
                       arena_printf(list->arena,
                                    "write %s: [{removed: loud}, {added: loud}] if the two have "
                                    "nothing to do with each other",
                                    name),
                       "%s has it too, as %s", other->version,
                       side_name(other, counterpart->full_name));
    else if (gone->fate == TYPE_KEPT && taken && side_owns(other, taken))
        change_problem(list, gone->place, gone->type->full_name, "loud or graceful",
                       "%s has another type of this name, and would read it as that",
                       other->version);
}

void change_check_types(ChangeList *list)
{
    for (int end = 0; end < 2; end++) {
        size_t at = 0;
        for (const TableEntry *entry; (entry = table_next(&list->fates[end], &at));)
            check_gone(list, end, entry->value);
    }
}

static Stranded strand(ChangeList *list, int to, const MessageType *type)
{
    const TypeGone *gone = table_get(&list->fates[!to], bytes_of(type->full_name));
    const char *name = side_name(&list->sides[!to], type->full_name);
    const char *how = gone && gone->fate == TYPE_KEPT ? "inside an Any, as it is"
                                                      : "inside an Any: no counterpart";
    Stranded stranded = {.type = type, .fate = gone ? gone->fate : TYPE_LOUD, .at_end = true};
    LossKind kind = stranded.fate == TYPE_KEPT ? LOSS_KEPT : LOSS_DROPPED;
    if (gone) {
        stranded.loss = change_loss(list, to, kind, stranded.fate == TYPE_LOUD,
                                    gone->place.name_line, name, "", how);
    } else {
        Loss *loss = arena_make(list->arena, Loss);
        *loss = (Loss){.kind = kind, .loud = true, .path = name, .into = "", .how = how};
        stranded.loss = loss;
    }
    return stranded;
}

void change_strand_types(ChangeList *list, int to)
{
    const ChangeSide *source = &list->sides[!to];
    MappingSet *set = &list->sets[to];
    Stranded *stranded = arena_array(list->arena, Stranded, source->schema->n_messages + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < source->schema->n_messages; i++) {
        const MessageType *type = &source->schema->messages[i];
        bool said = table_get(&list->fates[!to], bytes_of(type->full_name));
        if (!type->map_entry && (said || side_owns(source, type)) && !mapping_set_find(set, type))
            stranded[n++] = strand(list, to, type);
    }
    set->stranded = stranded;
    set->n_stranded = n;
}
