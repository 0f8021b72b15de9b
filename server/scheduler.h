/* Shares the workers between tasks. A task is work in stages, each of some parts of a few milliseconds; the clients
 * share the workers' time evenly, and each client's time is shared by its tasks. libuv's pool runs the workers and is
 * never given more than it has threads.
 *
 * Weighted fair queueing by virtual time (Demers, Keshav, Shenker 1989): the least served is next. Tasks that have not
 * begun wait in order of arrival; while that queue is a standing one (as in CoDel, RFC 8289), most turns go to the
 * newest, whose client is most likely still waiting, and a few to the oldest. */
#ifndef SERVER_SCHEDULER_H
#define SERVER_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct scheduler;
struct task;
TAILQ_HEAD(task_list, task);

/* A client's tasks. Zeroed it is empty; it may be freed when it has no tasks. */
struct scheduler_queue {
    struct task_list unbegun;  /* in order of arrival; initialised only if there is one */
    size_t waiting;            /* of those */
    LIST_HEAD(, task) started; /* begun, with parts that no worker has taken */
    uint64_t served_ns;        /* virtual time of this client among the clients */
    uint64_t fresh_ns;         /* virtual time of those that wait, among its tasks */
    uint64_t clock_ns;         /* of the task chosen last */
    uint64_t prompt_ns;        /* when the oldest task last began without waiting */
    uint64_t mean_ns;          /* moving average of what its tasks took */
    unsigned turns;            /* given to waiting tasks while the queue was standing */
    LIST_ENTRY(scheduler_queue) in_active;
    bool active;
};

/* A loop's side: the tasks finished for it. Zeroed, then scheduler_attach. */
struct scheduler_loop {
    struct scheduler *scheduler;
    uv_loop_t *uv;
    uv_async_t wake;
    struct task *finished;
    struct runner *runners; /* the work requests that this loop gives the pool */
    size_t runner_count;
    bool stopping;
};

enum task_end {
    TASK_DONE,
    TASK_EXPIRED, /* its deadline passed */
    TASK_SHED,    /* it has waited too long to begin */
    TASK_STOPPED, /* its loop stops */
    TASK_GONE,    /* its client has gone */
};

struct task {
    /* Set before it is submitted. */
    struct scheduler_queue *queue;
    struct scheduler_loop *loop;
    size_t (*next)(struct task *task);            /* on a worker: begins the next stage; its parts, 0: done */
    void (*part)(struct task *task, size_t part); /* on a worker, several parts at once */
    bool (*gone)(struct task *task); /* on a worker, before each turn: whether its client has gone; may be NULL */
    void (*done)(struct task *task); /* on the loop's thread, once */
    void *closure;                   /* for the functions above */
    uint64_t deadline_ns;            /* uv_hrtime; 0: none. `next` may lower it */
    bool continued;                  /* continues what was begun: it is not shed */

    /* Read when it is done. */
    enum task_end end;
    uint64_t waited_ns;  /* until it began */
    uint64_t service_ns; /* of all workers */

    /* The scheduler's. */
    uint64_t queued_ns, tag_ns;
    int64_t estimate_ns; /* of a part */
    int64_t weight;      /* in the first turn the number of waiting tasks, then 0 */
    size_t parts, begun, running;
    bool has_started, listed;
    TAILQ_ENTRY(task) in_unbegun;
    LIST_ENTRY(task) in_started;
    struct task *finished_before;
};

/* For `workers` threads of the pool; a task that has waited `max_wait_ms` to begin is shed (0: none is). NULL if memory
 * is short. */
struct scheduler *scheduler_new(size_t workers, uint64_t max_wait_ms);
void scheduler_free(struct scheduler *scheduler);

/* On the loop's thread, as are the following. 0, or a negative error of libuv. */
int scheduler_attach(struct scheduler *scheduler, struct scheduler_loop *loop, uv_loop_t *uv);

/* Closes the handle, once the loop has no tasks left; scheduler_release frees the rest once the loop has ended. */
void scheduler_detach(struct scheduler_loop *loop);
void scheduler_release(struct scheduler_loop *loop);

void scheduler_submit(struct task *task);

/* Whether another task of the client would probably wait too long, judging by its recent tasks: its share of the
 * workers has more to do than half of max_wait_ms. */
bool scheduler_is_full(struct scheduler *scheduler, const struct scheduler_queue *queue);

/* Ends the loop's tasks that have waited too long. To be called a few times a second. */
void scheduler_sweep(struct scheduler_loop *loop);

/* Ends all tasks of the loop, now and from now on; parts being computed are finished first. */
void scheduler_stop(struct scheduler_loop *loop);

/* How many tasks are waiting to begin, and how many have begun and are not done. */
struct scheduler_load {
    size_t waiting, started;
};

struct scheduler_load scheduler_load(struct scheduler *scheduler);

#endif
