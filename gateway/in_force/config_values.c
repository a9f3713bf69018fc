#include "gateway/in_force/config_values.h"

#include "adapters/document/document_list.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/config/config_reader.h"

typedef struct Writing {
    Buffer *out;
    uint32_t n, left_out;
} Writing;

static void add_value(void *owner, const DocumentValue *value)
{
    Writing *writing = owner;
    Buffer *out = writing->out;
    if (writing->n == CONFIG_VALUES_MOST) {
        writing->left_out++;
        return;
    }
    writing->n++;
    json_text_add_element(out);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "path", bytes_of(value->path));
    if (value->secret)
        json_text_add_bool(out, "secret", true);
    else
        json_text_add_member(out, "value", value->text);
    if (value->line)
        json_text_add_number(out, "line", (uint64_t)value->line);
    buffer_add_byte(out, '}');
}

uint32_t config_values_write(Bytes text, const char *file, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Writing writing = {.out = out};
    Problems problems = problems_in(arena);
    YamlDocument document;
    const Schema *schema;
    const DocumentRules *rules;
    buffer_add_byte(out, '[');
    yaml_parse(arena, text, file, NULL, &problems, &document);
    Result r = config_schema(arena, &schema, &rules);
    if (failed(r)) {
        error_ignore(r, "the config could not have been loaded either");
    } else {
        const MessageType *type =
            schema_message(schema, bytes_of(passerelle__config__config__descriptor.name));
        document_list(rules, type, &document, arena, add_value, &writing);
    }
    buffer_add_byte(out, ']');
    arena_free(arena);
    return writing.left_out;
}
