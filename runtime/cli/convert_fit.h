/* convert_fit.h: lichen convert --fit and --bpw: the budget of bytes behind the types. */
#ifndef LICHEN_CONVERT_FIT_H
#define LICHEN_CONVERT_FIT_H

#include "command.h"
#include "convert.h"

/* Tensors of at most bits a weight on average. */
bool convert_fit_bits(struct recipe *recipe, const struct convert_options *options, double bits,
                      struct fault *fault);
/* Chosen so that opening the file takes at most `bytes` of the device by its own memory plan, with
 * the context and cache of common; common->path is used. */
bool convert_fit_device(struct recipe *recipe, const struct convert_options *options,
                        struct common *common, uint64_t bytes);

#endif
