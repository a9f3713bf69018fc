/*
 * Composition: one response of several calls, the legs of a composed method.
 *
 *      request --> leg --> Exchange --> response --> its part --\
 *              --> leg --> Exchange --> response --> its part ---> all parts, then the report
 *                   ^                       |
 *                   +-- what it needs of it +
 *
 * Each leg is a call of its own (exchange.h), so that routing, versions, retries, fallbacks,
 * limits, the log and the ledger treat it as any other. Its response becomes a part of the composed
 * one as soon as it is there: a response that cannot be read is the failure of its leg, for which a
 * fallback may stand in. Parts are protobuf of the same message, so that their bytes, one after the
 * other, are the message.
 *
 * In the arena of the composed call, and ends before it; its loop's thread only. Events of legs
 * only note what has happened: all decisions are made in a timer of the same turn, so that no leg
 * begins or ends within an event of another.
 */
#ifndef GATEWAY_COMPOSITION_H
#define GATEWAY_COMPOSITION_H

#include "gateway/call/exchange.h"

/* For Loop.makers. */
extern const MakerTable composition_maker;

#endif
