#include "scheduler.h"

#include <stdlib.h>

enum {
    QUANTUM_US = 4000,       /* of a task, before the next is chosen */
    FIRST_ESTIMATE_US = 500, /* of a part, before one of its task has been measured */
    PROMPT_US = 20000,       /* a task that begins within this time has not waited */
    STANDING_US = 250000,    /* a queue whose tasks have all waited longer than that for this long is standing */
    TURNS_OF_NEWEST = 4,     /* of five, while it is standing */
};

struct runner {
    uv_work_t work;
    struct scheduler_loop *loop;
    bool lent;
};

struct scheduler {
    uv_mutex_t mutex; /* of all that follows, the queues, and the scheduler's part of the tasks */
    size_t workers, runners;
    uint64_t max_wait_ns;
    uint64_t virtual_ns; /* of the client that had the last turn */
    LIST_HEAD(, scheduler_queue) active;
    size_t waiting, started, active_count;
};

/* ---- Lists ---- */

static void list_started(struct task *task)
{
    if (!task->listed)
        LIST_INSERT_HEAD(&task->queue->started, task, in_started);
    task->listed = true;
}

static void unlist_started(struct task *task)
{
    if (task->listed)
        LIST_REMOVE(task, in_started);
    task->listed = false;
}

static void dequeue(struct scheduler *scheduler, struct task *task)
{
    struct scheduler_queue *queue = task->queue;
    TAILQ_REMOVE(&queue->unbegun, task, in_unbegun);
    queue->waiting--;
    scheduler->waiting--;
}

static struct task *oldest(const struct scheduler_queue *queue)
{
    return queue->waiting > 0 ? TAILQ_FIRST(&queue->unbegun) : NULL;
}

static uint64_t max_ns(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Clients with tasks or parts to take are in the list of active ones; a client that was idle has not saved up time. */
static void update_active(struct scheduler *scheduler, struct scheduler_queue *queue)
{
    const bool active = queue->waiting > 0 || !LIST_EMPTY(&queue->started);
    if (active == queue->active)
        return;
    queue->active = active;
    if (!active) {
        LIST_REMOVE(queue, in_active);
        scheduler->active_count--;
        return;
    }
    scheduler->active_count++;
    queue->served_ns = max_ns(queue->served_ns, scheduler->virtual_ns);
    LIST_INSERT_HEAD(&scheduler->active, queue, in_active);
}

/* ---- Ends ---- */

static void finish(struct scheduler *scheduler, struct task *task)
{
    struct scheduler_loop *loop = task->loop;
    struct scheduler_queue *queue = task->queue;
    if (task->end == TASK_DONE && !task->continued) /* a new one counts an eighth */
        queue->mean_ns = queue->mean_ns == 0 ? task->service_ns : queue->mean_ns / 8 * 7 + task->service_ns / 8;
    unlist_started(task);
    if (task->has_started)
        scheduler->started--;
    update_active(scheduler, queue);
    task->finished_before = loop->finished;
    loop->finished = task;
    uv_async_send(&loop->wake);
}

/* TASK_DONE if there is no reason. */
static enum task_end reason_to_stop(const struct task *task, uint64_t now)
{
    if (task->loop->stopping)
        return TASK_STOPPED;
    return task->deadline_ns != 0 && now >= task->deadline_ns ? TASK_EXPIRED : TASK_DONE;
}

static bool waited_too_long(const struct scheduler *scheduler, const struct task *task, uint64_t now)
{
    return scheduler->max_wait_ns > 0 && !task->continued && now - task->queued_ns > scheduler->max_wait_ns;
}

/* Parts of it that no worker has taken are not computed. */
static void stop(struct scheduler *scheduler, struct task *task, enum task_end end)
{
    task->end = end;
    task->parts = task->begun;
    unlist_started(task);
    update_active(scheduler, task->queue);
}

/* ---- Whose turn ---- */

static struct scheduler_queue *least_served(const struct scheduler *scheduler)
{
    struct scheduler_queue *least = LIST_FIRST(&scheduler->active), *queue;
    LIST_FOREACH (queue, &scheduler->active, in_active)
        if (queue->served_ns < least->served_ns)
            least = queue;
    return least;
}

static struct task *least_served_task(const struct scheduler_queue *queue)
{
    struct task *least = LIST_FIRST(&queue->started), *task;
    LIST_FOREACH (task, &queue->started, in_started)
        if (task->tag_ns < least->tag_ns)
            least = task;
    return least;
}

static struct task *next_to_begin(struct scheduler_queue *queue, uint64_t now)
{
    const bool is_standing = now - queue->prompt_ns > (uint64_t)STANDING_US * 1000;
    if (!is_standing)
        return oldest(queue);
    return queue->turns++ % (TURNS_OF_NEWEST + 1) < TURNS_OF_NEWEST ? TAILQ_LAST(&queue->unbegun, task_list)
                                                                    : oldest(queue);
}

static void begin(struct scheduler *scheduler, struct task *task, uint64_t now)
{
    struct scheduler_queue *queue = task->queue;
    task->waited_ns = now - task->queued_ns;
    if (queue->waiting == 1 || (task == oldest(queue) && task->waited_ns < (uint64_t)PROMPT_US * 1000))
        queue->prompt_ns = now;
    task->tag_ns = queue->fresh_ns;
    task->weight = (int64_t)queue->waiting;
    dequeue(scheduler, task);
    task->has_started = true;
    scheduler->started++;
}

/* The task that is next, or NULL. */
static struct task *choose(struct scheduler *scheduler, uint64_t now)
{
    struct scheduler_queue *queue = least_served(scheduler);
    if (queue == NULL)
        return NULL;
    struct task *task = least_served_task(queue);
    scheduler->virtual_ns = queue->served_ns;
    if (task == NULL || (queue->waiting > 0 && queue->fresh_ns <= task->tag_ns)) {
        task = next_to_begin(queue, now);
        begin(scheduler, task, now);
    } else {
        task->weight = 0;
    }
    queue->clock_ns = max_ns(queue->clock_ns, task->tag_ns);
    update_active(scheduler, queue);
    return task;
}

/* ---- A turn ---- */

/* A part is charged before it is computed, so that not all workers choose the same client, and corrected afterwards. A
 * task's first turn is also charged to the waiting tasks, divided by their number. */
static void charge(struct task *task, int64_t ns)
{
    struct scheduler_queue *queue = task->queue;
    queue->served_ns += (uint64_t)ns;
    task->tag_ns += (uint64_t)ns;
    if (task->weight > 0)
        queue->fresh_ns += (uint64_t)(ns / task->weight);
}

static void do_part(struct scheduler *scheduler, struct task *task)
{
    const size_t part = task->begun++;
    const int64_t estimate = task->estimate_ns;
    task->running++;
    charge(task, estimate);
    if (task->begun == task->parts)
        unlist_started(task);
    update_active(scheduler, task->queue);
    uv_mutex_unlock(&scheduler->mutex);
    const uint64_t before = uv_hrtime();
    task->part(task, part);
    const int64_t took = (int64_t)(uv_hrtime() - before);
    uv_mutex_lock(&scheduler->mutex);
    task->running--;
    task->service_ns += (uint64_t)took;
    task->estimate_ns = (estimate + took) / 2;
    charge(task, took - estimate);
}

/* Begins its next stage. False if there is none. */
static bool advance(struct scheduler *scheduler, struct task *task)
{
    if (task->end != TASK_DONE)
        return false;
    uv_mutex_unlock(&scheduler->mutex);
    const size_t parts = task->next(task);
    uv_mutex_lock(&scheduler->mutex);
    task->begun = 0;
    task->parts = parts;
    return parts > 0;
}

/* Lets other workers take the parts that are left. */
static void offer_parts(struct scheduler *scheduler, struct task *task)
{
    list_started(task);
    update_active(scheduler, task->queue);
    if (scheduler->runners < scheduler->workers)
        uv_async_send(&task->loop->wake);
}

/* Stops a task if there is a reason to. Of one that has just begun the time it has waited is checked too. */
static void stop_if_over(struct scheduler *scheduler, struct task *task, uint64_t now)
{
    const enum task_end end = reason_to_stop(task, now);
    if (end != TASK_DONE)
        stop(scheduler, task, end);
    else if (task->weight > 0 && waited_too_long(scheduler, task, now))
        stop(scheduler, task, TASK_SHED);
    else if (task->gone != NULL && task->gone(task))
        stop(scheduler, task, TASK_GONE);
}

/* Computes parts of the task, until its turn is over or others compute what is left. */
static void take_turn(struct scheduler *scheduler, struct task *task, uint64_t now)
{
    const uint64_t until = now + (uint64_t)QUANTUM_US * 1000;
    stop_if_over(scheduler, task, now);
    for (;;) {
        if (task->begun == task->parts) {
            if (task->running > 0)
                return;
            if (!advance(scheduler, task))
                break;
        }
        if (now >= until || task->parts - task->begun > 1)
            offer_parts(scheduler, task);
        if (now >= until)
            return;
        do_part(scheduler, task);
        now = uv_hrtime();
        if (task->end == TASK_DONE && reason_to_stop(task, now) != TASK_DONE)
            stop(scheduler, task, reason_to_stop(task, now));
    }
    finish(scheduler, task);
}

/* ---- The pool's threads ---- */

static void run(uv_work_t *work)
{
    const struct runner *runner = work->data;
    struct scheduler *scheduler = runner->loop->scheduler;
    uint64_t now;
    struct task *task;
    uv_mutex_lock(&scheduler->mutex);
    while ((task = choose(scheduler, now = uv_hrtime())) != NULL)
        take_turn(scheduler, task, now);
    scheduler->runners--;
    uv_mutex_unlock(&scheduler->mutex);
}

static size_t available(const struct scheduler *scheduler, size_t max)
{
    size_t sum = scheduler->waiting;
    const struct scheduler_queue *queue;
    const struct task *task;
    LIST_FOREACH (queue, &scheduler->active, in_active)
        LIST_FOREACH (task, &queue->started, in_started)
            sum += task->parts - task->begun;
    return sum < max ? sum : max;
}

static struct runner *idle_runner(struct scheduler_loop *loop)
{
    for (size_t i = 0; i < loop->runner_count; i++)
        if (!loop->runners[i].lent)
            return &loop->runners[i];
    return NULL;
}

static void launch(struct scheduler_loop *loop);

static void after_run(uv_work_t *work, int status)
{
    struct runner *runner = work->data;
    (void)status;
    runner->lent = false;
    launch(runner->loop);
}

/* Starts as many idle workers as there are parts to take. */
static void launch(struct scheduler_loop *loop)
{
    struct scheduler *scheduler = loop->scheduler;
    struct runner *runner = NULL;
    uv_mutex_lock(&scheduler->mutex);
    size_t wanted = available(scheduler, scheduler->workers - scheduler->runners);
    for (; wanted > 0 && (runner = idle_runner(loop)) != NULL; wanted--) {
        runner->lent = true;
        scheduler->runners++;
        uv_queue_work(loop->uv, &runner->work, run, after_run);
    }
    uv_mutex_unlock(&scheduler->mutex);
}

/* ---- A loop's side ---- */

static void on_wake(uv_async_t *wake)
{
    struct scheduler_loop *loop = wake->data;
    uv_mutex_lock(&loop->scheduler->mutex);
    struct task *finished = loop->finished;
    loop->finished = NULL;
    uv_mutex_unlock(&loop->scheduler->mutex);
    for (struct task *task = finished, *next; task != NULL; task = next) {
        next = task->finished_before;
        task->done(task);
    }
    launch(loop);
}

int scheduler_attach(struct scheduler *scheduler, struct scheduler_loop *loop, uv_loop_t *uv)
{
    *loop = (struct scheduler_loop){.scheduler = scheduler, .uv = uv, .runner_count = scheduler->workers};
    loop->runners = calloc(loop->runner_count, sizeof *loop->runners);
    if (loop->runners == NULL)
        return UV_ENOMEM;
    for (size_t i = 0; i < loop->runner_count; i++) {
        loop->runners[i].loop = loop;
        loop->runners[i].work.data = &loop->runners[i];
    }
    const int status = uv_async_init(uv, &loop->wake, on_wake);
    loop->wake.data = loop;
    if (status != 0)
        free(loop->runners);
    return status;
}

void scheduler_detach(struct scheduler_loop *loop)
{
    uv_close((uv_handle_t *)&loop->wake, NULL);
}

void scheduler_release(struct scheduler_loop *loop)
{
    free(loop->runners);
}

void scheduler_submit(struct task *task)
{
    struct scheduler_loop *loop = task->loop;
    struct scheduler *scheduler = loop->scheduler;
    struct scheduler_queue *queue = task->queue;
    task->end = TASK_DONE;
    task->waited_ns = task->service_ns = 0;
    task->parts = task->begun = task->running = 0;
    task->has_started = task->listed = false;
    task->queued_ns = uv_hrtime();
    task->estimate_ns = (int64_t)FIRST_ESTIMATE_US * 1000;
    uv_mutex_lock(&scheduler->mutex);
    if (queue->waiting == 0) {
        TAILQ_INIT(&queue->unbegun);
        queue->prompt_ns = task->queued_ns;
        queue->fresh_ns = max_ns(queue->fresh_ns, queue->clock_ns);
    }
    TAILQ_INSERT_TAIL(&queue->unbegun, task, in_unbegun);
    queue->waiting++;
    scheduler->waiting++;
    update_active(scheduler, queue);
    uv_mutex_unlock(&scheduler->mutex);
    launch(loop);
}

bool scheduler_is_full(struct scheduler *scheduler, const struct scheduler_queue *queue)
{
    uv_mutex_lock(&scheduler->mutex);
    const size_t clients = scheduler->active_count + !queue->active;
    const uint64_t expected_ns = queue->waiting * queue->mean_ns * clients / scheduler->workers;
    uv_mutex_unlock(&scheduler->mutex);
    return scheduler->max_wait_ns > 0 && expected_ns > scheduler->max_wait_ns / 2;
}

/* ---- Time ---- */

/* Ends tasks that have waited too long; the queue is in order of arrival, but deadlines are not. */
static void sweep_waiting(struct scheduler_loop *loop, struct scheduler_queue *queue, uint64_t now)
{
    struct scheduler *scheduler = loop->scheduler;
    for (struct task *task = oldest(queue), *next; task != NULL; task = next) {
        next = TAILQ_NEXT(task, in_unbegun);
        const enum task_end end = reason_to_stop(task, now);
        if (task->loop != loop || (end == TASK_DONE && !waited_too_long(scheduler, task, now)))
            continue;
        task->end = end != TASK_DONE ? end : TASK_SHED;
        task->waited_ns = now - task->queued_ns;
        dequeue(scheduler, task);
        finish(scheduler, task);
    }
}

static void sweep_started(struct scheduler_loop *loop, struct scheduler_queue *queue, uint64_t now)
{
    for (struct task *task = LIST_FIRST(&queue->started), *next; task != NULL; task = next) {
        next = LIST_NEXT(task, in_started);
        if (task->loop != loop || reason_to_stop(task, now) == TASK_DONE)
            continue;
        stop(loop->scheduler, task, reason_to_stop(task, now));
        if (task->running == 0)
            finish(loop->scheduler, task);
    }
}

void scheduler_sweep(struct scheduler_loop *loop)
{
    struct scheduler *scheduler = loop->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    const uint64_t now = uv_hrtime();
    for (struct scheduler_queue *queue = LIST_FIRST(&scheduler->active), *next; queue != NULL; queue = next) {
        next = LIST_NEXT(queue, in_active);
        sweep_waiting(loop, queue, now);
        sweep_started(loop, queue, now);
        update_active(scheduler, queue);
    }
    uv_mutex_unlock(&scheduler->mutex);
}

void scheduler_stop(struct scheduler_loop *loop)
{
    uv_mutex_lock(&loop->scheduler->mutex);
    loop->stopping = true;
    uv_mutex_unlock(&loop->scheduler->mutex);
    scheduler_sweep(loop);
}

struct scheduler_load scheduler_load(struct scheduler *scheduler)
{
    uv_mutex_lock(&scheduler->mutex);
    const struct scheduler_load load = {scheduler->waiting, scheduler->started};
    uv_mutex_unlock(&scheduler->mutex);
    return load;
}

/* ---- Beginning and end ---- */

struct scheduler *scheduler_new(size_t workers, uint64_t max_wait_ms)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL)
        return NULL;
    uv_mutex_init(&scheduler->mutex);
    scheduler->workers = workers;
    scheduler->max_wait_ns = max_wait_ms * 1000000;
    return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    uv_mutex_destroy(&scheduler->mutex);
    free(scheduler);
}
