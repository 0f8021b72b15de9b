#include "loops.h"
#include "daemon.h"
#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail_to_listen(const struct loops_plan *plan, const struct address *address)
{
    const int reason = errno;
    char where[160], what[192];
    address_format(address, where, sizeof where);
    snprintf(what, sizeof what, "%s: %s", plan->flag, where);
    return start_failed(what, reason);
}

/* 0 or a number of errno; `count` counts those that can be ended. */
static int start_all(struct loops *loops, struct server *server, const struct loops_plan *plan)
{
    struct loop_duty duty = {.is_admin = plan->is_admin, .most_connections = plan->most_connections};
    for (loops->count = 0; loops->count < plan->count; loops->count++) {
        duty.socket_count = listeners_of_loop(&loops->listeners, loops->count, duty.sockets);
        const int result = loop_start(&loops->all[loops->count], server, &duty);
        if (result != 0)
            return result;
    }
    return 0;
}

void loops_announce(const struct loops *loops, const char *what, struct log *log)
{
    for (size_t i = 0; i < loops->listeners.count; i++) {
        char text[160];
        address_format(&loops->listeners.all[i].address, text, sizeof text);
        log_announce(log, "%s on %s", what, text);
    }
}

int loops_start(struct loops *loops, struct server *server, const struct loops_plan *plan)
{
    struct address failed;
    *loops = (struct loops){.all = calloc(plan->count, sizeof *loops->all)};
    if (loops->all == NULL)
        return start_failed("start", ENOMEM);
    if (listeners_open(&loops->listeners, plan->addresses, plan->count, (mode_t)server->config.unix_mode, &failed) !=
        0) {
        fail_to_listen(plan, &failed);
        loops_end(loops);
        return -1;
    }
    const int result = start_all(loops, server, plan);
    if (result != 0) {
        listeners_close(&loops->listeners, loops->count + 1); /* the failed one has closed its own */
        loops_end(loops);
        return start_failed("a thread for connections", result);
    }
    return 0;
}

void loops_end(struct loops *loops)
{
    if (loops->count > 0)
        listeners_bar(&loops->listeners);
    for (size_t i = 0; i < loops->count; i++)
        loop_drain(&loops->all[i]);
    for (size_t i = 0; i < loops->count; i++)
        loop_join(&loops->all[i]);
    listeners_close(&loops->listeners, loops->count);
    free(loops->all);
    *loops = (struct loops){0};
}
