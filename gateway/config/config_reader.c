#include "gateway/config/config_reader.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- Reporting mistakes ---------------------------------------------------------------------- */

const char *config_path(ConfigReader *reader, const char *format, ...)
{
    char path[512];
    va_list args;
    va_start(args, format);
    text_format(path, sizeof path, format, args);
    va_end(args);
    return arena_string(reader->working, path);
}

static void PRINTF_LIKE(5, 0) tell(ConfigReader *reader, Problems *problems, const char *path,
                                   const char *hint, const char *format, va_list args)
{
    char reason[1024];
    text_format(reason, sizeof reason, format, args);
    document_tell(&reader->file.document, problems, path, hint, "%s", reason);
}

void config_tell(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(reader, reader->problems, path, hint, format, args);
    va_end(args);
}

void config_doubt(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(reader, &reader->config->doubts, path, hint, format, args);
    va_end(args);
}

const char *config_place_of_address(ConfigReader *reader, const char *path)
{
    const YamlDocument *document = &reader->file.document;
    const JsonNode *entry = document_node(document, path);
    const JsonNode *address =
        entry && entry->kind == JSON_OBJECT ? json_member(entry, "address") : NULL;
    if (!entry)
        return NULL;
    const YamlPlace *place = yaml_place(document, address ? address : entry);
    return arena_printf(reader->arena, "%s:%d:%d", place->file, place->line, place->column);
}

const char *config_hint(ConfigReader *reader, const char *word, const char *const *words, size_t n)
{
    return document_hint(reader->arena, bytes_of(word), words, n);
}

/* ---- Single settings ------------------------------------------------------------------------- */

static const char *lower_case(Arena *arena, const char *text)
{
    char *copy = arena_array(arena, char, strlen(text) + 1);
    for (size_t i = 0; text[i]; i++)
        copy[i] = (char)tolower((unsigned char)text[i]);
    return copy;
}

bool config_is_word(const char *text, const char *also)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(also, *c))
            return false;
    return *text;
}

const char *config_field_name(ConfigReader *reader, const char *name, const char *path)
{
    if (!config_is_word(name, "!#$%&'*+-.^_`|~")) /* a token, RFC 9110, 5.6.2 */
        config_tell(reader, path, NULL, "%s is not the name of a request field", name);
    return lower_case(reader->arena, name);
}

ErrorStyle config_errors(const Passerelle__Config__Errors *text)
{
    ErrorStyle style = {ERRORS_UNSAID, SHAPE_UNSAID};
    bool full = text && text->detail == PASSERELLE__CONFIG__ERROR_DETAIL__ERROR_DETAIL_FULL;
    bool google = text && text->shape == PASSERELLE__CONFIG__ERROR_SHAPE__ERROR_SHAPE_GOOGLE;
    if (text && text->has_detail)
        style.told = full ? ERRORS_FULL : ERRORS_PUBLIC;
    if (text && text->has_shape)
        style.written = google ? SHAPE_GOOGLE : SHAPE_PROBLEM;
    return style;
}

Impact config_impact(Passerelle__Config__Impact impact)
{
    switch (impact) {
    case PASSERELLE__CONFIG__IMPACT__IMPACT_HIGH: return IMPACT_HIGH;
    case PASSERELLE__CONFIG__IMPACT__IMPACT_CATASTROPHIC: return IMPACT_CATASTROPHIC;
    case PASSERELLE__CONFIG__IMPACT__IMPACT_LOW:
    case _PASSERELLE__CONFIG__IMPACT_IS_INT_SIZE: break;
    }
    return IMPACT_LOW;
}

static int digit(uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, ascii_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool config_read_hex(Bytes text, uint8_t *out, size_t size)
{
    if (text.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text.data[2 * i]), low = digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

double config_percent(const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    while (*end == ' ')
        end++;
    return end != text && strcmp(end, "%") == 0 && percent > 0 && percent <= 100 ? percent : 0;
}

const char *const *config_texts(Arena *arena, char *const *texts, size_t n)
{
    if (!n)
        return NULL;
    const char **list = arena_array(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        list[i] = texts[i];
    return list;
}

Bytes config_read_token(ConfigReader *reader, const char *file, const char *path)
{
    enum { TOKEN_FILE_MOST = 4096 };
    Bytes text = BYTES_NONE;
    config_secret_file(reader, path, file);
    Result r = file_read(reader->arena, file, TOKEN_FILE_MOST, &text);
    while (text.size && strchr("\r\n", text.data[text.size - 1]))
        text.size--;
    bool good = text.size > 0;
    for (size_t i = 0; i < text.size; i++)
        good &= text.data[i] > ' ' && text.data[i] < 0x7f;
    if (failed(r))
        config_tell(reader, path, NULL, "%s", r.error->doing);
    else if (!text.size)
        config_tell(reader, path, arena_printf(reader->arena, CONFIG_NO_SECRET_HINT, file),
                    CONFIG_NO_SECRET, file);
    else if (!good)
        config_tell(reader, path, NULL, "%s is not one line of visible characters", file);
    config_hash_add(reader, text, false);
    return text;
}
