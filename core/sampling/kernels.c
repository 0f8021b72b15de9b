/* The sampling kernels, compiled once for each instruction set and precision as kernels.c is. Everything here but the
 * table at the end is static. What is computed is written in sampling.h; sums are those of masses.h.
 *
 * A row is taken one of three ways, to the same bits. If nothing but its draws is asked for, they are made straight
 * from the logits, of short rows LANES rows at a time. Else the row is prepared in scratch memory as x = d, and
 * everything is read off there; where the filters or the mask leave few classes, only these are carried on.
 */
#include "sampling/filters.h"
#include "sampling/race.h"
#include "sampling/ranking.h"
#include "sampling/row.h"
#include "sampling/short_race.h"
#include "sampling/table.h"
#include "simd/target.h"
#include "softmax/row_parameters.h"

/* Of so few classes a list is made: each costs the random words of four, and its part of making the list. */
#define LIST_SHARE 32

/* Scratch memory, cut up. */
struct work {
    size_t columns;
    real *x, *mass;
    struct candidate *candidates; /* also the list of classes that are left: never in use at once */
    rank *ranked;
};

_Static_assert(sizeof(struct candidate) == CANDIDATE_REALS * sizeof(real), "core_sampling_scratch counts on it");
_Static_assert(sizeof(rank) == RANK_REALS * sizeof(real), "core_sampling_scratch counts on it");

static struct work work_of(const struct core_categorical_call *call, void *scratch)
{
    struct core_sampling_scratch sizes = core_sampling_scratch(call);
    char *at = (char *)scratch + (64 - (uintptr_t)scratch % 64) % 64;
    struct work work = {.columns = sizes.columns};
    work.x = (real *)at;
    work.mass = work.x + sizes.columns;
    work.candidates = (struct candidate *)(work.mass + sizes.columns);
    work.ranked = (rank *)(void *)(work.candidates + sizes.columns);
    return work;
}

static struct core_draws draws_of(const struct core_categorical_call *call)
{
    return call->part.count > 0 ? call->part : (struct core_draws){0, call->draws};
}

/* How the value of a column becomes its log-probability. */
struct log_scale {
    bool sharp; /* T = 0: all is on the column `first` */
    size_t first;
    real scale, offset; /* else max(value * scale, -REAL_MAX) + offset */
};

static real log_probability(const struct log_scale *log, real value, size_t column)
{
    if (log->sharp)
        return column == log->first ? 0 : -__builtin_inff();
    value *= log->scale;
    return (value > -REAL_MAX ? value : -REAL_MAX) + log->offset;
}

/* Of the row's x as it is now, which counts times `scale`. */
static struct log_scale log_scale_of(const struct work *work, bool sharp, real scale)
{
    struct log_scale log = {.sharp = sharp, .scale = scale};
    if (sharp)
        log.first = first_equal(work->x, row_max(work->x, work->columns));
    else
        log.offset = 0.0f - vec_log(vec_splat(row_total(work->x, work->columns, scale)))[0];
    return log;
}

static void tell_top(const struct core_categorical_call *call, size_t r, const struct work *work,
                     const struct log_scale *log)
{
    real *top_log_probabilities = call->top_log_probabilities;
    if (call->part.first > 0)
        return;
    size_t at = r * call->top, most = call->top < call->classes ? call->top : call->classes;
    struct ranking ranking = ranking_of(work->ranked, most);
    ranking_offer(&ranking, work->x, 0, work->columns);
    ranking_sort(&ranking);
    for (size_t i = 0; i < call->top; i++) {
        bool told = i < ranking.count;
        size_t column = told ? rank_column(ranking.entry[i]) : 0;
        if (call->top_indices != NULL)
            call->top_indices[at + i] = told ? (int32_t)column : -1;
        if (top_log_probabilities != NULL)
            top_log_probabilities[at + i] = told ? log_probability(log, work->x[column], column) : -__builtin_inff();
    }
}

INLINE real bounded(real x)
{
    x = x > -REAL_MAX ? x : -REAL_MAX;
    return x < REAL_MAX ? x : REAL_MAX;
}

/* By how much scores are greater than the z that decide: what was subtracted from the logits, over T. */
static real score_offset(real subtracted, real scale)
{
    return bounded(bounded(subtracted) * scale);
}

/* A row on its way: how many classes are left of it, and how it is told what is drawn. */
struct prepared {
    size_t possible;
    real max, offset; /* the logits in x are less by max, scores are greater than z by the offset */
    struct log_scale log;
};

/* One draw's results. */
static void tell_draw(const struct core_categorical_call *call, size_t at, const struct race *race, size_t column,
                      real z, const struct prepared *row)
{
    size_t class = race_class(race, column);
    real *scores = call->scores, *log_probabilities = call->log_probabilities;
    if (call->indices != NULL)
        call->indices[at] = (int32_t) class;
    if (scores != NULL)
        scores[at] = bounded(z + row->offset);
    if (log_probabilities != NULL)
        log_probabilities[at] = log_probability(&row->log, race->x[column], class);
}

static void draw_with_replacement(const struct core_categorical_call *call, size_t r, const struct race *race,
                                  const struct prepared *row)
{
    const struct core_draws draws = draws_of(call);
    for (size_t i = draws.first; i < draws.first + draws.count; i++) {
        struct noise_source source = source_of_row(&call->noise, r, i, 0);
        struct winner winner = race_winner(race, &source);
        tell_draw(call, r * call->draws + i, race, winner.column, winner.score, row);
    }
}

static void draw_without_replacement(const struct core_categorical_call *call, size_t r, const struct race *race,
                                     const struct work *work, const struct prepared *row)
{
    struct noise_source source = source_of_row(&call->noise, r, 0, 0);
    struct ranking ranking = ranking_of(work->ranked, call->draws);
    for (size_t at = 0; at < race->columns; at += RACE_CHUNK) {
        real z[RACE_CHUNK] __attribute__((aligned(64)));
        size_t count = race_chunk_size(race, at);
        if (race_chunk(race, &source, at, count, z) > ranking.least)
            ranking_offer(&ranking, z, at, count);
    }
    ranking_sort(&ranking);
    for (size_t i = 0; i < ranking.count; i++)
        tell_draw(call, r * call->draws + i, race, rank_column(ranking.entry[i]), rank_value(ranking.entry[i]), row);
}

/* T = 0: the greatest without noise. */
static void draw_greedily(const struct core_categorical_call *call, size_t r, const struct race *race,
                          const struct work *work, const struct prepared *row)
{
    struct ranking ranking = ranking_of(work->ranked, call->replacement ? 1 : call->draws);
    ranking_offer(&ranking, race->x, 0, race->columns);
    ranking_sort(&ranking);
    const struct core_draws draws = draws_of(call);
    for (size_t i = draws.first; i < draws.first + draws.count; i++) {
        rank entry = ranking.entry[call->replacement ? 0 : i];
        tell_draw(call, r * call->draws + i, race, rank_column(entry), rank_value(entry), row);
    }
}

/* The filters, and the temperature where it comes after them. */
static void filter_row(const struct core_categorical_call *call, size_t r, const struct work *work, real temperature,
                       struct prepared *row)
{
    bool last = call->filters.order == CORE_TEMPERATURE_LAST;
    struct filtered_row left = {work->x, work->columns, row->possible, work->mass, work->candidates};
    if (last || temperature > 0)
        filter(&call->filters, r, &left);
    row->possible = left.possible;
    if (last && temperature > 0) {
        real max = row_max(work->x, work->columns), scale = inverse(temperature);
        row_scale(work->x, work->x, work->columns, max, scale);
        row->log.scale = 1; /* x is scaled now, and less by what the first maximum lost to the filters */
        row->log.offset += max * scale;
        row->max += max;
    }
}

/* x = d, and the results that do not depend on draws. */
static int prepare_row(const struct core_categorical_call *call, size_t r, const struct work *work,
                       struct prepared *row)
{
    bool wants_log = call->log_probabilities != NULL || call->top > 0, raw = call->distribution == CORE_RAW;
    real temperature = parameter_or(&call->temperature, r, 1);
    bool sharp = temperature == 0, last = call->filters.order == CORE_TEMPERATURE_LAST;
    row->log = (struct log_scale){.sharp = sharp};
    struct logits_row logits;
    logits_row_open(&logits, call, r, work->x, work->columns);
    if (!logits_row_max(&logits, &row->max))
        return CORE_INVALID_ROW;
    real scale = sharp || last ? 1 : inverse(temperature);
    row->possible = row_scale(logits.x, work->x, logits.whole, row->max, scale);
    if (logits.whole < work->columns)
        row->possible += row_scale(logits.tail, work->x + logits.whole, LANES, row->max, scale);
    if (wants_log && raw) {
        row->log = log_scale_of(work, sharp, last && !sharp ? inverse(temperature) : 1);
        tell_top(call, r, work, &row->log);
    }
    filter_row(call, r, work, temperature, row);
    row->offset = sharp ? 0 : score_offset(row->max, inverse(temperature));
    if (wants_log && !raw) {
        row->log = log_scale_of(work, sharp, 1);
        tell_top(call, r, work, &row->log);
    }
    return !call->replacement && call->draws > row->possible ? CORE_TOO_FEW_CLASSES : CORE_OK;
}

static int prepared_row(const struct core_categorical_call *call, size_t r, const struct work *work)
{
    struct prepared row;
    struct race race = {.x = work->x, .scale = 1, .whole = work->columns, .columns = work->columns};
    int status = prepare_row(call, r, work, &row);
    if (status != CORE_OK)
        return status;
    if (!row.log.sharp && row.possible <= call->classes / LIST_SHARE) {
        uint32_t *list = (uint32_t *)(void *)work->candidates;
        race.whole = race.columns = row_compact(work->x, work->columns, list);
        race.list = list;
    }
    if (row.log.sharp)
        draw_greedily(call, r, &race, work, &row);
    else if (call->replacement || call->draws == 1)
        draw_with_replacement(call, r, &race, &row);
    else
        draw_without_replacement(call, r, &race, work, &row);
    return CORE_OK;
}

static int direct_row(const struct core_categorical_call *call, size_t r, const struct work *work)
{
    struct logits_row logits;
    logits_row_open(&logits, call, r, work->x, work->columns);
    struct race race = {.x = logits.x, .whole = logits.whole, .columns = work->columns, .tail = logits.tail};
    if (!logits_row_max(&logits, &race.max))
        return CORE_INVALID_ROW;
    race.scale = inverse(parameter_or(&call->temperature, r, 1));
    const struct prepared row = {.offset = score_offset(race.max, race.scale)};
    draw_with_replacement(call, r, &race, &row);
    return CORE_OK;
}

/* Loads plain rows r .. r + count - 1, at most LANES, of few classes. */
static int short_rows_plain(const struct core_categorical_call *call, size_t r, size_t count, struct short_race *race,
                            struct prepared rows[LANES], size_t *invalid_row)
{
    for (size_t lane = 0; lane < LANES; lane++)
        race->scale[lane] = inverse(parameter_or(&call->temperature, r + (lane < count ? lane : 0), 1));
    short_race_load(race, (const real *)call->logits + r * call->classes, count, call->classes);
    size_t bad = short_race_scale(race, call->classes);
    if (bad < LANES) {
        *invalid_row = r + bad; /* a lane without a row is as good as the first */
        return CORE_INVALID_ROW;
    }
    for (size_t lane = 0; lane < LANES && call->scores != NULL; lane++)
        rows[lane].offset = score_offset(race->max[lane], race->scale[lane]);
    return CORE_OK;
}

/* The same for rows that are prepared one by one. */
static int short_rows_prepared(const struct core_categorical_call *call, size_t r, size_t count,
                               const struct work *work, struct short_race *race, struct prepared rows[LANES],
                               size_t *invalid_row)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        int status = lane < count ? prepare_row(call, r + lane, work, &rows[lane]) : CORE_OK;
        if (status != CORE_OK) {
            *invalid_row = r + lane;
            return status;
        }
        for (size_t j = 0; j < call->classes; j++)
            race->x[j][lane] = work->x[j];
    }
    return CORE_OK;
}

/* Of one draw of each row. */
static void tell_short_draws(const struct core_categorical_call *call, size_t r, size_t count, size_t draw,
                             const struct short_race *race, const struct short_winners *winners,
                             const struct prepared rows[LANES])
{
    real *scores = call->scores, *log_probabilities = call->log_probabilities;
    for (size_t lane = 0; lane < count; lane++) {
        size_t at = (r + lane) * call->draws + draw, column = (size_t)winners->column[lane];
        if (call->indices != NULL)
            call->indices[at] = (int32_t)column;
        if (scores != NULL)
            scores[at] = bounded(winners->score[lane] + rows[lane].offset);
        if (log_probabilities != NULL)
            log_probabilities[at] = log_probability(&rows[lane].log, race->x[column][lane], column);
    }
}

/* Rows r .. r + count - 1, at most LANES, of few classes, none of them greedy. */
static int short_rows(const struct core_categorical_call *call, size_t r, size_t count, bool plain,
                      const struct work *work, size_t *invalid_row)
{
    struct short_race race;
    struct short_winners winners;
    struct prepared rows[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        struct noise_source source = source_of_row(&call->noise, r + (lane < count ? lane : 0), 0, 0);
        race.key[0][lane] = (uint32_t)source.seed;
        race.key[1][lane] = source.seed >> 32;
        race.row[lane] = source.row;
    }
    int status = plain ? short_rows_plain(call, r, count, &race, rows, invalid_row)
                       : short_rows_prepared(call, r, count, work, &race, rows, invalid_row);
    const struct core_draws draws = draws_of(call);
    for (size_t i = draws.first; i < draws.first + draws.count && status == CORE_OK; i++) {
        race.draw = call->noise.draw + (uint32_t)i;
        short_race_run(&race, call->classes, &winners);
        tell_short_draws(call, r, count, i, &race, &winners, rows);
    }
    return status;
}

/* Whether nothing but draws is asked for. */
static bool is_plain(const struct core_categorical_call *call)
{
    return !any_filter(&call->filters) && call->mask.allowed == NULL && call->bias.count == 0 &&
           call->log_probabilities == NULL && call->top == 0 && call->inner <= 1 &&
           (call->replacement || call->draws == 1);
}

static bool any_greedy(const struct core_categorical_call *call, size_t r, size_t count)
{
    bool greedy = false;
    for (size_t i = r; i < r + count; i++)
        greedy |= parameter_or(&call->temperature, i, 1) == 0;
    return greedy;
}

static int categorical(const struct core_categorical_call *call, size_t first, size_t count, void *scratch,
                       size_t *invalid_row)
{
    const struct work work = work_of(call, scratch);
    const bool plain = is_plain(call), single = call->replacement || call->draws == 1;
    const bool few = single && call->classes < SHORT_RACE_CLASSES;
    for (size_t r = first, end = first + count; r < end;) {
        size_t rows = end - r < LANES ? end - r : LANES, bad = r;
        int status;
        if (few && !any_greedy(call, r, rows)) {
            status = short_rows(call, r, rows, plain, &work, &bad);
        } else {
            rows = 1;
            status = plain && !any_greedy(call, r, 1) ? direct_row(call, r, &work) : prepared_row(call, r, &work);
        }
        if (status != CORE_OK) {
            *invalid_row = bad;
            return status;
        }
        r += rows;
    }
    return CORE_OK;
}

const struct core_sampling_kernels TARGET_NAME(core_sampling_kernels_) = {.categorical = categorical};
