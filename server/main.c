#include "config.h"
#include "core.h"
#include "healthcheck.h"
#include "server.h"

int main(int argc, char **argv)
{
    const struct config config = config_read(argc, argv);
    if (config.healthcheck)
        return healthcheck(&config.listen) ? 0 : 1;
    core_select((enum core_isa)config.isa); /* config_read took only one that is supported */
    return server_run(&config);
}
