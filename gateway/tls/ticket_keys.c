#include "gateway/tls/ticket_keys.h"

#include <openssl/crypto.h>

/* Only a build with the same layout reads what another one has written. */
static const char layout[8] = "tickets1";

bool ticket_keys_are_due(const TicketKeys *keys, int64_t now, int64_t period)
{
    return keys->n == 0 || now < keys->keys[0].made || now - keys->keys[0].made >= period;
}

void ticket_keys_add(TicketKeys *keys, int64_t now, const uint8_t *random)
{
    TicketKey *key = &keys->keys[0];
    memmove(&keys->keys[1], key, (TICKET_KEYS - 1) * sizeof *key);
    keys->n += keys->n < TICKET_KEYS;
    key->made = now;
    memcpy(key->name, random, TICKET_NAME);
    memcpy(key->cipher, random + TICKET_NAME, TICKET_SECRET);
    memcpy(key->mac, random + TICKET_NAME + TICKET_SECRET, TICKET_SECRET);
}

void ticket_keys_forget(TicketKeys *keys, int64_t now, int64_t period)
{
    while (keys->n && now - keys->keys[keys->n - 1].made >= TICKET_KEYS * period)
        OPENSSL_cleanse(&keys->keys[--keys->n], sizeof keys->keys[0]);
}

const TicketKey *ticket_keys_find(const TicketKeys *keys, const uint8_t *name)
{
    for (uint32_t i = 0; i < keys->n; i++)
        if (memcmp(keys->keys[i].name, name, TICKET_NAME) == 0)
            return &keys->keys[i];
    return NULL;
}

void ticket_keys_write(const TicketKeys *keys, Buffer *out)
{
    buffer_add(out, layout, sizeof layout);
    buffer_add(out, keys->keys, keys->n * sizeof keys->keys[0]);
}

bool ticket_keys_read(Bytes text, TicketKeys *keys)
{
    size_t size = text.size - sizeof layout;
    if (text.size < sizeof layout || memcmp(text.data, layout, sizeof layout) != 0 ||
        size % sizeof keys->keys[0] != 0 || size > sizeof keys->keys)
        return false;
    keys->n = (uint32_t)(size / sizeof keys->keys[0]);
    memcpy(keys->keys, text.data + sizeof layout, size);
    return true;
}
