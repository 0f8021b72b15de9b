/* The configuration: one value, read once from the environment and the command line. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "address.h"
#include "api.h"
#include "log.h"

#include <stdint.h>

/* What is compressed for clients that accept gzip. */
enum gzip_setting { GZIP_SETTING_OFF, GZIP_SETTING_JSON };

struct config {
    struct addresses listen;
    struct addresses admin_listen; /* may be none */
    uint64_t unix_mode;
    uint64_t workers;
    uint64_t loops;
    uint64_t max_memory_bytes; /* never 0 */
    uint64_t max_body_bytes;
    uint64_t inline_max_bytes;
    uint64_t max_queued;
    uint64_t max_streams;
    uint64_t max_wait_ms;        /* 0: none */
    uint64_t request_timeout_ms; /* 0: none */
    uint64_t gzip;               /* enum gzip_setting */
    uint64_t gzip_min_bytes;
    uint64_t max_connections;
    uint64_t max_client_connections; /* as the two below: 0: three quarters of all */
    uint64_t max_client_streams;
    uint64_t max_client_queued;
    uint64_t idle_timeout_s;
    uint64_t head_timeout_s;
    uint64_t min_rate_bytes_per_s; /* 0: none */
    uint64_t min_rate_grace_s;
    uint64_t lame_duck_ms;
    uint64_t drain_timeout_ms;
    size_t limits[API_LIMIT_COUNT];
    const char *allowed_hosts;      /* host_is_listed's list */
    const char *cors_allow_origins; /* origin_may_ask's list */
    uint64_t log_level;             /* enum log_level */
    uint64_t isa;                   /* enum core_isa */
    bool healthcheck;               /* ask the server at the first address whether it is live instead of serving */
};

/* Reads the defaults, then GUMBELD_... of the environment, then the flags. An invalid value ends the program with a
 * line that names it and exit status 2; --help and --version end it with 0. */
struct config config_read(int argc, char **argv);

#endif
