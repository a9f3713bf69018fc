#include "gateway/process/crash_report.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/healing/healing.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry.h"

/* "/usr/bin/passerelle(+0x1234)[0x5581...]" -> "passerelle(+0x1234)": the same in all processes of
   a build. */
static Bytes place_of(Bytes frame)
{
    Bytes place = bytes_slice(frame, 0, bytes_find(frame, '['));
    for (size_t slash; (slash = bytes_find(place, '/')) < place.size;)
        place = bytes_slice(place, slash + 1, SIZE_MAX);
    return place;
}

/* The first frames are those of the handler and of the signal: libc's is the last of them. */
static Bytes innermost(Bytes backtrace)
{
    Bytes line, first = BYTES_NONE, place = BYTES_NONE;
    for (bool after = false; bytes_split(&backtrace, '\n', &line);) {
        Bytes here = place_of(line);
        if (!first.size)
            first = here;
        if (after && !place.size)
            place = here;
        after |= bytes_start_with(here, "libc.so");
    }
    return place.size ? place : first;
}

CrashText crash_text(Bytes blob)
{
    CrashText text = {.end = BYTES_NONE};
    Bytes line, rest = blob;
    for (bool report = false; bytes_split(&rest, '\n', &line);) {
        text.hung = bytes_start_with(line, "hung ");
        if (text.hung || bytes_start_with(line, "end ")) {
            text.end = bytes_slice(line, bytes_find(line, ' ') + 1, SIZE_MAX);
            break;
        }
        if (report && !text.backtrace.data)
            text.backtrace.data = line.data;
        if (report)
            text.backtrace.size = (size_t)(line.data + line.size - text.backtrace.data);
        report |= bytes_start_with(line, "signal ");
    }
    text.place = innermost(text.backtrace);
    return text;
}

bool crash_report(Worker *worker)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes blob = handover_take("crash", arena);
    if (blob.size) {
        CrashText text = crash_text(blob);
        Buffer members = buffer_in(arena);
        Result why = FAIL(arena, FAULT_CRASHED, "%.*s%s%.*s", BYTES_ARGS(text.end),
                          text.place.size ? ", in " : "", BYTES_ARGS(text.place));
        log_line_lines(&members, LOG_KEY("backtrace"), text.backtrace);
        telemetry_event_members("error", "crashed", why, buffer_bytes(&members), "%s",
                                text.hung ? "it hung; this process has taken its place"
                                          : "this process has taken its place");
        healing_begin(HEALING_RESTART, NULL, NULL, why, "%s",
                      text.hung ? "the process hung, and was ended by the supervisor"
                                : "the process crashed");
        healing_end(HEALING_RESTART, NULL, NULL, "a new one serves");
        worker_record(worker, why);
        handover_drop("crash");
    }
    arena_free(arena);
    return blob.size > 0;
}
