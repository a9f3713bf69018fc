#include "gateway/store/seal.h"

#include "base/arena.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

enum { PLAIN, SEALED };
enum { NONCE_SIZE = 12, TAG_SIZE = 16, PIECE_MOST = 1 << 30 /* OpenSSL counts in int */ };

/* ---- The cipher ------------------------------------------------------------------------------ */

typedef struct Cipher {
    EVP_CIPHER_CTX *context;
    bool encrypts;
} Cipher;

static Cipher cipher_begin(bool encrypts, const uint8_t *key, const uint8_t *nonce)
{
    Cipher cipher = {EVP_CIPHER_CTX_new(), encrypts};
    CHECK(cipher.context);
    CHECK(EVP_CipherInit_ex(cipher.context, EVP_aes_256_gcm(), NULL, key, nonce, encrypts) == 1);
    return cipher;
}

/* `out` NULL: additional data. Neither direction of GCM can fail before its end. */
static void cipher_add(const Cipher *cipher, Bytes in, uint8_t *out)
{
    for (Bytes piece; in.size; in = bytes_slice(in, piece.size, in.size)) {
        int size;
        piece = bytes_slice(in, 0, PIECE_MOST);
        CHECK(EVP_CipherUpdate(cipher->context, out, &size, piece.data, (int)piece.size) == 1);
        out = out ? out + size : NULL;
    }
}

/* With its length before it: no two places have the same bytes. */
static void cipher_add_part(const Cipher *cipher, Bytes part)
{
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)(part.size >> 8 * i);
    cipher_add(cipher, bytes(size, sizeof size), NULL);
    cipher_add(cipher, part, NULL);
}

static void cipher_add_place(const Cipher *cipher, Bytes head, const SealPlace *place)
{
    cipher_add_part(cipher, head);
    cipher_add_part(cipher, bytes_of(place->table));
    cipher_add_part(cipher, bytes_of(place->column));
    cipher_add_part(cipher, place->row);
}

/* The tag is written, or compared. */
static bool cipher_end(Cipher *cipher, uint8_t tag[TAG_SIZE])
{
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int size;
    if (!cipher->encrypts)
        CHECK(EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1);
    bool good = EVP_CipherFinal_ex(cipher->context, rest, &size) == 1;
    if (cipher->encrypts)
        CHECK(good && EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag));
    EVP_CIPHER_CTX_free(cipher->context);
    return good;
}

/* ---- Sealing --------------------------------------------------------------------------------- */

void seal(const StoreKeys *keys, const SealPlace *place, Bytes payload, Buffer *out)
{
    if (!keys->n) {
        buffer_add_byte(out, PLAIN);
        buffer_add_bytes(out, payload);
        return;
    }
    const StoreKey *key = &keys->keys[0];
    uint8_t nonce[NONCE_SIZE];
    CHECK(RAND_bytes(nonce, sizeof nonce) == 1);
    size_t id_size = strlen(key->id), start = out->size;
    if (!buffer_reserve(out, SEAL_MORE + payload.size))
        return;
    buffer_add_byte(out, SEALED);
    buffer_add_byte(out, (uint8_t)id_size);
    buffer_add(out, key->id, id_size);
    Bytes head = bytes(out->data + start, out->size - start);
    buffer_add(out, nonce, sizeof nonce);

    Cipher cipher = cipher_begin(true, key->key, nonce);
    cipher_add_place(&cipher, head, place);
    cipher_add(&cipher, payload, out->data + out->size);
    out->size += payload.size;
    cipher_end(&cipher, out->data + out->size);
    out->size += TAG_SIZE;
}

/* ---- Opening --------------------------------------------------------------------------------- */

typedef struct SealParts {
    Bytes head, id, nonce, ciphertext, tag;
} SealParts;

static bool part(Bytes stored, SealParts *parts)
{
    if (stored.size < 2)
        return false;
    size_t id_size = stored.data[1], head_size = 2 + id_size;
    if (stored.data[0] != SEALED || stored.size < head_size + NONCE_SIZE + TAG_SIZE)
        return false;
    size_t size = stored.size - head_size - NONCE_SIZE - TAG_SIZE;
    parts->head = bytes_slice(stored, 0, head_size);
    parts->id = bytes_slice(stored, 2, id_size);
    parts->nonce = bytes_slice(stored, head_size, NONCE_SIZE);
    parts->ciphertext = bytes_slice(stored, head_size + NONCE_SIZE, size);
    parts->tag = bytes_slice(stored, stored.size - TAG_SIZE, TAG_SIZE);
    return true;
}

static const StoreKey *find_key(const StoreKeys *keys, Bytes id)
{
    for (uint32_t i = 0; i < keys->n; i++)
        if (bytes_are(id, keys->keys[i].id))
            return &keys->keys[i];
    return NULL;
}

/* The id as text: what is in the store may be anything. */
static const char *shown(Arena *arena, Bytes id)
{
    char *text = (char *)arena_text(arena, bytes_slice(id, 0, STORE_KEY_ID_MOST));
    for (char *c = text; c && *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return text;
}

Result unseal(const StoreKeys *keys, const SealPlace *place, Bytes stored, Arena *arena,
              Bytes *payload_out)
{
    SealParts parts;
    *payload_out = BYTES_NONE;
    uint8_t *payload = arena_array(arena, uint8_t, stored.size + 1), tag[TAG_SIZE];
    if (!payload)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "opening a stored value");
    if (stored.size && stored.data[0] == PLAIN) {
        memcpy(payload, stored.data + 1, stored.size - 1);
        *payload_out = bytes(payload, stored.size - 1);
        return OK;
    }
    if (!part(stored, &parts))
        return FAIL(arena, FAULT_STORE_SEALED,
                    "%s.%s: the stored value of %zu bytes is cut off, "
                    "or none that was sealed",
                    place->table, place->column, stored.size);
    const StoreKey *key = find_key(keys, parts.id);
    if (!key)
        return FAIL(arena, FAULT_STORE_SEALED,
                    "%s.%s: sealed with the key \"%s\", which is not "
                    "among store.keys",
                    place->table, place->column, shown(arena, parts.id));
    memcpy(tag, parts.tag.data, TAG_SIZE);
    Cipher cipher = cipher_begin(false, key->key, parts.nonce.data);
    cipher_add_place(&cipher, parts.head, place);
    cipher_add(&cipher, parts.ciphertext, payload);
    if (!cipher_end(&cipher, tag))
        return FAIL(arena, FAULT_STORE_SEALED,
                    "%s.%s: the stored value was changed or belongs to another row, or the key "
                    "\"%s\" of store.keys is not the one that sealed it",
                    place->table, place->column, key->id);
    *payload_out = bytes(payload, parts.ciphertext.size);
    return OK;
}
