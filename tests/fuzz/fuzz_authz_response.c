/*
 * Whatever a policy server says: what is read of it is within its limits, and no change that is
 * made by it can be written as anything else than the one field that it names.
 */
#include "base/arena.h"
#include "base/text/utf8.h"
#include "gateway/authz/authz_response.h"
#include "protocols/http/http_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_changes(const AuthzChanges *changes)
{
    for (uint32_t i = 0; i < changes->n; i++) {
        const AuthzChange *change = &changes->items[i];
        Field field = {change->name, change->value};
        CHECK(change->action <= AUTHZ_REMOVE);
        CHECK(http_may_go_out(&field));
        CHECK(!bytes_are(change->name, "host") && change->name.data[0] != ':');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const PolicyServer server = {.name = "opa", .message_bytes = 16, .fields = 5};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    Result r = authz_response_read(&server, bytes(data, size), arena, &said);
    if (!failed(r)) {
        CHECK(said.http_status >= 300 && said.http_status <= 599);
        CHECK(said.request.n + said.response.n + said.n_unfit <= server.fields);
        CHECK(said.allowed || !said.request.n);
        CHECK(utf8_valid(said.message) && said.message.size <= 3 * server.message_bytes);
        check_changes(&said.request);
        check_changes(&said.response);
    }
    arena_free(arena);
    return 0;
}
