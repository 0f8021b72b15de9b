/* Every key is declared once, in the table below or as one of api_limits: argp's options, the names in the
 * environment, the help, the ranges and the defaults all come from there. */
#include "config.h"
#include "cgroup.h"
#include "core.h"
#include "host.h"
#include "origin.h"
#include "start.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_USAGE = 2 };

/* ---- Values that are not plain numbers ---- */

static bool parse_listen(const char *text, void *value)
{
    return addresses_parse(text, value);
}

static bool parse_admin_listen(const char *text, void *value)
{
    return strcmp(text, "none") == 0 || addresses_parse(text, value);
}

static bool parse_mode(const char *text, void *value)
{
    char *end;
    *(uint64_t *)value = strtoull(text, &end, 8);
    return isdigit((unsigned char)*text) && *end == '\0' && *(uint64_t *)value <= 0777;
}

static bool parse_log_level(const char *text, void *value)
{
    for (uint64_t level = 0; level < LOG_LEVEL_COUNT; level++)
        if (strcmp(text, log_level_name((enum log_level)level)) == 0) {
            *(uint64_t *)value = level;
            return true;
        }
    return false;
}

static bool parse_gzip(const char *text, void *value)
{
    *(uint64_t *)value = strcmp(text, "json") == 0 ? GZIP_SETTING_JSON : GZIP_SETTING_OFF;
    return strcmp(text, "json") == 0 || strcmp(text, "off") == 0;
}

static bool parse_hosts(const char *text, void *value)
{
    *(const char **)value = text;
    return host_list_is_valid(text);
}

static bool parse_origins(const char *text, void *value)
{
    *(const char **)value = text;
    return origin_list_is_valid(text);
}

static bool parse_isa(const char *text, void *value)
{
    if (strcmp(text, "auto") == 0) {
        *(uint64_t *)value = core_isa_best();
        return true;
    }
    for (int isa = 0; isa < CORE_ISA_COUNT; isa++)
        if (strcmp(text, core_isa_name((enum core_isa)isa)) == 0 && core_isa_supported((enum core_isa)isa)) {
            *(uint64_t *)value = (uint64_t)isa;
            return true;
        }
    return false;
}

/* ---- The table ---- */

struct key {
    const char *name;
    const char *argument; /* what the help calls the value */
    const char *help;
    const char *fallback;
    size_t offset;                                /* of the value in struct config */
    uint64_t minimum, maximum;                    /* of a number */
    bool (*parse)(const char *text, void *value); /* of anything else */
    const char *expected;                         /* what parse takes */
    bool is_list;                                 /* struct addresses, to which parse adds; the flag may be repeated */
};

#define AT(field) offsetof(struct config, field)
#define GIB ((uint64_t)1 << 30)

static const struct key own_keys[] = {
    {"listen", "ADDRESS",
     "ADDR:PORT or unix:PATH to listen on; may be repeated or separated by commas; port 0 picks a free one",
     "127.0.0.1:8080", AT(listen), .parse = parse_listen,
     .expected = "an address such as 127.0.0.1:8080, [::1]:0 or unix:/run/gumbeld.sock, or several separated by commas",
     .is_list = true},
    {"admin-listen", "ADDRESS", "Where only probes and metrics are served, independently of the other listeners",
     "none", AT(admin_listen), .parse = parse_admin_listen,
     .expected = "an address such as 127.0.0.1:8081, [::1]:0 or unix:/run/gumbeld-admin.sock, or none",
     .is_list = true},
    {"unix-mode", "MODE", "Permissions of UNIX sockets, in octal", "0660", AT(unix_mode), .parse = parse_mode,
     .expected = "an octal number up to 0777"},
    {"workers", "N", "Threads that compute; 0: one for each processor, or the CPU quota, rounded up", "0", AT(workers),
     .minimum = 0, .maximum = 1024},
    {"loops", "N", "Threads that serve connections, sharing the port", "1", AT(loops), .minimum = 1, .maximum = 256},
    {"max-memory-bytes", "N",
     "Maximum memory of all requests together; 0: three quarters of what the control group or the machine allows", "0",
     AT(max_memory_bytes), .minimum = 0, .maximum = 1024 * GIB},
    {"max-body-bytes", "N", "Maximum bytes of a request body; larger ones get 413", "16777216", AT(max_body_bytes),
     .minimum = 1, .maximum = 64 * GIB},
    {"inline-max-bytes", "N", "Calls of up to N bytes and N numbers are answered without the workers", "4096",
     AT(inline_max_bytes), .minimum = 0, .maximum = 64 * GIB},
    {"max-queued", "N", "Maximum requests that are queued or being computed; further ones get 503", "1024",
     AT(max_queued), .minimum = 1, .maximum = 1000000},
    {"max-streams", "N", "Maximum answers that are streamed at once; further ones get 503", "64", AT(max_streams),
     .minimum = 1, .maximum = 1000000},
    {"max-wait-ms", "N", "Milliseconds that a request may wait for a worker before it gets 503; 0: no limit", "1000",
     AT(max_wait_ms), .minimum = 0, .maximum = 3600000},
    {"request-timeout-ms", "N",
     "Milliseconds from the end of the body to the answer before a request gets 504; 0: no limit", "60000",
     AT(request_timeout_ms), .minimum = 0, .maximum = 86400000},
    {"gzip", "WHAT",
     "Whether answers of JSON are compressed for clients that accept gzip, json or off; arrays in binary never are",
     "off", AT(gzip), .parse = parse_gzip, .expected = "json or off"},
    {"gzip-min-bytes", "N", "Minimum bytes of an answer that is compressed", "2048", AT(gzip_min_bytes), .minimum = 0,
     .maximum = 64 * GIB},
    {"max-connections", "N",
     "Maximum connections of each loop; fewer if they would take more than a quarter of the memory", "4096",
     AT(max_connections), .minimum = 1, .maximum = 1000000},
    {"max-client-connections", "N",
     "Maximum connections of one client (an IPv4 address, an IPv6 /64, a UNIX user); 0: three quarters of all", "0",
     AT(max_client_connections), .minimum = 0, .maximum = 1000000},
    {"max-client-streams", "N", "Maximum answers that are streamed to one client at once; 0: three quarters of all",
     "0", AT(max_client_streams), .minimum = 0, .maximum = 1000000},
    {"max-client-queued", "N",
     "Maximum requests of one client that are queued or being computed; 0: three quarters of all", "0",
     AT(max_client_queued), .minimum = 0, .maximum = 1000000},
    {"idle-timeout-s", "N", "Seconds after which an idle connection is closed", "60", AT(idle_timeout_s), .minimum = 1,
     .maximum = 86400},
    {"head-timeout-s", "N", "Seconds in which the head of a request must arrive, once it has begun", "10",
     AT(head_timeout_s), .minimum = 1, .maximum = 86400},
    {"min-rate-bytes-per-s", "N",
     "Clients that send a body or read an answer more slowly are disconnected; 0: no limit", "1024",
     AT(min_rate_bytes_per_s), .minimum = 0, .maximum = GIB},
    {"min-rate-grace-s", "N", "Seconds that a client may stay below the minimum rate", "10", AT(min_rate_grace_s),
     .minimum = 1, .maximum = 86400},
    {"lame-duck-ms", "N", "Milliseconds of further service after SIGTERM, while /readyz already fails", "500",
     AT(lame_duck_ms), .minimum = 0, .maximum = 3600000},
    {"drain-timeout-ms", "N", "Milliseconds to wait after the lame-duck time for requests in progress", "10000",
     AT(drain_timeout_ms), .minimum = 0, .maximum = 3600000},
    {"allowed-hosts", "NAMES",
     "Hosts that requests may name besides localhost and IP addresses; if empty, none on the loopback, and all "
     "elsewhere",
     "", AT(allowed_hosts), .parse = parse_hosts,
     .expected = "a list such as gumbeld.example,*.internal, or * for all"},
    {"cors-allow-origins", "ORIGINS", "Origins whose web pages may use the server", "", AT(cors_allow_origins),
     .parse = parse_origins, .expected = "a list such as https://app.example,http://localhost:3000, or * for all"},
    {"log-level", "LEVEL", "error, warning, info (a line for each request) or debug", "info", AT(log_level),
     .parse = parse_log_level, .expected = "error, warning, info or debug"},
    {"isa", "NAME", "Instruction set: auto, sse2, avx2, avx512 or neon. The results do not depend on it", "auto",
     AT(isa), .parse = parse_isa, .expected = "auto, or one of sse2, avx2, avx512 and neon that this machine has"},
};
#define OWN_KEYS (sizeof own_keys / sizeof *own_keys)
#define KEY_COUNT (OWN_KEYS + API_LIMIT_COUNT)

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "a limit is set as the other numbers are");

struct keys {
    struct key all[KEY_COUNT];
    struct {
        char name[32], help[96], fallback[24];
    } limits[API_LIMIT_COUNT];
};

static void list_keys(struct keys *keys)
{
    memcpy(keys->all, own_keys, sizeof own_keys);
    for (size_t i = 0; i < API_LIMIT_COUNT; i++) {
        const struct api_limit *limit = &api_limits[i];
        api_limit_flag(limit, keys->limits[i].name, sizeof keys->limits[i].name);
        snprintf(keys->limits[i].help, sizeof keys->limits[i].help, "Maximum %s; larger requests get 413", limit->doc);
        snprintf(keys->limits[i].fallback, sizeof keys->limits[i].fallback, "%zu", limit->fallback);
        keys->all[OWN_KEYS + i] = (struct key){keys->limits[i].name,
                                               "N",
                                               keys->limits[i].help,
                                               keys->limits[i].fallback,
                                               AT(limits) + i * sizeof(size_t),
                                               .minimum = 1,
                                               .maximum = limit->maximum};
    }
}

/* ---- Setting a key ---- */

static bool parse_number(const char *text, const struct key *key, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return isdigit((unsigned char)*text) && *end == '\0' && errno == 0 && *value >= key->minimum &&
           *value <= key->maximum;
}

static void exit_out_of_memory(void)
{
    start_failed("the configuration", ENOMEM);
    exit(1);
}

/* `source` is the flag's or the variable's name, for the message. */
static void set_value(struct config *config, const struct key *key, const char *text, const char *source)
{
    void *value = (char *)config + key->offset;
    errno = 0;
    if (key->parse != NULL ? key->parse(text, value) : parse_number(text, key, value))
        return;
    if (errno == ENOMEM)
        exit_out_of_memory();
    if (key->parse != NULL)
        fprintf(stderr, "gumbeld: %s: '%s' is not %s\n", source, text, key->expected);
    else
        fprintf(stderr, "gumbeld: %s: '%s' is not a whole number from %llu to %llu\n", source, text,
                (unsigned long long)key->minimum, (unsigned long long)key->maximum);
    exit(BAD_USAGE);
}

/* A flag or a variable replaces the previous values of a list. */
static void clear_list(struct config *config, const struct key *key)
{
    if (key->is_list)
        ((struct addresses *)((char *)config + key->offset))->count = 0;
}

/* "max-body-bytes" is GUMBELD_MAX_BODY_BYTES in the environment. Variables that are not a key's are ignored: Kubernetes
 * sets some for a service of this name. */
static void read_environment(struct config *config, const struct keys *keys)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char name[64] = "GUMBELD_";
        char *end = name + strlen(name);
        for (const char *c = keys->all[i].name; *c != '\0'; c++)
            *end++ = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        *end = '\0';
        const char *text = getenv(name);
        if (text == NULL || *text == '\0') /* compose and shells set an empty variable for a setting that is missing */
            continue;
        clear_list(config, &keys->all[i]);
        set_value(config, &keys->all[i], text, name);
    }
}

/* ---- The command line ---- */

enum { FIRST_KEY = 0x100, HEALTHCHECK = 0x1000 };

struct reading {
    struct config *config;
    const struct keys *keys;
    bool given[KEY_COUNT]; /* by a flag */
};

static error_t parse_option(int option, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    if (option == HEALTHCHECK) {
        reading->config->healthcheck = true;
        return 0;
    }
    if (option == ARGP_KEY_ARG) {
        fprintf(stderr, "gumbeld: '%s': unexpected argument\n", text);
        exit(BAD_USAGE);
    }
    if (option < FIRST_KEY || option >= FIRST_KEY + (int)KEY_COUNT)
        return ARGP_ERR_UNKNOWN;
    const struct key *key = &reading->keys->all[option - FIRST_KEY];
    bool *given = &reading->given[option - FIRST_KEY];
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", key->name);
    if (!*given)
        clear_list(reading->config, key);
    *given = true;
    set_value(reading->config, key, text, flag);
    return 0;
}

static void set_machine_defaults(struct config *config)
{
    if (config->workers == 0)
        config->workers = cgroup_allowed_processors();
    if (config->max_memory_bytes == 0)
        config->max_memory_bytes = cgroup_allowed_memory_bytes() / 4 * 3;
}

const char *argp_program_version = "gumbeld " GUMBELD_VERSION;

struct config config_read(int argc, char **argv)
{
    struct config config = {0};
    struct keys keys;
    struct argp_option options[KEY_COUNT + 2] = {0};
    char help[KEY_COUNT][160];
    list_keys(&keys);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &keys.all[i];
        set_value(&config, key, key->fallback, key->name);
        snprintf(help[i], sizeof help[i], "%s (default %s)", key->help,
                 *key->fallback != '\0' ? key->fallback : "empty");
        options[i] = (struct argp_option){key->name, FIRST_KEY + (int)i, key->argument, 0, help[i], 0};
    }
    options[KEY_COUNT] = (struct argp_option){
        "healthcheck",
        HEALTHCHECK,
        NULL,
        0,
        "Ask the server at --admin-listen, or else --listen, whether it is live; exit with 0 if so",
        0};
    const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Softmax and Gumbel-softmax over HTTP: one seed, one answer.\v"
               "Every flag except --healthcheck can be set in the environment, --max-body-bytes as "
               "GUMBELD_MAX_BODY_BYTES; the flag takes precedence.",
    };
    struct reading reading = {.config = &config, .keys = &keys};
    read_environment(&config, &keys);
    argp_err_exit_status = BAD_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &reading) != 0)
        exit_out_of_memory();
    set_machine_defaults(&config);
    return config;
}
