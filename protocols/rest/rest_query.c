/* Query strings: names and values, percent-encoded, "+" for a space. */
#include "protocols/rest/rest.h"

#include "base/arena.h"
#include "base/text/percent.h"

static Result decode(Bytes text, Arena *arena, Bytes *decoded_out)
{
    *decoded_out = text.data ? text : bytes("", 0);
    if (!percent_is_in(text) && bytes_find(text, '+') == text.size)
        return OK;
    Buffer decoded = buffer_in(arena);
    if (!percent_decode(&decoded, text, PERCENT_PLUS_IS_SPACE))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "a percent-escape in the query is malformed");
    if (decoded.full)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "decoding a query");
    *decoded_out = buffer_bytes(&decoded);
    return OK;
}

static Result parse_parameter(Bytes text, Arena *arena, RestParameter *parameter_out)
{
    size_t equals = bytes_find(text, '=');
    Result r = decode(bytes_slice(text, 0, equals), arena, &parameter_out->field_path);
    if (!failed(r))
        r = decode(bytes_slice(text, equals + 1, SIZE_MAX), arena, &parameter_out->text);
    return r;
}

Result rest_query_parse(Bytes query, Arena *arena, RestParameter **parameters_out, size_t *n_out)
{
    size_t most = query.size > 0;
    for (size_t i = 0; i < query.size; i++)
        most += query.data[i] == '&';
    *n_out = 0;
    *parameters_out = most ? arena_array(arena, RestParameter, most) : NULL;
    if (most && !*parameters_out)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "parsing a query of %zu parameters", most);

    Bytes part;
    while (bytes_split(&query, '&', &part)) {
        if (part.size == 0)
            continue;
        Result r = parse_parameter(part, arena, &(*parameters_out)[*n_out]);
        if (failed(r))
            return r;
        (*n_out)++;
    }
    return OK;
}

void rest_query_add(Buffer *path, Bytes name, Bytes text)
{
    buffer_add_byte(path, bytes_find(buffer_bytes(path), '?') < path->size ? '&' : '?');
    percent_encode(path, name, PERCENT_KEEP_UNRESERVED);
    buffer_add_byte(path, '=');
    percent_encode(path, text, PERCENT_KEEP_UNRESERVED);
}
