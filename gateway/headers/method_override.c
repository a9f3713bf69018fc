#include "gateway/headers/method_override.h"

#include "base/arena.h"

static const char name[] = "x-http-method-override";

static bool is_known(Bytes verb)
{
    static const char *const verbs[] = {"GET", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (bytes_are(verb, verbs[i]))
            return true;
    return false;
}

Result method_override_read(const HttpHead *head, Arena *arena, const HttpHead **meant_out)
{
    Bytes verb = fields_get(&head->fields, name);
    *meant_out = NULL;
    if (!verb.data || !bytes_are(head->method, "POST"))
        return OK;
    Bytes said = fields_joined(&head->fields, name); /* several are none */
    if (!is_known(said))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "%s is %.*s, and not GET, PUT, PATCH or DELETE",
                         name, BYTES_ARGS(bytes_cut_text(said, 100)));
    HttpHead *meant = arena_make(arena, HttpHead);
    if (!meant)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading %s", name);
    *meant = *head;
    meant->method = verb;
    meant->fields = fields_copy(arena, &head->fields, 0);
    fields_drop(&meant->fields, bytes_of(name));
    *meant_out = meant;
    return meant->fields.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading %s", name) : OK;
}
