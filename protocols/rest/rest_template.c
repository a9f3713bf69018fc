/*
 * Path templates of google/api/http.proto, and "/", which other gateways accept, too:
 *
 *   Template = "/" [ Segments [ ":" LITERAL ] ]
 *   Segments = Segment { "/" Segment }
 *   Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
 */
#include "protocols/rest/rest_internal.h"

#include "base/arena.h"
#include "base/text/percent.h"

typedef struct Parser {
    Bytes text;
    size_t at;
    Arena *arena;
    RestTemplate *template;
    bool in_variable;
} Parser;

static Result refuse(const Parser *parser, const char *why)
{
    return FAIL(parser->arena, FAULT_BAD_SCHEMA, "path template \"%.*s\", column %zu: %s",
                BYTES_ARGS(parser->text), parser->at + 1, why);
}

static uint8_t peek(const Parser *parser)
{
    return parser->at < parser->text.size ? parser->text.data[parser->at] : 0;
}

static bool take(Parser *parser, uint8_t wanted)
{
    if (peek(parser) != wanted || parser->at == parser->text.size)
        return false;
    parser->at++;
    return true;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* pchar of RFC 3986, without "%" (a literal is not encoded), ":" (begins the verb) and "*". */
static bool is_literal(uint8_t c)
{
    return is_letter(c) || is_digit(c) || (c && strchr("-.~!$&'()+,;=@", c));
}

static Bytes take_while(Parser *parser, bool (*belongs)(uint8_t))
{
    size_t start = parser->at;
    while (parser->at < parser->text.size && belongs(peek(parser)))
        parser->at++;
    return bytes_slice(parser->text, start, parser->at - start);
}

static Result add_segment(Parser *parser, SegmentKind kind, Bytes literal)
{
    RestTemplate *t = parser->template;
    if (t->n_segments && t->segments[t->n_segments - 1].kind == SEGMENT_REST)
        return refuse(parser, "only a verb may follow \"**\"");
    if (t->n_segments == t->segments_capacity) {
        size_t capacity = t->segments_capacity ? t->segments_capacity * 2 : 8;
        Segment *grown = arena_grow(parser->arena, t->segments, t->n_segments * sizeof(Segment),
                                    capacity * sizeof(Segment));
        if (!grown)
            return FAIL(parser->arena, FAULT_OUT_OF_MEMORY, "parsing a path template");
        t->segments = grown;
        t->segments_capacity = capacity;
    }
    t->segments[t->n_segments++] = (Segment){kind, literal};
    return OK;
}

static bool is_identifier(uint8_t c)
{
    return is_letter(c) || is_digit(c);
}

/* IDENT { "." IDENT } */
static Result parse_field_path(Parser *parser, Bytes *path_out)
{
    size_t start = parser->at;
    do {
        if (!is_letter(peek(parser)))
            return refuse(parser, "expected a field name");
        take_while(parser, is_identifier);
    } while (take(parser, '.'));
    *path_out = bytes_slice(parser->text, start, parser->at - start);
    return OK;
}

static Result add_variable(Parser *parser, Bytes field_path, size_t from)
{
    RestTemplate *t = parser->template;
    for (size_t i = 0; i < t->n_variables; i++) {
        if (bytes_equal(t->variables[i].field_path, field_path))
            return refuse(parser, "this variable already exists");
    }
    if (t->n_variables == t->variables_capacity) {
        size_t capacity = t->variables_capacity ? t->variables_capacity * 2 : 8;
        RestVariable *grown = arena_grow(parser->arena, t->variables,
                                         t->n_variables * sizeof *grown, capacity * sizeof *grown);
        Bytes *paths = arena_grow(parser->arena, t->field_paths, t->n_variables * sizeof *paths,
                                  capacity * sizeof *paths);
        if (!grown || !paths)
            return FAIL(parser->arena, FAULT_OUT_OF_MEMORY, "parsing a path template");
        t->variables = grown;
        t->field_paths = paths;
        t->variables_capacity = capacity;
    }
    bool is_multi = t->n_segments - from > 1 || t->segments[t->n_segments - 1].kind == SEGMENT_REST;
    t->field_paths[t->n_variables] = field_path;
    t->variables[t->n_variables++] = (RestVariable){field_path, from, t->n_segments, is_multi};
    return OK;
}

static Result parse_segments(Parser *parser);

/* After "{". */
static Result parse_variable(Parser *parser)
{
    Bytes field_path = BYTES_NONE;
    size_t from = parser->template->n_segments;
    if (parser->in_variable)
        return refuse(parser, "variables cannot be nested");
    Result r = parse_field_path(parser, &field_path);
    if (failed(r))
        return r;
    if (take(parser, '=')) {
        parser->in_variable = true;
        r = parse_segments(parser);
        parser->in_variable = false;
    } else {
        r = add_segment(parser, SEGMENT_ONE, BYTES_NONE);
    }
    if (failed(r))
        return r;
    if (!take(parser, '}'))
        return refuse(parser, "expected \"}\"");
    return add_variable(parser, field_path, from);
}

static Result parse_segment(Parser *parser)
{
    if (take(parser, '{'))
        return parse_variable(parser);
    if (take(parser, '*'))
        return add_segment(parser, take(parser, '*') ? SEGMENT_REST : SEGMENT_ONE, BYTES_NONE);
    Bytes literal = take_while(parser, is_literal);
    if (literal.size == 0)
        return refuse(parser, "expected a name, \"*\", \"**\" or \"{\"");
    return add_segment(parser, SEGMENT_LITERAL, literal);
}

static Result parse_segments(Parser *parser)
{
    do {
        Result r = parse_segment(parser);
        if (failed(r))
            return r;
    } while (take(parser, '/'));
    return OK;
}

/* The last colon begins the verb; earlier colons belong to the literal: "/v1/a:b:cancel". */
static Result parse_verb(Parser *parser)
{
    RestTemplate *t = parser->template;
    Segment *last = &t->segments[t->n_segments - 1];
    while (take(parser, ':')) {
        if (t->verb.size && last->kind != SEGMENT_LITERAL)
            return refuse(parser, "there already is a verb");
        if (t->verb.size)
            last->literal.size += 1 + t->verb.size;
        t->verb = take_while(parser, is_literal);
        if (t->verb.size == 0)
            return refuse(parser, "expected a verb");
    }
    if (parser->at != parser->text.size)
        return refuse(parser, "this character is not allowed here");
    return OK;
}

Result rest_template_parse(Arena *arena, Bytes text, const RestTemplate **template_out)
{
    Parser parser = {.text = bytes_copy(arena, text), .arena = arena};
    parser.template = arena_make(arena, RestTemplate);
    if (!parser.template || (text.size && !parser.text.data))
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "parsing a path template");
    parser.template->text = parser.text;
    if (!take(&parser, '/'))
        return refuse(&parser, "a path must begin with \"/\"");
    bool is_root = parser.at == parser.text.size;
    Result r = is_root ? OK : parse_segments(&parser);
    if (!failed(r) && !is_root)
        r = parse_verb(&parser);
    if (failed(r))
        return r;
    *template_out = parser.template;
    return OK;
}

size_t rest_template_variables(const RestTemplate *template, const Bytes **field_paths_out)
{
    *field_paths_out = template->field_paths;
    return template->n_variables;
}

/* ---- Expansion ------------------------------------------------------------------------------- */

/* Whether the text of a multi-segment variable matches its pattern. */
static bool matches_pattern(const RestTemplate *t, const RestVariable *variable, Bytes text)
{
    Bytes part;
    for (size_t i = variable->from; i < variable->to; i++) {
        const Segment *segment = &t->segments[i];
        if (segment->kind == SEGMENT_REST)
            return true;
        if (!bytes_split(&text, '/', &part))
            return false;
        if (segment->kind == SEGMENT_LITERAL ? !bytes_equal(part, segment->literal)
                                             : part.size == 0)
            return false;
    }
    return !text.data;
}

/* "." and ".." change the path, even if escaped (RFC 3986 section 6.2.2.2). */
static bool has_dot_segment(Bytes text)
{
    Bytes part;
    while (bytes_split(&text, '/', &part)) {
        if (bytes_are(part, ".") || bytes_are(part, ".."))
            return true;
    }
    return false;
}

static Result add_value(const RestTemplate *t, const RestVariable *variable, Bytes text,
                        Arena *arena, Buffer *out)
{
    if (!text.data || (!variable->is_multi && text.size == 0))
        return FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_text(arena, variable->field_path),
                          "the path \"%.*s\" needs this field", BYTES_ARGS(t->text));
    if (has_dot_segment(text))
        return FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_text(arena, variable->field_path),
                          "\"%.*s\" would be a dot segment of the path \"%.*s\"", BYTES_ARGS(text),
                          BYTES_ARGS(t->text));
    if (variable->is_multi && !matches_pattern(t, variable, text))
        return FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_text(arena, variable->field_path),
                          "\"%.*s\" does not match the path \"%.*s\"", BYTES_ARGS(text),
                          BYTES_ARGS(t->text));
    percent_encode(out, text, variable->is_multi ? PERCENT_KEEP_PATH : PERCENT_KEEP_UNRESERVED);
    return OK;
}

Result rest_template_expand(const RestTemplate *t, RestValueOf value_of, void *owner, Arena *arena,
                            Buffer *out)
{
    size_t next_variable = 0;
    if (t->n_segments == 0)
        buffer_add_byte(out, '/');
    for (size_t i = 0; i < t->n_segments;) {
        buffer_add_byte(out, '/');
        if (next_variable < t->n_variables && t->variables[next_variable].from == i) {
            const RestVariable *variable = &t->variables[next_variable++];
            Result r = add_value(t, variable, value_of(owner, variable->field_path), arena, out);
            if (failed(r))
                return r;
            i = variable->to;
        } else if (t->segments[i].kind == SEGMENT_LITERAL) {
            buffer_add_bytes(out, t->segments[i++].literal);
        } else {
            return FAIL_TELL(arena, FAULT_BAD_VALUE,
                             "the path \"%.*s\" has a wildcard without a variable",
                             BYTES_ARGS(t->text));
        }
    }
    if (t->verb.size) {
        buffer_add_byte(out, ':');
        buffer_add_bytes(out, t->verb);
    }
    if (out->full)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "writing the path \"%.*s\"", BYTES_ARGS(t->text));
    return OK;
}
