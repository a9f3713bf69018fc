#include "gateway/key_file/command_password.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/password/password_hash.h"

#include <openssl/crypto.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MOST = PASSWORD_BYTES_MOST + 3 /* CR, LF, 0 */ };

/* One line of the standard input, without its end. False: there is none, or it is too long. */
static bool read_line(char line[LINE_MOST], Bytes *out)
{
    if (!fgets(line, LINE_MOST, stdin))
        return false;
    size_t size = strlen(line);
    bool whole = size && (line[size - 1] == '\n' || feof(stdin));
    while (size && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    *out = bytes(line, size);
    return whole && size <= PASSWORD_BYTES_MOST;
}

/* A terminal is asked, and does not show what is typed. */
static bool ask(const char *what, char line[LINE_MOST], Bytes *out)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return read_line(line, out);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs(what, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool good = read_line(line, out);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return good;
}

static bool take(const CommandLine *line, char text[LINE_MOST], Bytes *password)
{
    char again[LINE_MOST];
    Bytes second;
    bool is_terminal = isatty(STDIN_FILENO);
    /* Of several lines nobody knows which one was meant. */
    if (!ask("password: ", text, password) || password->size < PASSWORD_BYTES_LEAST ||
        (!is_terminal && getchar() != EOF)) {
        command_tell(line, "the standard input is not one line with a password of %d to %d bytes",
                     PASSWORD_BYTES_LEAST, PASSWORD_BYTES_MOST);
        return false;
    }
    bool same = !is_terminal || (ask("again: ", again, &second) && bytes_equal(*password, second));
    OPENSSL_cleanse(again, sizeof again);
    if (!same)
        command_tell(line, "these are two passwords");
    return same;
}

static int print_hash(const CommandLine *line, Bytes password, Arena *arena)
{
    PasswordHash hash;
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    Result r = password_hash_make(arena, password, &hash);
    if (failed(r)) {
        command_tell(line, "%s", error_text(arena, r));
        return EXIT_NO;
    }
    password_hash_write(&hash, &text);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "password", buffer_bytes(&text));
    buffer_add_byte(&json, '}');
    buffer_add_byte(&text, '\n');
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

int command_password(const CommandLine *line)
{
    char text[LINE_MOST];
    Bytes password;
    if (line->n)
        return command_usage(line->command);
    int code = EXIT_NO;
    if (take(line, text, &password)) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        code = print_hash(line, password, arena);
        arena_free(arena);
    }
    OPENSSL_cleanse(text, sizeof text);
    return code;
}
