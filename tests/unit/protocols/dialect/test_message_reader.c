#include "protocols/dialect/dialect.h"

#include "base/text/base64.h"
#include "protocols/dialect/envelope.h"
#include "protocols/http/compression.h"
#include "tests/unit/check.h"

#include <stdlib.h>

static Arena *arena;
static MessageReader reader;
static Message message;
static Result why;
static UnframedBody unframed; /* what the next story's body is */
static bool keeps_compressed;
static size_t pieces_above = SIZE_MAX;
static bool by_runs; /* whole messages are taken at once, where they can be */

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void start(Dialect dialect, bool client, Compression compression, size_t limit)
{
    message_reader_init(&reader, dialect, client, compression, limit, arena);
}

static Bytes frame(uint8_t flags, Bytes payload)
{
    Buffer out = buffer_in(arena);
    envelope_write(DIALECT_GRPC, flags, payload, &out);
    return buffer_bytes(&out);
}

static MessageOutcome read_all(Bytes input)
{
    return message_reader_read(&reader, &input, &message, &why);
}

static void tell_run(Bytes *input, Buffer *told)
{
    if (!by_runs || !dialects_share_frames(reader.dialect, DIALECT_GRPC))
        return;
    MessageRun run = message_reader_run(&reader, SIZE_MAX, input);
    for (Bytes one; message_run_next(&run, &one);)
        buffer_printf(told, "<%.*s>", BYTES_ARGS(one));
    assert_int_equal(run.frames.size, 0);
}

/* The pieces of a message, as "{message}". */
static void tell_piece(const Message *piece, Buffer *told)
{
    static size_t left;
    assert_true(piece->bytes.size > 0);
    if (!left)
        buffer_add_text(told, piece->compressed ? "*{" : "{");
    else
        assert_int_equal(piece->bytes.size + piece->left, left);
    left = piece->left;
    buffer_add_bytes(told, piece->bytes);
    if (!left)
        buffer_add_text(told, "}");
}

/* Everything that a body gives, as one text: "<message><message>[end]" and how it ended. */
static Bytes story(Dialect dialect, bool client, Compression compression, const Bytes *pieces,
                   size_t n)
{
    Buffer told = buffer_in(arena);
    MessageOutcome outcome = MESSAGE_MORE;
    message_reader_init(&reader, dialect, client, compression, 1000, arena);
    reader.unframed = unframed;
    reader.pieces_above = pieces_above;
    reader.keep_compressed = keeps_compressed;
    for (size_t i = 0; i < n && outcome != MESSAGE_FAILED; i++) {
        Bytes input = pieces[i];
        for (;;) {
            tell_run(&input, &told);
            outcome = message_reader_read(&reader, &input, &message, &why);
            if (outcome == MESSAGE_MORE || outcome == MESSAGE_FAILED)
                break;
            if (outcome == MESSAGE_PIECE) {
                tell_piece(&message, &told);
                continue;
            }
            buffer_add_text(&told, outcome == MESSAGE_END ? "[" : "<");
            buffer_add_bytes(&told, message.bytes);
            buffer_add_text(&told, outcome == MESSAGE_END ? "]" : ">");
        }
        if (outcome == MESSAGE_MORE)
            assert_int_equal(input.size, 0);
    }
    if (outcome != MESSAGE_FAILED)
        outcome = message_reader_finish(&reader, &message, &why);
    if (outcome == MESSAGE_DONE) {
        buffer_add_text(&told, "(");
        buffer_add_bytes(&told, message.bytes);
        buffer_add_text(&told, ")");
    }
    if (outcome == MESSAGE_FAILED)
        buffer_add_text(&told, why.error->fault->name);
    return buffer_bytes(&told);
}

/* The property: wherever a body is cut, and if it comes byte by byte, it tells the same. */
static void check_each_split(Dialect dialect, bool client, Compression compression, Bytes body,
                             const char *expected)
{
    Bytes *pieces = arena_array(arena, Bytes, body.size + 1);
    assert_bytes(story(dialect, client, compression, &body, 1), expected);
    for (size_t at = 0; at <= body.size; at++) {
        Bytes two[] = {bytes_slice(body, 0, at), bytes_slice(body, at, SIZE_MAX)};
        assert_bytes(story(dialect, client, compression, two, 2), expected);
        if (at < body.size)
            pieces[at] = bytes_slice(body, at, 1);
    }
    assert_bytes(story(dialect, client, compression, pieces, body.size), expected);
}

static void check_every_split(Dialect dialect, bool client, Compression compression, Bytes body,
                              const char *expected)
{
    check_each_split(dialect, client, compression, body, expected);
    by_runs = true;
    check_each_split(dialect, client, compression, body, expected);
    by_runs = false;
}

static Bytes recorded_stream(Bytes zipped)
{
    Buffer body = buffer_in(arena);
    buffer_add_bytes(&body, frame(0, bytes_of("first")));
    buffer_add_bytes(&body, frame(0, BYTES_NONE));
    buffer_add_bytes(&body, frame(ENVELOPE_COMPRESSED, zipped));
    buffer_add_bytes(&body, frame(0, bytes_of("last")));
    return buffer_bytes(&body);
}

static Bytes zip(const char *text)
{
    Buffer out = buffer_in(arena);
    assert_ok(arena, compress_message(arena, COMPRESSION_GZIP, bytes_of(text), &out));
    return buffer_bytes(&out);
}

static void every_split_of_a_stream_gives_the_same_messages(void **state)
{
    Bytes body = recorded_stream(zip("squeezed"));
    check_every_split(DIALECT_GRPC, false, COMPRESSION_GZIP, body, "<first><><squeezed><last>");
    check_every_split(DIALECT_GRPC, true, COMPRESSION_GZIP, body, "<first><><squeezed><last>");
    check_every_split(DIALECT_GRPC_WEB, false, COMPRESSION_GZIP, body, "<first><><squeezed><last>");
    check_every_split(DIALECT_CONNECT_STREAM, false, COMPRESSION_GZIP, body,
                      "<first><><squeezed><last>");
}

static void every_split_of_a_web_text_body_gives_the_same_messages(void **state)
{
    Buffer text = buffer_in(arena);
    assert_ok(arena, message_write(DIALECT_GRPC_WEB_TEXT, bytes_of("a"), COMPRESSION_IDENTITY,
                                   false, &text));
    assert_ok(arena, message_write(DIALECT_GRPC_WEB_TEXT, bytes_of("bcd"), COMPRESSION_IDENTITY,
                                   false, &text));
    assert_ok(arena,
              message_write(DIALECT_GRPC_WEB_TEXT, BYTES_NONE, COMPRESSION_IDENTITY, false, &text));
    check_every_split(DIALECT_GRPC_WEB_TEXT, false, COMPRESSION_IDENTITY, buffer_bytes(&text),
                      "<a><bcd><>");
}

static void every_split_of_an_answer_with_its_end_gives_the_same(void **state)
{
    Buffer web = buffer_in(arena), connect = buffer_in(arena);
    buffer_add_bytes(&web, frame(0, bytes_of("m")));
    buffer_add_bytes(&web,
                     frame(ENVELOPE_WEB_TRAILERS | ENVELOPE_COMPRESSED, zip("grpc-status:0\r\n")));
    check_every_split(DIALECT_GRPC_WEB, true, COMPRESSION_GZIP, buffer_bytes(&web),
                      "<m>[grpc-status:0\r\n]");
    buffer_add_bytes(&connect, frame(0, bytes_of("m")));
    buffer_add_bytes(&connect, frame(ENVELOPE_CONNECT_END, bytes_of("{}")));
    check_every_split(DIALECT_CONNECT_STREAM, true, COMPRESSION_IDENTITY, buffer_bytes(&connect),
                      "<m>[{}]");
}

static void every_split_of_a_body_without_frames_gives_one_message(void **state)
{
    check_every_split(DIALECT_CONNECT, false, COMPRESSION_IDENTITY, bytes_of("{\"a\":1}"),
                      "({\"a\":1})");
    check_every_split(DIALECT_REST, false, COMPRESSION_GZIP, zip("{\"a\":1}"), "({\"a\":1})");
    check_every_split(DIALECT_CONNECT, false, COMPRESSION_GZIP, BYTES_NONE, "()");
}

static void every_split_of_lines_gives_the_same_messages(void **state)
{
    unframed = UNFRAMED_LINES;
    check_every_split(DIALECT_REST, true, COMPRESSION_IDENTITY,
                      bytes_of("{\"a\":1}\n\r\n{\"b\":\"\\n\"}\r\n  \n\n7\n"),
                      "<{\"a\":1}><{\"b\":\"\\n\"}><7>");
    check_every_split(DIALECT_REST, true, COMPRESSION_IDENTITY, BYTES_NONE, "");
    unframed = UNFRAMED_WHOLE;
}

static void the_last_line_needs_no_newline(void **state)
{
    unframed = UNFRAMED_LINES;
    Bytes body = bytes_of("1\n2");
    assert_bytes(story(DIALECT_REST, true, COMPRESSION_IDENTITY, &body, 1), "<1>(2)");
    unframed = UNFRAMED_WHOLE;
}

static void a_line_over_the_limit_is_refused_before_it_ends(void **state)
{
    start(DIALECT_REST, true, COMPRESSION_IDENTITY, 5);
    reader.unframed = UNFRAMED_LINES;
    assert_int_equal(read_all(bytes_of("12345\n")), MESSAGE_DONE);
    assert_int_equal(read_all(bytes_of("123")), MESSAGE_MORE);
    assert_int_equal(read_all(bytes_of("456")), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_TOO_LARGE);
}

static void a_line_that_lies_whole_in_the_input_is_not_copied(void **state)
{
    Bytes body = bytes_of("{}\n{}\n");
    start(DIALECT_REST, true, COMPRESSION_IDENTITY, 100);
    reader.unframed = UNFRAMED_LINES;
    assert_int_equal(read_all(body), MESSAGE_DONE);
    assert_ptr_equal(message.bytes.data, body.data);
}

static void bytes_without_structure_are_given_as_they_come(void **state)
{
    unframed = UNFRAMED_PIECES;
    Bytes pieces[] = {bytes_of("ab"), BYTES_NONE, bytes_of("\nc")};
    assert_bytes(story(DIALECT_REST, true, COMPRESSION_IDENTITY, pieces, 3), "<ab><\nc>");
    unframed = UNFRAMED_WHOLE;
}

static void bytes_without_structure_are_cut_at_the_limit(void **state)
{
    Bytes body = bytes_of("abcde");
    start(DIALECT_REST, true, COMPRESSION_IDENTITY, 2);
    reader.unframed = UNFRAMED_PIECES;
    const char *wanted[] = {"ab", "cd", "e"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(message_reader_read(&reader, &body, &message, &why), MESSAGE_DONE);
        assert_bytes(message.bytes, wanted[i]);
    }
    assert_int_equal(message_reader_read(&reader, &body, &message, &why), MESSAGE_MORE);
}

static void larger_messages_are_given_in_pieces(void **state)
{
    Bytes zipped = zip("squeezed");
    pieces_above = 4;
    check_each_split(DIALECT_GRPC, true, COMPRESSION_GZIP, recorded_stream(zipped),
                     "{first}<><squeezed><last>");
    check_each_split(DIALECT_GRPC_WEB, true, COMPRESSION_IDENTITY,
                     frame(ENVELOPE_WEB_TRAILERS, bytes_of("grpc-status: 0")), "[grpc-status: 0]");
    keeps_compressed = true;
    Bytes body = frame(ENVELOPE_COMPRESSED, bytes_of("whatever"));
    check_each_split(DIALECT_GRPC, true, COMPRESSION_GZIP, body, "*{whatever}");
    keeps_compressed = false;
    pieces_above = 5;
    check_each_split(DIALECT_GRPC, true, COMPRESSION_GZIP, recorded_stream(zipped),
                     "<first><><squeezed><last>");
    pieces_above = SIZE_MAX;
}

static void pieces_need_no_memory_and_are_not_copied(void **state)
{
    Bytes body = frame(0, bytes_of("a message"));
    start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, 1000);
    reader.pieces_above = 0;
    size_t held = arena_size(arena);
    Bytes input = bytes_slice(body, 0, 10);
    assert_int_equal(message_reader_read(&reader, &input, &message, &why), MESSAGE_PIECE);
    assert_ptr_equal(message.bytes.data, body.data + 5);
    assert_int_equal(message.left, 4);
    assert_int_equal(message_reader_read(&reader, &input, &message, &why), MESSAGE_MORE);
    input = bytes_slice(body, 10, SIZE_MAX);
    assert_int_equal(message_reader_read(&reader, &input, &message, &why), MESSAGE_PIECE);
    assert_ptr_equal(message.bytes.data, body.data + 10);
    assert_int_equal(message.left, 0);
    assert_int_equal(arena_size(arena), held);
}

static void a_message_that_is_cut_between_its_pieces_is_noticed(void **state)
{
    Bytes body = frame(0, bytes_of("a message"));
    for (size_t at = 6; at < body.size; at++) {
        start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, 1000);
        reader.pieces_above = 0;
        assert_int_equal(read_all(bytes_slice(body, 0, at)), MESSAGE_PIECE);
        assert_int_equal(message_reader_finish(&reader, &message, &why), MESSAGE_FAILED);
    }
}

static void a_message_in_pieces_is_bounded_like_any(void **state)
{
    start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, 8);
    reader.pieces_above = 0;
    assert_int_equal(read_all(frame(0, bytes_of("12345678"))), MESSAGE_PIECE);
    assert_int_equal(read_all(frame(0, bytes_of("123456789"))), MESSAGE_FAILED);
}

static void the_head_of_a_first_piece_is_that_of_the_whole(void **state)
{
    FramedMessage framed;
    Message piece = {.bytes = bytes_of("abc"), .compressed = true, .left = 0x10000};
    assert_ok(arena, message_frame(DIALECT_GRPC, &piece, COMPRESSION_IDENTITY, arena, &framed));
    assert_memory_equal(framed.head, "\1\0\1\0\3", 5);
    assert_ptr_equal(framed.rest.data, piece.bytes.data);
    assert_int_equal(framed.rest.size, 3);
}

static void every_cut_stream_is_noticed(void **state)
{
    Bytes body = recorded_stream(zip("x")), whole = bytes_slice(body, 0, 10 + 5);
    for (size_t size = 1; size < whole.size; size++) {
        Bytes cut = bytes_slice(body, 0, size);
        Bytes told = story(DIALECT_GRPC, false, COMPRESSION_GZIP, &cut, 1);
        assert_int_equal(size != 10, bytes_end_with(told, "PROTOCOL_VIOLATION"));
    }
}

static void a_message_that_lies_whole_in_the_input_is_not_copied(void **state)
{
    Bytes body = recorded_stream(zip("x"));
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    assert_int_equal(read_all(body), MESSAGE_DONE);
    assert_ptr_equal(message.bytes.data, body.data + ENVELOPE_HEAD);
    assert_null(reader.partial.data);
}

static void a_message_at_the_edge_of_readable_memory_is_not_overrun(void **state)
{
    Bytes body = recorded_stream(zip("squeezed"));
    for (size_t size = 0; size <= body.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* AddressSanitizer guards its end */
        memcpy(exact, body.data, size);
        Bytes piece = bytes(exact, size);
        story(DIALECT_GRPC, false, COMPRESSION_GZIP, &piece, 1);
        free(exact);
    }
}

static void a_message_over_the_limit_is_refused_by_its_announced_size(void **state)
{
    static const uint8_t head[] = {0, 0xff, 0xff, 0xff, 0xff};
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(bytes(head, 5)), MESSAGE_FAILED);
    assert_fault(why, FAULT_MESSAGE_TOO_LARGE);
    start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(bytes(head, 5)), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_TOO_LARGE);
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, 5);
    assert_int_equal(read_all(frame(0, bytes_of("12345"))), MESSAGE_DONE);
    assert_int_equal(read_all(frame(0, bytes_of("123456"))), MESSAGE_FAILED);
}

static void a_message_over_the_limit_once_decompressed_is_refused(void **state)
{
    char zeros[5001] = {0};
    memset(zeros, '0', 5000);
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, zip(zeros))), MESSAGE_FAILED);
    assert_fault(why, FAULT_MESSAGE_TOO_LARGE);
}

/* A MiB is free; beyond it the limit is 100 times what came, on both sides of it. */
static void a_message_that_grows_too_much_is_refused(void **state)
{
    static const struct {
        size_t size;
        uint32_t most_growth;
        bool fails;
    } rows[] = {
        {1 << 20, 100, false},
        {(1 << 20) + 1, 100, true},
        {(1 << 20) + 1, 0, false},
        {3 << 20, 2000, false},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        Buffer spaces = buffer_in(arena), body = buffer_in(arena);
        buffer_reserve(&spaces, rows[i].size);
        memset(spaces.data, ' ', spaces.size = rows[i].size);
        assert_ok(arena, message_write(DIALECT_REST, buffer_bytes(&spaces), COMPRESSION_GZIP, false,
                                       &body));
        assert_true(body.size * 100 < rows[i].size);
        start(DIALECT_REST, false, COMPRESSION_GZIP, 16 << 20);
        reader.most_growth = rows[i].most_growth;
        assert_int_equal(read_all(buffer_bytes(&body)), MESSAGE_MORE);
        assert_int_equal(message_reader_finish(&reader, &message, &why),
                         rows[i].fails ? MESSAGE_FAILED : MESSAGE_DONE);
        if (rows[i].fails)
            assert_fault(why, FAULT_MESSAGE_TOO_LARGE);
    }
    /* Exactly as many times as it may, and one time less. */
    Buffer text = buffer_in(arena), body = buffer_in(arena);
    uint32_t seed = 1;
    for (unsigned i = 0; i < 2 << 20; i++)
        buffer_add_byte(&text,
                        i % 32 ? 'a' : (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24));
    assert_ok(arena,
              message_write(DIALECT_REST, buffer_bytes(&text), COMPRESSION_GZIP, false, &body));
    uint32_t times = (uint32_t)((text.size + body.size - 1) / body.size);
    for (uint32_t most = times - 1; most <= times; most++) {
        start(DIALECT_REST, false, COMPRESSION_GZIP, 16 << 20);
        reader.most_growth = most;
        assert_int_equal(read_all(buffer_bytes(&body)), MESSAGE_MORE);
        assert_int_equal(message_reader_finish(&reader, &message, &why),
                         most == times ? MESSAGE_DONE : MESSAGE_FAILED);
    }
}

static void an_unframed_body_over_the_limit_is_refused_as_soon_as_it_shows(void **state)
{
    start(DIALECT_REST, false, COMPRESSION_IDENTITY, 10);
    assert_int_equal(read_all(bytes_of("1234567890")), MESSAGE_MORE);
    assert_int_equal(read_all(bytes_of("1")), MESSAGE_FAILED);
    assert_fault(why, FAULT_MESSAGE_TOO_LARGE);
}

static void a_run_ends_before_what_is_no_plain_whole_message(void **state)
{
    static const uint8_t flags[] = {ENVELOPE_COMPRESSED, ENVELOPE_CONNECT_END, 0x40};
    start(DIALECT_CONNECT_STREAM, true, COMPRESSION_GZIP, 5);
    for (unsigned i = 0; i < 6; i++) {
        Buffer body = buffer_in(arena);
        for (unsigned k = 0; k < 3; k++)
            buffer_add_bytes(&body, frame(0, bytes_of("12345")));
        size_t plain = body.size;
        if (i < 3)
            buffer_add_bytes(&body, frame(flags[i], bytes_of("x")));
        else if (i == 3)
            buffer_add_bytes(&body, frame(0, bytes_of("123456"))); /* over the limit */
        else
            buffer_add_bytes(&body, bytes_slice(frame(0, bytes_of("1234")), 0, i == 4 ? 8 : 4));
        Bytes input = buffer_bytes(&body);
        MessageRun run = message_reader_run(&reader, SIZE_MAX, &input);
        assert_int_equal(run.n, 3);
        assert_int_equal(run.frames.size, plain);
        assert_ptr_equal(run.frames.data, body.data);
        assert_ptr_equal(input.data, body.data + plain);
        assert_int_equal(message_reader_run(&reader, SIZE_MAX, &input).n, 0);
    }
}

static void a_cut_message_comes_before_a_run(void **state)
{
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, 100);
    Bytes one = frame(0, bytes_of("one")), front = bytes_slice(one, 0, 6),
          rest = bytes_slice(one, 6, SIZE_MAX);
    assert_int_equal(message_reader_run(&reader, SIZE_MAX, &front).n, 0);
    assert_int_equal(message_reader_read(&reader, &front, &message, &why), MESSAGE_MORE);
    assert_int_equal(message_reader_run(&reader, SIZE_MAX, &rest).n, 0);
    assert_int_equal(message_reader_read(&reader, &rest, &message, &why), MESSAGE_DONE);
    assert_int_equal(message_reader_run(&reader, SIZE_MAX, &one).n, 1);
}

static void a_run_is_written_as_its_messages_are(void **state)
{
    Buffer out = buffer_in(arena), expected = buffer_in(arena);
    static const char *const texts[] = {"one", "", "three"};
    for (unsigned i = 0; i < 3; i++) {
        size_t at = message_frame_begin(&out);
        buffer_add_text(&out, texts[i]);
        assert_ok(arena, message_frame_end(&out, at));
        buffer_add_bytes(&expected, frame(0, bytes_of(texts[i])));
    }
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&expected)));
}

static void an_announced_giant_takes_no_memory_before_it_comes(void **state)
{
    static const uint8_t head[] = {0, 0x7f, 0xff, 0xff, 0xff, 'x'};
    Arena *small = arena_new(128 * 1024);
    MessageReader modest;
    Bytes input = bytes(head, 6);
    message_reader_init(&modest, DIALECT_GRPC, false, COMPRESSION_IDENTITY, SIZE_MAX, small);
    assert_int_equal(message_reader_read(&modest, &input, &message, &why), MESSAGE_MORE);
    assert_in_range(arena_size(small), 0, 64 * 1024);
    arena_free(small);
}

static void compressed_messages_need_a_named_compression(void **state)
{
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, bytes_of("x"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_UNNAMED_COMPRESSION);
    assert_int_equal(why.error->fault->grpc_status, CODE_INTERNAL);
    start(DIALECT_CONNECT_STREAM, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, BYTES_NONE)), MESSAGE_FAILED);
    start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, bytes_of("x"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_PROTOCOL);
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, bytes_of("not gzip"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_BAD_REQUEST);
    assert_int_equal(why.error->fault->grpc_status, CODE_INVALID_ARGUMENT);
    start(DIALECT_GRPC, true, COMPRESSION_GZIP, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, bytes_of("not gzip"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_PROTOCOL);
}

static void an_empty_message_is_not_decompressed_though_marked(void **state)
{
    start(DIALECT_CONNECT_STREAM, false, COMPRESSION_GZIP, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, BYTES_NONE)), MESSAGE_DONE);
    assert_int_equal(message.bytes.size, 0);
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    reader.keep_compressed = true;
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, BYTES_NONE)), MESSAGE_DONE);
    assert_false(message.compressed);
}

static void messages_that_go_on_untouched_stay_compressed(void **state)
{
    Bytes zipped = zip("squeezed");
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    reader.keep_compressed = true;
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, zipped)), MESSAGE_DONE);
    assert_true(message.compressed);
    assert_true(bytes_equal(message.bytes, zipped));
    Buffer out = buffer_in(arena);
    assert_ok(arena, message_write(DIALECT_GRPC, message.bytes, COMPRESSION_GZIP, true, &out));
    assert_true(bytes_equal(buffer_bytes(&out), frame(ENVELOPE_COMPRESSED, zipped)));
}

static void a_kept_message_can_be_opened_after_all(void **state)
{
    Bytes plain;
    Buffer zeros = buffer_in(arena), bomb = buffer_in(arena);
    start(DIALECT_GRPC, false, COMPRESSION_GZIP, 1000);
    reader.keep_compressed = true;
    assert_int_equal(read_all(frame(ENVELOPE_COMPRESSED, zip("squeezed"))), MESSAGE_DONE);
    assert_ok(arena, message_reader_decompress(&reader, message.bytes, arena, &plain));
    assert_bytes(plain, "squeezed");
    assert_fault(message_reader_decompress(&reader, bytes_of("not gzip"), arena, &plain),
                 FAULT_BAD_REQUEST);
    for (int i = 0; i < 1001; i++)
        buffer_add_byte(&zeros, 0);
    assert_ok(arena, compress_message(arena, COMPRESSION_GZIP, buffer_bytes(&zeros), &bomb));
    assert_fault(message_reader_decompress(&reader, buffer_bytes(&bomb), arena, &plain),
                 FAULT_MESSAGE_TOO_LARGE);
}

static void unknown_flags_and_end_frames_of_clients_break_the_rules(void **state)
{
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(0x02, bytes_of("x"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_PROTOCOL_VIOLATION);
    start(DIALECT_CONNECT_STREAM, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_CONNECT_END, bytes_of("{}"))), MESSAGE_FAILED);
    start(DIALECT_GRPC_WEB, false, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_WEB_TRAILERS, bytes_of(""))), MESSAGE_FAILED);
    start(DIALECT_CONNECT_STREAM, true, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_WEB_TRAILERS, bytes_of("{}"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_PROTOCOL);
    start(DIALECT_GRPC_WEB, true, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_CONNECT_END, bytes_of("{}"))), MESSAGE_FAILED);
}

static void nothing_may_follow_the_end_frame(void **state)
{
    start(DIALECT_CONNECT_STREAM, true, COMPRESSION_IDENTITY, 1000);
    assert_int_equal(read_all(frame(ENVELOPE_CONNECT_END, bytes_of("{}"))), MESSAGE_END);
    assert_int_equal(read_all(frame(ENVELOPE_CONNECT_END, bytes_of("{}"))), MESSAGE_FAILED);
    assert_fault(why, FAULT_UPSTREAM_PROTOCOL);
}

static void an_end_frame_may_be_larger_than_the_messages(void **state)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    start(DIALECT_CONNECT_STREAM, true, COMPRESSION_IDENTITY, 100);
    assert_int_equal(read_all(frame(ENVELOPE_CONNECT_END, bytes(text, sizeof text))), MESSAGE_END);
    assert_int_equal(message.bytes.size, sizeof text);
}

static void base64_of_web_text_may_pad_anywhere_but_not_wrongly(void **state)
{
    /* A frame in three parts, each encoded for itself. */
    Bytes whole = frame(0, bytes_of("abc"));
    Buffer text = buffer_in(arena);
    base64_encode(&text, bytes_slice(whole, 0, 1), BASE64_STANDARD, true);
    base64_encode(&text, bytes_slice(whole, 1, 5), BASE64_STANDARD, true);
    base64_encode(&text, bytes_slice(whole, 6, 9), BASE64_STANDARD, true);
    check_every_split(DIALECT_GRPC_WEB_TEXT, false, COMPRESSION_IDENTITY, buffer_bytes(&text),
                      "<abc>");

    static const char *const bad[] = {"=", "A=", "AA=A", "AAA=!", "A A=", "AAAA\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes body = bytes_of(bad[i]);
        assert_bytes(story(DIALECT_GRPC_WEB_TEXT, false, COMPRESSION_IDENTITY, &body, 1),
                     "PROTOCOL_VIOLATION");
    }
    Bytes cut = bytes_of("AAAAAAA");
    assert_bytes(story(DIALECT_GRPC_WEB_TEXT, false, COMPRESSION_IDENTITY, &cut, 1),
                 "PROTOCOL_VIOLATION");
}

static void a_long_stream_needs_no_more_memory_than_a_short_one(void **state)
{
    Arena *small = arena_new(256 * 1024);
    MessageReader steady;
    Bytes body = recorded_stream(zip("squeezed"));
    message_reader_init(&steady, DIALECT_GRPC, false, COMPRESSION_GZIP, 1000, small);
    size_t seen = 0;
    for (int i = 0; i < 20000; i++) {
        for (size_t at = 0; at < body.size; at += 7) {
            Bytes piece = bytes_slice(body, at, 7);
            MessageOutcome outcome;
            while ((outcome = message_reader_read(&steady, &piece, &message, &why)) == MESSAGE_DONE)
                seen++;
            assert_int_equal(outcome, MESSAGE_MORE);
        }
    }
    assert_int_equal(seen, 80000);
    arena_free(small);
}

static void a_writer_leaves_messages_that_do_not_shrink(void **state)
{
    Buffer out = buffer_in(arena);
    assert_ok(arena, message_write(DIALECT_GRPC, bytes_of("small"), COMPRESSION_GZIP, false, &out));
    assert_int_equal(out.data[0], 0);
    char text[1000];
    memset(text, 'x', sizeof text);
    out.size = 0;
    assert_ok(arena,
              message_write(DIALECT_GRPC, bytes(text, sizeof text), COMPRESSION_ZSTD, false, &out));
    assert_int_equal(out.data[0], ENVELOPE_COMPRESSED);
    assert_in_range(out.size, 6, 200);
    uint32_t seed = 7;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    out.size = 0;
    assert_ok(arena,
              message_write(DIALECT_GRPC, bytes(text, sizeof text), COMPRESSION_ZSTD, false, &out));
    assert_int_equal(out.data[0], 0);
    assert_int_equal(out.size, 1005);
    /* Without frames the head has named the compression already. */
    out.size = 0;
    assert_ok(arena,
              message_write(DIALECT_CONNECT, bytes_of("small"), COMPRESSION_GZIP, false, &out));
    assert_int_equal(out.data[0], 0x1f);
}

static void read_part_of(Bytes frame_bytes, size_t size)
{
    Bytes piece = bytes_slice(frame_bytes, 0, size);
    assert_int_equal(message_reader_read(&reader, &piece, &message, &why), MESSAGE_MORE);
}

static void the_rest_of_an_announced_response_is_wanted_at_once(void **state)
{
    enum { WHOLE = 1 << 20, PART = 16 << 10 };
    Bytes whole = frame(0, bytes(arena_calloc(arena, 1, WHOLE), WHOLE));
    start(DIALECT_GRPC, true, COMPRESSION_IDENTITY, WHOLE);
    assert_int_equal(message_reader_wants(&reader), 0);
    read_part_of(whole, 5 + PART);
    assert_int_equal(message_reader_wants(&reader), WHOLE - PART);
    message_reader_take_room(&reader);
    assert_int_equal(message_reader_wants(&reader), 0);
    assert_int_equal(reader.partial.capacity, WHOLE);
}

static void of_an_announced_request_as_much_again_is_wanted_as_came(void **state)
{
    enum { WHOLE = 100 << 10, FIRST = 16 << 10 };
    Bytes whole = frame(0, bytes(arena_calloc(arena, 1, WHOLE), WHOLE));
    start(DIALECT_GRPC, false, COMPRESSION_IDENTITY, WHOLE);
    read_part_of(whole, 5 + FIRST / 2 - 1);
    assert_int_equal(message_reader_wants(&reader), 0);
    read_part_of(bytes_slice(whole, 5 + FIRST / 2 - 1, SIZE_MAX), 1);
    assert_int_equal(message_reader_wants(&reader), FIRST);
    read_part_of(bytes_slice(whole, 5 + FIRST / 2, SIZE_MAX), 60 << 10);
    assert_int_equal(message_reader_wants(&reader), WHOLE - reader.partial.capacity);
}

static void of_a_body_without_frames_as_much_again_is_wanted_as_came(void **state)
{
    enum { FIRST = 16 << 10 };
    start(DIALECT_REST, true, COMPRESSION_IDENTITY, FIRST + 100);
    assert_int_equal(message_reader_wants(&reader), 0);
    Bytes body = bytes(arena_calloc(arena, 1, FIRST), FIRST);
    read_part_of(body, FIRST);
    assert_int_equal(message_reader_wants(&reader), 100);
    message_reader_take_room(&reader);
    assert_int_equal(message_reader_wants(&reader), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_of_an_announced_response_is_wanted_at_once),
        cmocka_unit_test(of_an_announced_request_as_much_again_is_wanted_as_came),
        cmocka_unit_test(of_a_body_without_frames_as_much_again_is_wanted_as_came),
        cmocka_unit_test(every_split_of_a_stream_gives_the_same_messages),
        cmocka_unit_test(every_split_of_a_web_text_body_gives_the_same_messages),
        cmocka_unit_test(every_split_of_an_answer_with_its_end_gives_the_same),
        cmocka_unit_test(every_split_of_a_body_without_frames_gives_one_message),
        cmocka_unit_test(every_split_of_lines_gives_the_same_messages),
        cmocka_unit_test(the_last_line_needs_no_newline),
        cmocka_unit_test(a_line_over_the_limit_is_refused_before_it_ends),
        cmocka_unit_test(a_line_that_lies_whole_in_the_input_is_not_copied),
        cmocka_unit_test(bytes_without_structure_are_given_as_they_come),
        cmocka_unit_test(bytes_without_structure_are_cut_at_the_limit),
        cmocka_unit_test(larger_messages_are_given_in_pieces),
        cmocka_unit_test(pieces_need_no_memory_and_are_not_copied),
        cmocka_unit_test(a_message_that_is_cut_between_its_pieces_is_noticed),
        cmocka_unit_test(a_message_in_pieces_is_bounded_like_any),
        cmocka_unit_test(the_head_of_a_first_piece_is_that_of_the_whole),
        cmocka_unit_test(every_cut_stream_is_noticed),
        cmocka_unit_test(a_message_that_lies_whole_in_the_input_is_not_copied),
        cmocka_unit_test(a_message_at_the_edge_of_readable_memory_is_not_overrun),
        cmocka_unit_test(a_message_over_the_limit_is_refused_by_its_announced_size),
        cmocka_unit_test(a_message_over_the_limit_once_decompressed_is_refused),
        cmocka_unit_test(a_message_that_grows_too_much_is_refused),
        cmocka_unit_test(an_unframed_body_over_the_limit_is_refused_as_soon_as_it_shows),
        cmocka_unit_test(a_run_ends_before_what_is_no_plain_whole_message),
        cmocka_unit_test(a_cut_message_comes_before_a_run),
        cmocka_unit_test(a_run_is_written_as_its_messages_are),
        cmocka_unit_test(an_announced_giant_takes_no_memory_before_it_comes),
        cmocka_unit_test(compressed_messages_need_a_named_compression),
        cmocka_unit_test(an_empty_message_is_not_decompressed_though_marked),
        cmocka_unit_test(messages_that_go_on_untouched_stay_compressed),
        cmocka_unit_test(a_kept_message_can_be_opened_after_all),
        cmocka_unit_test(unknown_flags_and_end_frames_of_clients_break_the_rules),
        cmocka_unit_test(nothing_may_follow_the_end_frame),
        cmocka_unit_test(an_end_frame_may_be_larger_than_the_messages),
        cmocka_unit_test(base64_of_web_text_may_pad_anywhere_but_not_wrongly),
        cmocka_unit_test(a_long_stream_needs_no_more_memory_than_a_short_one),
        cmocka_unit_test(a_writer_leaves_messages_that_do_not_shrink),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
