#include "gateway/in_force/config_values.h"

#include "adapters/document/document_list.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/config/config_reader.h"
#include "gateway/config/config_tree.h"

typedef struct Listing {
    const ConfigTree *tree;
    Arena *arena;
    ConfigOnValue *on_value;
    void *owner;
} Listing;

/* `{file: NAME}`: where the secret is from. */
static const char *secret_file(const Listing *listing, const DocumentValue *value)
{
    const JsonNode *name = value->secret && value->node ? json_member(value->node, "file") : NULL;
    return name ? document_path(listing->arena, value->file, arena_text(listing->arena, name->text))
                : NULL;
}

static void tell_value(void *owner, const DocumentValue *value)
{
    const Listing *listing = owner;
    ConfigValue told = {.path = value->path,
                        .text = value->text,
                        .secret = value->secret,
                        .file = value->file,
                        .line = value->line,
                        .from = secret_file(listing, value)};
    if (value->node)
        told.variables = config_tree_variables(listing->tree, value->node);
    listing->on_value(listing->owner, &told);
}

void config_values(const ConfigText *texts, ConfigOnValue *on_value, void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    ConfigTree tree;
    const Schema *schema;
    const DocumentRules *rules;
    config_tree_again(arena, texts, &problems, &tree);
    Result r = config_schema(arena, &schema, &rules);
    if (failed(r)) {
        error_ignore(r, "the config could not have been loaded either");
    } else {
        Listing listing = {&tree, arena, on_value, owner};
        const MessageType *type =
            schema_message(schema, bytes_of(passerelle__config__config__descriptor.name));
        document_list(rules, type, &tree.document, arena, tell_value, &listing);
    }
    arena_free(arena);
}

/* ---- As JSON --------------------------------------------------------------------------------- */

static void add_member(Buffer *out, const char *name, const char *text)
{
    if (text)
        json_text_add_member(out, name, bytes_of(text));
}

void config_value_write(const ConfigValue *value, const char *main, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "path", bytes_of(value->path));
    if (value->secret)
        json_text_add_bool(out, "secret", true);
    else
        json_text_add_member(out, "value", value->text);
    if (value->file && strcmp(value->file, main) != 0)
        json_text_add_member(out, "file", bytes_of(value->file));
    if (value->line)
        json_text_add_number(out, "line", (uint64_t)value->line);
    add_member(out, "variables", value->variables);
    add_member(out, "from", value->from);
    buffer_add_byte(out, '}');
}

typedef struct Writing {
    Buffer *out;
    const char *main;
    uint32_t n, left_out;
} Writing;

static void add_value(void *owner, const ConfigValue *value)
{
    Writing *writing = owner;
    if (writing->n == CONFIG_VALUES_MOST) {
        writing->left_out++;
        return;
    }
    writing->n++;
    json_text_add_element(writing->out);
    config_value_write(value, writing->main, writing->out);
}

uint32_t config_values_write(const ConfigText *texts, Buffer *out)
{
    Writing writing = {.out = out};
    buffer_add_byte(out, '[');
    if (texts) {
        writing.main = texts->file;
        config_values(texts, add_value, &writing);
    }
    buffer_add_byte(out, ']');
    return writing.left_out;
}
