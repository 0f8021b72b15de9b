/* The sampling kernels, compiled once for each instruction set and precision as softmax/kernels.c is. Everything here
 * but the table at the end is static. sampling.h defines the results; sums are those of masses.h.
 *
 * There are three ways for a row, to the same bits. If only its draws are wanted, they are made from the logits as they
 * are, of short rows LANES rows at a time. Otherwise x = d is prepared in scratch memory, and the results are made from
 * that; where few classes are possible, the draws are made from a list of these.
 */
#include "sampling/distributions.h"
#include "sampling/filters.h"
#include "sampling/inversion.h"
#include "sampling/race.h"
#include "sampling/ranking.h"
#include "sampling/row.h"
#include "sampling/short_race.h"
#include "sampling/table.h"
#include "simd/target.h"

/* A list is made for v1's noise, of which single classes can be had, if at most one class of LIST_SHARE is possible: a
 * class in it costs the random words of four. */
#define LIST_SHARE 32

/* Scratch memory, cut up. */
struct work {
    size_t columns;
    real *x, *mass;
    struct candidate *candidates; /* in the filters; after them the list of classes, or the cumulative sums */
    real *saved;
    real *order; /* with ranks: x of the distribution that they are of */
    rank *ranked;
};

_Static_assert(sizeof(struct candidate) == CANDIDATE_REALS * sizeof(real), "core_sampling_scratch counts on it");
_Static_assert(CUMULATIVE_BYTES <= sizeof(struct candidate), "cumulative sums take the place of candidates");
_Static_assert(sizeof(rank) == RANK_REALS * sizeof(real), "core_sampling_scratch counts on it");

static struct work work_of(const struct core_categorical_call *call, void *scratch)
{
    struct core_sampling_scratch sizes = core_sampling_scratch(call);
    char *at = (char *)scratch + (64 - (uintptr_t)scratch % 64) % 64;
    struct work work = {.columns = sizes.columns};
    work.x = (real *)at;
    work.mass = work.x + sizes.columns;
    work.candidates = (struct candidate *)(work.mass + sizes.columns);
    work.saved = (real *)(void *)(work.candidates + sizes.columns);
    work.order = work.saved + sizes.saved;
    work.ranked = (rank *)(void *)(work.order + sizes.order);
    return work;
}

static struct core_draws draws_of(const struct core_categorical_call *call)
{
    return call->part.count > 0 ? call->part : (struct core_draws){0, call->draws};
}

/* Whether log-probabilities of the distribution, or something else that is of it, are wanted. */
static bool wants(const struct core_categorical_call *call, enum core_distribution distribution)
{
    const bool any = call->log_probabilities != NULL || call->named_log_probabilities != NULL || call->ranks != NULL ||
                     call->top > 0;
    return (any && call->distribution == distribution) ||
           (distribution == CORE_FILTERED && call->filtered_log_probabilities != NULL) ||
           (distribution == CORE_SCALED && (call->kept_mass != NULL || call->entropy != NULL));
}

static void put_top(const struct core_categorical_call *call, size_t r, const struct work *work,
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
        bool possible = i < ranking.count;
        size_t column = possible ? rank_column(ranking.entry[i]) : 0;
        if (call->top_indices != NULL)
            call->top_indices[at + i] = possible ? (int32_t)column : -1;
        if (top_log_probabilities != NULL)
            top_log_probabilities[at + i] = possible ? log_probability(log, work->x[column], column)
                                                     : -__builtin_inff();
    }
}

static void put_named(const struct core_categorical_call *call, size_t r, const struct work *work,
                      const struct log_scale *log)
{
    real *log_probabilities = (real *)call->named_log_probabilities + r * call->named.count;
    for (size_t i = 0; i < call->named.count && call->part.first == 0; i++) {
        const size_t class = call->named.classes[i];
        const bool possible = work->x[class] >= -REAL_MAX;
        log_probabilities[i] = possible ? log_probability(log, work->x[class], class) : -__builtin_inff();
    }
}

/* By how much scores are greater than the z that decide: what was subtracted from the logits, over T. */
static real score_offset(real subtracted, real scale)
{
    return bounded(bounded(subtracted) * scale);
}

/* A row that is ready for its draws: how many classes are possible, and what makes results of z. */
struct prepared {
    size_t possible;
    bool greedy;
    real max, offset; /* what was subtracted from the logits; score = z + offset */
    real lowered;     /* what was subtracted from the scaled logits after their log_scale had been made */
    struct log_scale log[CORE_DISTRIBUTION_COUNT]; /* of those that are wanted */
    const real *logits;                            /* of the raw distribution: every `step` numbers, less raw_max */
    size_t step;
    real raw_max;
    const real *order; /* of `columns`, or NULL */
    size_t columns;
};

/* Adds to how often the class has been drawn of row r. */
static void count_draws(const struct core_categorical_call *call, size_t r, size_t class, int32_t draws)
{
    if (call->counts == NULL)
        return;
    const struct layout layout = layout_of(call->classes, call->inner);
    __atomic_fetch_add(&call->counts[layout_row(layout, r) + class * layout.step], draws, __ATOMIC_RELAXED);
}

/* The log-probability of a class that can be drawn, and its x now. */
static real log_probability_of(const struct prepared *row, enum core_distribution distribution, size_t class, real x)
{
    return log_probability(&row->log[distribution],
                           distribution == CORE_RAW ? row->logits[class * row->step] - row->raw_max : x, class);
}

/* The results of draw i of row r: a class, its x and its z. */
static void put_draw(const struct core_categorical_call *call, size_t r, size_t i, size_t class, real x, real z,
                     const struct prepared *row)
{
    real *scores = call->scores, *log_probabilities = call->log_probabilities;
    real *filtered = call->filtered_log_probabilities;
    const size_t at = r * call->draws + i;
    if (call->indices != NULL)
        call->indices[at] = (int32_t) class;
    if (scores != NULL)
        scores[at] = bounded(z + row->offset);
    if (log_probabilities != NULL)
        log_probabilities[at] = log_probability_of(row, call->distribution, class, x);
    if (filtered != NULL)
        filtered[at] = log_probability_of(row, CORE_FILTERED, class, x);
    if (call->ranks != NULL)
        call->ranks[at] = (int32_t)rank_in(row->order, row->columns, class);
}

/* The same of the column of a race. */
static void put_winner(const struct core_categorical_call *call, size_t r, size_t i, const struct race *race,
                       size_t column, real z, const struct prepared *row)
{
    count_draws(call, r, race_class(race, column), 1);
    put_draw(call, r, i, race_class(race, column), race->x[column], z, row);
}

static void draw_with_replacement(const struct core_categorical_call *call, size_t r, const struct race *race,
                                  const struct prepared *row)
{
    const struct core_draws draws = draws_of(call);
    for (size_t i = draws.first; i < draws.first + draws.count; i++) {
        struct noise_source source = source_of_row(&call->noise, r, i, 0);
        struct winner winner = race_winner(race, &source);
        put_winner(call, r, i, race, winner.column, winner.score, row);
    }
}

/* Draws first .. first + count - 1 of the row, a chunk; counted in `tally`, [classes], unless that is NULL. */
static void invert_chunk(const struct core_categorical_call *call, size_t r, const struct cumulative *sums,
                         struct core_draws chunk, const real *x, int32_t *tally, const struct prepared *row)
{
    double u[INVERSION_CHUNK];
    struct noise_source source = source_of_row(&call->noise, r, 0, INVERSION_TAG);
    source.draw = 0;
    uniform_numbers(u, (uint64_t)call->noise.draw + chunk.first, chunk.count, &source);
    for (size_t i = 0; i < chunk.count; i++) {
        size_t class = cumulative_find(sums, u[i] * sums->total);
        put_draw(call, r, chunk.first + i, class, x[class], 0, row);
        if (tally != NULL)
            tally[class]++;
    }
}

static void draw_by_inversion(const struct core_categorical_call *call, size_t r, const struct work *work,
                              const struct prepared *row)
{
    const struct core_draws draws = draws_of(call);
    row_masses(work->x, work->columns, work->mass);
    const struct cumulative sums = cumulative_open(work->candidates, work->mass, work->columns, draws.count);
    int32_t *tally = call->counts != NULL ? (int32_t *)(void *)work->mass : NULL; /* the masses have been used */
    if (tally != NULL)
        memset(tally, 0, call->classes * sizeof(tally[0]));
    for (size_t done = 0; done < draws.count; done += INVERSION_CHUNK) {
        size_t left = draws.count - done, count = left < INVERSION_CHUNK ? left : INVERSION_CHUNK;
        invert_chunk(call, r, &sums, (struct core_draws){draws.first + done, count}, work->x, tally, row);
    }
    for (size_t class = 0; tally != NULL && class < call->classes; class ++)
        if (tally[class] > 0)
            count_draws(call, r, class, tally[class]);
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
        put_winner(call, r, i, race, rank_column(ranking.entry[i]), rank_value(ranking.entry[i]), row);
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
        put_winner(call, r, i, race, rank_column(entry), rank_value(entry), row);
    }
}

/* Divides what the filters before the temperature have left. */
static void temper(struct filtered_row *filtered, real temperature, struct prepared *row)
{
    real max = row_max(filtered->x, filtered->columns), scale = inverse(temperature);
    row_scale(filtered->x, filtered->x, filtered->columns, max, scale);
    row->log[CORE_SCALED].scale = 1; /* x is scaled now, and was reduced by its maximum */
    row->log[CORE_SCALED].offset += max * scale;
    row->lowered += max * scale;
    row->max += max;
}

/* Passes the row through the steps of the order; a temperature that comes first has been applied. At temperature 0 no
 * filter follows it. */
static void filter_row(const struct core_categorical_call *call, size_t r, const struct work *work, real temperature,
                       struct prepared *row)
{
    const struct core_order *order = order_of(&call->filters);
    struct filtered_row filtered = {.x = work->x,
                                    .columns = work->columns,
                                    .possible = row->possible,
                                    .mass = work->mass,
                                    .candidates = work->candidates,
                                    .saved = work->saved};
    for (size_t i = 0; i < order->count; i++) {
        const bool tempers = order->steps[i] == CORE_TEMPERATURE;
        if (tempers && temperature == 0)
            break;
        if (tempers && i > 0)
            temper(&filtered, temperature, row);
        else if (!tempers)
            filter(&call->filters, order->steps[i], r, &filtered);
    }
    row->possible = filtered.possible;
}

/* x = (the row's logits - their maximum) * scale, with bias and penalties, or raw; false if the row is invalid. */
static bool load_row(const struct core_categorical_call *call, size_t r, bool raw, real scale, const struct work *work,
                     struct prepared *row)
{
    struct long_row logits;
    if (!row_open(&logits, call, r, raw, work->x, work->columns, &row->max))
        return false;
    row->possible = row_scale(logits.in, work->x, logits.whole, row->max, scale);
    if (logits.whole < work->columns)
        row->possible += row_scale(logits.tail, work->x + logits.whole, LANES, row->max, scale);
    return true;
}

/* Makes the log_scale of a distribution that is wanted, softmax(x * scale) with x as it is now, and those results of it
 * that do not depend on draws. */
static void describe(const struct core_categorical_call *call, size_t r, const struct work *work,
                     enum core_distribution distribution, real scale, struct prepared *row)
{
    if (!wants(call, distribution))
        return;
    const bool greedy = row->greedy && distribution != CORE_RAW;
    row->log[distribution] = log_scale_of(work->x, work->columns, greedy, scale);
    if (call->distribution != distribution)
        return;
    if (call->top > 0)
        put_top(call, r, work, &row->log[distribution]);
    if (call->named_log_probabilities != NULL)
        put_named(call, r, work, &row->log[distribution]);
    if (call->ranks != NULL) {
        memcpy(work->order, work->x, work->columns * sizeof(work->x[0]));
        row->order = work->order;
        row->columns = work->columns;
    }
}

/* Likewise of the raw distribution, with the raw logits in x. */
static void describe_raw(const struct core_categorical_call *call, size_t r, const struct work *work,
                         struct prepared *row)
{
    const struct row_place place = row_place(call, r);
    row->logits = (const real *)call->logits + place.start;
    row->step = place.step;
    row->raw_max = row->max;
    describe(call, r, work, CORE_RAW, 1, row);
}

/* x = (v - m) * scale, after the raw distribution has been described: unchanged and with a scale of 1 they are the
 * same. False if the row is invalid. */
static bool load_and_describe(const struct core_categorical_call *call, size_t r, const struct work *work, real scale,
                              struct prepared *row)
{
    const bool raw = wants(call, CORE_RAW), same = !is_changed(call) && scale == 1;
    if (raw && !same) {
        if (!load_row(call, r, true, 1, work, row))
            return false;
        describe_raw(call, r, work, row);
    }
    if (!load_row(call, r, false, scale, work, row))
        return false;
    if (raw && same)
        describe_raw(call, r, work, row);
    return true;
}

static void put_entropy(const struct core_categorical_call *call, size_t r, const struct work *work,
                        const struct prepared *row)
{
    real *entropy = call->entropy;
    if (entropy != NULL && call->part.first == 0)
        entropy[r] = entropy_of(&row->log[CORE_SCALED], work->x, work->columns, work->mass);
}

/* What the filters have kept of the classes that were possible before. */
static void put_kept(const struct core_categorical_call *call, size_t r, const struct work *work, size_t possible,
                     const struct prepared *row)
{
    real *kept_mass = call->kept_mass;
    if (call->part.first > 0)
        return;
    if (call->kept != NULL)
        call->kept[r] = (int32_t)row->possible;
    if (kept_mass != NULL)
        kept_mass[r] = row->possible == possible
                           ? 1
                           : kept_mass_of(&row->log[CORE_SCALED], work->x, work->columns, row->lowered);
}

/* x = d, and the results that do not depend on draws. */
static int prepare_row(const struct core_categorical_call *call, size_t r, const struct work *work,
                       struct prepared *row)
{
    real temperature = parameter_or(&call->temperature, r, 1);
    bool greedy = temperature == 0, late = temperature_is_late(&call->filters);
    *row = (struct prepared){.greedy = greedy};
    if (!load_and_describe(call, r, work, greedy || late ? 1 : inverse(temperature), row))
        return CORE_INVALID_ROW;
    describe(call, r, work, CORE_SCALED, late && !greedy ? inverse(temperature) : 1, row);
    put_entropy(call, r, work, row);
    const size_t possible = row->possible;
    filter_row(call, r, work, temperature, row);
    row->offset = greedy ? 0 : score_offset(row->max, inverse(temperature));
    describe(call, r, work, CORE_FILTERED, 1, row);
    put_kept(call, r, work, possible, row);
    return !call->replacement && call->draws > row->possible ? CORE_TOO_FEW_CLASSES : CORE_OK;
}

static int prepared_row(const struct core_categorical_call *call, size_t r, const struct work *work)
{
    struct prepared row;
    struct race race = {.x = work->x, .scale = 1, .whole = work->columns, .columns = work->columns};
    int status = prepare_row(call, r, work, &row);
    if (status != CORE_OK)
        return status;
    const bool inverts = call->method == CORE_INVERSE_CDF;
    if (!row.greedy && !inverts && call->noise.rng == CORE_RNG_V1 && row.possible <= call->classes / LIST_SHARE) {
        uint32_t *list = (uint32_t *)(void *)work->candidates;
        race.whole = race.columns = row_compact(work->x, work->columns, list);
        race.list = list;
    }
    if (row.greedy)
        draw_greedily(call, r, &race, work, &row);
    else if (inverts)
        draw_by_inversion(call, r, work, &row);
    else if (call->replacement || call->draws == 1)
        draw_with_replacement(call, r, &race, &row);
    else
        draw_without_replacement(call, r, &race, work, &row);
    return CORE_OK;
}

static int direct_row(const struct core_categorical_call *call, size_t r, const struct work *work)
{
    struct long_row logits;
    struct race race = {.columns = work->columns, .tail = logits.tail};
    if (!row_open(&logits, call, r, false, work->x, work->columns, &race.max))
        return CORE_INVALID_ROW;
    race.x = logits.in;
    race.whole = logits.whole;
    race.scale = inverse(parameter_or(&call->temperature, r, 1));
    const struct prepared row = {.offset = score_offset(race.max, race.scale)};
    draw_with_replacement(call, r, &race, &row);
    return CORE_OK;
}

/* x = d of plain rows r .. r + count - 1, at most LANES, of few classes. */
static int short_rows_plain(const struct core_categorical_call *call, size_t r, size_t count, group_columns x,
                            struct prepared rows[LANES], size_t *invalid_row)
{
    real scales[LANES] __attribute__((aligned(64)));
    vreal max[VECS];
    size_t bad = group_open(x, max, call->logits, NULL, 0, layout_of(call->classes, 1), r, count);
    if (bad < LANES)
        return invalid(r + bad, invalid_row);
    for (size_t lane = 0; lane < LANES; lane++)
        scales[lane] = inverse(parameter_or(&call->temperature, r + (lane < count ? lane : 0), 1));
    for (size_t j = 0; j < call->classes; j++)
        FOR_VECS (q) {
            real *at = x[j] + q * VEC_LANES;
            vec_store(at, (vec_load(at) - max[q]) * vec_load(scales + q * VEC_LANES));
        }
    for (size_t lane = 0; lane < LANES && call->scores != NULL; lane++)
        rows[lane].offset = score_offset(max[lane / VEC_LANES][lane % VEC_LANES], scales[lane]);
    return CORE_OK;
}

/* The same for rows that are prepared one by one. */
static int short_rows_prepared(const struct core_categorical_call *call, size_t r, size_t count,
                               const struct work *work, group_columns x, struct prepared rows[LANES],
                               size_t *invalid_row)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        int status = lane < count ? prepare_row(call, r + lane, work, &rows[lane]) : CORE_OK;
        if (status != CORE_OK) {
            *invalid_row = r + lane;
            return status;
        }
        for (size_t j = 0; j < call->classes; j++)
            x[j][lane] = work->x[j];
    }
    return CORE_OK;
}

static bool wants_more_than_indices(const struct core_categorical_call *call)
{
    return call->indices == NULL || call->scores != NULL || call->log_probabilities != NULL ||
           call->filtered_log_probabilities != NULL || call->ranks != NULL || call->counts != NULL;
}

/* The results of one draw of each row. */
static void put_short_draws(const struct core_categorical_call *call, size_t r, size_t count, size_t draw,
                            group_columns x, const struct short_winners *winners, const struct prepared rows[LANES])
{
    if (!wants_more_than_indices(call)) {
        for (size_t lane = 0; lane < count; lane++)
            call->indices[(r + lane) * call->draws + draw] = (int32_t)winners->column[lane];
        return;
    }
    for (size_t lane = 0; lane < count; lane++) {
        size_t column = (size_t)winners->column[lane];
        count_draws(call, r + lane, column, 1);
        put_draw(call, r + lane, draw, column, x[column][lane], winners->score[lane], &rows[lane]);
    }
}

/* Rows r .. r + count - 1, at most LANES, of few classes, none of them greedy. */
static int short_rows(const struct core_categorical_call *call, size_t r, size_t count, bool plain,
                      const struct work *work, size_t *invalid_row)
{
    group_columns x __attribute__((aligned(64)));
    struct group_source source;
    struct short_winners winners;
    struct prepared rows[LANES];
    group_source(&source, &call->noise, r, count);
    int status = plain ? short_rows_plain(call, r, count, x, rows, invalid_row)
                       : short_rows_prepared(call, r, count, work, x, rows, invalid_row);
    const struct core_draws draws = draws_of(call);
    for (size_t i = draws.first; i < draws.first + draws.count && status == CORE_OK; i++) {
        source.draw = call->noise.draw + (uint32_t)i;
        short_race(x, call->classes, &source, &winners);
        put_short_draws(call, r, count, i, x, &winners, rows);
    }
    return status;
}

/* Whether more than the classes drawn and their scores is wanted. */
static bool wants_more(const struct core_categorical_call *call)
{
    return wants(call, CORE_RAW) || wants(call, CORE_SCALED) || wants(call, CORE_FILTERED) || call->kept != NULL;
}

/* Whether only draws are wanted, of the logits as they are. Where the temperature is late, differences of logits that
 * overflow are clamped before the temperature divides them, which only prepared rows do. */
static bool is_plain(const struct core_categorical_call *call)
{
    return call->method == CORE_GUMBEL_MAX && !temperature_is_late(&call->filters) && !any_filter(&call->filters) &&
           call->mask.allowed == NULL && !is_changed(call) && !wants_more(call) && call->inner <= 1 &&
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
    const bool few = single && call->classes < SHORT_CLASSES && call->method == CORE_GUMBEL_MAX &&
                     call->ranks == NULL; /* the order is of one row */
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
