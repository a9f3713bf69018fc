#include "gateway/cache/joins.h"

#include <stdlib.h>

struct JoinGroup {
    JoinGroup *next; /* in its bucket */
    ResponseKey key;
    Joining *leader;
    uint32_t n_leaders; /* so far */
    Joining *first, **end;
};

/* ---- Groups ---------------------------------------------------------------------------------- */

static JoinGroup **bucket_of(Loop *loop, const ResponseKey *key)
{
    return &loop->joins[key->low % LOOP_JOINS];
}

static JoinGroup *find(Loop *loop, const ResponseKey *key)
{
    JoinGroup *group = *bucket_of(loop, key);
    while (group && (group->key.low != key->low || group->key.high != key->high))
        group = group->next;
    return group;
}

static void add_group(Joining *leader, const ResponseKey *key)
{
    JoinGroup *group = malloc(sizeof *group), **bucket = bucket_of(leader->loop, key);
    CHECK(group);
    *group = (JoinGroup){.next = *bucket, .key = *key, .leader = leader, .n_leaders = 1};
    group->end = &group->first;
    *bucket = leader->group = group;
}

static void free_group(Loop *loop, JoinGroup *group)
{
    JoinGroup **at = bucket_of(loop, &group->key);
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    free(group);
}

/* ---- Those that wait ------------------------------------------------------------------------- */

static void remove_waiting(Joining *joining)
{
    JoinGroup *group = joining->group;
    Joining **at = &group->first;
    while (*at != joining)
        at = &(*at)->next;
    *at = joining->next;
    if (group->end == &joining->next)
        group->end = at;
    joining->loop->n_joined--;
}

static void step_soon(Joining *joining, JoinStep step)
{
    joining->step = step;
    timer_start(&joining->loop->timers, &joining->timer, joining->loop->now);
}

/* With what the timer fires for: the time of one that waits is over. */
static void on_timer(Timer *timer)
{
    Joining *joining = (Joining *)timer;
    if (joining->group && joining->group->leader != joining) {
        remove_waiting(joining);
        joining->group = NULL;
    }
    joining->on_step(joining, joining->step);
}

/* The first one; NULL: none waits. */
static Joining *take_waiting(JoinGroup *group)
{
    Joining *first = group->first;
    if (first)
        remove_waiting(first);
    return first;
}

/* False: there is no room. */
static bool give(Joining *joining, Bytes message, Bytes from, Bytes served)
{
    joining->message = bytes_copy(joining->arena, message);
    joining->from = bytes_copy(joining->arena, from);
    joining->served = bytes_copy(joining->arena, served);
    return joining->message.data && joining->from.data && joining->served.data;
}

/* `message` NULL: there is no response for those that wait. */
static void end_group(Joining *leader, const Bytes *message, Bytes from, Bytes served)
{
    JoinGroup *group = leader->group;
    for (Joining *joining; (joining = take_waiting(group));) {
        joining->group = NULL;
        bool has_it = message && give(joining, *message, from, served);
        step_soon(joining, has_it ? JOIN_TAKE : JOIN_ALONE);
    }
    leader->group = NULL;
    free_group(leader->loop, group);
}

/* ---- The whole ------------------------------------------------------------------------------- */

JoinStep join_enter(Joining *joining, const ResponseKey *key, int64_t until, uint32_t most)
{
    Loop *loop = joining->loop;
    JoinGroup *group = find(loop, key);
    joining->timer.fire = on_timer;
    if (!group) {
        add_group(joining, key);
        return JOIN_LEAD;
    }
    if (loop->n_joined >= most)
        return JOIN_ALONE;
    loop->n_joined++;
    joining->group = group;
    *group->end = joining;
    group->end = &joining->next;
    joining->step = JOIN_ALONE;
    joining->since = loop->now;
    timer_start(&loop->timers, &joining->timer, until);
    return JOIN_WAIT;
}

static bool leads(const Joining *joining)
{
    return joining->group && joining->group->leader == joining;
}

void join_share(Joining *leader, Bytes message, Bytes from, Bytes served)
{
    if (leads(leader))
        end_group(leader, &message, from, served);
}

void join_disperse(Joining *leader)
{
    if (leads(leader))
        end_group(leader, NULL, BYTES_NONE, BYTES_NONE);
}

static void hand_over(Joining *leader)
{
    JoinGroup *group = leader->group;
    if (!group->first || group->n_leaders == JOIN_LEADERS) {
        join_disperse(leader);
        return;
    }
    leader->group = NULL;
    group->n_leaders++;
    group->leader = take_waiting(group);
    step_soon(group->leader, JOIN_LEAD);
}

void join_leave(Joining *joining)
{
    timer_stop(&joining->loop->timers, &joining->timer);
    if (leads(joining))
        hand_over(joining);
    else if (joining->group)
        remove_waiting(joining);
    joining->group = NULL;
}
