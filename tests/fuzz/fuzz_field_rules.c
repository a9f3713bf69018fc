/*
 * The first byte says by which rules the rest, a message, is checked. What they let pass, they let
 * pass again unchanged; and a decoded message becomes the same, slowly.
 */
#include "adapters/text/yaml.h"
#include "tests/fuzz/plan_story.h"
#include "tests/unit/adapters/rules/slow_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rule_texts[] = {
    "an_int32: {at_least: -5, at_most: 5}\nmaybe: {default: 3}\na_string: {at_most: 3}",
    "an_int64: {at_most: 9, clamp: true}\na_double: {at_least: 0, clamp: true}\n"
    "a_uint32: {default: 8, at_most: 4000}\na_color: {one_of: [RED, GREEN]}",
    "child: {default: {a_string: a}}\nchild.a_string: {default: b}\nchild.child.maybe: {default: "
    "1}",
    "children.an_int32: {default: 2, at_most: 1000, clamp: true}\nchildren: {at_most: 3}\n"
    "children.child.numbers: {default: [1, 2]}\ntexts: {at_most: 2}",
    "text: {default: x}\nnested.maybe: {required: true}\nnumber: {at_most: 100, clamp: true}",
    "duration: {at_least: 0s, at_most: 30s, clamp: true}\nnumbers: {at_most: 2}\n"
    "labels: {default: {a: b}}\ndoubles: {default: [1.5]}\ninner: {default: {}}",
};
enum { N_RULES = sizeof rule_texts / sizeof *rule_texts };

typedef struct AllRules {
    const MessageType *type;
    const FieldRules *items[N_RULES];
} AllRules;

static const FieldRules *read_one(Arena *arena, const MessageType *type, const char *yaml)
{
    Problems problems = problems_in(arena);
    YamlDocument *document = arena_make(arena, YamlDocument);
    yaml_parse(arena, bytes_of(yaml), "a.yaml", NULL, &problems, document);
    RuleText texts[RULES_MOST];
    uint32_t n = 0;
    for (const JsonNode *member = document->root->first; member; member = member->next) {
        const char *name = arena_text(arena, member->name);
        texts[n++] = (RuleText){name, member, name};
    }
    const FieldRules *rules = rules_read(arena, type, texts, n, document, &problems);
    CHECK(!problems.n);
    return rules;
}

/* Read once. */
static const AllRules *all_rules(void)
{
    static AllRules rules;
    if (rules.type)
        return &rules;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const Schema *schema;
    Result r = schema_load(arena, kinds_set, "kinds", &schema);
    CHECK(!failed(r));
    rules.type = schema_message(schema, bytes_of("test.kinds.Kinds"));
    for (size_t i = 0; i < N_RULES; i++)
        rules.items[i] = read_one(arena, rules.type, rule_texts[i]);
    return &rules;
}

static void expect_as_slow(Arena *arena, const FieldRules *rules, const MessageType *type,
                           Bytes message, Result r, Bytes checked)
{
    Tree *slow, *fast;
    SlowRules run = {.arena = arena, .paths = buffer_in(arena)};
    if (failed(tree_parse(arena, type, message, &slow)))
        return;
    slow_message(&run, rules, slow, "");
    CHECK(!failed(r) == !run.n);
    if (failed(r))
        return;
    TreeTypes none = {0};
    r = tree_parse(arena, type, checked, &fast);
    CHECK(!failed(r));
    tree_forget_raw(slow);
    tree_forget_raw(fast);
    Buffer a = buffer_in(arena), b = buffer_in(arena);
    tree_print(slow, &a);
    tree_print(fast, &b);
    CHECK(bytes_equal(buffer_bytes(&a), buffer_bytes(&b)) || tree_equal(&none, slow, fast));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const AllRules *all = all_rules();
    const FieldRules *rules = all->items[data[0] % N_RULES];
    Arena *arena = arena_new(CALL_LIMIT);
    Bytes message = bytes(data + 1, size - 1), checked = message;
    Result r = rules_check(rules, true, arena, &checked);
    bool limited = failed(r) && r.error->fault == &FAULT_OUT_OF_MEMORY;
    if (!failed(r)) {
        Bytes again = checked;
        Result same = rules_check(rules, true, arena, &again);
        CHECK(!failed(same) && again.data == checked.data && again.size == checked.size);
    }
    if (!limited) {
        Arena *slow = arena_new(ARENA_UNLIMITED);
        expect_as_slow(slow, rules, all->type, message, r, checked);
        arena_free(slow);
    }
    arena_free(arena);
    return 0;
}
