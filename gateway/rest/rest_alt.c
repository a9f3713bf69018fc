#include "gateway/rest/rest_alt.h"

/* "enum-encoding=int" is what generated clients always say; how enums are written is the route's
   to say. */
static bool is_option(Bytes text)
{
    return bytes_are(text, "enum-encoding=int") || bytes_are(text, "enum-encoding=string");
}

Result rest_alt_read(Bytes text, Arena *arena, RestAlt *alt_out)
{
    Bytes rest = text, name = BYTES_NONE, option;
    bool good = bytes_split(&rest, ';', &name);
    *alt_out = bytes_are(name, "proto") ? REST_ALT_PROTO : REST_ALT_JSON;
    good = good && (*alt_out == REST_ALT_PROTO || bytes_are(name, "json"));
    while (good && bytes_split(&rest, ';', &option))
        good = *alt_out == REST_ALT_JSON && is_option(bytes_trim(option));
    return good ? OK
                : FAIL_FIELD(arena, FAULT_BAD_VALUE, "$alt", "$alt=%.*s; there is json and proto",
                             BYTES_ARGS(bytes_cut_text(text, 100)));
}
