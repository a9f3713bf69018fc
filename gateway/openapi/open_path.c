#include "gateway/openapi/open_path.h"

#include "adapters/text/singular.h"
#include "base/arena.h"

typedef struct Splitting {
    OpenPath path;
    Buffer text, shape;
    Bytes before; /* the literal segment before the present one; empty: none */
    Arena *arena;
} Splitting;

static bool is_name(const char *text)
{
    for (const char *at = text; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *at))
            return false;
    return *text && !(*text >= '0' && *text <= '9');
}

static bool is_taken(const Splitting *s, const char *name)
{
    for (uint32_t i = 0; i < s->path.n_parameters; i++)
        if (strcmp(s->path.parameters[i].name, name) == 0)
            return true;
    return false;
}

/* Names may have no dots, which some readers of OpenAPI do not understand in a path. */
static const char *name_of(const Splitting *s, Bytes field_path, bool whole)
{
    Arena *arena = s->arena;
    char *name = (char *)(uintptr_t)arena_text(arena, field_path);
    for (char *at = name; *at; at++)
        if (*at == '.')
            *at = '_';
    const char *one = arena_text(arena, singular_of(s->before, arena));
    if (!whole && is_name(one))
        name = (char *)(uintptr_t)one;
    if (!is_name(name))
        name = (char *)(uintptr_t)arena_string(arena, "segment");
    const char *unique = name;
    for (uint32_t n = 2; is_taken(s, unique); n++)
        unique = arena_printf(arena, "%s_%u", name, n);
    return unique;
}

static void add_parameter(Splitting *s, OpenPathParameter parameter)
{
    OpenPath *path = &s->path;
    parameter.name = name_of(s, parameter.field_path, parameter.whole);
    path->parameters[path->n_parameters++] = parameter;
    buffer_printf(&s->text, "{%s}", parameter.name);
    buffer_add_text(&s->shape, "{}");
}

static void add_literal(Splitting *s, Bytes literal)
{
    buffer_add_bytes(&s->text, literal);
    buffer_add_bytes(&s->shape, literal);
}

/* "books", a star, or two. */
static void add_segment(Splitting *s, Bytes field_path, bool whole, Bytes segment)
{
    bool several = bytes_are(segment, "**");
    if (several || bytes_are(segment, "*"))
        add_parameter(s, (OpenPathParameter){NULL, field_path, whole, several});
    else
        add_literal(s, segment);
    s->before = several || bytes_are(segment, "*") ? BYTES_NONE : segment;
}

static void add_variable(Splitting *s, Bytes variable)
{
    size_t equals = bytes_find(variable, '=');
    Bytes name = bytes_slice(variable, 0, equals), segment;
    Bytes pattern =
        equals < variable.size ? bytes_slice(variable, equals + 1, variable.size) : bytes_of("*");
    bool whole = bytes_find(pattern, '/') == pattern.size, first = true;
    s->before = BYTES_NONE;
    while (bytes_split(&pattern, '/', &segment)) {
        if (!first)
            add_literal(s, bytes_of("/"));
        first = false;
        add_segment(s, name, whole, segment);
    }
}

/* Up to the next slash, brace, or the colon of a verb. */
static size_t plain_size(Bytes rest)
{
    size_t size = 0;
    while (size < rest.size && !strchr("/{:", rest.data[size]))
        size++;
    return size;
}

OpenPath open_path(const char *rule, Arena *arena)
{
    Splitting s = {.text = buffer_in(arena), .shape = buffer_in(arena), .arena = arena};
    Bytes rest = bytes_of(rule);
    s.path.parameters = arena_array(arena, OpenPathParameter, rest.size + 1);
    while (rest.size) {
        size_t size = plain_size(rest);
        if (size) {
            add_segment(&s, BYTES_NONE, true, bytes_slice(rest, 0, size));
        } else if (rest.data[0] == '{') {
            size = bytes_find(rest, '}') + 1;
            add_variable(&s, bytes_slice(rest, 1, size - 2));
        } else {
            add_literal(&s, bytes_slice(rest, 0, size = 1));
        }
        rest = bytes_slice(rest, size, rest.size);
    }
    s.path.text = arena_text(arena, buffer_bytes(&s.text));
    s.path.shape = arena_text(arena, buffer_bytes(&s.shape));
    return s.path;
}
