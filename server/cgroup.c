#define _GNU_SOURCE
#include "cgroup.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 3 * PATH_BYTES };

/* ---- The process's group ---- */

static bool lists(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Of the process: the group's path in its hierarchy, which group of that (`top`) is mounted, and where (`point`). */
struct place {
    char path[PATH_BYTES], top[PATH_BYTES], point[PATH_BYTES];
};

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/a/b" of version 1, "0::/a/b" of version 2, whose `controller` is "". */
static bool read_path(const char *line, const char *controller, struct place *place)
{
    char controllers[256] = "";
    if (sscanf(line, "%*u::%4095[^\n]", place->path) == 1)
        return *controller == '\0';
    return sscanf(line, "%*u:%255[^:]:%4095[^\n]", controllers, place->path) == 2 && *controller != '\0' &&
           lists(controllers, controller);
}

/* A line of /proc/self/mountinfo. */
static bool read_mount(const char *line, const char *controller, struct place *place)
{
    char type[32], options[1024] = "";
    const char *rest = strstr(line, " - ");
    if (rest == NULL || sscanf(line, "%*s %*s %*s %4095s %4095s", place->top, place->point) != 2 ||
        sscanf(rest, " - %31s %*s %1023s", type, options) != 2)
        return false;
    return *controller == '\0' ? strcmp(type, "cgroup2") == 0
                               : strcmp(type, "cgroup") == 0 && lists(options, controller);
}

/* Reads the file up to the line of the controller. */
static bool find(const char *root, const char *name, const char *controller,
                 bool (*read)(const char *line, const char *controller, struct place *place), struct place *place)
{
    char line[LINE_BYTES], path[PATH_BYTES];
    bool found = false;
    snprintf(path, sizeof path, "%s%s", root, name);
    FILE *file = fopen(path, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = read(line, controller, place);
    if (file != NULL)
        fclose(file);
    return found;
}

struct group {
    char folder[3 * PATH_BYTES]; /* the process's own group */
    size_t top;                  /* the length of the mount point's path, at which the folders above end */
};

/* In a container without a namespace of its own for groups the path is the host's, and the mount begins at that group;
 * a path that does not lie below the mount says nothing more than the mount itself. */
static bool find_group(const char *root, const char *controller, struct group *group)
{
    struct place place;
    if (!find(root, "/proc/self/cgroup", controller, read_path, &place) ||
        !find(root, "/proc/self/mountinfo", controller, read_mount, &place))
        return false;
    const char *path = place.path;
    const size_t skipped = strcmp(place.top, "/") == 0 ? 0 : strlen(place.top);
    const bool below = strncmp(path, place.top, skipped) == 0 && strstr(path, "/..") == NULL;
    snprintf(group->folder, sizeof group->folder, "%s%s", root, place.point);
    group->top = strlen(group->folder);
    if (below && strcmp(path + skipped, "/") != 0)
        snprintf(group->folder + group->top, sizeof group->folder - group->top, "%s", path + skipped);
    return true;
}

/* ---- Its limits: INFINITY where there is none ---- */

static bool read_line(const char *folder, const char *name, char *line, int size)
{
    char path[LINE_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    const bool read = file != NULL && fgets(line, size, file) != NULL;
    if (file != NULL)
        fclose(file);
    return read;
}

static double read_number(const char *folder, const char *name)
{
    char line[64];
    double number;
    const bool is_number = read_line(folder, name, line, sizeof line) && sscanf(line, "%lf", &number) == 1;
    return is_number && number >= 0 ? number : INFINITY; /* "max", or -1 */
}

/* Memory above memory.high is reclaimed at once: a higher limit is of no use. */
static double memory_2(const char *folder)
{
    return fmin(read_number(folder, "memory.max"), read_number(folder, "memory.high"));
}

static double memory_1(const char *folder)
{
    return read_number(folder, "memory.limit_in_bytes");
}

static double processors_2(const char *folder)
{
    char line[64];
    double quota, period;
    const bool limited = read_line(folder, "cpu.max", line, sizeof line) &&
                         sscanf(line, "%lf %lf", &quota, &period) == 2;
    return limited && period > 0 ? quota / period : INFINITY;
}

static double processors_1(const char *folder)
{
    const double quota = read_number(folder, "cpu.cfs_quota_us"), period = read_number(folder, "cpu.cfs_period_us");
    return isfinite(period) && period > 0 ? quota / period : INFINITY;
}

static double smallest(const char *root, const char *controller, double (*limit)(const char *folder))
{
    struct group group;
    double found = INFINITY;
    if (!find_group(root, controller, &group))
        return found;
    for (;;) {
        found = fmin(found, limit(group.folder));
        char *last = strrchr(group.folder, '/');
        if (last == NULL || (size_t)(last - group.folder) < group.top)
            return found;
        *last = '\0';
    }
}

uint64_t cgroup_memory_bytes(const char *root)
{
    const double bytes = fmin(smallest(root, "", memory_2), smallest(root, "memory", memory_1));
    return bytes < (double)INT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

double cgroup_processors(const char *root)
{
    return fmin(smallest(root, "", processors_2), smallest(root, "cpu", processors_1));
}

/* ---- The machine's ---- */

/* Not from /proc/meminfo, which may be hidden from a service. */
static uint64_t machine_bytes(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : UINT64_MAX;
}

static uint64_t address_space_bytes(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

uint64_t cgroup_allowed_memory_bytes(void)
{
    const uint64_t limits[] = {cgroup_memory_bytes(""), machine_bytes(), address_space_bytes()};
    uint64_t allowed = limits[0];
    for (size_t i = 1; i < sizeof limits / sizeof *limits; i++)
        allowed = limits[i] < allowed ? limits[i] : allowed;
    return allowed;
}

static unsigned machine_processors(void)
{
    cpu_set_t set;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    return online > 0 ? (unsigned)online : 1; /* more than the set has room for */
}

unsigned cgroup_allowed_processors(void)
{
    const double quota = ceil(cgroup_processors(""));
    const unsigned processors = machine_processors();
    return quota < processors ? (quota < 1 ? 1 : (unsigned)quota) : processors;
}
