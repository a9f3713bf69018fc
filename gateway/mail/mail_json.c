#include "gateway/mail/mail_json.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"

#include <gmime/gmime.h>

/* ---- Words ----------------------------------------------------------------------------------- */

/* Adds the line with its end, unless it quotes somebody. */
static void add_unquoted(Buffer *words, Bytes line)
{
    if (bytes_start_with(line, ">"))
        return;
    if (bytes_end_with(line, "\r"))
        line.size--;
    buffer_add_bytes(words, line);
    buffer_add_byte(words, '\n');
}

static void add_text(Buffer *words, Bytes text)
{
    for (Bytes line; words->size < MAIL_WORDS_MOST && bytes_split(&text, '\n', &line);)
        add_unquoted(words, line);
}

/* What is between tags. */
static Bytes without_tags(Bytes html, Arena *arena)
{
    Buffer text = buffer_in(arena);
    bool inside = false;
    for (size_t i = 0; i < html.size && text.size < MAIL_WORDS_MOST; i++) {
        uint8_t c = html.data[i];
        if (!inside && c != '<')
            buffer_add_byte(&text, c);
        inside = c == '<' || (inside && c != '>');
    }
    return buffer_bytes(&text);
}

/* The first part of this subtype of text, of the first ones; NULL: there is none. */
static GMimeTextPart *text_part(GMimeMessage *message, const char *subtype)
{
    GMimeTextPart *found = NULL;
    GMimePartIter *iterator = g_mime_part_iter_new(GMIME_OBJECT(message));
    for (int n = 0; !found && n < MAIL_PARTS_MOST && g_mime_part_iter_is_valid(iterator); n++) {
        GMimeObject *part = g_mime_part_iter_get_current(iterator);
        if (GMIME_IS_TEXT_PART(part) && !g_mime_part_is_attachment(GMIME_PART(part)) &&
            g_mime_content_type_is_type(g_mime_object_get_content_type(part), "text", subtype))
            found = GMIME_TEXT_PART(part);
        g_mime_part_iter_next(iterator);
    }
    g_mime_part_iter_free(iterator);
    return found;
}

/* In UTF-8. */
static void add_part(Buffer *words, GMimeTextPart *part, bool html)
{
    char *text = part ? g_mime_text_part_get_text(part) : NULL;
    Bytes all = bytes_of(text);
    if (text)
        add_text(words, html ? without_tags(all, words->arena) : all);
    g_free(text);
}

static Bytes words_of(GMimeMessage *message, Arena *arena)
{
    Buffer words = buffer_in(arena);
    const char *subject = g_mime_message_get_subject(message);
    GMimeTextPart *plain = text_part(message, "plain");
    if (subject)
        buffer_printf(&words, "%s\n\n", subject);
    add_part(&words, plain ? plain : text_part(message, "html"), !plain);
    return bytes_cut_text(buffer_bytes(&words), MAIL_WORDS_MOST);
}

/* ---- A message ------------------------------------------------------------------------------- */

/* The address of the first sender; NULL: there is none. */
static const char *sender_of(GMimeMessage *message)
{
    InternetAddressList *from = g_mime_message_get_from(message);
    InternetAddress *first = from && internet_address_list_length(from) > 0
                                 ? internet_address_list_get_address(from, 0)
                                 : NULL;
    return first && INTERNET_ADDRESS_IS_MAILBOX(first)
               ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
               : NULL;
}

/* Dates of the future are left out: it is now. */
static void add_date(Buffer *line, GMimeMessage *message)
{
    GDateTime *date = g_mime_message_get_date(message);
    int64_t seconds = date ? g_date_time_to_unix(date) : -1;
    if (seconds >= 0 && seconds <= clock_wall() / SECOND)
        json_text_add_time(line, "at", seconds, 0);
}

/* False: it is left out. */
static bool write_line(GMimeMessage *message, const MailRules *rules, Buffer *line)
{
    const char *client = rules->client ? rules->client : sender_of(message);
    const char *id = g_mime_message_get_message_id(message);
    Bytes words = words_of(message, line->arena);
    if (!client || !*client || strlen(client) > 256 || !bytes_trim(words).size)
        return false;
    buffer_add_byte(line, '{');
    if (id)
        json_text_add_member(line, "id", bytes_slice(bytes_of(id), 0, 1024));
    json_text_add_member(line, "client", bytes_of(client));
    add_date(line, message);
    json_text_add_member(line, "source", bytes_of(rules->source ? rules->source : "mail"));
    json_text_add_member(line, "words", words);
    buffer_add_text(line, "}\n");
    return true;
}

/* ---- The mailbox ----------------------------------------------------------------------------- */

/* The next message begins with a line "From ". */
static Bytes split_message(Bytes *mbox)
{
    static const char begins[] = "\nFrom ";
    const uint8_t *next = memmem(mbox->data, mbox->size, begins, sizeof begins - 1);
    size_t size = next ? (size_t)(next - mbox->data) + 1 : mbox->size;
    Bytes message = bytes_slice(*mbox, 0, size);
    *mbox = bytes_slice(*mbox, size, SIZE_MAX);
    return message;
}

/* Whether it may be the first line of a field of a head: a word, and a colon. */
static bool begins_field(Bytes line)
{
    size_t colon = bytes_find(line, ':');
    Bytes name = bytes_trim(bytes_slice(line, 0, colon));
    return colon < line.size && bytes_find(name, ' ') == name.size;
}

/* Lists of addresses are read by recursion: a field of a hundred thousand groups would end the
   process, and with it the import of all other messages. A message may have others in it, so that
   a head may begin anywhere. */
static bool has_short_fields(Bytes message)
{
    Bytes line;
    size_t field = 0;
    bool within = false;
    while (bytes_split(&message, '\n', &line)) {
        bool goes_on = line.size && (line.data[0] == ' ' || line.data[0] == '\t');
        field = goes_on ? field + line.size : line.size;
        within = goes_on ? within : begins_field(line);
        if (within && field > MAIL_FIELD_MOST)
            return false;
    }
    return true;
}

static bool write_message(Bytes text, const MailRules *rules, Buffer *line)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)text.data, text.size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_format(parser, GMIME_FORMAT_MBOX);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    bool written = message && write_line(message, rules, line);
    if (message)
        g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
    return written;
}

MailCounts mail_json_write(Bytes mbox, const MailRules *rules,
                           void (*on_line)(void *owner, Bytes line), void *owner)
{
    MailCounts counts = {0};
    g_mime_init();
    while (mbox.size) {
        Bytes message = split_message(&mbox);
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer line = buffer_in(arena);
        if (has_short_fields(message) && write_message(message, rules, &line)) {
            on_line(owner, buffer_bytes(&line));
            counts.taken++;
        } else {
            counts.left_out++;
        }
        arena_free(arena);
    }
    return counts;
}
