/* What one process leaves to another one, read back: rolls, notices, limits of the supervisor,
 * reports of crashes. */
#include "gateway/handover/channel.h"
#include "gateway/handover/roll.h"
#include "gateway/process/crash_report.h"
#include "gateway/supervisor/restarts.h"
#include "gateway/supervisor/supervised.h"

#include "base/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_roll(Bytes rest)
{
    Supervised child;
    for (RollLine line; roll_next(&rest, &line);) {
        CHECK(line.word.size > 0 && line.fd >= -1);
        if (supervised_read(&line, &child))
            CHECK(child.role > ROLE_NONE && child.role < ROLES && child.pid > 1);
        roll_name(line.rest);
    }
}

static void read_notice(Bytes text)
{
    static Notice notice;
    if (text.size > sizeof notice.bytes)
        return;
    memcpy(notice.bytes, text.data ? text.data : (const uint8_t *)"", text.size);
    if (notice_read(&notice, text.size))
        CHECK(notice.text.size == text.size - 1);
}

static void read_crash(Bytes text)
{
    CrashText crash = crash_text(text);
    CHECK(crash.end.size <= text.size && crash.backtrace.size <= text.size &&
          crash.place.size <= crash.backtrace.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SupervisorLimits limits = supervisor_limits_default;
    Bytes text = bytes(data, size);
    read_roll(text);
    read_notice(text);
    read_crash(text);
    if (supervisor_limits_read(text, &limits)) {
        uint32_t in_row = 3;
        CHECK(restarts_after(&limits, -1, &in_row).wait >= 0);
    }
    return 0;
}
