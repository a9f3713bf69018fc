/* Secrets that are in files of their own: `{file: /run/secrets/x}` in place of the text. */
#include "gateway/config/config_reader.h"

#include "adapters/document/document_list.h"
#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/utf8.h"

enum { SECRET_SIZE_MOST = 65536 };

typedef struct SecretReader {
    Arena *arena;
    const YamlDocument *document;
    Problems *problems;
    Buffer *used;
    SecretFile *first, **end;
} SecretReader;

static void PRINTF_LIKE(4, 5) tell(const SecretReader *reader, const DocumentValue *value,
                                   const char *hint, const char *format, ...)
{
    char reason[1024];
    va_list args;
    va_start(args, format);
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    document_tell(reader->document, reader->problems, value->path, hint, "%s", reason);
}

/* The end of the line is that of the editor, not of the secret. */
static Bytes without_end(Bytes text)
{
    if (bytes_end_with(text, "\n"))
        text.size--;
    if (bytes_end_with(text, "\r"))
        text.size--;
    return text;
}

static bool is_blank(Bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!strchr(" \t\r\n", text.data[i]))
            return false;
    return true;
}

/* What is wrong with the content; NULL: nothing. Nothing of it is told. */
static const char *mistake_in(Bytes text)
{
    if (memchr(text.data, 0, text.size) || !utf8_valid(text))
        return "is no text in UTF-8";
    return NULL;
}

static void put(JsonNode *node, Bytes text)
{
    *node = (JsonNode){.kind = JSON_STRING,
                       .offset = node->offset,
                       .name = node->name,
                       .text = text,
                       .next = node->next};
}

static void read_file(SecretReader *reader, const DocumentValue *value, const char *file)
{
    Bytes text = BYTES_NONE;
    SecretFile *one = arena_array(reader->arena, SecretFile, 1);
    *one = (SecretFile){.path = arena_string(reader->arena, value->path), .file = file};
    *reader->end = one;
    reader->end = &one->next;
    Result r = file_read(reader->arena, file, SECRET_SIZE_MOST, &text);
    bool blank = is_blank(text);
    text = without_end(text);
    const char *mistake = failed(r) ? NULL : mistake_in(text);
    if (failed(r))
        tell(reader, value, NULL, "%s", r.error->doing);
    else if (blank)
        tell(reader, value, arena_printf(reader->arena, CONFIG_NO_SECRET_HINT, file),
             CONFIG_NO_SECRET, file);
    else if (mistake)
        tell(reader, value, NULL, "%s %s", file, mistake);
    if (failed(r) || blank || mistake)
        return;
    put(value->node, text);
    buffer_add_bytes(reader->used, text);
    buffer_add_byte(reader->used, 0);
}

static void on_value(void *owner, const DocumentValue *value)
{
    SecretReader *reader = owner;
    if (!value->secret || !value->node || value->node->kind != JSON_OBJECT)
        return;
    const JsonNode *name = json_member(value->node, "file");
    bool named = name && (name->kind == JSON_STRING || name->kind == JSON_TEXT);
    named = named && value->node->count == 1;
    /* Until it is read, an empty one is here: what is wrong with that is told at the same place,
       and left out, as it follows. */
    put(value->node, bytes("", 0));
    if (!named)
        tell(reader, value, "{file: /run/secrets/NAME}",
             "a text is expected here, or the file that has it");
    else
        read_file(reader, value,
                  document_path(reader->arena, value->file, arena_text(reader->arena, name->text)));
}

SecretFile *config_read_secrets(Arena *arena, const DocumentRules *rules, const MessageType *type,
                                const YamlDocument *document, Problems *problems, Buffer *used)
{
    Arena *paths = arena_new(ARENA_UNLIMITED);
    SecretReader reader = {
        .arena = arena, .document = document, .problems = problems, .used = used};
    reader.end = &reader.first;
    document_list(rules, type, document, paths, on_value, &reader);
    arena_free(paths);
    return reader.first;
}
