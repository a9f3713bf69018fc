#include "gateway/dial/dial_request.h"

#include "base/file/file.h"
#include "tests/unit/check.h"

#include <unistd.h>

static Arena *arena;

static int setup(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static Result read_one(const char *argument, DialRequest *request)
{
    char *arguments[] = {(char *)(uintptr_t)argument};
    return dial_request_read(arena, arguments, 1, request);
}

static void fields_and_messages_are_told_apart(void **state)
{
    char *arguments[] = {"id=7", "buyer.id=a=b", "note=", "{\"id\": \"8\"} {}", "tags=x", "tags=y"};
    DialRequest request;
    assert_ok(arena, dial_request_read(arena, arguments, 6, &request));
    static const char *const fields[][2] = {
        {"id", "7"}, {"buyer.id", "a=b"}, {"note", ""}, {"tags", "x"}, {"tags", "y"}};
    assert_int_equal(request.n_fields, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_bytes(request.fields[i].field_path, fields[i][0]);
        assert_bytes(request.fields[i].text, fields[i][1]);
    }
    assert_int_equal(request.n, 2);
    assert_bytes(request.messages[0], "{\"id\": \"8\"}");
    assert_bytes(request.messages[1], "{}");
}

static void without_arguments_there_is_nothing(void **state)
{
    DialRequest request;
    assert_ok(arena, dial_request_read(arena, NULL, 0, &request));
    assert_int_equal(request.n + request.n_fields, 0);
}

static void a_file_has_messages_one_behind_the_other(void **state)
{
    const char *path = arena_printf(arena, "/tmp/test_dial_request.%d", (int)getpid());
    const char *argument = arena_printf(arena, "@%s", path);
    DialRequest request;
    assert_ok(arena, file_replace(arena, path, bytes_of("{\"a\":1}\n\n[2]{\"b\":3}\n"), NULL));
    assert_ok(arena, read_one(argument, &request));
    assert_int_equal(request.n, 3);
    assert_bytes(request.messages[1], "[2]");
    assert_bytes(request.messages[2], "{\"b\":3}");
    assert_ok(arena, file_replace(arena, path, bytes_of(" \n"), NULL));
    assert_ok(arena, read_one(argument, &request));
    assert_int_equal(request.n, 0);
    unlink(path);
    assert_fault(read_one(argument, &request), FAULT_NO_FILE);
}

static void what_is_none_of_them_is_told(void **state)
{
    static const char *const rows[] = {"id", "=7", ""};
    DialRequest request;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Result r = read_one(rows[i], &request);
        assert_fault(r, FAULT_BAD_VALUE);
        assert_non_null(strstr(error_text(arena, r), "is neither field=value nor JSON"));
    }
}

static void json_that_is_none_is_told_with_its_place(void **state)
{
    DialRequest request;
    Result r = read_one("{\"id\": }", &request);
    assert_fault(r, FAULT_BAD_JSON);
    assert_non_null(strstr(error_text(arena, r), "reading the argument"));
    assert_fault(read_one("{\"id\": 7", &request), FAULT_BAD_JSON);
    assert_fault(read_one("{} x", &request), FAULT_BAD_JSON);
}

static void there_is_a_most_of_messages(void **state)
{
    Buffer text = buffer_in(arena);
    DialRequest request;
    for (int i = 0; i < DIAL_MESSAGES_MOST; i++)
        buffer_add_text(&text, "{}");
    assert_ok(arena, read_one(arena_text(arena, buffer_bytes(&text)), &request));
    assert_int_equal(request.n, DIAL_MESSAGES_MOST);
    buffer_add_text(&text, "{}");
    assert_fault(read_one(arena_text(arena, buffer_bytes(&text)), &request), FAULT_BAD_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_and_messages_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(without_arguments_there_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_has_messages_one_behind_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_none_of_them_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(json_that_is_none_is_told_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_a_most_of_messages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
