/* passerelle version: what was built, and with what. */
#include "gateway/commands/command.h"

#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>

int command_version(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    printf("passerelle %s (libuv %s, nghttp2 %s, %s)\n", VERSION, uv_version_string(),
           nghttp2_version(0)->version_str, OpenSSL_version(OPENSSL_VERSION));
    return EXIT_WELL;
}
