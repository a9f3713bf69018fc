#include "gateway/redaction/redaction.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/percent.h"

static const char redacted[] = "redacted";

/* A field may be spelled in two ways, and in a path each one in another: an underscore is nothing.
 */
static void skip_spelling(Bytes path, size_t *at, const char **name)
{
    while (**name == '_')
        ++*name;
    while (*at < path.size && (path.data[*at] == '_' || path.data[*at] == '['))
        *at += path.data[*at] == '_' ? 1 : bytes_find(bytes_slice(path, *at, path.size), ']') + 1;
}

/* "order.items[3].name" is under "order.items". */
static bool is_under(Bytes path, const char *name)
{
    size_t at = 0;
    for (skip_spelling(path, &at, &name); *name; skip_spelling(path, &at, &name)) {
        if (at >= path.size || ascii_lower(path.data[at]) != ascii_lower((uint8_t)*name))
            return false;
        name++;
        at++;
    }
    return at >= path.size || path.data[at] == '.';
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

/* What was hidden; texts may quote it. */
typedef struct Secrets {
    Arena *arena;
    const JsonNode *record;
    Bytes *words;
    size_t n;
} Secrets;

static void add_secret(Secrets *secrets, Bytes word)
{
    if (!word.size)
        return;
    secrets->words = arena_grow(secrets->arena, secrets->words, secrets->n * sizeof *secrets->words,
                                (secrets->n + 1) * sizeof *secrets->words);
    secrets->words[secrets->n++] = word;
}

/* Whether the record shows this word anyway: "orders" is the service. */
static bool is_shown(const Secrets *secrets, Bytes word)
{
    for (const JsonNode *member = secrets->record->first; member; member = member->next)
        if (member->kind == JSON_STRING && bytes_equal(member->text, word))
            return true;
    return false;
}

/* A text quotes a whole value, or what stands between the slashes of a path. */
static void remember(Secrets *secrets, const JsonNode *value)
{
    Bytes rest = value->text, part;
    if (value->kind != JSON_STRING)
        return;
    add_secret(secrets, value->text);
    bool is_path = bytes_find(value->text, '/') < value->text.size;
    while (is_path && bytes_split(&rest, '/', &part)) {
        Buffer plain = buffer_in(secrets->arena);
        if (is_shown(secrets, part))
            continue;
        add_secret(secrets, part);
        if (percent_decode(&plain, part, PERCENT_LEAVE_NOTHING))
            add_secret(secrets, buffer_bytes(&plain));
    }
}

/* What is in a hidden message may be quoted in parts. */
static void remember_all(Secrets *secrets, const JsonNode *value)
{
    remember(secrets, value);
    for (const JsonNode *child = value->first; child; child = child->next)
        remember_all(secrets, child);
}

static bool is_of_word(uint8_t c)
{
    uint8_t lower = ascii_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c >= 0x80;
}

/* Whether a word may begin or end between these. */
static bool is_border(uint8_t before, uint8_t behind)
{
    return !is_of_word(before) || !is_of_word(behind);
}

/* As a word of its own: "7" is not in "17". */
static bool quotes(Bytes text, Bytes word)
{
    for (size_t at = 0; at + word.size <= text.size; at++) {
        size_t end = at + word.size;
        if (memcmp(text.data + at, word.data, word.size) == 0 &&
            (!at || is_border(text.data[at - 1], text.data[at])) &&
            (end == text.size || is_border(text.data[end - 1], text.data[end])))
            return true;
    }
    return false;
}

static bool tells_secret(const Secrets *secrets, Bytes text)
{
    for (size_t i = 0; i < secrets->n; i++)
        if (quotes(text, secrets->words[i]))
            return true;
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
static void redact(JsonNode *node, const char *const *names, Secrets *secrets)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        if (child->name.size && is_secret(child->name, names)) {
            if (child->kind == JSON_OBJECT)
                remember_all(secrets, child);
            else
                remember(secrets, child);
            hide(child);
        } else if (child->kind == JSON_ARRAY && names_secret(child, names)) {
            hide_texts(child);
        } else {
            redact(child, names, secrets);
        }
    }
}

static void redact_quotes(JsonNode *node, const Secrets *secrets)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        if (bytes_are(child->name, "doing") && tells_secret(secrets, child->text))
            hide(child);
        else
            redact_quotes(child, secrets);
    }
}

/* ---- Pages with messages --------------------------------------------------------------------- */

/* Elements of lists have the path of the list. */
static Bytes path_of(Arena *arena, Bytes parent, const JsonNode *child)
{
    if (!child->name.size)
        return parent;
    return bytes_of(arena_printf(arena, "%.*s%s%.*s", BYTES_ARGS(parent), parent.size ? "." : "",
                                 BYTES_ARGS(child->name)));
}

/* The fields of a message, by their paths. */
static void redact_message(JsonNode *node, Bytes path, const char *const *names, Secrets *secrets)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        Bytes here = path_of(secrets->arena, path, child);
        if (is_secret(here, names)) {
            remember_all(secrets, child);
            hide(child);
        } else {
            redact_message(child, here, names, secrets);
        }
    }
}

static bool is_message(const JsonNode *member)
{
    return member->kind == JSON_OBJECT &&
           (bytes_are(member->name, "request") || bytes_are(member->name, "response"));
}

static void redact_members(JsonNode *node, const char *const *names, Secrets *secrets)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        if (is_message(child)) {
            redact_message(child, BYTES_NONE, names, secrets);
        } else if (bytes_are(child->name, "client") && is_secret(child->name, names)) {
            hide(child);
        } else {
            redact_members(child, names, secrets);
        }
    }
}

static bool may_quote(Bytes name)
{
    static const char *const texts[] = {"message", "resource", "why", NULL};
    return bytes_are_one_of(name, texts);
}

static void redact_texts(JsonNode *node, const Secrets *secrets)
{
    for (JsonNode *child = node->first; child; child = child->next) {
        if (is_message(child))
            continue;
        if (child->kind == JSON_STRING && may_quote(child->name) &&
            tells_secret(secrets, child->text))
            hide(child);
        else
            redact_texts(child, secrets);
    }
}

/* U+0080 to U+009F stay escaped, as in what was read: a terminal takes them for commands. */
static void write_shown(Buffer *out, const JsonNode *root, Arena *arena)
{
    Buffer plain = buffer_in(arena);
    json_write(&plain, root);
    Bytes text = buffer_bytes(&plain);
    size_t from = 0;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] != 0xc2 || text.data[i + 1] >= 0xa0)
            continue;
        buffer_add_bytes(out, bytes_slice(text, from, i - from));
        buffer_printf(out, "\\u%04x", text.data[++i]);
        from = i + 1;
    }
    buffer_add_bytes(out, bytes_slice(text, from, SIZE_MAX));
}

void redact_job(Bytes page, const char *const *names, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonNode *root;
    Result r = json_parse(arena, page, &(JsonLimits){.elements = 100000000}, &root);
    if (failed(r)) {
        error_ignore(r, "what cannot be read cannot be shown without what is secret");
        buffer_add_text(out, "{}");
    } else if (!names || !*names) {
        buffer_add_bytes(out, page);
    } else {
        Secrets secrets = {.arena = arena, .record = root};
        redact_members(root, names, &secrets);
        redact_texts(root, &secrets);
        write_shown(out, root, arena);
    }
    arena_free(arena);
}

bool redaction_hides(Bytes path, const char *const *names)
{
    return names && is_secret(path, names);
}

/* ---- Records --------------------------------------------------------------------------------- */

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
        Secrets secrets = {.arena = arena, .record = root};
        redact(root, names, &secrets);
        redact_quotes(root, &secrets);
        write_shown(out, root, arena);
    }
    arena_free(arena);
}
