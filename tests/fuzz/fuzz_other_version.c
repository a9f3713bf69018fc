/* A name and a path with a version that does not exist: what it would be in another version has
   that one's name in its place, and is otherwise the same. */
#include "base/arena.h"
#include "gateway/version/other_version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_VERSIONS = 4 };

static Service shop;
static Version versions[N_VERSIONS] = {
    {.name = "v1", .service = &shop, .package = "shop.orders.v1"},
    {.name = "v2", .index = 1, .service = &shop, .package = "shop.v2.orders"},
    {.name = "v10", .index = 2, .service = &shop, .package = "v10.orders"},
    {.name = "odd", .index = 3, .service = &shop, .package = "shop.orders"},
};
static Service shop = {.name = "orders", .versions = versions, .n_versions = N_VERSIONS};

/* `same` is `whole`, but for `said`, which is in `whole`. */
static void check(const Version *version, Bytes whole, Bytes said, Bytes same)
{
    size_t at = (size_t)(said.data - whole.data), name = strlen(version->name);
    CHECK(said.data >= whole.data && at + said.size <= whole.size);
    CHECK(same.size == whole.size - said.size + name);
    CHECK(bytes_equal(bytes_slice(same, 0, at), bytes_slice(whole, 0, at)));
    CHECK(bytes_are(bytes_slice(same, at, name), version->name));
    CHECK(bytes_equal(bytes_slice(same, at + name, same.size),
                      bytes_slice(whole, at + said.size, whole.size)));
    for (int i = 0; i < N_VERSIONS; i++)
        CHECK(!bytes_are(said, versions[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes text = bytes(data, size), said, same, again;
    for (int i = 0; i < N_VERSIONS; i++) {
        const Version *version = &versions[i];
        if (version_in_name(version, text, arena, &said, &same)) {
            check(version, text, said, same);
            CHECK(bytes_start_with(same, version->package));
            CHECK(!version_in_name(version, same, arena, &said, &again));
        }
        if (bytes_start_with(text, "/") && version_in_path(version, text, arena, &said, &same)) {
            check(version, text, said, same);
            CHECK(!version_in_path(version, same, arena, &said, &again));
        }
    }
    arena_free(arena);
    return 0;
}
