#include "gateway/profile/pprof.h"

#include "base/arena.h"
#include "gateway/profile/profile.pb-c.h"
#include "protocols/http/compression.h"

typedef Perftools__Profiles__Profile Message;
typedef Perftools__Profiles__ValueType ValueType;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Label Label;
typedef Perftools__Profiles__Mapping FileMessage;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Line Line;
typedef Perftools__Profiles__Function Function;

/* What has been written so far. */
typedef struct Writing {
    Arena *arena;
    Symbols *symbols;
    Message message;
    Table texts, functions, locations; /* what they are found by */
} Writing;

/* A place at the end of a list of pointers: its room doubles. */
static void *list_add(Arena *arena, void *list, size_t n, void *item)
{
    void **items = list;
    if ((n & (n - 1)) == 0) {
        items = arena_grow(arena, items, n * sizeof *items, (n ? 2 * n : 1) * sizeof *items);
        CHECK(items);
    }
    items[n] = item;
    return items;
}

/* ---- Parts that others name ------------------------------------------------------------------ */

/* Numbers are kept from 1, as values of a table are no NULL. */
static int64_t text_number(Writing *w, const char *text)
{
    uintptr_t number = (uintptr_t)table_get(&w->texts, bytes_of(text));
    if (number)
        return (int64_t)number - 1;
    char *copy = (char *)(uintptr_t)arena_string(w->arena, text); /* messages are not const */
    w->message.string_table =
        list_add(w->arena, w->message.string_table, w->message.n_string_table, copy);
    number = ++w->message.n_string_table;
    table_put(&w->texts, bytes_of(copy), (void *)number);
    return (int64_t)number - 1;
}

static uint64_t function_id(Writing *w, const char *name)
{
    Function *function = table_get(&w->functions, bytes_of(name));
    if (function)
        return function->id;
    function = arena_make(w->arena, Function);
    perftools__profiles__function__init(function);
    function->name = function->system_name = text_number(w, name);
    w->message.function = list_add(w->arena, w->message.function, w->message.n_function, function);
    function->id = ++w->message.n_function;
    table_put(&w->functions, bytes_of(name), function);
    return function->id;
}

static FileMessage *file_at(const Writing *w, uint64_t address)
{
    for (size_t i = 0; i < w->message.n_mapping; i++) {
        FileMessage *file = w->message.mapping[i];
        if (address >= file->memory_start && address < file->memory_limit)
            return file;
    }
    return NULL;
}

static void name_location(Writing *w, Location *location, FileMessage *file)
{
    const char *name = symbols_function(w->symbols, location->address);
    if (!name)
        return;
    Line *line = arena_make(w->arena, Line);
    perftools__profiles__line__init(line);
    line->function_id = function_id(w, name);
    location->line = list_add(w->arena, NULL, 0, line);
    location->n_line = 1;
    if (file)
        file->has_functions = true;
}

static uint64_t location_id(Writing *w, const uint64_t *address)
{
    Bytes key = bytes(address, sizeof *address);
    Location *location = table_get(&w->locations, key);
    if (location)
        return location->id;
    FileMessage *file = file_at(w, *address);
    location = arena_make(w->arena, Location);
    perftools__profiles__location__init(location);
    location->address = *address;
    location->mapping_id = file ? file->id : 0;
    name_location(w, location, file);
    w->message.location = list_add(w->arena, w->message.location, w->message.n_location, location);
    location->id = ++w->message.n_location;
    table_put(&w->locations, key, location);
    return location->id;
}

/* ---- The profile ----------------------------------------------------------------------------- */

static ValueType *value_type(Writing *w, const PprofType *type)
{
    ValueType *message = arena_make(w->arena, ValueType);
    perftools__profiles__value_type__init(message);
    message->type = text_number(w, type->name);
    message->unit = text_number(w, type->unit);
    return message;
}

static void add_files(Writing *w)
{
    uint32_t n;
    const SymbolFile *files = symbols_files(w->symbols, &n);
    for (uint32_t i = 0; i < n; i++) {
        FileMessage *file = arena_make(w->arena, FileMessage);
        perftools__profiles__mapping__init(file);
        file->id = i + 1;
        file->memory_start = files[i].start;
        file->memory_limit = files[i].limit;
        file->file_offset = files[i].offset;
        file->filename = text_number(w, files[i].name);
        file->build_id = text_number(w, files[i].build_id);
        w->message.mapping = list_add(w->arena, w->message.mapping, i, file);
        w->message.n_mapping = i + 1;
    }
}

static void add_sample(Writing *w, const Stack *stack)
{
    Sample *sample = arena_make(w->arena, Sample);
    perftools__profiles__sample__init(sample);
    sample->n_value = STACK_VALUES;
    sample->value = (int64_t *)(uintptr_t)stack->values;
    sample->n_location_id = stack->n;
    sample->location_id = arena_array(w->arena, uint64_t, stack->n + 1);
    for (uint32_t i = 0; i < stack->n; i++)
        sample->location_id[i] = location_id(w, &stack->frames[i]);
    if (stack->thread) {
        Label *label = arena_make(w->arena, Label);
        perftools__profiles__label__init(label);
        label->key = text_number(w, "thread");
        label->str = text_number(w, stack->thread);
        sample->label = list_add(w->arena, NULL, 0, label);
        sample->n_label = 1;
    }
    w->message.sample = list_add(w->arena, w->message.sample, w->message.n_sample, sample);
    w->message.n_sample++;
}

static void add_comments(Writing *w, const char *const *comments)
{
    size_t n = 0;
    while (comments[n])
        n++;
    w->message.comment = arena_array(w->arena, int64_t, n + 1);
    for (size_t i = 0; i < n; i++)
        w->message.comment[i] = text_number(w, comments[i]);
    w->message.n_comment = n;
}

static void describe(Writing *w, const PprofProfile *profile)
{
    for (int i = 0; i < STACK_VALUES; i++)
        w->message.sample_type = list_add(w->arena, w->message.sample_type, (size_t)i,
                                          value_type(w, &profile->types[i]));
    w->message.n_sample_type = STACK_VALUES;
    w->message.default_sample_type = text_number(w, profile->types[STACK_VALUES - 1].name);
    w->message.period_type = value_type(w, &profile->period_type);
    w->message.period = profile->period;
    w->message.time_nanos = profile->began;
    w->message.duration_nanos = profile->lasted;
    add_comments(w, profile->comments);
}

static Bytes pack(Writing *w)
{
    size_t size = perftools__profiles__profile__get_packed_size(&w->message);
    uint8_t *packed = arena_alloc(w->arena, size);
    CHECK(packed);
    return bytes(packed, perftools__profiles__profile__pack(&w->message, packed));
}

Result pprof_write(Arena *arena, const PprofProfile *profile, Symbols *symbols, Buffer *out)
{
    Writing w = {.arena = arena,
                 .symbols = symbols,
                 .texts = table_in(arena),
                 .functions = table_in(arena),
                 .locations = table_in(arena)};
    perftools__profiles__profile__init(&w.message);
    (void)text_number(&w, ""); /* the first one */
    describe(&w, profile);
    add_files(&w);
    for (const Stack *stack = profile->book->first; stack; stack = stack->next)
        add_sample(&w, stack);
    return compress_message(arena, COMPRESSION_GZIP, pack(&w), out);
}
