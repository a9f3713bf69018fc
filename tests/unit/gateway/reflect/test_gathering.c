#include "gateway/reflect/gathering.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/builtin/reflection_fields.h"
#include "tests/unit/check.h"

enum { LIMIT = 4096 };

static Arena *arena;
static Gathering gathering;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    gathering_begin(&gathering, arena, "notes.v1", LIMIT);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* The next request must be for this; NULL: there is none. */
static void asks(uint32_t field, const char *name)
{
    Buffer request = buffer_in(arena);
    assert_int_equal(gathering_ask(&gathering, &request), name != NULL);
    if (!name)
        return;
    Buffer expected = buffer_in(arena);
    wire_add_bytes(&expected, field, bytes_of(name));
    assert_true(bytes_equal(buffer_bytes(&request), buffer_bytes(&expected)));
}

static Result hear(uint32_t field, Bytes content)
{
    Buffer answer = buffer_in(arena);
    wire_add_bytes(&answer, SAY_HOST, bytes_of("whoever"));
    wire_add_bytes(&answer, field, content);
    return gathering_take(&gathering, buffer_bytes(&answer));
}

/* Names in messages of their own, each in field 1 of the list. */
static Bytes names(const char *const *each, size_t n)
{
    Buffer list = buffer_in(arena);
    for (size_t i = 0; i < n; i++) {
        Buffer one = buffer_in(arena);
        wire_add_bytes(&one, 1, bytes_of(each[i]));
        wire_add_bytes(&list, 1, buffer_bytes(&one));
    }
    return buffer_bytes(&list);
}

static Bytes file(const char *name, const char *import)
{
    Buffer descriptor = buffer_in(arena);
    wire_add_bytes(&descriptor, 1, bytes_of(name));
    if (import)
        wire_add_bytes(&descriptor, 3, bytes_of(import));
    return buffer_bytes(&descriptor);
}

static Bytes in_list(Bytes one, Bytes other)
{
    Buffer list = buffer_in(arena);
    wire_add_bytes(&list, 1, one);
    if (other.data)
        wire_add_bytes(&list, 1, other);
    return buffer_bytes(&list);
}

static Result hear_file(const char *name, const char *import)
{
    return hear(SAY_FILES, in_list(file(name, import), BYTES_NONE));
}

static void begin_with_one_service(void)
{
    const char *services[] = {"notes.v1.Notes"};
    asks(ASK_SERVICES, "*");
    assert_ok(arena, hear(SAY_SERVICES, names(services, 1)));
    asks(ASK_SYMBOL, "notes.v1.Notes");
}

static void only_services_of_the_package_are_asked_for(void **state)
{
    const char *services[] = {"notes.v1.Notes",  "notes.v1.sub.Notes",
                              "notes.v10.Notes", "notes.v1.",
                              "notes.v1",        "grpc.reflection.v1.ServerReflection",
                              "notes.v1.Drafts"};
    asks(ASK_SERVICES, "*");
    assert_ok(arena, hear(SAY_SERVICES, names(services, 7)));
    asks(ASK_SYMBOL, "notes.v1.Notes");
    assert_ok(arena, hear_file("notes.proto", NULL));
    asks(ASK_SYMBOL, "notes.v1.Drafts");
    assert_ok(arena, hear_file("notes.proto", NULL));
    asks(0, NULL);
    size_t at = 0;
    Bytes name;
    assert_true(gathering_service(&gathering, &at, &name) && bytes_are(name, "notes.v1.Notes"));
    assert_true(gathering_service(&gathering, &at, &name) && bytes_are(name, "notes.v1.Drafts"));
    assert_false(gathering_service(&gathering, &at, &name));
}

static void without_a_package_all_services_are_asked_for_but_health_and_reflection(void **state)
{
    const char *services[] = {"notes.v1.Notes", "grpc.health.v1.Health",
                              "grpc.reflection.v1.ServerReflection",
                              "google.longrunning.Operations", "drafts.v2.Drafts"};
    gathering_begin(&gathering, arena, NULL, LIMIT);
    asks(ASK_SERVICES, "*");
    assert_ok(arena, hear(SAY_SERVICES, names(services, 5)));
    asks(ASK_SYMBOL, "notes.v1.Notes");
    assert_ok(arena, hear_file("notes.proto", NULL));
    asks(ASK_SYMBOL, "google.longrunning.Operations");
    assert_ok(arena, hear_file("operations.proto", NULL));
    asks(ASK_SYMBOL, "drafts.v2.Drafts");
    assert_ok(arena, hear_file("drafts.proto", NULL));
    asks(0, NULL);
}

static void an_instance_with_common_services_only_has_none_of_its_own(void **state)
{
    const char *services[] = {"grpc.health.v1.Health", "google.longrunning.Operations"};
    gathering_begin(&gathering, arena, NULL, LIMIT);
    asks(ASK_SERVICES, "*");
    Result r = hear(SAY_SERVICES, names(services, 2));
    assert_fault(r, FAULT_BAD_SCHEMA);
    assert_string_equal(r.error->doing, "it has no RPC service of its own; its services: "
                                        "grpc.health.v1.Health, google.longrunning.Operations");
}

static void mixins_are_asked_for_too_and_do_not_stand_for_the_package(void **state)
{
    static const char *const mixins[] = {"google.longrunning.Operations"};
    const char *services[] = {"google.longrunning.Operations", "google.longrunning.Other",
                              "notes.v1.Notes"};
    gathering.mixins = mixins;
    gathering.n_mixins = 1;
    asks(ASK_SERVICES, "*");
    assert_ok(arena, hear(SAY_SERVICES, names(services, 3)));
    asks(ASK_SYMBOL, "google.longrunning.Operations");
    assert_ok(arena, hear_file("google/longrunning/operations.proto", NULL));
    asks(ASK_SYMBOL, "notes.v1.Notes");
    assert_ok(arena, hear_file("notes.proto", NULL));
    asks(0, NULL);
}

static void a_mixin_alone_is_no_service_of_the_package(void **state)
{
    static const char *const mixins[] = {"google.longrunning.Operations"};
    const char *services[] = {"google.longrunning.Operations"};
    gathering.mixins = mixins;
    gathering.n_mixins = 1;
    asks(ASK_SERVICES, "*");
    Result r = hear(SAY_SERVICES, names(services, 1));
    assert_fault(r, FAULT_BAD_SCHEMA);
}

static void what_is_imported_is_asked_for_once_and_only_if_it_did_not_come_along(void **state)
{
    begin_with_one_service();
    assert_ok(arena, hear(SAY_FILES, in_list(file("notes.proto", "text.proto"),
                                             file("text.proto", "far.proto"))));
    asks(ASK_FILE, "far.proto");
    assert_ok(arena, hear_file("far.proto", "notes.proto"));
    asks(0, NULL);
    Buffer set = buffer_in(arena);
    wire_add_bytes(&set, 1, file("notes.proto", "text.proto"));
    wire_add_bytes(&set, 1, file("text.proto", "far.proto"));
    wire_add_bytes(&set, 1, file("far.proto", "notes.proto"));
    assert_true(bytes_equal(buffer_bytes(&set), buffer_bytes(&gathering.set)));
}

static Bytes error(uint64_t code)
{
    Buffer said = buffer_in(arena);
    wire_add_number(&said, 1, code);
    wire_add_bytes(&said, 2, bytes_of("not here"));
    return buffer_bytes(&said);
}

static void an_error_is_the_end_unless_the_file_is_protobufs_own(void **state)
{
    begin_with_one_service();
    assert_ok(arena, hear_file("notes.proto", "google/protobuf/any.proto"));
    asks(ASK_FILE, "google/protobuf/any.proto");
    assert_ok(arena, hear(SAY_ERROR, error(5)));
    asks(0, NULL);

    gathering_begin(&gathering, arena, "notes.v1", LIMIT);
    begin_with_one_service();
    assert_ok(arena, hear_file("notes.proto", "text.proto"));
    asks(ASK_FILE, "text.proto");
    Result r = hear(SAY_ERROR, error(5));
    assert_fault(r, FAULT_UPSTREAM_STATUS);
    assert_string_equal(
        r.error->doing,
        "the request for text.proto (imported by notes.proto) returned NOT_FOUND: not here");
}

static void all_answers_together_have_a_limit(void **state)
{
    begin_with_one_service();
    char name[2060];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_ok(arena, hear_file("notes.proto", name));
    asks(ASK_FILE, name);
    assert_fault(hear_file(name, "another.proto"), FAULT_UPSTREAM_TOO_LARGE);
}

static void an_answer_without_a_question_or_to_another_one_is_refused(void **state)
{
    assert_fault(hear_file("notes.proto", NULL), FAULT_UPSTREAM_MESSAGE);
    asks(ASK_SERVICES, "*");
    assert_fault(hear_file("notes.proto", NULL), FAULT_UPSTREAM_MESSAGE);
}

static void a_file_that_was_not_asked_for_alone_is_refused(void **state)
{
    begin_with_one_service();
    assert_ok(arena, hear_file("notes.proto", "text.proto"));
    asks(ASK_FILE, "text.proto");
    assert_fault(hear_file("other.proto", NULL), FAULT_UPSTREAM_MESSAGE);
}

static void two_files_of_one_name_are_refused(void **state)
{
    begin_with_one_service();
    Result r =
        hear(SAY_FILES, in_list(file("notes.proto", NULL), file("notes.proto", "text.proto")));
    assert_fault(r, FAULT_UPSTREAM_MESSAGE);
}

static void where_the_package_is_not_the_services_that_are_there_are_named(void **state)
{
    const char *services[] = {"notes.v2.Notes", "grpc.health.v1.Health"};
    asks(ASK_SERVICES, "*");
    Result r = hear(SAY_SERVICES, names(services, 2));
    assert_fault(r, FAULT_BAD_SCHEMA);
    assert_string_equal(r.error->doing,
                        "it has no RPC service in the package notes.v1; its services: "
                        "notes.v2.Notes, "
                        "grpc.health.v1.Health");
}

static void an_answer_cut_off_anywhere_is_refused(void **state)
{
    const char *services[] = {"notes.v1.Notes"};
    Buffer whole = buffer_in(arena);
    wire_add_bytes(&whole, SAY_SERVICES, names(services, 1));
    for (size_t size = 0; size < whole.size; size++) {
        gathering_begin(&gathering, arena, "notes.v1", LIMIT);
        asks(ASK_SERVICES, "*");
        assert_fault(gathering_take(&gathering, bytes(whole.data, size)), FAULT_UPSTREAM_MESSAGE);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_services_of_the_package_are_asked_for),
        TEST(without_a_package_all_services_are_asked_for_but_health_and_reflection),
        TEST(an_instance_with_common_services_only_has_none_of_its_own),
        TEST(mixins_are_asked_for_too_and_do_not_stand_for_the_package),
        TEST(a_mixin_alone_is_no_service_of_the_package),
        TEST(what_is_imported_is_asked_for_once_and_only_if_it_did_not_come_along),
        TEST(an_error_is_the_end_unless_the_file_is_protobufs_own),
        TEST(all_answers_together_have_a_limit),
        TEST(an_answer_without_a_question_or_to_another_one_is_refused),
        TEST(a_file_that_was_not_asked_for_alone_is_refused),
        TEST(two_files_of_one_name_are_refused),
        TEST(where_the_package_is_not_the_services_that_are_there_are_named),
        TEST(an_answer_cut_off_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
