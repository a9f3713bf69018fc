/* The book of the process, for gateway/healing only. */
#ifndef GATEWAY_HEALING_INTERNAL_H
#define GATEWAY_HEALING_INTERNAL_H

#include "gateway/healing/healing_book.h"

/* Takes the lock; never NULL. To be held briefly: loops wait for it. */
HealingBook *healing_open_book(void);
void healing_close_book(void);

#endif
