#include "gateway/healing/manual_acts.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[MANUAL_KINDS] = {
    [MANUAL_EJECT] = "eject", [MANUAL_DRAIN] = "drain", [MANUAL_PIN] = "pin"};

const char *manual_kind_name(ManualKind kind)
{
    return names[kind];
}

void manual_act_free(ManualAct *act)
{
    if (!act)
        return;
    free((char *)act->target);
    free((char *)act->to);
    free((char *)act->who);
    free((char *)act->by);
    free((char *)act->why);
    free(act);
}

static ManualAct *take_out(ManualActs *acts, ManualAct **at)
{
    ManualAct *act = *at;
    if (!act)
        return NULL;
    *at = act->next;
    act->next = NULL;
    acts->n--;
    return act;
}

static ManualAct **place_of(ManualActs *acts, ManualKind kind, const char *target)
{
    ManualAct **at = &acts->first;
    while (*at && ((*at)->kind != kind || strcmp((*at)->target, target) != 0))
        at = &(*at)->next;
    return at;
}

ManualAct *manual_acts_lift(ManualActs *acts, ManualKind kind, const char *target)
{
    return take_out(acts, place_of(acts, kind, target));
}

bool manual_acts_add(ManualActs *acts, const ManualAct *said)
{
    manual_act_free(manual_acts_lift(acts, said->kind, said->target));
    if (acts->n == MANUAL_ACTS_MOST)
        return false;
    ManualAct *act = malloc(sizeof *act);
    CHECK(act);
    *act = *said;
    act->target = text_copy(said->target);
    act->to = text_copy(said->to);
    act->who = text_copy(said->who);
    act->by = text_copy(said->by);
    act->why = text_copy(said->why);
    act->next = acts->first;
    acts->first = act;
    acts->n++;
    return true;
}

const ManualAct *manual_acts_find(const ManualActs *acts, ManualKind kind, const char *target)
{
    const ManualAct *act = acts->first;
    while (act && (act->kind != kind || strcmp(act->target, target) != 0))
        act = act->next;
    return act;
}

ManualAct *manual_acts_expire(ManualActs *acts, int64_t now)
{
    ManualAct **at = &acts->first;
    while (*at && (*at)->until > now)
        at = &(*at)->next;
    return take_out(acts, at);
}

int64_t manual_acts_next(const ManualActs *acts)
{
    int64_t next = INT64_MAX;
    for (const ManualAct *act = acts->first; act; act = act->next)
        next = act->until < next ? act->until : next;
    return next;
}

void manual_acts_clear(ManualActs *acts)
{
    while (acts->first)
        manual_act_free(take_out(acts, &acts->first));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_text(Buffer *out, const char *name, const char *text)
{
    if (text[0])
        json_text_add_member(out, name, bytes_of(text));
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND, 0);
}

static void add_texts(Buffer *out, const ManualAct *act)
{
    json_text_open_item(out);
    add_text(out, "act", names[act->kind]);
    add_text(out, "target", act->target);
    add_text(out, "to", act->to);
    add_text(out, "who", act->who);
    add_text(out, "by", act->by);
    add_text(out, "why", act->why);
}

void manual_acts_write(const ManualActs *acts, int64_t now, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (const ManualAct *act = acts->first; act; act = act->next) {
        int64_t left = act->until > now ? act->until - now : 0;
        add_texts(out, act);
        add_time(out, "since", act->since_wall);
        add_time(out, "until", act->since_wall + (act->until - act->since));
        json_text_add_number(out, "seconds_left", (uint64_t)(left / SECOND));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

void manual_acts_keep(const ManualActs *acts, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (const ManualAct *act = acts->first; act; act = act->next) {
        add_texts(out, act);
        json_text_add_number(out, "began", (uint64_t)act->since);
        json_text_add_number(out, "ends", (uint64_t)act->until);
        json_text_add_number(out, "began_wall", (uint64_t)act->since_wall);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void restore(ManualActs *acts, Arena *arena, const JsonNode *object, int64_t now)
{
    const char *name = arena_text(arena, json_member_text(object, "act"));
    ManualAct act = {
        .kind = MANUAL_EJECT,
        .target = arena_text(arena, json_member_text(object, "target")),
        .to = arena_text(arena, json_member_text(object, "to")),
        .who = arena_text(arena, json_member_text(object, "who")),
        .by = arena_text(arena, json_member_text(object, "by")),
        .why = arena_text(arena, json_member_text(object, "why")),
        .since = json_member_number(object, "began"),
        .until = json_member_number(object, "ends"),
        .since_wall = json_member_number(object, "began_wall"),
    };
    while (act.kind < MANUAL_KINDS && strcmp(names[act.kind], name) != 0)
        act.kind++;
    if (act.kind < MANUAL_KINDS && act.until > now)
        manual_acts_add(acts, &act);
}

static Result restore_oldest_first(ManualActs *acts, Arena *arena, const JsonNode *root,
                                   int64_t now)
{
    const JsonNode **objects = arena_array(arena, const JsonNode *, root->count + 1);
    if (!objects)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading what operators have done by hand");
    uint32_t n = 0;
    for (const JsonNode *object = root->first; object; object = object->next)
        objects[n++] = object;
    while (n > 0)
        restore(acts, arena, objects[--n], now);
    return OK;
}

Result manual_acts_restore(ManualActs *acts, Arena *arena, Bytes kept, int64_t now)
{
    JsonNode *root;
    Result r = json_parse(arena, kept, &(JsonLimits){0}, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_INTERNAL, "reading what operators have done by hand");
    return restore_oldest_first(acts, arena, root, now);
}
