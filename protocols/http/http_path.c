#include "protocols/http/http_path.h"

#include "base/arena.h"
#include "base/sixteen.h"
#include "base/text/percent.h"

/* Marks what a reading would change: escapes,
   parameters, backslashes, and after a slash another one or a dot. */
static inline Sixteen changed(const uint8_t *at, const uint8_t *one_before)
{
    Sixteen x = sixteen_load(at), before = sixteen_load(one_before);
    return (Sixteen)((x == '%') | (x == ';') | (x == '\\') |
                     ((before == '/') & ((x == '/') | (x == '.'))));
}

bool http_path_is_plain(Bytes path)
{
    enum { AT_ONCE = sizeof(Sixteen) };
    uint8_t few[1 + AT_ONCE] = {0}; /* the first ones, with nothing before them */
    bytes_put(few + 1, bytes_slice(path, 0, AT_ONCE));
    Sixteen found = changed(few + 1, few);
    for (size_t i = AT_ONCE; i < path.size; i += AT_ONCE) {
        size_t from = i + AT_ONCE < path.size ? i : path.size - AT_ONCE;
        found |= changed(path.data + from, path.data + from - 1);
    }
    return !sixteen_any(found);
}

static Result out_of_memory(Arena *arena, Bytes path)
{
    return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading a path of %zu bytes", path.size);
}

/* ---- The normal form ------------------------------------------------------------------------- */

/* Removes the last segment and its slash. */
static void pop_segment(Buffer *path)
{
    while (path->size && path->data[--path->size] != '/')
        ;
}

/* RFC 3986 section 5.2.4. A dot segment at the end leaves a slash. */
static void remove_dot_segments(Bytes path, Buffer *out)
{
    Bytes rest = bytes(path.data + 1, path.size - 1), segment;
    bool is_dots = false;
    while (bytes_split(&rest, '/', &segment)) {
        bool up = bytes_are(segment, "..");
        is_dots = up || bytes_are(segment, ".");
        if (up)
            pop_segment(out);
        if (is_dots)
            continue;
        buffer_add_byte(out, '/');
        buffer_add_bytes(out, segment);
    }
    if (is_dots)
        buffer_add_byte(out, '/');
}

Result http_path_normalize(Bytes path, Arena *arena, Bytes *normal_out)
{
    *normal_out = path;
    if (http_path_is_plain(path) || path.data[0] != '/')
        return OK;
    Buffer spelled = buffer_in(arena), normal = buffer_in(arena);
    if (!percent_normalize(&spelled, path))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "a percent-escape in the path is malformed");
    remove_dot_segments(buffer_bytes(&spelled), &normal);
    if (spelled.full || normal.full)
        return out_of_memory(arena, path);
    *normal_out = buffer_bytes(&normal);
    return OK;
}

/* ---- The loose reading ----------------------------------------------------------------------- */

/* The size of an overlong UTF-8 form of an ASCII character at the end, such as C0 AE or E0 80 AE
   for "."; else 0. Invalid, but some servers decode it. */
static size_t overlong_size(Bytes text)
{
    static const char *const leads[] = {"\xc0",     "\xc1",         "\xe0\x80",
                                        "\xe0\x81", "\xf0\x80\x80", "\xf0\x80\x81"};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        size_t size = strlen(leads[i]) + 1;
        if (text.size >= size && memcmp(text.data + text.size - size, leads[i], size - 1) == 0 &&
            (text.data[text.size - 1] & 0xc0) == 0x80)
            return size;
    }
    return 0;
}

/* Replaces an escape or overlong form at the end by its byte. False: there is none. */
static bool shorten_end(Buffer *text)
{
    Bytes all = buffer_bytes(text);
    size_t size = all.size < 3 ? 0 : 3;
    int byte = size ? percent_byte(bytes(all.data + all.size - size, size)) : -1;
    if (byte < 0) {
        size = overlong_size(all);
        if (!size)
            return false;
        byte = (all.data[all.size - 2] & 1) << 6 | (all.data[all.size - 1] & 0x3f);
    }
    text->size -= size - 1;
    text->data[text->size - 1] = (uint8_t)byte;
    return true;
}

/* Decodes repeatedly: each byte may complete an escape, as the last one of "%25%32%65" does. */
static void decode_fully(Bytes path, Buffer *out)
{
    for (size_t i = 0; i < path.size; i++) {
        buffer_add_byte(out, path.data[i]);
        while (!out->full && shorten_end(out))
            ;
    }
    for (size_t i = 0; i < out->size; i++) {
        if (out->data[i] == '\\')
            out->data[i] = '/';
    }
}

static bool has_control(Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

/* Without what some servers remove after decoding: parameters, a query, a fragment. */
static size_t name_size(Bytes segment)
{
    size_t size = 0;
    while (size < segment.size && !strchr(";?#", segment.data[size]))
        size++;
    return size;
}

/* False at a dot segment. */
static bool join_segments(Bytes decoded, Buffer *out)
{
    Bytes segment;
    while (bytes_split(&decoded, '/', &segment)) {
        segment = bytes_slice(segment, 0, name_size(segment));
        Bytes bare = bytes_trim(segment); /* some file systems ignore blanks at the end of a name */
        if (bytes_are(bare, ".") || bytes_are(bare, ".."))
            return false;
        if (segment.size) {
            buffer_add_byte(out, '/');
            buffer_add_bytes(out, segment);
        }
        if (!segment.size && !decoded.data)
            buffer_add_byte(out, '/');
    }
    return true;
}

Result http_path_read_loosely(Bytes normal, Arena *arena, Bytes *loose_out)
{
    *loose_out = normal;
    if (http_path_is_plain(normal))
        return OK;
    if (bytes_find(normal, '\\') < normal.size)
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the path contains a backslash");
    Buffer decoded = buffer_in(arena), loose = buffer_in(arena);
    decode_fully(normal, &decoded);
    if (has_control(buffer_bytes(&decoded)))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the path contains a control character");
    if (!join_segments(buffer_bytes(&decoded), &loose))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST,
                         "some servers would read a \"..\" or \".\" segment in the path");
    if (decoded.full || loose.full)
        return out_of_memory(arena, normal);
    *loose_out = buffer_bytes(&loose);
    return OK;
}
