#include "gateway/ledger/annotations.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <stdlib.h>

const Annotation *annotations_find(const Annotations *annotations, uint64_t fingerprint)
{
    for (uint32_t i = 0; i < annotations->n; i++)
        if (annotations->items[i].fingerprint == fingerprint)
            return &annotations->items[i];
    return NULL;
}

static Annotation copy_in(Arena *arena, const Annotation *from)
{
    Annotation copy = *from;
    copy.owner = bytes_copy(arena, from->owner);
    copy.cause = bytes_copy(arena, from->cause);
    copy.ticket = bytes_copy(arena, from->ticket);
    copy.who = bytes_copy(arena, from->who);
    copy.why = bytes_copy(arena, from->why);
    return copy;
}

/* Twice as much: what an arena has outgrown stays in it. */
static void make_room(Annotations *annotations)
{
    uint32_t room = annotations->room ? 2 * annotations->room : 16;
    annotations->items =
        arena_grow(annotations->arena, annotations->items,
                   annotations->n * sizeof *annotations->items, room * sizeof *annotations->items);
    CHECK(annotations->items); /* the arena has no limit */
    annotations->room = room;
}

void annotations_put(Annotations *annotations, const Annotation *annotation)
{
    if (!annotations->arena)
        annotations->arena = arena_new(ARENA_UNLIMITED);
    Annotation copy = copy_in(annotations->arena, annotation);
    Annotation *known = (Annotation *)annotations_find(annotations, annotation->fingerprint);
    if (known) {
        *known = copy;
        return;
    }
    if (annotations->n == ANNOTATIONS_MOST)
        return;
    if (annotations->n == annotations->room)
        make_room(annotations);
    annotations->items[annotations->n++] = copy;
}

void annotations_clear(Annotations *annotations)
{
    arena_free(annotations->arena);
    *annotations = (Annotations){0};
}

/* ---- Texts ----------------------------------------------------------------------------------- */

enum { TEXTS = 4 };

static const char *const text_names[TEXTS] = {"owner", "cause", "ticket", "why"};

void annotation_write_texts(const Annotation *a, Buffer *out)
{
    const Bytes texts[TEXTS] = {a->owner, a->cause, a->ticket, a->why};
    buffer_add_byte(out, '{');
    for (int i = 0; i < TEXTS; i++) {
        json_text_add_key(out, text_names[i]);
        json_text_add(out, texts[i]);
    }
    buffer_add_byte(out, '}');
}

Result annotation_read_texts(Arena *arena, Bytes text, Annotation *a)
{
    Bytes *const texts[TEXTS] = {&a->owner, &a->cause, &a->ticket, &a->why};
    JsonNode *root;
    Result r = json_parse(arena, text, &(JsonLimits){0}, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_VALUE, "reading the texts of an annotation");
    for (int i = 0; i < TEXTS; i++) {
        const JsonNode *member =
            root->kind == JSON_OBJECT ? json_member(root, text_names[i]) : NULL;
        if (!member || member->kind != JSON_STRING)
            return FAIL(arena, FAULT_BAD_VALUE, "an annotation has no text %s", text_names[i]);
        *texts[i] = member->text;
    }
    return OK;
}

/* ---- What an operator says ------------------------------------------------------------------- */

static Result read_text(Arena *arena, const JsonNode *member, Bytes *text)
{
    if (member->kind != JSON_STRING)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s is a text", BYTES_ARGS(member->name));
    if (member->text.size > ANNOTATION_TEXT_SIZE)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s has more than %d bytes", BYTES_ARGS(member->name),
                    ANNOTATION_TEXT_SIZE);
    if (bytes_find(member->text, 0) < member->text.size)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s has a NUL", BYTES_ARGS(member->name));
    *text = member->text;
    return OK;
}

static Result read_member(Arena *arena, const JsonNode *member, int64_t wall,
                          Annotation *annotation)
{
    if (bytes_are(member->name, "owner"))
        return read_text(arena, member, &annotation->owner);
    if (bytes_are(member->name, "cause"))
        return read_text(arena, member, &annotation->cause);
    if (bytes_are(member->name, "ticket"))
        return read_text(arena, member, &annotation->ticket);
    if (!bytes_are(member->name, "acknowledged"))
        return FAIL(arena, FAULT_BAD_VALUE,
                    "there are owner, cause, ticket and acknowledged, but no %.*s",
                    BYTES_ARGS(bytes_slice(member->name, 0, 64)));
    if (member->kind != JSON_TRUE && member->kind != JSON_FALSE)
        return FAIL(arena, FAULT_BAD_VALUE, "acknowledged is true or false");
    annotation->acknowledged = member->kind == JSON_TRUE ? wall : 0;
    return OK;
}

/* Of two texts one would be lost, and nobody knows which was meant. */
static Result check_once(Arena *arena, const JsonNode *root, const JsonNode *member)
{
    return json_member(root, arena_text(arena, member->name)) == member
               ? OK
               : FAIL(arena, FAULT_BAD_VALUE, "%.*s is given twice", BYTES_ARGS(member->name));
}

Result annotation_change(Arena *arena, Bytes json, int64_t wall, Annotation *annotation)
{
    JsonNode *root;
    Result r = json_parse(arena, json, &(JsonLimits){0}, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_JSON, "reading an annotation");
    if (root->kind != JSON_OBJECT || !root->count)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "an annotation is an object with owner, cause, ticket or acknowledged");
    for (const JsonNode *member = root->first; member && !failed(r); member = member->next) {
        r = read_member(arena, member, wall, annotation);
        if (!failed(r))
            r = check_once(arena, root, member);
    }
    return r;
}

bool fingerprint_read(Bytes text, uint64_t *fingerprint_out)
{
    char copy[17] = {0};
    char *end;
    if (text.size != 16)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        bool hex = (text.data[i] >= '0' && text.data[i] <= '9') ||
                   (text.data[i] >= 'a' && text.data[i] <= 'f');
        if (!hex)
            return false;
    }
    memcpy(copy, text.data, text.size);
    *fingerprint_out = strtoull(copy, &end, 16);
    return *end == '\0';
}
