#include "adapters/text/yaml_comments.h"

#include "base/arena.h"

#include <yaml.h>

/* A scalar, in characters from the beginning of the text, as libyaml counts them. */
typedef struct Span {
    size_t start, end;
} Span;

typedef struct Spans {
    Span *items;
    uint32_t n, capacity;
    size_t end; /* libyaml has read the text up to here */
} Spans;

static void span_add(Arena *arena, Spans *spans, Span span)
{
    if (spans->n == spans->capacity) {
        uint32_t capacity = spans->capacity ? spans->capacity * 2 : 64;
        spans->items = arena_grow(arena, spans->items, spans->n * sizeof *spans->items,
                                  capacity * sizeof *spans->items);
        spans->capacity = capacity;
    }
    spans->items[spans->n++] = span;
}

static Spans scalars(Arena *arena, Bytes text)
{
    Spans spans = {0};
    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser)); /* fails only if out of memory */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.size ? text.data : (const uint8_t *)"", text.size);
    for (bool going = true; going;) {
        yaml_token_t token;
        if (!yaml_parser_scan(&parser, &token))
            break;
        spans.end = token.end_mark.index;
        if (token.type == YAML_SCALAR_TOKEN)
            span_add(arena, &spans, (Span){token.start_mark.index, token.end_mark.index});
        going = token.type != YAML_STREAM_END_TOKEN && token.type != YAML_NO_TOKEN;
        yaml_token_delete(&token);
    }
    yaml_parser_delete(&parser);
    return spans;
}

static bool is_break(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void comment_add(Arena *arena, YamlComments *comments, YamlComment comment)
{
    if (comments->n == comments->capacity) {
        uint32_t capacity = comments->capacity ? comments->capacity * 2 : 16;
        comments->items = arena_grow(arena, comments->items, comments->n * sizeof *comments->items,
                                     capacity * sizeof *comments->items);
        comments->capacity = capacity;
    }
    comments->items[comments->n++] = comment;
}

/* A position in the text: in bytes, in characters, and as line and column. */
typedef struct Cursor {
    Bytes text;
    size_t at, character, line_start;
    int line, column;
} Cursor;

static void step(Cursor *c)
{
    uint8_t was = c->text.data[c->at++];
    bool ends =
        was == '\n' || (was == '\r' && (c->at == c->text.size || c->text.data[c->at] != '\n'));
    while (c->at < c->text.size && (c->text.data[c->at] & 0xC0) == 0x80)
        c->at++;
    c->character++;
    c->column++;
    if (ends) {
        c->line++;
        c->column = 1;
        c->line_start = c->at;
    }
}

/* At a "#" outside of scalars: it begins a comment if it is at the start of the line or after a
   space. */
static bool begins_comment(const Cursor *c)
{
    return c->text.data[c->at] == '#' &&
           (c->at == c->line_start || is_blank(c->text.data[c->at - 1]));
}

static void read_comment(Arena *arena, Cursor *c, YamlComments *comments)
{
    YamlComment comment = {
        .before = bytes_trim(bytes_slice(c->text, c->line_start, c->at - c->line_start)),
        .line = c->line,
        .column = c->column};
    size_t start = c->at + 1;
    while (c->at < c->text.size && !is_break(c->text.data[c->at]))
        step(c);
    comment.text = bytes_trim(bytes_slice(c->text, start, c->at - start));
    comment_add(arena, comments, comment);
}

YamlComments yaml_comments(Arena *arena, Bytes text)
{
    YamlComments comments = {0};
    if (bytes_start_with(text, "\xEF\xBB\xBF"))
        text = bytes_slice(text, 3, text.size);
    Spans spans = scalars(arena, text);
    uint32_t next = 0;
    for (Cursor c = {.text = text, .line = 1, .column = 1};
         c.at < text.size && c.character < spans.end;) {
        while (next < spans.n && spans.items[next].end <= c.character)
            next++;
        bool inside = next < spans.n && spans.items[next].start <= c.character;
        if (!inside && begins_comment(&c))
            read_comment(arena, &c, &comments);
        else
            step(&c);
    }
    return comments;
}
