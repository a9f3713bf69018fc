/*
 * The table of all templates of a listener: a tree with one level for each segment.
 *
 *   root -- "v1" -- "orders" -- *            GET -> value, PATCH -> value; ":cancel" POST -> value
 *                            `- "recent"     GET -> value
 *        `- **                               * -> value
 *
 * The level of a node is the index of the segment, so a search visits each node at most once, and
 * few nodes. Literals are tried first, then "*", then "**".
 */
#include "protocols/rest/rest_internal.h"

#include "base/arena.h"
#include "base/table.h"
#include "base/text/percent.h"

typedef struct Leaf {
    struct Leaf *next;
    Bytes http_method, verb;
    const RestTemplate *template;
    void *value;
} Leaf;

typedef struct Node {
    Table literals; /* Bytes -> Node */
    struct Node *one, *rest;
    Leaf *leaves;
} Node;

struct RestTable {
    Arena *arena;
    Node root;
    size_t depth; /* of the deepest node */
    bool has_verbs;
    PercentLeave multi_leaves; /* what stays encoded in variables of several segments */
};

static Node *node_new(Arena *arena)
{
    Node *node = arena_make(arena, Node);
    CHECK(node); /* load-time arenas have no limit */
    node->literals = table_in(arena);
    return node;
}

RestTable *rest_table_new(Arena *arena)
{
    RestTable *table = arena_make(arena, RestTable);
    CHECK(table);
    table->arena = arena;
    table->root.literals = table_in(arena);
    table->multi_leaves = PERCENT_LEAVE_RESERVED;
    return table;
}

void rest_table_decode_reserved(RestTable *table)
{
    table->multi_leaves = PERCENT_LEAVE_SLASH;
}

/* The child node of this segment, which is created if it is missing. */
static Node *node_below(Node *node, const Segment *segment, Arena *arena)
{
    Node **place = segment->kind == SEGMENT_ONE ? &node->one : &node->rest;
    if (segment->kind == SEGMENT_LITERAL) {
        Node *below = table_get(&node->literals, segment->literal);
        if (!below) {
            below = node_new(arena);
            table_put(&node->literals, segment->literal, below);
        }
        return below;
    }
    if (!*place)
        *place = node_new(arena);
    return *place;
}

static Leaf *leaf_of(const Node *node, Bytes http_method, Bytes verb)
{
    Leaf *leaf = node->leaves;
    while (leaf && !(bytes_equal(leaf->http_method, http_method) && bytes_equal(leaf->verb, verb)))
        leaf = leaf->next;
    return leaf;
}

Result rest_table_add(RestTable *table, Bytes verb, Bytes template_text, void *value,
                      void **shadowed_out)
{
    const RestTemplate *template;
    *shadowed_out = NULL;
    Result r = rest_template_parse(table->arena, template_text, &template);
    if (failed(r))
        return r;

    Node *node = &table->root;
    for (size_t i = 0; i < template->n_segments; i++)
        node = node_below(node, &template->segments[i], table->arena);
    if (table->depth < template->n_segments)
        table->depth = template->n_segments;
    table->has_verbs |= template->verb.size > 0;

    Leaf *leaf = leaf_of(node, verb, template->verb);
    if (leaf) {
        *shadowed_out = leaf->value;
    } else {
        leaf = arena_make(table->arena, Leaf);
        CHECK(leaf);
        leaf->http_method = bytes_copy(table->arena, verb);
        leaf->next = node->leaves;
        node->leaves = leaf;
    }
    leaf->verb = template->verb;
    leaf->template = template;
    leaf->value = value;
    return OK;
}

/* ---- Matching -------------------------------------------------------------------------------- */

typedef struct Search {
    Bytes http_method, verb;
    Bytes *segments;    /* as sent, up to the table's depth */
    Bytes *decoded;     /* the same, decoded, for literals */
    size_t n;           /* segments of the whole path; beyond the depth they are only counted */
    const uint8_t *end; /* of the path, without the verb */
    const RestTable *table;
    Buffer allowed;
} Search;

static void note_allowed(Search *search, Bytes http_method)
{
    Bytes listed = buffer_bytes(&search->allowed), name;
    while (bytes_split(&listed, ',', &name)) {
        if (bytes_equal(bytes_trim(name), http_method))
            return;
    }
    if (search->allowed.size)
        buffer_add_text(&search->allowed, ", ");
    buffer_add_bytes(&search->allowed, http_method);
}

/* The leaf for the HTTP method, or for any method; if there is none, notes the allowed methods.
   HEAD is allowed where GET is (RFC 9110 section 9.1). */
static const Leaf *choose_leaf(Search *search, const Node *node)
{
    const Leaf *any = NULL, *get = NULL;
    bool is_head = bytes_are(search->http_method, "HEAD");
    for (const Leaf *leaf = node->leaves; leaf; leaf = leaf->next) {
        if (!bytes_equal(leaf->verb, search->verb))
            continue;
        if (bytes_equal(leaf->http_method, search->http_method))
            return leaf;
        bool is_get = bytes_are(leaf->http_method, "GET");
        if (bytes_are(leaf->http_method, "*"))
            any = leaf;
        else
            note_allowed(search, leaf->http_method);
        if (is_get && is_head)
            get = leaf;
        else if (is_get)
            note_allowed(search, bytes_of("HEAD"));
    }
    return get ? get : any;
}

static const Leaf *walk(Search *search, const Node *node, size_t level)
{
    const Leaf *leaf = NULL;
    if (level == search->n) {
        leaf = choose_leaf(search, node);
    } else if (level < search->table->depth) {
        const Node *below = table_get(&node->literals, search->decoded[level]);
        if (below)
            leaf = walk(search, below, level + 1);
        if (!leaf && node->one && search->segments[level].size)
            leaf = walk(search, node->one, level + 1);
    }
    if (!leaf && node->rest)
        leaf = choose_leaf(search, node->rest);
    return leaf;
}

static Result decode(Bytes text, PercentLeave leave, Arena *arena, Bytes *decoded_out)
{
    Buffer decoded = buffer_in(arena);
    if (!percent_decode(&decoded, text, leave))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "a percent-escape in the path is malformed");
    if (decoded.full)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "decoding a path");
    *decoded_out = buffer_bytes(&decoded);
    return OK;
}

/* Splits the path into segments. "/" has none. Segments are short: their ends and their escapes are
   found in one pass. */
static Result split_path(Bytes path, Arena *arena, Search *search)
{
    search->n = 0;
    search->end = path.data + path.size;
    if (path.size <= 1)
        return OK;
    bool escaped = false;
    for (size_t from = 1, at = 1; at <= path.size; at++) {
        if (at < path.size && path.data[at] != '/') {
            escaped |= path.data[at] == '%';
            continue;
        }
        size_t i = search->n++;
        if (i < search->table->depth) {
            Bytes segment = bytes(path.data + from, at - from);
            search->segments[i] = search->decoded[i] = segment;
            Result r =
                escaped ? decode(segment, PERCENT_LEAVE_NOTHING, arena, &search->decoded[i]) : OK;
            if (failed(r))
                return r;
        }
        from = at + 1;
        escaped = false;
    }
    return OK;
}

/* The position of the last colon in the last segment of the path, or path.size. */
static size_t verb_at(Bytes path)
{
    for (size_t i = path.size; i && path.data[i - 1] != '/'; i--) {
        if (path.data[i - 1] == ':')
            return i - 1;
    }
    return path.size;
}

/* A template with the verb is preferred to one whose last segment may have a colon: "/v1/a:cancel"
   matches "/v1/{name}:cancel" rather than "/v1/{name}", which matches "/v1/a:b". */
static Result find_leaf(Search *search, Bytes path, Arena *arena, const Leaf **leaf_out)
{
    size_t colon = search->table->has_verbs ? verb_at(path) : path.size;
    *leaf_out = NULL;
    if (colon < path.size) {
        search->verb = bytes_slice(path, colon + 1, SIZE_MAX);
        Result r = split_path(bytes(path.data, colon), arena, search);
        if (failed(r))
            return r;
        if (search->verb.size)
            *leaf_out = walk(search, &search->table->root, 0);
        if (*leaf_out)
            return OK;
    }
    search->verb = BYTES_NONE;
    Result r = split_path(path, arena, search);
    if (!failed(r))
        *leaf_out = walk(search, &search->table->root, 0);
    return r;
}

/* The part of the path that a variable matches, as sent. */
static Bytes part_of(const Search *search, const RestTemplate *t, const RestVariable *variable)
{
    bool to_end = t->segments[variable->to - 1].kind == SEGMENT_REST;
    if (variable->from >= search->n)
        return bytes("", 0);
    const uint8_t *start = search->segments[variable->from].data;
    if (to_end)
        return bytes(start, (size_t)(search->end - start));
    Bytes last = search->segments[variable->to - 1];
    return bytes(start, (size_t)(last.data + last.size - start));
}

static Result fill_match(const Search *search, const Leaf *leaf, Arena *arena, RestMatch *match)
{
    const RestTemplate *t = leaf->template;
    match->value = leaf->value;
    match->parameters = arena_array(arena, RestParameter, t->n_variables);
    if (!match->parameters)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "matching a path");
    for (size_t i = 0; i < t->n_variables; i++) {
        const RestVariable *variable = &t->variables[i];
        RestParameter *parameter = &match->parameters[match->n_parameters++];
        parameter->field_path = variable->field_path;
        Result r = OK;
        parameter->text = part_of(search, t, variable);
        if (percent_is_in(parameter->text))
            r = decode(parameter->text,
                       variable->is_multi ? search->table->multi_leaves : PERCENT_LEAVE_NOTHING,
                       arena, &parameter->text);
        if (failed(r))
            return r;
    }
    return OK;
}

Result rest_table_match(const RestTable *table, Bytes verb, Bytes path, Arena *arena,
                        RestMatch *match_out, bool *found_out)
{
    enum { FEW = 16 }; /* segments of a path as most tables have them */
    Bytes few[2 * FEW], *segments = few;
    size_t depth = table->depth;
    *match_out = (RestMatch){.value = NULL};
    *found_out = false;
    if (depth > FEW)
        segments = arena_array(arena, Bytes, 2 * depth);
    if (!segments)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "matching a path");
    Search search = {
        .http_method = verb,
        .segments = segments,
        .decoded = segments + depth,
        .table = table,
        .allowed = buffer_in(arena),
    };
    if (path.size == 0 || path.data[0] != '/')
        return OK;

    const Leaf *leaf;
    Result r = find_leaf(&search, path, arena, &leaf);
    if (failed(r))
        return r;
    if (leaf) {
        *found_out = true;
        return fill_match(&search, leaf, arena, match_out);
    }
    match_out->allowed = buffer_bytes(&search.allowed);
    return OK;
}
