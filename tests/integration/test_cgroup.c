/* What is read of control groups, from trees as kernels and container engines show them. */
#define _GNU_SOURCE
#include "cgroup.h"
#include "lib/suite.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Trees of files ---- */

struct file {
    const char *path, *text;
};

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

static void make_file(const char *root, const struct file *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, file->path);
    make_folders(path);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(file->text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

/* ---- Cases ---- */

#define UNIFIED "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define OF_VERSION_1(top)                                                                                              \
    "31 23 0:28 / /sys/fs/cgroup rw shared:1 - tmpfs tmpfs rw\n"                                                       \
    "32 31 0:31 " top " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"                                \
    "33 31 0:32 " top " /sys/fs/cgroup/memory rw master:9 - cgroup cgroup rw,memory\n"
#define PATHS_1(path) "9:name=systemd:/\n4:memory:" path "\n3:cpuset:/\n1:cpu,cpuacct:" path "\n0::/\n"
#define NOWHERE UINT64_MAX

static const struct {
    const char *what;
    uint64_t memory;
    double processors;
    struct file files[8];
} cases[] = {
    {"nothing", NOWHERE, INFINITY, {{"/proc/self/other", ""}}},
    {"version 2, the container's own view",
     512 << 20,
     1.5,
     {{"/proc/self/cgroup", "0::/\n"},
      {"/proc/self/mountinfo", UNIFIED},
      {"/sys/fs/cgroup/memory.max", "536870912\n"},
      {"/sys/fs/cgroup/cpu.max", "150000 100000\n"}}},
    {"version 2, nothing limited",
     NOWHERE,
     INFINITY,
     {{"/proc/self/cgroup", "0::/a\n"},
      {"/proc/self/mountinfo", UNIFIED},
      {"/sys/fs/cgroup/a/memory.max", "max\n"},
      {"/sys/fs/cgroup/a/memory.high", "max\n"},
      {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"}}},
    {"version 2, groups above have smaller limits",
     1000,
     0.25,
     {{"/proc/self/cgroup", "0::/system.slice/a/b\n"},
      {"/proc/self/mountinfo", UNIFIED},
      {"/sys/fs/cgroup/system.slice/a/b/memory.max", "5000\n"},
      {"/sys/fs/cgroup/system.slice/a/b/cpu.max", "max 100000\n"},
      {"/sys/fs/cgroup/system.slice/a/memory.max", "1000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "25000 100000\n"}}},
    {"version 2, memory.high below memory.max",
     700,
     INFINITY,
     {{"/proc/self/cgroup", "0::/a\n"},
      {"/proc/self/mountinfo", UNIFIED},
      {"/sys/fs/cgroup/a/memory.max", "1000\n"},
      {"/sys/fs/cgroup/a/memory.high", "700\n"}}},
    {"version 1, on the host",
     134217728,
     2,
     {{"/proc/self/cgroup", PATHS_1("/x/y")},
      {"/proc/self/mountinfo", OF_VERSION_1("/")},
      {"/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n"},
      {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "134217728\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "100000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "50000\n"}}},
    {"version 1, a container without a namespace for groups: the path is the host's",
     4096,
     INFINITY,
     {{"/proc/self/cgroup", PATHS_1("/docker/abc")},
      {"/proc/self/mountinfo", OF_VERSION_1("/docker/abc")},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}}},
    {"the group lies outside of what is mounted",
     4096,
     INFINITY,
     {{"/proc/self/cgroup", "0::/../elsewhere\n"},
      {"/proc/self/mountinfo", UNIFIED},
      {"/sys/fs/cgroup/memory.max", "4096\n"}}},
    {"both versions: memory of the first, no controller of the second",
     8192,
     INFINITY,
     {{"/proc/self/cgroup", PATHS_1("/a")},
      {"/proc/self/mountinfo", OF_VERSION_1("/") "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
      {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "8192\n"},
      {"/sys/fs/cgroup/unified/cgroup.procs", ""}}},
    {"what is no number is no limit",
     NOWHERE,
     INFINITY,
     {{"/proc/self/cgroup", "garbage\n0:\n0::/a\n"},
      {"/proc/self/mountinfo", "garbage\n" UNIFIED},
      {"/sys/fs/cgroup/a/memory.max", "\n"},
      {"/sys/fs/cgroup/a/cpu.max", "100000 0\n"}}},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(the_smallest_limit_that_can_be_seen_counts)
{
    char root[] = "/tmp/gumbeld-cgroup-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (const struct file *file = cases[_i].files; file->path != NULL; file++)
        make_file(root, file);
    const uint64_t memory = cgroup_memory_bytes(root);
    const double processors = cgroup_processors(root);
    ck_assert_int_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    ck_assert_msg(memory == cases[_i].memory, "%s: %llu bytes", cases[_i].what, (unsigned long long)memory);
    ck_assert_msg(processors == cases[_i].processors, "%s: %g processors", cases[_i].what, processors);
}
END_TEST

START_TEST(the_machine_is_a_limit_too)
{
    const uint64_t memory = cgroup_allowed_memory_bytes();
    const unsigned processors = cgroup_allowed_processors();
    ck_assert_uint_gt(memory, 1 << 20);
    ck_assert_uint_lt(memory, (uint64_t)1 << 50);
    ck_assert_uint_ge(processors, 1);
    ck_assert_uint_lt(processors, 100000);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server cgroup");
    TCase *limits = tcase_create("limits");
    tcase_add_loop_test(limits, the_smallest_limit_that_can_be_seen_counts, 0, CASES);
    tcase_add_test(limits, the_machine_is_a_limit_too);
    suite_add_tcase(suite, limits);
    return suite;
}
