/*
 * OperationRequest: whatever a client asks of operations, in whatever form, an id that comes out is
 * one, what is read lies within the request, and a filter selects some states, and not all but
 * where it says nothing. What is read of protobuf is read again from the same JSON.
 *
 * The first byte selects method and form.
 */
#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/utf8.h"
#include "gateway/job/job_id.h"
#include "gateway/job_view/operation_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const methods[] = {"/google.longrunning.Operations/GetOperation",
                                      "/google.longrunning.Operations/ListOperations",
                                      "/google.longrunning.Operations/WaitOperation",
                                      "/google.longrunning.Operations/CancelOperation"};

static void check_filter(const OperationRequest *request, Arena *arena)
{
    JobFilter filter;
    Result r = operation_request_filter(request, arena, &filter);
    if (failed(r)) {
        error_ignore(r, "a filter may be wrong");
        return;
    }
    CHECK(filter.states < 1u << JOB_STATES && filter.states != (1u << JOB_STATES) - 1);
    CHECK(filter.most >= 1 && filter.most <= JOB_PAGE_MOST);
}

static void check_same_as_json(const OperationRequest *request, const Builtin *builtin,
                               Arena *arena)
{
    Buffer json = buffer_in(arena);
    OperationRequest again;
    Call call = {.dialect = DIALECT_CONNECT, .codec = CODEC_JSON};
    if (utf8_valid_prefix(request->name) != request->name.size)
        return;
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "name", request->name);
    buffer_add_byte(&json, '}');
    Result r = operation_request_read(&call, builtin, buffer_bytes(&json), arena, &again);
    CHECK(!failed(r) && bytes_equal(again.name, request->name) &&
          bytes_equal(again.id, request->id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Config config = {.n_jobs = 1};
    if (!size)
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes rest = bytes(data + 1, size - 1);
    Bytes query = rest, message = rest;
    bool is_rest = data[0] & 8;
    Call call = {.dialect = is_rest ? DIALECT_REST : DIALECT_GRPC,
                 .codec = data[0] & 4 || is_rest ? CODEC_JSON : CODEC_PROTO,
                 .path = bytes_of("/v1/operations/01jd00000000000000000000zz:wait")};
    if (is_rest) {
        bytes_split(&rest, '\n', &query);
        call.query = query;
        message = rest;
    }
    const Builtin *builtin = builtin_find(&config, bytes_of(methods[data[0] & 3]));
    OperationRequest request;
    Result r = operation_request_read(&call, builtin, message, arena, &request);
    error_ignore(r, "it may be wrong");
    if (!failed(r)) {
        CHECK(!request.id.size || job_id_is_valid(request.id));
        CHECK(request.page_size <= INT32_MAX);
        check_filter(&request, arena);
        if (call.codec == CODEC_PROTO)
            check_same_as_json(&request, builtin, arena);
    }
    arena_free(arena);
    return 0;
}
