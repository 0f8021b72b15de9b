/* Schedules: an object that says how tau falls, and the step that it has come to. */
#include "call/build.h"
#include "contract/suggest.h"
#include "json/envelope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double *field(struct core_schedule *schedule, const char *name)
{
    const struct {
        const char *name;
        double *field;
    } fields[API_SCHEDULE_MEMBER_COUNT] = {
        {"start", &schedule->start}, {"min", &schedule->min},   {"rate", &schedule->rate},
        {"steps", &schedule->steps}, {"step", &schedule->step},
    };
    size_t i = 0;
    while (strcmp(fields[i].name, name) != 0)
        i++;
    return fields[i].field;
}

static int read_kind(const struct builder *builder, const char *name, const json_t *object,
                     const struct api_choice **kind)
{
    const json_t *json = json_object_get(object, "schedule");
    if (json == NULL)
        return builder_fail(builder, API_MISSING_MEMBER, name, "/schedule", "schedule is required");
    if (!json_is_string(json))
        return builder_fail(builder, API_WRONG_TYPE, name, "/schedule", "must be a string");
    *kind = call_find_choice(api_schedule_kinds, json_string_value(json));
    if ((*kind)->name != NULL)
        return 0;
    return builder_fail(builder, API_OUT_OF_RANGE, name, "/schedule", "must be exponential, linear or cosine");
}

static int read_member(const struct builder *builder, const char *name, const json_t *object,
                       const struct api_schedule_member *member, double *value)
{
    const json_t *json = json_object_get(object, member->name);
    char below[32];
    snprintf(below, sizeof below, "/%s", member->name);
    if (json == NULL)
        return builder_fail(builder, API_MISSING_MEMBER, name, below, "%s is required", member->name);
    *value = json_number_value(json);
    if (!json_is_number(json) || (member->integer && !builder_is_whole(builder, name, below, *value)))
        return builder_fail(builder, API_WRONG_TYPE, name, below, "must be %s",
                            member->integer ? "an integer" : "a number");
    if (*value >= member->minimum && *value <= member->maximum)
        return 0;
    return builder_fail(builder, API_OUT_OF_RANGE, name, below, "must be from %.16g to %.16g", member->minimum,
                        member->maximum);
}

/* The names of the kind's members, up to NULL. */
static void list_members(const struct api_choice *kind, const char *names[API_SCHEDULE_MEMBER_COUNT + 2])
{
    *names++ = "schedule";
    for (size_t i = 0; i < API_SCHEDULE_MEMBER_COUNT; i++)
        if (api_schedule_members[i].kinds >> kind->value & 1)
            *names++ = api_schedule_members[i].name;
    *names = NULL;
}

static int fail_unknown(const struct builder *builder, const char *name, const char *member,
                        const struct api_choice *kind, const char *const *names)
{
    char below[64], list[128] = "";
    const char *meant = suggest_name(names, member);
    for (size_t i = 0, used = 0; names[i] != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", names[i]);
    json_pointer_write(below, sizeof below, member);
    if (meant != NULL)
        return builder_fail(builder, API_UNKNOWN_MEMBER, name, below,
                            "the schedule %s takes %s, not %s; its members are %s", kind->name, meant, member, list);
    return builder_fail(builder, API_UNKNOWN_MEMBER, name, below,
                        "the schedule %s has no such member; its members are %s", kind->name, list);
}

static int refuse_unknown(const struct builder *builder, const char *name, const json_t *object,
                          const struct api_choice *kind)
{
    const char *names[API_SCHEDULE_MEMBER_COUNT + 2];
    list_members(kind, names);
    for (void *at = json_object_iter((json_t *)object); at != NULL; at = json_object_iter_next((json_t *)object, at))
        if (names[call_find_name(names, json_object_iter_key(at))] == NULL)
            return fail_unknown(builder, name, json_object_iter_key(at), kind, names);
    return 0;
}

int builder_read_schedule(const struct builder *builder, const struct api_parameter *parameter, const json_t *object,
                          double *value)
{
    struct core_schedule schedule = {0};
    const struct api_choice *kind = api_schedule_kinds;
    if (read_kind(builder, parameter->name, object, &kind) != 0 ||
        refuse_unknown(builder, parameter->name, object, kind) != 0)
        return -1;
    for (size_t i = 0; i < API_SCHEDULE_MEMBER_COUNT; i++) {
        const struct api_schedule_member *member = &api_schedule_members[i];
        if (member->kinds >> kind->value & 1 &&
            read_member(builder, parameter->name, object, member, field(&schedule, member->name)) != 0)
            return -1;
    }
    schedule.kind = (enum core_schedule_kind)kind->value;
    *value = core_schedule(&schedule);
    return 0;
}
