/* Memory that is counted: an account knows of what is allocated, and what is read is within what was charged for it. */
#define _GNU_SOURCE /* stpcpy */
#include "fronts.h"
#include "lib/memory.h"
#include "lib/suite.h"
#include "json/envelope.h"
#include "json/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOWANCE = 3 * 64 * 1024 };

static struct ledger {
    struct api_account account;
    size_t taken, limit;
} ledger;

static bool take(struct api_account *account, size_t bytes)
{
    struct ledger *of = (struct ledger *)account;
    if (__atomic_add_fetch(&of->taken, bytes, __ATOMIC_SEQ_CST) <= of->limit)
        return true;
    __atomic_sub_fetch(&of->taken, bytes, __ATOMIC_SEQ_CST);
    return false;
}

static void give(struct api_account *account, size_t bytes)
{
    struct ledger *of = (struct ledger *)account;
    ck_assert_uint_ge(__atomic_fetch_sub(&of->taken, bytes, __ATOMIC_SEQ_CST), bytes);
}

static void open_ledger(size_t limit)
{
    ledger = (struct ledger){{take, give}, 0, limit};
    api_account_use(&ledger.account);
}

static void compare_with_ledger(size_t allocated)
{
    ck_assert_uint_le(allocated, ledger.taken);
    ck_assert_uint_le(ledger.taken, allocated + ALLOWANCE);
}

START_TEST(an_account_sees_what_is_allocated)
{
    static struct result result;
    for (size_t i = 0; i < 2 * front_request_count; i++) {
        struct asked *asked = front_open(&front_requests[i / 2]);
        memory_start();
        memory_watch(compare_with_ledger);
        open_ledger(SIZE_MAX / 2);
        front_answer(asked, i % 2 != 0, &result);
        api_response_release(&result.response);
        ck_assert_ptr_eq(api_account_use(NULL), &ledger.account);
        ck_assert_uint_eq(ledger.taken, 0);
        memory_stop();
        front_close(asked);
    }
}
END_TEST

START_TEST(an_account_refuses_beyond_its_limit)
{
    static struct result result, undisturbed;
    const struct request *how = &front_requests[_i];
    struct asked *asked = front_open(how);
    front_answer(asked, true, &undisturbed);
    bool equal = false;
    for (size_t limit = front_length(asked) + 8192; !equal; limit += 512) { /* the body is there in any case */
        open_ledger(limit);
        front_answer(asked, true, &result);
        api_account_use(NULL);
        front_check(how, front_is_honest(how, &result, &undisturbed), &result, limit);
        equal = front_same(&result, &undisturbed);
        api_account_use(&ledger.account);
        api_response_release(&result.response);
        api_account_use(NULL);
        ck_assert_uint_eq(ledger.taken, 0);
    }
    api_response_release(&undisturbed.response);
    front_close(asked);
}
END_TEST

START_TEST(memory_is_charged_and_given_back)
{
    open_ledger(1 << 20);
    void *block = api_malloc(100);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(api_malloc(1 << 20));
    ck_assert_ptr_null(api_calloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(api_malloc(SIZE_MAX - 4096));
    ck_assert_ptr_null(api_realloc(block, 2 << 20));
    block = api_realloc(block, 500000);
    ck_assert_ptr_nonnull(block);
    ledger.limit = 0;
    ck_assert_ptr_null(api_malloc(1 << 18));
    block = api_realloc(block, 10);
    ck_assert_ptr_nonnull(block);
    struct ledger other = {{take, give}, 0, 0};
    ck_assert_ptr_eq(api_account_use(&other.account), &ledger.account);
    ck_assert_uint_ge(ledger.taken, 10);
    ck_assert_uint_le(ledger.taken, 8192);
    ck_assert_ptr_eq(api_account_use(&ledger.account), &other.account);
    api_free(block);
    api_account_use(NULL);
    ck_assert_uint_eq(ledger.taken, 0);
}
END_TEST

/* As long as it may be, of what jansson takes most for. */
START_TEST(a_greedy_body_is_refused_before_it_is_read)
{
    const size_t most = JSON_MAX_BYTES, limit = 48 << 20;
    char *body = calloc(1, most + API_BODY_PADDING), *end = stpcpy(body, "{\"dim\":[");
    while (end + 8 < body + most)
        end = stpcpy(end, "{},");
    stpcpy(end - 1, "]}");
    const struct request how = {.path = _i == 0 ? "/v2/models/softmax/infer" : "/v1/softmax", .text = body};
    static struct result result;
    struct asked *asked = front_open(&how);
    open_ledger(limit);
    memory_start();
    memory_watch(compare_with_ledger);
    front_answer(asked, true, &result);
    const size_t peak = memory_stop();
    api_account_use(NULL);
    ck_assert(front_is_refusal(&how, &result.response));
    ck_assert_uint_lt(peak, 2 * most);
    api_response_release(&result.response);
    front_close(asked);
    free(body);
}
END_TEST

static void *allocate_and_free(void *unused)
{
    void *blocks[64] = {NULL};
    uint64_t random = (uint64_t)(uintptr_t)&blocks;
    (void)unused;
    api_account_use(&ledger.account);
    for (int i = 0; i < 100000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        void **block = &blocks[random >> 58];
        if (random >> 40 & 1) {
            api_free(*block);
            *block = api_malloc(random >> 42 & 16383);
        } else {
            void *grown = api_realloc(*block, (random >> 42 & 16383) + 1);
            *block = grown != NULL ? grown : *block;
        }
    }
    for (size_t i = 0; i < 64; i++)
        api_free(blocks[i]);
    api_account_use(NULL);
    return NULL;
}

START_TEST(several_threads_use_one_account)
{
    pthread_t threads[4];
    ledger = (struct ledger){{take, give}, 0, 700000};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_and_free, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(ledger.taken, 0);
}
END_TEST

/* ---- What jansson takes ---- */

/* Reads the text in the memory that its bound says, which must be enough. */
static void check_bound(const char *text, size_t length)
{
    ck_assert(json_memory_open(json_memory_bound(text, length)));
    memory_refuse(1, true);
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, NULL);
    const size_t asked = memory_allow();
    json_memory_close();
    json_decref(json);
    ck_assert_msg(asked == 0, "%.60s", text);
}

/* What is greedy when it is repeated, between its first and its last part. */
static const struct {
    const char *first, *part, *last;
} greedy[] = {
    {"[", "{},", "{}]"},
    {"[", "[],", "[]]"},
    {"[", "1,", "1]"},
    {"[", "\"\",", "\"\"]"},
    {"[", "[1],", "1]"},
    {"[", "{\"\":1},", "1]"},
    {"[", "{\"a\":{}},", "1]"},
    {"[", "{\"abcdefgh\":\"\"},", "1]"},
    {"\"", "a", "\""},
    {"\"", "\\u00e9", "\""},
    {"", "1", ""},
    {"[\"", "\\\\", "\"]"},
    {"{\"a\":", "{\"a\":", ""},
    {"[", "[", ""},
    {"{", "\"", "\"}"},
    {"[", " ", "]"},
    {"[", "true,", "null]"},
    {"{\"", "k", "\":\"v\"}"},
};

START_TEST(what_jansson_takes_is_within_its_bound)
{
    const size_t part = strlen(greedy[_i].part), most = JSON_MAX_BYTES;
    char *text = malloc(2 * most);
    for (size_t repeated = 0; repeated * part < most; repeated += 1 + repeated / 2) {
        char *end = stpcpy(text, greedy[_i].first);
        for (size_t i = 0; i < repeated; i++)
            end = stpcpy(end, greedy[_i].part);
        end = stpcpy(end, greedy[_i].last);
        check_bound(text, (size_t)(end - text));
    }
    free(text);
}
END_TEST

/* {"0":1,"1":1,...}: names that differ. */
START_TEST(names_are_within_their_bound)
{
    char *text = malloc(2 * JSON_MAX_BYTES);
    for (int members = 1; members < 100000; members += 1 + members / 2) {
        char *end = stpcpy(text, "{");
        for (int i = 0; i < members; i++)
            end += sprintf(end, "%s\"%x\":1", i > 0 ? "," : "", i);
        end = stpcpy(end, "}");
        check_bound(text, (size_t)(end - text));
    }
    free(text);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: accounts");
    TCase *counted = tcase_create("counted"), *bounded = tcase_create("bounded");
    tcase_set_timeout(counted, 300);
    tcase_set_timeout(bounded, 300);
    tcase_add_checked_fixture(counted, api_init, NULL);
    tcase_add_checked_fixture(bounded, api_init, NULL);
    tcase_set_timeout(counted, 120);
    tcase_add_test(counted, an_account_sees_what_is_allocated);
    tcase_add_loop_test(counted, an_account_refuses_beyond_its_limit, 0, (int)front_request_count);
    tcase_add_test(counted, memory_is_charged_and_given_back);
    tcase_add_loop_test(counted, a_greedy_body_is_refused_before_it_is_read, 0, 2);
    tcase_add_test(counted, several_threads_use_one_account);
    tcase_add_loop_test(bounded, what_jansson_takes_is_within_its_bound, 0, sizeof greedy / sizeof *greedy);
    tcase_add_test(bounded, names_are_within_their_bound);
    suite_add_tcase(suite, counted);
    suite_add_tcase(suite, bounded);
    return suite;
}
