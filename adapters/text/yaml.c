#include "adapters/text/yaml.h"

#include "base/arena.h"
#include "base/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

enum { DEFAULT_DEPTH = 64, DEFAULT_ELEMENTS = 1000000 };

/* A sequence or mapping that is open at the moment. */
typedef struct Level {
    JsonNode *node;
    JsonNode **end; /* where the next child is linked */
    Table names;    /* of a mapping: name -> JsonNode */
    bool has_name;  /* mapping: a key was read, and its value is next */
    bool skip;      /* that value is dropped, because its key is invalid */
    Bytes name;
    YamlPlace name_place;
} Level;

typedef struct Reader {
    Arena *arena;
    Problems *problems;
    YamlDocument *document;
    JsonLimits limits;
    YamlPlace *places;
    uint32_t places_capacity;
    Level *levels; /* limits.depth of them */
    uint32_t depth;
    uint32_t skipping; /* number of open levels inside a value that is dropped */
    bool started;
} Reader;

const YamlPlace *yaml_place(const YamlDocument *document, const JsonNode *node)
{
    CHECK(node->offset < document->n_places);
    return &document->places[node->offset];
}

static YamlPlace place_of(const yaml_mark_t *mark)
{
    int line = (int)mark->line + 1, column = (int)mark->column + 1;
    return (YamlPlace){line, column, line, column};
}

__attribute__((format(printf, 4, 5))) static void tell(Reader *reader, const yaml_mark_t *mark,
                                                       const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char reason[512];
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    YamlPlace place = place_of(mark);
    problem_add(reader->problems, reader->document->file, place.line, place.column, "", hint, "%s",
                reason);
}

static Level *innermost(Reader *reader)
{
    return reader->depth ? &reader->levels[reader->depth - 1] : NULL;
}

static bool wants_name(Reader *reader)
{
    Level *level = innermost(reader);
    return level && level->node->kind == JSON_OBJECT && !level->has_name;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void add_place(Reader *reader, YamlPlace place)
{
    YamlDocument *document = reader->document;
    if (document->n_places == reader->places_capacity) {
        uint32_t capacity = reader->places_capacity ? reader->places_capacity * 2 : 64;
        YamlPlace *grown = arena_grow(reader->arena, reader->places,
                                      document->n_places * sizeof *grown, capacity * sizeof *grown);
        reader->places = grown;
        reader->places_capacity = capacity;
    }
    reader->places[document->n_places++] = place;
}

/* Links the node to its parent and sets its name. */
static void attach(Reader *reader, JsonNode *node, YamlPlace *place)
{
    Level *level = innermost(reader);
    if (!level) {
        reader->document->root = node;
        return;
    }
    if (level->node->kind == JSON_OBJECT) {
        node->name = level->name;
        place->name_line = level->name_place.line;
        place->name_column = level->name_place.column;
        level->has_name = false;
        table_put(&level->names, node->name, node);
    }
    *level->end = node;
    level->end = &node->next;
    level->node->count++;
}

/* Adds a node at the current position of the tree; NULL if the text is too large. */
static JsonNode *add_node(Reader *reader, JsonKind kind, const yaml_mark_t *mark)
{
    if (reader->document->n_places >= reader->limits.elements) {
        tell(reader, mark, NULL, "more than %u values", reader->limits.elements);
        return NULL;
    }
    JsonNode *node = arena_make(reader->arena, JsonNode);
    node->kind = kind;
    node->offset = reader->document->n_places;
    YamlPlace place = place_of(mark);
    attach(reader, node, &place);
    add_place(reader, place);
    return node;
}

/* ---- Events: each returns false if reading cannot continue ----------------------------------- */

/* Whether the value that begins here is dropped, because its key was invalid. */
static bool dropped(Reader *reader)
{
    Level *level = innermost(reader);
    if (reader->skipping)
        return true;
    if (!level || !level->skip || !level->has_name)
        return false;
    level->skip = level->has_name = false;
    return true;
}

static void tell_decoration(Reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag,
                            const yaml_mark_t *mark)
{
    if (anchor)
        tell(reader, mark, NULL, "anchors are not supported: &%s", (const char *)anchor);
    if (tag)
        tell(reader, mark, "quote a value that is to be a string", "tags are not supported: %s",
             (const char *)tag);
}

static bool is_null(Bytes text)
{
    return text.size == 0 || bytes_are(text, "~") || bytes_are(text, "null") ||
           bytes_are(text, "Null") || bytes_are(text, "NULL");
}

static void read_name(Reader *reader, Bytes text, const yaml_mark_t *mark)
{
    Level *level = innermost(reader);
    level->has_name = true;
    level->skip = false;
    level->name = bytes_copy(reader->arena, text);
    level->name_place = place_of(mark);

    const JsonNode *before = table_get(&level->names, level->name);
    if (before) {
        level->skip = true;
        tell(reader, mark, NULL, "the key %.*s is here twice, first in line %d", BYTES_ARGS(text),
             reader->places[before->offset].name_line);
    }
}

static bool on_scalar(Reader *reader, const yaml_event_t *event)
{
    Bytes text = bytes(event->data.scalar.value, event->data.scalar.length);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (reader->skipping)
        return true;
    tell_decoration(reader, event->data.scalar.anchor, event->data.scalar.tag, &event->start_mark);
    if (memchr(text.data, 0, text.size)) {
        tell(reader, &event->start_mark, NULL, "a text may not contain the character NUL");
        text.size = strlen((const char *)text.data);
    }
    if (wants_name(reader)) {
        read_name(reader, text, &event->start_mark);
        return true;
    }
    if (dropped(reader))
        return true;

    JsonKind kind = !plain ? JSON_STRING : is_null(text) ? JSON_NULL : JSON_TEXT;
    JsonNode *node = add_node(reader, kind, &event->start_mark);
    if (!node)
        return false;
    node->text = bytes_copy(reader->arena, text);
    return true;
}

/* A sequence or mapping begins. */
static bool on_start(Reader *reader, JsonKind kind, const yaml_char_t *anchor,
                     const yaml_char_t *tag, const yaml_mark_t *mark)
{
    tell_decoration(reader, anchor, tag, mark);
    if (reader->depth + reader->skipping == reader->limits.depth) {
        tell(reader, mark, NULL, "nested deeper than %u levels", reader->limits.depth);
        return false;
    }
    if (wants_name(reader) && !reader->skipping) {
        Level *level = innermost(reader);
        tell(reader, mark, NULL, "a key must be a plain word, not a list or a map");
        level->has_name = level->skip = true;
        reader->skipping = 1;
        return true;
    }
    if (dropped(reader)) {
        reader->skipping++;
        return true;
    }
    JsonNode *node = add_node(reader, kind, mark);
    if (!node)
        return false;
    reader->levels[reader->depth++] =
        (Level){.node = node, .end = &node->first, .names = table_in(reader->arena)};
    return true;
}

static bool on_end(Reader *reader)
{
    if (reader->skipping)
        reader->skipping--;
    else
        reader->depth--;
    return true;
}

static bool on_alias(Reader *reader, const yaml_event_t *event)
{
    tell(reader, &event->start_mark, "write the value out",
         "anchors and aliases are not supported: *%s", (const char *)event->data.alias.anchor);
    if (reader->skipping)
        return true;
    if (wants_name(reader)) {
        Level *level = innermost(reader);
        level->has_name = level->skip = true;
        return true;
    }
    return dropped(reader) || add_node(reader, JSON_NULL, &event->start_mark);
}

static bool on_document(Reader *reader, const yaml_event_t *event)
{
    if (reader->started) {
        tell(reader, &event->start_mark, NULL,
             "one file holds one document; a second one begins here");
        return false;
    }
    reader->started = true;
    return true;
}

static bool on_event(Reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return on_scalar(reader, event);
    case YAML_ALIAS_EVENT: return on_alias(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(reader, JSON_ARRAY, event->data.sequence_start.anchor,
                        event->data.sequence_start.tag, &event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return on_start(reader, JSON_OBJECT, event->data.mapping_start.anchor,
                        event->data.mapping_start.tag, &event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_end(reader);
    case YAML_DOCUMENT_START_EVENT: return on_document(reader, event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void tell_syntax(Reader *reader, const yaml_parser_t *parser)
{
    const char *what = parser->problem ? parser->problem : "this is not YAML";
    if (parser->error == YAML_READER_ERROR)
        tell(reader, &parser->mark, NULL, "%s (byte %zu)", what, parser->problem_offset);
    else if (parser->context)
        tell(reader, &parser->problem_mark, NULL, "%s, %s that begins in line %zu", what,
             parser->context, parser->context_mark.line + 1);
    else
        tell(reader, &parser->problem_mark, NULL, "%s", what);
    reader->document->root = NULL;
}

static void read_events(Reader *reader, yaml_parser_t *parser)
{
    bool going = true;
    while (going) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            tell_syntax(reader, parser);
            return;
        }
        going = on_event(reader, &event);
        if (!going)
            reader->document->root = NULL;
        else if (event.type == YAML_STREAM_END_EVENT)
            going = false;
        yaml_event_delete(&event);
    }
}

void yaml_parse(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                Problems *problems, YamlDocument *document_out)
{
    size_t n_before = problems->n;
    *document_out = (YamlDocument){.file = file};
    Reader reader = {.arena = arena, .problems = problems, .document = document_out};
    reader.limits.depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH;
    reader.limits.elements = limits && limits->elements ? limits->elements : DEFAULT_ELEMENTS;
    reader.levels = arena_array(arena, Level, reader.limits.depth);

    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser)); /* fails only if out of memory */
    yaml_parser_set_input_string(&parser, text.size ? text.data : (const uint8_t *)"", text.size);
    read_events(&reader, &parser);
    yaml_parser_delete(&parser);

    if (!document_out->root && problems->n == n_before)
        add_node(&reader, JSON_NULL, &(yaml_mark_t){0});
    document_out->places = reader.places;
}
