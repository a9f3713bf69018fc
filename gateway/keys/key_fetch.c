#include "gateway/keys/key_fetch.h"

#include "base/arena.h"
#include "base/clock.h"

#include <curl/curl.h>

typedef struct Fetch {
    CURL *handle;
    const atomic_bool *stop;
    Buffer text;
    char told[CURL_ERROR_SIZE];
} Fetch;

/* Less than `size` ends the transfer. */
static size_t on_received(char *data, size_t one, size_t size, void *owner)
{
    Fetch *fetch = owner;
    if (fetch->text.size + size > TOKEN_KEYS_BYTES_MOST)
        return 0;
    buffer_add(&fetch->text, data, size);
    return size;
}

static int on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const Fetch *fetch = owner;
    return atomic_load(fetch->stop);
}

#define SET(option, value) CHECK(curl_easy_setopt(fetch->handle, (option), (value)) == CURLE_OK)

static void set_limits(Fetch *fetch, const KeyPlace *place)
{
    long millis = (long)((place->timeout + MILLISECOND - 1) / MILLISECOND);
    SET(CURLOPT_TIMEOUT_MS, millis);
    SET(CURLOPT_CONNECTTIMEOUT_MS, millis);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* it does not wait for the thread that resolves a name */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_WRITEFUNCTION, on_received);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, fetch);
    SET(CURLOPT_ERRORBUFFER, fetch->told);
}

static void set_target(Fetch *fetch, const KeyPlace *place)
{
    SET(CURLOPT_URL, place->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "passerelle/" VERSION);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (place->ca.size) {
        struct curl_blob ca = {(void *)(uintptr_t)place->ca.data, place->ca.size, CURL_BLOB_COPY};
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO_BLOB, &ca);
    }
}

static Result judge(const Fetch *fetch, CURLcode code, Arena *arena)
{
    long status = 0;
    if (code == CURLE_WRITE_ERROR)
        return FAIL(arena, FAULT_SYSTEM, "the response is longer than %d bytes",
                    TOKEN_KEYS_BYTES_MOST);
    if (code != CURLE_OK)
        return FAIL(arena, FAULT_SYSTEM, "%s",
                    *fetch->told ? fetch->told : curl_easy_strerror(code));
    CHECK(curl_easy_getinfo(fetch->handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    return status == 200
               ? OK
               : FAIL(arena, FAULT_SYSTEM, "the server answered %ld%s", status,
                      status >= 300 && status < 400 ? ": redirects are not followed" : "");
}

Result key_fetch(Arena *arena, const KeyPlace *place, const atomic_bool *stop, Bytes *text_out)
{
    Fetch made = {.handle = curl_easy_init(), .stop = stop, .text = buffer_in(arena)};
    Fetch *fetch = &made;
    CHECK(fetch->handle);
    set_limits(fetch, place);
    set_target(fetch, place);
    Result r = judge(fetch, curl_easy_perform(fetch->handle), arena);
    curl_easy_cleanup(fetch->handle);
    *text_out = buffer_bytes(&fetch->text);
    return r;
}
