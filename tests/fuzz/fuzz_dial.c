/*
 * Arguments of `passerelle call`, each behind a NUL; names of files are left out. Each message is
 * shown beside the next one: the lines together are the message again.
 */
#include "adapters/text/json.h"
#include "base/arena.h"
#include "gateway/dial/dial_marks.h"
#include "gateway/dial/dial_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGUMENTS_MOST = 16 };

static void expect_the_same(Arena *arena, const DialLines *lines, Bytes message)
{
    Buffer text = buffer_in(arena), again = buffer_in(arena), was = buffer_in(arena);
    JsonNode *root;
    for (uint32_t i = 0; i < lines->n; i++)
        buffer_add_bytes(&text, lines->items[i].text);
    Result r = json_parse(arena, buffer_bytes(&text), &(JsonLimits){0}, &root);
    CHECK(!failed(r));
    json_write(&again, root);
    r = json_parse(arena, message, &(JsonLimits){0}, &root);
    CHECK(!failed(r));
    json_write(&was, root);
    CHECK(bytes_equal(buffer_bytes(&again), buffer_bytes(&was)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes rest = bytes(data, size), argument;
    char *arguments[ARGUMENTS_MOST];
    int n = 0;
    while (n < ARGUMENTS_MOST && bytes_split(&rest, '\0', &argument))
        if (!bytes_start_with(argument, "@") && !bytes_are(argument, "-"))
            arguments[n++] = (char *)(uintptr_t)arena_text(arena, argument);
    DialRequest request;
    Result r = dial_request_read(arena, arguments, n, &request);
    for (uint32_t i = 0; i < request.n && !failed(r); i++) {
        DialLines lines;
        DialSide side = {.json = request.messages[i],
                         .other = request.messages[(i + 1) % request.n],
                         .source = true};
        Result shown = dial_marks_make(&side, arena, &lines);
        if (!failed(shown))
            expect_the_same(arena, &lines, side.json);
    }
    error_ignore(r, "it is no request");
    arena_free(arena);
    return 0;
}
