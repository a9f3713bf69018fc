/*
 * Quiet: in which times of a load test the machine did other work.
 *
 * The files of /proc say how long the threads of the gateway and of the service behind it were
 * ready to run while their core ran something else; so does one of the load's own. Times in which
 * that was much are disturbed, and with them what is done for 5 ms before and after. One for the
 * process, of one thread.
 */
#ifndef LOADTEST_QUIET_H
#define LOADTEST_QUIET_H

#include <stdbool.h>
#include <stdint.h>

/* The schedstat files of both threads in /proc. False: one cannot be read. */
bool quiet_open(const char *gateway, const char *service);

/* What came before `now` is forgotten. Nanoseconds of clock_now, as everywhere here. */
void quiet_start(int64_t now);

/* Notes what waited since the last time; each millisecond or more often. Returns for how long the
   gateway did. */
int64_t quiet_note(int64_t now);

/* Whether nothing disturbed what was done then. To be asked when all is over: what is late because
   of a disturbance may be so for a while, and it is seen when it is over. */
bool quiet_was(int64_t from, int64_t until);

#endif
