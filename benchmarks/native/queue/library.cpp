// SPDX-License-Identifier: MIT
// The queues as a shared library, so that one process runs them between other loops. Who compiles and calls it: the
// Python package engagehub_bench.
#include <cstddef>

#include "contender.hpp"

namespace {

const bench::Contenders& contenders() {
    static const bench::Contenders all = [] {
        bench::Contenders made;
        bench::add_yardsticks(made);
        bench::add_ours(made);
        return made;
    }();
    return all;
}

}  // namespace

extern "C" {

std::size_t queue_count() { return contenders().size(); }
const char* queue_name(std::size_t which) { return contenders()[which]->name().c_str(); }

// Nanoseconds in all; negative if the items that came out weren't those that went in.
double queue_transfer(std::size_t which, std::size_t producers, std::size_t consumers, std::size_t items) {
    const bench::Transfer done = contenders()[which]->transfer(producers, consumers, items);
    return done.is_correct ? done.nanoseconds : -1.0;
}

}  // extern "C"
