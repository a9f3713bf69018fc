#include "gateway/config/config_reader.h"

#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "gateway/config/config_tree.h"

/* protobuf-c's memory is freed with the arena. */
static void *take(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void leave(void *arena, void *block)
{
}

/* The message `type` as bytes, from its JSON. */
static Result to_wire(Arena *arena, const MessageType *type, Bytes json, Buffer *out)
{
    const MappingSet *same;
    Result r = mapping_set_identity(arena, type->schema, &same);
    if (failed(r))
        return r;
    const Plan *plan;
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO};
    r = plan_compile(arena, mapping_set_find(same, type), &options, &plan);
    if (failed(r))
        return r;
    PlanInput input = {.bytes = json};
    PlanRun run = {0};
    return plan_run(plan, &input, arena, out, &run);
}

Result config_message(Arena *arena, const MessageType *type, Bytes json,
                      const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **message_out)
{
    Arena *working = arena_new(ARENA_UNLIMITED); /* the message borrows nothing from it */
    Buffer wire = buffer_in(working);
    Result r = to_wire(working, type, json, &wire);
    r = failed(r) ? error_copy(arena, r) : OK;
    ProtobufCAllocator allocator = {take, leave, arena};
    *message_out =
        failed(r) ? NULL : protobuf_c_message_unpack(descriptor, &allocator, wire.size, wire.data);
    arena_free(working);
    if (!failed(r) && !*message_out)
        return FAIL(arena, FAULT_INTERNAL, "checked JSON cannot be read as a %s", type->full_name);
    return r;
}

Result config_schema(Arena *arena, const Schema **schema_out, const DocumentRules **rules_out)
{
    Result r = schema_load(arena, config_set, "config.proto", schema_out);
    if (!failed(r))
        r = document_rules_load(arena, config_set, rules_out);
    return failed(r) ? FAIL_OVER(arena, r, FAULT_INTERNAL, "reading the config's own schema") : OK;
}

/* The message of a document that was parsed; NULL if it is no map. */
static Result read_parsed(Arena *arena, const Schema *schema, const DocumentRules *rules,
                          const ProtobufCMessageDescriptor *descriptor,
                          const YamlDocument *document, Problems *problems, Problems *doubts,
                          Problems *deprecated, ProtobufCMessage **message_out)
{
    const JsonNode *root = document->root;
    const MessageType *type = schema_message(schema, bytes_of(descriptor->name));
    Arena *working = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(working);
    Result r = OK;
    document_read(rules, type, document, root, "", problems, doubts, deprecated, &json);
    if (root->kind == JSON_OBJECT)
        r = config_message(arena, type, buffer_bytes(&json), descriptor, message_out);
    arena_free(working);
    return failed(r)
               ? FAIL_OVER(arena, r, FAULT_INTERNAL, "reading %s as a message", document->file)
               : OK;
}

Result config_document_read(Arena *arena, Bytes text, const char *path,
                            const ProtobufCMessageDescriptor *descriptor, Problems *problems,
                            Problems *doubts, YamlDocument *document,
                            ProtobufCMessage **message_out)
{
    const Schema *schema;
    const DocumentRules *rules;
    *message_out = NULL;
    Result r = config_schema(arena, &schema, &rules);
    if (failed(r))
        return r;
    yaml_parse(arena, text, path, NULL, problems, document);
    return document->root ? read_parsed(arena, schema, rules, descriptor, document, problems,
                                        doubts, doubts, message_out)
                          : OK;
}

static Result read_tree(Arena *arena, Arena *working, const ConfigTree *tree, Problems *problems,
                        Problems *doubts, Problems *deprecated, ConfigFile *file)
{
    const ProtobufCMessageDescriptor *descriptor = &passerelle__config__config__descriptor;
    const Schema *schema;
    const DocumentRules *rules;
    Result r = config_schema(working, &schema, &rules);
    if (failed(r) || !tree->document.root)
        return r;
    Buffer used = tree->used;
    file->secrets =
        config_read_secrets(arena, rules, schema_message(schema, bytes_of(descriptor->name)),
                            &tree->document, problems, &used);
    file->used = buffer_bytes(&used);
    file->n_told = problems->n;
    ProtobufCMessage *message = NULL;
    r = read_parsed(arena, schema, rules, descriptor, &tree->document, problems, doubts, deprecated,
                    &message);
    file->content = (const Passerelle__Config__Config *)message;
    return r;
}

Result config_file_read(Arena *arena, Arena *working, Bytes text, const char *path,
                        Problems *problems, Problems *doubts, Problems *deprecated,
                        ConfigFile *file_out)
{
    ConfigTree tree;
    config_tree_read(arena, working, text, path, problems, &tree);
    *file_out = (ConfigFile){.path = path, .document = tree.document, .texts = tree.texts};
    return read_tree(arena, working, &tree, problems, doubts, deprecated, file_out);
}
