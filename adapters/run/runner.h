/*
 * Runner: one run of a plan on one message. It lives on the stack of plan_run, belongs to one
 * thread, and allocates from the call's arena only.
 *
 * Functions that return bool return false when the run has failed: then the runner has its fault,
 * and each caller adds its step of the path and returns false. A full output is not a fault at
 * once: Buffer.full is checked at the end.
 */
#ifndef ADAPTERS_RUNNER_H
#define ADAPTERS_RUNNER_H

#include "adapters/program/program.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"

/* ---- Frames ---------------------------------------------------------------------------------- */

/* Memory for frames. */
typedef struct FrameRoom {
    uint8_t *at, *end;
} FrameRoom;

/* The slots of one message that is read. */
typedef struct Frame {
    Value *values;
    uint64_t *set;          /* a bit per slot */
    uint64_t *seen;         /* a bit per field: duplicates in JSON */
    uint16_t *oneof_chosen; /* per oneof: index + 1 of the member that was set last */
    Buffer *unknown;        /* kept unknown fields */
    FrameRoom before;       /* what was free when it was opened, if that was too small */
    bool moved;             /* then */
} Frame;

static inline bool slot_is_set(const uint64_t *set, uint32_t slot)
{
    return set[slot >> 6] >> (slot & 63) & 1;
}

static inline void slot_set(uint64_t *set, uint32_t slot)
{
    set[slot >> 6] |= UINT64_C(1) << (slot & 63);
}

static inline void slot_clear(uint64_t *set, uint32_t slot)
{
    set[slot >> 6] &= ~(UINT64_C(1) << (slot & 63));
}

static inline bool frame_has(const Frame *frame, uint16_t slot)
{
    return slot_is_set(frame->set, slot);
}

static inline void frame_set(Frame *frame, uint16_t slot)
{
    slot_set(frame->set, slot);
}

static inline void frame_clear(Frame *frame, uint16_t slot)
{
    slot_clear(frame->set, slot);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

enum {
    PATH_LIMIT = 24, /* steps that are kept: the innermost ones */
    MOST_MISTAKES = 16,
    FIRST_FRAMES = 2048, /* bytes of frames that need nothing of the arena */
};

/* A step of the path to a fault, collected from the inside out. */
typedef struct PathStep {
    const char *name; /* or NULL: an element */
    Bytes key;        /* of a map's entry */
    uint32_t index;   /* of a list's element; when key.data is NULL */
} PathStep;

/* An invalid part of the message. */
typedef struct Mistake {
    const Fault *fault;
    const char *text; /* in the arena */
    uint32_t n_path;
    PathStep path[PATH_LIMIT]; /* not cleared, for speed */
} Mistake;

/*
 * A run ends with the first fault. Only after it has failed, it is repeated with room for more than
 * one mistake: then, where a part of the message can be left out, run_goes_on puts the mistake
 * aside, and the run goes on with the next part. The steps on the way out belong to all mistakes of
 * the part that was left, which are those from `open` on.
 */
typedef struct Runner {
    Arena *arena;
    Buffer *out;
    PlanRun *report; /* losses and unknown fields are counted here */
    const ProgramSet *set;
    UnknownFields unknown;
    uint32_t depth, max_depth; /* nesting so far */
    uint32_t elements_left;    /* remaining limit for lists, maps and JSON */
    FrameRoom free;            /* for the next frame: they come and go like a stack */
    FrameRoom spare;           /* for when that is too small; or nothing */
    const Program *asked; /* what its operations are to do with these slots set (eval.c), for */
    uint64_t asked_set;   /* messages that have the same fields as the one before */
    SlotOps asked_ops;
    const Fault *fault; /* that the run is failing with, or NULL */
    Mistake *mistakes;
    uint32_t n_mistakes, most_mistakes, open;
    uint64_t first_frames[FIRST_FRAMES / sizeof(uint64_t)]; /* not cleared, for speed */
} Runner;

/* Records a fault, unless the run is failing already. Always false. */
bool run_fail(Runner *runner, const Fault *fault, const char *format, ...) PRINTF_LIKE(3, 4);
bool run_out_of_memory(Runner *runner);

/* Takes back the fault that was recorded last, to which no step has been added. */
void run_unfail(Runner *runner);

/* Adds a step to the path on the way out: a field (`name` is borrowed for the run), an element, an
   entry. Always false. */
bool run_failed_in(Runner *runner, const char *name);
bool run_failed_at(Runner *runner, uint32_t index);
bool run_failed_at_key(Runner *runner, Bytes key);

/* Whether the run goes on with the next part of a message, after a part has failed. `before`:
   n_mistakes when the message began. False, unless all mistakes are gathered. */
bool run_goes_on(Runner *runner, uint32_t before);

/* The end of a message of which parts have failed: the run fails with their mistakes. Always
   false. */
bool run_fail_late(Runner *runner, uint32_t before);

static inline bool run_ends_well(Runner *runner, uint32_t before)
{
    return __builtin_expect(runner->n_mistakes == before, 1) || run_fail_late(runner, before);
}

/* Counts and reports a loss; not NULL. */
void run_loss(Runner *runner, const Loss *loss);

/* Counts n elements against the limit. */
static inline bool run_count_elements(Runner *runner, size_t n)
{
    if (__builtin_expect(n <= runner->elements_left, 1)) {
        runner->elements_left -= (uint32_t)n;
        return true;
    }
    return run_fail(runner, &FAULT_MESSAGE_TOO_LARGE,
                    "more elements than allowed (limits.elements)");
}

static inline bool run_count_element(Runner *runner)
{
    return run_count_elements(runner, 1);
}

/* ---- Frames come and go ---------------------------------------------------------------------- */

/* In runner.c: where there is no room for a frame. */
bool frame_move(Runner *runner, size_t size, Frame *frame);
void frame_move_back(Runner *runner, const Frame *frame);

static inline bool frame_open(Runner *runner, const Program *program, Frame *frame)
{
    frame->moved = false;
    if ((size_t)(runner->free.end - runner->free.at) < program->frame_size &&
        !frame_move(runner, program->frame_size, frame))
        return false;
    uint8_t *at = runner->free.at;
    runner->free.at += program->frame_size;
    frame->set = (uint64_t *)(void *)at;
    frame->seen = (uint64_t *)(void *)(at + program->frame_seen);
    frame->oneof_chosen = (uint16_t *)(void *)(at + program->frame_oneofs);
    frame->values = (Value *)(void *)(at + program->frame_clear);
    frame->unknown = NULL;
    for (uint32_t i = 0; i < program->frame_clear / 8; i++)
        frame->set[i] = 0;
    return true;
}

/* Releases the memory of the frame. A block that was taken for it becomes the spare one, if larger
   than that. */
static inline void frame_close(Runner *runner, const Frame *frame)
{
    runner->free.at = (uint8_t *)frame->set;
    if (frame->moved)
        frame_move_back(runner, frame);
}

/* ---- Programs -------------------------------------------------------------------------------- */

/* Runs a program on one message, and writes to runner->out: to protobuf the fields alone, to JSON
   the whole value. Counts as one level of nesting. */
bool program_run(Runner *runner, const Program *program, Value source);

/* scan_wire.c: the same, of a program with `wire` that is compiled, at the level of nesting that
   the runner is at, and up to the first fault. */
bool run_wire(Runner *runner, const Program *program, Bytes message);

/* JSON without the braces, each member with its comma in front: for an Any, after "@type". */
bool program_run_members(Runner *runner, const Program *program, Value source);

/* As program_run, into new bytes in the arena. */
bool program_make(Runner *runner, const Program *program, Value source, Bytes *bytes_out);

/* eval.c: all operations of a program, on a frame that was scanned. */
bool run_ops(Runner *runner, const Program *program, Frame *frame);

/* The same, in order, also after one that has failed: to gather the mistakes. What they write is of
   no use then. */
bool run_ops_through(Runner *runner, const Program *program, Frame *frame);

/* convert.c: one converter on one set of arguments. Messages come and go as protobuf bytes. `loss`
   is counted if a value is truncated or falls back; it may be NULL. *set_out false: the value is
   absent. */
bool convert(Runner *runner, const Converter *converter, const Value *args, uint32_t n_args,
             const Loss *loss, Value *value_out, bool *set_out);

/* well_known.c: between a well-known type's JSON and its protobuf bytes; both to runner->out. */
bool well_known_read(Runner *runner, const MessageType *type, const JsonNode *node);
bool well_known_write(Runner *runner, const MessageType *type, Bytes message);

/* any.c: a google.protobuf.Any, by the program of its content. */
bool any_run(Runner *runner, const Program *program, Value source);

/* parameters.c: the JSON body of a request and its parameters, as one tree in the arena. Faults are
   those of plan_run. */
MUST_USE Result input_tree(const Plan *plan, const PlanInput *input, Arena *arena, PlanRun *run,
                           JsonNode **root_out);

#endif
