#include "gateway/ledger/redaction.h"

#include "adapters/text/json.h"
#include "base/arena.h"

static const char redacted[] = "redacted";

/* "order.items[3].name" is under "order.items". */
static bool is_under(Bytes path, const char *name)
{
    size_t at = 0;
    for (; *name; name++, at++) {
        while (at < path.size && path.data[at] == '[')
            at += bytes_find(bytes_slice(path, at, path.size), ']') + 1;
        if (at >= path.size || path.data[at] != (uint8_t)*name)
            return false;
    }
    return at == path.size || path.data[at] == '.' || path.data[at] == '[';
}

static bool is_secret(Bytes path, const char *const *names)
{
    for (; path.size && *names; names++)
        if (is_under(path, *names))
            return true;
    return false;
}

static bool names_secret(const JsonNode *chain, const char *const *names)
{
    for (const JsonNode *cause = chain->first; cause; cause = cause->next) {
        const JsonNode *field = cause->kind == JSON_OBJECT ? json_member(cause, "field") : NULL;
        if (field && is_secret(field->text, names))
            return true;
    }
    return false;
}

static void hide(JsonNode *value)
{
    *value = (JsonNode){
        .kind = JSON_STRING, .name = value->name, .text = bytes_of(redacted), .next = value->next};
}

static void hide_texts(JsonNode *chain)
{
    for (JsonNode *cause = chain->first; cause; cause = cause->next) {
        JsonNode *doing = json_member(cause, "doing");
        if (doing)
            hide(doing);
    }
}

/* Members by their names, and chains of causes wherever they are. */
static void redact(JsonNode *node, const char *const *names)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        if (child->name.size && is_secret(child->name, names))
            hide(child);
        else if (child->kind == JSON_ARRAY && names_secret(child, names))
            hide_texts(child);
        else
            redact(child, names);
    }
}

void redact_record(Bytes record, const char *const *names, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonNode *root;
    Result r = json_parse(arena, record, &(JsonLimits){0}, &root);
    if (failed(r) || root->kind != JSON_OBJECT) {
        error_ignore(r, "what is no record says nothing");
        buffer_add_text(out, "{}");
    } else if (!names || !*names) {
        buffer_add_bytes(out, record);
    } else {
        redact(root, names);
        json_write(out, root);
    }
    arena_free(arena);
}
