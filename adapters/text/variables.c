#include "adapters/text/variables.h"

#include "base/arena.h"
#include "base/text/utf8.h"

typedef struct Reference {
    const char *name;
    Bytes fallback;
    bool falls_back;
    size_t size; /* of the whole reference in the text */
} Reference;

static bool wrong(VariableMistake *mistake, const char *hint, const char *reason)
{
    *mistake = (VariableMistake){reason, hint};
    return false;
}

static bool begins_at(Bytes text, size_t at, const char *word)
{
    return bytes_start_with(bytes_slice(text, at, text.size), word);
}

bool variables_are_in(Bytes text)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '$' && text.data[i + 1] == '{')
            return true;
    return false;
}

static bool is_name(Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i && digit)))
            return false;
    }
    return text.size > 0;
}

/* `text` begins with "${". */
static bool read_reference(Arena *arena, Bytes text, Reference *reference_out,
                           VariableMistake *mistake)
{
    const uint8_t *end = memchr(text.data, '}', text.size);
    if (!end)
        return wrong(mistake, "$${ for the characters ${", "a reference ${ has no end");
    Bytes inner = bytes_slice(text, 2, (size_t)(end - text.data) - 2), name = inner;
    *reference_out = (Reference){.size = inner.size + 3};
    const uint8_t *colon = inner.size ? memchr(inner.data, ':', inner.size) : NULL;
    size_t at = colon ? (size_t)(colon - inner.data) : inner.size;
    if (begins_at(inner, at, ":-")) {
        name = bytes_slice(inner, 0, at);
        reference_out->falls_back = true;
        reference_out->fallback = bytes_slice(inner, at + 2, inner.size);
    }
    if (!is_name(name))
        return wrong(mistake, "${NAME}, ${NAME:-default}, or $${ for the characters ${",
                     arena_printf(arena, "${%.*s} names no variable", BYTES_ARGS(inner)));
    if (variables_are_in(reference_out->fallback))
        return wrong(mistake, arena_printf(arena, "${%.*s:-TEXT}", BYTES_ARGS(name)),
                     "a default has no references");
    reference_out->name = arena_text(arena, name);
    return true;
}

static bool add_value(Arena *arena, const Reference *reference, const char *value, Buffer *out,
                      Buffer *names, VariableMistake *mistake)
{
    bool missing = !value || (!*value && reference->falls_back);
    if (missing && !reference->falls_back)
        return wrong(mistake, arena_printf(arena, "${%s:-VALUE}", reference->name),
                     arena_printf(arena, "the environment has no variable %s", reference->name));
    if (!missing && !utf8_valid(bytes_of(value)))
        return wrong(mistake, NULL,
                     arena_printf(arena, "the variable %s is not UTF-8", reference->name));
    buffer_add_bytes(out, missing ? reference->fallback : bytes_of(value));
    buffer_printf(names, "%s%s%s", names->size ? ", " : "", reference->name,
                  missing ? " (not set)" : "");
    return true;
}

bool variables_expand(Arena *arena, Bytes text, VariableFind *find, void *owner, Buffer *out,
                      Buffer *names, VariableMistake *mistake_out)
{
    size_t at = 0;
    while (at < text.size) {
        Reference reference = {.size = 1};
        if (begins_at(text, at, "$${")) {
            buffer_add_text(out, "${");
            at += 3;
            continue;
        }
        if (!begins_at(text, at, "${")) {
            buffer_add_byte(out, text.data[at++]);
            continue;
        }
        if (!read_reference(arena, bytes_slice(text, at, text.size), &reference, mistake_out))
            return false;
        if (!add_value(arena, &reference, find(owner, reference.name), out, names, mistake_out))
            return false;
        at += reference.size;
    }
    return true;
}
