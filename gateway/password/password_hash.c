#include "gateway/password/password_hash.h"

#include "base/arena.h"
#include "base/text/base64.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/mman.h>

/* RFC 9106, section 4, second recommendation, but for its lanes: one thread computes them all, so
   that they would help nobody but who guesses. */
enum { NEW_MEMORY = 64 << 10, NEW_PASSES = 3, NEW_LANES = 1, NEW_SALT = 16, NEW_HASH = 32 };

/* ---- Reading and writing --------------------------------------------------------------------- */

#define PREFIX "$argon2id$v=19$"

static Result mistake(Arena *arena, const char *text)
{
    return FAIL(arena, FAULT_BAD_VALUE, "%s", text);
}

/* "m=65536" of the parameters. */
static bool take_number(Bytes *rest, const char *name, uint32_t *out)
{
    Bytes part;
    uint64_t number;
    bool good = bytes_split(rest, ',', &part) && bytes_start_with(part, name) &&
                bytes_to_u64(bytes_slice(part, strlen(name), SIZE_MAX), &number) &&
                number <= UINT32_MAX;
    *out = good ? (uint32_t)number : 0;
    return good;
}

static bool take_part(Arena *arena, Bytes text, uint8_t part[PASSWORD_PART_MOST],
                      uint32_t *size_out)
{
    Buffer bytes = buffer_in(arena);
    if (!base64_decode(&bytes, text) || bytes.size > PASSWORD_PART_MOST)
        return false;
    memcpy(part, bytes.data, bytes.size);
    *size_out = (uint32_t)bytes.size;
    return true;
}

static Result check_cost(Arena *arena, const PasswordHash *hash)
{
    uint64_t work = (uint64_t)hash->memory * hash->passes;
    if (hash->lanes < 1 || hash->lanes > PASSWORD_LANES_MOST)
        return FAIL(arena, FAULT_BAD_VALUE, "its lanes (p) are not 1 to %d", PASSWORD_LANES_MOST);
    if (hash->memory > PASSWORD_MEMORY_MOST || hash->passes > PASSWORD_PASSES_MOST ||
        work > PASSWORD_WORK_MOST)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "each login would cost too much: at most m=%d (KiB), t=%d, and %d of m times t",
                    PASSWORD_MEMORY_MOST, PASSWORD_PASSES_MOST, PASSWORD_WORK_MOST);
    if (hash->memory < PASSWORD_MEMORY_LEAST || work < PASSWORD_WORK_LEAST)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "it is guessed too easily: at least m=%d (KiB), and %d of m times t",
                    PASSWORD_MEMORY_LEAST, PASSWORD_WORK_LEAST);
    return OK;
}

Result password_hash_read(Arena *arena, Bytes text, PasswordHash *out)
{
    *out = (PasswordHash){0};
    if (!bytes_start_with(text, PREFIX))
        return mistake(arena, "a hash of a password begins with " PREFIX);
    Bytes rest = bytes_slice(text, strlen(PREFIX), SIZE_MAX), numbers, salt, hash;
    bool whole = bytes_split(&rest, '$', &numbers) && bytes_split(&rest, '$', &salt) &&
                 bytes_split(&rest, '$', &hash);
    if (!whole || !take_number(&numbers, "m=", &out->memory) ||
        !take_number(&numbers, "t=", &out->passes) || !take_number(&numbers, "p=", &out->lanes))
        return mistake(arena, "behind its beginning is not m=...,t=...,p=...$SALT$HASH");
    if (!take_part(arena, salt, out->salt, &out->salt_size) ||
        !take_part(arena, hash, out->hash, &out->hash_size))
        return mistake(arena, "its salt or its hash is not base64 of at most 64 bytes");
    if (out->salt_size < PASSWORD_SALT_LEAST || out->hash_size < PASSWORD_HASH_LEAST)
        return mistake(arena, "its salt has less than 8 bytes, or its hash less than 16");
    Buffer again = buffer_in(arena);
    password_hash_write(out, &again);
    if (!bytes_equal(text, buffer_bytes(&again)))
        return mistake(arena, "it has more than a hash of a password: blanks, padding or zeros");
    return check_cost(arena, out);
}

void password_hash_write(const PasswordHash *hash, Buffer *out)
{
    buffer_printf(out, PREFIX "m=%u,t=%u,p=%u$", hash->memory, hash->passes, hash->lanes);
    base64_encode(out, bytes(hash->salt, hash->salt_size), BASE64_STANDARD, false);
    buffer_add_byte(out, '$');
    base64_encode(out, bytes(hash->hash, hash->hash_size), BASE64_STANDARD, false);
}

/* ---- Computing ------------------------------------------------------------------------------- */

/* Not from the heap, which would keep so much for others for a while. */
static int take_memory(uint8_t **memory, size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    (void)madvise(room, size, MADV_DONTDUMP);
    *memory = room;
    return ARGON2_OK;
}

static void give_memory(uint8_t *memory, size_t size)
{
    CHECK(munmap(memory, size) == 0);
}

/* False: there is no memory. */
static bool compute(const PasswordHash *hash, Bytes password, uint8_t out[PASSWORD_PART_MOST])
{
    PasswordHash copy = *hash; /* the library takes what it only reads without const */
    uint8_t text[PASSWORD_BYTES_MOST];
    CHECK(password.size <= sizeof text);
    if (password.size)
        memcpy(text, password.data, password.size);
    argon2_context context = {
        .out = out,
        .outlen = copy.hash_size,
        .pwd = text,
        .pwdlen = (uint32_t)password.size,
        .salt = copy.salt,
        .saltlen = copy.salt_size,
        .t_cost = copy.passes,
        .m_cost = copy.memory,
        .lanes = copy.lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .allocate_cbk = take_memory,
        .free_cbk = give_memory,
    };
    int error = argon2id_ctx(&context);
    OPENSSL_cleanse(text, sizeof text);
    CHECK(error == ARGON2_OK || error == ARGON2_MEMORY_ALLOCATION_ERROR);
    return error == ARGON2_OK;
}

Result password_hash_make(Arena *arena, Bytes password, PasswordHash *out)
{
    *out = (PasswordHash){.memory = NEW_MEMORY,
                          .passes = NEW_PASSES,
                          .lanes = NEW_LANES,
                          .salt_size = NEW_SALT,
                          .hash_size = NEW_HASH};
    CHECK(RAND_bytes(out->salt, NEW_SALT) == 1);
    return compute(out, password, out->hash)
               ? OK
               : FAIL(arena, FAULT_OUT_OF_MEMORY, "%d MiB for hashing a password",
                      NEW_MEMORY >> 10);
}

PasswordVerdict password_hash_check(const PasswordHash *hash, Bytes password)
{
    uint8_t found[PASSWORD_PART_MOST];
    if (password.size > PASSWORD_BYTES_MOST)
        return PASSWORD_WRONG;
    if (!compute(hash, password, found))
        return PASSWORD_NO_MEMORY;
    bool right = CRYPTO_memcmp(found, hash->hash, hash->hash_size) == 0;
    OPENSSL_cleanse(found, sizeof found);
    return right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}
