/* HPACK, alone and against that of nghttp2, in both directions. */
#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/fields.h"
#include "protocols/http2/hpack_decoder.h"
#include "protocols/http2/hpack_encoder.h"

#include <nghttp2/nghttp2.h>

typedef struct Reader {
    HpackDecoder decoder;
    Arena *arena;
} Reader;

static Reader reader_begin(void)
{
    Reader reader = {.arena = arena_new(ARENA_UNLIMITED)};
    hpack_decoder_init(&reader.decoder);
    return reader;
}

static void reader_end(Reader *reader)
{
    hpack_decoder_deinit(&reader->decoder);
    arena_free(reader->arena);
}

/* Reads a block to its end, as "name: value\n" lines; NULL: it is broken, or part of a field is
   missing. */
static const char *read_block(Reader *reader, Bytes text)
{
    HpackBlock block = {.rest = text, .whole = true, .arena = reader->arena};
    Buffer lines = buffer_in(reader->arena);
    HpackField field;
    HpackOutcome outcome;
    hpack_decoder_begin(&reader->decoder);
    while ((outcome = hpack_decode(&reader->decoder, &block, &field)) == HPACK_FIELD)
        buffer_printf(&lines, "%.*s: %.*s\n", BYTES_ARGS(field.name), BYTES_ARGS(field.value));
    return outcome == HPACK_END ? arena_text(reader->arena, buffer_bytes(&lines)) : NULL;
}

static void expect_block(Reader *reader, const char *text, size_t size, const char *lines)
{
    const char *read = read_block(reader, bytes(text, size));
    if (!read && lines)
        fail_msg("not read: %s", lines);
    if (lines)
        assert_string_equal(read, lines);
    else
        assert_null(read);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* RFC 7541 appendix C.3 and C.4. */
static void the_requests_of_the_standard_are_read(void **state)
{
    Reader plain = reader_begin(), compressed = reader_begin();
    static const char first[] = ":method: GET\n:scheme: http\n:path: /\n"
                                ":authority: www.example.com\n";
    static const char second[] = ":method: GET\n:scheme: http\n:path: /\n"
                                 ":authority: www.example.com\ncache-control: no-cache\n";
    static const char third[] = ":method: GET\n:scheme: https\n:path: /index.html\n"
                                ":authority: www.example.com\ncustom-key: custom-value\n";
    expect_block(&plain, "\x82\x86\x84\x41\x0fwww.example.com", 20, first);
    expect_block(&plain, "\x82\x86\x84\xbe\x58\x08no-cache", 14, second);
    expect_block(&plain,
                 "\x82\x87\x85\xbf\x40\x0a"
                 "custom-key\x0c"
                 "custom-value",
                 29, third);
    assert_int_equal(plain.decoder.table.n, 3);
    assert_int_equal(plain.decoder.table.size, 164);
    expect_block(&compressed,
                 "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 17, first);
    expect_block(&compressed, "\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf", 12, second);
    expect_block(&compressed,
                 "\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b"
                 "\xb8\xe8\xb4\xbf",
                 24, third);
    assert_int_equal(compressed.decoder.table.size, 164);
    reader_end(&plain);
    reader_end(&compressed);
}

/* Appendix C.5: a table of 256 bytes, from which entries are evicted. */
static void entries_are_evicted_as_in_the_standard(void **state)
{
    Reader reader = reader_begin();
    static const char first[] = "\x3f\xe1\x01\x48\x03"
                                "302\x58\x07private\x61\x1dMon, 21 Oct 2013 "
                                "20:13:21 GMT\x6e\x17https://www.example.com";
    expect_block(&reader, first, sizeof first - 1,
                 ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
                 "location: https://www.example.com\n");
    assert_int_equal(reader.decoder.table.size, 222);
    expect_block(&reader,
                 "\x48\x03"
                 "307\xc1\xc0\xbf",
                 8,
                 ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
                 "location: https://www.example.com\n");
    assert_int_equal(reader.decoder.table.n, 4);
    assert_int_equal(reader.decoder.table.size, 222);
    static const char third[] =
        "\x88\xc1\x61\x1dMon, 21 Oct 2013 20:13:22 GMT\xc0\x5a\x04gzip\x77\x38"
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    expect_block(&reader, third, sizeof third - 1,
                 ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"
                 "location: https://www.example.com\ncontent-encoding: gzip\n"
                 "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n");
    assert_int_equal(reader.decoder.table.n, 3);
    assert_int_equal(reader.decoder.table.size, 215);
    reader_end(&reader);
}

static void what_cannot_be_read_is_broken(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        bool good;
    } rows[] = {
        {"\x80", 1, false},                              /* index 0 */
        {"\xbd", 1, true},                               /* the last of the static table */
        {"\xbe", 1, false},                              /* nothing is in the dynamic one */
        {"\x7f\x00\x01v", 4, false},                     /* the name of no entry */
        {"\x3f\xe1\x1f", 3, true},                       /* a table of 4096 bytes */
        {"\x3f\xe2\x1f", 3, false},                      /* and of one more */
        {"\x20\x3f\xe1\x1f\x82", 5, true},               /* resized twice before the first field */
        {"\x82\x20", 2, false},                          /* and behind it */
        {"\xff\x80\x80\x80\x80\x00", 6, false},          /* index 127 is not there */
        {"\x00\x01n\x7f\x80\x80\x80\x80\x10", 9, false}, /* a size above 32 bits */
        {"\x00\x01n\x7f\xff\xff\xff\xff\xff\xff\xff\x7f", 12, false},
        {"\x00\x01n\x7f\x82\xff\x03", 7, false}, /* 65537 bytes: more than anybody may say */
        {"\x00\x01n\x81\x00", 5, false},         /* a wrong padding */
        {"\x00\x81\x00\x01v", 5, false},
        {"\x40\x81\x00\x01v", 5, false},
        {"\x00\x01n", 3, false}, /* the value is missing */
        {"\x00\x01n\x01", 4, false},
        {"\x00", 1, false},
        {"\x40", 1, false},
        {"\xff", 1, false},
        {"\x3f", 1, false},
        {"\x00\x00\x00", 3, true}, /* an empty name is for others to refuse */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Reader reader = reader_begin();
        if ((read_block(&reader, bytes(rows[i].text, rows[i].size)) != NULL) != rows[i].good)
            fail_msg("row %zu", i);
        reader_end(&reader);
    }
}

static void a_field_that_has_come_in_part_is_read_when_it_is_whole(void **state)
{
    static const char text[] = "\x40\x0a"
                               "custom-key\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
    for (size_t size = 1; size < sizeof text; size++) {
        Reader reader = reader_begin();
        HpackBlock block = {.rest = bytes(text, size), .arena = reader.arena};
        HpackField field;
        HpackOutcome outcome = hpack_decode(&reader.decoder, &block, &field);
        assert_int_equal(outcome, size == sizeof text - 1 ? HPACK_FIELD : HPACK_PARTIAL);
        assert_int_equal(block.rest.size, outcome == HPACK_FIELD ? 0 : size);
        assert_int_equal(reader.decoder.table.n, outcome == HPACK_FIELD);
        reader_end(&reader);
    }
}

/* The name of an entry that has to go for the new one (section 4.4). */
static void an_entry_may_evict_the_one_that_its_name_is_from(void **state)
{
    Reader reader = reader_begin();
    Buffer text = buffer_in(reader.arena);
    buffer_add_text(&text, "\x40\x04name\x7f\xd1\x1e"); /* 4048 bytes: the table is 4 short */
    for (int i = 0; i < 4048; i++)
        buffer_add_byte(&text, 'v');
    buffer_add_text(&text, "\x7e\x7f\xd1\x1e");
    for (int i = 0; i < 4048; i++)
        buffer_add_byte(&text, 'w');
    buffer_add_byte(&text, 0xbe);
    const char *read = read_block(&reader, buffer_bytes(&text));
    assert_non_null(read);
    assert_int_equal(reader.decoder.table.n, 1);
    const char *w = strstr(read, "name: w");
    assert_true(bytes_start_with(bytes_of(read), "name: v") && w && strstr(w + 1, "name: w"));
    reader_end(&reader);
}

static void an_entry_larger_than_the_table_empties_it(void **state)
{
    for (int extra = 0; extra < 2; extra++) {
        Reader reader = reader_begin();
        Buffer text = buffer_in(reader.arena);
        buffer_add_text(&text, "\x40\x01"
                               "a\x01"
                               "b\x40\x01n\x7f");
        int size = 4096 - 32 - 1 + extra;
        buffer_add_byte(&text, (uint8_t)(0x80 | ((size - 127) & 127)));
        buffer_add_byte(&text, (uint8_t)((size - 127) >> 7));
        for (int i = 0; i < size; i++)
            buffer_add_byte(&text, 'v');
        assert_non_null(read_block(&reader, buffer_bytes(&text)));
        assert_int_equal(reader.decoder.table.n, !extra);
        reader_end(&reader);
    }
}

/* The text of the table is the connection's for good. */
static void what_is_larger_than_the_table_is_not_written_there(void **state)
{
    enum { SIZE = 60000 };
    Reader reader = reader_begin();
    Buffer text = buffer_in(reader.arena);
    buffer_add_text(&text, "\x40\x01"
                           "a\x01"
                           "b\x40\x01n\x7f");
    unsigned rest = SIZE - 127;
    for (; rest > 127; rest >>= 7)
        buffer_add_byte(&text, (uint8_t)(0x80 | (rest & 127)));
    buffer_add_byte(&text, (uint8_t)rest);
    for (int i = 0; i < SIZE; i++)
        buffer_add_byte(&text, 'v');
    const char *read = read_block(&reader, buffer_bytes(&text));
    assert_int_equal(strlen(read), strlen("a: b\nn: \n") + SIZE);
    assert_int_equal(reader.decoder.table.n, 0);
    assert_int_equal(reader.decoder.table.end, strlen("ab"));
    expect_block(&reader, "\x40\1a\1c\xbe", 6, "a: c\na: c\n");
    reader_end(&reader);
}

/* Huffman's code may be longer than what it says. */
static void a_field_that_only_might_be_too_large_is_in_the_table(void **state)
{
    enum { CODE = 3000 };
    Reader reader = reader_begin();
    Buffer text = buffer_in(reader.arena);
    buffer_add_text(&text, "\x40\1n\xff");
    buffer_add_byte(&text, (uint8_t)(0x80 | ((CODE - 127) & 127)));
    buffer_add_byte(&text, (CODE - 127) >> 7);
    for (int i = 0; i < CODE; i++) /* "X" has eight bits: 11111100 */
        buffer_add_byte(&text, 0xfc);
    const char *read = read_block(&reader, buffer_bytes(&text));
    assert_non_null(read);
    assert_int_equal(strlen(read), strlen("n: \n") + CODE);
    assert_int_equal(reader.decoder.table.n, 1);
    assert_string_equal(read_block(&reader, bytes_of("\xbe")), read);
    reader_end(&reader);
}

static void what_a_field_is_stays_with_its_entry(void **state)
{
    static const struct {
        const char *name, *value;
        uint8_t token, flaws;
    } rows[] = {
        {"x-field", "value", HPACK_OTHER, 0},
        {"content-type", "a", HPACK_TOKEN_NO_TRAILER, 0},
        {":path", "/a", HPACK_TOKEN_PATH, 0},
        {":who", "/a", HPACK_TOKEN_PSEUDO, HPACK_BAD_NAME},
        {"te", "trailers", HPACK_TOKEN_TE, 0},
        {"host", "a", HPACK_TOKEN_HOST, 0},
        {"upgrade", "a", HPACK_TOKEN_CONNECTION, 0},
        {"Upper", "a", HPACK_OTHER, HPACK_BAD_NAME},
        {"", "a", HPACK_OTHER, HPACK_BAD_NAME},
        {"x", " a", HPACK_OTHER, HPACK_BLANK_ENDS},
        {"x", "a\t", HPACK_OTHER, HPACK_BLANK_ENDS},
        {"x", " ", HPACK_OTHER, HPACK_BLANK_ENDS},
        {"x", "", HPACK_OTHER, 0},
        {"x", " a\n", HPACK_OTHER, HPACK_BAD_VALUE},
        {"X", "a\n", HPACK_OTHER, HPACK_BAD_NAME | HPACK_BAD_VALUE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Reader reader = reader_begin();
        Buffer text = buffer_in(reader.arena);
        buffer_printf(&text, "\x40%c", (int)strlen(rows[i].name));
        buffer_printf(&text, "%s%c", rows[i].name, (int)strlen(rows[i].value));
        buffer_printf(&text, "%s\xbe", rows[i].value);
        HpackBlock block = {.rest = buffer_bytes(&text), .whole = true, .arena = reader.arena};
        for (int again = 0; again < 2; again++) {
            HpackField field;
            assert_int_equal(hpack_decode(&reader.decoder, &block, &field), HPACK_FIELD);
            if (field.token != rows[i].token || field.flaws != rows[i].flaws)
                fail_msg("row %zu: token %d, flaws %d", i, field.token, field.flaws);
        }
        reader_end(&reader);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static size_t written(HpackEncoder *encoder, const char *name, const char *value, uint8_t *first)
{
    uint8_t out[512], *at = hpack_encode_begin(encoder, out);
    Field field = {bytes_of(name), bytes_of(value)};
    uint8_t *end = hpack_encode(encoder, at, &field, NULL);
    *first = *at;
    return (size_t)(end - at);
}

static void a_field_is_one_byte_the_second_time(void **state)
{
    HpackEncoder encoder;
    uint8_t first;
    hpack_encoder_init(&encoder);
    assert_true(written(&encoder, "grpc-encoding", "gzip", &first) > 10);
    assert_int_equal(first, 0x40);
    assert_int_equal(written(&encoder, "grpc-encoding", "gzip", &first), 1);
    assert_int_equal(first, 0xbe);
    assert_int_equal(written(&encoder, "grpc-encoding", "br", &first),
                     1 + 1 + 2); /* the name is known */
    hpack_encoder_deinit(&encoder);
}

static int asked;

static bool may_go(const Field *field)
{
    asked++;
    return !bytes_are(field->name, "content-length");
}

static void a_field_of_the_table_is_not_asked_again_if_it_may_be_sent(void **state)
{
    HpackEncoder encoder;
    uint8_t out[512];
    const Field good = {bytes_of("grpc-encoding"), bytes_of("gzip")};
    hpack_encoder_init(&encoder);
    asked = 0;
    assert_true(hpack_encode(&encoder, out, &good, may_go) > out + 10);
    assert_int_equal(asked, 1);
    assert_ptr_equal(hpack_encode(&encoder, out, &good, may_go), out + 1);
    assert_int_equal(asked, 1);
    hpack_encoder_deinit(&encoder);
}

static void what_may_not_be_sent_is_not_sent_because_the_table_has_it(void **state)
{
    HpackEncoder encoder;
    uint8_t out[512];
    const Field length = {bytes_of("content-length"), bytes_of("123")};
    hpack_encoder_init(&encoder);
    for (int i = 0; i < 3; i++) /* by the third time it is in the table */
        hpack_encode_known(&encoder, out, HPACK_CONTENT_LENGTH, length.value);
    assert_int_equal(encoder.table.n, 1);
    asked = 0;
    assert_ptr_equal(hpack_encode(&encoder, out, &length, may_go), out);
    assert_ptr_equal(hpack_encode(&encoder, out, &length, may_go), out);
    assert_int_equal(asked, 2);
    assert_ptr_equal(hpack_encode_known(&encoder, out, HPACK_CONTENT_LENGTH, length.value),
                     out + 1);
    hpack_encoder_deinit(&encoder);
}

static void secrets_go_into_no_table(void **state)
{
    static const char *const secrets[][2] = {
        {"authorization", "Bearer abcdefghijklmnopqrstuvwxyz"},
        {"proxy-authorization", "Basic abcdefghijklmnopqrstuvwxyz"},
        {"cookie", "short=1"},
        {"set-cookie", "session=abcdefghijklmnopqrstuvwxyz"},
    };
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        HpackEncoder encoder;
        uint8_t first;
        hpack_encoder_init(&encoder);
        for (int n = 0; n < 3; n++) {
            assert_true(written(&encoder, secrets[i][0], secrets[i][1], &first) > 5);
            assert_int_equal(first & 0xf0, 0x10);
        }
        assert_int_equal(encoder.table.n, 0);
        hpack_encoder_deinit(&encoder);
    }
}

static void what_seldom_repeats_comes_into_the_table_when_it_does(void **state)
{
    HpackEncoder encoder;
    uint8_t first;
    hpack_encoder_init(&encoder);
    written(&encoder, "x-request-id", "1", &first); /* the name is new */
    assert_int_equal(first, 0x40);
    for (int i = 2; i < 9; i++) {
        char value[] = {(char)('0' + i), 0};
        written(&encoder, "x-request-id", value, &first);
        assert_int_equal(first & 0xf0, 0);
    }
    assert_int_equal(encoder.table.n, 1);
    written(&encoder, "date", "now", &first);
    assert_int_equal(first & 0xf0, 0);
    written(&encoder, "date", "now", &first);
    assert_int_equal(first & 0xc0, 0x40);
    assert_int_equal(written(&encoder, "date", "now", &first), 1);
    hpack_encoder_deinit(&encoder);
}

static void the_peer_is_told_of_each_size_of_the_table(void **state)
{
    static const struct {
        uint32_t limits[3];
        const char *text;
        size_t size;
    } rows[] = {
        {{4096, 4096, 8192}, "", 0},       {{0, 0, 0}, "\x20", 1},
        {{100, 100, 100}, "\x3f\x45", 2},  {{100, 4096, 4096}, "\x3f\x45\x3f\xe1\x1f", 5},
        {{100, 0, 50}, "\x20\x3f\x13", 3}, {{100, 0, 10000}, "\x20\x3f\xe1\x1f", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        HpackEncoder encoder;
        uint8_t out[64];
        hpack_encoder_init(&encoder);
        for (int n = 0; n < 3; n++)
            hpack_encoder_limit(&encoder, rows[i].limits[n]);
        uint8_t *end = hpack_encode_begin(&encoder, out);
        if ((size_t)(end - out) != rows[i].size || memcmp(out, rows[i].text, rows[i].size) != 0)
            fail_msg("row %zu", i);
        assert_ptr_equal(hpack_encode_begin(&encoder, out), out);
        hpack_encoder_deinit(&encoder);
    }
}

/* ---- Against nghttp2 ------------------------------------------------------------------------- */

static uint32_t dice_state;

static uint32_t dice(uint32_t n)
{
    dice_state = dice_state * 1664525 + 1013904223;
    return (dice_state >> 8) % n;
}

enum { MOST_FIELDS = 24, MOST_TEXT = 300 };

typedef struct RandomHead {
    char text[MOST_FIELDS][2][MOST_TEXT];
    Field fields[MOST_FIELDS];
    size_t n;
} RandomHead;

static Bytes random_text(char *text, uint32_t most, bool wild)
{
    size_t size = dice(most);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(wild ? dice(256) : 'a' + dice(26));
    return bytes(text, size);
}

/* Fields that repeat, and such that do not; names of both tables and none. */
static void make_head(RandomHead *head)
{
    static const char *const names[] = {
        ":path",  ":authority",    "content-type", "date", "x-request-id", "grpc-timeout",
        "cookie", "authorization", "x-a",          "x-b",  "set-cookie",   "accept-encoding"};
    head->n = dice(MOST_FIELDS);
    for (size_t i = 0; i < head->n; i++) {
        Field *field = &head->fields[i];
        field->name =
            dice(5) ? bytes_of(names[dice(12)]) : random_text(head->text[i][0], 40, false);
        if (field->name.size == 0)
            field->name = bytes_of("x");
        if (dice(3))
            field->value = bytes_of(dice(2) ? "application/grpc" : "gzip, deflate");
        else
            field->value = random_text(head->text[i][1], MOST_TEXT, dice(4) == 0);
    }
}

static void expect_field(const RandomHead *head, size_t i, Bytes name, Bytes value)
{
    assert_true(i < head->n);
    assert_true(bytes_equal(name, head->fields[i].name));
    assert_true(bytes_equal(value, head->fields[i].value));
}

static void inflate(nghttp2_hd_inflater *inflater, Bytes text, const RandomHead *head)
{
    size_t n = 0;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, text.data, text.size, 1);
        assert_true(used >= 0);
        text = bytes(text.data + used, text.size - (size_t)used);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            expect_field(head, n++, bytes(nv.name, nv.namelen), bytes(nv.value, nv.valuelen));
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    assert_int_equal(n, head->n);
}

static void what_we_write_nghttp2_reads(void **state)
{
    static uint8_t out[MOST_FIELDS * (2 * MOST_TEXT + HPACK_FIELD_EXTRA)];
    for (uint32_t seed = 1; seed <= 40; seed++) {
        HpackEncoder encoder;
        nghttp2_hd_inflater *inflater;
        dice_state = seed;
        hpack_encoder_init(&encoder);
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        for (int i = 0; i < 300; i++) {
            static RandomHead head;
            make_head(&head);
            if (dice(20) == 0) {
                uint32_t limit = dice(3) ? dice(600) : 4096;
                hpack_encoder_limit(&encoder, limit);
                nghttp2_hd_inflate_change_table_size(inflater, limit);
            }
            uint8_t *at = hpack_encode_begin(&encoder, out);
            for (size_t n = 0; n < head.n; n++) {
                uint8_t *before = at;
                Field field = {head.fields[n].name, head.fields[n].value};
                at = hpack_encode(&encoder, at, &field, NULL);
                assert_true((size_t)(at - before) <= head.fields[n].name.size +
                                                         head.fields[n].value.size +
                                                         HPACK_FIELD_EXTRA);
            }
            inflate(inflater, bytes(out, (size_t)(at - out)), &head);
            assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater) - HPACK_STATIC,
                             encoder.table.n);
        }
        nghttp2_hd_inflate_del(inflater);
        hpack_encoder_deinit(&encoder);
    }
}

/* In one piece, or in as many as there are bytes. */
static void decode(Reader *reader, Bytes text, const RandomHead *head, bool whole)
{
    HpackBlock block = {.rest = text, .whole = whole, .arena = reader->arena};
    HpackField field;
    HpackOutcome outcome;
    size_t n = 0, shown = whole ? text.size : 0;
    hpack_decoder_begin(&reader->decoder);
    const uint8_t *end = text.data + text.size;
    do {
        if (!whole) {
            shown += shown < text.size;
            block.rest.size = shown - (size_t)(block.rest.data - text.data);
        }
        outcome = hpack_decode(&reader->decoder, &block, &field);
        assert_true(outcome != HPACK_BROKEN);
        if (outcome == HPACK_FIELD)
            expect_field(head, n++, field.name, field.value);
    } while (block.rest.data != end || outcome == HPACK_FIELD);
    assert_int_equal(n, head->n);
}

static void what_nghttp2_writes_we_read(void **state)
{
    static uint8_t out[MOST_FIELDS * (4 * MOST_TEXT + 32)];
    for (uint32_t seed = 1; seed <= 40; seed++) {
        Reader reader = reader_begin();
        nghttp2_hd_deflater *deflater;
        dice_state = seed;
        assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
        for (int i = 0; i < 300; i++) {
            static RandomHead head;
            nghttp2_nv nvs[MOST_FIELDS];
            make_head(&head);
            if (dice(20) == 0)
                nghttp2_hd_deflate_change_table_size(deflater, dice(3) ? dice(600) : 4096);
            for (size_t n = 0; n < head.n; n++) {
                Field field = head.fields[n];
                nvs[n] = (nghttp2_nv){(uint8_t *)(uintptr_t)field.name.data,
                                      (uint8_t *)(uintptr_t)field.value.data, field.name.size,
                                      field.value.size,
                                      dice(5) ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX};
            }
            ssize_t size = nghttp2_hd_deflate_hd(deflater, out, sizeof out, nvs, head.n);
            assert_true(size >= 0);
            if (size)
                decode(&reader, bytes(out, (size_t)size), &head, dice(2));
            arena_reset(reader.arena);
        }
        nghttp2_hd_deflate_del(deflater);
        reader_end(&reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_requests_of_the_standard_are_read),
        cmocka_unit_test(entries_are_evicted_as_in_the_standard),
        cmocka_unit_test(what_cannot_be_read_is_broken),
        cmocka_unit_test(a_field_that_has_come_in_part_is_read_when_it_is_whole),
        cmocka_unit_test(an_entry_may_evict_the_one_that_its_name_is_from),
        cmocka_unit_test(an_entry_larger_than_the_table_empties_it),
        cmocka_unit_test(what_is_larger_than_the_table_is_not_written_there),
        cmocka_unit_test(a_field_that_only_might_be_too_large_is_in_the_table),
        cmocka_unit_test(what_a_field_is_stays_with_its_entry),
        cmocka_unit_test(a_field_is_one_byte_the_second_time),
        cmocka_unit_test(a_field_of_the_table_is_not_asked_again_if_it_may_be_sent),
        cmocka_unit_test(what_may_not_be_sent_is_not_sent_because_the_table_has_it),
        cmocka_unit_test(secrets_go_into_no_table),
        cmocka_unit_test(what_seldom_repeats_comes_into_the_table_when_it_does),
        cmocka_unit_test(the_peer_is_told_of_each_size_of_the_table),
        cmocka_unit_test(what_we_write_nghttp2_reads),
        cmocka_unit_test(what_nghttp2_writes_we_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
