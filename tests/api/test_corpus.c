/* What fuzzers found and what they begin with, replayed. */
#include "fuzz/compare.h"
#include "fuzz/one.h"
#include "suites.h"

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

static int replay_folder(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    ck_assert_msg(entries != NULL, "%s", folder);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        count++;
    }
    closedir(entries);
    return count;
}

START_TEST(replays_the_corpus)
{
    ck_assert_int_gt(replay_folder("tests/fuzz/corpus"), 10);
}
END_TEST

START_TEST(replays_regressions)
{
    ck_assert_int_gt(replay_folder("tests/fuzz/regression"), 0);
}
END_TEST

Suite *test_api_corpus_suite(void)
{
    Suite *suite = suite_create("api: fuzzers' inputs");
    TCase *replays = tcase_create("replays");
    tcase_add_test(replays, replays_the_corpus);
    tcase_add_test(replays, replays_regressions);
    suite_add_tcase(suite, replays);
    return suite;
}
