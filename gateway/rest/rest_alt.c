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

Result rest_alt_read(Bytes text, Arena *arena, RestAlt *alt_out)
{
    Bytes rest = text, name = BYTES_NONE, option;
    bool good = bytes_split(&rest, ';', &name);
    *alt_out = bytes_are(name, "proto") ? REST_ALT_PROTO : REST_ALT_JSON;
    good = good && (*alt_out == REST_ALT_PROTO || bytes_are(name, "json"));
    while (good && bytes_split(&rest, ';', &option))
        good = *alt_out != REST_ALT_PROTO && take_option(bytes_trim(option), alt_out);
    return good ? OK
                : FAIL_FIELD(arena, FAULT_BAD_VALUE, "$alt", "$alt=%.*s; there is json and proto",
                             BYTES_ARGS(bytes_cut_text(text, 100)));
}
