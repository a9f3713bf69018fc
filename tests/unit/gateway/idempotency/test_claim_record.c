#include "gateway/idempotency/claim_record.h"

#include "adapters/schema/wire.h"
#include "tests/unit/check.h"

static Bytes written(Arena *arena, const ClaimRecord *record)
{
    Buffer out = buffer_in(arena);
    claim_record_write(record, &out);
    return bytes_copy(arena, buffer_bytes(&out));
}

static ClaimRecord some_record(Arena *arena)
{
    ClaimRecord record = {
        .prints = {{bytes_of("v1"), {{1, 2}}}, {bytes_of("v3"), {{3}}}},
        .n_prints = 2,
        .response = {.version = bytes_of("v3"),
                     .codec = CODEC_JSON,
                     .message = bytes_of("{\"id\":\"1\"}"),
                     .status = {.code = CODE_NOT_FOUND,
                                .service_code = 17,
                                .http_status = 404,
                                .of_rest = true,
                                .message = bytes_of("none"),
                                .details = bytes_of("\x08\x05")},
                     .metadata = fields_in(arena),
                     .trailers = fields_in(arena),
                     .at = 1234567890123456789,
                     .job = bytes_of("operations/7"),
                     .job_state = bytes_of("queued"),
                     .retry_after = 2},
    };
    fields_add(&record.response.metadata, bytes_of("x-one"), bytes_of("1"));
    fields_add(&record.response.metadata, bytes_of("x-one"), bytes_of(""));
    fields_add(&record.response.trailers, bytes_of("x-last"), bytes_of("z"));
    return record;
}

static void what_is_written_is_read_again(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ClaimRecord record = some_record(arena), read;
    assert_ok(arena, claim_record_read(written(arena, &record), arena, &read));
    const ClaimResponse *a = &record.response, *b = &read.response;
    assert_int_equal(read.n_prints, 2);
    assert_bytes(read.prints[0].version, "v1");
    assert_bytes(read.prints[1].version, "v3");
    for (int i = 0; i < 2; i++)
        assert_memory_equal(read.prints[i].print.bytes, record.prints[i].print.bytes,
                            FINGERPRINT_SIZE);
    assert_bytes(b->version, "v3");
    assert_false(b->too_large);
    assert_int_equal(b->codec, CODEC_JSON);
    assert_true(bytes_equal(a->message, b->message));
    assert_int_equal(b->status.code, CODE_NOT_FOUND);
    assert_int_equal(b->status.service_code, 17);
    assert_int_equal(b->status.http_status, 404);
    assert_true(b->status.of_rest);
    assert_bytes(b->status.message, "none");
    assert_bytes(b->status.details, "\x08\x05");
    assert_int_equal(b->metadata.n, 2);
    assert_bytes(b->metadata.items[0].value, "1");
    assert_int_equal(b->metadata.items[1].value.size, 0);
    assert_int_equal(b->trailers.n, 1);
    assert_bytes(b->trailers.items[0].name, "x-last");
    assert_int_equal(b->at, a->at);
    assert_bytes(b->job, "operations/7");
    assert_bytes(b->job_state, "queued");
    assert_int_equal(b->retry_after, 2);
    arena_free(arena);
}

static void a_call_that_runs_has_no_response(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ClaimRecord record = some_record(arena), read;
    record.response = (ClaimResponse){.at = 1};
    record.n_prints = 1;
    assert_ok(arena, claim_record_read(written(arena, &record), arena, &read));
    assert_int_equal(read.n_prints, 1);
    assert_int_equal(read.response.version.size, 0);
    arena_free(arena);
}

/* Each beginning of a record is read, or refused; none reads beyond. */
static void a_record_that_was_cut_off_is_refused_or_has_no_response(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ClaimRecord record = some_record(arena), read;
    Bytes whole = written(arena, &record);
    for (size_t size = 0; size < whole.size; size++) {
        Bytes part = bytes_copy(arena, bytes_slice(whole, 0, size));
        Result r = claim_record_read(part, arena, &read);
        if (!failed(r))
            assert_int_equal(read.response.version.size, 0);
    }
    arena_free(arena);
}

static void refused(Arena *arena, ClaimRecord record)
{
    ClaimRecord read;
    assert_fault(claim_record_read(written(arena, &record), arena, &read), FAULT_STORE_DAMAGED);
}

static void what_cannot_be_is_refused(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ClaimRecord record = some_record(arena), read;
    record.n_prints = 0;
    refused(arena, record);
    record = some_record(arena);
    record.prints[0].version = bytes_of("");
    refused(arena, record);
    record = some_record(arena);
    record.response.codec = CODEC_COUNT;
    refused(arena, record);
    record = some_record(arena);
    record.response.status.code = CODE_COUNT;
    refused(arena, record);
    record = some_record(arena);
    record.response.status.http_status = 199;
    refused(arena, record);
    record.response.status.http_status = 600;
    refused(arena, record);
    record.response.status.http_status = 599;
    assert_ok(arena, claim_record_read(written(arena, &record), arena, &read));
    Buffer three = buffer_in(arena);
    record.response.version = BYTES_NONE;
    for (int i = 0; i < 2; i++) /* more prints than there are places */
        claim_record_write(&record, &three);
    assert_fault(claim_record_read(buffer_bytes(&three), arena, &read), FAULT_STORE_DAMAGED);
    arena_free(arena);
}

static void what_a_later_gateway_adds_is_skipped(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ClaimRecord record = some_record(arena), read;
    Buffer more = buffer_in(arena);
    wire_add_number(&more, 99, 7);
    claim_record_write(&record, &more);
    wire_add_bytes(&more, 100, bytes_of("new"));
    assert_ok(arena, claim_record_read(buffer_bytes(&more), arena, &read));
    assert_bytes(read.response.version, "v3");
    arena_free(arena);
}

/* "v1:a v3:b": the prints in these versions. */
static ClaimRecord prints_of(Arena *arena, const char *text)
{
    ClaimRecord record = {.n_prints = 0};
    Bytes rest = bytes_of(text), one;
    while (rest.size && bytes_split(&rest, ' ', &one)) {
        ClaimPrint *print = &record.prints[record.n_prints++];
        print->version = bytes_copy(arena, bytes_slice(one, 0, 2));
        print->print.bytes[0] = one.data[3];
    }
    return record;
}

static void requests_are_compared_in_the_clients_version_or_the_newest_that_both_have(void **state)
{
    static const struct {
        const char *recorded, *asked;
        RequestLikeness likeness;
    } rows[] = {
        {"v1:a v3:b", "v1:a v3:b", LIKENESS_SAME},
        {"v1:a v3:b", "v1:x v3:b", LIKENESS_OTHER}, /* what v3 cannot say counts, too */
        {"v1:a v3:b", "v1:a v3:x", LIKENESS_SAME},
        {"v1:a v3:b", "v2:x v3:b", LIKENESS_SAME},
        {"v1:a v3:b", "v2:x v3:y", LIKENESS_OTHER},
        {"v2:a v3:b", "v4:x v2:a", LIKENESS_SAME}, /* v3 is gone, or cannot say it */
        {"v2:a v3:b", "v3:b", LIKENESS_SAME},
        {"v2:a v3:b", "v3:a", LIKENESS_OTHER},
        {"v3:b", "v1:a", LIKENESS_UNKNOWN},
        {"", "v1:a", LIKENESS_UNKNOWN},
        {"v1:a", "", LIKENESS_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        ClaimRecord recorded = prints_of(arena, rows[i].recorded);
        ClaimRecord asked = prints_of(arena, rows[i].asked);
        assert_int_equal(claim_record_compare(&recorded, &asked), rows[i].likeness);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_call_that_runs_has_no_response),
        cmocka_unit_test(a_record_that_was_cut_off_is_refused_or_has_no_response),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(what_a_later_gateway_adds_is_skipped),
        cmocka_unit_test(requests_are_compared_in_the_clients_version_or_the_newest_that_both_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
