/* Lines: the method, then values of X-HTTP-Method-Override. Only a POST with one of four is another
   request, which is the same but for both. */
#include "base/arena.h"
#include "gateway/headers/method_override.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char name[] = "x-http-method-override";
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HttpHead head = {.path = bytes_of("/v1/x"), .fields = fields_in(arena)};
    Bytes rest = bytes(data, size), value;
    const HttpHead *meant;
    fields_add_text(&head.fields, "accept", "*/*");
    if (!bytes_split(&rest, '\n', &head.method))
        head.method = BYTES_NONE;
    while (bytes_split(&rest, '\n', &value))
        fields_add(&head.fields, bytes_of(name), value);
    uint32_t n = head.fields.n;
    Result r = method_override_read(&head, arena, &meant);
    CHECK(head.fields.n == n);
    if (failed(r)) {
        CHECK(r.error->fault == &FAULT_BAD_REQUEST && bytes_are(head.method, "POST") && n > 1);
    } else if (meant) {
        CHECK(n == 2 && bytes_are(head.method, "POST") && meant->fields.n == 1);
        CHECK(bytes_equal(meant->method, fields_get(&head.fields, name)) &&
              meant->method.size <= 6);
        CHECK(bytes_equal(meant->path, head.path) && !fields_get(&meant->fields, name).data);
    } else {
        CHECK(n == 1 || !bytes_are(head.method, "POST"));
    }
    arena_free(arena);
    return 0;
}
