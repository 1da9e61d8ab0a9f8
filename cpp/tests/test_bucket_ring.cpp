// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include <engagehub/window/bucket_ring.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::BucketRing;
using engagehub_tests::allocations;
using engagehub_tests::fail_at_every_allocation;

namespace {

// Counts what was done to all of them.
struct Counting {
    Counting() { ++made; }
    Counting(const Counting& other) : events(other.events) { ++made; }
    Counting(Counting&& other) noexcept : events(other.events) { ++moved; }
    Counting& operator=(const Counting& other) = default;
    Counting& operator=(Counting&& other) noexcept {
        events = other.events;
        ++moved;
        return *this;
    }
    ~Counting() = default;
    friend bool operator==(const Counting& a, const Counting& b) { return a.events == b.events; }

    int events = 0;
    static inline std::size_t made = 0;
    static inline std::size_t moved = 0;
};

std::vector<std::int64_t> shuffled(std::int64_t size) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(size));
    std::iota(numbers.begin(), numbers.end(), 0);
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(1));
    return numbers;
}

void count(Counting& bucket) { ++bucket.events; }

}  // namespace

TEST_CASE("BucketRing moves no bucket for another, in whatever order they come") {
    constexpr std::int64_t kBuckets = 20'000;
    const std::vector<std::int64_t> any = shuffled(kBuckets);
    std::vector<std::int64_t> falling(any.size());
    std::iota(falling.rbegin(), falling.rend(), 0);
    BucketRing<Counting> first(kBuckets, 1);
    for (const auto& numbers : {any, falling}) {
        BucketRing<Counting> ring(kBuckets, 1);
        Counting::made = Counting::moved = 0;
        for (const std::int64_t number : numbers) REQUIRE(ring.change(number, count));
        CHECK(Counting::made == kBuckets);
        CHECK(Counting::moved == 0);
        if (first.is_empty()) first = ring;
        CHECK(ring == first);
        ring.merge(first, [](Counting& ours, const Counting& theirs) { ours.events += theirs.events; });
        CHECK(Counting::moved == 0);
        CHECK(std::all_of(ring.begin(), ring.end(), [](const auto& held) { return held.second.events == 2; }));
    }
}

TEST_CASE("BucketRing keeps the last buckets up to the newest, whichever came first") {
    for (const std::int64_t size : {1, 2, 7, 64}) {
        BucketRing<Counting> ring(size, 1);
        std::int64_t newest = 0;
        std::uint64_t late = 0;
        for (const std::int64_t number : shuffled(200)) {
            const bool is_late = !ring.is_empty() && number <= newest - size;
            newest = std::max(newest, number);
            late += is_late ? 1 : 0;
            REQUIRE(ring.change(number, count) == !is_late);
            REQUIRE(ring.late() == late);
            REQUIRE(ring.newest() == newest);
            REQUIRE(ring.begin()->first >= ring.oldest_kept());
            REQUIRE(std::is_sorted(ring.begin(), ring.end(), [](const auto& a, const auto& b) {
                return a.first < b.first;
            }));
        }
    }
}

TEST_CASE("BucketRing changes nothing where a change throws or there is no memory") {
    BucketRing<Counting> ring(4, 1);
    ring.change(2, count);
    const BucketRing<Counting> before = ring;
    for (const std::int64_t number : {1, 3, 9})
        CHECK_THROWS_AS(ring.change(number, [](Counting&) { throw std::runtime_error("no"); }), std::runtime_error);
    CHECK(ring == before);
    CHECK(fail_at_every_allocation([&] { ring.change(9, count); }, [&] { REQUIRE(ring == before); }) == 1);
    CHECK(ring.newest() == 9);
}

TEST_CASE("BucketRing says what it takes") {
    BucketRing<Counting> ring(60, 1);
    for (std::int64_t number = 0; number < 200; ++number) ring.change(number, count);
    allocations.requested = 0;
    const BucketRing<Counting> copy = ring;
    CHECK(allocations.requested == copy.heap_bytes());
    CHECK(copy.heap_bytes() == ring.heap_bytes());
}
