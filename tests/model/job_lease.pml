/*
 * Who executes a job (docs/decisions/0053-who-executes-a-job.md): gateways that claim a job from a
 * store, renew their leases, die, and take over from each other. Checked by run.py.
 *
 * What is in braces of `atomic` happens in the store, in one transaction; between any two statements a
 * gateway may stand still for as long as it likes. Times are counted down, by `clock`, for all at the
 * same rate; wall clocks do not occur, for nothing depends on them.
 *
 * Asserted: no gateway is buried while it may think that it lives; a step is stored as done once.
 * no_job_is_lost: the job is done in the end, if clocks are in a hurry a limited number of times, a
 * limited number of answers is lost, and one gateway does not die.
 *
 * The mutations show that the model would see a mistake: NO_FENCING, NO_UNCLAIM, NO_RELEASE,
 * HASTY_TAKEOVER.
 */
#ifndef N
#define N 2 /* gateways */
#endif
#ifndef STEPS
#define STEPS 2
#endif
#define LEASE 2
#define NOBODY N

mtype = { JOB_QUEUED, JOB_RUNNING, JOB_WAITING, JOB_DONE }; /* gateway/config/job_config.h */

/* ---- The store: a row of `jobs`, and job_owners ---- */
mtype state = JOB_QUEUED;
byte step = 0;
byte owner = NOBODY;
bool has_token[N]; /* the job's token is the one that this gateway has claimed it with */
bool enrolled[N];
bool done_before[STEPS];

/* ---- The gateways ---- */
bool dead[N];
bool holds[N];     /* what it thinks */
bool idle[N];      /* it has nothing to do until the clock goes on */
byte left[N];      /* of its lease, by its own clock */
byte asked[N];     /* likewise, from the moment before it asked for the renewal */

/* What gateway i sees of j: [i * N + j]. `changed`: its beat is another one than i has seen. */
bool changed[N * N];
byte silent[N * N];  /* until j has been silent for its lease */

byte n_dead = 0;
#ifndef HURRY
#define HURRY 2
#endif
byte hurry = HURRY; /* times that clocks go on although gateways have something to do */
byte lost_answers = 1;
byte i_, j_;           /* for loops in `atomic`; 0 in between, so that they are no state */

inline renew_in_store()
{
    lost = !enrolled[me];
    enrolled[me] = true;
    for (i_ : 0 .. N - 1) {
        changed[i_ * N + me] = true
    }
    i_ = 0
}

/* With the answer: the beats of the others. */
inline see_owners()
{
    for (j_ : 0 .. N - 1) {
        if
        :: changed[me * N + j_] -> changed[me * N + j_] = false; silent[me * N + j_] = LEASE
        :: else
        fi
    }
    j_ = 0
}

inline raise_token()
{
    for (j_ : 0 .. N - 1) {
        has_token[j_] = false
    }
    j_ = 0
}

/* The owner's jobs are nobody's. */
inline release(whom)
{
    if
    :: owner == whom -> owner = NOBODY; raise_token()
    :: else
    fi
}

inline bury(whom)
{
    if
    :: enrolled[whom] && !changed[me * N + whom] -> /* its beat is still that one */
        assert(dead[whom] || left[whom] == 0);
        enrolled[whom] = false;
        release(whom)
    :: else
    fi
}

/* The row is changed by its owner only. */
inline write_to_store(new_state, new_step, and_release)
{
#ifdef NO_FENCING
    written = true;
#else
    written = (owner == me && has_token[me]);
#endif
    if
    :: written ->
        if
        :: new_step > my_step || new_state == JOB_DONE ->
            assert(!done_before[my_step]);
            done_before[my_step] = true
        :: else
        fi;
        state = new_state;
        step = new_step;
        if
        :: and_release -> owner = NOBODY
        :: else
        fi
    :: else
    fi
}

inline forget_job()
{
    holds[me] = false;
    my_step = 0;
    my_state = JOB_QUEUED
}

/* What a gateway does in each round, as far as there is something to do. */

inline renew()
{
    atomic { asked[me] = LEASE };
    atomic { renew_in_store() };
    atomic {
        if
        :: lost_answers > 0 -> lost_answers--
        :: answered = true;
            see_owners();
            lost = lost || left[me] == 0 /* it has given up its jobs, although nobody has buried it */
        fi
    };
    if
    :: answered && lost -> forget_job();
#ifndef NO_RELEASE
        atomic { release(me) }
#endif
    :: else
    fi;
    atomic {
        if
        :: answered -> left[me] = asked[me]
        :: else
        fi;
        asked[me] = 0;
        answered = false;
        lost = false
    }
}

#ifdef HASTY_TAKEOVER
#define IS_DEAD(other) true
#else
#define IS_DEAD(other) (silent[me * N + other] == 0)
#endif

inline bury_the_silent()
{
    atomic {
        for (i_ : 0 .. N - 1) {
            if
            :: i_ != me && left[me] > 0 && IS_DEAD(i_) -> bury(i_)
            :: else
            fi
        }
        i_ = 0
    }
}

inline claim()
{
    atomic {
#ifndef NO_UNCLAIM
        if
        :: unsure -> release(me)
        :: else
        fi;
#endif
        unsure = false;
        if
        :: owner == NOBODY && enrolled[me] && state != JOB_DONE ->
            owner = me;
            raise_token();
            has_token[me] = true;
            if
            :: lost_answers > 0 -> lost_answers--; unsure = true
            :: holds[me] = true; my_state = state; my_step = step
            fi
        :: else
        fi
    }
}

/* It is stored that a step has begun, before its first call. */
inline begin_step()
{
    atomic {
        write_to_store(JOB_RUNNING, my_step, false);
        if
        :: written -> my_state = JOB_RUNNING
        :: else -> forget_job()
        fi;
        written = false
    }
}

/* Its call is good: the job goes on, it waits, or it is done. An answer that is lost: the same is
   written again. */
inline end_step()
{
    atomic {
        if
        :: my_step == STEPS - 1 -> next_state = JOB_DONE; next_step = my_step
        :: my_step < STEPS - 1 -> next_state = JOB_RUNNING; next_step = my_step + 1
        :: my_step < STEPS - 1 -> next_state = JOB_WAITING; next_step = my_step + 1
        fi
    };
    atomic {
        write_to_store(next_state, next_step, next_state != JOB_RUNNING);
        if
        :: lost_answers > 0 && next_state != JOB_RUNNING -> lost_answers--
        :: written && next_state == JOB_RUNNING -> my_step = next_step
        :: else -> forget_job()
        fi;
        next_state = JOB_QUEUED;
        next_step = 0;
        written = false
    }
}

proctype Gateway(byte me)
{
    bool answered, lost, written, unsure;
    byte my_step, next_step;
    mtype my_state = JOB_QUEUED;
    mtype next_state = JOB_QUEUED;

    {
    do
    :: left[me] < LEASE && !idle[me] -> renew()
    :: left[me] == LEASE && !idle[me] -> bury_the_silent(); claim();
        do
        :: holds[me] && left[me] > 0 && my_state != JOB_RUNNING -> begin_step()
        :: holds[me] && left[me] > 0 && my_state == JOB_RUNNING -> end_step()
        :: atomic { holds[me] && left[me] == 0 -> forget_job() } /* it could not renew */
        :: !holds[me] -> break
        od;
        idle[me] = true
    od
    } unless { dead[me] }
}

/* All gateways but one may die, at any time. */
active proctype killer()
{
    byte whom;
    do
    :: atomic {
            n_dead < N - 1 ->
            n_dead++;
            whom = 0;
            do
            :: whom < N - 1 -> whom++
            :: break
            od;
            if
            :: !dead[whom] -> dead[whom] = true; holds[whom] = false; left[whom] = 0; asked[whom] = 0
            :: else
            fi;
            whom = 0
        }
    :: break
    od
}

#define IS_BUSY(g) (!dead[g] && !idle[g])
#if N == 2
#define ANY_BUSY (IS_BUSY(0) || IS_BUSY(1))
#else
#define ANY_BUSY (IS_BUSY(0) || IS_BUSY(1) || IS_BUSY(2))
#endif

inline count_down(time)
{
    if
    :: time > 0 -> time--
    :: else
    fi
}

active proctype clock()
{
    do
    :: atomic {
            hurry > 0 || !ANY_BUSY ->
            if
            :: ANY_BUSY -> hurry--
            :: else
            fi;
            for (i_ : 0 .. N - 1) {
                count_down(left[i_]);
                count_down(asked[i_]);
                idle[i_] = false;
                for (j_ : 0 .. N - 1) {
                    count_down(silent[i_ * N + j_])
                }
            }
            i_ = 0;
            j_ = 0
        }
    od
}

init {
    atomic {
        byte g;
        for (g : 0 .. N - 1) {
            for (j_ : 0 .. N - 1) {
                changed[g * N + j_] = true
            }
            run Gateway(g)
        }
        j_ = 0
    }
}

ltl no_job_is_lost { <> (state == JOB_DONE) }
