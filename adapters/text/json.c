#include "adapters/text/json.h"

#include "adapters/text/json_bytes.h"
#include "base/arena.h"
#include "base/text/utf8.h"

enum {
    DEFAULT_DEPTH = 100,
    MOST_DEPTH = 1000,
    DEFAULT_ELEMENTS = 1000000,
    FIRST_SLAB = 16,
    LARGEST_SLAB = 512, /* nodes */
};

typedef struct Parser {
    const uint8_t *at, *end;
    Bytes text;
    Arena *arena;
    JsonNode *free, *free_end; /* the rest of the newest slab */
    uint32_t slab;
    uint32_t depth, elements; /* remaining limits */
    Result failure;
    const JsonLimits *limits; /* NULL: the usual ones */
} Parser;

void json_place(Bytes text, size_t offset, unsigned *line_out, unsigned *column_out)
{
    *line_out = *column_out = 1;
    for (size_t i = 0; i < offset && i < text.size; i++) {
        bool end_of_line = text.data[i] == '\n';
        *line_out += end_of_line;
        *column_out = end_of_line ? 1 : *column_out + 1;
    }
}

/* ---- Failing: always false ------------------------------------------------------------------- */

static bool refuse(Parser *p, const uint8_t *where, const char *what)
{
    unsigned line, column;
    json_place(p->text, (size_t)(where - p->text.data), &line, &column);
    p->failure =
        FAIL_TELL(p->arena, FAULT_BAD_JSON, "JSON, line %u column %u: %s", line, column, what);
    return false;
}

static bool refuse_here(Parser *p, const char *what)
{
    return refuse(p, p->at, p->at == p->end ? "the text ends too early" : what);
}

static bool out_of_memory(Parser *p)
{
    p->failure = FAIL(p->arena, FAULT_OUT_OF_MEMORY, "reading JSON of %zu bytes", p->text.size);
    return false;
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* The first byte from `at` on that needs a closer look: a quote, backslash, control character or
   non-ASCII byte. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        uint64_t hits = json_hits(eight);
        if (hits)
            return at + (__builtin_ctzll(hits) >> 3);
        at += 8;
    }
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads the four digits after "\u". */
static bool read_hex4(Parser *p, const uint8_t **at, uint32_t *unit_out)
{
    *unit_out = 0;
    for (int i = 0; i < 4; i++, ++*at) {
        int digit = *at < p->end ? hex_digit(**at) : -1;
        if (digit < 0)
            return refuse(p, *at, "\\u needs four hexadecimal digits");
        *unit_out = *unit_out << 4 | (uint32_t)digit;
    }
    return true;
}

static bool read_unicode(Parser *p, const uint8_t **at, Buffer *out)
{
    const uint8_t *start = *at - 2;
    uint32_t unit, low;
    if (!read_hex4(p, at, &unit))
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (p->end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return refuse(p, start, "half of a surrogate pair");
        *at += 2;
        if (!read_hex4(p, at, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(p, start, "half of a surrogate pair");
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xdc00 && unit <= 0xdfff) {
        return refuse(p, start, "half of a surrogate pair");
    }
    utf8_add_character(out, unit);
    return true;
}

static bool read_escape(Parser *p, const uint8_t **at, Buffer *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (p->end - *at < 2)
        return refuse(p, p->end, "the text ends too early");
    uint8_t letter = (*at)[1];
    *at += 2;
    if (letter == 'u')
        return read_unicode(p, at, out);
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (!found)
        return refuse(p, *at - 2, "an escape that JSON does not have");
    buffer_add_byte(out, (uint8_t)meanings[found - letters]);
    return true;
}

/* The rest of a string that has escapes; `from` is its first byte, `at` the first backslash. */
static bool read_escaped(Parser *p, const uint8_t *from, const uint8_t *at, Bytes *text_out)
{
    Buffer out = buffer_in(p->arena);
    buffer_reserve(&out, (size_t)(at - from) + 32);
    for (;;) {
        buffer_add(&out, from, (size_t)(at - from));
        if (at == p->end)
            return refuse(p, at, "the text ends too early");
        if (*at == '"')
            break;
        if (*at < ' ')
            return refuse(p, at, "a control character in a string");
        from = at;
        if (*at != '\\')
            at++; /* UTF-8 is checked at the end */
        else if (read_escape(p, &at, &out))
            from = at;
        else
            return false;
        at = skip_plain(at, p->end);
    }
    if (out.full)
        return out_of_memory(p);
    p->at = at + 1;
    *text_out = buffer_bytes(&out);
    return true;
}

/* Called after the opening quote. */
static bool read_string(Parser *p, Bytes *text_out)
{
    const uint8_t *from = p->at, *at = skip_plain(from, p->end);
    bool plain = true;
    while (at < p->end && *at >= 0x80) {
        plain = false;
        at = skip_plain(at + 1, p->end);
    }
    if (at < p->end && *at == '"') {
        *text_out = bytes(from, (size_t)(at - from));
        p->at = at + 1;
    } else if (at < p->end && *at == '\\') {
        plain = false;
        if (!read_escaped(p, from, at, text_out))
            return false;
    } else {
        return refuse(p, at,
                      at == p->end ? "the text ends too early" : "a control character in a string");
    }
    return plain || utf8_valid(*text_out) || refuse(p, from, "a string that is not valid UTF-8");
}

/* ---- Other scalars --------------------------------------------------------------------------- */

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (uint8_t)(*at - '0') <= 9)
        at++;
    return at;
}

static bool read_number(Parser *p, JsonNode *node)
{
    const uint8_t *start = p->at, *at = start, *end = p->end, *digits;
    at += *at == '-';
    digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return refuse(p, start, "not a JSON value");
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return refuse(p, start, "a number with nothing behind its point");
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return refuse(p, start, "a number with nothing in its exponent");
    }
    node->kind = JSON_NUMBER;
    node->text = bytes(start, (size_t)(at - start));
    p->at = at;
    return true;
}

static bool read_word(Parser *p, JsonNode *node, const char *word, JsonKind kind)
{
    size_t size = strlen(word);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size) != 0)
        return refuse(p, p->at, "not a JSON value");
    node->kind = kind;
    p->at += size;
    return true;
}

/* ---- Arrays and objects ---------------------------------------------------------------------- */

static inline void skip_blanks(Parser *p)
{
    while (p->at < p->end && *p->at <= ' ' &&
           (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

static JsonNode *new_slab(Parser *p)
{
    p->free = arena_alloc(p->arena, p->slab * sizeof(JsonNode));
    if (!p->free) {
        out_of_memory(p);
        return NULL;
    }
    p->free_end = p->free + p->slab;
    if (p->slab < LARGEST_SLAB)
        p->slab *= 2;
    return p->free++;
}

static inline JsonNode *new_node(Parser *p)
{
    JsonNode *node = p->free < p->free_end ? p->free++ : new_slab(p);
    if (node)
        *node = (JsonNode){0};
    return node;
}

static bool read_value(Parser *p, JsonNode *node);

static bool read_name(Parser *p, JsonNode *child)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != '"')
        return refuse_here(p, "a member needs a name in quotes");
    p->at++;
    if (!read_string(p, &child->name))
        return false;
    skip_blanks(p);
    if (p->at == p->end || *p->at != ':')
        return refuse_here(p, "a colon is missing behind a member's name");
    p->at++;
    return true;
}

/* Called after the opening bracket. */
static bool read_children(Parser *p, JsonNode *node, uint8_t close)
{
    JsonNode **tail = &node->first;
    skip_blanks(p);
    if (p->at < p->end && *p->at == close) {
        p->at++;
        return true;
    }
    for (;;) {
        JsonNode *child = new_node(p);
        if (!child)
            return false;
        if (p->elements-- == 0) {
            p->failure = FAIL_TELL(p->arena, FAULT_MESSAGE_TOO_LARGE,
                                   "JSON with more elements than allowed%s",
                                   p->limits ? " (limits.elements)" : "");
            return false;
        }
        if ((close == '}' && !read_name(p, child)) || !read_value(p, child))
            return false;
        *tail = child;
        tail = &child->next;
        node->count++;
        skip_blanks(p);
        if (p->at == p->end || (*p->at != ',' && *p->at != close))
            return refuse_here(p, "a comma or the closing bracket is missing");
        if (*p->at++ == close)
            return true;
    }
}

static bool read_container(Parser *p, JsonNode *node, JsonKind kind)
{
    const uint8_t *start = p->at++;
    node->kind = kind;
    if (p->depth-- == 0) {
        p->failure = FAIL_TELL(p->arena, FAULT_TOO_DEEP, "JSON nested deeper than allowed%s",
                               p->limits ? " (limits.depth)" : "");
        return false;
    }
    if (!read_children(p, node, kind == JSON_ARRAY ? ']' : '}'))
        return false;
    p->depth++;
    node->text = bytes(start, (size_t)(p->at - start));
    return true;
}

static bool read_value(Parser *p, JsonNode *node)
{
    skip_blanks(p);
    if (p->at == p->end)
        return refuse_here(p, "");
    node->offset = (uint32_t)(p->at - p->text.data);
    switch (*p->at) {
    case '"':
        p->at++;
        node->kind = JSON_STRING;
        return read_string(p, &node->text);
    case '{': return read_container(p, node, JSON_OBJECT);
    case '[': return read_container(p, node, JSON_ARRAY);
    case 't': return read_word(p, node, "true", JSON_TRUE);
    case 'f': return read_word(p, node, "false", JSON_FALSE);
    case 'n': return read_word(p, node, "null", JSON_NULL);
    default: return read_number(p, node);
    }
}

static uint32_t depth_limit(const JsonLimits *limits)
{
    if (!limits || !limits->depth)
        return DEFAULT_DEPTH;
    return limits->depth < MOST_DEPTH ? limits->depth : MOST_DEPTH;
}

Result json_parse(Arena *arena, Bytes text, const JsonLimits *limits, JsonNode **root_out)
{
    static const uint8_t nothing[1];
    if (!text.data)
        text = bytes(nothing, 0);
    Parser p = {
        .at = text.data,
        .end = text.data + text.size,
        .text = text,
        .arena = arena,
        .slab = FIRST_SLAB,
        .limits = limits,
        .depth = depth_limit(limits),
        .elements = limits && limits->elements ? limits->elements : DEFAULT_ELEMENTS,
    };
    *root_out = NULL;
    if (text.size > UINT32_MAX)
        return FAIL_TELL(arena, FAULT_MESSAGE_TOO_LARGE, "JSON of %zu bytes", text.size);

    JsonNode *root = new_node(&p);
    if (!root || !read_value(&p, root))
        return p.failure;
    skip_blanks(&p);
    if (p.at != p.end) {
        refuse(&p, p.at, "something stands behind the value");
        return p.failure;
    }
    *root_out = root;
    return OK;
}

JsonNode *json_member(const JsonNode *object, const char *name)
{
    if (object->kind != JSON_OBJECT)
        return NULL;
    JsonNode *child = object->first;
    while (child && !bytes_are(child->name, name))
        child = child->next;
    return child;
}

Bytes json_member_text(const JsonNode *object, const char *name)
{
    const JsonNode *member = json_member(object, name);
    return member ? member->text : BYTES_NONE;
}

int64_t json_member_number(const JsonNode *object, const char *name)
{
    uint64_t number;
    bool good = bytes_to_u64(json_member_text(object, name), &number) && number <= INT64_MAX;
    return good ? (int64_t)number : 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_escape(Buffer *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef", letters[] = "btn_fr";
    if (c == '"' || c == '\\')
        buffer_add(out, (uint8_t[]){'\\', c}, 2);
    else if (c >= '\b' && c <= '\r' && c != '\v')
        buffer_add(out, (uint8_t[]){'\\', (uint8_t)letters[c - '\b']}, 2);
    else
        buffer_add(out,
                   (uint8_t[]){'\\', 'u', '0', '0', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]}, 6);
}

void json_write_string(Buffer *out, Bytes text)
{
    const uint8_t *from = text.data, *end = from ? from + text.size : NULL, *at = from;
    buffer_reserve(out, text.size + 2);
    buffer_add_byte(out, '"');
    while (at < end) {
        at = skip_plain(at, end);
        if (at < end && *at >= 0x80) {
            at++;
            continue;
        }
        buffer_add(out, from, (size_t)(at - from));
        if (at < end)
            write_escape(out, *at++);
        from = at;
    }
    if (from < end)
        buffer_add(out, from, (size_t)(end - from));
    buffer_add_byte(out, '"');
}

bool json_write_checked(Buffer *out, Bytes text)
{
    if (json_add_plain(out, text.data, text.size))
        return true;
    if (!utf8_valid(text))
        return false;
    json_write_string(out, text);
    return true;
}

static void write_children(Buffer *out, const JsonNode *node, bool named)
{
    for (const JsonNode *child = node->first; child; child = child->next) {
        if (child != node->first)
            buffer_add_byte(out, ',');
        if (named) {
            json_write_string(out, child->name);
            buffer_add_byte(out, ':');
        }
        json_write(out, child);
    }
}

void json_write(Buffer *out, const JsonNode *node)
{
    switch (node->kind) {
    case JSON_NULL: buffer_add_text(out, "null"); break;
    case JSON_FALSE: buffer_add_text(out, "false"); break;
    case JSON_TRUE: buffer_add_text(out, "true"); break;
    case JSON_NUMBER: buffer_add_bytes(out, node->text); break;
    case JSON_STRING:
    case JSON_TEXT: json_write_string(out, node->text); break;
    case JSON_ARRAY:
        buffer_add_byte(out, '[');
        write_children(out, node, false);
        buffer_add_byte(out, ']');
        break;
    case JSON_OBJECT:
        buffer_add_byte(out, '{');
        write_children(out, node, true);
        buffer_add_byte(out, '}');
        break;
    }
}
