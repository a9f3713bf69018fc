#include "protocols/dialect/media.h"

static bool skip_nocase(Bytes *rest, const char *prefix)
{
    Bytes wanted = bytes_of(prefix);
    if (!bytes_equal_nocase(bytes_slice(*rest, 0, wanted.size), wanted))
        return false;
    *rest = bytes(rest->data + wanted.size, rest->size - wanted.size);
    return true;
}

/* JSON is UTF-8 (RFC 8259 section 8.1): no other charset is accepted. */
static bool is_utf8(Bytes parameters)
{
    Bytes parameter;
    while (bytes_split(&parameters, ';', &parameter)) {
        parameter = bytes_trim(parameter);
        if (!skip_nocase(&parameter, "charset="))
            continue;
        if (parameter.size >= 2 && parameter.data[0] == '"')
            parameter = bytes(parameter.data + 1, parameter.size - 2);
        if (!bytes_are_nocase(parameter, "utf-8") && !bytes_are_nocase(parameter, "utf8") &&
            !bytes_are_nocase(parameter, "us-ascii"))
            return false;
    }
    return true;
}

static bool codec_by_suffix(Bytes suffix, Codec *codec_out)
{
    *codec_out = bytes_are_nocase(suffix, "+json") ? CODEC_JSON : CODEC_PROTO;
    return suffix.size == 0 || *codec_out == CODEC_JSON || bytes_are_nocase(suffix, "+proto");
}

/* "application/grpc" is followed by nothing, "+codec" or one of the longer names. */
static Media read_grpc(Bytes rest)
{
    Media media = {.kind = MEDIA_GRPC};
    if (skip_nocase(&rest, "-web-text"))
        media.kind = MEDIA_GRPC_WEB_TEXT;
    else if (skip_nocase(&rest, "-web"))
        media.kind = MEDIA_GRPC_WEB;
    if (rest.size && rest.data[0] != '+')
        return (Media){.kind = MEDIA_OTHER};
    media.has_codec = codec_by_suffix(rest, &media.codec);
    return media;
}

static Media read_json(MediaKind kind, Bytes parameters)
{
    return (Media){.kind = kind, .has_codec = is_utf8(parameters), .codec = CODEC_JSON};
}

Media media_read(Bytes content_type)
{
    if (!content_type.data)
        return (Media){.kind = MEDIA_NONE};
    if (bytes_are(content_type, "application/grpc")) /* the hot path */
        return (Media){.kind = MEDIA_GRPC, .has_codec = true, .codec = CODEC_PROTO};
    size_t end = bytes_find(content_type, ';');
    Bytes parameters = bytes_slice(content_type, end + 1, SIZE_MAX);
    Bytes essence = bytes_trim(bytes(content_type.data, end)), rest = essence;
    if (!skip_nocase(&rest, "application/"))
        return (Media){.kind = MEDIA_OTHER};

    if (skip_nocase(&rest, "grpc"))
        return read_grpc(rest);
    if (bytes_are_nocase(rest, "json"))
        return read_json(MEDIA_JSON, parameters);
    if (bytes_are_nocase(rest, "proto"))
        return (Media){.kind = MEDIA_PROTO, .has_codec = true, .codec = CODEC_PROTO};
    if (skip_nocase(&rest, "connect+")) {
        if (bytes_are_nocase(rest, "json"))
            return read_json(MEDIA_CONNECT_STREAM, parameters);
        return (Media){.kind = MEDIA_CONNECT_STREAM, .has_codec = bytes_are_nocase(rest, "proto")};
    }
    if (rest.size > 5 && bytes_are_nocase(bytes(rest.data + rest.size - 5, 5), "+json"))
        return read_json(MEDIA_JSON_LIKE, parameters);
    return (Media){.kind = MEDIA_OTHER};
}

Bytes media_write(Dialect dialect, Codec codec)
{
    static const char *const names[][CODEC_COUNT] = {
        [DIALECT_GRPC] = {"application/grpc", "application/grpc+json"},
        [DIALECT_GRPC_WEB] = {"application/grpc-web+proto", "application/grpc-web+json"},
        [DIALECT_GRPC_WEB_TEXT] = {"application/grpc-web-text+proto",
                                   "application/grpc-web-text+json"},
        [DIALECT_CONNECT] = {"application/proto", "application/json"},
        [DIALECT_CONNECT_STREAM] = {"application/connect+proto", "application/connect+json"},
        [DIALECT_REST] = {"application/x-protobuf", "application/json"},
        [DIALECT_HTTP] = {"application/octet-stream", "application/json"},
    };
    return bytes_of(names[dialect][codec]);
}
