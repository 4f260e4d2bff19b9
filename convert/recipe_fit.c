/* recipe_fit.c: types under a budget of bytes. The cost of a type for a tensor is
 *   sensitivity * sum h e^2 / sum h w^2        (KLD, quantization.md section 4 step 3)
 * measured on rows spread over the tensor. The least sum of costs within the budget: for a price mu
 * of a byte every tensor takes the type of least cost + mu bytes; mu is bisected; what is left over
 * then goes where it saves most a byte. */
#include "parallel.h"
#include "platform.h"
#include "recipe_private.h"
#include "sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_SAMPLED = 48, BISECTIONS = 200 };

static const enum dtype candidates[] = {DTYPE_IQ4_XS, DTYPE_Q4_0, DTYPE_Q4_K, DTYPE_IQ4_NL,
                                        DTYPE_Q4_1,   DTYPE_Q5_0, DTYPE_Q5_K, DTYPE_Q5_1,
                                        DTYPE_Q6_K,   DTYPE_Q8_0, DTYPE_F16};

enum { CANDIDATE_COUNT = sizeof candidates / sizeof candidates[0] };

struct option { /* a type for a tensor */
    bool possible;
    uint64_t size;
    double cost;
};

struct item { /* a tensor whose type is chosen */
    uint32_t tensor;
    double sensitivity;
    uint32_t choice;
    struct option options[CANDIDATE_COUNT];
};

struct fit {
    struct recipe *recipe;
    const struct calibration *calibration;
    struct item *items; /* [item_count] */
    uint32_t item_count;
    uint64_t fixed;       /* bytes of all other tensors */
    struct fault *faults; /* [threads] */
};

/* ---- sensitivities ---- */

/* "blk.12.ffn_down.weight" -> "ffn_down.weight" */
static const char *class_of(const char *name)
{
    const char *rest = name;
    if (strncmp(name, "blk.", 4) == 0)
        for (rest = name + 4; *rest >= '0' && *rest <= '9';)
            rest++;
    return *rest == '.' ? rest + 1 : name;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of the measured tensors of its class; < 0: none was measured. */
static double class_median(const struct fit *fit, const char *name, double *values)
{
    const struct source *source = fit->recipe->source;
    size_t count = 0;
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        const char *other = source_tensor_at(source, i)->name;
        double value = calibration_sensitivity(fit->calibration, other);
        if (value >= 0 && strcmp(class_of(other), class_of(name)) == 0)
            values[count++] = value;
    }
    qsort(values, count, sizeof *values, compare_doubles);
    return count ? values[count / 2] : -1;
}

/* Tensors that overrides have not settled and whose sensitivity is known. */
static bool items_find(struct fit *fit, struct fault *fault)
{
    const struct source *source = fit->recipe->source;
    uint32_t count = source_tensor_count(source);
    double *values = calloc((size_t)count + 1, sizeof *values);
    fit->items = calloc((size_t)count + 1, sizeof *fit->items);
    if (!values || !fit->items) {
        free(values);
        return fault_set(fault, FAULT_MEMORY, "no memory for the types of %u tensors", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        const struct recipe_choice *choice = &fit->recipe->choices[i];
        double sensitivity = calibration_sensitivity(fit->calibration, tensor->name);
        bool open = recipe_quantizes(tensor) && choice->reason != RECIPE_OVERRIDE &&
                    choice->reason != RECIPE_LOSSLESS;
        if (open && sensitivity < 0)
            sensitivity = class_median(fit, tensor->name, values);
        if (open && sensitivity >= 0)
            fit->items[fit->item_count++] = (struct item){.tensor = i, .sensitivity = sensitivity};
        else
            fit->fixed += choice->size;
    }
    free(values);
    return fit->item_count > 0 ||
           fault_set(fault, FAULT_UNSUPPORTED,
                     "the calibration says of no tensor what its error costs; make it with lichen "
                     "calibrate --sensitivity");
}

/* ---- costs ---- */

static bool item_measure(const struct fit *fit, struct item *item, float *memory, void *blocks,
                         struct fault *fault)
{
    const struct source *source = fit->recipe->source;
    const struct source_tensor *tensor = source_tensor_at(source, item->tensor);
    uint32_t columns = (uint32_t)tensor->dims[0];
    uint32_t count = tensor->rows < ROWS_SAMPLED ? (uint32_t)tensor->rows : ROWS_SAMPLED;
    const float *importance;
    if (!calibration_importance(fit->calibration, tensor->name, columns, &importance, fault))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!source_read(source, item->tensor, i * tensor->rows / count, 1,
                         memory + (size_t)i * columns, fault))
            return false;
    for (uint32_t i = 0; i < CANDIDATE_COUNT; i++) {
        const struct dtype_info *info = dtype_find(candidates[i]);
        struct weighted_error sums = {0, 0};
        if (columns % info->block_weights != 0)
            continue;
        sensitivity_encode(candidates[i], memory, importance, count, columns, blocks,
                           memory + (size_t)count * columns, &sums);
        double relative = sums.signal > 0 ? sums.error / sums.signal : 0;
        item->options[i] = (struct option){
            true, columns / info->block_weights * (uint64_t)info->block_size * tensor->rows,
            item->sensitivity * relative};
    }
    return true;
}

static void measure_work(void *context, uint32_t index, uint32_t thread)
{
    const struct fit *fit = context;
    struct item *item = &fit->items[index];
    struct fault *fault = &fit->faults[thread];
    size_t columns = (size_t)source_tensor_at(fit->recipe->source, item->tensor)->dims[0];
    float *memory = malloc((ROWS_SAMPLED + 1) * columns * sizeof *memory);
    void *blocks = malloc(ROWS_SAMPLED * columns * sizeof *memory);
    if (!memory || !blocks)
        fault_set(fault, FAULT_MEMORY, "no memory for %d rows of %zu", ROWS_SAMPLED, columns);
    else
        item_measure(fit, item, memory, blocks, fault);
    free(memory);
    free(blocks);
}

static bool measure_all(struct fit *fit, uint32_t threads, struct fault *fault)
{
    struct parallel *team;
    if (!parallel_create(threads, &team, fault))
        return false;
    fit->faults = calloc(threads, sizeof *fit->faults);
    bool done = fit->faults || fault_set(fault, FAULT_MEMORY, "no memory for threads");
    if (done)
        parallel_for(team, fit->item_count, measure_work, fit);
    for (uint32_t i = 0; done && i < threads; i++)
        done = fit->faults[i].kind == FAULT_NONE ||
               fault_set(fault, fit->faults[i].kind, "%s", fit->faults[i].text);
    free(fit->faults);
    parallel_destroy(team);
    return done;
}

/* ---- the knapsack ---- */

/* The type of least cost + price * bytes; equal ones: the smaller. */
static uint32_t item_best(const struct item *item, double price)
{
    uint32_t best = CANDIDATE_COUNT;
    double least = INFINITY;
    for (uint32_t i = 0; i < CANDIDATE_COUNT; i++) {
        const struct option *option = &item->options[i];
        double value = option->cost + price * (double)option->size;
        if (option->possible && (value < least || (value <= least && best < CANDIDATE_COUNT &&
                                                   option->size < item->options[best].size))) {
            least = value;
            best = i;
        }
    }
    return best;
}

static uint64_t choose(struct fit *fit, double price)
{
    uint64_t size = fit->fixed;
    for (uint32_t i = 0; i < fit->item_count; i++) {
        struct item *item = &fit->items[i];
        item->choice = item_best(item, price);
        size += item->options[item->choice].size;
    }
    return size;
}

/* Every byte at an endless price. */
static uint64_t choose_least(struct fit *fit)
{
    return choose(fit, 1e300);
}

/* The one change that saves most a byte among those that fit; false: none saves anything. */
static bool improve(struct fit *fit, uint64_t *size, uint64_t bytes)
{
    struct item *best = NULL;
    uint32_t choice = 0;
    double most = 0;
    for (uint32_t i = 0; i < fit->item_count; i++) {
        struct item *item = &fit->items[i];
        const struct option *now = &item->options[item->choice];
        for (uint32_t j = 0; j < CANDIDATE_COUNT; j++) {
            const struct option *option = &item->options[j];
            if (!option->possible || option->cost >= now->cost)
                continue;
            uint64_t more = option->size > now->size ? option->size - now->size : 0;
            double saving = (now->cost - option->cost) / (double)(more > 0 ? more : 1);
            if (more <= bytes - *size && saving > most) {
                most = saving;
                best = item;
                choice = j;
            }
        }
    }
    if (!best)
        return false;
    *size = *size - best->options[best->choice].size + best->options[choice].size;
    best->choice = choice;
    return true;
}

static double weight_count(const struct source *source)
{
    double count = 0;
    for (uint32_t i = 0; i < source_tensor_count(source); i++)
        count += (double)source_tensor_at(source, i)->dims[0] *
                 (double)source_tensor_at(source, i)->rows;
    return count;
}

static bool solve(struct fit *fit, uint64_t bytes, struct fault *fault)
{
    uint64_t least = choose_least(fit);
    if (least > bytes)
        return fault_set(
            fault, FAULT_ARGUMENT,
            "%llu bytes are wanted, the smallest types take %llu (%.2f bits a weight); "
            "ask for more",
            (unsigned long long)bytes, (unsigned long long)least,
            (double)least * 8 / weight_count(fit->recipe->source));
    double low = 0, high = 1e-12;
    while (choose(fit, high) > bytes)
        high *= 2;
    for (int i = 0; i < BISECTIONS && low < high; i++) {
        double middle = low + (high - low) / 2;
        if (choose(fit, middle) > bytes)
            low = middle;
        else
            high = middle;
    }
    uint64_t size = choose(fit, high);
    while (improve(fit, &size, bytes))
        continue;
    return true;
}

static bool apply(const struct fit *fit, struct fault *fault)
{
    for (uint32_t i = 0; i < fit->item_count; i++) {
        const struct item *item = &fit->items[i];
        if (!recipe_set(fit->recipe, item->tensor, candidates[item->choice], RECIPE_BUDGET, fault))
            return false;
    }
    return true;
}

bool recipe_fit(struct recipe *recipe, const struct calibration *calibration, uint64_t bytes,
                uint32_t threads, struct fault *fault)
{
    struct fit fit = {.recipe = recipe, .calibration = calibration};
    bool done = items_find(&fit, fault) &&
                measure_all(&fit, threads ? threads : processor_count(), fault) &&
                solve(&fit, bytes, fault) && apply(&fit, fault);
    free(fit.items);
    return done;
}
