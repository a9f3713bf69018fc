#include "gateway/failure/fallbacks.h"

#include <stdlib.h>

struct Fallbacks {
    FallbackTable table; /* first */
};

/* Of both: compiled with the config, in each version and codec. */
static bool give_default(const FallbackCall *call, FallbackReply *reply_out)
{
    const RestBinding *binding = call->binding;
    Bytes of_binding = binding ? binding->default_body : BYTES_NONE;
    *reply_out = (FallbackReply){
        .message =
            of_binding.data ? of_binding : call->method->default_reply[call->call->reply_codec]};
    return true;
}

/* A stream is empty without messages. */
static bool give_empty(const FallbackCall *call, FallbackReply *reply_out)
{
    *reply_out = (FallbackReply){.age = 0};
    return call->method->type->server_streaming || give_default(call, reply_out);
}

static bool give_kept(const FallbackCall *call, FallbackReply *reply_out)
{
    return false;
}

static void keep(const FallbackCall *call, const Fields *fields, Bytes message)
{
}

Fallbacks *fallbacks_new(void)
{
    Fallbacks *fallbacks = calloc(1, sizeof *fallbacks);
    CHECK(fallbacks);
    fallbacks->table = (FallbackTable){
        .give = {[FALLBACK_STALE] = give_kept,
                 [FALLBACK_DEFAULT] = give_default,
                 [FALLBACK_SKIP] = give_empty},
        .keep = keep,
    };
    return fallbacks;
}

void fallbacks_free(Fallbacks *fallbacks)
{
    free(fallbacks);
}

const FallbackTable *fallbacks_table(const Fallbacks *fallbacks)
{
    return &fallbacks->table;
}
