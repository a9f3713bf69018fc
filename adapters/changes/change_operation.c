/*
 * Long-running operations: the types in `response` and `metadata` of a google.longrunning.Operation
 * depend on the method that started it.
 *
 *     v1   rpc Create(...) returns (Operation)    response: Result      metadata: Progress
 *     v2   rpc Create(...) returns (Operation)    response: NewOrder    metadata: Progress
 *
 * They are declared in the schema by the method option google.longrunning.operation_info, or in the
 * list. So a type can have a different counterpart in the operations of each method, as in requests
 * and responses. A method that returns operations which others started (GetOperation) uses the
 * types of all methods, or of those that the list names.
 */
#include "adapters/changes/change_list.h"

static const char *const part_names[N_HELD] = {
    [HELD_RESPONSE] = "response", [HELD_METADATA] = "metadata"};

static bool is_operation(const MessageType *type)
{
    return strcmp(type->full_name, "google.longrunning.Operation") == 0;
}

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_type(ChangeList *list, const JsonNode *node, int end, Bytes name,
                      const MessageType **type_out)
{
    *type_out = side_message(&list->sides[end], list->arena, name);
    if (*type_out)
        return true;
    const char *near = nearest_message(&list->sides[end], list->arena, name);
    change_problem(list, *yaml_place(&list->document, node), "",
                   near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                   "no message %.*s in %s", BYTES_ARGS(name), list->sides[end].version);
    return false;
}

/* "response: Order", "response: {Order: Purchase}" */
static void read_part(ChangeList *list, const JsonNode *node, MethodEntry *entry, HeldPart part)
{
    bool two = node->kind == JSON_OBJECT && node->count == 1 && has_text(node->first);
    if (!two && !has_text(node)) {
        change_problem(list, *yaml_place(&list->document, node), "",
                       arena_printf(list->arena, "write %s: TYPE, or %s: {OLD: NEW}",
                                    part_names[part], part_names[part]),
                       "expected the type in an operation's %s", part_names[part]);
        return;
    }
    read_type(list, node, OLD, two ? node->first->name : node->text, &entry->held[OLD][part]);
    read_type(list, node, NEW, two ? node->first->text : node->text, &entry->held[NEW][part]);
}

static bool returns_operation(ChangeList *list, const JsonNode *node, const MethodEntry *entry)
{
    if (is_operation(entry->ends[OLD]->output) && is_operation(entry->ends[NEW]->output))
        return true;
    change_problem(list, *yaml_place(&list->document, node), "", NULL,
                   "the method does not return a google.longrunning.Operation");
    return false;
}

void change_read_operation(ChangeList *list, const JsonNode *node, MethodEntry *entry)
{
    for (HeldPart part = 0; part < N_HELD; part++) {
        const JsonNode *said = json_member(node, part_names[part]);
        if (said && returns_operation(list, said, entry))
            read_part(list, said, entry, part);
    }
    const JsonNode *of = json_member(node, "operations_of");
    if (of && returns_operation(list, of, entry))
        entry->operations_of = of;
}

/* Takes the types that the schema declares where the list has none. */
static void take_declared(MethodEntry *entry)
{
    for (int end = 0; end < 2; end++) {
        const MethodType *method = entry->ends[end];
        if (!method || !is_operation(method->output))
            continue;
        if (!entry->held[end][HELD_RESPONSE])
            entry->held[end][HELD_RESPONSE] = method->operation_response;
        if (!entry->held[end][HELD_METADATA])
            entry->held[end][HELD_METADATA] = method->operation_metadata;
    }
}

static bool is_in(const JsonNode *names, Bytes name)
{
    if (has_text(names))
        return bytes_equal(names->text, name);
    for (const JsonNode *item = names->first; item; item = item->next) {
        if (bytes_equal(item->text, name))
            return true;
    }
    return false;
}

static const char *entry_name(ChangeList *list, const MethodEntry *entry)
{
    const MethodType *method = entry->ends[OLD];
    return arena_printf(list->arena, "%s.%s",
                        side_name(&list->sides[OLD], method->service->full_name), method->name);
}

static bool begins(const MethodEntry *entry)
{
    return entry->ends[OLD] && entry->ends[NEW] &&
           (entry->held[OLD][HELD_RESPONSE] || entry->held[OLD][HELD_METADATA] ||
            entry->held[NEW][HELD_RESPONSE] || entry->held[NEW][HELD_METADATA]);
}

static void check_name(ChangeList *list, const JsonNode *item)
{
    const char **words = arena_array(list->arena, const char *, list->n_methods + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n_methods; i++) {
        if (!begins(&list->methods[i]))
            continue;
        words[n] = entry_name(list, &list->methods[i]);
        if (bytes_are(item->text, words[n++]))
            return;
    }
    const char *near = nearest_word(item->text, words, n);
    change_problem(list, *yaml_place(&list->document, item), "",
                   near ? arena_printf(list->arena, "did you mean %s?", near)
                        : "write response: and metadata: for the method that begins it",
                   "no method %.*s of %s begins an operation", BYTES_ARGS(item->text),
                   list->sides[OLD].version);
}

void change_check_operations(ChangeList *list)
{
    for (uint32_t i = 0; i < list->n_methods; i++)
        take_declared(&list->methods[i]);
    for (uint32_t i = 0; i < list->n_methods; i++) {
        const JsonNode *of = list->methods[i].operations_of;
        if (!of)
            continue;
        if (of->kind != JSON_ARRAY && !has_text(of))
            change_problem(list, *yaml_place(&list->document, of), "",
                           "write operations_of: [METHOD]",
                           "expected the methods that begin the operations");
        else if (has_text(of))
            check_name(list, of);
        for (const JsonNode *item = of->kind == JSON_ARRAY ? of->first : NULL; item;
             item = item->next)
            check_name(list, item);
    }
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static MessagePair *held_pair(ChangeList *list, const MethodEntry *entry, HeldPart part)
{
    const MessageType *old = entry->held[OLD][part], *is = entry->held[NEW][part];
    return entry->ends[OLD] && entry->ends[NEW] && old && is ? message_pair(list, old, is) : NULL;
}

void change_want_operations(ChangeList *list)
{
    for (uint32_t i = 0; i < list->n_methods; i++) {
        for (HeldPart part = 0; part < N_HELD; part++) {
            MessagePair *pair = held_pair(list, &list->methods[i], part);
            if (pair)
                pair->wanted = true;
        }
    }
}

/* ---- The mapping of a response --------------------------------------------------------------- */

/* The types that one part of the operations of some methods may contain. */
typedef struct Holding {
    ChangeList *list;
    int to;
    Held *held;
    uint32_t n;
} Holding;

/* If several methods convert a type differently, its mapping is ambiguous: it is not known which
   method started the operation. */
static void hold(Holding *h, const MessagePair *pair)
{
    const Mapping *mapping = pair->mappings[h->to];
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->held[i].from != mapping->from)
            continue;
        if (h->held[i].mapping != mapping)
            h->held[i].several = true;
        return;
    }
    h->held[h->n++] = (Held){.from = mapping->from, .mapping = mapping};
}

static void hold_of(Holding *h, const MethodEntry *entry, HeldPart part)
{
    const MessagePair *pair = held_pair(h->list, entry, part);
    if (pair && pair->checked && !pair->bad)
        hold(h, pair);
}

/* Removes the types whose mapping here is the usual one of the type. */
static void leave_out_usual(Holding *h)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        const Mapping *usual = mapping_set_find(&h->list->sets[h->to], h->held[i].from);
        if (!h->held[i].several && h->held[i].mapping != usual)
            h->held[n++] = h->held[i];
    }
    h->n = n;
}

static Holding find_held(ChangeList *list, int to, const MethodEntry *entry, HeldPart part)
{
    Holding h = {list, to, arena_array(list->arena, Held, list->n_methods + 1), 0};
    for (uint32_t i = 0; i < list->n_methods; i++) {
        const MethodEntry *other = &list->methods[i];
        bool named =
            begins(other) && (!entry->operations_of ||
                              is_in(entry->operations_of, bytes_of(entry_name(list, other))));
        if (begins(entry) ? other == entry : named)
            hold_of(&h, other, part);
    }
    leave_out_usual(&h);
    return h;
}

static const Expr *holding_expr(ChangeList *list, const Expr *any, const Holding *h)
{
    Converter *converter = arena_make(list->arena, Converter);
    Expr *expr = expr_copy(list->arena, any);
    *converter = *any->converter;
    converter->held = h->held;
    converter->n_held = h->n;
    expr->converter = converter;
    return expr;
}

const Mapping *making_operation(ChangeList *list, int to, const MethodEntry *entry,
                                const Mapping *answer)
{
    if (!answer || !is_operation(answer->from) || !is_operation(answer->to))
        return answer;
    Mapping *made = arena_make(list->arena, Mapping);
    Rule *rules = arena_array(list->arena, Rule, answer->n_rules + 1);
    bool holds = false;
    for (uint32_t i = 0; i < answer->n_rules; i++) {
        rules[i] = answer->rules[i];
        for (HeldPart part = 0; part < N_HELD; part++) {
            const Expr *value = rules[i].value;
            if (strcmp(rules[i].target->name, part_names[part]) != 0 ||
                value->kind != EXPR_CONVERT || value->converter->code != CONVERT_TYPE_URL)
                continue;
            Holding h = find_held(list, to, entry, part);
            holds |= h.n > 0;
            if (h.n)
                rules[i].value = holding_expr(list, value, &h);
        }
    }
    *made = *answer;
    made->rules = rules;
    made->identity = made->same_wire = false;
    return holds ? made : answer;
}
