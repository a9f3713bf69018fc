#include "adapters/text/yaml_reader.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEFAULT_DEPTH = 64, DEFAULT_ELEMENTS = 1000000 };

const YamlPlace *yaml_place(const YamlDocument *document, const JsonNode *node)
{
    CHECK(node->offset < document->n_places);
    return &document->places[node->offset];
}

YamlPlace yaml_place_of(const YamlReader *reader, const yaml_mark_t *mark)
{
    int line = (int)mark->line + 1, column = (int)mark->column + 1;
    return (YamlPlace){line, column, line, column, reader->file};
}

void yaml_tell(YamlReader *reader, YamlPlace place, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char reason[512];
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    problem_add(reader->problems, place.file, place.line, place.column, "", hint, "%s", reason);
}

YamlLevel *yaml_innermost(YamlReader *reader)
{
    return reader->depth ? &reader->levels[reader->depth - 1] : NULL;
}

static bool wants_name(YamlReader *reader)
{
    YamlLevel *level = yaml_innermost(reader);
    return level && level->node->kind == JSON_OBJECT && !level->has_name;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void add_place(YamlReader *reader, YamlPlace place)
{
    YamlDocument *document = reader->document;
    if (document->n_places == document->places_capacity) {
        uint32_t capacity = document->places_capacity ? document->places_capacity * 2 : 64;
        document->places = arena_grow(reader->arena, document->places,
                                      document->n_places * sizeof *document->places,
                                      capacity * sizeof *document->places);
        document->places_capacity = capacity;
    }
    document->places[document->n_places++] = place;
}

/* Links the node to its parent and sets its name. */
static void attach(YamlReader *reader, JsonNode *node, YamlPlace *place)
{
    YamlLevel *level = yaml_innermost(reader);
    if (!level) {
        reader->root = node;
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

JsonNode *yaml_add_node(YamlReader *reader, JsonKind kind, YamlPlace place)
{
    if (reader->document->n_nodes >= reader->limits.elements) {
        yaml_tell(reader, place, NULL, "more than %u values", reader->limits.elements);
        return NULL;
    }
    JsonNode *node = arena_make(reader->arena, JsonNode);
    node->kind = kind;
    node->offset = reader->document->n_places;
    reader->document->n_nodes++;
    attach(reader, node, &place);
    add_place(reader, place);
    return node;
}

/* ---- Events: each returns false if reading cannot continue ----------------------------------- */

/* Whether the value that begins here is dropped, because its key was invalid. */
static bool dropped(YamlReader *reader)
{
    YamlLevel *level = yaml_innermost(reader);
    if (reader->skipping)
        return true;
    if (!level || !level->skip || !level->has_name)
        return false;
    level->skip = level->has_name = false;
    return true;
}

static void tell_tag(YamlReader *reader, const yaml_char_t *tag, const yaml_mark_t *mark)
{
    if (tag)
        yaml_tell(reader, yaml_place_of(reader, mark), "quote a value that is to be a string",
                  "tags are not supported: %s", (const char *)tag);
}

static bool is_null(Bytes text)
{
    return text.size == 0 || bytes_are(text, "~") || bytes_are(text, "null") ||
           bytes_are(text, "Null") || bytes_are(text, "NULL");
}

static void read_name(YamlReader *reader, Bytes text, bool plain, const yaml_mark_t *mark)
{
    YamlLevel *level = yaml_innermost(reader);
    level->has_name = true;
    level->skip = false;
    level->name = bytes_copy(reader->arena, text);
    level->name_place = yaml_place_of(reader, mark);
    level->merges |= plain && bytes_are(text, "<<");

    const JsonNode *before = table_get(&level->names, level->name);
    if (before) {
        level->skip = true;
        yaml_tell(reader, yaml_place_of(reader, mark), NULL,
                  "the key %.*s is here twice, first in line %d", BYTES_ARGS(text),
                  yaml_place(reader->document, before)->name_line);
    }
}

static void tell_anchored_name(YamlReader *reader, const yaml_event_t *event)
{
    if (event->data.scalar.anchor)
        yaml_tell(reader, yaml_place_of(reader, &event->start_mark),
                  arena_printf(reader->arena, "%s: &%s", (const char *)event->data.scalar.value,
                               (const char *)event->data.scalar.anchor),
                  "a key has no anchor: &%s", (const char *)event->data.scalar.anchor);
}

static bool on_scalar(YamlReader *reader, const yaml_event_t *event)
{
    Bytes text = bytes(event->data.scalar.value, event->data.scalar.length);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (reader->skipping)
        return true;
    tell_tag(reader, event->data.scalar.tag, &event->start_mark);
    if (memchr(text.data, 0, text.size)) {
        yaml_tell(reader, yaml_place_of(reader, &event->start_mark), NULL,
                  "a text may not contain the character NUL");
        text.size = strlen((const char *)text.data);
    }
    if (wants_name(reader)) {
        tell_anchored_name(reader, event);
        read_name(reader, text, plain, &event->start_mark);
        return true;
    }
    if (dropped(reader))
        return true;

    JsonKind kind = !plain ? JSON_STRING : is_null(text) ? JSON_NULL : JSON_TEXT;
    JsonNode *node = yaml_add_node(reader, kind, yaml_place_of(reader, &event->start_mark));
    if (!node)
        return false;
    node->text = bytes_copy(reader->arena, text);
    yaml_note_anchor(reader, event->data.scalar.anchor, node);
    return true;
}

/* A sequence or mapping begins. */
static bool on_start(YamlReader *reader, JsonKind kind, const yaml_char_t *anchor,
                     const yaml_char_t *tag, const yaml_mark_t *mark)
{
    tell_tag(reader, tag, mark);
    if (reader->depth + reader->skipping == reader->limits.depth) {
        yaml_tell(reader, yaml_place_of(reader, mark), NULL, "nested deeper than %u levels",
                  reader->limits.depth);
        return false;
    }
    if (wants_name(reader) && !reader->skipping) {
        YamlLevel *level = yaml_innermost(reader);
        yaml_tell(reader, yaml_place_of(reader, mark), NULL,
                  "a key must be a plain word, not a list or a map");
        level->has_name = level->skip = true;
        reader->skipping = 1;
        return true;
    }
    if (dropped(reader)) {
        reader->skipping++;
        return true;
    }
    JsonNode *node = yaml_add_node(reader, kind, yaml_place_of(reader, mark));
    if (!node)
        return false;
    yaml_note_anchor(reader, anchor, node);
    reader->levels[reader->depth++] =
        (YamlLevel){.node = node, .end = &node->first, .names = table_in(reader->arena)};
    return true;
}

static bool on_end(YamlReader *reader)
{
    if (reader->skipping) {
        reader->skipping--;
        return true;
    }
    yaml_merge(reader);
    reader->depth--;
    return true;
}

static bool on_alias(YamlReader *reader, const yaml_event_t *event)
{
    YamlPlace place = yaml_place_of(reader, &event->start_mark);
    if (reader->skipping)
        return true;
    if (wants_name(reader)) {
        YamlLevel *level = yaml_innermost(reader);
        yaml_tell(reader, place, NULL, "a key must be a plain word, not an alias");
        level->has_name = level->skip = true;
        return true;
    }
    return dropped(reader) || yaml_add_alias(reader, event->data.alias.anchor, place);
}

static bool on_document(YamlReader *reader, const yaml_event_t *event)
{
    if (reader->started) {
        yaml_tell(reader, yaml_place_of(reader, &event->start_mark), NULL,
                  "one file holds one document; a second one begins here");
        return false;
    }
    reader->started = true;
    return true;
}

static bool on_event(YamlReader *reader, const yaml_event_t *event)
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

static void tell_syntax(YamlReader *reader, const yaml_parser_t *parser)
{
    const char *what = parser->problem ? parser->problem : "this is not YAML";
    const char *hint = yaml_syntax_hint(reader->arena, reader->text, parser);
    YamlPlace place = yaml_place_of(reader, &parser->problem_mark);
    if (parser->error == YAML_READER_ERROR)
        yaml_tell(reader, yaml_place_of(reader, &parser->mark), NULL, "%s (byte %zu)", what,
                  parser->problem_offset);
    else if (parser->context)
        yaml_tell(reader, place, hint, "%s, %s that begins in line %zu", what, parser->context,
                  parser->context_mark.line + 1);
    else
        yaml_tell(reader, place, hint, "%s", what);
    reader->root = NULL;
}

static void read_events(YamlReader *reader, yaml_parser_t *parser)
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
            reader->root = NULL;
        else if (event.type == YAML_STREAM_END_EVENT)
            going = false;
        yaml_event_delete(&event);
    }
}

JsonNode *yaml_parse_more(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                          Problems *problems, YamlDocument *document)
{
    size_t n_before = problems->n;
    YamlReader reader = {.arena = arena,
                         .problems = problems,
                         .document = document,
                         .file = file,
                         .text = text,
                         .anchors = table_in(arena)};
    reader.limits.depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH;
    reader.limits.elements = limits && limits->elements ? limits->elements : DEFAULT_ELEMENTS;
    reader.levels = arena_array(arena, YamlLevel, reader.limits.depth);

    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser)); /* fails only if out of memory */
    yaml_parser_set_input_string(&parser, text.size ? text.data : (const uint8_t *)"", text.size);
    read_events(&reader, &parser);
    yaml_parser_delete(&parser);

    if (!reader.root && problems->n == n_before)
        yaml_add_node(&reader, JSON_NULL, yaml_place_of(&reader, &(yaml_mark_t){0}));
    return reader.root;
}

void yaml_parse(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                Problems *problems, YamlDocument *document_out)
{
    *document_out = (YamlDocument){.file = file};
    document_out->root = yaml_parse_more(arena, text, file, limits, problems, document_out);
}
