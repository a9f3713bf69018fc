#include "gateway/store/store_apart.h"

#include "base/arena.h"
#include "gateway/store/store_backend.h"

Result store_run_apart(const StoreSettings *settings, Arena *arena, StoreTask *task)
{
    const StoreBackend *backend = settings->postgresql ? &store_postgresql : &store_sqlite;
    StoreSettings reading = *settings;
    StoreSession *session;
    reading.read_only = true;
    Result r = backend->open(&reading, arena, &session);
    if (failed(r))
        return r;
    backend->execute(session, &task, 1);
    backend->close(session);
    return error_copy(arena, task->result);
}
