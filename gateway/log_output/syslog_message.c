#include "gateway/log_output/syslog_message.h"

#include "base/arena.h"
#include "base/text/date.h"

#include <time.h>

const char *const syslog_facilities[] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "syslog", "lpr",   "news",   "uucp",
    "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7", NULL};

int syslog_facility(const char *name)
{
    for (int i = 0; syslog_facilities[i]; i++)
        if (strcmp(syslog_facilities[i], name) == 0)
            return i;
    return -1;
}

/* Names in the header are visible ASCII; what is not is left out. */
static void add_name(Buffer *out, const char *name, size_t most)
{
    size_t before = out->size;
    for (; name && *name && out->size - before < most; name++)
        if (*name > ' ' && *name < 0x7f)
            buffer_add_byte(out, (uint8_t)*name);
    if (out->size == before)
        buffer_add_byte(out, '-');
}

/* "Nov 30 11:33:00"; of a time that is none, nothing. */
static void add_local_time(Buffer *out, Bytes time)
{
    int64_t seconds;
    int32_t nanos;
    struct tm at;
    time_t when;
    if (!date_read_rfc3339(time, &seconds, &nanos))
        return;
    when = (time_t)seconds;
    if (localtime_r(&when, &at))
        buffer_printf(out, "%s %2d %02d:%02d:%02d ", date_month_name(at.tm_mon + 1), at.tm_mday,
                      at.tm_hour, at.tm_min, at.tm_sec);
}

static void add_head(const SyslogForm *form, const LogView *view, Buffer *out)
{
    Bytes time = log_view_get(view, "time");
    buffer_printf(out, "<%d>", form->facility * 8 + log_view_severity(view));
    if (form->local) {
        add_local_time(out, time);
        buffer_printf(out, "passerelle[%ld]: ", form->process);
        return;
    }
    buffer_add_text(out, "1 ");
    if (time.size)
        buffer_add_bytes(out, time);
    else
        buffer_add_byte(out, '-');
    buffer_add_byte(out, ' ');
    add_name(out, form->host, 255);
    buffer_printf(out, " passerelle %ld %s - ", form->process,
                  log_view_is_event(view) ? "event" : "call");
}

bool syslog_message_write(const SyslogForm *form, const LogView *view, Bytes text, Buffer *out)
{
    Buffer head = buffer_in(view->arena);
    add_head(form, view, &head);
    size_t room = form->most > head.size ? form->most - head.size : 0;
    Bytes shown = bytes_cut_text(text, room);
    if (form->counted)
        buffer_printf(out, "%zu ", head.size + shown.size);
    buffer_add_bytes(out, buffer_bytes(&head));
    buffer_add_bytes(out, shown);
    return shown.size == text.size;
}
