/* Faults and their paths, frames, and running the different styles of programs. */
#include "adapters/run/runner.h"

#include "adapters/run/scan.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Faults ---------------------------------------------------------------------------------- */

bool run_fail(Runner *runner, const Fault *fault, const char *format, ...)
{
    if (runner->fault)
        return false;
    char text[512];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    runner->fault = fault;
    if (runner->n_mistakes < runner->most_mistakes) {
        Mistake *mistake = &runner->mistakes[runner->n_mistakes++];
        mistake->fault = fault;
        mistake->text = arena_string(runner->arena, text);
        mistake->n_path = 0;
    }
    return false;
}

void run_unfail(Runner *runner)
{
    runner->fault = NULL;
    runner->n_mistakes -= runner->n_mistakes > 0;
}

bool run_out_of_memory(Runner *runner)
{
    return run_fail(runner, &FAULT_OUT_OF_MEMORY, "converting a message");
}

static bool add_step(Runner *runner, PathStep step)
{
    for (uint32_t i = runner->open; i < runner->n_mistakes; i++) {
        Mistake *mistake = &runner->mistakes[i];
        if (mistake->n_path < PATH_LIMIT)
            mistake->path[mistake->n_path++] = step;
    }
    return false;
}

bool run_failed_in(Runner *runner, const char *name)
{
    return add_step(runner, (PathStep){.name = name});
}

bool run_failed_at(Runner *runner, uint32_t index)
{
    return add_step(runner, (PathStep){.index = index});
}

bool run_failed_at_key(Runner *runner, Bytes key)
{
    return add_step(runner, (PathStep){.key = key.data ? key : bytes_of("")});
}

/* After other faults nothing can go on: the input is malformed, or a limit is reached. */
static bool is_of_a_part(const Fault *fault)
{
    return fault == &FAULT_BAD_VALUE || fault == &FAULT_UNKNOWN_FIELD ||
           fault == &FAULT_FIELD_REQUIRED || fault == &FAULT_CANNOT_CONVERT;
}

bool run_goes_on(Runner *runner, uint32_t before)
{
    if (!is_of_a_part(runner->fault) || runner->n_mistakes >= runner->most_mistakes) {
        runner->open = before;
        return false;
    }
    runner->open = runner->n_mistakes;
    runner->fault = NULL;
    return true;
}

bool run_fail_late(Runner *runner, uint32_t before)
{
    runner->open = before;
    runner->fault = runner->mistakes[before].fault;
    return false;
}

void run_loss(Runner *runner, const Loss *loss)
{
    runner->report->n_losses++;
    if (runner->report->on_loss)
        runner->report->on_loss(runner->report->owner, loss);
}

/* ---- Frames ---------------------------------------------------------------------------------- */

enum { LEAST_ROOM = 8192 };

/* Takes the spare block if it is large enough, else memory of the arena. */
static bool take_room(Runner *runner, size_t size)
{
    if ((size_t)(runner->spare.end - runner->spare.at) >= size) {
        runner->free = runner->spare;
        runner->spare = (FrameRoom){NULL, NULL};
        return true;
    }
    size_t wanted = size * 2 > LEAST_ROOM ? size * 2 : LEAST_ROOM;
    uint8_t *room = arena_alloc(runner->arena, wanted);
    if (!room)
        return run_out_of_memory(runner);
    runner->free = (FrameRoom){room, room + wanted};
    return true;
}

bool frame_move(Runner *runner, size_t size, Frame *frame)
{
    frame->before = runner->free;
    frame->moved = true;
    return take_room(runner, size);
}

void frame_move_back(Runner *runner, const Frame *frame)
{
    if (runner->free.end - runner->free.at > runner->spare.end - runner->spare.at)
        runner->spare = runner->free;
    runner->free = frame->before;
}

/* ---- Programs -------------------------------------------------------------------------------- */

static bool scan(Runner *runner, const Program *program, Frame *frame, Value source)
{
    return program->from_codec == CODEC_JSON
               ? scan_json(runner, program->scan, frame, source.node)
               : scan_wire(runner, program->scan, frame, value_bytes(source));
}

/* As below, with what can still be read and written after a part has failed. */
static __attribute__((cold, noinline)) bool gather_mistakes(Runner *runner, const Program *program,
                                                            Frame *frame, Value source)
{
    uint32_t before = runner->n_mistakes;
    bool ok = (scan(runner, program, frame, source) || run_goes_on(runner, before)) &&
              run_ops_through(runner, program, frame) && run_ends_well(runner, before);
    if (!ok)
        runner->open = before;
    return ok;
}

static bool run_fields(Runner *runner, const Program *program, Value source)
{
    Frame frame;
    Buffer unknown;
    if (!frame_open(runner, program, &frame))
        return false;
    if (program->keep_unknown) {
        unknown = buffer_in(runner->arena);
        frame.unknown = &unknown;
    }
    bool ok = __builtin_expect(runner->most_mistakes > 1, 0)
                  ? gather_mistakes(runner, program, &frame, source)
                  : scan(runner, program, &frame, source) && run_ops(runner, program, &frame);
    frame_close(runner, &frame);
    return ok;
}

/* Members are written with a leading comma; the first comma becomes the opening brace. */
static bool run_object(Runner *runner, const Program *program, Value source)
{
    Buffer *out = runner->out;
    size_t start = out->size;
    if (!run_fields(runner, program, source))
        return false;
    if (out->size == start)
        buffer_add_byte(out, ',');
    if (!out->full)
        out->data[start] = '{';
    buffer_add_byte(out, '}');
    return true;
}

static bool run_staged(Runner *runner, const Program *program, Value source)
{
    Bytes between;
    return program_make(runner, program->first, source, &between) &&
           program_run(runner, program->second, value_of_bytes(between));
}

static __attribute__((noinline)) bool run_style(Runner *runner, const Program *program,
                                                Value source)
{
    switch (program->style) {
    case PROGRAM_COPY: buffer_add_bytes(runner->out, value_bytes(source)); return true;
    case PROGRAM_FIELDS:
        return program->to_codec == CODEC_JSON && !program->only
                   ? run_object(runner, program, source)
                   : run_fields(runner, program, source);
    case PROGRAM_READ: return well_known_read(runner, program->from, source.node);
    case PROGRAM_WRITE: return well_known_write(runner, program->to, value_bytes(source));
    case PROGRAM_STAGED: return run_staged(runner, program, source);
    case PROGRAM_ANY: return any_run(runner, program, source);
    }
    return false;
}

bool program_run(Runner *runner, const Program *program, Value source)
{
    if (runner->depth == runner->max_depth)
        return run_fail(runner, &FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    runner->depth++;
    program_need(runner->set, program);
    bool ok = program->wire && runner->most_mistakes == 1
                  ? run_wire(runner, program, value_bytes(source))
                  : run_style(runner, program, source);
    runner->depth--;
    return ok;
}

bool program_run_members(Runner *runner, const Program *program, Value source)
{
    program_need(runner->set, program);
    return run_fields(runner, program, source);
}

bool program_make(Runner *runner, const Program *program, Value source, Bytes *bytes_out)
{
    Buffer made = buffer_in(runner->arena), *out = runner->out;
    runner->out = &made;
    bool ok = program_run(runner, program, source);
    runner->out = out;
    *bytes_out = buffer_bytes(&made);
    return ok && (!made.full || run_out_of_memory(runner));
}
