#include "gateway/identity/known_client.h"

#include "base/arena.h"
#include "gateway/memory/accounts.h"

KnownClient *known_client_new(const Identity *identity, const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    KnownClient *client = arena_make(arena, KnownClient);
    const Identity *copy = identity_copy(identity, arena);
    CHECK(client && copy);
    *client = (KnownClient){.identity = *copy,
                            .shown = identity_shown(copy, config, arena),
                            .members = buffer_in(arena),
                            .place = identity_place(copy, &(IpAddress){.known = false}),
                            .arena = arena,
                            .n_holders = 1};
    client->identity.known = client;
    client->hash = bytes_hash(client->shown);
    client->account = account_open(&client->place);
    return client;
}

void known_client_release(KnownClient *client)
{
    if (--client->n_holders)
        return;
    account_close(client->account);
    arena_free(client->arena);
}
