#include "gateway/signal/signal_kind.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "v1", "v2beta1" */
static bool is_version(Bytes part)
{
    return part.size >= 2 && part.data[0] == 'v' && is_digit(part.data[1]);
}

size_t signal_method_write(Bytes method, char out[SIGNAL_METHOD_SIZE])
{
    size_t size = 0;
    Bytes rest = bytes_slice(method, 0, SIGNAL_METHOD_SIZE - 1), part;
    for (bool first = true; bytes_split(&rest, '.', &part);) {
        if (is_version(part) && rest.size)
            continue;
        if (!first)
            out[size++] = '.';
        first = false;
        if (part.size)
            memcpy(out + size, part.data, part.size);
        size += part.size;
    }
    out[size] = '\0';
    return size;
}

static uint64_t join(uint64_t hash, Bytes text)
{
    return (hash << 7 | hash >> 57) * UINT64_C(0x9e3779b97f4a7c15) ^ bytes_hash(text);
}

uint64_t signal_kind(const FailureKey *key)
{
    char method[SIGNAL_METHOD_SIZE];
    size_t size = signal_method_write(key->method, method);
    uint64_t hash = (uint64_t)key->side + 1;
    hash = join(hash, bytes_of(key->fault->name));
    hash = join(hash, bytes_of(code_name(key->code)));
    hash = join(hash, size ? bytes(method, size) : key->route);
    hash = join(hash, key->leg);
    hash = join(hash, bytes_of(key->attempt ? "attempt" : "call"));
    return join(hash, key->cause);
}
