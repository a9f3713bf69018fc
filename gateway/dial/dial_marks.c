#include "gateway/dial/dial_marks.h"

#include "adapters/text/json.h"
#include "base/arena.h"

enum { DEPTH_MOST = 128 };

/* A message around the value at hand; the names of the fields below it begin at `names`. */
typedef struct Around {
    const MessageType *type;
    size_t names;
} Around;

typedef struct Marking {
    const DialSide *side;
    Arena *arena;
    Table other;  /* place -> value, as text: what the other side has */
    Buffer place; /* of the value at hand: ".items[0].sku" */
    Buffer names; /* of fields only, as losses have them: ".items.sku" */
    Around around[DEPTH_MOST];
    uint32_t n_around, depth;
    DialLines *lines;
} Marking;

static bool is_container(const JsonNode *node)
{
    return node->kind == JSON_OBJECT || node->kind == JSON_ARRAY;
}

/* Of an object or array that it is one; of others the value. */
static Bytes value_of(const JsonNode *node, Arena *arena)
{
    Buffer text = buffer_in(arena);
    if (is_container(node))
        buffer_add_byte(&text, node->kind == JSON_OBJECT ? '{' : '[');
    else
        json_write(&text, node);
    return buffer_bytes(&text);
}

static void enter_place(Buffer *place, const JsonNode *parent, const JsonNode *node, uint32_t index)
{
    if (parent->kind == JSON_ARRAY)
        buffer_printf(place, "[%u]", index);
    else
        buffer_printf(place, ".%.*s", BYTES_ARGS(node->name));
}

/* ---- The other side -------------------------------------------------------------------------- */

static void note(Marking *m, const JsonNode *node, Buffer *place)
{
    Bytes *value = arena_make(m->arena, Bytes);
    *value = value_of(node, m->arena);
    table_put(&m->other, bytes_copy(m->arena, buffer_bytes(place)), value);
    uint32_t index = 0;
    for (const JsonNode *child = node->first; child; child = child->next) {
        size_t before = place->size;
        enter_place(place, node, child, index++);
        note(m, child, place);
        place->size = before;
    }
}

static bool is_there(const Marking *m, const JsonNode *node)
{
    const Bytes *other = table_get(&m->other, buffer_bytes(&m->place));
    return other && bytes_equal(*other, value_of(node, m->arena));
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static bool is_marked_here(const Loss *loss, bool source)
{
    return source == (loss->kind != LOSS_DEFAULTED);
}

/* Whether the loss, "Order.shipping.street", is of the field at hand: the path begins at one of the
   messages around it. */
static bool is_at_hand(const Marking *m, const Loss *loss)
{
    Bytes names = buffer_bytes(&m->names);
    for (uint32_t i = 0; i < m->n_around; i++) {
        Bytes below = bytes_slice(names, m->around[i].names, names.size);
        size_t size = strlen(m->around[i].type->name);
        if (below.size && strlen(loss->path) == size + below.size &&
            memcmp(loss->path, m->around[i].type->name, size) == 0 &&
            memcmp(loss->path + size, below.data, below.size) == 0)
            return true;
    }
    return false;
}

static const DialLoss *loss_of(const Marking *m)
{
    const DialSide *side = m->side;
    for (uint32_t i = 0; i < side->n_losses; i++)
        if (is_marked_here(side->losses[i].loss, side->source) &&
            is_at_hand(m, side->losses[i].loss))
            return &side->losses[i];
    return NULL;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void add_line(Marking *m, uint32_t depth, Buffer *text, DialMark mark, const DialLoss *loss)
{
    DialLines *lines = m->lines;
    if (lines->n == lines->capacity) {
        uint32_t capacity = lines->capacity ? lines->capacity * 2 : 32;
        lines->items = arena_grow(m->arena, lines->items, lines->capacity * sizeof(DialLine),
                                  capacity * sizeof(DialLine));
        lines->capacity = capacity;
    }
    lines->items[lines->n++] = (DialLine){depth, buffer_bytes(text), mark, loss};
}

static DialMark mark_of(const Marking *m, const JsonNode *node, DialMark parent,
                        const DialLoss *loss)
{
    if (parent == DIAL_LOST || (loss && loss->loss->kind != LOSS_DEFAULTED))
        return DIAL_LOST;
    return !m->side->other.size || is_there(m, node) ? DIAL_SAME : DIAL_DIFFERS;
}

static void begin_text(Buffer *text, const JsonNode *parent, const JsonNode *node)
{
    if (!parent || parent->kind != JSON_OBJECT)
        return;
    json_write_string(text, node->name);
    buffer_add_text(text, ": ");
}

/* What a value is: a message, or a list or map of them; or nothing that is known, without type. */
typedef struct Shape {
    const MessageType *type;
    bool map;
} Shape;

/* A value within another one; parent NULL: the whole message. */
typedef struct Spot {
    const JsonNode *parent, *node;
    const FieldType *field; /* NULL: it is an element, an entry of a map, or unknown */
    Shape shape;
    DialMark above;
} Spot;

static void add_value(Marking *m, const Spot *spot);

static const FieldType *field_of(Shape shape, const JsonNode *parent, const JsonNode *child)
{
    bool named = shape.type && !shape.map && parent->kind == JSON_OBJECT &&
                 shape.type->well_known == WELL_KNOWN_NONE;
    return named ? message_field(shape.type, child->name) : NULL;
}

static Shape shape_below(Shape shape, const JsonNode *parent, const FieldType *field)
{
    if (field)
        return (Shape){field_element_message(field), field->map};
    bool listed = parent->kind == JSON_ARRAY || shape.map;
    return (Shape){listed ? shape.type : NULL, false};
}

static void add_child(Marking *m, const Spot *parent, const JsonNode *child, uint32_t index,
                      DialMark mark)
{
    size_t place = m->place.size, names = m->names.size;
    uint32_t around = m->n_around;
    const FieldType *field = field_of(parent->shape, parent->node, child);
    Shape shape = shape_below(parent->shape, parent->node, field);
    enter_place(&m->place, parent->node, child, index);
    if (field && around < DEPTH_MOST) {
        m->around[m->n_around++] = (Around){parent->shape.type, names};
        buffer_printf(&m->names, ".%s", field->name);
    }
    m->depth++;
    add_value(m, &(Spot){parent->node, child, field, shape, mark});
    m->depth--;
    m->place.size = place;
    m->names.size = names;
    m->n_around = around;
}

static void end_line(Marking *m, const Spot *spot, Buffer *text, DialMark mark,
                     const DialLoss *loss)
{
    if (spot->node->next)
        buffer_add_byte(text, ',');
    add_line(m, m->depth, text, mark, loss);
}

static void add_value(Marking *m, const Spot *spot)
{
    const JsonNode *node = spot->node;
    const DialLoss *loss = spot->field ? loss_of(m) : NULL;
    DialMark mark = mark_of(m, node, spot->above, loss);
    Buffer text = buffer_in(m->arena);
    uint32_t index = 0;
    begin_text(&text, spot->parent, node);
    buffer_add_bytes(&text, value_of(node, m->arena));
    if (is_container(node) && node->first) {
        add_line(m, m->depth, &text, mark, loss);
        for (const JsonNode *child = node->first; child; child = child->next)
            add_child(m, spot, child, index++, mark);
        text = buffer_in(m->arena);
        loss = NULL;
    }
    if (is_container(node))
        buffer_add_byte(&text, node->kind == JSON_OBJECT ? '}' : ']');
    end_line(m, spot, &text, mark, loss);
}

Result dial_marks_make(const DialSide *side, Arena *arena, DialLines *lines_out)
{
    JsonLimits limits = {.depth = DEPTH_MOST};
    JsonNode *root, *other;
    Marking *m = arena_make(arena, Marking);
    *lines_out = (DialLines){.n = 0};
    *m = (Marking){.side = side,
                   .arena = arena,
                   .other = table_in(arena),
                   .place = buffer_in(arena),
                   .names = buffer_in(arena),
                   .lines = lines_out};
    Result r = json_parse(arena, side->json, &limits, &root);
    if (!failed(r) && side->other.size) {
        Buffer place = buffer_in(arena);
        r = json_parse(arena, side->other, &limits, &other);
        if (!failed(r))
            note(m, other, &place);
    }
    if (!failed(r))
        add_value(m, &(Spot){.node = root, .shape = {side->type, false}});
    return r;
}
