#include "config.h"
#include "core.h"
#include "healthcheck.h"
#include "server.h"
#include "start.h"

int main(int argc, char **argv)
{
    start_open_standard_files();
    const struct config config = config_read(argc, argv);
    if (config.healthcheck)
        return healthcheck(config.admin_listen.count > 0 ? &config.admin_listen.all[0] : &config.listen.all[0]) ? 0 : 1;
    core_select((enum core_isa)config.isa); /* config_read took only one that is supported */
    return server_run(&config);
}
