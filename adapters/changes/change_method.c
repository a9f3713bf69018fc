#include "adapters/changes/change_list.h"

static const ServiceType *side_service(const ChangeSide *side, Arena *arena, Bytes name)
{
    if (side->package[0]) {
        const ServiceType *found = schema_service(
            side->schema,
            bytes_of(arena_printf(arena, "%s.%.*s", side->package, BYTES_ARGS(name))));
        if (found)
            return found;
    }
    return schema_service(side->schema, name);
}

static const MethodType *service_method(const ServiceType *service, Bytes name)
{
    for (uint32_t i = 0; service && i < service->n_methods; i++) {
        if (bytes_are(name, service->methods[i].name))
            return &service->methods[i];
    }
    return NULL;
}

/* "Orders.Get" */
static const MethodType *side_method(const ChangeSide *side, Arena *arena, Bytes name)
{
    size_t dot = name.size;
    while (dot && name.data[dot - 1] != '.')
        dot--;
    if (!dot)
        return NULL;
    return service_method(side_service(side, arena, bytes_slice(name, 0, dot - 1)),
                          bytes_slice(name, dot, name.size));
}

static const char *method_name(const ChangeSide *side, Arena *arena, const MethodType *method)
{
    return arena_printf(arena, "%s.%s", side_name(side, method->service->full_name), method->name);
}

static bool in_package(const ChangeSide *side, const ServiceType *service)
{
    return strcmp(service->package, side->package) == 0 || !side->package[0];
}

static MethodEntry *entry_at(ChangeList *list, int end, const MethodType *method)
{
    for (uint32_t i = 0; i < list->n_methods; i++) {
        if (list->methods[i].ends[end] == method)
            return &list->methods[i];
    }
    return NULL;
}

/* `only_free`: only those without an entry in the list and without a method of the same name in the
   other version. */
static const char *nearest_method(ChangeList *list, int end, Bytes name, bool only_free)
{
    const Schema *schema = list->sides[end].schema;
    uint32_t n = 0, room = 1;
    for (uint32_t i = 0; i < schema->n_services; i++)
        room += schema->services[i].n_methods;
    const char **words = arena_array(list->arena, const char *, room);
    for (uint32_t i = 0; i < schema->n_services; i++) {
        for (uint32_t k = 0; k < schema->services[i].n_methods; k++) {
            const MethodType *method = &schema->services[i].methods[k];
            const char *word = method_name(&list->sides[end], list->arena, method);
            bool free = !entry_at(list, end, method) &&
                        !side_method(&list->sides[!end], list->arena, bytes_of(word));
            if (!only_free || free)
                words[n++] = word;
        }
    }
    return nearest_word(name, words, n);
}

static MethodEntry *add_entry(ChangeList *list, const MethodType *old, const MethodType *new_one,
                              const char *reason)
{
    if (list->n_methods == list->methods_capacity) {
        uint32_t capacity = list->methods_capacity ? list->methods_capacity * 2 : 32;
        list->methods =
            arena_grow(list->arena, list->methods, list->n_methods * sizeof *list->methods,
                       capacity * sizeof *list->methods);
        list->methods_capacity = capacity;
    }
    MethodEntry *entry = &list->methods[list->n_methods++];
    *entry = (MethodEntry){.ends = {old, new_one}, .reason = reason};
    return entry;
}

static const MethodType *find_method(ChangeList *list, const JsonNode *node, int end, Bytes name)
{
    const MethodType *method = side_method(&list->sides[end], list->arena, name);
    if (method && entry_at(list, end, method)) {
        change_problem(list, *yaml_place(&list->document, node), "", NULL, "%.*s has two entries",
                       BYTES_ARGS(name));
        return NULL;
    }
    if (method)
        return method;
    const char *near = nearest_method(list, end, name, false);
    change_problem(list, *yaml_place(&list->document, node), "",
                   near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                   "no method %.*s in %s", BYTES_ARGS(name), list->sides[end].version);
    return NULL;
}

/* Whether the two may be request or response of counterpart methods without an entry in `types`. If
   neither has a counterpart, they were probably renamed, which belongs in the type map. If one of
   them has another counterpart, only these methods convert between the two. */
static bool go_together(ChangeList *list, const MessageType *old, const MessageType *new_type)
{
    return message_counterpart(list, OLD, old) || message_counterpart(list, NEW, new_type) ||
           table_get(&list->fates[OLD], bytes_of(old->full_name)) ||
           table_get(&list->fates[NEW], bytes_of(new_type->full_name));
}

static const char *type_hint(ChangeList *list, const MessageType *old, const MessageType *new_type)
{
    return arena_printf(list->arena, "write types: {%s: %s}",
                        side_name(&list->sides[OLD], old->full_name),
                        side_name(&list->sides[NEW], new_type->full_name));
}

static void check_pair(ChangeList *list, YamlPlace place, const MethodType *old,
                       const MethodType *new_one)
{
    const char *name = method_name(&list->sides[OLD], list->arena, old);
    if (old->client_streaming != new_one->client_streaming ||
        old->server_streaming != new_one->server_streaming)
        change_problem(list, place, name,
                       arena_printf(list->arena, "write %s: {removed: \"why\"}", name),
                       "the two methods do not stream in the same directions");
    if (!go_together(list, old->input, new_one->input))
        change_problem(list, place, name, type_hint(list, old->input, new_one->input),
                       "the request types do not correspond: %s and %s", old->input->name,
                       new_one->input->name);
    if (!go_together(list, old->output, new_one->output))
        change_problem(list, place, name, type_hint(list, old->output, new_one->output),
                       "the response types do not correspond: %s and %s", old->output->name,
                       new_one->output->name);
}

static const char *reason_of(ChangeList *list, const JsonNode *said, int only,
                             const MethodType *method)
{
    if (!bytes_are(said->text, "loud"))
        return arena_text(list->arena, said->text);
    return arena_printf(list->arena, "%s is only in %s",
                        method_name(&list->sides[only], list->arena, method),
                        list->sides[only].version);
}

static void read_gone(ChangeList *list, const JsonNode *node, int only, const JsonNode *said)
{
    const MethodType *method = find_method(list, node, only, node->name);
    if (!method)
        return;
    const char *reason = reason_of(list, said, only, method);
    if (only == OLD)
        add_entry(list, method, NULL, reason);
    else
        add_entry(list, NULL, method, reason);
}

/* "Orders: Catalog": the methods with the same name are counterparts. */
static void read_service(ChangeList *list, const JsonNode *node)
{
    const ServiceType *old = side_service(&list->sides[OLD], list->arena, node->name);
    const ServiceType *new_one = side_service(&list->sides[NEW], list->arena, node->text);
    for (uint32_t i = 0; i < old->n_methods; i++) {
        const MethodType *same = service_method(new_one, bytes_of(old->methods[i].name));
        if (!same || entry_at(list, OLD, &old->methods[i]) || entry_at(list, NEW, same))
            continue;
        check_pair(list, *yaml_place(&list->document, node), &old->methods[i], same);
        add_entry(list, &old->methods[i], same, NULL);
    }
}

static bool says_operation(const JsonNode *node)
{
    return json_member(node, "response") || json_member(node, "metadata") ||
           json_member(node, "operations_of");
}

static bool check_keys(ChangeList *list, const JsonNode *node)
{
    static const char *const keys[] = {"to",       "removed",  "added",
                                       "response", "metadata", "operations_of"};
    size_t n = sizeof keys / sizeof *keys;
    bool good = true;
    for (const JsonNode *item = node->first; item; item = item->next) {
        size_t i = 0;
        while (i < n && !bytes_are(item->name, keys[i]))
            i++;
        if (i < n)
            continue;
        const char *near = nearest_word(item->name, keys, n);
        change_problem(list, *yaml_place(&list->document, item), "",
                       near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                       "a change of a method has no %.*s", BYTES_ARGS(item->name));
        good = false;
    }
    return good;
}

static void read_entry(ChangeList *list, const JsonNode *node)
{
    YamlPlace place = *yaml_place(&list->document, node);
    const JsonNode *to = node->kind == JSON_OBJECT ? json_member(node, "to") : node;
    bool same_name = node->kind == JSON_OBJECT && !to && says_operation(node);
    JsonNode name = {.kind = JSON_TEXT, .text = node->name};
    if (same_name)
        to = &name;
    if (node->kind == JSON_OBJECT && !check_keys(list, node))
        return;
    const JsonNode *removed = node->kind == JSON_OBJECT ? json_member(node, "removed") : NULL;
    const JsonNode *added = node->kind == JSON_OBJECT ? json_member(node, "added") : NULL;
    if (removed || added) {
        read_gone(list, node, removed ? OLD : NEW, removed ? removed : added);
    } else if (to && (to->kind == JSON_TEXT || to->kind == JSON_STRING)) {
        const MethodType *old = find_method(list, node, OLD, node->name);
        const MethodType *new_one = old ? find_method(list, node, NEW, to->text) : NULL;
        if (!new_one)
            return;
        check_pair(list, place, old, new_one);
        MethodEntry *entry = add_entry(list, old, new_one, NULL);
        if (node->kind == JSON_OBJECT)
            change_read_operation(list, node, entry);
    } else {
        bool old = side_method(&list->sides[OLD], list->arena, node->name);
        const char *hint = arena_printf(list->arena, "write %.*s: {%s: \"why\"}, or the new method",
                                        BYTES_ARGS(node->name), old ? "removed" : "added");
        change_problem(list, place, "", hint, "expected the new method, removed or added");
    }
}

static bool is_service_entry(ChangeList *list, const JsonNode *node)
{
    return (node->kind == JSON_TEXT || node->kind == JSON_STRING) &&
           side_service(&list->sides[OLD], list->arena, node->name) &&
           side_service(&list->sides[NEW], list->arena, node->text);
}

static void tell_unsaid(ChangeList *list, YamlPlace place, const char *name)
{
    const char *near = nearest_method(list, NEW, bytes_of(name), true);
    const char *hint = near ? arena_printf(list->arena, "write %s: %s, or %s: {removed: \"why\"}",
                                           name, near, name)
                            : arena_printf(list->arena, "write %s: {removed: \"why\"}", name);
    change_problem(list, place, name, hint,
                   "the method is only in %s, and nothing says what becomes of it",
                   list->sides[OLD].version);
}

/* Methods without an entry: by the same service and name. */
static void follow_name(ChangeList *list, const JsonNode *methods, const MethodType *method)
{
    YamlPlace place =
        methods ? *yaml_place(&list->document, methods) : (YamlPlace){1, 1, 1, 1, NULL};
    const char *name = method_name(&list->sides[OLD], list->arena, method);
    const MethodType *same = side_method(&list->sides[NEW], list->arena, bytes_of(name));
    if (entry_at(list, OLD, method))
        return;
    if (same && !entry_at(list, NEW, same)) {
        check_pair(list, place, method, same);
        add_entry(list, method, same, NULL);
    } else if (!methods || !json_member(methods, name)) {
        tell_unsaid(list, place, name);
    }
}

/* A mixin is the same in both versions: its methods stay what they are. */
static void follow_mixin(ChangeList *list, Bytes name)
{
    const ServiceType *old = schema_service(list->sides[OLD].schema, name);
    const ServiceType *same = schema_service(list->sides[NEW].schema, name);
    for (uint32_t i = 0; old && same && i < old->n_methods; i++) {
        const MethodType *method = &old->methods[i];
        const MethodType *other = service_method(same, bytes_of(method->name));
        if (other && !entry_at(list, OLD, method) && !entry_at(list, NEW, other) &&
            method->client_streaming == other->client_streaming &&
            method->server_streaming == other->server_streaming)
            add_entry(list, method, other, NULL);
    }
}

static void follow_names(ChangeList *list, const JsonNode *methods)
{
    const ChangeSide *side = &list->sides[OLD];
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        for (uint32_t k = 0; in_package(side, service) && k < service->n_methods; k++)
            follow_name(list, methods, &service->methods[k]);
    }
    for (uint32_t i = 0; i < side->n_mixins; i++)
        follow_mixin(list, bytes_of(side->mixins[i]));
}

void change_read_methods(ChangeList *list)
{
    const JsonNode *methods = json_member(list->document.root, "methods");
    if (methods && methods->kind != JSON_OBJECT && methods->kind != JSON_NULL) {
        change_problem(list, *yaml_place(&list->document, methods), "", NULL,
                       "methods: expected names, each with what became of it");
        return;
    }
    const JsonNode *first = methods && methods->kind == JSON_OBJECT ? methods->first : NULL;
    for (const JsonNode *node = first; node; node = node->next) {
        if (!is_service_entry(list, node))
            read_entry(list, node);
    }
    /* An entry of a method takes precedence over one of its service. */
    for (const JsonNode *node = first; node; node = node->next) {
        if (is_service_entry(list, node))
            read_service(list, node);
    }
    follow_names(list, methods);
    change_check_operations(list);
}

static MethodChange follow_one(const ChangeList *list, bool upwards, const MethodType *method,
                               Arena *arena)
{
    int from = upwards ? OLD : NEW;
    for (uint32_t i = 0; i < list->n_methods; i++) {
        const MethodEntry *entry = &list->methods[i];
        if (entry->ends[from] == method)
            return (MethodChange){entry->ends[!from], entry->ends[!from] ? NULL : entry->reason};
    }
    return (MethodChange){NULL, arena_printf(arena, "%s is only in %s",
                                             method_name(&list->sides[from], arena, method),
                                             list->sides[from].version)};
}

MethodChange changes_method(const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                            const MethodType *method, Arena *arena)
{
    MethodChange change = {method, NULL};
    for (uint32_t i = 0; i < n_lists && change.target; i++)
        change = follow_one(chain_list(lists, n_lists, upwards, i), upwards, change.target, arena);
    return change;
}
