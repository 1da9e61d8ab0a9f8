// SPDX-License-Identifier: MIT
#include "../yardsticks/counted_blocks.hpp"
#include "../yardsticks/span_skip_list.hpp"
#include "contender.hpp"

#if __has_include(<absl/container/btree_set.h>)
#include "../yardsticks/btree_set.hpp"
#define ENGAGEHUB_BENCH_HAS_ABSL
#endif

namespace bench {

void add_yardsticks(Contenders& contenders, const std::vector<double>& scores) {
    contenders.push_back(std::make_unique<Over<yardstick::CountedBlocks, true>>("counted blocks", scores));
    contenders.push_back(std::make_unique<Over<yardstick::SpanSkipList, true>>("classic skip list", scores));
#ifdef ENGAGEHUB_BENCH_HAS_ABSL
    contenders.push_back(std::make_unique<Over<yardstick::BtreeSet, false>>("absl::btree_set", scores));
#endif
}

}  // namespace bench
