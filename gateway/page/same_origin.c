#include "gateway/page/same_origin.h"

/* Browsers leave the port of the scheme out of both. */
static bool is_ours(Bytes origin, Bytes authority, bool tls)
{
    const char *scheme = tls ? "https://" : "http://";
    return bytes_start_with(origin, scheme) && authority.size &&
           bytes_equal_nocase(bytes_slice(origin, strlen(scheme), SIZE_MAX), authority);
}

bool is_same_origin(const OriginSaid *said)
{
    if (said->sec_fetch_site.data)
        return bytes_are(said->sec_fetch_site, "same-origin") ||
               bytes_are(said->sec_fetch_site, "none");
    return !said->origin.data || is_ours(said->origin, said->authority, said->tls);
}
