#include "gateway/openapi/notes.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"

/* Numbers of descriptor.proto. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_SOURCE_INFO = 9,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2,
    ITS_NAME = 1,
    LOCATION_PATH = 1,
    LOCATION_LEADING = 3,
    LOCATION_TRAILING = 4,
    FIELD_BEHAVIOR = 1052, /* google/api/field_behavior.proto */
    BEHAVES_OUTPUT_ONLY = 3,
    BEHAVES_INPUT_ONLY = 4,
};

/* How the elements of a kind are described. */
typedef struct ElementKind {
    uint32_t options, deprecated; /* numbers of the options, and of `deprecated` in them */
    struct {
        uint32_t number;
        const struct ElementKind *kind;
    } inner[3]; /* elements in it; number 0: no more */
} ElementKind;

static const ElementKind of_field = {8, 3, {{0, NULL}}};
static const ElementKind of_value = {3, 1, {{0, NULL}}};
static const ElementKind of_method = {4, 33, {{0, NULL}}};
static const ElementKind of_enum = {3, 3, {{ENUM_VALUE, &of_value}}};
static const ElementKind of_message = {
    7, 3, {{MESSAGE_FIELD, &of_field}, {MESSAGE_NESTED, &of_message}, {MESSAGE_ENUM, &of_enum}}};
static const ElementKind of_service = {3, 33, {{SERVICE_METHOD, &of_method}}};
static const ElementKind of_file = {
    0, 0, {{FILE_MESSAGE, &of_message}, {FILE_ENUM, &of_enum}, {FILE_SERVICE, &of_service}}};

typedef struct Reading {
    Notes *notes;
    Table comments; /* path as in SourceCodeInfo: packed varints -> Bytes */
    Arena *arena;
} Reading;

/* ---- Comments -------------------------------------------------------------------------------- */

static Bytes trim_end(Bytes text)
{
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Lines begin with the blank that follows the slashes. */
static Bytes clean(Bytes text, Arena *arena)
{
    Buffer out = buffer_in(arena);
    Bytes line;
    text = trim_end(text);
    while (bytes_split(&text, '\n', &line)) {
        if (bytes_start_with(line, " "))
            line = bytes_slice(line, 1, line.size);
        if (out.size)
            buffer_add_byte(&out, '\n');
        buffer_add_bytes(&out, trim_end(line));
    }
    return buffer_bytes(&out);
}

static void read_location(Reading *reading, Bytes location)
{
    Bytes path = wire_find_bytes(location, LOCATION_PATH),
          comment = wire_find_bytes(location, LOCATION_LEADING);
    if (!comment.size)
        comment = wire_find_bytes(location, LOCATION_TRAILING);
    Bytes *kept = arena_make(reading->arena, Bytes);
    *kept = clean(comment, reading->arena);
    if (kept->size)
        table_put(&reading->comments, path, kept);
}

static void read_comments(Reading *reading, Bytes file)
{
    reading->comments = table_in(reading->arena);
    WireReader reader = wire_reader(wire_find_bytes(file, FILE_SOURCE_INFO));
    for (WireField f; wire_next(&reader, &f);)
        if (f.number == 1 && f.type == WIRE_LENGTH)
            read_location(reading, f.bytes);
}

/* ---- Elements -------------------------------------------------------------------------------- */

static void read_behaviour(uint64_t number, Note *note)
{
    note->output_only |= number == BEHAVES_OUTPUT_ONLY;
    note->input_only |= number == BEHAVES_INPUT_ONLY;
}

static void read_options(const ElementKind *kind, Bytes options, Note *note)
{
    WireReader reader = wire_reader(options);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == kind->deprecated && f.type == WIRE_VARINT)
            note->deprecated = f.value != 0;
        if (kind != &of_field || f.number != FIELD_BEHAVIOR)
            continue;
        if (f.type == WIRE_VARINT)
            read_behaviour(f.value, note);
        const uint8_t *at = f.bytes.data, *end = at ? at + f.bytes.size : NULL;
        for (uint64_t number; f.type == WIRE_LENGTH && at && at < end;
             read_behaviour(number, note)) {
            at = wire_varint(at, end, &number);
            if (!at)
                break;
        }
    }
}

static void keep(Reading *reading, const ElementKind *kind, Bytes element, const char *name,
                 const Buffer *path)
{
    Note note = {0};
    const Bytes *comment = table_get(&reading->comments, buffer_bytes(path));
    if (comment)
        note.comment = *comment;
    read_options(kind, wire_find_bytes(element, kind->options), &note);
    if (!note.comment.size && !note.deprecated && !note.output_only && !note.input_only)
        return;
    Note *kept = arena_make(reading->arena, Note);
    *kept = note;
    table_put(&reading->notes->by_name, bytes_of(name), kept);
}

/* The elements of one kind within another; as deep as messages are nested. */
static void read_inner(Reading *reading, const ElementKind *outer, Bytes element, const char *scope,
                       Buffer *path)
{
    uint32_t index[3] = {0};
    WireReader reader = wire_reader(element);
    for (WireField f; wire_next(&reader, &f);) {
        for (size_t i = 0; i < 3 && outer->inner[i].number; i++) {
            if (f.number != outer->inner[i].number || f.type != WIRE_LENGTH)
                continue;
            size_t before = path->size;
            Bytes name = wire_find_bytes(f.bytes, ITS_NAME);
            const char *full = arena_printf(reading->arena, "%s%s%.*s", scope, *scope ? "." : "",
                                            BYTES_ARGS(name));
            wire_add_varint(path, f.number);
            wire_add_varint(path, index[i]++);
            keep(reading, outer->inner[i].kind, f.bytes, full, path);
            read_inner(reading, outer->inner[i].kind, f.bytes, full, path);
            path->size = before;
        }
    }
}

Notes notes_read(const Schema *schema, Arena *arena)
{
    Notes notes = {.by_name = table_in(arena)};
    Reading reading = {.notes = &notes, .arena = arena};
    for (uint32_t i = 0; i < schema->n_files; i++) {
        const SchemaFile *file = &schema->files[i];
        Buffer path = buffer_in(arena);
        read_comments(&reading, file->descriptor);
        read_inner(&reading, &of_file, file->descriptor, file->package, &path);
    }
    return notes;
}

const Note *notes_of(const Notes *notes, const char *full_name, const char *member, Arena *arena)
{
    static const Note nothing;
    const char *name = member ? arena_printf(arena, "%s.%s", full_name, member) : full_name;
    const Note *note = table_get(&notes->by_name, bytes_of(name));
    return note ? note : &nothing;
}
