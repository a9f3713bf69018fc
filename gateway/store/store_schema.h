/*
 * StoreSchema: the tables of the store, as a list of numbered migrations.
 *
 * A migration is never changed once it was released; a new one is added at the end. It must leave
 * a database that an older gateway can still use, for several gateways share one and are replaced
 * one after the other; where that is impossible, it says from which number on a gateway must know
 * the schema, and older ones refuse the store.
 */
#ifndef GATEWAY_STORE_SCHEMA_H
#define GATEWAY_STORE_SCHEMA_H

#include "gateway/store/store_backend.h"

/* Brings the database up to this gateway's schema. Several gateways may do so at once. Faults: as
   those of StoreBackend; STORE_DOWN also if the database needs a newer gateway. `made_out`: it was
   empty, and this has made all of its tables. */
MUST_USE Result store_schema_apply(const StoreBackend *backend, StoreSession *session, Arena *arena,
                                   bool *made_out);

/* The number of the last migration. */
int64_t store_schema_number(void);

#endif
