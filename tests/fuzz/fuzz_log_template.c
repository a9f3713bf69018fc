/* Templates of the log: whatever a value is, a line is one line of as many words as its template;
   and any bytes are a template, a filter or a line, or are refused. */
#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/utf8.h"
#include "gateway/log_output/log_filter.h"
#include "gateway/log_output/log_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words between blanks that are not in quotes. */
static int count_words(Bytes line)
{
    bool quoted = false;
    int words = 1;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        CHECK(c >= ' ' && c != 0x7f);
        if (c == '\\') {
            i++;
            continue;
        }
        quoted ^= c == '"';
        words += c == ' ' && !quoted;
    }
    CHECK(!quoted);
    return words;
}

static void check_value(Arena *arena, Bytes value)
{
    static const char text[] = "%{v} \"%{v}\" %{v}";
    const LogTemplate *template;
    LogView view;
    Buffer line = buffer_in(arena), out = buffer_in(arena);
    buffer_add_byte(&line, '{');
    json_text_add_key(&line, "v");
    json_text_add(&line, value);
    buffer_add_byte(&line, '}');
    CHECK(log_view_read(buffer_bytes(&line), arena, &view));
    CHECK(!failed(log_template_read(arena, bytes_of(text), &template)));
    log_template_write(template, &view, &out);
    CHECK(utf8_valid(buffer_bytes(&out)) && count_words(buffer_bytes(&out)) == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes input = bytes(data, size);
    const LogTemplate *template;
    LogFilter filter;
    LogView view;
    check_value(arena, input);
    bool is_line = log_view_read(input, arena, &view);
    if (!is_line)
        CHECK(log_view_read(bytes_of("{}"), arena, &view));
    Result r = log_template_read(arena, input, &template);
    if (!failed(r)) {
        Buffer out = buffer_in(arena);
        log_template_write(template, &view, &out);
        CHECK(bytes_find(buffer_bytes(&out), '\n') == out.size);
    }
    r = log_filter_read(input, arena, &filter);
    if (!failed(r) && log_filter_takes(&filter, &view))
        CHECK(log_view_severity(&view) >= 3);
    error_ignore(r, "the input is a filter, or it is none");
    arena_free(arena);
    return 0;
}
