/* Whose turn it is: the scheduler with a loop of libuv's and tasks that only say who they are. */
#include "lib/suite.h"
#include "scheduler.h"

#include "lib/assertions.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TASKS = 256, MOST_PARTS = 4096 };

/* What the parts did, in the order in which they began. */
static struct {
    uv_mutex_t mutex;
    unsigned order[MOST_PARTS];
    size_t count, at_once, most_at_once;
} record;

struct job {
    struct task task; /* the first member */
    unsigned name;
    size_t stages, parts; /* of each stage */
    unsigned part_us;
    size_t stage;
    atomic_size_t parts_done;
    size_t done;
    bool left;
    size_t again; /* is submitted so often once more */
};

static struct world {
    uv_loop_t uv;
    struct scheduler *scheduler;
    struct scheduler_loop loop;
    struct job jobs[MOST_TASKS];
    size_t job_count, done;
} world;

static size_t next(struct task *task)
{
    struct job *job = (struct job *)task;
    ck_assert_uint_eq(job->parts_done, job->stage * job->parts); /* a stage begins after the one before */
    return job->stage++ < job->stages ? job->parts : 0;
}

static void spin(unsigned us)
{
    const uint64_t until = uv_hrtime() + (uint64_t)us * 1000;
    while (uv_hrtime() < until) {
    }
}

static void part(struct task *task, size_t number)
{
    struct job *job = (struct job *)task;
    ck_assert_uint_lt(number, job->parts);
    uv_mutex_lock(&record.mutex);
    if (record.count < MOST_PARTS)
        record.order[record.count++] = job->name;
    if (++record.at_once > record.most_at_once)
        record.most_at_once = record.at_once;
    uv_mutex_unlock(&record.mutex);
    spin(job->part_us);
    uv_mutex_lock(&record.mutex);
    record.at_once--;
    uv_mutex_unlock(&record.mutex);
    job->parts_done++;
}

static bool has_left(struct task *task)
{
    return ((struct job *)task)->left;
}

static void done(struct task *task)
{
    struct job *job = (struct job *)task;
    if (job->again > 0) {
        job->again--;
        job->stage = job->parts_done = 0;
        scheduler_submit(task);
        return;
    }
    job->done++;
    if (++world.done == world.job_count)
        scheduler_detach(&world.loop);
}

static void open_world(size_t workers, uint64_t max_wait_ms)
{
    memset(&world, 0, sizeof world);
    memset(&record, 0, sizeof record);
    uv_mutex_init(&record.mutex);
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    ck_assert_int_eq(uv_loop_init(&world.uv), 0);
    world.scheduler = scheduler_new(workers, max_wait_ms);
    ck_assert_ptr_nonnull(world.scheduler);
    ck_assert_int_eq(scheduler_attach(world.scheduler, &world.loop, &world.uv), 0);
}

static struct job *add(struct scheduler_queue *client, unsigned name, size_t stages, size_t parts, unsigned part_us)
{
    ck_assert_uint_lt(world.job_count, MOST_TASKS);
    struct job *job = &world.jobs[world.job_count++];
    *job = (struct job){
        .task = {.queue = client, .loop = &world.loop, .next = next, .part = part, .gone = has_left, .done = done},
        .name = name,
        .stages = stages,
        .parts = parts,
        .part_us = part_us,
    };
    return job;
}

static void run_world(void)
{
    for (size_t i = 0; i < world.job_count; i++)
        scheduler_submit(&world.jobs[i].task);
    uv_run(&world.uv, UV_RUN_DEFAULT);
    for (size_t i = 0; i < world.job_count; i++)
        ck_assert_uint_eq(world.jobs[i].done, 1);
}

static void close_world(void)
{
    scheduler_release(&world.loop);
    ck_assert_int_eq(uv_loop_close(&world.uv), 0);
    scheduler_free(world.scheduler);
    uv_mutex_destroy(&record.mutex);
}

static void check_done(const struct job *job)
{
    ck_assert_int_eq(job->task.end, TASK_DONE);
    ck_assert_uint_eq(job->parts_done, job->stages * job->parts);
}

/* How many parts had begun when the last of `name` did. */
static size_t place_of_last(unsigned name)
{
    size_t place = 0;
    for (size_t i = 0; i < record.count; i++)
        if (record.order[i] == name)
            place = i + 1;
    return place;
}

START_TEST(every_part_is_done_once)
{
    struct scheduler_queue clients[3] = {0};
    open_world(4, 0);
    for (unsigned i = 0; i < 60; i++)
        add(&clients[i % 3], i, i % 4, 1 + i % 7, 50);
    run_world();
    for (size_t i = 0; i < world.job_count; i++)
        check_done(&world.jobs[i]);
    for (size_t i = 0; i < 3; i++)
        ck_assert(clients[i].waiting == 0 && !clients[i].active);
    close_world();
}
END_TEST

START_TEST(one_task_uses_all_workers_and_no_more)
{
    struct scheduler_queue client = {0};
    open_world(3, 0);
    const struct job *job = add(&client, 0, 2, 40, 5000);
    run_world();
    check_done(job);
    ck_assert_uint_eq(record.most_at_once, 3);
    close_world();
}
END_TEST

/* One client has queued a hundred tasks before the other comes with one of the same size. */
START_TEST(a_client_does_not_wait_for_all_of_another_one)
{
    struct scheduler_queue hog = {0}, other = {0};
    open_world(1, 0);
    for (unsigned i = 0; i < 100; i++)
        add(&hog, 0, 1, 1, 1000);
    add(&other, 1, 1, 1, 1000);
    run_world();
    ck_assert_uint_lt(place_of_last(1), 20);
    close_world();
}
END_TEST

/* A short task of the client whose long ones have all workers. */
START_TEST(a_short_task_overtakes_long_ones)
{
    struct scheduler_queue client = {0};
    open_world(2, 0);
    for (unsigned i = 0; i < 4; i++)
        add(&client, 0, 1, 60, 2000);
    add(&client, 1, 3, 1, 100);
    run_world();
    ck_assert_uint_lt(place_of_last(1), 80);
    close_world();
}
END_TEST

/* And the long ones are not forgotten for the short ones that keep coming: they have a share as each of those. */
START_TEST(a_long_task_is_not_starved_by_short_ones)
{
    struct scheduler_queue client = {0};
    open_world(1, 0);
    add(&client, 1, 1, 20, 2000);
    for (unsigned i = 0; i < 4; i++)
        add(&client, 0, 1, 1, 1000)->again = 100;
    run_world();
    ck_assert_uint_lt(place_of_last(1), 350);
    close_world();
}
END_TEST

START_TEST(what_is_over_is_not_done)
{
    struct scheduler_queue client = {0};
    open_world(1, 0);
    add(&client, 0, 1, 1, 20000);
    struct job *late = add(&client, 1, 1, 1, 10), *left = add(&client, 2, 1, 1, 10);
    struct job *halted = add(&client, 3, 1, 1000, 1000);
    late->task.deadline_ns = uv_hrtime() + 1000000;
    left->left = true;
    halted->task.deadline_ns = uv_hrtime() + 60000000;
    run_world();
    ck_assert_int_eq(late->task.end, TASK_EXPIRED);
    ck_assert_int_eq(left->task.end, TASK_GONE);
    ck_assert_int_eq(halted->task.end, TASK_EXPIRED);
    ck_assert_uint_eq(late->parts_done + left->parts_done, 0);
    ck_assert_uint_lt(halted->parts_done, 100);
    close_world();
}
END_TEST

/* While one worker is in its last part, the other one finds the task over, and nothing else to do. */
START_TEST(a_task_may_end_under_several_workers)
{
    struct scheduler_queue clients[2] = {0};
    open_world(2, 0);
    for (unsigned i = 0; i < 20; i++) {
        struct job *halted = add(&clients[0], 0, 1, 1000, 3000);
        halted->task.deadline_ns = uv_hrtime() + (20 + i * 5) * 1000000;
    }
    add(&clients[1], 1, 1, 2, 100);
    run_world();
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(world.jobs[i].task.end, TASK_EXPIRED);
    check_done(&world.jobs[20]);
    for (int i = 0; i < 2; i++)
        ck_assert(clients[i].waiting == 0 && !clients[i].active);
    close_world();
}
END_TEST

static void sweep(uv_timer_t *timer)
{
    scheduler_sweep(&world.loop);
    if (world.done + 1 >= world.job_count)
        uv_close((uv_handle_t *)timer, NULL);
}

/* Who waits is refused while the only worker is busy, not when it is free again; what goes on is not refused. */
START_TEST(who_waits_for_too_long_is_refused_in_time)
{
    struct scheduler_queue client = {0};
    uv_timer_t timer;
    open_world(1, 100);
    uv_timer_init(&world.uv, &timer);
    uv_timer_start(&timer, sweep, 10, 10);
    struct job *busy = add(&client, 0, 1, 1, 1500000);
    for (unsigned i = 0; i < 5; i++)
        add(&client, 1, 1, 1, 10);
    struct job *goes_on = add(&client, 2, 1, 1, 10);
    goes_on->task.continued = true;
    run_world();
    check_done(busy);
    check_done(goes_on);
    for (size_t i = 1; i <= 5; i++) {
        ck_assert_int_eq(world.jobs[i].task.end, TASK_SHED);
        ck_assert_uint_lt(world.jobs[i].task.waited_ns, 1400000000);
    }
    close_world();
}
END_TEST

static void ask_whether_full(uv_timer_t *timer)
{
    bool *full = timer->data;
    full[0] = scheduler_is_full(world.scheduler, world.jobs[1].task.queue);
    full[1] = scheduler_is_full(world.scheduler, world.jobs[0].task.queue);
    uv_close((uv_handle_t *)timer, NULL);
}

/* A hundred tasks of 10 ms for one worker, where half of 200 ms would be waited; another client's have room. */
START_TEST(a_client_is_told_that_it_would_wait_for_long)
{
    struct scheduler_queue client = {0}, other = {0};
    bool full[2] = {false, true};
    uv_timer_t timer = {.data = full};
    open_world(1, 200);
    uv_timer_init(&world.uv, &timer);
    uv_timer_start(&timer, ask_whether_full, 60, 0);
    add(&other, 0, 1, 1, 1000);
    for (unsigned i = 0; i < 100; i++)
        add(&client, 1, 1, 1, 10000)->task.continued = i > 5;
    ck_assert(!scheduler_is_full(world.scheduler, &client));
    run_world();
    ck_assert(full[0]);
    ck_assert(!full[1]);
    close_world();
}
END_TEST

/* Where the queue has been standing for more than a second, most turns are the newest's; the oldest have some. */
START_TEST(a_standing_queue_serves_the_newest)
{
    struct scheduler_queue client = {0};
    open_world(1, 0);
    for (unsigned i = 0; i < 200; i++)
        add(&client, i, 1, 1, 10000);
    run_world();
    size_t first = 0, newest = 0;
    while (first + 30 < record.count && record.order[first] == first)
        first++;
    for (size_t i = first; i < first + 30; i++)
        newest += record.order[i] > 199 - 30;
    ck_assert_uint_eq(record.order[first], 199);
    ck_assert_uint_eq(newest, 24);
    close_world();
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server: scheduler");
    TCase *turns = tcase_create("turns");
    tcase_add_test(turns, every_part_is_done_once);
    tcase_add_test(turns, one_task_uses_all_workers_and_no_more);
    tcase_add_test(turns, a_client_does_not_wait_for_all_of_another_one);
    tcase_add_test(turns, a_short_task_overtakes_long_ones);
    tcase_add_test(turns, a_long_task_is_not_starved_by_short_ones);
    suite_add_tcase(suite, turns);
    TCase *time = tcase_create("time");
    tcase_set_timeout(time, 30);
    tcase_add_test(time, what_is_over_is_not_done);
    tcase_add_loop_test(time, a_task_may_end_under_several_workers, 0, 6);
    tcase_add_test(time, who_waits_for_too_long_is_refused_in_time);
    tcase_add_test(time, a_client_is_told_that_it_would_wait_for_long);
    tcase_add_test(time, a_standing_queue_serves_the_newest);
    suite_add_tcase(suite, time);
    return suite;
}
