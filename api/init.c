#include "api.h"
#include "json/memory.h"

#include <jansson.h>

void api_init(void)
{
    json_memory_init();
    json_object_seed(0);
}
