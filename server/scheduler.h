/* Whose turn it is on the workers. A task is work in stages, each of some parts of a few milliseconds; the clients'
 * tasks share the workers' time evenly, client by client, and those of one client task by task. libuv's pool does the
 * work and is never given more than it has threads.
 *
 * Weighted fair queueing by virtual time (Demers, Keshav, Shenker 1989): who has been served least is next. A task that
 * has not begun waits in the order of arrival; while that queue has been standing for long, most turns go to the
 * newest, whose client still waits for it, and a few to the oldest. */
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

/* A client's place. Zeroed it is empty; it may go when none of its tasks is left. */
struct scheduler_queue {
    struct task_list unbegun;  /* in the order of their arrival; only where there is one */
    size_t waiting;            /* of those */
    LIST_HEAD(, task) started; /* have begun, and have parts that nobody has taken */
    uint64_t served_ns;        /* virtual time of this client among the clients */
    uint64_t fresh_ns;         /* virtual time of those that wait, among its tasks */
    uint64_t clock_ns;         /* of the task that had the last turn */
    uint64_t prompt_ns;        /* when the oldest last had not waited for long */
    uint64_t mean_ns;          /* what its tasks took of late */
    unsigned turns;            /* given to those that wait while they were many */
    LIST_ENTRY(scheduler_queue) in_active;
    bool active;
};

/* A loop's place: what was finished for it. Zeroed, then scheduler_attach. */
struct scheduler_loop {
    struct scheduler *scheduler;
    uv_loop_t *uv;
    uv_async_t wake;
    struct task *finished;
    struct runner *runners; /* what this loop lends the pool */
    size_t runner_count;
    bool stopping;
};

enum task_end {
    TASK_DONE,
    TASK_EXPIRED, /* its deadline passed */
    TASK_SHED,    /* it waited too long to begin */
    TASK_STOPPED, /* its loop was told to stop */
    TASK_GONE,    /* nobody is there to take the answer */
};

struct task {
    /* Set by the one who submits it. */
    struct scheduler_queue *queue;
    struct scheduler_loop *loop;
    size_t (*next)(struct task *task); /* on a worker: begins the next stage; how many parts, 0: it is done */
    void (*part)(struct task *task, size_t part); /* on a worker, several at once */
    bool (*gone)(struct task *task);              /* on a worker, before it has its turn; may be NULL */
    void (*done)(struct task *task);              /* on the loop's thread, once */
    void *closure;                                /* of the one who submits it */
    uint64_t deadline_ns;                         /* uv_hrtime; 0: none. `next` may lower it */
    bool continued;                               /* goes on with what was begun: it is not shed */

    /* Read when it is done. */
    enum task_end end;
    uint64_t waited_ns;  /* until it began */
    uint64_t service_ns; /* of all workers */

    /* The scheduler's. */
    uint64_t queued_ns, tag_ns;
    int64_t estimate_ns; /* of a part */
    int64_t weight;      /* in the first turn: how many waited to begin; then 0 */
    size_t parts, begun, running;
    bool has_started, listed;
    TAILQ_ENTRY(task) in_unbegun;
    LIST_ENTRY(task) in_started;
    struct task *finished_before;
};

/* For `workers` threads of the pool; a task that has waited `max_wait_ms` to begin is shed (0: never). NULL if memory
 * is short. */
struct scheduler *scheduler_new(size_t workers, uint64_t max_wait_ms);
void scheduler_free(struct scheduler *scheduler);

/* On the loop's thread, as the following. 0, or a negative code of libuv's. */
int scheduler_attach(struct scheduler *scheduler, struct scheduler_loop *loop, uv_loop_t *uv);

/* Closes what keeps the loop running, once none of its tasks is left; scheduler_release frees the rest after that. */
void scheduler_detach(struct scheduler_loop *loop);
void scheduler_release(struct scheduler_loop *loop);

void scheduler_submit(struct task *task);

/* Whether a further task of the client would wait for long, by what those before took: its share of the workers has
 * more to do than half of what a task may wait. */
bool scheduler_is_full(struct scheduler *scheduler, const struct scheduler_queue *queue);

/* Ends the tasks of the loop that wait beyond their time. To be called a few times a second. */
void scheduler_sweep(struct scheduler_loop *loop);

/* Ends all tasks of the loop, now and from now on: what is being done of them is finished first. */
void scheduler_stop(struct scheduler_loop *loop);

/* How many tasks wait to be begun, and how many have begun and are not yet done. */
struct scheduler_load {
    size_t waiting, started;
};

struct scheduler_load scheduler_load(struct scheduler *scheduler);

#endif
