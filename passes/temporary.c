/* How much workspace the steps of a group need for themselves. */
#include "passes/temporary.h"
#include "passes/winograd.h"

int64_t temporary_align(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static Temporary winograd_temporary(const Value *conv, const Target *target)
{
    Winograd g = winograd_of(conv, conv->schedule.tile, target);
    int64_t v = temporary_align(g.v_count * 4);
    int64_t own = temporary_align(g.m_count * 4) + temporary_align(g.t_count * 4);
    return g.by_panels ? (Temporary){.shared = v, .per_thread = own}
                       : (Temporary){.per_thread = v + own};
}

Temporary group_temporary(const Group *group, const Target *target)
{
    if (group->anchor->schedule.algorithm == ALGORITHM_winograd)
        return winograd_temporary(group->anchor, target);
    return (Temporary){0};
}
