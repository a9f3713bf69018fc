#include "adapters/changes/change_list.h"

#include <stdarg.h>
#include <stdio.h>

void change_problem(ChangeList *list, YamlPlace place, const char *path, const char *hint,
                    const char *format, ...)
{
    char reason[1024];
    va_list args;
    va_start(args, format);
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    problem_add(list->problems, place.file ? place.file : list->file, place.name_line,
                place.name_column, path, hint, "%s", reason);
}

const char *side_name(const ChangeSide *side, const char *full_name)
{
    size_t size = strlen(side->package);
    if (size && strncmp(full_name, side->package, size) == 0 && full_name[size] == '.')
        return full_name + size + 1;
    return full_name;
}

const char *pair_name(ChangeList *list, const MessagePair *pair)
{
    const char *old = side_name(&list->sides[OLD], pair->ends[OLD]->full_name);
    return pair->canonical ? old
                           : arena_printf(list->working, "%s to %s", old,
                                          side_name(&list->sides[NEW], pair->ends[NEW]->full_name));
}

static bool in_package(const ChangeSide *side, const char *full_name)
{
    return side_name(side, full_name) != full_name;
}

static Bytes in_side(const ChangeSide *side, Arena *arena, Bytes name)
{
    if (!side->package[0])
        return name;
    return bytes_of(arena_printf(arena, "%s.%.*s", side->package, BYTES_ARGS(name)));
}

const MessageType *side_message(const ChangeSide *side, Arena *arena, Bytes name)
{
    const MessageType *found = schema_message(side->schema, in_side(side, arena, name));
    return found ? found : schema_message(side->schema, name);
}

const EnumType *side_enum(const ChangeSide *side, Arena *arena, Bytes name)
{
    const EnumType *found = schema_enum(side->schema, in_side(side, arena, name));
    return found ? found : schema_enum(side->schema, name);
}

const char *nearest_message(const ChangeSide *side, Arena *arena, Bytes name)
{
    const Schema *schema = side->schema;
    const char **words = arena_array(arena, const char *, schema->n_messages + 1);
    for (uint32_t i = 0; i < schema->n_messages; i++)
        words[i] = side_name(side, schema->messages[i].full_name);
    return nearest_word(name, words, schema->n_messages);
}

const char *nearest_enum(const ChangeSide *side, Arena *arena, Bytes name)
{
    const Schema *schema = side->schema;
    const char **words = arena_array(arena, const char *, schema->n_enums + 1);
    for (uint32_t i = 0; i < schema->n_enums; i++)
        words[i] = side_name(side, schema->enums[i].full_name);
    return nearest_word(name, words, schema->n_enums);
}

const char *nearest_field(const MessageType *message, Arena *arena, Bytes name)
{
    const char **words = arena_array(arena, const char *, message->n_fields + 1);
    for (uint32_t i = 0; i < message->n_fields; i++)
        words[i] = message->fields[i].name;
    return nearest_word(name, words, message->n_fields);
}

/* Whether the words differ by one inserted, missing or other letter, or by two swapped letters. */
static bool is_one_slip_from(Bytes word, Bytes right)
{
    size_t head = 0, tail = 0, least = word.size < right.size ? word.size : right.size;
    while (head < least && word.data[head] == right.data[head])
        head++;
    while (tail < least - head &&
           word.data[word.size - 1 - tail] == right.data[right.size - 1 - tail])
        tail++;
    size_t left = word.size - head - tail, right_left = right.size - head - tail;
    bool swapped = left == 2 && right_left == 2 && word.data[head] == right.data[head + 1] &&
                   word.data[head + 1] == right.data[head];
    return swapped || (left <= 1 && right_left <= 1);
}

/* "good" is far enough from "loud", "Loud" and "luod" are not. */
const char *change_near_word(ChangeList *list, const JsonNode *node)
{
    static const char *const graceful[] = {"graceful"};
    if (node->kind != JSON_TEXT || bytes_are(node->text, "loud") ||
        bytes_are(node->text, "graceful"))
        return NULL;
    Bytes word = bytes_lower(list->arena, node->text);
    return is_one_slip_from(word, bytes_of("loud")) ? "did you mean loud?"
           : nearest_word(word, graceful, 1)        ? "did you mean graceful?"
                                                    : NULL;
}

/* The name that the type has at the other end by default: the same, in that end's package. */
static const char *name_at(const ChangeSide *from, const ChangeSide *to, Arena *arena,
                           const char *full_name)
{
    if (!in_package(from, full_name))
        return full_name;
    Bytes name = in_side(to, arena, bytes_of(side_name(from, full_name)));
    return arena_text(arena, name);
}

const MessageType *message_namesake(ChangeList *list, int end, const MessageType *message)
{
    const ChangeSide *other = &list->sides[!end];
    const char *said = table_get(&list->types[end], bytes_of(message->full_name));
    if (said)
        return schema_message(other->schema, bytes_of(said));
    const char *same = name_at(&list->sides[end], other, list->arena, message->full_name);
    const MessageType *found = schema_message(other->schema, bytes_of(same));
    /* A type that another type was renamed to is not a counterpart. */
    return found && !table_get(&list->types[!end], bytes_of(found->full_name)) ? found : NULL;
}

const MessageType *message_counterpart(ChangeList *list, int end, const MessageType *message)
{
    const MessageType *found = message_namesake(list, end, message);
    bool parted = found && (table_get(&list->fates[end], bytes_of(message->full_name)) ||
                            table_get(&list->fates[!end], bytes_of(found->full_name)));
    return parted ? NULL : found;
}

const EnumType *enum_counterpart(ChangeList *list, int end, const EnumType *type)
{
    const ChangeSide *other = &list->sides[!end];
    const char *said = table_get(&list->types[end], bytes_of(type->full_name));
    if (said)
        return schema_enum(other->schema, bytes_of(said));
    const char *same = name_at(&list->sides[end], other, list->arena, type->full_name);
    const EnumType *found = schema_enum(other->schema, bytes_of(same));
    return found && !table_get(&list->types[!end], bytes_of(found->full_name)) ? found : NULL;
}

static Bytes ends_key(Arena *arena, const void *old, const void *new_type)
{
    const void *ends[2] = {old, new_type};
    return bytes_copy(arena, bytes(ends, sizeof ends));
}

MessagePair *message_pair(ChangeList *list, const MessageType *old, const MessageType *new_type)
{
    const void *ends[2] = {old, new_type};
    MessagePair *pair = table_get(&list->pairs_by_ends, bytes(ends, sizeof ends));
    if (pair)
        return pair;

    pair = arena_make(list->arena, MessagePair);
    *pair = (MessagePair){
        .ends = {old, new_type},
        .canonical = message_counterpart(list, OLD, old) == new_type,
        .mappings = {arena_make(list->arena, Mapping), arena_make(list->arena, Mapping)},
    };
    for (int end = 0; end < 2; end++) {
        pair->mappings[end]->from = pair->ends[!end];
        pair->mappings[end]->to = pair->ends[end];
    }
    if (list->n_pairs == list->pairs_capacity) {
        uint32_t capacity = list->pairs_capacity ? list->pairs_capacity * 2 : 64;
        list->pairs = arena_grow(list->arena, list->pairs, list->n_pairs * sizeof *list->pairs,
                                 capacity * sizeof *list->pairs);
        list->pairs_capacity = capacity;
    }
    list->pairs[list->n_pairs++] = pair;
    table_put(&list->pairs_by_ends, ends_key(list->arena, old, new_type), pair);
    return pair;
}

EnumPair *enum_pair(ChangeList *list, const EnumType *old, const EnumType *new_type)
{
    const void *ends[2] = {old, new_type};
    EnumPair *pair = table_get(&list->enum_pairs_by_ends, bytes(ends, sizeof ends));
    if (pair)
        return pair;

    pair = arena_make(list->arena, EnumPair);
    *pair = (EnumPair){.ends = {old, new_type},
                       .canonical = enum_counterpart(list, OLD, old) == new_type};
    if (list->n_enum_pairs == list->enum_pairs_capacity) {
        uint32_t capacity = list->enum_pairs_capacity ? list->enum_pairs_capacity * 2 : 32;
        list->enum_pairs =
            arena_grow(list->arena, list->enum_pairs, list->n_enum_pairs * sizeof *list->enum_pairs,
                       capacity * sizeof *list->enum_pairs);
        list->enum_pairs_capacity = capacity;
    }
    list->enum_pairs[list->n_enum_pairs++] = pair;
    table_put(&list->enum_pairs_by_ends, ends_key(list->arena, old, new_type), pair);
    return pair;
}

void pair_reserve(ChangeList *list, MessagePair *pair, uint32_t more)
{
    uint32_t capacity = pair->n_own + more;
    if (capacity <= pair->own_capacity)
        return;
    pair->own = arena_grow(list->working, pair->own, pair->n_own * sizeof *pair->own,
                           capacity * sizeof *pair->own);
    pair->own_capacity = capacity;
}

FieldChange *pair_add(ChangeList *list, MessagePair *pair)
{
    if (pair->n_own == pair->own_capacity)
        pair_reserve(list, pair, pair->n_own ? pair->n_own : 4);
    FieldChange *change = &pair->own[pair->n_own++];
    *change = (FieldChange){0};
    return change;
}

/* Whether the first n steps are the same. */
static bool same_steps(const FieldPath *a, const FieldPath *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (a->steps[i] != b->steps[i])
            return false;
    }
    return true;
}

bool path_equal(const FieldPath *a, const FieldPath *b)
{
    return a->n_steps == b->n_steps && same_steps(a, b, a->n_steps);
}

bool path_inside(const FieldPath *inner, const FieldPath *outer)
{
    return inner->n_steps > outer->n_steps && same_steps(inner, outer, outer->n_steps);
}

FieldPath path_join(Arena *arena, const FieldPath *outer, const FieldPath *inner)
{
    if (!inner->n_steps || !outer->n_steps)
        return *inner;
    uint32_t n = outer->n_steps + inner->n_steps;
    const FieldType **steps = arena_array(arena, const FieldType *, n);
    memcpy(steps, outer->steps, outer->n_steps * sizeof *steps);
    memcpy(steps + outer->n_steps, inner->steps, inner->n_steps * sizeof *steps);
    return (FieldPath){steps, n, steps_text(arena, steps, n)};
}

const FieldType *path_field(const FieldPath *path)
{
    return path->steps[path->n_steps - 1];
}

const Loss *change_loss(ChangeList *list, int towards, LossKind kind, bool loud, int line,
                        const char *path, const char *into, const char *how)
{
    Loss *loss = arena_make(list->arena, Loss);
    *loss = (Loss){.kind = kind,
                   .loud = loud,
                   .path = path,
                   .into = into,
                   .how = how,
                   .file = list->file,
                   .line = line};
    return mapping_set_add_loss(list->arena, &list->sets[towards], loss);
}

const ChangeList *chain_list(const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                             uint32_t i)
{
    int from = upwards ? OLD : NEW;
    bool reversed =
        n_lists > 1 && strcmp(lists[1]->sides[!from].version, lists[0]->sides[from].version) == 0;
    return lists[reversed ? n_lists - 1 - i : i];
}
