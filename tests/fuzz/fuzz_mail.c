/* A mailbox: whatever it is, each line is one JSON object that the gateway reads as an entry. */
#include "base/arena.h"
#include "base/result.h"
#include "gateway/mail/mail_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_line(void *owner, Bytes line)
{
    uint32_t *n = owner;
    (*n)++;
    CHECK(line.size > 2 && line.data[0] == '{');
    CHECK(line.data[line.size - 1] == '\n' && line.data[line.size - 2] == '}');
    CHECK(bytes_find(line, '\n') == line.size - 1);
    CHECK(line.size < 64 * 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t n = 0;
    MailRules rules = {.client = size % 2 ? "ada" : NULL};
    MailCounts counts = mail_json_write(bytes(data, size), &rules, on_line, &n);
    CHECK(counts.taken == n);
    return 0;
}
