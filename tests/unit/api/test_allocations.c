/* Memory that is refused, at every place: the answer is the same, or says that memory is short. */
#include "fronts.h"
#include "lib/memory.h"
#include "lib/suite.h"

#include <stdint.h>
#include <stdio.h>

/* How many allocations were asked for. */
static size_t try_place(const struct request *how, struct asked *asked, bool owned, size_t first, bool rest,
                        const struct result *undisturbed)
{
    static struct result result;
    memory_start();
    const size_t count = front_answer_refusing(asked, owned, first, rest, &result);
    const bool right = count < first ? front_same(&result, undisturbed) : front_is_honest(how, &result, undisturbed);
    front_check(how, right, &result, first);
    api_response_release(&result.response);
    ck_assert_msg(memory_allocated() == 0, "%s: %zu bytes are left after allocation %zu%s was refused", how->path,
                  memory_allocated(), first, rest ? " and the rest" : "");
    memory_stop();
    return count;
}

static size_t try_all(const struct request *how, bool owned, bool rest)
{
    static struct result undisturbed;
    struct asked *asked = front_open(how);
    size_t places = 0;
    front_answer(asked, owned, &undisturbed);
    ck_assert_msg(!front_is_refusal(how, &undisturbed.response), "%s", how->path);
    while (try_place(how, asked, owned, places + 1, rest, &undisturbed) > places)
        places++;
    api_response_release(&undisturbed.response);
    front_close(asked);
    return places;
}

START_TEST(a_refused_allocation_is_told_as_such)
{
    size_t places = 0;
    for (size_t i = 0; i < front_request_count; i++)
        for (int way = 0; way < 4; way++)
            places += try_all(&front_requests[i], way % 2 != 0, way / 2 != 0);
    printf("allocations refused at %zu places of %zu requests\n", places, front_request_count);
    ck_assert_uint_gt(places, 1000);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: allocations");
    TCase *refused = tcase_create("refused");
    tcase_add_checked_fixture(refused, api_init, NULL);
    tcase_set_timeout(refused, 120);
    tcase_add_test(refused, a_refused_allocation_is_told_as_such);
    suite_add_tcase(suite, refused);
    return suite;
}
