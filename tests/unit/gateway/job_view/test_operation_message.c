#include "gateway/job_view/operation_message.h"

#include "adapters/schema/wire.h"
#include "base/clock.h"
#include "tests/unit/check.h"

#define ID "01jd00000000000000000000zz"

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static JobRecord record_in(JobState job_state)
{
    return (JobRecord){.id = bytes_of(ID),
                       .definition = bytes_of("hosting.Sites/Create"),
                       .step = bytes_of("reserve"),
                       .created = 1000 * SECOND + 5,
                       .changed = 2000 * SECOND,
                       .position = {.state = job_state}};
}

static Bytes with_metadata(const JobRecord *record, Bytes operation)
{
    Buffer out = buffer_in(arena);
    operation_add_metadata(record, operation, &out);
    return buffer_bytes(&out);
}

static Bytes json_of(Bytes operation)
{
    Buffer out = buffer_in(arena);
    operation_write_json(operation, NULL, &out);
    return buffer_bytes(&out);
}

/* The texts of a google.protobuf.Struct: "a=1 b=2 ". */
static Bytes texts_of(Bytes any)
{
    assert_bytes(wire_find_bytes(any, 1), "type.googleapis.com/google.protobuf.Struct");
    Buffer out = buffer_in(arena);
    WireReader reader = wire_reader(wire_find_bytes(any, 2));
    for (WireField f; wire_next(&reader, &f);) {
        Bytes key = wire_find_bytes(f.bytes, 1);
        Bytes value = wire_find_bytes(wire_find_bytes(f.bytes, 2), 3);
        buffer_printf(&out, "%.*s=%.*s ", BYTES_ARGS(key), BYTES_ARGS(value));
    }
    assert_false(reader.bad);
    return buffer_bytes(&out);
}

static void an_operation_gets_the_state_of_its_job_as_metadata(void **state)
{
    JobRecord record = record_in(JOB_RUNNING);
    Bytes operation = with_metadata(&record, bytes_of("\n\14operations/x"));
    assert_bytes(wire_find_bytes(operation, 1), "operations/x");
    assert_bytes(texts_of(wire_find_bytes(operation, 2)),
                 "state=running step=reserve method=hosting.Sites/Create "
                 "createTime=1970-01-01T00:16:40.000000005Z updateTime=1970-01-01T00:33:20Z ");
}

static void what_is_not_known_yet_is_not_told(void **state)
{
    JobRecord record = record_in(JOB_QUEUED);
    record.step = BYTES_NONE;
    record.changed = 0;
    Bytes operation = with_metadata(&record, bytes_of("\n\14operations/x"));
    assert_bytes(texts_of(wire_find_bytes(operation, 2)),
                 "state=queued method=hosting.Sites/Create "
                 "createTime=1970-01-01T00:16:40.000000005Z ");
}

static void metadata_of_its_own_stays(void **state)
{
    JobRecord record = record_in(JOB_RUNNING);
    Bytes operation = bytes_of("\n\14operations/x\22\4\n\2ab");
    assert_true(bytes_equal(with_metadata(&record, operation), operation));
}

static void a_job_whose_definition_is_gone_is_told_without_a_response(void **state)
{
    static const struct Told {
        JobState state;
        const char *rest;
    } told[] = {
        {JOB_RUNNING, "}"},
        {JOB_DONE, ",\"done\":true}"},
        {JOB_FAILED, ",\"done\":true,\"error\":{\"code\":5,\"message\":\"no\"}}"},
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        JobRecord record = record_in(told[i].state);
        JobSources sources = {.id = record.id,
                              .position = &record.position,
                              .code = CODE_NOT_FOUND,
                              .reason = bytes_of("no")};
        Buffer out = buffer_in(arena);
        operation_write_bare(&sources, &out);
        assert_bytes(json_of(buffer_bytes(&out)),
                     arena_printf(arena, "{\"name\":\"operations/" ID "\"%s", told[i].rest));
    }
}

static void errors_and_responses_are_told_in_json(void **state)
{
    /* error: {code: 5, message: "\"no\"", details: [{ab, x}, {cd, y}]} */
    assert_bytes(json_of(bytes_of("\n\1x\30\1\42\32\10\5\22\4\"no\"\32\7\n\2ab\22\1x"
                                  "\32\7\n\2cd\22\1y")),
                 "{\"name\":\"x\",\"done\":true,\"error\":{\"code\":5,\"message\":\"\\\"no\\\"\","
                 "\"details\":[{\"@type\":\"ab\",\"value\":\"eA==\"},"
                 "{\"@type\":\"cd\",\"value\":\"eQ==\"}]}}");
    assert_bytes(json_of(bytes_of("\n\1x\30\1\52\7\n\2ab\22\1x")),
                 "{\"name\":\"x\",\"done\":true,\"response\":{\"@type\":\"ab\","
                 "\"value\":\"eA==\"}}");
}

static void a_list_is_written_in_both_codecs(void **state)
{
    OperationList list = operation_list_in(arena, CODEC_PROTO);
    operation_list_add(&list, bytes_of("ab"));
    operation_list_add(&list, bytes_of("cd"));
    operation_list_end(&list, bytes_of("t"));
    assert_bytes(buffer_bytes(&list.out), "\n\2ab\n\2cd\22\1t");
    list = operation_list_in(arena, CODEC_JSON);
    operation_list_add(&list, bytes_of("{}"));
    operation_list_add(&list, bytes_of("{}"));
    operation_list_end(&list, bytes_of("t"));
    assert_bytes(buffer_bytes(&list.out), "{\"operations\":[{},{}],\"nextPageToken\":\"t\"}");
}

static void an_empty_list_has_no_token(void **state)
{
    OperationList list = operation_list_in(arena, CODEC_PROTO);
    operation_list_end(&list, BYTES_NONE);
    assert_int_equal(list.out.size, 0);
    list = operation_list_in(arena, CODEC_JSON);
    operation_list_end(&list, BYTES_NONE);
    assert_bytes(buffer_bytes(&list.out), "{\"operations\":[]}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_gets_the_state_of_its_job_as_metadata),
        TEST(what_is_not_known_yet_is_not_told),
        TEST(metadata_of_its_own_stays),
        TEST(a_job_whose_definition_is_gone_is_told_without_a_response),
        TEST(errors_and_responses_are_told_in_json),
        TEST(a_list_is_written_in_both_codecs),
        TEST(an_empty_list_has_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
