/* The log: where its lines go, in which form, and which calls are in it. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/net/ip.h"
#include "gateway/log_output/log_members.h"
#include "gateway/log_output/log_template.h"
#include "gateway/log_output/syslog_message.h"

#include <sys/un.h>

#define SYSLOG_SOCKET "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* One output, as the file has it: `log` itself, or an entry of `log.also`. */
typedef struct OutputText {
    const char *file, *to, *format, *facility;
    uint32_t message_bytes;
    bool says_lines;
    Passerelle__Config__LogLines lines;
    const char *path;
} OutputText;

/* ---- Where ----------------------------------------------------------------------------------- */

static bool read_unix(ConfigReader *reader, const char *place, const char *path,
                      LogOutputConfig *output)
{
    struct sockaddr_un socket;
    output->transport = LOG_BY_UNIX;
    output->path = document_path(reader->arena, document_file(&reader->file.document, path), place);
    if (*place && strlen(output->path) < sizeof socket.sun_path)
        return true;
    config_tell(reader, path, "for example syslog:unix:/dev/log",
                "the path of a unix socket has 1 to %zu characters", sizeof socket.sun_path - 1);
    return false;
}

static bool read_host(ConfigReader *reader, const char *place, const char *path,
                      LogOutputConfig *output)
{
    Address address;
    IpAddress ip;
    if (!config_address(reader, place, false, path, &address))
        return false;
    output->host = address.host;
    output->port = address.port;
    if (address.host && ip_read(bytes_of(address.host), &ip))
        return true;
    config_tell(reader, path, "for example syslog:udp:10.0.0.7:514",
                "%s is no IP address, and a lookup of a name could hold up the log", place);
    return false;
}

static void read_syslog(ConfigReader *reader, const char *place, const char *path,
                        LogOutputConfig *output)
{
    output->to = LOG_TO_SYSLOG;
    if (!*place) {
        output->path = SYSLOG_SOCKET;
    } else if (strncmp(place, ":unix:", 6) == 0) {
        read_unix(reader, place + 6, path, output);
    } else if (strncmp(place, ":udp:", 5) == 0) {
        output->transport = LOG_BY_UDP;
        read_host(reader, place + 5, path, output);
    } else if (strncmp(place, ":tcp:", 5) == 0) {
        output->transport = LOG_BY_TCP;
        read_host(reader, place + 5, path, output);
    } else {
        config_tell(
            reader, path, "for example syslog:udp:10.0.0.7:514",
            "syslog%s is no place for a log: syslog:unix:PATH, or udp or tcp with HOST:PORT",
            place);
    }
}

static void read_to(ConfigReader *reader, const OutputText *text, LogOutputConfig *output)
{
    const char *path = config_path(reader, "%s.to", text->path);
    output->name = text->to;
    if (text->file)
        config_tell(reader, path, NULL, "a log goes to a file or elsewhere");
    if (strncmp(text->to, "syslog", 6) == 0) {
        read_syslog(reader, text->to + 6, path, output);
    } else if (strcmp(text->to, "journald") == 0 ||
               strncmp(text->to, "journald:unix:", strlen("journald:unix:")) == 0) {
        output->to = LOG_TO_JOURNAL;
        output->readable = true;
        output->path = JOURNAL_SOCKET;
        if (text->to[8])
            read_unix(reader, text->to + strlen("journald:unix:"), path, output);
    } else {
        config_tell(reader, path, "journald, or syslog", "%s is no place for a log", text->to);
    }
}

/* ---- In which form --------------------------------------------------------------------------- */

/* Lines of events have members of many kinds: where an output gets them, all is allowed. */
static void check_members(ConfigReader *reader, const LogTemplate *template, const char *path)
{
    Bytes member = log_template_stranger(template);
    if (!member.size)
        return;
    const char *near = log_member_near(reader->arena, member);
    config_tell(reader, path,
                near ? arena_printf(reader->arena, "did you mean \"%%{%s}\"", near)
                     : "for example \"%{client} %{code}\"",
                "no line of a call has the member %.*s", BYTES_ARGS(member));
}

static void read_template(ConfigReader *reader, const OutputText *text, const char *format,
                          LogOutputConfig *output)
{
    const char *path = config_path(reader, "%s.format", text->path);
    const LogTemplate *template = NULL;
    Result r = log_template_read(reader->arena, bytes_of(format), &template);
    output->format = format;
    output->lines = LOG_CALLS;
    if (failed(r)) {
        static const char *const words[] = {"json", "combined", "readable"};
        const char *near = nearest_word(bytes_of(format), words, 3);
        config_tell(reader, path,
                    near ? config_path(reader, "did you mean %s", near)
                         : "json, combined, readable, or \"%{client} %{code}\"",
                    "%s", r.error->doing);
        error_ignore(r, "it is told");
        return;
    }
    if (!text->says_lines || text->lines == PASSERELLE__CONFIG__LOG_LINES__LOG_LINES_CALLS)
        check_members(reader, template, path);
    reader->config->log.head |= log_template_has(template, "user_agent") ||
                                log_template_has(template, "referer") ||
                                log_template_has(template, "protocol");
}

static void read_format(ConfigReader *reader, const OutputText *text, LogOutputConfig *output)
{
    const char *format = text->format;
    if (!format)
        return;
    output->readable = strcmp(format, "readable") == 0;
    if (strcmp(format, "combined") == 0)
        read_template(reader, text, log_template_combined, output);
    else if (strcmp(format, "json") != 0 && !output->readable)
        read_template(reader, text, format, output);
}

static void read_facility(ConfigReader *reader, const OutputText *text, LogOutputConfig *output)
{
    int facility = syslog_facility(text->facility);
    size_t n = 0;
    while (syslog_facilities[n])
        n++;
    if (facility >= 0)
        output->facility = (uint8_t)facility;
    else
        config_tell(reader, config_path(reader, "%s.facility", text->path),
                    config_hint(reader, text->facility, syslog_facilities, n),
                    "there is no facility %s", text->facility);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static LogOutputConfig read_output(ConfigReader *reader, const OutputText *text)
{
    const char *file = text->file ? text->file : "-";
    LogOutputConfig output = {.name = file, .path = file, .most = text->message_bytes};
    if (text->to) {
        output.path = NULL;
        read_to(reader, text, &output);
    }
    read_format(reader, text, &output);
    read_facility(reader, text, &output);
    if (text->says_lines)
        output.lines = text->lines == PASSERELLE__CONFIG__LOG_LINES__LOG_LINES_ALL ? LOG_ALL_LINES
                       : text->lines == PASSERELLE__CONFIG__LOG_LINES__LOG_LINES_CALLS ? LOG_CALLS
                                                                                       : LOG_EVENTS;
    return output;
}

static LogOutputConfig read_further(ConfigReader *reader, const Passerelle__Config__LogOutput *said,
                                    const char *path)
{
    if (!said->file && !said->to)
        config_tell(reader, path, "{file: calls.log}, or {to: syslog}", "it has no place");
    return read_output(reader, &(OutputText){.file = said->file,
                                             .to = said->to,
                                             .format = said->format,
                                             .facility = said->facility,
                                             .message_bytes = said->message_bytes,
                                             .says_lines = said->has_lines,
                                             .lines = said->lines,
                                             .path = path});
}

/* "./calls.log" is calls.log. */
static const char *short_path(const char *path)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    return path;
}

static bool is_same_file(const LogOutputConfig *a, const LogOutputConfig *b)
{
    return a->to == LOG_TO_FILE && b->to == LOG_TO_FILE && a->path && b->path &&
           strcmp(short_path(a->path), short_path(b->path)) == 0;
}

/* Lines of two outputs would be mixed, and metrics would not tell them apart. */
static void check_files(ConfigReader *reader, const Passerelle__Config__Log *text,
                        const LogOutputConfig *outputs, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t earlier = 0; earlier < i && text->also[i - 1]->file; earlier++)
            if (is_same_file(&outputs[i], &outputs[earlier])) {
                config_tell(reader, config_path(reader, "log.also[%u].file", i - 1), NULL,
                            "another output of the log is the file %s already", outputs[i].path);
                break;
            }
}

static void read_sample(ConfigReader *reader, const Passerelle__Config__LogSample *said)
{
    LogConfig *log = &reader->config->log;
    log->samples = said->successes < 1;
    log->share = said->successes;
    log->slow = said->slow;
    if (!(said->successes >= 0 && said->successes <= 1))
        config_tell(reader, "log.sample.successes", "for example 0.01",
                    "%g is no share of calls from 0 to 1", said->successes);
}

void config_read_log(ConfigReader *reader)
{
    static const Passerelle__Config__Log defaults = PASSERELLE__CONFIG__LOG__INIT;
    static const Passerelle__Config__LogSample all = PASSERELLE__CONFIG__LOG_SAMPLE__INIT;
    const Passerelle__Config__Log *said = reader->file.content->log;
    const Passerelle__Config__Log *text = said ? said : &defaults;
    LogConfig *log = &reader->config->log;
    uint32_t n = text->n_also < LOG_OUTPUTS_MOST ? (uint32_t)text->n_also : LOG_OUTPUTS_MOST - 1;
    LogOutputConfig *outputs = arena_array(reader->arena, LogOutputConfig, LOG_OUTPUTS_MOST);
    *log = (LogConfig){.outputs = outputs, .n_outputs = n + 1, .head = text->head};
    outputs[0] = read_output(reader, &(OutputText){.file = text->file,
                                                   .to = text->to,
                                                   .format = text->format,
                                                   .facility = text->facility,
                                                   .message_bytes = text->message_bytes,
                                                   .says_lines = text->has_lines,
                                                   .lines = text->lines,
                                                   .path = "log"});
    for (uint32_t i = 0; i < n; i++)
        outputs[i + 1] =
            read_further(reader, text->also[i], config_path(reader, "log.also[%u]", i));
    check_files(reader, text, outputs, n + 1);
    if (n < text->n_also)
        config_tell(reader, "log.also", NULL, "a log goes to at most %d places", LOG_OUTPUTS_MOST);
    read_sample(reader, text->sample ? text->sample : &all);
}
