/*
 * Which messages of an exchange are compressed, and by what.
 *
 * What nobody needs to read goes on compressed as it came, where the other side takes that
 * compression. Else it is opened, within its limit, and compressed anew for the other side.
 */
#include "gateway/call/exchange_internal.h"
#include "protocols/http/compression.h"

/* Dialects that use HTTP's content coding: of the whole body, and negotiated with browsers and
   caches. */
static bool is_content_coding(Dialect dialect)
{
    return dialect == DIALECT_CONNECT || dialect == DIALECT_REST;
}

static Compression if_worth_it(const Exchange *x, Compression compression, size_t size)
{
    return size && size >= x->config->limits.compress_least ? compression : COMPRESSION_IDENTITY;
}

/* ---- Requests -------------------------------------------------------------------------------- */

bool attempt_passes_request(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    return attempt->target.compression == x->call.compression && !x->binding &&
           attempt_copies_request(attempt);
}

Compression attempt_request_compression(const Attempt *attempt, size_t size)
{
    return if_worth_it(attempt->exchange, attempt->target.compression, size);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* Whether the answer's messages may go to the client as they are. */
static bool passes_answer(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    return x->call.dialect != DIALECT_REST && attempt->target.dialect != DIALECT_REST &&
           x->route->compress_answers != COMPRESS_NEVER && exchange_copies(attempt->response_plan);
}

uint32_t attempt_accepts(const Attempt *attempt)
{
    uint32_t common = attempt->exchange->call.accepts & COMPRESSION_OF_MESSAGES;
    return common && passes_answer(attempt) ? common : COMPRESSION_OF_MESSAGES;
}

/* What may be kept for later is opened: other clients accept other compressions. */
bool attempt_keeps_answer(const Attempt *attempt)
{
    return !attempt->exchange->keeps && !attempt->exchange->keyed &&
           (attempt->answer.compression & attempt->exchange->call.accepts) &&
           !attempt->answer.is_error && passes_answer(attempt);
}

/* `answered`: the attempt whose response it is; NULL: the gateway's own. */
static bool may_compress(const Exchange *x, const Attempt *answered)
{
    bool by_instance = answered && answered->answer.compression != COMPRESSION_IDENTITY;
    if (answered && answered->target.takes_part)
        return false; /* ranges refer to the uncompressed bytes */
    switch (x->route ? x->route->compress_answers : COMPRESS_NEVER) {
    case COMPRESS_WEB:
        /* Raw bytes are often compressed already: the service decides. */
        return by_instance || (is_content_coding(x->call.dialect) && !exchange_is_raw(x));
    case COMPRESS_INSTANCE: return by_instance;
    case COMPRESS_ALWAYS: return true;
    case COMPRESS_NEVER: break;
    }
    return false;
}

static Compression answer_compression(const Exchange *x, const Attempt *answered)
{
    bool stream_of_bytes = exchange_is_raw(x) && x->method->type->server_streaming;
    if (answered && answered->passes)
        return answered->answer.compression;
    if (!stream_of_bytes && (may_compress(x, answered) || exchange_must_compress(x)))
        return x->call.favourite;
    return COMPRESSION_IDENTITY;
}

Compression exchange_answer_compression(const Exchange *x)
{
    return answer_compression(x, exchange_answered(x));
}

static bool are_plain(Dialect one, Compression compression, Dialect other, Compression anew)
{
    return compression == COMPRESSION_IDENTITY && anew == COMPRESSION_IDENTITY &&
           dialects_share_frames(one, other);
}

bool attempt_passes_request_runs(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    const RequestTarget *target = &attempt->target;
    return x->method->type->client_streaming && !x->binding && !x->method->extras->rules &&
           are_plain(x->call.dialect, x->call.compression, target->dialect, target->compression);
}

bool attempt_passes_answer_runs(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    return x->method->type->server_streaming && x->caller->events->on_run &&
           are_plain(attempt->target.dialect, attempt->answer.compression, x->call.dialect,
                     answer_compression(x, attempt));
}

bool attempt_passes_answer_pieces(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    if (!x->caller->events->on_piece || x->keeps || x->keyed ||
        !exchange_copies(attempt->response_plan) ||
        !dialects_share_frames(attempt->target.dialect, x->call.dialect))
        return false;
    bool plain = attempt->answer.compression == COMPRESSION_IDENTITY &&
                 answer_compression(x, attempt) == COMPRESSION_IDENTITY;
    return attempt->passes || plain;
}

bool exchange_must_compress(const Exchange *x)
{
    return x->call.no_identity && is_content_coding(x->call.dialect);
}

bool exchange_varies_by_encoding(const Exchange *x)
{
    return is_content_coding(x->call.dialect) && x->route &&
           x->route->compress_answers != COMPRESS_NEVER;
}

Result exchange_check_acceptable(const Exchange *x)
{
    if (!exchange_must_compress(x) ||
        (x->call.accepts && (!x->route || x->route->compress_answers != COMPRESS_NEVER)))
        return OK;
    return FAIL_TELL(x->arena, FAULT_NOT_ACCEPTABLE,
                     "identity is refused, and no accepted compression is available");
}
