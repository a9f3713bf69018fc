/* passerelle version: the program's version and those of its libraries. */
#include "gateway/commands/command.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>

int command_version(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    printf("passerelle %s (libuv %s, %s)\n", VERSION, uv_version_string(),
           OpenSSL_version(OPENSSL_VERSION));
    return EXIT_WELL;
}
