#include "budget.h"

#include <stdio.h>
#include <unistd.h>

/* Eighths of the limit that each use may fill. */
static const size_t eighths[BUDGET_USES] = {[BUDGET_BODY] = 5, [BUDGET_WORK] = 7, [BUDGET_SMALL] = 8};

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return 0;
    if (fscanf(statm, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void budget_open(struct budget *budget, size_t limit)
{
    budget->limit = limit;
    budget->aside = resident_bytes();
    atomic_init(&budget->used, budget->aside);
}

void budget_set_aside(struct budget *budget, size_t bytes)
{
    budget->aside += bytes;
    atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
}

/* Maximum bytes in use in all for that use to take more. */
static size_t ceiling(const struct budget *budget, enum budget_use use)
{
    return budget->limit / 8 * eighths[use];
}

size_t budget_max(const struct budget *budget, enum budget_use use)
{
    const size_t max = ceiling(budget, use);
    return max > budget->aside ? max - budget->aside : 0;
}

static void give_back(struct budget *budget, size_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

/* Takes the bytes, or none of them and false where that use may not have that many now. */
static bool take(struct budget *budget, enum budget_use use, size_t bytes)
{
    const size_t max = ceiling(budget, use);
    if (bytes > max)
        return false;
    const size_t before = atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
    if (before <= max - bytes)
        return true;
    give_back(budget, bytes);
    return false;
}

size_t budget_used(const struct budget *budget)
{
    return atomic_load_explicit(&budget->used, memory_order_relaxed);
}

bool budget_has_room(const struct budget *budget, enum budget_use use, size_t bytes)
{
    const size_t used = budget_used(budget), max = ceiling(budget, use);
    return bytes <= max && used <= max - bytes;
}

/* ---- One request's ---- */

static bool account_take(struct api_account *account, size_t bytes)
{
    struct reservation *reservation = (struct reservation *)account;
    const size_t sum = atomic_fetch_add_explicit(&reservation->bytes, bytes, memory_order_relaxed) + bytes;
    const bool small = sum <= BUDGET_SMALL_BYTES;
    if (take(reservation->budget, small ? BUDGET_SMALL : reservation->use, bytes))
        return true;
    atomic_fetch_sub_explicit(&reservation->bytes, bytes, memory_order_relaxed);
    if (sum > budget_max(reservation->budget, small ? BUDGET_SMALL : BUDGET_WORK))
        atomic_store_explicit(&reservation->never_fits, true, memory_order_relaxed);
    return false;
}

/* Never more than the reservation has, even if the API miscounted: the budget is shared by all requests. */
static void account_give(struct api_account *account, size_t bytes)
{
    struct reservation *reservation = (struct reservation *)account;
    size_t held = atomic_load_explicit(&reservation->bytes, memory_order_relaxed), given;
    do
        given = bytes < held ? bytes : held;
    while (!atomic_compare_exchange_weak_explicit(&reservation->bytes, &held, held - given, memory_order_relaxed,
                                                  memory_order_relaxed));
    give_back(reservation->budget, given);
}

void reservation_open(struct reservation *reservation, struct budget *budget)
{
    reservation->account = (struct api_account){.take = account_take, .give = account_give};
    reservation->budget = budget;
    reservation->use = BUDGET_BODY;
    atomic_init(&reservation->bytes, 0);
    atomic_init(&reservation->never_fits, false);
}

void reservation_close(struct reservation *reservation)
{
    const size_t bytes = atomic_exchange_explicit(&reservation->bytes, 0, memory_order_relaxed);
    if (bytes > 0)
        give_back(reservation->budget, bytes);
}
