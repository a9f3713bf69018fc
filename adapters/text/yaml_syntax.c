/* What to write in place of a line that is not YAML: most often its indentation is wrong. */
#include "adapters/text/yaml_reader.h"

#include "base/arena.h"

static Bytes line_at(Bytes text, size_t number)
{
    Bytes line = BYTES_NONE;
    for (size_t i = 0; i <= number; i++)
        if (!bytes_split(&text, '\n', &line))
            return BYTES_NONE;
    return bytes_end_with(line, "\r") ? bytes_slice(line, 0, line.size - 1) : line;
}

static size_t count(Bytes line, const char *characters)
{
    size_t n = 0;
    while (n < line.size && line.data[n] && strchr(characters, line.data[n]))
        n++;
    return n;
}

/* The column of a line's first key: behind "- ". */
static size_t key_column(Bytes line)
{
    size_t at = count(line, " ");
    while (bytes_start_with(bytes_slice(line, at, line.size), "- "))
        at += 1 + count(bytes_slice(line, at + 1, line.size), " ");
    return at;
}

static bool is_content(Bytes line)
{
    Bytes text = bytes_trim(line);
    return text.size && text.data[0] != '#';
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* The indentation of a map or list that is open above the line, and that is nearest to `wanted`. */
static size_t indentation(Bytes text, size_t number, bool element, size_t wanted)
{
    size_t best = SIZE_MAX, open = SIZE_MAX;
    for (size_t i = number; i-- > 0;) {
        Bytes line = line_at(text, i);
        if (!is_content(line))
            continue;
        size_t column = element ? count(line, " ") : key_column(line);
        if (best == SIZE_MAX && bytes_end_with(bytes_trim(line), ":"))
            best = column + 2;
        if (column < open &&
            (best == SIZE_MAX || distance(column, wanted) < distance(best, wanted)))
            best = column;
        open = column < open ? column : open;
    }
    return best == SIZE_MAX ? 0 : best;
}

/* `*.yaml`: for YAML an alias. */
static const char *quoted_word(Arena *arena, Bytes line)
{
    Bytes rest = bytes_slice(line, bytes_find(line, '*'), line.size);
    size_t size = 0;
    while (size < rest.size && !strchr(" ,]}\t", rest.data[size]))
        size++;
    return size ? arena_printf(arena, "write \"%.*s\" in quotes", (int)size, rest.data) : NULL;
}

/* Where a variable begins that is not in quotes; the size of the line: nowhere. */
static size_t variable_at(Bytes line)
{
    uint8_t quote = 0;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        if (c == quote)
            quote = 0;
        else if (quote)
            continue;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (bytes_start_with(bytes_slice(line, i, line.size), "${"))
            return i;
    }
    return line.size;
}

/* `[127.0.0.1:${PORT}]`: the bracket of the variable begins a map. */
static const char *quoted_variable(Arena *arena, Bytes line)
{
    size_t at = variable_at(line), end = at;
    while (at > 0 && at < line.size && !strchr(" ,[{\t", line.data[at - 1]))
        at--;
    while (end < line.size && line.data[end] != '}')
        end++;
    while (end + 1 < line.size && !strchr(" ,]}\t", line.data[end + 1]))
        end++;
    return end < line.size ? arena_printf(arena, "write \"%.*s\" in quotes", (int)(end + 1 - at),
                                          line.data + at)
                           : NULL;
}

const char *yaml_syntax_hint(Arena *arena, Bytes text, const yaml_parser_t *parser)
{
    size_t number = parser->problem_mark.line;
    Bytes line = line_at(text, number);
    if (parser->context && strstr(parser->context, "alias"))
        return quoted_word(arena, line);
    const char *variable = parser->context && strstr(parser->context, "parsing a flow")
                               ? quoted_variable(arena, line)
                               : NULL;
    if (variable)
        return variable;
    size_t spaces = count(line, " "), blanks = count(line, " \t");
    Bytes content = bytes_slice(line, blanks, line.size);
    if (!content.size)
        return NULL;
    bool element = bytes_start_with(content, "- ");
    size_t right = indentation(text, number, element, blanks > spaces ? SIZE_MAX / 2 : spaces);
    if (right == spaces && blanks == spaces)
        return NULL;
    return arena_printf(arena, "write \"%*s%.*s\"", (int)right, "", BYTES_ARGS(content));
}
