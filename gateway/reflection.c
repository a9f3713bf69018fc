#include "gateway/reflection.h"

#include "adapters/wire.h"
#include "base/arena.h"
#include "gateway/negotiate.h"

/* Fields of ServerReflectionRequest and ServerReflectionResponse. */
enum {
    ASK_HOST = 1, ASK_FILE = 3, ASK_SYMBOL = 4, ASK_EXTENSION = 5, ASK_EXTENSION_NUMBERS = 6,
    ASK_SERVICES = 7,
    SAY_HOST = 1, SAY_REQUEST = 2, SAY_FILES = 4, SAY_EXTENSION_NUMBERS = 5, SAY_SERVICES = 6,
    SAY_ERROR = 7,
};

Result reflection_view(const Config *config, const Fields *head, Bytes identity, int64_t wall,
                       Arena *arena, ReflectionView *view_out)
{
    const Version **versions = arena_array(arena, const Version *, config->n_services);
    if (!versions)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "choosing what to show");
    for (uint32_t i = 0; i < config->n_services; i++) {
        VersionQuestion question = {.service = &config->services[i], .head = head, .identity = identity,
                                    .wall = wall};
        Negotiation said;
        Result r = negotiate(&question, arena, &said);
        if (!failed(r) && said.rule != RULE_DEFAULT)
            versions[i] = said.client;
        error_ignore(r, "a version that another service does not have hides nothing of this one");
    }
    *view_out = (ReflectionView){config, versions};
    return OK;
}

/* ---- Which schemas may be seen ------------------------------------------------------------------- */

/* Walks the versions that the view shows; NULL at the end. */
static const Version *next_version(const ReflectionView *view, uint32_t *service, uint32_t *at)
{
    for (; *service < view->config->n_services; (*service)++, *at = 0) {
        const Service *s = &view->config->services[*service];
        while (*at < s->n_versions) {
            const Version *version = &s->versions[(*at)++];
            if (!view->versions[*service] || view->versions[*service] == version)
                return version;
        }
    }
    return NULL;
}

static const SchemaFile *file_by_name(const ReflectionView *view, Bytes name, const Schema **schema_out)
{
    uint32_t service = 0, at = 0;
    for (const Version *version; (version = next_version(view, &service, &at));) {
        const SchemaFile *file = table_get(&version->schema->files, name);
        if (file) {
            *schema_out = version->schema;
            return file;
        }
    }
    return NULL;
}

/* ---- Symbols ------------------------------------------------------------------------------------- */

/* FileDescriptorProto: package 2, message 4, enum 5, service 6, extension 7. DescriptorProto: name 1,
   field 2, nested 3, enum 4, extension 6. EnumDescriptorProto: name 1, value 2. Service: name 1, method 2. */
typedef enum DescriptorKind { IS_MESSAGE, IS_ENUM, IS_SERVICE, IS_LEAF } DescriptorKind;

static Bytes descriptor_name(Bytes descriptor)
{
    WireReader reader = wire_reader(descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            return f.bytes;
    }
    return BYTES_NONE;
}

/* Takes "name" or "name." off the front of *symbol. */
static bool take_name(Bytes *symbol, Bytes name)
{
    if (!name.size || symbol->size < name.size ||
        !bytes_equal(bytes_slice(*symbol, 0, name.size), name))
        return false;
    if (symbol->size == name.size) {
        *symbol = bytes_slice(*symbol, name.size, 0);
        return true;
    }
    if (symbol->data[name.size] != '.')
        return false;
    *symbol = bytes_slice(*symbol, name.size + 1, symbol->size);
    return true;
}

static bool kind_of_child(DescriptorKind parent, uint32_t number, DescriptorKind *kind_out)
{
    switch (parent) {
    case IS_MESSAGE:
        *kind_out = number == 3 ? IS_MESSAGE : number == 4 ? IS_ENUM : IS_LEAF;
        return number == 2 || number == 3 || number == 4 || number == 6;
    case IS_ENUM:
    case IS_SERVICE: *kind_out = IS_LEAF; return number == 2;
    case IS_LEAF: break;
    }
    return false;
}

/* Is `symbol`, relative to this descriptor's scope, in it? Each level eats a part of the symbol. */
static bool descriptor_has(DescriptorKind kind, Bytes descriptor, Bytes symbol)
{
    if (!take_name(&symbol, descriptor_name(descriptor)))
        return false;
    if (symbol.size == 0)
        return true;
    WireReader reader = wire_reader(descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        DescriptorKind child;
        if (f.type == WIRE_LENGTH && kind_of_child(kind, f.number, &child) &&
            descriptor_has(child, f.bytes, symbol))
            return true;
    }
    return false;
}

static bool file_has(const SchemaFile *file, Bytes symbol)
{
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 2 && f.type == WIRE_LENGTH && f.bytes.size && !take_name(&symbol, f.bytes))
            return false;
    }
    reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type != WIRE_LENGTH || f.number < 4 || f.number > 7)
            continue;
        DescriptorKind kind = f.number == 4 ? IS_MESSAGE : f.number == 5 ? IS_ENUM
                              : f.number == 6 ? IS_SERVICE : IS_LEAF;
        if (descriptor_has(kind, f.bytes, symbol))
            return true;
    }
    return false;
}

typedef bool (*FileTest)(const SchemaFile *file, const void *argument);

static const SchemaFile *find_file(const ReflectionView *view, FileTest test, const void *argument,
                                   const Schema **schema_out)
{
    uint32_t service = 0, at = 0;
    const Schema *before = NULL;
    for (const Version *version; (version = next_version(view, &service, &at));) {
        if (version->schema == before)
            continue;
        before = *schema_out = version->schema;
        size_t place = 0;
        for (const TableEntry *entry; (entry = table_next(&version->schema->files, &place));) {
            if (test(entry->value, argument))
                return entry->value;
        }
    }
    return NULL;
}

static bool has_symbol(const SchemaFile *file, const void *symbol)
{
    return file_has(file, *(const Bytes *)symbol);
}

/* ---- Extensions ---------------------------------------------------------------------------------- */

typedef struct ExtensionQuestion {
    Bytes type; /* full name, no leading dot */
    uint64_t number;
} ExtensionQuestion;

/* FieldDescriptorProto: extendee 2, number 3. */
static bool extends(Bytes field, const ExtensionQuestion *question, uint64_t *number_out)
{
    Bytes extendee = BYTES_NONE;
    *number_out = 0;
    WireReader reader = wire_reader(field);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 2 && f.type == WIRE_LENGTH)
            extendee = f.bytes;
        if (f.number == 3 && f.type == WIRE_VARINT)
            *number_out = f.value;
    }
    if (extendee.size && extendee.data[0] == '.')
        extendee = bytes_slice(extendee, 1, extendee.size);
    return bytes_equal(extendee, question->type);
}

/* Extensions are declared in files (7) and in messages (6), which nest (4 in files, 3 in messages). */
static void each_extension(Bytes scope, bool is_file, const ExtensionQuestion *question,
                           void (*found)(void *owner, uint64_t number), void *owner)
{
    WireReader reader = wire_reader(scope);
    for (WireField f; wire_next(&reader, &f);) {
        uint64_t number;
        if (f.type != WIRE_LENGTH)
            continue;
        if (f.number == (is_file ? 7 : 6) && extends(f.bytes, question, &number))
            found(owner, number);
        else if (f.number == (is_file ? 4 : 3))
            each_extension(f.bytes, false, question, found, owner);
    }
}

typedef struct NumberSearch {
    uint64_t wanted;
    bool found;
} NumberSearch;

static void note_number(void *owner, uint64_t number)
{
    NumberSearch *search = owner;
    search->found |= number == search->wanted;
}

static bool has_extension(const SchemaFile *file, const void *argument)
{
    const ExtensionQuestion *question = argument;
    NumberSearch search = {question->number, false};
    each_extension(file->descriptor, true, question, note_number, &search);
    return search.found;
}

/* ---- Answers ------------------------------------------------------------------------------------- */

static void say_error(Buffer *out, Arena *arena, Code code, const char *what, Bytes name)
{
    Buffer error = buffer_in(arena);
    Bytes shown = bytes_slice(name, 0, 200);
    wire_add_number(&error, 1, code);
    wire_add_bytes(&error, 2, bytes_of(arena_printf(arena, "%s \"%.*s\"", what, BYTES_ARGS(shown))));
    wire_add_bytes(out, SAY_ERROR, buffer_bytes(&error));
}

/* A file and all that it needs, each once, dependencies behind. */
static void say_files(Buffer *out, Arena *arena, const Schema *schema, const SchemaFile *file)
{
    Buffer files = buffer_in(arena);
    Table said = table_in(arena);
    const SchemaFile **queue = arena_array(arena, const SchemaFile *, schema->files.n + 1);
    size_t n = 0;
    queue[n++] = file;
    table_put(&said, bytes_of(file->name), (void *)(uintptr_t)file);
    for (size_t i = 0; i < n; i++) {
        wire_add_bytes(&files, 1, queue[i]->descriptor);
        for (uint32_t d = 0; d < queue[i]->n_dependencies; d++) {
            Bytes name = bytes_of(queue[i]->dependencies[d]);
            const SchemaFile *needed = table_get(&schema->files, name);
            if (needed && !table_put(&said, name, (void *)(uintptr_t)needed))
                queue[n++] = needed;
        }
    }
    wire_add_bytes(out, SAY_FILES, buffer_bytes(&files));
}

static void say_services(Buffer *out, Arena *arena, const ReflectionView *view)
{
    Buffer services = buffer_in(arena);
    Table said = table_in(arena);
    uint32_t service = 0, at = 0;
    for (const Version *version; (version = next_version(view, &service, &at));) {
        for (uint32_t i = 0; i < version->n_methods; i++) {
            Bytes name = bytes_of(version->methods[i].type->service->full_name);
            if (table_put(&said, name, (void *)(uintptr_t)version))
                continue;
            Buffer one = buffer_in(arena);
            wire_add_bytes(&one, 1, name);
            wire_add_bytes(&services, 1, buffer_bytes(&one));
        }
    }
    wire_add_bytes(out, SAY_SERVICES, buffer_bytes(&services));
}

static void add_number(void *owner, uint64_t number)
{
    wire_add_number(owner, 2, number);
}

static void say_extension_numbers(Buffer *out, Arena *arena, const ReflectionView *view, Bytes type)
{
    const Schema *schema = NULL;
    if (!find_file(view, has_symbol, &type, &schema)) {
        say_error(out, arena, CODE_NOT_FOUND, "no such type", type);
        return;
    }
    Buffer numbers = buffer_in(arena);
    ExtensionQuestion question = {.type = type};
    wire_add_bytes(&numbers, 1, type);
    size_t place = 0;
    for (const TableEntry *entry; (entry = table_next(&schema->files, &place));) {
        const SchemaFile *file = entry->value;
        each_extension(file->descriptor, true, &question, add_number, &numbers);
    }
    wire_add_bytes(out, SAY_EXTENSION_NUMBERS, buffer_bytes(&numbers));
}

static ExtensionQuestion read_extension(Bytes request)
{
    ExtensionQuestion question = {0};
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            question.type = f.bytes;
        if (f.number == 2 && f.type == WIRE_VARINT)
            question.number = f.value;
    }
    return question;
}

static void say(const ReflectionView *view, const WireField *ask, Arena *arena, Buffer *out)
{
    const Schema *schema = NULL;
    const SchemaFile *file = NULL;
    ExtensionQuestion extension;
    switch (ask->number) {
    case ASK_SERVICES: say_services(out, arena, view); return;
    case ASK_EXTENSION_NUMBERS: say_extension_numbers(out, arena, view, ask->bytes); return;
    case ASK_FILE: file = file_by_name(view, ask->bytes, &schema); break;
    case ASK_SYMBOL: file = find_file(view, has_symbol, &ask->bytes, &schema); break;
    case ASK_EXTENSION:
        extension = read_extension(ask->bytes);
        file = find_file(view, has_extension, &extension, &schema);
        break;
    default: say_error(out, arena, CODE_INVALID_ARGUMENT, "nothing is asked", BYTES_NONE); return;
    }
    if (file)
        say_files(out, arena, schema, file);
    else
        say_error(out, arena, CODE_NOT_FOUND, "not found:",
                  ask->number == ASK_EXTENSION ? extension.type : ask->bytes);
}

Result reflection_answer(const ReflectionView *view, Bytes request, Arena *arena, Buffer *out)
{
    WireField ask = {0};
    Bytes host = BYTES_NONE;
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type != WIRE_LENGTH)
            continue;
        if (f.number == ASK_HOST)
            host = f.bytes;
        else
            ask = f;
    }
    if (reader.bad)
        return FAIL(arena, FAULT_BAD_MESSAGE, "ServerReflectionRequest is cut off or malformed");
    wire_add_bytes(out, SAY_HOST, host);
    wire_add_bytes(out, SAY_REQUEST, request);
    Arena *scratch = arena_new(ARENA_UNLIMITED); /* the config's schemas bound it, no client */
    say(view, &ask, scratch, out);
    arena_free(scratch);
    return out->full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "writing descriptors") : OK;
}
