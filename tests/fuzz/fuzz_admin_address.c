/* An address is a path, or a host with a port that is one. Written again, it is the same. */
#include "base/arena.h"
#include "gateway/remote/admin_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(Arena *arena, const AdminAddress *address)
{
    AdminAddress again;
    uint64_t port;
    CHECK(*address->host && bytes_to_u64(bytes_of(address->port), &port) && port > 0 &&
          port <= UINT16_MAX);
    bool ip6 = strchr(address->host, ':') != NULL;
    const char *text = arena_printf(arena, "%s%s%s%s:%s", address->tls ? "https://" : "http://",
                                    ip6 ? "[" : "", address->host, ip6 ? "]" : "", address->port);
    CHECK(admin_address_read(arena, text, &again));
    CHECK(strcmp(again.host, address->host) == 0 && strcmp(again.port, address->port) == 0 &&
          again.tls == address->tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AdminAddress address;
    if (admin_address_read(arena, arena_text(arena, bytes(data, size)), &address)) {
        CHECK(!address.path != !address.host && !address.host == !address.port);
        CHECK(!address.path || *address.path);
        if (address.host)
            check_host(arena, &address);
    }
    arena_free(arena);
    return 0;
}
