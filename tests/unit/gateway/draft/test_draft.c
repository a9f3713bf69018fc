#include "gateway/draft/draft.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "tests/unit/check.h"

enum { SOURCES_MOST = 80 };

static Arena *arena;
static DraftSource sources[SOURCES_MOST];
static uint32_t n_sources;
static Draft draft;
static const DraftTexts texts = {"gateway.yaml", "notes.md", "127.0.0.1:8080", false, "made/"};

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    n_sources = 0;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* ---- Schemas --------------------------------------------------------------------------------- */

static void add_text(Buffer *out, uint32_t number, const char *text)
{
    wire_add_bytes(out, number, bytes_of(text));
}

/* Adds a file with one service, which gives and takes a message with one string. */
static void add_file(Buffer *set, const char *package, const char *service, const char *field)
{
    Buffer file = buffer_in(arena), message = buffer_in(arena), member = buffer_in(arena),
           type = buffer_in(arena), method = buffer_in(arena);
    const char *prefix = arena_printf(arena, "%s%s", *package ? "." : "", package);
    add_text(&member, 1, field);
    wire_add_number(&member, 3, 1);
    wire_add_number(&member, 4, 1);
    wire_add_number(&member, 5, KIND_STRING);
    add_text(&message, 1, "Note");
    wire_add_bytes(&message, 2, buffer_bytes(&member));
    add_text(&method, 1, "Get");
    add_text(&method, 2, arena_printf(arena, "%s.Note", prefix));
    add_text(&method, 3, arena_printf(arena, "%s.Note", prefix));
    add_text(&type, 1, service);
    wire_add_bytes(&type, 2, buffer_bytes(&method));
    add_text(&file, 1, arena_printf(arena, "%s.proto", *package ? package : "none"));
    if (*package)
        add_text(&file, 2, package);
    wire_add_bytes(&file, 4, buffer_bytes(&message));
    wire_add_bytes(&file, 6, buffer_bytes(&type));
    add_text(&file, 12, "proto3");
    wire_add_bytes(set, 1, buffer_bytes(&file));
}

static void add_source(const char *said, Buffer *set, const char *address)
{
    DraftSource *source = &sources[n_sources++];
    *source =
        (DraftSource){.said = said, .file = said, .set = buffer_bytes(set), .address = address};
    assert_ok(arena, schema_load(arena, source->set, said, &source->schema));
}

/* A source with one service in one package. */
static void source_of(const char *said, const char *package, const char *field, const char *address)
{
    Buffer set = buffer_in(arena);
    add_file(&set, package, "Notes", field);
    add_source(said, &set, address);
}

static void make(void)
{
    assert_ok(arena, draft_make(arena, sources, n_sources, &draft));
}

static const char *summary(void)
{
    Buffer text = buffer_in(arena);
    draft_summary(&draft, &text);
    return arena_text(arena, buffer_bytes(&text));
}

static const DraftFile *file(const char *name)
{
    const DraftFile *files;
    uint32_t n;
    draft_files(&draft, &texts, sources, n_sources, &files, &n);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    return NULL;
}

static void config_has(const char *text)
{
    Bytes config = file("gateway.yaml")->content;
    if (!memmem(config.data, config.size, text, strlen(text)))
        fail_msg("no \"%s\" in\n%.*s", text, BYTES_ARGS(config));
}

/* ---- Services and versions ------------------------------------------------------------------- */

static void packages_are_versions_of_a_service_the_oldest_first(void **state)
{
    Buffer set = buffer_in(arena);
    add_file(&set, "shop.notes.v10", "Notes", "text");
    add_file(&set, "shop.notes.v2", "Notes", "text");
    add_file(&set, "shop.notes.v2beta1", "Notes", "text");
    add_file(&set, "shop.drafts.v1", "Drafts", "text");
    add_file(&set, "grpc.health.v1", "Health", "text");
    add_source("all.binpb", &set, NULL);
    make();
    assert_string_equal(
        summary(), "notes: v2beta1 (shop.notes.v2beta1), v2 (shop.notes.v2), v10 "
                   "(shop.notes.v10); 3 methods, 0 of them with REST; 0 instances\n"
                   "drafts: v1 (shop.drafts.v1); 1 method, 0 of them with REST; 0 instances\n");
    config_has("changes: [\"notes-v2beta1-v2.yaml\", \"notes-v2-v10.yaml\"]");
    config_has("default_version: v2beta1 ");
}

static void a_version_may_stand_before_the_name_of_the_service(void **state)
{
    source_of("b", "acme.v2.users", "text", NULL);
    source_of("a", "acme.v1.users", "text", NULL);
    source_of("c", "acme.v1.teams", "text", NULL);
    make();
    assert_string_equal(
        summary(), "users: v1 (acme.v1.users), v2 (acme.v2.users); 2 methods, 0 of them with REST; "
                   "0 instances\n"
                   "teams: v1 (acme.v1.teams); 1 method, 0 of them with REST; 0 instances\n");
    config_has("changes: [\"users-v1-v2.yaml\"]");
    config_has("{name: v2, package: acme.v2.users, schema: \"b\"}\n");
}

static void services_of_one_name_have_their_packages_in_it(void **state)
{
    source_of("a", "shop.notes.v1", "text", NULL);
    source_of("b", "bank.notes.v1", "text", NULL);
    source_of("c", "v1", "text", NULL);
    make();
    assert_string_equal(draft.services[0].name, "shop-notes");
    assert_string_equal(draft.services[1].name, "bank-notes");
    assert_string_equal(draft.services[2].name, "service");
}

static void packages_without_a_version_are_versions_in_the_order_of_the_sources(void **state)
{
    source_of("old.binpb", "shop.notes", "text", NULL);
    source_of("new.binpb", "shop.notes", "words", NULL);
    source_of("same.binpb", "shop.notes", "words", NULL);
    make();
    assert_int_equal(draft.services[0].n_versions, 2);
    config_has("{name: v1, package: shop.notes, schema: \"old.binpb\"}  # DECIDE: the name");
    config_has("{name: v2, package: shop.notes, schema: \"new.binpb\"}  # DECIDE: the name");
    assert_int_equal(draft.n_doubts, 0);
}

static void a_package_without_a_version_beside_others_is_the_oldest(void **state)
{
    source_of("new.binpb", "shop.notes.v1", "text", NULL);
    source_of("old.binpb", "shop.notes", "text", NULL);
    make();
    assert_string_equal(draft.services[0].versions[0].name, "old");
    assert_string_equal(draft.services[0].versions[1].name, "v1");
}

static void of_two_schemas_of_one_version_the_first_counts_and_it_is_said(void **state)
{
    source_of("a.binpb", "shop.notes.v1", "text", NULL);
    source_of("b.binpb", "shop.notes.v1", "words", NULL);
    make();
    assert_int_equal(draft.services[0].n_versions, 1);
    assert_int_equal(draft.n_doubts, 1);
    assert_string_equal(draft.doubts[0], "a.binpb and b.binpb have different schemas of "
                                         "shop.notes.v1: that of a.binpb is used");
}

static void without_a_service_of_its_own_there_is_no_draft(void **state)
{
    source_of("health.binpb", "grpc.health.v1", "text", NULL);
    Result r = draft_make(arena, sources, n_sources, &draft);
    assert_fault(r, FAULT_BAD_CONFIG);
    assert_string_equal(r.error->doing, "there is no RPC service in health.binpb");
}

static void a_service_without_a_package_is_named(void **state)
{
    source_of("a.binpb", "", "text", NULL);
    Result r = draft_make(arena, sources, n_sources, &draft);
    assert_fault(r, FAULT_BAD_CONFIG);
    assert_string_equal(r.error->doing,
                        "a.binpb: the RPC service Notes has no package and is left out: begin its "
                        "source with \"package shop.orders.v1;\"");
}

static void there_are_as_many_versions_as_a_config_may_have(void **state)
{
    for (uint32_t i = 0; i < DRAFT_VERSIONS_MOST; i++)
        source_of("a.binpb", arena_printf(arena, "shop.notes.v%u", i + 1), "text", NULL);
    make();
    assert_int_equal(draft.services[0].n_versions, DRAFT_VERSIONS_MOST);
    source_of("b.binpb", "shop.notes.v65", "text", NULL);
    assert_fault(draft_make(arena, sources, n_sources, &draft), FAULT_BAD_CONFIG);
}

/* ---- Instances ------------------------------------------------------------------------------- */

static void an_instance_serves_what_it_has_told(void **state)
{
    Buffer set = buffer_in(arena);
    add_file(&set, "shop.notes.v1", "Notes", "text");
    add_file(&set, "shop.notes.v2", "Notes", "text");
    add_file(&set, "google.longrunning", "Operations", "text");
    add_source("127.0.0.1:7001", &set, "127.0.0.1:7001");
    source_of("127.0.0.1:7003", "shop.notes.v3", "text", "127.0.0.1:7003");
    make();
    config_has("{address: \"127.0.0.1:7001\", versions: [v1, v2]}\n");
    config_has("{address: \"127.0.0.1:7003\", versions: [v3]}\n");
    config_has("mixins: [google.longrunning.Operations]");
}

static void one_that_tells_what_a_file_has_is_an_instance_of_it(void **state)
{
    source_of("notes.binpb", "shop.notes", "text", NULL);
    source_of("127.0.0.1:7001", "shop.notes", "text", "127.0.0.1:7001");
    source_of("127.0.0.1:7002", "shop.notes", "words", "127.0.0.1:7002");
    make();
    assert_int_equal(draft.services[0].n_versions, 2);
    config_has("{address: \"127.0.0.1:7001\", versions: [v1]}\n");
    config_has("{address: \"127.0.0.1:7002\", versions: [v2]}\n");
}

static void an_instance_is_named_by_package_version_or_service(void **state)
{
    source_of("a", "shop.notes.v1", "text", NULL);
    source_of("b", "shop.notes.v2", "text", NULL);
    make();
    assert_ok(arena, draft_add_instance(&draft, "shop.notes.v1=127.0.0.1:7001", NULL));
    assert_ok(arena, draft_add_instance(&draft, "v2=127.0.0.1:7002", NULL));
    assert_ok(arena, draft_add_instance(&draft, "v1=127.0.0.1:7002", NULL));
    assert_ok(arena, draft_add_instance(&draft, "notes=127.0.0.1:7003", NULL));
    assert_ok(arena, draft_add_instance(&draft, "unix:notes.sock", NULL));
    config_has("{address: \"127.0.0.1:7001\", versions: [v1]}\n");
    config_has("{address: \"127.0.0.1:7002\", versions: [v1, v2]}\n");
    config_has("{address: \"127.0.0.1:7003\", versions: [v2]}  # DECIDE: which versions");
    config_has("{address: \"unix:notes.sock\", versions: [v2]}  # DECIDE: which versions");
    assert_fault(draft_add_instance(&draft, "v3=127.0.0.1:7001", NULL), FAULT_BAD_CONFIG);
    assert_fault(draft_add_instance(&draft, "localhost", NULL), FAULT_BAD_CONFIG);
}

static void among_several_services_an_instance_needs_a_name(void **state)
{
    source_of("a", "shop.notes.v1", "text", NULL);
    source_of("b", "shop.drafts.v1", "text", NULL);
    make();
    Result r = draft_add_instance(&draft, "127.0.0.1:7001", NULL);
    assert_fault(r, FAULT_BAD_CONFIG);
    assert_non_null(strstr(r.error->doing, "with one of shop.notes.v1, shop.drafts.v1"));
    assert_fault(draft_add_instance(&draft, "v1=127.0.0.1:7001", NULL), FAULT_BAD_CONFIG);
    assert_ok(arena, draft_add_instance(&draft, "drafts=127.0.0.1:7001", NULL));
    config_has("instances: []                               # DECIDE: where it runs: [\"127.0.0.1");
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void the_files_are_config_lists_notes_and_sets_that_are_not_there(void **state)
{
    source_of("a.binpb", "shop.notes.v1", "text", NULL);
    source_of("b.binpb", "shop.notes.v2", "words", NULL);
    sources[0].set = BYTES_NONE;
    make();
    assert_null(file("a.binpb"));
    assert_non_null(file("b.binpb"));
    config_has("passerelle errors --admin made/admin.sock; metrics");
    config_has("`passerelle check made/gateway.yaml` judges it");
    const DraftFile *changes = file("notes-v1-v2.yaml"), *notes = file("notes.md");
    assert_true(changes->n_decisions > 0);
    assert_int_equal(file("gateway.yaml")->n_decisions, 5);
    for (const char *const *each =
             (const char *const[]){"`gateway.yaml:4` listen",
                                   "`notes-v1-v2.yaml:", "shop.notes.v2.Notes/Get", NULL};
         *each; each++)
        assert_non_null(memmem(notes->content.data, notes->content.size, *each, strlen(*each)));
}

static void methods_are_of_exactly_their_package_and_not_of_the_one_around_it(void **state)
{
    Buffer set = buffer_in(arena);
    add_file(&set, "shop.notes", "Notes", "text");
    add_file(&set, "shop.notes.v1", "Notes", "text");
    add_source("a.binpb", &set, NULL);
    make();
    const DraftFile *changes = file("notes-old-v1.yaml");
    assert_int_equal(changes->n_decisions, 0);
    assert_null(memmem(changes->content.data, changes->content.size, "methods", 7));
}

static void a_config_that_is_there_is_told_what_it_lacks(void **state)
{
    source_of("a.binpb", "shop.notes.v1", "text", NULL);
    source_of("127.0.0.1:7002", "shop.notes.v2", "words", "127.0.0.1:7002");
    make();
    Buffer lacks = buffer_in(arena);
    draft_lacks(&draft, file("gateway.yaml")->content, "gateway.yaml", &lacks);
    assert_bytes(buffer_bytes(&lacks), "");
    draft_lacks(&draft,
                bytes_of("services: [{name: n, versions: [{name: one, package: shop.notes.v1}]}]"),
                "gateway.yaml", &lacks);
    assert_bytes(buffer_bytes(&lacks), "gateway.yaml has no version v2 of notes (shop.notes.v2)\n"
                                       "gateway.yaml has no instance 127.0.0.1:7002 of notes\n");
    const char *const strange[] = {"", "- a", "services: 7", "services: [7, {versions: [7]}]", "{"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        Buffer all = buffer_in(arena);
        draft_lacks(&draft, bytes_of(strange[i]), "c", &all);
        assert_bytes(buffer_bytes(&all), "c has no version v1 of notes (shop.notes.v1)\n"
                                         "c has no version v2 of notes (shop.notes.v2)\n"
                                         "c has no instance 127.0.0.1:7002 of notes\n");
    }
}

static void a_change_list_that_is_there_is_told_what_it_has_no_line_for(void **state)
{
    Bytes made = bytes_of("from: v1\nto: v2\ntypes:\n  A: B\nmessages:\n  Note:\n"
                          "    text: words  # decide: a guess\n    size: {added: graceful}\n"
                          "methods:\n  Notes.Get: {removed: loud}\n");
    Buffer none = buffer_in(arena), some = buffer_in(arena), all = buffer_in(arena);
    draft_lacks_lines(arena, made, made, "c", &none);
    assert_bytes(buffer_bytes(&none), "");
    draft_lacks_lines(arena, bytes_of("messages: {Note: {text: {removed: loud}}, M: {size: a}}"),
                      made, "c", &some);
    assert_bytes(buffer_bytes(&some), "c has no line for A\nc has no line for Note.size\n"
                                      "c has no line for Notes.Get\n");
    draft_lacks_lines(arena, bytes_of("messages: 7"), made, "c", &all);
    assert_bytes(buffer_bytes(&all), "c has no line for A\nc has no line for Note.text\n"
                                     "c has no line for Note.size\nc has no line for Notes.Get\n");
}

/* Whatever says where a value goes: a path, a list of alternatives, a split, a kind. */
static void a_target_of_another_line_has_a_line(void **state)
{
    static const char *const named[] = {
        "b: size",
        "b: size.width",
        "b: {to: size, by: cents_to_money, currency: EUR}",
        "b: [{to: size, when: {kind: A}}]",
        "b: {to: [width, size]}",
        "b: {from: [size, c]}",
        "b: [{to: c, when: {size: A}}]",
        "b: {select: {size: A}}",
        "b: {currency: size}",
        "b: {means: {true: {size: -1}}}",
        "b: {template: \"{x}/{y}\", to: [c, size]}",
        "size.width: {removed: loud}",
    };
    static const char *const unnamed[] = {
        "b: sizes", "b: {to: sizes}", "b: {added: size}", "b: {by: size}", "b: {values: {a: size}}",
    };
    Bytes made = bytes_of("messages: {Note: {size: {added: graceful}}}");
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        Buffer lacks = buffer_in(arena);
        draft_lacks_lines(arena, bytes_of(arena_printf(arena, "messages: {Note: {%s}}", named[i])),
                          made, "c", &lacks);
        assert_bytes(buffer_bytes(&lacks), "");
    }
    for (size_t i = 0; i < sizeof unnamed / sizeof *unnamed; i++) {
        Buffer lacks = buffer_in(arena);
        draft_lacks_lines(arena,
                          bytes_of(arena_printf(arena, "messages: {Note: {%s}}", unnamed[i])), made,
                          "c", &lacks);
        assert_bytes(buffer_bytes(&lacks), "c has no line for Note.size\n");
    }
}

static void types_and_methods_have_their_lines_in_each_spelling(void **state)
{
    Bytes made = bytes_of("types: {A: B}\nenums: {E: {X: {removed: loud}, Y: {added: loud}}}\n"
                          "messages: {M: {a: b}}\nmethods: {S.Get: T.Get}\n");
    static const char *const kept[] = {
        "types: {A: C}\nenums: {E: {X: Y}}\nmessages: {M: {a: b}}\nmethods: {S: T}\n",
        ("enums: {A: B, E: {X: {to: Y, back: true}}}\nmessages: {M to N: {a: b}}\n"
         "methods: {S.Get: {to: T.Fetch}}\n"),
        "types: {A: B}\nenums: {E: {X: Y}}\nmessages: {M: {a: c}}\nmethods: {S.Old: S.Get}\n",
    };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        Buffer lacks = buffer_in(arena);
        draft_lacks_lines(arena, bytes_of(kept[i]), made, "c", &lacks);
        assert_bytes(buffer_bytes(&lacks), "");
    }
}

static void a_config_names_a_descriptor_set_as_the_schema_of_a_version(void **state)
{
    Bytes config = bytes_of("log: b.binpb\nservices: [{versions: [{schema: a.binpb}, 7]}]");
    assert_true(draft_config_names(arena, config, "a.binpb"));
    assert_false(draft_config_names(arena, config, "b.binpb"));
    assert_false(draft_config_names(arena, bytes_of("{"), "a.binpb"));
    assert_false(draft_config_names(arena, BYTES_NONE, "a.binpb"));
}

static void what_became_of_a_contract_is_told(void **state)
{
    Buffer was = buffer_in(arena), is = buffer_in(arena), told = buffer_in(arena);
    add_file(&was, "shop.notes.v1", "Notes", "text");
    add_file(&was, "shop.gone.v1", "Gone", "text");
    add_file(&was, "shop.same.v1", "Same", "text");
    add_source("was", &was, NULL);
    add_file(&is, "shop.notes.v1", "Notes", "words");
    add_file(&is, "shop.same.v1", "Same", "text");
    add_file(&is, "shop.notes.v2", "Notes", "text");
    add_source("is", &is, NULL);
    draft_contract(arena, &sources[1], sources[0].schema, &told);
    assert_bytes(buffer_bytes(&told), "shop.notes.v1 Note.text: renamed to words\n"
                                      "shop.notes.v2: added\nshop.gone.v1: removed\n");
    Buffer same = buffer_in(arena);
    draft_contract(arena, &sources[1], sources[1].schema, &same);
    assert_bytes(buffer_bytes(&same), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packages_are_versions_of_a_service_the_oldest_first),
        TEST(a_version_may_stand_before_the_name_of_the_service),
        TEST(services_of_one_name_have_their_packages_in_it),
        TEST(packages_without_a_version_are_versions_in_the_order_of_the_sources),
        TEST(a_package_without_a_version_beside_others_is_the_oldest),
        TEST(of_two_schemas_of_one_version_the_first_counts_and_it_is_said),
        TEST(without_a_service_of_its_own_there_is_no_draft),
        TEST(a_service_without_a_package_is_named),
        TEST(there_are_as_many_versions_as_a_config_may_have),
        TEST(an_instance_serves_what_it_has_told),
        TEST(one_that_tells_what_a_file_has_is_an_instance_of_it),
        TEST(an_instance_is_named_by_package_version_or_service),
        TEST(among_several_services_an_instance_needs_a_name),
        TEST(the_files_are_config_lists_notes_and_sets_that_are_not_there),
        TEST(methods_are_of_exactly_their_package_and_not_of_the_one_around_it),
        TEST(a_config_that_is_there_is_told_what_it_lacks),
        TEST(a_target_of_another_line_has_a_line),
        TEST(types_and_methods_have_their_lines_in_each_spelling),
        TEST(a_change_list_that_is_there_is_told_what_it_has_no_line_for),
        TEST(a_config_names_a_descriptor_set_as_the_schema_of_a_version),
        TEST(what_became_of_a_contract_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
