/* What fuzzers found and what they begin with, replayed. */
#include "gates/fuzz/compare.h"
#include "gates/fuzz/one.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "schema.h"
#include "spec.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void replay(const char *path)
{
    static unsigned char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    const size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    const char *what = compare_readers((const char *)bytes, length);
    ck_assert_msg(what == NULL, "%s: %s", path, what);
    what = fuzz_one(bytes, length);
    ck_assert_msg(what == NULL, "%s: %s", path, what);
}

/* A call that was not answered as api/openapi.yaml says: its path and body, and the status and problem it should get.
 */
static void replay_call(const char *path)
{
    json_t *call = json_load_file(path, 0, NULL);
    ck_assert_msg(call != NULL, "%s", path);
    const char *route = json_string_value(spec_get(call, "path")),
               *code = json_string_value(json_object_get(call, "code"));
    struct answer answer = ask_json(route, json_incref((json_t *)spec_get(call, "body")));
    ck_assert_msg(answer.status == json_integer_value(spec_get(call, "status")), "%s: %s", path, answer.text);
    ck_assert_str_eq(ask_text(&answer, "code"), code != NULL ? code : "");
    const struct api_route *found;
    ck_assert_int_eq(api_route_find("POST", route, &found, NULL), 0);
    ck_assert_msg(answer.status != 200 || schema_allows(spec, spec_response_schema(found), answer.json), "%s: %s", path,
                  answer.text);
    ask_free(&answer);
    json_decref(call);
}

static int replay_folder(const char *folder, void (*each)(const char *path))
{
    int count = 0;
    DIR *entries = opendir(folder);
    ck_assert_msg(entries != NULL, "%s", folder);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        each(path);
        count++;
    }
    closedir(entries);
    return count;
}

START_TEST(replays_the_corpus)
{
    ck_assert_int_gt(replay_folder("tests/gates/fuzz/corpus", replay), 10);
}
END_TEST

START_TEST(replays_regressions)
{
    ck_assert_int_gt(replay_folder("tests/gates/fuzz/regression", replay), 0);
}
END_TEST

START_TEST(replays_calls_against_the_specification)
{
    spec_load();
    ck_assert_int_gt(replay_folder("tests/gates/spec/regression", replay_call), 0);
    spec_free();
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: fuzzers' inputs");
    TCase *replays = tcase_create("replays");
    tcase_add_test(replays, replays_the_corpus);
    tcase_add_test(replays, replays_regressions);
    tcase_add_test(replays, replays_calls_against_the_specification);
    suite_add_tcase(suite, replays);
    return suite;
}
