/*
 * Forwarding: each line is a field of a request that a stranger sends, and then a trusted proxy. A
 * stranger's word does not go on, whatever it is; the gateway's own fields come once; each gateway
 * adds one hop.
 */
#include "base/arena.h"
#include "gateway/headers/forwarding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t count(const Fields *fields, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        n += bytes_are(fields->items[i].name, name);
    return n;
}

static void check(const Fields *fields, bool trusted, ForwardingKind kind, Arena *arena)
{
    Forwarding forwarding = {.self = "passerelle-0123456789abcdef",
                             .peer = "192.0.2.1:4711",
                             .trusted = trusted},
               again = forwarding;
    Fields rest, out = fields_in(arena), left;
    const BaggageConfig baggage = {.members = 2, .bytes = 16, .strangers = true};
    CHECK(!failed(forwarding_read(&forwarding, fields, (const char *const[]){"x-client", NULL},
                                  &baggage, arena, arena, &rest)));
    CHECK(rest.n <= fields->n && (trusted || !fields_get(&rest, "x-client").data));
    forwarding_write(&forwarding, kind, bytes_of("shop.example"), 2, bytes_of("id"), &out);
    CHECK(count(&rest, "x-forwarded-for") == 0 && count(&rest, "x-request-id") == 0 &&
          count(&rest, "via") == 0);
    CHECK(count(&out, "x-forwarded-for") == 1 && count(&out, "x-request-id") == 1);
    Bytes chain = fields_get(&out, "x-forwarded-for");
    CHECK(trusted ? bytes_end_with(chain, "192.0.2.1") : bytes_are(chain, "192.0.2.1"));

    /* The next gateway reads one hop more. */
    CHECK(!failed(forwarding_read(&again, &out, NULL, &baggage, arena, arena, &left)));
    CHECK(again.hops == forwarding.hops + 1 && again.passed_us);

    IpRange range;
    CHECK(ip_range_read(bytes_of("10.0.0.0/8"), &range));
    CHECK(forwarding_client(&forwarding, &(TrustedPeers){.ranges = &range, .n = 1}).size > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields = fields_in(arena);
    Bytes text = bytes(data, size), line;
    while (bytes_split(&text, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        if (colon)
            fields_add(&fields, bytes_slice(line, 0, colon),
                       bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX)));
    }
    for (int i = 0; i < 4; i++)
        check(&fields, i & 1, i & 2 ? FORWARDING_RPC : FORWARDING_HTTP, arena);
    arena_free(arena);
    return 0;
}
