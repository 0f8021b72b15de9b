/* The command line and the environment: what is read, what is refused, and how the program ends. */
#include "cgroup.h"
#include "config.h"
#include "core.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Values ---- */

/* A key whose value is a number, with what its variable and its flag are given. */
struct key {
    const char *flag, *variable;
    size_t offset;
    uint64_t fallback;
    const char *in_variable;
    uint64_t from_variable;
    const char *in_flag;
    uint64_t from_flag;
};

#define AT(field) offsetof(struct config, field)

static const struct key keys[] = {
    {"--workers", "GUMBELD_WORKERS", AT(workers), 0, "3", 3, "1024", 1024},
    {"--loops", "GUMBELD_LOOPS", AT(loops), 1, "2", 2, "256", 256},
    {"--max-memory-bytes", "GUMBELD_MAX_MEMORY_BYTES", AT(max_memory_bytes), 0, "1", 1, "1099511627776", 1099511627776},
    {"--max-wait-ms", "GUMBELD_MAX_WAIT_MS", AT(max_wait_ms), 1000, "0", 0, "3600000", 3600000},
    {"--request-timeout-ms", "GUMBELD_REQUEST_TIMEOUT_MS", AT(request_timeout_ms), 60000, "0", 0, "86400000", 86400000},
    {"--max-body-bytes", "GUMBELD_MAX_BODY_BYTES", AT(max_body_bytes), 16777216, "1", 1, "68719476736", 68719476736},
    {"--inline-max-bytes", "GUMBELD_INLINE_MAX_BYTES", AT(inline_max_bytes), 4096, "0", 0, "68719476736", 68719476736},
    {"--max-queued", "GUMBELD_MAX_QUEUED", AT(max_queued), 1024, "1", 1, "1000000", 1000000},
    {"--max-streams", "GUMBELD_MAX_STREAMS", AT(max_streams), 64, "1", 1, "1000000", 1000000},
    {"--gzip", "GUMBELD_GZIP", AT(gzip), GZIP_SETTING_OFF, "json", GZIP_SETTING_JSON, "off", GZIP_SETTING_OFF},
    {"--gzip-min-bytes", "GUMBELD_GZIP_MIN_BYTES", AT(gzip_min_bytes), 2048, "0", 0, "68719476736", 68719476736},
    {"--max-connections", "GUMBELD_MAX_CONNECTIONS", AT(max_connections), 4096, "1", 1, "1000000", 1000000},
    {"--max-client-connections", "GUMBELD_MAX_CLIENT_CONNECTIONS", AT(max_client_connections), 0, "3", 3, "1000000",
     1000000},
    {"--max-client-streams", "GUMBELD_MAX_CLIENT_STREAMS", AT(max_client_streams), 0, "3", 3, "1000000", 1000000},
    {"--max-client-queued", "GUMBELD_MAX_CLIENT_QUEUED", AT(max_client_queued), 0, "3", 3, "1000000", 1000000},
    {"--head-timeout-s", "GUMBELD_HEAD_TIMEOUT_S", AT(head_timeout_s), 10, "1", 1, "86400", 86400},
    {"--min-rate-bytes-per-s", "GUMBELD_MIN_RATE_BYTES_PER_S", AT(min_rate_bytes_per_s), 1024, "0", 0, "1073741824",
     1073741824},
    {"--min-rate-grace-s", "GUMBELD_MIN_RATE_GRACE_S", AT(min_rate_grace_s), 10, "1", 1, "86400", 86400},
    {"--idle-timeout-s", "GUMBELD_IDLE_TIMEOUT_S", AT(idle_timeout_s), 60, "1", 1, "86400", 86400},
    {"--lame-duck-ms", "GUMBELD_LAME_DUCK_MS", AT(lame_duck_ms), 500, "0", 0, "3600000", 3600000},
    {"--drain-timeout-ms", "GUMBELD_DRAIN_TIMEOUT_MS", AT(drain_timeout_ms), 10000, "0", 0, "3600000", 3600000},
    {"--max-rows", "GUMBELD_MAX_ROWS", AT(limits[API_LIMIT_ROWS]), 4194304, "1", 1, "4294967295", 4294967295},
    {"--max-classes", "GUMBELD_MAX_CLASSES", AT(limits[API_LIMIT_CLASSES]), 16777216, "1", 1, "2147483647", 2147483647},
    {"--max-draws", "GUMBELD_MAX_DRAWS", AT(limits[API_LIMIT_DRAWS]), 1048576, "1", 1, "2147483647", 2147483647},
    {"--max-work", "GUMBELD_MAX_WORK", AT(limits[API_LIMIT_WORK]), 1073741824, "1", 1, "17592186044416",
     17592186044416},
    {"--max-result-bytes", "GUMBELD_MAX_RESULT_BYTES", AT(limits[API_LIMIT_RESULT_BYTES]), 134217728, "1", 1,
     "1099511627776", 1099511627776},
    {"--max-batch-requests", "GUMBELD_MAX_BATCH_REQUESTS", AT(limits[API_LIMIT_BATCH_REQUESTS]), 1024, "1", 1,
     "1000000", 1000000},
    {"--log-level", "GUMBELD_LOG_LEVEL", AT(log_level), LOG_INFO, "error", LOG_ERROR, "debug", LOG_DEBUG},
};
enum { KEYS = sizeof keys / sizeof *keys };

static struct config read_config(const char *flag, const char *value)
{
    char *arguments[] = {"gumbeld", (char *)flag, (char *)value, NULL};
    return config_read(flag != NULL ? 3 : 1, arguments);
}

static uint64_t value_of(const struct config *config, const struct key *key)
{
    uint64_t value;
    memcpy(&value, (const char *)config + key->offset, sizeof value);
    return value;
}

static const char *listen_of(const struct config *config)
{
    static char text[64];
    address_format(&config->listen.all[0], text, sizeof text);
    return text;
}

static uint64_t default_of(const struct key *key)
{
    if (strcmp(key->flag, "--workers") == 0)
        return cgroup_allowed_processors();
    if (strcmp(key->flag, "--max-memory-bytes") == 0)
        return cgroup_allowed_memory_bytes() / 4 * 3;
    return key->fallback;
}

START_TEST(a_key_has_its_default)
{
    const struct config config = read_config(NULL, NULL);
    ck_assert_uint_eq(value_of(&config, &keys[_i]), default_of(&keys[_i]));
}
END_TEST

START_TEST(a_flag_wins_over_its_variable_over_the_default)
{
    const struct key *key = &keys[_i];
    struct config config = read_config(key->flag, key->in_flag);
    ck_assert_uint_eq(value_of(&config, key), key->from_flag);
    setenv(key->variable, key->in_variable, 1);
    config = read_config(NULL, NULL);
    ck_assert_uint_eq(value_of(&config, key), key->from_variable);
    config = read_config(key->flag, key->in_flag);
    ck_assert_uint_eq(value_of(&config, key), key->from_flag);
    unsetenv(key->variable);
}
END_TEST

/* compose's "${WORKERS:-}", and a shell's export of what is not there. */
START_TEST(an_empty_variable_is_one_that_is_not_set)
{
    setenv(keys[_i].variable, "", 1);
    const struct config config = read_config(NULL, NULL);
    ck_assert_uint_eq(value_of(&config, &keys[_i]), default_of(&keys[_i]));
    unsetenv(keys[_i].variable);
}
END_TEST

START_TEST(listen_and_isa_as_well)
{
    struct config config = read_config(NULL, NULL);
    ck_assert_str_eq(listen_of(&config), "http://127.0.0.1:8080");
    ck_assert_uint_eq(config.isa, core_isa_best());
    const char *isa = "auto";
    for (int i = 0; i < CORE_ISA_COUNT; i++)
        if (core_isa_supported((enum core_isa)i))
            isa = core_isa_name((enum core_isa)i);
    setenv("GUMBELD_LISTEN", "[::1]:81", 1);
    setenv("GUMBELD_ISA", isa, 1);
    config = read_config(NULL, NULL);
    ck_assert_str_eq(listen_of(&config), "http://[::1]:81");
    ck_assert_str_eq(core_isa_name((enum core_isa)config.isa), isa);
    config = read_config("--listen", "0.0.0.0:82");
    ck_assert_str_eq(listen_of(&config), "http://0.0.0.0:82");
    unsetenv("GUMBELD_LISTEN");
    unsetenv("GUMBELD_ISA");
}
END_TEST

/* Kubernetes sets GUMBELD_PORT=tcp://10.0.0.1:80 for a service of this name. */
START_TEST(variables_of_others_are_left_alone)
{
    setenv("GUMBELD_PORT", "tcp://10.0.0.1:80", 1);
    setenv("GUMBELD_HEALTHCHECK", "1", 1);
    const struct config config = read_config(NULL, NULL);
    ck_assert_str_eq(listen_of(&config), "http://127.0.0.1:8080");
    ck_assert(!config.healthcheck);
}
END_TEST

/* ---- What is refused ---- */

/* Fails at once where the server starts instead of ending. */
static void check_not_listening(const struct process *process)
{
    for (bool runs = true; runs; process_sleep_ms(1)) {
        runs = process_runs(process);
        char *err = process_errors(process);
        ck_assert_msg(strstr(err, "listening") == NULL, "%s", err);
        free(err);
    }
}

/* The program ends with status 2, nothing on standard output, and names what it could not take. */
static void check_refused(struct process process, const char *name)
{
    check_not_listening(&process);
    const int status = process_wait(&process);
    char *out = process_output(&process), *err = process_errors(&process);
    ck_assert_msg(status == 2, "exit status %d for %s: %s", status, name, err);
    ck_assert_msg(strstr(err, name) != NULL, "does not name %s: %s", name, err);
    ck_assert_str_eq(out, "");
    free(out);
    free(err);
    process_close(&process);
}

static void check_refused_in_both(const char *flag, const char *variable, const char *value)
{
    check_refused(process_spawn("--listen 127.0.0.1:0 %s=%s", flag, value), flag);
    if (*value != '\0') /* which counts as unset */
        check_refused(process_spawn("%s=%s --listen 127.0.0.1:0", variable, value), variable);
}

START_TEST(numbers_that_are_none_are_refused)
{
    static const char *const values[] = {"", "x", "-1", "1x", "0x10", "1e3", "\t1", "+1", "18446744073709551616"};
    const struct key *key = &keys[_i];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        check_refused_in_both(key->flag, key->variable, values[i]);
}
END_TEST

START_TEST(numbers_beyond_the_range_are_refused)
{
    static const char *const at_least_one[] = {"--loops",           "--max-body-bytes", "--max-queued",
                                               "--max-connections", "--idle-timeout-s", "--max-rows",
                                               "--max-result-bytes"};
    const struct key *key = &keys[_i];
    char above[32] = "loud";
    if (strcmp(key->flag, "--log-level") != 0)
        snprintf(above, sizeof above, "%" PRIu64, key->from_flag + 1);
    check_refused_in_both(key->flag, key->variable, above);
    for (size_t i = 0; i < sizeof at_least_one / sizeof *at_least_one; i++)
        if (strcmp(at_least_one[i], key->flag) == 0)
            check_refused_in_both(key->flag, key->variable, "0");
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
    static const char *const values[] = {
        "",        "127.0.0.1",      "127.0.0.1:", ":8080", "127.0.0.1:x",       "::1:80", "127.0.0.256:80",
        "[::1]",   "127.0.0.1:-1",   "[:80",       "8080",  "127.0.0.1:1000000", "[]:80",  "127.0.0.1:80x",
        "[::1:80", "127.0.0.1:65536"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        check_refused(process_spawn("--listen=%s", values[i]), "--listen");
        if (*values[i] != '\0')
            check_refused(process_spawn("GUMBELD_LISTEN=%s", values[i]), "GUMBELD_LISTEN");
    }
}
END_TEST

START_TEST(modes_that_are_none_are_refused)
{
    static const char *const values[] = {"", "x", "8", "-1", "660x", "1000", "0x1b0"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        check_refused_in_both("--unix-mode", "GUMBELD_UNIX_MODE", values[i]);
}
END_TEST

START_TEST(instruction_sets_that_the_machine_lacks_are_refused)
{
    check_refused_in_both("--isa", "GUMBELD_ISA", "");
    check_refused_in_both("--isa", "GUMBELD_ISA", "mmx");
    check_refused_in_both("--isa", "GUMBELD_ISA", "AVX2");
    int lacking = 0;
    for (int isa = 0; isa < CORE_ISA_COUNT; isa++)
        if (!core_isa_supported((enum core_isa)isa)) {
            check_refused_in_both("--isa", "GUMBELD_ISA", core_isa_name((enum core_isa)isa));
            lacking++;
        }
    ck_assert_int_gt(lacking, 0); /* no machine has both sse2 and neon */
}
END_TEST

START_TEST(what_is_no_flag_is_refused)
{
    check_refused(process_spawn("--listen 127.0.0.1:0 --wrokers 3"), "--wrokers");
    check_refused(process_spawn("--listen 127.0.0.1:0 -z"), "z");
    check_refused(process_spawn("--listen 127.0.0.1:0 serve"), "serve");
    check_refused(process_spawn("--listen 127.0.0.1:0 -- serve"), "serve");
    check_refused(process_spawn("--listen 127.0.0.1:0 --workers"), "--workers");
    check_refused(process_spawn("--healthcheck=yes"), "--healthcheck");
}
END_TEST

/* A flag that is right does not make up for a variable that is wrong. */
START_TEST(a_bad_variable_is_refused_whatever_the_flag_says)
{
    check_refused(process_spawn("GUMBELD_WORKERS=many --listen 127.0.0.1:0 --workers 2"), "GUMBELD_WORKERS");
}
END_TEST

/* ---- Help ---- */

static char *output_of(struct process process)
{
    ck_assert_int_eq(process_wait(&process), 0);
    char *out = process_output(&process), *err = process_errors(&process);
    ck_assert_str_eq(err, "");
    free(err);
    process_close(&process);
    return out;
}

START_TEST(help_names_every_flag)
{
    char *out = output_of(process_spawn("--help"));
    for (size_t i = 0; i < KEYS; i++)
        ck_assert_msg(strstr(out, keys[i].flag) != NULL, "no %s in %s", keys[i].flag, out);
    ck_assert_ptr_nonnull(strstr(out, "--listen"));
    ck_assert_ptr_nonnull(strstr(out, "--isa"));
    ck_assert_ptr_nonnull(strstr(out, "--healthcheck"));
    free(out);
}
END_TEST

START_TEST(version_is_one_line)
{
    char *out = output_of(process_spawn("--version"));
    unsigned parts[3];
    int end = 0;
    ck_assert_msg(sscanf(out, "gumbeld %u.%u.%u\n%n", &parts[0], &parts[1], &parts[2], &end) == 3, "%s", out);
    ck_assert_int_eq(out[end], '\0');
    free(out);
}
END_TEST

/* ---- Ports ---- */

static unsigned listening_sockets(unsigned port)
{
    enum { LISTEN = 10 };
    char line[512];
    unsigned count = 0, found, state;
    FILE *table = fopen("/proc/net/tcp", "r");
    ck_assert_ptr_nonnull(table);
    while (fgets(line, sizeof line, table) != NULL)
        count += sscanf(line, " %*u: %*x:%x %*x:%*x %x", &found, &state) == 2 && found == port && state == LISTEN;
    fclose(table);
    return count;
}

static void check_live(unsigned port)
{
    struct http_response response = http_ask(port, "GET", "/livez", NULL);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

START_TEST(port_0_picks_one)
{
    struct process process = process_start("--loops 1");
    ck_assert_uint_gt(process.port, 0);
    check_live(process.port);
    process_end(&process);
}
END_TEST

START_TEST(the_variable_can_say_where_to_listen)
{
    struct process process = process_spawn("GUMBELD_LISTEN=localhost:0 GUMBELD_LAME_DUCK_MS=0");
    process_await_listening(&process);
    ck_assert_uint_gt(process.port, 0);
    process_end(&process);
}
END_TEST

/* With one loop and with several, whichever of the two processes has them. */
START_TEST(a_port_in_use_is_refused)
{
    const unsigned loops[] = {1, 2};
    struct process first = process_start("--loops %u", loops[_i / 2]);
    struct process second = process_spawn("--listen 127.0.0.1:%u --loops %u", first.port, loops[_i % 2]);
    ck_assert_int_eq(process_wait(&second), 1);
    char *err = process_errors(&second);
    ck_assert_msg(strstr(err, "--listen: ") != NULL && strchr(err, '\n') == err + strlen(err) - 1, "%s", err);
    free(err);
    check_live(first.port);
    process_end(&first);
    process_close(&second);
}
END_TEST

START_TEST(loops_share_a_port)
{
    struct process process = process_start("--loops 3");
    ck_assert_uint_eq(listening_sockets(process.port), 3);
    for (int i = 0; i < 30; i++)
        check_live(process.port);
    ck_assert_int_eq(process_stop(&process), 0);
    ck_assert_uint_eq(listening_sockets(process.port), 0);
    process_close(&process);
}
END_TEST

/* ---- --healthcheck ---- */

static int healthcheck_status(const char *host, unsigned port)
{
    struct process process = process_spawn("--healthcheck --listen %s:%u", host, port);
    const int status = process_wait(&process);
    process_close(&process);
    return status;
}

START_TEST(healthcheck_says_whether_the_server_is_live)
{
    struct process server = process_start("--loops 1");
    ck_assert_int_eq(healthcheck_status("127.0.0.1", server.port), 0);
    ck_assert_int_eq(healthcheck_status("0.0.0.0", server.port), 0);
    ck_assert_int_eq(process_stop(&server), 0);
    ck_assert_int_eq(healthcheck_status("127.0.0.1", server.port), 1);
    process_close(&server);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server command line");

    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, a_key_has_its_default, 0, KEYS);
    tcase_add_loop_test(values, a_flag_wins_over_its_variable_over_the_default, 0, KEYS);
    tcase_add_loop_test(values, an_empty_variable_is_one_that_is_not_set, 0, KEYS);
    tcase_add_test(values, listen_and_isa_as_well);
    tcase_add_test(values, variables_of_others_are_left_alone);
    suite_add_tcase(suite, values);

    TCase *refused = tcase_create("refused");
    tcase_set_timeout(refused, 60);
    tcase_add_loop_test(refused, numbers_that_are_none_are_refused, 0, KEYS);
    tcase_add_loop_test(refused, numbers_beyond_the_range_are_refused, 0, KEYS);
    tcase_add_test(refused, addresses_that_are_none_are_refused);
    tcase_add_test(refused, modes_that_are_none_are_refused);
    tcase_add_test(refused, instruction_sets_that_the_machine_lacks_are_refused);
    tcase_add_test(refused, what_is_no_flag_is_refused);
    tcase_add_test(refused, a_bad_variable_is_refused_whatever_the_flag_says);
    suite_add_tcase(suite, refused);

    TCase *help = tcase_create("help");
    tcase_set_timeout(help, 60);
    tcase_add_test(help, help_names_every_flag);
    tcase_add_test(help, version_is_one_line);
    suite_add_tcase(suite, help);

    TCase *ports = tcase_create("ports");
    tcase_set_timeout(ports, 60);
    tcase_add_test(ports, port_0_picks_one);
    tcase_add_test(ports, the_variable_can_say_where_to_listen);
    tcase_add_loop_test(ports, a_port_in_use_is_refused, 0, 4);
    tcase_add_test(ports, loops_share_a_port);
    tcase_add_test(ports, healthcheck_says_whether_the_server_is_live);
    suite_add_tcase(suite, ports);
    return suite;
}
