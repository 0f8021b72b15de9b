/* That noises know nothing of each other. */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>

/* Two noises that must know nothing of each other: the second is that of the first's class, row, draw, seed and tag
 * each moved on by so much. */
static const struct neighbours {
    const char *name;
    uint64_t class, seed;
    uint32_t row, draw, tag;
} neighbours[] = {
    {.name = "classes j, j+1", .class = 1},
    {.name = "classes j, j+2", .class = 2},
    {.name = "classes j, j+3", .class = 3},
    {.name = "classes j, j+4 (the next block)", .class = 4},
    {.name = "classes j, j+64 (sixteen blocks on)", .class = 64},
    {.name = "rows r, r+1", .row = 1},
    {.name = "rows r, r+2^31", .row = 0x80000000},
    {.name = "draws d, d+1", .draw = 1},
    {.name = "draws d, d+2^31", .draw = 0x80000000},
    {.name = "seeds s, s+1", .seed = 1},
    {.name = "seeds s, s+2^32", .seed = UINT64_C(1) << 32},
    {.name = "tags t, t+1", .tag = 1},
    {.name = "tags t, t+2 (a double's lower words)", .tag = 2},
    {.name = "row and draw exchanged by 1", .row = 1, .draw = 0xffffffff},
};

/* Of the same words: by their upper bits, of which E is a monotone function, and by their lowest. */
static void pairs_unit(struct counts *counts, uint32_t index, const void *argument)
{
    enum { MARGIN = 64 };
    static _Thread_local uint32_t first[BLOCK + MARGIN], second[BLOCK];
    const uint64_t seed = 1000 + index % 1000;
    const uint32_t row = index * 5, draw = index % 7, tag = 0;
    (void)argument;
    core_noise_words(first, 0, BLOCK + MARGIN, seed, row, draw, tag);
    for (size_t p = 0; p < COUNT(neighbours); p++) {
        const struct neighbours *n = &neighbours[p];
        const uint32_t *other = first + n->class;
        if (n->class == 0) {
            core_noise_words(second, 0, BLOCK, seed + n->seed, row + n->row, draw + n->draw, tag + n->tag);
            other = second;
        }
        for (size_t i = 0; i < BLOCK; i++) {
            counts->pairs[2 * p][(first[i] >> 28) * SIDE + (other[i] >> 28)]++;
            counts->pairs[2 * p + 1][first[i] % SIDE * SIDE + other[i] % SIDE]++;
        }
    }
}

void test_independence(double draws)
{
    char what[80];
    double expected[SIDE * SIDE];
    struct counts *counts = work_run(pairs_unit, NULL, draws / BLOCK);
    for (size_t p = 0; p < 2 * COUNT(neighbours); p++) {
        double n = 0;
        for (size_t i = 0; i < SIDE * SIDE; i++)
            n += (double)counts->pairs[p][i];
        for (size_t i = 0; i < SIDE * SIDE; i++)
            expected[i] = n / (SIDE * SIDE);
        snprintf(what, sizeof(what), "pairs, %s, %s bits", neighbours[p / 2].name, p % 2 == 0 ? "upper" : "lowest");
        check_outcomes(what, counts->pairs[p], expected, SIDE * SIDE, 0);
    }
    free(counts);
}
