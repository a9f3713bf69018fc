#include "adapters/compile/compile.h"

/* The identity of a program: two with the same key are one. */
typedef struct ProgramKey {
    const void *subject; /* the mapping; for READ and WRITE the type */
    uint8_t style, from, to, zero[5];
} ProgramKey;

static bool is_special(const MessageType *type)
{
    return type->well_known != WELL_KNOWN_NONE && type->well_known != WELL_KNOWN_EMPTY;
}

static Program *add_program(Compiler *c)
{
    ProgramSet *set = c->set;
    if (set->n == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 16;
        set->programs = arena_grow(c->arena, set->programs, set->n * sizeof(Program *),
                                   capacity * sizeof(Program *));
        set->capacity = capacity;
    }
    Program *program = arena_make(c->arena, Program);
    CHECK(set->programs && program); /* a config generation's arena has no limit */
    set->programs[set->n++] = program;
    return program;
}

static Program *new_program(Compiler *c, ProgramKey key)
{
    Program *program = add_program(c);
    Bytes stored = bytes_copy(c->arena, bytes(&key, sizeof(key)));
    CHECK(stored.data);
    table_put(&c->programs, stored, program);
    return program;
}

static const Program *special_program(Compiler *c, const MessageType *type, ProgramStyle style)
{
    ProgramKey key = {.subject = type, .style = (uint8_t)style};
    Program *program = table_get(&c->programs, bytes(&key, sizeof(key)));
    if (program)
        return program;
    program = new_program(c, key);
    program->style = style;
    program->from = program->to = type;
    program->from_codec = style == PROGRAM_READ ? CODEC_JSON : CODEC_PROTO;
    program->to_codec = style == PROGRAM_READ ? CODEC_PROTO : CODEC_JSON;
    atomic_init(&program->compiled, true);
    return program;
}

/* ---- Any ------------------------------------------------------------------------------------- */

static bool find_any_changes(const MappingSet *types)
{
    size_t at = 0;
    if (!types)
        return false;
    if (types->n_stranded)
        return true;
    for (const TableEntry *entry; (entry = table_next(&types->by_type, &at));) {
        const Mapping *mapping = entry->value;
        if (!mapping->same_wire || strcmp(mapping->from->full_name, mapping->to->full_name) != 0)
            return true;
    }
    return false;
}

static bool any_changes(Compiler *c)
{
    if (!c->any_asked)
        c->any_changes = find_any_changes(c->set->options.types);
    c->any_asked = true;
    return c->any_changes;
}

static bool reaches_any(Compiler *c, const MessageType *type)
{
    Bytes key = bytes(&type->schema, sizeof(type->schema));
    const bool *reach = table_get(&c->any_reaches, key);
    if (!reach) {
        reach = any_reach(c->arena, type->schema);
        table_put(&c->any_reaches, bytes_copy(c->arena, key), (void *)(uintptr_t)reach);
    }
    return reach[type->index];
}

static void put_any_type(Compiler *c, Table *table, const MessageType *type, AnyType any)
{
    AnyType *stored = arena_make(c->arena, AnyType);
    CHECK(stored); /* a config generation's arena has no limit */
    *stored = any;
    table_put(table, bytes_of(type->full_name), stored);
}

static bool is_common(Compiler *c, const MessageType *type)
{
    const MappingSet *common = c->set->options.common_types;
    return common && mapping_set_named(common, bytes_of(type->full_name));
}

/* Whether the target version has the type, so that it can be written as JSON. */
static bool is_known_there(Compiler *c, const MappingSet *types, const MessageType *type)
{
    return schema_message(types->to, bytes_of(type->full_name)) || is_common(c, type);
}

/* A type outside of the versions' packages, or one that the list keeps: it is not converted, apart
   from Anys in it. If the target does not have it, it is written as bytes, also in JSON. */
static AnyType same_there(Compiler *c, const MappingSet *types, const MessageType *type, Codec from,
                          Codec to)
{
    bool known = is_known_there(c, types, type);
    return (AnyType){.program = compiler_identity(c, type, from, known ? to : CODEC_PROTO),
                     .bytes_out = !known};
}

/* The result may be a type of a version between, which the target does not have. */
static AnyType converted(Compiler *c, const MappingSet *types, const Mapping *mapping, Codec from,
                         Codec to)
{
    bool known = is_known_there(c, types, mapping->to);
    return (AnyType){.program = compiler_program(c, mapping, from, known ? to : CODEC_PROTO),
                     .bytes_out = !known};
}

static void put_stranded(Compiler *c, Table *table, const MappingSet *types, Codec from, Codec to)
{
    for (uint32_t i = 0; i < types->n_stranded; i++) {
        const Stranded *stranded = &types->stranded[i];
        put_any_type(c, table, stranded->type,
                     stranded->fate == TYPE_KEPT ? same_there(c, types, stranded->type, from, to)
                                                 : (AnyType){.stranded = stranded});
    }
}

static void put_known_here(Compiler *c, Table *table, const MappingSet *types, Codec from, Codec to)
{
    for (uint32_t i = 0; i < types->from->n_messages; i++) {
        const MessageType *type = &types->from->messages[i];
        const Mapping *mapping = mapping_set_find(types, type);
        if (type->map_entry || table_get(table, bytes_of(type->full_name)))
            continue;
        put_any_type(c, table, type,
                     mapping ? converted(c, types, mapping, from, to)
                             : same_there(c, types, type, from, to));
    }
}

/* Whether a message that keeps its type must be read at all: to write it as JSON, or to convert an
   Any in it. */
static bool is_looked_into(Compiler *c, const MessageType *type, Codec to)
{
    return to == CODEC_JSON || (any_changes(c) && reaches_any(c, type));
}

/* Types that the source version does not have: a version between may rename them, and the target
   may have them. */
static void put_unknown_here(Compiler *c, Table *table, const MappingSet *types, Codec to)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&types->by_type, &at));) {
        const Mapping *mapping = entry->value;
        if (mapping->from->map_entry || table_get(table, entry->key))
            continue;
        AnyType any = converted(c, types, mapping, CODEC_PROTO, to);
        any.bytes_in = true;
        put_any_type(c, table, mapping->from, any);
    }
    for (uint32_t i = 0; i < types->n_between; i++) {
        const MessageType *type = types->between[i];
        if (any_changes(c) && !table_get(table, bytes_of(type->full_name)))
            put_any_type(c, table, type,
                         (AnyType){.program = compiler_identity(c, type, CODEC_PROTO, CODEC_PROTO),
                                   .bytes_in = true,
                                   .bytes_out = true});
    }
    for (uint32_t i = 0; i < types->to->n_messages; i++) {
        const MessageType *type = &types->to->messages[i];
        if (!type->map_entry && is_looked_into(c, type, to) &&
            !table_get(table, bytes_of(type->full_name)))
            put_any_type(c, table, type,
                         (AnyType){.program = compiler_identity(c, type, CODEC_PROTO, to),
                                   .bytes_in = true});
    }
}

static void put_common(Compiler *c, Table *table, const MappingSet *common, Codec from, Codec to)
{
    for (uint32_t i = 0; i < common->n_mappings; i++) {
        const MessageType *type = common->mappings[i]->from;
        if (!type->map_entry && !table_get(table, bytes_of(type->full_name)))
            put_any_type(c, table, type,
                         (AnyType){.program = compiler_program(c, common->mappings[i], from, to)});
    }
}

/* Compiles all types that may be inside an Any. Done once, at the first Any. */
static void compile_any_types(Compiler *c, Codec from, Codec to)
{
    const MappingSet *types = c->set->options.types, *common = c->set->options.common_types;
    if (c->set->any[from][to])
        return;
    Table *table = arena_make(c->arena, Table);
    CHECK(table); /* a config generation's arena has no limit */
    *table = table_in(c->arena);
    c->set->any[from][to] = table;
    if (types) {
        put_stranded(c, table, types, from, to);
        put_known_here(c, table, types, from, to);
    }
    if (common)
        put_common(c, table, common, from, to);
    if (types)
        put_unknown_here(c, table, types, to);
}

/* ---- Which style ----------------------------------------------------------------------------- */

static bool may_copy(Compiler *c, const Mapping *mapping)
{
    return mapping->same_wire && !c->set->options.walk_all &&
           !(any_changes(c) && reaches_any(c, mapping->from));
}

/* Whether both are the same well-known type. */
static bool same_special(const MessageType *from, const MessageType *to)
{
    return is_special(from) && from->well_known == to->well_known &&
           (from->well_known != WELL_KNOWN_WRAPPER || from->fields[0].kind == to->fields[0].kind);
}

static ProgramStyle choose_style(Compiler *c, const Mapping *mapping, Codec from, Codec to)
{
    if (from == CODEC_PROTO && to == CODEC_PROTO && may_copy(c, mapping))
        return PROGRAM_COPY;
    if (mapping->from->well_known == WELL_KNOWN_ANY && mapping->to->well_known == WELL_KNOWN_ANY &&
        (from == CODEC_JSON || to == CODEC_JSON || any_changes(c)))
        return PROGRAM_ANY;
    if ((from == CODEC_JSON && is_special(mapping->from)) ||
        (to == CODEC_JSON && is_special(mapping->to)))
        return PROGRAM_STAGED;
    return PROGRAM_FIELDS;
}

/* The program must be registered before its stages are added, because they may refer to it. */
static void compile_stages(Compiler *c, Program *program)
{
    const Mapping *mapping = program->mapping;
    bool read = program->from_codec == CODEC_JSON && is_special(mapping->from);
    bool write = program->to_codec == CODEC_JSON && is_special(mapping->to);
    if (read)
        program->first = special_program(c, mapping->from, PROGRAM_READ);
    if (read && write && same_special(mapping->from, mapping->to)) {
        program->second = special_program(c, mapping->to, PROGRAM_WRITE);
    } else if (read) {
        program->second = compiler_program(c, mapping, CODEC_PROTO, program->to_codec);
    } else {
        program->first = compiler_program(c, mapping, program->from_codec, CODEC_PROTO);
        program->second = special_program(c, mapping->to, PROGRAM_WRITE);
    }
}

const Program *compiler_program(Compiler *c, const Mapping *mapping, Codec from, Codec to)
{
    bool same =
        same_special(mapping->from, mapping->to) && mapping->from->well_known != WELL_KNOWN_ANY;
    if (same && from == CODEC_JSON && to == CODEC_PROTO)
        return special_program(c, mapping->from, PROGRAM_READ);
    if (same && from == CODEC_PROTO && to == CODEC_JSON)
        return special_program(c, mapping->to, PROGRAM_WRITE);

    ProgramKey key = {
        .subject = mapping, .style = PROGRAM_FIELDS, .from = (uint8_t)from, .to = (uint8_t)to};
    Program *program = table_get(&c->programs, bytes(&key, sizeof(key)));
    if (program)
        return program;
    program = new_program(c, key);
    program->mapping = mapping;
    program->from = mapping->from;
    program->to = mapping->to;
    program->from_codec = from;
    program->to_codec = to;
    program->style = choose_style(c, mapping, from, to);
    atomic_init(&program->compiled, program->style == PROGRAM_COPY);
    return program;
}

const Program *compiler_only(Compiler *c, const Mapping *mapping, Codec from, const FieldType *only)
{
    Program *program = add_program(c);
    program->style = PROGRAM_FIELDS;
    program->mapping = mapping;
    program->from = mapping->from;
    program->to = mapping->to;
    program->from_codec = from;
    program->to_codec = CODEC_JSON;
    program->only = only;
    return program;
}

const Program *compiler_identity(Compiler *c, const MessageType *type, Codec from, Codec to)
{
    const Schema *schema = type->schema;
    const MappingSet *set = table_get(&c->identities, bytes(&schema, sizeof(schema)));
    if (!set) {
        Result r = mapping_set_identity(c->arena, schema, &set);
        CHECK(!failed(r)); /* a config generation's arena has no limit */
        table_put(&c->identities, bytes_copy(c->arena, bytes(&schema, sizeof(schema))),
                  (void *)(uintptr_t)set);
    }
    return compiler_program(c, set->mappings[type->index], from, to);
}

const Program *compiler_any(Compiler *c, const Converter *converter, const MessageType *any,
                            Codec from, Codec to)
{
    const Program *usual = compiler_identity(c, any, from, to);
    ProgramKey key = {
        .subject = converter, .style = PROGRAM_ANY, .from = (uint8_t)from, .to = (uint8_t)to};
    if (!converter->n_held)
        return usual;
    Program *program = table_get(&c->programs, bytes(&key, sizeof(key)));
    if (program)
        return program;
    program = new_program(c, key);
    program->mapping = usual->mapping;
    program->from = program->to = any;
    program->from_codec = from;
    program->to_codec = to;
    program->style = PROGRAM_ANY;
    program->holder = converter;
    atomic_init(&program->compiled, false);
    return program;
}

/* For a type without a mapping: an error. */
static const Stranded *lost_type(Compiler *c, const MessageType *type)
{
    Stranded *stranded = arena_make(c->arena, Stranded);
    CHECK(stranded); /* a config generation's arena has no limit */
    *stranded = (Stranded){.type = type, .fate = TYPE_LOUD};
    return stranded;
}

static void compile_held(Compiler *c, Program *program)
{
    const Converter *holder = program->holder;
    const MappingSet *types = c->set->options.types;
    Table *held = arena_make(c->arena, Table);
    CHECK(held); /* a config generation's arena has no limit */
    *held = table_in(c->arena);
    for (uint32_t i = 0; i < holder->n_held; i++) {
        const Held *one = &holder->held[i];
        bool known = schema_message(types->from, bytes_of(one->from->full_name));
        AnyType any = {.stranded = one->mapping ? NULL : lost_type(c, one->from)};
        if (one->mapping)
            any = converted(c, types, one->mapping, known ? program->from_codec : CODEC_PROTO,
                            program->to_codec);
        any.bytes_in = !known;
        put_any_type(c, held, one->from, any);
    }
    program->held = held;
}

Result compiler_compile(Compiler *c, Program *program)
{
    Result r = OK;
    switch (program->style) {
    case PROGRAM_FIELDS: r = compile_fields(c, program); break;
    case PROGRAM_STAGED: compile_stages(c, program); break;
    case PROGRAM_ANY:
        compile_any_types(c, program->from_codec, program->to_codec);
        if (program->holder)
            compile_held(c, program);
        break;
    case PROGRAM_COPY:
    case PROGRAM_READ:
    case PROGRAM_WRITE: break;
    }
    if (!failed(r))
        atomic_store_explicit(&program->compiled, true, memory_order_release);
    return r;
}

Result compiler_finish(Compiler *c, uint32_t first)
{
    Result r = OK;
    for (uint32_t i = first; i < c->set->n && !failed(r); i++) {
        Program *program = c->set->programs[i];
        if (atomic_load_explicit(&program->compiled, memory_order_relaxed))
            continue;
        r = compiler_compile(c, program);
        if (c->room != c->arena)
            arena_reset(c->room);
    }
    return r;
}
