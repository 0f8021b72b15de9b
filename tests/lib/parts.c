#include "lib/parts.h"

#include "lib/assertions.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3 };

/* ---- The parts of a stage ---- */

struct stage {
    struct api_job *job;
    size_t parts;
    _Atomic size_t next;
};

static void *do_parts(void *closure)
{
    struct stage *stage = closure;
    for (size_t part; (part = stage->next++) < stage->parts;)
        api_job_part(stage->job, part);
    return NULL;
}

static void do_on_threads(struct api_job *job, size_t parts)
{
    struct stage stage = {.job = job, .parts = parts};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, do_parts, &stage), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* Fisher and Yates, of a fixed sequence of numbers. */
static void do_shuffled(struct api_job *job, size_t parts)
{
    size_t *order = calloc(parts, sizeof *order);
    uint32_t state = 1;
    for (size_t i = 0; i < parts; i++) {
        state = state * 1664525 + 1013904223;
        const size_t other = state % (i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < parts; i++)
        api_job_part(job, order[i]);
    free(order);
}

static void do_stage(struct api_job *job, size_t parts, enum parts_order order)
{
    if (order == PARTS_ON_THREADS && parts > 1)
        do_on_threads(job, parts);
    else if (order == PARTS_SHUFFLED)
        do_shuffled(job, parts);
    else
        for (size_t part = parts; part > 0; part--)
            api_job_part(job, part - 1);
}

size_t parts_answer(const struct api_request *request, size_t numbers, enum parts_order order,
                    struct api_response *response)
{
    struct api_request divided = *request;
    size_t parts, all = 0;
    divided.part_numbers = numbers;
    struct api_job *job = api_job_open(&divided);
    ck_assert_ptr_nonnull(job);
    while ((parts = api_job_next(job)) > 0) {
        do_stage(job, parts, order);
        all += parts;
    }
    ck_assert_uint_eq(api_job_next(job), 0);
    api_job_answer(job, response);
    api_job_free(job);
    return all;
}

/* ---- Comparing ---- */

static void require_same(const struct api_response *one, const struct api_response *other)
{
    ck_assert_int_eq(one->status, other->status);
    ck_assert_str_eq(one->media_type, other->media_type);
    ck_assert_uint_eq(one->rows, other->rows);
    ck_assert_uint_eq(one->length, other->length);
    ck_assert_mem_eq(one->body, other->body, other->length);
    ck_assert_uint_eq(one->header_count, other->header_count);
    for (size_t i = 0; i < one->header_count; i++) {
        ck_assert_str_eq(one->headers[i].name, other->headers[i].name);
        ck_assert_str_eq(one->headers[i].value, other->headers[i].value);
    }
}

/* The longer the body, the larger the parts, for the time it takes. */
void parts_check(const struct api_request *request, const struct api_response *whole)
{
    static const size_t numbers[] = {1, 16, 33, 100, 500};
    const size_t least = request->length > 20000 ? request->length : numbers[request->length % 5];
    struct api_request lent = *request;
    struct api_response divided;
    lent.own_body = NULL;
    parts_answer(&lent, least, (enum parts_order)(request->length % 2), &divided);
    require_same(&divided, whole);
    api_response_release(&divided);
}
