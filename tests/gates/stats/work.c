/* Counting on several threads. */
#include "stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fputs("stats: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

struct work {
    void (*unit)(struct counts *counts, uint32_t index, const void *argument);
    const void *argument;
    uint32_t units;
    atomic_uint next;
    pthread_mutex_t lock;
    struct counts total;
};

static void *work_thread(void *argument)
{
    struct work *work = argument;
    struct counts *counts = allocate(sizeof(*counts));
    for (uint32_t index; (index = atomic_fetch_add(&work->next, 1)) < work->units;)
        work->unit(counts, index, work->argument);
    uint64_t *to = (uint64_t *)&work->total;
    pthread_mutex_lock(&work->lock);
    for (size_t i = 0; i < sizeof(*counts) / sizeof(uint64_t); i++)
        to[i] += ((const uint64_t *)counts)[i];
    pthread_mutex_unlock(&work->lock);
    free(counts);
    return NULL;
}

static size_t thread_count = 4;

void work_threads(size_t count)
{
    thread_count = count < MAX_THREADS ? count : MAX_THREADS;
}

struct counts *work_run(void (*unit)(struct counts *, uint32_t, const void *), const void *argument, double units)
{
    pthread_t thread[MAX_THREADS];
    struct work *work = allocate(sizeof(*work));
    work->unit = unit;
    work->argument = argument;
    work->units = (uint32_t)fmax(1, units);
    pthread_mutex_init(&work->lock, NULL);
    for (size_t t = 0; t < thread_count; t++)
        if (pthread_create(&thread[t], NULL, work_thread, work) != 0)
            exit(2);
    for (size_t t = 0; t < thread_count; t++)
        pthread_join(thread[t], NULL);
    struct counts *total = allocate(sizeof(*total));
    *total = work->total;
    pthread_mutex_destroy(&work->lock);
    free(work);
    return total;
}
