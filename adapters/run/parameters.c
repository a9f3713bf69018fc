/* Merges the body and the parameters of a request into one tree, which a plan reads as one
   message. */
#include "adapters/paths/parameter_path.h"
#include "adapters/run/put.h"

#include "base/text/utf8.h"

static JsonLimits json_limits(const Plan *plan)
{
    return (JsonLimits){plan->set->options.max_depth, plan->set->options.max_elements};
}

static JsonNode *new_node(Arena *arena, JsonKind kind, Bytes name)
{
    JsonNode *node = arena_make(arena, JsonNode);
    if (node) {
        node->kind = kind;
        node->name = name;
    }
    return node;
}

static void append(JsonNode *parent, JsonNode *child)
{
    JsonNode **tail = &parent->first;
    while (*tail)
        tail = &(*tail)->next;
    *tail = child;
    parent->count++;
}

/* The member for this field, by either of its names. */
static JsonNode *find_member(const JsonNode *object, const FieldType *field)
{
    for (JsonNode *child = object->first; child; child = child->next) {
        if (message_field(field->parent, child->name) == field)
            return child;
    }
    return NULL;
}

static JsonNode *find_entry(const JsonNode *map, Bytes key)
{
    JsonNode *child = map->first;
    while (child && !bytes_equal(child->name, key))
        child = child->next;
    return child;
}

static Result no_memory(Arena *arena)
{
    return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading parameters");
}

static const char *called(const PlanParameter *parameter)
{
    return parameter->called ? parameter->called : "parameter";
}

static Result unknown_parameter(Arena *arena, const PlanParameter *parameter,
                                const ParameterPath *path)
{
    const char *nearest = message_nearest_field(path->type, path->name, arena);
    return FAIL_FIELD(arena, FAULT_UNKNOWN_FIELD, arena_text(arena, parameter->field_path),
                      "%s %.*s: %s has no field \"%.*s\"%s%s%s", called(parameter),
                      BYTES_ARGS(parameter->field_path), path->type->full_name,
                      BYTES_ARGS(path->name), nearest ? "; did you mean \"" : "",
                      nearest ? nearest : "", nearest ? "\"?" : "");
}

static Result misplaced(Arena *arena, const PlanParameter *parameter, const char *why)
{
    return FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_text(arena, parameter->field_path),
                      "%s %.*s: %s", called(parameter), BYTES_ARGS(parameter->field_path), why);
}

/* Descends to a member that must be an object. If `child` is NULL, it is created. */
static Result enter(Arena *arena, const PlanParameter *parameter, JsonNode *child, Bytes name,
                    JsonNode **object)
{
    if (child && child->kind == JSON_NULL)
        child->kind = JSON_OBJECT;
    if (child && child->kind != JSON_OBJECT)
        return misplaced(arena, parameter, "the body has something else than an object there");
    if (!child) {
        child = new_node(arena, JSON_OBJECT, name);
        if (!child)
            return no_memory(arena);
        append(*object, child);
    }
    *object = child;
    return OK;
}

static Result enter_field(Arena *arena, const PlanParameter *parameter, const FieldType *field,
                          JsonNode **object)
{
    return enter(arena, parameter, find_member(*object, field), bytes_of(field->json_name), object);
}

/* Whether a path may lead into the field: a single message with fields of its own. */
static bool may_be_entered(const FieldType *field)
{
    return kind_is_message(field->kind) && !field->repeated &&
           field->message->well_known == WELL_KNOWN_NONE;
}

/* In URLs, clients write booleans as their languages do: True from Python, 1 from forms. */
static Bytes bool_text(Bytes said)
{
    static const char *const yes[] = {"true", "t", "1"}, *const no[] = {"false", "f", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (bytes_are_nocase(said, yes[i]))
            return bytes_of("true");
        if (bytes_are_nocase(said, no[i]))
            return bytes_of("false");
    }
    return said;
}

/* The URL's text in the form that JSON has for this field. */
static Bytes text_for(const FieldType *field, Bytes said)
{
    bool wrapped = field->message && field->message->well_known == WELL_KNOWN_WRAPPER;
    FieldKind kind = wrapped ? message_field_by_number(field->message, 1)->kind : field->kind;
    return kind == KIND_BOOL ? bool_text(said) : said;
}

/* The value in protobuf's encoding, in which all its JSON spellings are equal. False: not a valid
   value of the field. */
static bool spell(const Plan *plan, Arena *arena, const FieldType *field, const JsonNode *node,
                  Buffer *out, bool *unset_out)
{
    Runner runner = {.arena = arena, .out = out, .set = plan->set, .elements_left = UINT32_MAX};
    Value value;
    *unset_out = false;
    if (kind_is_message(field->kind))
        return well_known_read(&runner, field->message, node);
    if (json_scalar(&runner, field->kind, field->enumeration, node, &value) != JSON_SCALAR_OK)
        return false;
    *unset_out = !field->presence && !field->parent->map_entry && value_is_zero(field->kind, value);
    put_wire_scalar(out, field->kind, value);
    return true;
}

/* If the body and a parameter both have a value, the two must be equal: it is unknown which one is
   meant, and a check (such as an authorization by path) of one of them must not be bypassed by the
   other. A zero of a field without presence counts as unset. */
static Result agree(const Plan *plan, Arena *arena, const PlanParameter *parameter,
                    const FieldType *field, const JsonNode *said, bool *unset_out)
{
    JsonNode text = {.kind = JSON_TEXT, .text = text_for(field, parameter->text)};
    Buffer in_body = buffer_in(arena), in_parameter = buffer_in(arena);
    bool zero;
    if (field->repeated)
        return misplaced(arena, parameter, "the body has values there");
    bool readable = spell(plan, arena, field, said, &in_body, unset_out);
    if (*unset_out)
        return OK;
    if (!readable || !spell(plan, arena, field, &text, &in_parameter, &zero) ||
        !bytes_equal(buffer_bytes(&in_body), buffer_bytes(&in_parameter)))
        return misplaced(arena, parameter, "the body has another value there");
    return in_body.full || in_parameter.full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY, "comparing parameters")
               : OK;
}

/* Whether the node was set by a parameter: such nodes have no source text. */
static bool is_ours(const JsonNode *node)
{
    return node->offset == UINT32_MAX && (node->kind == JSON_ARRAY || node->kind == JSON_TEXT);
}

/* Of such a node: the parameter is one of the path. A text has no count otherwise. */
enum { OF_PATH = 1 };

static bool is_of_path(const PlanParameter *parameter)
{
    return parameter->called && strcmp(parameter->called, PARAMETER_OF_PATH) == 0;
}

static bool is_unset(const JsonNode *node)
{
    return node->kind == JSON_NULL || (node->kind == JSON_ARRAY && !node->first);
}

static Result set_text(Arena *arena, const PlanParameter *parameter, const FieldType *field,
                       JsonNode *node)
{
    JsonNode *text = node;
    if (field->repeated) {
        if (!is_ours(node))
            *node = (JsonNode){
                .kind = JSON_ARRAY, .offset = UINT32_MAX, .name = node->name, .next = node->next};
        text = new_node(arena, JSON_NULL, BYTES_NONE);
        if (!text)
            return no_memory(arena);
        append(node, text);
    }
    text->kind = JSON_TEXT;
    text->offset = UINT32_MAX;
    text->count = is_of_path(parameter) ? OF_PATH : 0;
    text->text = text_for(field, parameter->text);
    return OK;
}

/* "bike.gears=...": of a message the first field that may be text. */
static Result no_text(Arena *arena, const PlanParameter *parameter, const FieldType *field)
{
    const MessageType *message = field->message;
    const char *path = arena_text(arena, parameter->field_path), *inner = NULL;
    const char *why = "its field cannot be given as text, only in a body of JSON";
    for (uint32_t i = 0; i < message->n_fields && !inner; i++)
        if (parameter_may_be_text(&message->fields[i]))
            inner = message->fields[i].name;
    if (field->map)
        why = arena_printf(arena, "its field is a map: give its entries, as %s[KEY]=...", path);
    else if (!field->repeated && !message->well_known && inner)
        why = arena_printf(arena, "its field is a message: give its fields, as %s.%s=...", path,
                           inner);
    return misplaced(arena, parameter, why);
}

/* Sets the field to the text, unless the body has the same value. Two parameters for one single
   field are refused. `child` is the existing member, or NULL. */
static Result put_text(const Plan *plan, Arena *arena, const PlanParameter *parameter,
                       const FieldType *field, JsonNode *object, JsonNode *child, Bytes name)
{
    if (utf8_valid_prefix(parameter->text) < parameter->text.size)
        return misplaced(arena, parameter, "its text is not UTF-8");
    if (!parameter_may_be_text(field))
        return no_text(arena, parameter, field);
    if (child && is_ours(child) && !field->repeated)
        return misplaced(arena, parameter,
                         child->count == OF_PATH && !is_of_path(parameter)
                             ? "the path has it already: leave it out"
                             : "given twice");
    if (child && !is_ours(child) && !is_unset(child)) {
        bool unset = false;
        Result r = agree(plan, arena, parameter, field, child, &unset);
        if (failed(r) || !unset)
            return r;
    }
    if (!child) {
        child = new_node(arena, JSON_NULL, name);
        if (!child)
            return no_memory(arena);
        append(object, child);
    }
    return set_text(arena, parameter, field, child);
}

/* The key in the canonical spelling of its kind, so that all spellings ("7", "7.0") are one
   entry. */
static Result read_key(const Plan *plan, Arena *arena, const PlanParameter *parameter,
                       const FieldType *map, Bytes said, Bytes *key_out)
{
    const FieldType *field = message_field_by_number(map->message, 1);
    Runner runner = {.arena = arena, .set = plan->set};
    JsonNode node = {.kind = JSON_TEXT, .text = text_for(field, said)};
    Value key;
    if (utf8_valid_prefix(said) < said.size ||
        json_scalar(&runner, field->kind, NULL, &node, &key) != JSON_SCALAR_OK)
        return misplaced(arena, parameter, "its key is none of the map's");
    *key_out = map_key_text(&runner, field->kind, key);
    return key_out->size ? OK : no_memory(arena);
}

/* One step of the path, which may be the last. */
static Result put_step(const Plan *plan, Arena *arena, const PlanParameter *parameter,
                       const ParameterPath *path, JsonNode **object)
{
    const FieldType *field = path->field;
    Bytes name = bytes_of(field->json_name);
    JsonNode *child;
    if (path->key.data) {
        Result r = read_key(plan, arena, parameter, field, path->key, &name);
        if (!failed(r))
            r = enter_field(arena, parameter, field, object);
        if (failed(r))
            return r;
        child = find_entry(*object, name);
        field = message_field_by_number(field->message, 2);
    } else {
        child = find_member(*object, field);
    }
    if (!path->rest.data)
        return put_text(plan, arena, parameter, field, *object, child, name);
    return may_be_entered(field)
               ? enter(arena, parameter, child, name, object)
               : misplaced(arena, parameter, "a part of its path is no single message");
}

/* Whether each part of its path, from this step on, is a field of the message before it, before
   anything is made for it. */
static Result check_path(Arena *arena, ParameterPath path, ParameterStep step,
                         const PlanParameter *parameter)
{
    for (;; step = parameter_path_next(&path)) {
        switch (step) {
        case PARAMETER_FIELD: break;
        case PARAMETER_END: return OK;
        case PARAMETER_UNKNOWN: return unknown_parameter(arena, parameter, &path);
        case PARAMETER_BAD_KEY:
            return misplaced(arena, parameter,
                             "an entry of a map is written map[key] or map.key, with a key");
        }
    }
}

static Result put_parameter(const Plan *plan, Arena *arena, const PlanParameter *parameter,
                            JsonNode *object)
{
    ParameterPath path = parameter_path(plan->mapping->from, parameter->field_path);
    ParameterStep step = parameter_path_next(&path);
    Result r = check_path(arena, path, step, parameter);
    for (; !failed(r) && step == PARAMETER_FIELD; step = parameter_path_next(&path))
        r = put_step(plan, arena, parameter, &path, &object);
    return r;
}

static Result body_tree(const Plan *plan, const PlanInput *input, Arena *arena, JsonNode **root_out)
{
    JsonLimits limits = json_limits(plan);
    JsonNode *body;
    if (input->no_body) {
        *root_out = new_node(arena, JSON_OBJECT, BYTES_NONE);
        return *root_out ? OK : no_memory(arena);
    }
    Result r = json_parse(arena, input->bytes, &limits, &body);
    *root_out = body;
    if (failed(r) || input->body_field.size == 0)
        return r;
    *root_out = new_node(arena, JSON_OBJECT, BYTES_NONE);
    if (!*root_out)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading the body");
    body->name = input->body_field;
    append(*root_out, body);
    return OK;
}

/* A parameter without a field is handled as an unknown field. */
static Result take_parameter(const Plan *plan, const PlanParameter *parameter, Arena *arena,
                             JsonNode *root, PlanRun *run)
{
    Result r = put_parameter(plan, arena, parameter, root);
    if (!failed(r) || r.error->fault != &FAULT_UNKNOWN_FIELD || plan->unknown == UNKNOWN_REFUSE)
        return r;
    error_ignore(r, "it is counted");
    run->n_unknown++;
    return OK;
}

/* The first mistake, or all of them. */
static Result take_parameters(const Plan *plan, const PlanInput *input, Arena *arena,
                              JsonNode *root, PlanRun *run)
{
    Result mistakes[MOST_MISTAKES];
    size_t n = 0, most = run->all_mistakes ? MOST_MISTAKES : 1;
    for (uint32_t i = 0; n < most && i < input->n_parameters; i++) {
        Result r = take_parameter(plan, &input->parameters[i], arena, root, run);
        if (failed(r))
            mistakes[n++] = r;
    }
    return error_with_others(arena, mistakes, n);
}

Result input_tree(const Plan *plan, const PlanInput *input, Arena *arena, PlanRun *run,
                  JsonNode **root_out)
{
    Result r = body_tree(plan, input, arena, root_out);
    if (failed(r) || input->n_parameters == 0)
        return r;
    return (*root_out)->kind == JSON_OBJECT
               ? take_parameters(plan, input, arena, *root_out, run)
               : FAIL_TELL(arena, FAULT_BAD_VALUE,
                           "the body must be an object to be joined by parameters");
}
