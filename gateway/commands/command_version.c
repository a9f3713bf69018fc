/* passerelle version: the program's version and those of its libraries. */
#include "gateway/commands/command.h"

#include "base/arena.h"
#include "base/text/json_text.h"

#include <openssl/crypto.h>
#include <uv.h>

int command_version(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    const char *uv = uv_version_string(), *ssl = OpenSSL_version(OPENSSL_VERSION);
    buffer_printf(&text, "passerelle %s (libuv %s, %s)\n", VERSION, uv, ssl);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "version", bytes_of(VERSION));
    json_text_add_member(&json, "libuv", bytes_of(uv));
    json_text_add_member(&json, "openssl", bytes_of(ssl));
    buffer_add_byte(&json, '}');
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    arena_free(arena);
    return EXIT_WELL;
}
