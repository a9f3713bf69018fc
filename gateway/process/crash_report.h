/*
 * CrashReport: that the process before this one crashed, as an event and in the ledger. What it
 * left (crash.h), and the supervisor's line about its end, are the blob "crash".
 */
#ifndef GATEWAY_CRASH_REPORT_H
#define GATEWAY_CRASH_REPORT_H

#include "gateway/process/worker.h"

typedef struct CrashText {
    Bytes end;       /* "process 7 was ended by signal 11 (Segmentation fault) after ..." */
    bool hung;       /* the supervisor has ended it, because it gave no sign of life */
    Bytes backtrace; /* a line for each frame; may be empty */
    Bytes place;     /* of the innermost frame: "passerelle(+0x1234)"; may be empty */
} CrashText;

/* Reads the blob. */
CrashText crash_text(Bytes blob);

/* Reports the crash, if there was one: once, while the worker runs. False: there was none. */
bool crash_report(Worker *worker);

#endif
