#include "gateway/rest/rest_alt.h"

/* "enum-encoding=int" is what generated clients always say; "string" asks for what the route says
   anyway. */
static bool take_option(Bytes text, RestAlt *alt)
{
    bool is_int = bytes_are(text, "enum-encoding=int");
    if (is_int)
        *alt = REST_ALT_JSON_NUMBERS;
    return is_int || bytes_are(text, "enum-encoding=string");
}

static Result refuse(Arena *arena, Bytes part, const char *why)
{
    return FAIL_FIELD(arena, FAULT_BAD_VALUE, "$alt", "\"%.*s\" in $alt: %s",
                      BYTES_ARGS(bytes_cut_text(part, 100)), why);
}

Result rest_alt_read(Bytes text, Arena *arena, RestAlt *alt_out)
{
    Bytes rest = text, name = BYTES_NONE, option;
    bytes_split(&rest, ';', &name);
    bool is_proto = bytes_are(name, "proto");
    *alt_out = is_proto ? REST_ALT_PROTO : REST_ALT_JSON;
    if (!is_proto && !bytes_are(name, "json"))
        return refuse(arena, name, "there is json and proto");
    while (bytes_split(&rest, ';', &option)) {
        if (is_proto)
            return refuse(arena, option, "proto stands alone, since it has enums as numbers");
        if (!take_option(bytes_trim(option), alt_out))
            return refuse(arena, option, "behind json there is enum-encoding=int and =string");
    }
    return OK;
}
