#include "adapters/schema/schema.h"

#include "adapters/schema/wire.h"
#include "tests/unit/check.h"

#include <stdio.h>

typedef struct Loaded {
    Arena *arena;
    const Schema *kinds, *old;
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    loaded.arena = arena_new(ARENA_UNLIMITED);
    assert_ok(loaded.arena, schema_load_file(loaded.arena, SCHEMAS "kinds.binpb", &loaded.kinds));
    assert_ok(loaded.arena, schema_load_file(loaded.arena, SCHEMAS "old.binpb", &loaded.old));
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

static const MessageType *message(const Schema *schema, const char *name)
{
    const MessageType *found = schema_message(schema, bytes_of(name));
    assert_non_null(found);
    return found;
}

static const FieldType *field(const MessageType *type, const char *name)
{
    const FieldType *found = message_field(type, bytes_of(name));
    if (!found)
        fail_msg("%s has no field %s", type->full_name, name);
    return found;
}

static void messages_are_found_by_full_name_with_and_without_a_dot(void **state)
{
    const Loaded *l = *state;
    const MessageType *inner = message(l->kinds, "test.kinds.Kinds.Inner");
    assert_ptr_equal(inner, message(l->kinds, ".test.kinds.Kinds.Inner"));
    assert_string_equal(inner->name, "Kinds.Inner");
    assert_string_equal(inner->package, "test.kinds");
    assert_null(schema_message(l->kinds, bytes_of("Kinds")));
    assert_null(schema_message(l->kinds, bytes_of("test.kinds.Color")));
}

static void fields_are_found_by_both_spellings_and_by_number(void **state)
{
    const Loaded *l = *state;
    const MessageType *kinds = message(l->kinds, "test.kinds.Kinds");
    assert_ptr_equal(field(kinds, "an_int64"), field(kinds, "anInt64"));
    assert_ptr_equal(field(kinds, "renamed"), field(kinds, "otherName"));
    assert_null(message_field(kinds, bytes("an_int64\0x", 10)));
    assert_null(message_field(kinds, BYTES_NONE));
    for (uint32_t i = 0; i < kinds->n_fields; i++) {
        assert_int_equal(kinds->fields[i].index, i);
        assert_ptr_equal(message_field_by_number(kinds, kinds->fields[i].number),
                         &kinds->fields[i]);
    }
    assert_null(message_field_by_number(kinds, 10));
    assert_null(message_field_by_number(kinds, 536870910));
    assert_null(message_field_by_number(kinds, 0));
}

static void presence_is_explicit_where_unset_and_zero_differ(void **state)
{
    const Loaded *l = *state;
    const MessageType *kinds = message(l->kinds, "test.kinds.Kinds");
    assert_false(field(kinds, "an_int32")->presence);
    assert_true(field(kinds, "maybe")->presence);
    assert_true(field(kinds, "child")->presence);
    assert_true(field(kinds, "text")->presence);
    assert_false(field(kinds, "numbers")->presence);
    assert_true(field(message(l->old, "test.old.Old"), "count")->presence);
}

static void only_real_oneofs_count(void **state)
{
    const Loaded *l = *state;
    const MessageType *kinds = message(l->kinds, "test.kinds.Kinds");
    assert_int_equal(kinds->n_oneofs, 1);
    assert_string_equal(kinds->oneofs[0].name, "choice");
    assert_int_equal(kinds->oneofs[0].n_fields, 3);
    assert_ptr_equal(field(kinds, "nested")->oneof, &kinds->oneofs[0]);
    assert_ptr_equal(kinds->oneofs[0].fields[1], field(kinds, "number"));
    assert_null(field(kinds, "maybe")->oneof);
}

static void packing_follows_the_syntax_and_the_option(void **state)
{
    const Loaded *l = *state;
    const MessageType *kinds = message(l->kinds, "test.kinds.Kinds");
    const MessageType *old = message(l->old, "test.old.Old");
    assert_true(field(kinds, "numbers")->packed);
    assert_false(field(kinds, "loose_numbers")->packed);
    assert_false(field(kinds, "texts")->packed);
    assert_true(field(kinds, "colors")->packed);
    assert_true(field(old, "packed")->packed);
    assert_false(field(old, "loose")->packed);
}

static void maps_groups_and_defaults_are_known(void **state)
{
    const Loaded *l = *state;
    const FieldType *labels = field(message(l->kinds, "test.kinds.Kinds"), "labels");
    assert_true(labels->map);
    assert_true(labels->message->map_entry);
    const MessageType *old = message(l->old, "test.old.Old");
    assert_int_equal(field(old, "data")->kind, KIND_GROUP);
    assert_bytes(field_default(field(old, "count")), "7");
    assert_bytes(field_default(field(old, "closed")), "TWO");
    assert_null(field_default(field(old, "id")).data);
    assert_true(field(old, "id")->required);
    assert_false(field(old, "note")->check_utf8);
    assert_true(field(message(l->kinds, "test.kinds.Kinds"), "a_string")->check_utf8);
    assert_true(message(l->old, "test.old.MessageSet")->message_set);
}

static void extensions_are_fields_of_what_they_extend(void **state)
{
    const Loaded *l = *state;
    const MessageType *old = message(l->old, "test.old.Old");
    const FieldType *scoped = field(old, "[test.old.Old.Scope.scoped]");
    assert_true(scoped->extension);
    assert_int_equal(scoped->number, 101);
    assert_ptr_equal(scoped->parent, old);
    assert_ptr_equal(scoped->message, message(l->old, "test.old.Old.Scope"));
    assert_ptr_equal(message_field_by_number(old, 102), field(old, "[test.old.extras]"));
    assert_null(message_field(old, bytes_of("test.old.extras")));
    assert_true(field(old, "[test.old.extra]")->presence);
}

static void enum_values_are_found_by_name_and_number(void **state)
{
    const Loaded *l = *state;
    const EnumType *color = schema_enum(l->kinds, bytes_of("test.kinds.Color"));
    assert_false(color->closed);
    assert_int_equal(enum_value_by_name(color, bytes_of("CRIMSON"))->number, 1);
    assert_string_equal(enum_value_by_number(color, 1)->name, "RED");
    assert_string_equal(enum_value_by_number(color, -3)->name, "NEGATIVE");
    assert_null(enum_value_by_number(color, 3));
    assert_null(enum_value_by_name(color, bytes_of("red")));
    assert_true(schema_enum(l->old, bytes_of("test.old.Closed"))->closed);
}

static void methods_have_their_options(void **state)
{
    const Loaded *l = *state;
    const ServiceType *service = schema_service(l->kinds, bytes_of("test.kinds.KindsService"));
    assert_int_equal(service->n_methods, 2);
    const MethodType *get = &service->methods[0], *watch = &service->methods[1];
    assert_string_equal(get->path, "/test.kinds.KindsService/Get");
    assert_true(get->no_side_effects && get->idempotent && !get->deprecated);
    assert_string_equal(get->http->verb, "GET");
    assert_string_equal(get->http->path, "/v1/{a_string=kinds/*}");
    assert_string_equal(get->http->response_body, "name");
    assert_int_equal(get->http->n_additional, 2);
    assert_string_equal(get->http->additional[0].body, "*");
    assert_string_equal(get->http->additional[1].verb, "SEARCH");
    assert_true(watch->client_streaming && watch->server_streaming && watch->deprecated);
    assert_null(watch->http);
}

static void field_behavior_required_is_seen(void **state)
{
    const Loaded *l = *state;
    const MessageType *kinds = message(l->kinds, "test.kinds.Kinds");
    assert_true(field(kinds, "needed")->side_required);
    assert_false(field(kinds, "renamed")->side_required);
}

static void files_are_kept_for_reflection(void **state)
{
    const Loaded *l = *state;
    const SchemaFile *file = schema_file(l->kinds, bytes_of("kinds.proto"));
    assert_non_null(file);
    assert_int_equal(file->n_dependencies, 9);
    assert_string_equal(file->dependencies[8]->name, "options.proto");
    assert_string_equal(file->package, "test.kinds");
}

static void assert_declared_in(const Schema *schema, const char *name, const char *file)
{
    const SchemaFile *found = schema_file_with(schema, bytes_of(name));
    if (!found || strcmp(found->name, file) != 0)
        fail_msg("%s: %s", name, found ? found->name : "no file");
}

static void every_kind_of_name_leads_to_its_file(void **state)
{
    const Loaded *l = *state;
    const char *in_kinds[] = {
        "test.kinds.Kinds",
        "test.kinds.Kinds.an_int64",
        "test.kinds.Kinds.choice",
        "test.kinds.Kinds.Inner",
        "test.kinds.Kinds.Inner.Size",
        "test.kinds.Kinds.Inner.name",
        "test.kinds.Kinds.Inner.LARGE",
        "test.kinds.Kinds.Inner.Size.LARGE",
        "test.kinds.Color",
        "test.kinds.RED",
        "test.kinds.Color.RED",
        "test.kinds.KindsService",
        "test.kinds.KindsService.Get",
    };
    for (size_t i = 0; i < sizeof in_kinds / sizeof *in_kinds; i++)
        assert_declared_in(l->kinds, in_kinds[i], "kinds.proto");
    assert_declared_in(l->kinds, "google.protobuf.Timestamp", "google/protobuf/timestamp.proto");
    assert_declared_in(l->old, "test.old.Old.Scope.scoped", "old.proto");
    assert_declared_in(l->old, "test.old.extras", "old.proto");
    assert_declared_in(l->old, "test.old.SetItem.item", "old.proto");
}

static void a_name_that_nothing_has_leads_nowhere(void **state)
{
    const Loaded *l = *state;
    const char *none[] = {"",
                          ".",
                          "test",
                          "test.kinds",
                          "test.kinds.",
                          "test.kinds.Kind",
                          "test.kinds.Kindss",
                          "test.kinds.Kinds.",
                          "test.kinds.Kinds.none",
                          "test.kinds.LARGE",
                          "Kinds",
                          ".test.kinds.Kinds",
                          "test.kinds.KindsService.Get.input",
                          "test.kinds.Kinds.a_string.x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(schema_file_with(l->kinds, bytes_of(none[i])));
}

static Bytes file_bytes(Arena *arena, const char *path)
{
    Buffer content = buffer_in(arena);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        buffer_add_byte(&content, (uint8_t)c);
    fclose(file);
    return buffer_bytes(&content);
}

static void a_missing_import_is_named(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    Result r = schema_load_file(l->arena, SCHEMAS "lone.binpb", &schema);
    assert_fault(r, FAULT_BAD_SCHEMA);
    assert_non_null(strstr(r.error->doing, "options.proto"));
    assert_null(schema);
}

/* One file that imports `import` and has one message with one field of type `type`. */
static Bytes small_set(Arena *arena, const char *syntax, const char *import, const char *type)
{
    Buffer field = buffer_in(arena), type_buffer = buffer_in(arena), file = buffer_in(arena),
           set = buffer_in(arena);
    wire_add_bytes(&field, 1, bytes_of("when"));
    wire_add_number(&field, 3, 1);
    wire_add_number(&field, 4, 1);
    wire_add_number(&field, 5, KIND_MESSAGE);
    wire_add_bytes(&field, 6, bytes_of(type));
    wire_add_bytes(&type_buffer, 1, bytes_of("Small"));
    wire_add_bytes(&type_buffer, 2, buffer_bytes(&field));
    wire_add_bytes(&file, 1, bytes_of("small.proto"));
    if (*import)
        wire_add_bytes(&file, 3, bytes_of(import));
    wire_add_bytes(&file, 4, buffer_bytes(&type_buffer));
    wire_add_bytes(&file, 12, bytes_of(syntax));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return buffer_bytes(&set);
}

static void well_known_types_are_supplied(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    Bytes set = small_set(l->arena, "proto3", "google/protobuf/timestamp.proto",
                          ".google.protobuf.Timestamp");
    assert_ok(l->arena, schema_load(l->arena, set, "small", &schema));
    assert_int_equal(field(message(schema, "Small"), "when")->message->well_known,
                     WELL_KNOWN_TIMESTAMP);
}

static void unknown_types_and_other_syntaxes_are_refused(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    Result r =
        schema_load(l->arena, small_set(l->arena, "proto3", "", ".no.Where"), "small", &schema);
    assert_fault(r, FAULT_BAD_SCHEMA);
    assert_non_null(strstr(r.error->doing, ".no.Where"));
    assert_fault(
        schema_load(l->arena, small_set(l->arena, "editions", "", ".Small"), "small", &schema),
        FAULT_BAD_SCHEMA);
    assert_ok(l->arena,
              schema_load(l->arena, small_set(l->arena, "proto2", "", ".Small"), "small", &schema));
}

/* One file with one message with one field. */
static Bytes named_set(Arena *arena, const char *package, const char *type, const char *name,
                       Bytes json)
{
    Buffer field = buffer_in(arena), type_buffer = buffer_in(arena), file = buffer_in(arena),
           set = buffer_in(arena);
    wire_add_bytes(&field, 1, bytes_of(name));
    wire_add_number(&field, 3, 1);
    wire_add_number(&field, 4, 1);
    wire_add_number(&field, 5, KIND_STRING);
    wire_add_bytes(&field, 10, json);
    wire_add_bytes(&type_buffer, 1, bytes_of(type));
    wire_add_bytes(&type_buffer, 2, buffer_bytes(&field));
    wire_add_bytes(&file, 1, bytes_of("named.proto"));
    wire_add_bytes(&file, 2, bytes_of(package));
    wire_add_bytes(&file, 4, buffer_bytes(&type_buffer));
    wire_add_bytes(&file, 12, bytes_of("proto3"));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return buffer_bytes(&set);
}

static void what_cannot_be_a_name_is_refused_and_quoted(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    assert_ok(l->arena,
              schema_load(l->arena, named_set(l->arena, "a.b_2.c", "T", "x", bytes_of("\"ö\" {}")),
                          "named", &schema));
    static const char *const bad[][3] = {
        {".a", "T", "x"},  {"a.", "T", "x"},  {"a..b", "T", "x"}, {"a/b", "T", "x"},
        {"a", "", "x"},    {"a", ".T", "x"},  {"a", "T.U", "x"},  {"a", "T", ""},
        {"a", "T", "x y"}, {"a", "T", "x.y"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes set = named_set(l->arena, bad[i][0], bad[i][1], bad[i][2], bytes_of("x"));
        Result r = schema_load(l->arena, set, "named", &schema);
        assert_fault(r, FAULT_BAD_SCHEMA);
        assert_non_null(strstr(r.error->doing, "cannot be a name"));
    }
    assert_fault(schema_load(l->arena, named_set(l->arena, "a", "T", "x", bytes("y\0z", 3)),
                             "named", &schema),
                 FAULT_BAD_SCHEMA);
    assert_fault(schema_load(l->arena, named_set(l->arena, "a", "T", "x", bytes_of("\xff")),
                             "named", &schema),
                 FAULT_BAD_SCHEMA);
}

/* Messages are field 4 of a file, enums 5 and services 6; the name of each is its field 1. An enum
   has to have a value. */
static Bytes thing(uint32_t kind)
{
    return bytes_of(kind == 5 ? "\x0a\x05Thing\x12\x03\x0a\x01V" : "\x0a\x05Thing");
}

static void two_declarations_of_one_name_are_refused_whatever_they_are(void **state)
{
    const Loaded *l = *state;
    for (uint32_t a = 4; a <= 6; a++)
        for (uint32_t b = 4; b <= 6; b++) {
            Buffer file = buffer_in(l->arena), set = buffer_in(l->arena);
            wire_add_bytes(&file, 1, bytes_of("twice.proto"));
            wire_add_bytes(&file, 2, bytes_of("twice"));
            wire_add_bytes(&file, a, thing(a));
            wire_add_bytes(&file, b, thing(b));
            wire_add_bytes(&file, 12, bytes_of("proto3"));
            wire_add_bytes(&set, 1, buffer_bytes(&file));
            const Schema *schema;
            Result r = schema_load(l->arena, buffer_bytes(&set), "twice", &schema);
            assert_fault(r, FAULT_BAD_SCHEMA);
            assert_non_null(strstr(r.error->doing, "twice.Thing is declared twice"));
        }
}

/* One message in proto3 of fields that are made by their number, from 1 on, with one oneof. */
static Bytes fields_set(Arena *arena, const char *package, const char *type, uint32_t n,
                        void (*add)(Buffer *field, uint32_t number))
{
    Buffer type_buffer = buffer_in(arena), file = buffer_in(arena), set = buffer_in(arena);
    wire_add_bytes(&type_buffer, 1, bytes_of(type));
    for (uint32_t number = 1; number <= n; number++) {
        Buffer field = buffer_in(arena);
        wire_add_bytes(&field, 1, bytes_of(arena_printf(arena, "f%u", number)));
        wire_add_number(&field, 3, number);
        add(&field, number);
        wire_add_bytes(&type_buffer, 2, buffer_bytes(&field));
    }
    wire_add_bytes(&type_buffer, 8, bytes("\x0a\x02of", 4));
    wire_add_bytes(&file, 1, bytes_of("fields.proto"));
    wire_add_bytes(&file, 2, bytes_of(package));
    wire_add_bytes(&file, 4, buffer_bytes(&type_buffer));
    wire_add_bytes(&file, 12, bytes_of("proto3"));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return buffer_bytes(&set);
}

static void add_to_oneof(Buffer *field, uint32_t number)
{
    wire_add_number(field, 5, KIND_STRING);
    wire_add_number(field, 9, 0);
    if (number > 2)
        wire_add_number(field, 17, 1); /* proto3_optional */
}

static void what_is_optional_is_in_no_oneof_with_others(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    assert_ok(l->arena, schema_load(l->arena, fields_set(l->arena, "a", "T", 60, add_to_oneof),
                                    "fields", &schema));
    const MessageType *type = message(schema, "a.T");
    assert_int_equal(type->n_oneofs, 1);
    assert_int_equal(type->oneofs[0].n_fields, 2);
    assert_non_null(field(type, "f2")->oneof);
    assert_null(field(type, "f3")->oneof);
    assert_true(field(type, "f3")->presence);
}

static void add_text(Buffer *field, uint32_t number)
{
    wire_add_number(field, 5, KIND_STRING);
}

static void add_texts(Buffer *field, uint32_t number)
{
    wire_add_number(field, 4, 3); /* repeated */
    add_text(field, number);
}

static void add_time(Buffer *field, uint32_t number)
{
    wire_add_number(field, 5, number == 1 ? KIND_INT64 : KIND_INT32);
}

static void a_well_known_type_has_its_fields_and_no_others(void **state)
{
    static const struct {
        const char *name;
        uint32_t n;
        void (*add)(Buffer *field, uint32_t number);
        bool good;
    } rows[] = {
        {"Timestamp", 2, add_time, true},     {"Timestamp", 1, add_time, false},
        {"Timestamp", 3, add_time, false},    {"Timestamp", 2, add_text, false},
        {"Duration", 2, add_time, true},      {"Duration", 0, add_time, false},
        {"FieldMask", 1, add_texts, true},    {"FieldMask", 1, add_text, false},
        {"StringValue", 1, add_text, true},   {"StringValue", 0, add_text, false},
        {"StringValue", 1, add_texts, false}, {"StringValue", 2, add_text, false},
        {"Any", 2, add_text, false},          {"Any", 0, add_text, false},
        {"Struct", 1, add_texts, false},      {"Value", 0, add_text, false},
        {"ListValue", 1, add_texts, false},   {"Empty", 0, add_text, true},
        {"Other", 1, add_texts, true},
    };
    const Loaded *l = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Schema *schema;
        Bytes set = fields_set(l->arena, "google.protobuf", rows[i].name, rows[i].n, rows[i].add);
        Result r = schema_load(l->arena, set, "fields", &schema);
        if (rows[i].good)
            assert_ok(l->arena, r);
        else
            assert_fault(r, FAULT_BAD_SCHEMA);
    }
}

/* One message whose fields have names and JSON names of one letter each. */
static Result load_names(Arena *arena, const char *names, const char *json, const Schema **schema)
{
    Buffer type = buffer_in(arena), file = buffer_in(arena), set = buffer_in(arena);
    wire_add_bytes(&type, 1, bytes_of("T"));
    for (uint32_t i = 0; names[i]; i++) {
        Buffer field = buffer_in(arena);
        wire_add_bytes(&field, 1, bytes(names + i, 1));
        wire_add_number(&field, 3, i + 1);
        wire_add_number(&field, 5, KIND_STRING);
        wire_add_bytes(&field, 10, bytes(json + i, 1));
        wire_add_bytes(&type, 2, buffer_bytes(&field));
    }
    wire_add_bytes(&file, 1, bytes_of("names.proto"));
    wire_add_bytes(&file, 4, buffer_bytes(&type));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return schema_load(arena, buffer_bytes(&set), "names", schema);
}

static void a_json_name_never_hides_a_name(void **state)
{
    const Loaded *l = *state;
    static const char *const rows[][2] = {{"abc", "bzb"}, {"abcdefghijklm", "bzbddddhijkkm"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Schema *schema;
        assert_ok(l->arena, load_names(l->arena, rows[i][0], rows[i][1], &schema));
        const MessageType *type = message(schema, "T");
        assert_int_equal(type->n_fields, strlen(rows[i][0]));
        for (uint32_t k = 0; k < type->n_fields; k++)
            assert_ptr_equal(message_field(type, bytes(rows[i][0] + k, 1)), &type->fields[k]);
        assert_string_equal(field(type, "z")->name, "b");
        assert_null(message_field(type, bytes_of("y")));
        assert_null(message_field(type, bytes_of("ab")));
        assert_null(message_field(type, BYTES_NONE));
    }
}

/* One message of fields with these numbers, up to 0. */
static const MessageType *load_numbers(Arena *arena, const uint32_t *numbers)
{
    Buffer type = buffer_in(arena), file = buffer_in(arena), set = buffer_in(arena);
    const Schema *schema;
    wire_add_bytes(&type, 1, bytes_of("T"));
    for (uint32_t i = 0; numbers[i]; i++) {
        Buffer field = buffer_in(arena);
        wire_add_bytes(&field, 1, bytes_of(arena_printf(arena, "f%u", numbers[i])));
        wire_add_number(&field, 3, numbers[i]);
        wire_add_number(&field, 5, KIND_STRING);
        wire_add_bytes(&field, 7, bytes_of(arena_printf(arena, "%u", numbers[i])));
        wire_add_bytes(&type, 2, buffer_bytes(&field));
    }
    wire_add_bytes(&file, 1, bytes_of("numbers.proto"));
    wire_add_bytes(&file, 4, buffer_bytes(&type));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    assert_ok(arena, schema_load(arena, buffer_bytes(&set), "numbers", &schema));
    return message(schema, "T");
}

static void fields_of_any_numbers_are_found_with_their_defaults(void **state)
{
    const Loaded *l = *state;
    static const uint32_t rows[][14] = {{0},
                                        {1},
                                        {2},
                                        {1, 2, 3},
                                        {1, 3, 5000000},
                                        {3, 2, 1},
                                        {8, 7, 6, 5, 4, 3, 2, 1},
                                        {9, 8, 7, 6, 5, 4, 3, 2, 1},
                                        {1, 2, 3, 4, 5, 6, 7, 9, 600, 5000, 536870911},
                                        {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 99999}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const MessageType *type = load_numbers(l->arena, rows[i]);
        uint32_t n = 0;
        for (; rows[i][n]; n++) {
            const FieldType *field = message_field_by_number(type, rows[i][n]);
            assert_non_null(field);
            assert_int_equal(field->number, rows[i][n]);
            assert_ptr_equal(message_field(type, bytes_of(field->name)), field);
            assert_bytes(field_default(field), field->name + 1);
        }
        assert_int_equal(type->n_fields, n);
        assert_null(message_field_by_number(type, 0));
        assert_null(message_field_by_number(type, 12));
        assert_null(message_field_by_number(type, 100));
    }
}

static void two_fields_of_one_name_are_refused_among_few_and_many(void **state)
{
    const Loaded *l = *state;
    static const char *const rows[] = {"aa", "abcdea", "abcdefghijklmnopa"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Schema *schema;
        Result r = load_names(l->arena, rows[i], rows[i], &schema);
        assert_fault(r, FAULT_BAD_SCHEMA);
        assert_non_null(strstr(r.error->doing, "two fields a"));
    }
}

/* An enum in proto2, with a value for each number, which may be there twice. */
static Result load_values(Arena *arena, const int32_t *numbers, uint32_t n, const char *last,
                          const Schema **schema)
{
    Buffer type = buffer_in(arena), file = buffer_in(arena), set = buffer_in(arena);
    wire_add_bytes(&type, 1, bytes_of("E"));
    for (uint32_t i = 0; i < n; i++) {
        Buffer value = buffer_in(arena);
        const char *name = i + 1 == n ? last : arena_printf(arena, "V%u", i);
        wire_add_bytes(&value, 1, bytes_of(name));
        wire_add_number(&value, 2, (uint64_t)(int64_t)numbers[i]);
        wire_add_bytes(&type, 2, buffer_bytes(&value));
    }
    wire_add_bytes(&file, 1, bytes_of("values.proto"));
    wire_add_bytes(&file, 5, buffer_bytes(&type));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return schema_load(arena, buffer_bytes(&set), "values", schema);
}

static void of_values_with_one_number_the_first_is_found_in_any_order(void **state)
{
    const Loaded *l = *state;
    static const int32_t rows[][12] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                                       {-3, -3, -1, 0, 0, 0, 7, 7, 8, 9, 9, 9},
                                       {5, 4, -1, 4, 5, 0, 0, 3, -2147483647, 3, 2147483647, 5}};
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t n = 1; n <= 12; n++) {
            const Schema *schema;
            assert_ok(l->arena, load_values(l->arena, rows[i], n, "LAST", &schema));
            const EnumType *type = schema_enum(schema, bytes_of("E"));
            assert_non_null(type);
            for (uint32_t k = 0; k < n; k++) {
                uint32_t first = 0;
                while (rows[i][first] != rows[i][k])
                    first++;
                assert_ptr_equal(enum_value_by_number(type, rows[i][k]), &type->values[first]);
                assert_ptr_equal(enum_value_by_name(type, bytes_of(type->values[k].name)),
                                 &type->values[k]);
            }
            assert_null(enum_value_by_number(type, 100));
            assert_null(enum_value_by_name(type, bytes_of("V99")));
            if (n > 1)
                assert_fault(load_values(l->arena, rows[i], n, "V0", &schema), FAULT_BAD_SCHEMA);
        }
}

/* ---- Copies of sets -------------------------------------------------------------------------- */

static void add_location(Buffer *sources, Arena *arena, uint32_t comment)
{
    Buffer location = buffer_in(arena);
    wire_add_bytes(&location, 1, bytes("\x04\x00", 2));
    wire_add_bytes(&location, 2, bytes("\x01\x02\x03", 3));
    if (comment)
        wire_add_bytes(&location, comment, bytes_of(" why\n"));
    wire_add_bytes(sources, 1, buffer_bytes(&location));
}

/* A set of one file, with these comments at its places. */
static Bytes commented_set(Arena *arena, const uint32_t *comments, size_t n)
{
    Buffer file = buffer_in(arena), set = buffer_in(arena), sources = buffer_in(arena);
    for (size_t i = 0; i < n; i++)
        add_location(&sources, arena, comments[i]);
    wire_add_bytes(&file, 1, bytes_of("small.proto"));
    wire_add_bytes(&file, 9, buffer_bytes(&sources));
    wire_add_bytes(&file, 12, bytes_of("proto3"));
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    return buffer_bytes(&set);
}

static void a_copy_has_only_those_places_of_sources_that_have_comments(void **state)
{
    const Loaded *l = *state;
    static const uint32_t all[] = {0, 3, 0, 4, 6, 0, 0}, kept[] = {3, 4, 6};
    Bytes copy = schema_set_copy(l->arena, commented_set(l->arena, all, 7));
    assert_true(bytes_equal(copy, commented_set(l->arena, kept, 3)));
    copy = schema_set_copy(l->arena, commented_set(l->arena, all, 1));
    assert_true(bytes_equal(copy, commented_set(l->arena, NULL, 0)));
    Bytes set = file_bytes(l->arena, SCHEMAS "kinds.binpb");
    assert_true(bytes_equal(schema_set_copy(l->arena, set), set));
}

static void what_is_malformed_is_copied_as_it_is(void **state)
{
    const Loaded *l = *state;
    Bytes none = schema_set_copy(l->arena, BYTES_NONE);
    assert_int_equal(none.size, 0);
    static const uint32_t comments[] = {0, 3, 0};
    Bytes set = commented_set(l->arena, comments, 3);
    for (size_t size = 1; size < set.size; size++) {
        Bytes cut = bytes_copy(l->arena, bytes(set.data, size));
        assert_true(bytes_equal(schema_set_copy(l->arena, cut), cut));
    }
    uint8_t *changed = (uint8_t *)(uintptr_t)bytes_copy(l->arena, set).data;
    for (size_t i = 0; i < set.size * 8; i++) {
        changed[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_true(schema_set_copy(l->arena, bytes(changed, set.size)).size <= set.size);
        changed[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

static void a_set_cut_off_anywhere_is_refused(void **state)
{
    const Loaded *l = *state;
    Bytes set = file_bytes(l->arena, SCHEMAS "old.binpb");
    for (size_t size = 1; size < set.size; size++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        const Schema *schema;
        assert_fault(schema_load(arena, bytes(set.data, size), "cut", &schema), FAULT_BAD_SCHEMA);
        arena_free(arena);
    }
}

static void the_same_set_has_the_same_wire_and_another_has_not(void **state)
{
    const Loaded *l = *state;
    const Schema *again;
    assert_ok(l->arena, schema_load_file(l->arena, SCHEMAS "kinds.binpb", &again));
    assert_true(message_same_wire(message(l->kinds, "test.kinds.Kinds"),
                                  message(again, "test.kinds.Kinds")));
    assert_false(message_same_wire(message(l->kinds, "test.kinds.Kinds"),
                                   message(again, "test.kinds.Kinds.Inner")));
    assert_false(message_same_wire(message(l->kinds, "google.protobuf.Timestamp"),
                                   message(again, "google.protobuf.Duration")));
}

static void a_file_that_is_not_there_is_named(void **state)
{
    const Loaded *l = *state;
    const Schema *schema;
    Result r = schema_load_file(l->arena, "/nowhere/at/all.binpb", &schema);
    assert_fault(r, FAULT_NO_FILE);
    assert_non_null(strstr(r.error->doing, "/nowhere/at/all.binpb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_by_full_name_with_and_without_a_dot),
        cmocka_unit_test(fields_are_found_by_both_spellings_and_by_number),
        cmocka_unit_test(presence_is_explicit_where_unset_and_zero_differ),
        cmocka_unit_test(only_real_oneofs_count),
        cmocka_unit_test(packing_follows_the_syntax_and_the_option),
        cmocka_unit_test(maps_groups_and_defaults_are_known),
        cmocka_unit_test(extensions_are_fields_of_what_they_extend),
        cmocka_unit_test(enum_values_are_found_by_name_and_number),
        cmocka_unit_test(methods_have_their_options),
        cmocka_unit_test(field_behavior_required_is_seen),
        cmocka_unit_test(files_are_kept_for_reflection),
        cmocka_unit_test(every_kind_of_name_leads_to_its_file),
        cmocka_unit_test(a_name_that_nothing_has_leads_nowhere),
        cmocka_unit_test(a_missing_import_is_named),
        cmocka_unit_test(well_known_types_are_supplied),
        cmocka_unit_test(unknown_types_and_other_syntaxes_are_refused),
        cmocka_unit_test(what_cannot_be_a_name_is_refused_and_quoted),
        cmocka_unit_test(two_declarations_of_one_name_are_refused_whatever_they_are),
        cmocka_unit_test(what_is_optional_is_in_no_oneof_with_others),
        cmocka_unit_test(a_well_known_type_has_its_fields_and_no_others),
        cmocka_unit_test(a_json_name_never_hides_a_name),
        cmocka_unit_test(fields_of_any_numbers_are_found_with_their_defaults),
        cmocka_unit_test(two_fields_of_one_name_are_refused_among_few_and_many),
        cmocka_unit_test(of_values_with_one_number_the_first_is_found_in_any_order),
        cmocka_unit_test(a_copy_has_only_those_places_of_sources_that_have_comments),
        cmocka_unit_test(what_is_malformed_is_copied_as_it_is),
        cmocka_unit_test(a_set_cut_off_anywhere_is_refused),
        cmocka_unit_test(the_same_set_has_the_same_wire_and_another_has_not),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
