#include "gateway/job_view/operation_request.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define ID "01jd00000000000000000000zz"
#define NAME "operations/" ID

static Arena *arena;
static OperationRequest request;

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

static Result read_as(Dialect dialect, Codec codec, const char *method, const char *path,
                      const char *query, Bytes message)
{
    static const Config config = {.n_jobs = 1};
    Call call = {
        .dialect = dialect, .codec = codec, .path = bytes_of(path), .query = bytes_of(query)};
    Bytes rpc = bytes_of(arena_printf(arena, "/google.longrunning.Operations/%s", method));
    return operation_request_read(&call, builtin_find(&config, rpc), message, arena, &request);
}

#define READ_WIRE(method, literal)                                                                 \
    read_as(DIALECT_GRPC, CODEC_PROTO, method, "", "", bytes(literal, sizeof literal - 1))
#define READ_JSON(method, text) read_as(DIALECT_GRPC, CODEC_JSON, method, "", "", bytes_of(text))
#define READ_REST(method, path, query, text)                                                       \
    read_as(DIALECT_REST, CODEC_JSON, method, path, query, bytes_of(text))

static void a_name_is_read_in_each_form(void **state)
{
    assert_ok(arena, READ_WIRE("GetOperation", "\n\45" NAME));
    assert_bytes(request.name, NAME);
    assert_bytes(request.id, ID);
    assert_int_equal(request.timeout, NO_TIMEOUT);
    assert_ok(arena, READ_JSON("GetOperation", "{\"name\": \"" NAME "\"}"));
    assert_bytes(request.id, ID);
    assert_ok(arena, READ_REST("GetOperation", "/v1/" NAME, "", ""));
    assert_bytes(request.id, ID);
    assert_ok(arena, READ_REST("CancelOperation", "/v1/" NAME ":cancel", "", "{}"));
    assert_bytes(request.name, NAME);
    assert_bytes(request.id, ID);
}

static void another_name_is_of_no_job(void **state)
{
    static const char *const names[] = {ID,
                                        "operations/",
                                        "operations/x",
                                        "sites/" ID,
                                        "operations/01JD00000000000000000000ZZ",
                                        NAME "/x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_ok(arena,
                  READ_JSON("GetOperation", arena_printf(arena, "{\"name\": \"%s\"}", names[i])));
        assert_bytes(request.name, names[i]);
        assert_int_equal(request.id.size, 0);
    }
    assert_ok(arena, READ_JSON("GetOperation", "{}"));
    assert_int_equal(request.id.size, 0);
}

static void the_path_says_the_name_whatever_the_body_says(void **state)
{
    assert_ok(arena, READ_REST("CancelOperation", "/v1/operations/x:cancel", "",
                               "{\"name\": \"" NAME "\"}"));
    assert_bytes(request.name, "operations/x");
}

static void a_list_has_a_page(void **state)
{
    assert_ok(arena, READ_WIRE("ListOperations", "\n\4done\20\7\32\2ab\42\12operations"));
    assert_bytes(request.filter, "done");
    assert_int_equal(request.page_size, 7);
    assert_bytes(request.page_token, "ab");
    assert_bytes(request.name, "operations");
    assert_ok(arena, READ_REST("ListOperations", "/v1/operations",
                               "pageSize=7&page_token=ab&filter=done%3Dtrue&$alt=json", ""));
    assert_bytes(request.filter, "done=true");
    assert_int_equal(request.page_size, 7);
    assert_bytes(request.page_token, "ab");
}

static void a_wait_has_a_time(void **state)
{
    assert_ok(arena, READ_WIRE("WaitOperation", "\22\10\10\2\20\200\312\265\356\1"));
    assert_true(request.timeout == 2 * SECOND + 500 * MILLISECOND);
    assert_ok(arena, READ_JSON("WaitOperation", "{\"timeout\": \"2.5s\"}"));
    assert_true(request.timeout == 2 * SECOND + 500 * MILLISECOND);
    assert_ok(arena, READ_REST("WaitOperation", "/v1/" NAME ":wait", "timeout=2.5s", ""));
    assert_true(request.timeout == 2 * SECOND + 500 * MILLISECOND);
    assert_ok(arena, READ_JSON("WaitOperation", "{\"timeout\": \"315576000000s\"}"));
    assert_int_equal(request.timeout, NO_TIMEOUT);
}

static void what_is_no_request_is_refused(void **state)
{
    assert_fault(READ_WIRE("GetOperation", "\n\45oper"), FAULT_BAD_MESSAGE);
    assert_fault(READ_WIRE("GetOperation", "\10\1"), FAULT_BAD_MESSAGE);
    assert_fault(READ_WIRE("ListOperations", "\20\377\377\377\377\377\377\377\377\377\1"),
                 FAULT_BAD_MESSAGE);
    assert_fault(READ_WIRE("WaitOperation", "\22\13\10\377\377\377\377\377\377\377\377\177"),
                 FAULT_BAD_MESSAGE);
    assert_fault(READ_JSON("GetOperation", "{"), FAULT_BAD_JSON);
    assert_fault(READ_JSON("GetOperation", "[]"), FAULT_BAD_JSON);
    assert_fault(READ_JSON("GetOperation", "{\"name\": {}}"), FAULT_BAD_VALUE);
    assert_fault(READ_JSON("GetOperation", "{\"nam\": \"x\"}"), FAULT_UNKNOWN_FIELD);
    assert_fault(READ_JSON("GetOperation", "{\"timeout\": \"1s\"}"), FAULT_UNKNOWN_FIELD);
    assert_fault(READ_JSON("WaitOperation", "{\"timeout\": \"soon\"}"), FAULT_BAD_VALUE);
    assert_fault(READ_JSON("ListOperations", "{\"pageSize\": -1}"), FAULT_BAD_VALUE);
    assert_fault(READ_REST("ListOperations", "/v1/operations", "page=1", ""), FAULT_UNKNOWN_FIELD);
    assert_fault(READ_REST("ListOperations", "/v1/operations", "filter=%", ""), FAULT_BAD_REQUEST);
}

static void fields_of_newer_clients_are_ignored_in_protobuf(void **state)
{
    assert_ok(arena, READ_WIRE("ListOperations", "\50\1\20\3"));
    assert_int_equal(request.page_size, 3);
}

/* ---- Filters --------------------------------------------------------------------------------- */

static Result filter(const char *text, JobFilter *out)
{
    OperationRequest asked = {.filter = bytes_of(text)};
    return operation_request_filter(&asked, arena, out);
}

#define ENDED (1u << JOB_FAILED | 1u << JOB_UNDONE | 1u << JOB_DONE)
#define ALL ((1u << JOB_STATES) - 1)

static void filters_select_by_state(void **state)
{
    static const struct {
        const char *text;
        uint32_t states;
    } cases[] = {
        {"", 0},
        {"done = true", ENDED},
        {"done:true", ENDED},
        {"done=false", ALL & ~ENDED},
        {"done != false", ENDED},
        {"state = running", 1u << JOB_RUNNING},
        {"state=\"failed\"", 1u << JOB_FAILED},
        {"state != done AND done = true", ENDED & ~(1u << JOB_DONE)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        JobFilter out;
        assert_ok(arena, filter(cases[i].text, &out));
        assert_int_equal(out.states, cases[i].states);
    }
}

static void filters_of_other_kinds_are_refused(void **state)
{
    static const char *const texts[] = {
        "x",        "done",        "done = maybe",     "state = gone",
        "name = x", "done ! true", "done = true AND ", "done = true AND done = false",
        "= true",   "state = \""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        JobFilter out;
        assert_fault(filter(texts[i], &out), FAULT_BAD_VALUE);
    }
}

static void a_page_has_a_size_and_a_beginning(void **state)
{
    JobFilter out;
    assert_ok(arena, filter("", &out));
    assert_int_equal(out.most, OPERATION_PAGE);
    OperationRequest asked = {.page_size = 1000000, .page_token = bytes_of(ID)};
    assert_ok(arena, operation_request_filter(&asked, arena, &out));
    assert_int_equal(out.most, OPERATION_PAGE);
    asked.page_size = OPERATION_PAGE - 1;
    assert_ok(arena, operation_request_filter(&asked, arena, &out));
    assert_int_equal(out.most, OPERATION_PAGE - 1);
    assert_bytes(out.after, ID);
    asked.page_token = bytes_of("x");
    assert_fault(operation_request_filter(&asked, arena, &out), FAULT_BAD_VALUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_read_in_each_form),
        TEST(another_name_is_of_no_job),
        TEST(the_path_says_the_name_whatever_the_body_says),
        TEST(a_list_has_a_page),
        TEST(a_wait_has_a_time),
        TEST(what_is_no_request_is_refused),
        TEST(fields_of_newer_clients_are_ignored_in_protobuf),
        TEST(filters_select_by_state),
        TEST(filters_of_other_kinds_are_refused),
        TEST(a_page_has_a_size_and_a_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
