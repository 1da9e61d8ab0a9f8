// SPDX-License-Identifier: MIT
// The yardsticks of sketches as a shared library, so that one process runs them between other loops, on the very items
// that the others get. Who compiles and calls it: the Python package engagehub_bench. Each function is a whole loop.
#include <cstddef>
#include <cstdint>

#include "../../yardsticks/conservative_counts.hpp"
#include "../../yardsticks/hash_loop.hpp"
#include "../../yardsticks/redis_hash.hpp"
#include "../../yardsticks/registers.hpp"

namespace {

yardstick::HashLoop hash_loop;
yardstick::HyperLogLogRegisters hyperloglog;
yardstick::UltraLogLogRegisters ultraloglog;
yardstick::ConservativeCounts<std::uint32_t> counts32;
yardstick::ConservativeCounts<std::uint64_t> counts64;

template <class Sketch>
void add_integers(Sketch& sketch, const std::int64_t* numbers, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) sketch.add(yardstick::redis_hash(numbers[i]));
}

// Text as an array of pointers to it, which lies wherever a list of Python's keeps it, and one of its sizes.
template <class Sketch>
void add_texts(Sketch& sketch, const char* const* texts, const std::size_t* sizes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) sketch.add(yardstick::redis_hash(texts[i], sizes[i]));
}

template <class Counts>
void add_integers_to_all(Counts& counts, const std::int64_t* numbers, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) counts.add_to_all(yardstick::redis_hash(numbers[i]));
}

template <class Counts>
void copy_estimates(const Counts& counts, const std::int64_t* numbers, std::size_t count, std::uint64_t* estimates) {
    for (std::size_t i = 0; i < count; ++i) estimates[i] = counts.least(yardstick::redis_hash(numbers[i]));
}

}  // namespace

extern "C" {

std::uint64_t hash_loop_run(std::size_t count) {
    hash_loop.run(1, count);
    return hash_loop.sum();
}

void hyperloglog_clear() { hyperloglog.clear(); }
void hyperloglog_integers(const std::int64_t* numbers, std::size_t count) { add_integers(hyperloglog, numbers, count); }
void hyperloglog_texts(const char* const* texts, const std::size_t* sizes, std::size_t count) {
    add_texts(hyperloglog, texts, sizes, count);
}
const std::uint8_t* hyperloglog_bytes() { return hyperloglog.bytes().data(); }

void ultraloglog_clear() { ultraloglog.clear(); }
void ultraloglog_integers(const std::int64_t* numbers, std::size_t count) { add_integers(ultraloglog, numbers, count); }
void ultraloglog_texts(const char* const* texts, const std::size_t* sizes, std::size_t count) {
    add_texts(ultraloglog, texts, sizes, count);
}
const std::uint8_t* ultraloglog_bytes() { return ultraloglog.bytes().data(); }

void counts32_clear() { counts32.clear(); }
void counts32_integers(const std::int64_t* numbers, std::size_t count) { add_integers(counts32, numbers, count); }
void counts32_integers_to_all(const std::int64_t* numbers, std::size_t count) {
    add_integers_to_all(counts32, numbers, count);
}
void counts32_estimates(const std::int64_t* numbers, std::size_t count, std::uint64_t* estimates) {
    copy_estimates(counts32, numbers, count, estimates);
}

void counts64_clear() { counts64.clear(); }
void counts64_integers(const std::int64_t* numbers, std::size_t count) { add_integers(counts64, numbers, count); }
void counts64_integers_to_all(const std::int64_t* numbers, std::size_t count) {
    add_integers_to_all(counts64, numbers, count);
}
void counts64_estimates(const std::int64_t* numbers, std::size_t count, std::uint64_t* estimates) {
    copy_estimates(counts64, numbers, count, estimates);
}

}  // extern "C"
