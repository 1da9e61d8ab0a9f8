// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include <engagehub/pipeline/identity_fifo.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::Identity;
using engagehub::IdentityFifo;
using engagehub_tests::fail_at_every_allocation;

namespace {

void append(IdentityFifo& fifo, const Identity& identity) {
    fifo.reserve(1);
    fifo.append(identity);
}

// How identities differ decides how they collide: at random; in one bucket; in one bucket and by their last word only.
std::vector<Identity> identities_of(int kind, std::size_t count, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Identity> result;
    for (std::size_t i = 0; i < count; ++i) {
        if (kind == 0) result.push_back({random(), random()});
        if (kind == 1) result.push_back({7, random()});
        if (kind == 2) result.push_back({7, i << 36U});
    }
    return result;
}

}  // namespace

TEST_CASE("an identity fifo holds what a list holds") {
    for (const int kind : {0, 1, 2}) {
        for (const std::size_t maximum : {1U, 20U, 300U, 2'000U}) {
            CAPTURE(kind);
            CAPTURE(maximum);
            std::mt19937_64 random(maximum);
            const std::vector<Identity> pool = identities_of(kind, 2 * maximum + 10, 5);
            IdentityFifo fifo(maximum);
            std::deque<Identity> model;
            const auto is_known = [&](const Identity& identity) {
                return std::find(model.begin(), model.end(), identity) != model.end();
            };
            for (int i = 0; i < 20'000; ++i) {
                const std::size_t count = 1 + random() % (random() % 50 == 0 ? IdentityFifo::kMostReserved : 3);
                fifo.reserve(count);
                std::size_t added = 0;
                for (std::size_t j = 0; j < count; ++j) {
                    const Identity& identity = pool[random() % pool.size()];
                    const bool known = is_known(identity);
                    REQUIRE(fifo.contains(identity) == known);
                    if (known) continue;
                    fifo.append(identity);
                    model.push_back(identity);
                    ++added;
                }
                if (random() % 4 == 0) {
                    for (std::size_t left = random() % (added + 1); left != 0; --left) {
                        fifo.take_back();
                        model.pop_back();
                    }
                }
                std::size_t leaving = model.size() > maximum ? model.size() - maximum : 0;
                if (random() % 200 == 0) leaving = std::max<std::size_t>(leaving, random() % (model.size() + 1));
                fifo.drop_before(fifo.begin() + leaving);
                model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(leaving));
                REQUIRE(fifo.size() == model.size());
                REQUIRE(fifo.end() - fifo.begin() == model.size());
                if (i % 100 == 0) REQUIRE_NOTHROW(fifo.check());
                if (random() % 5'000 == 0) {
                    fifo.clear();
                    model.clear();
                }
            }
            for (const Identity& identity : pool) CHECK(fifo.contains(identity) == is_known(identity));
        }
    }
}

TEST_CASE("a search ends where every bucket has passed something on") {
    IdentityFifo fifo(20);                                               // two buckets of 14 cells
    for (std::uint64_t i = 0; i < 15; ++i) append(fifo, {0, i << 40U});  // one is passed to the second
    fifo.drop_before(14);
    for (std::uint64_t i = 0; i < 14; ++i) append(fifo, {1, i << 40U});  // and one of these to the first
    CHECK(fifo.size() == 15);
    CHECK(fifo.contains({0, std::uint64_t{14} << 40U}));
    CHECK_FALSE(fifo.contains({0, std::uint64_t{99} << 40U}));
    CHECK_FALSE(fifo.contains({1, std::uint64_t{99} << 40U}));
}

TEST_CASE("an identity fifo tells identities apart whose cells are equal") {
    IdentityFifo fifo(1'000);
    append(fifo, {7, 0});
    CHECK_FALSE(fifo.contains({7, std::uint64_t{1} << 32U}));
    CHECK_FALSE(fifo.contains({std::uint64_t{7} | std::uint64_t{1} << 60U, 0}));
    CHECK(fifo.contains({7, 0}));
}

TEST_CASE("an identity fifo never reads what was not written, also for the cell of zeros") {
    IdentityFifo fifo(1'000);
    CHECK_FALSE(fifo.contains({0, 0}));
    fifo.prefetch({1, 2});
    append(fifo, {1, 0});
    CHECK_FALSE(fifo.contains({0, 0}));
    append(fifo, {0, 0});
    CHECK(fifo.contains({0, 0}));
    fifo.take_back();
    CHECK_FALSE(fifo.contains({0, 0}));
}

TEST_CASE("an identity fifo takes at most 30 bytes an identity, and gives back what leaves") {
    const std::vector<Identity> pool = identities_of(0, 400'000, 9);
    IdentityFifo fifo(pool.size());
    CHECK(fifo.bytes() == 0);
    for (const Identity& identity : pool) {
        append(fifo, identity);
        if (fifo.size() >= 20'000) REQUIRE(fifo.bytes() <= 30 * fifo.size());
    }
    const std::size_t most = fifo.bytes();
    fifo.drop_before(fifo.end() - 1'000);
    CHECK(fifo.size() == 1'000);
    std::mt19937_64 random(10);
    for (int i = 0; i < 400'000; ++i) {
        append(fifo, {random(), random()});
        fifo.drop_before(fifo.end() - 1'000);
    }
    CHECK(fifo.bytes() < most / 2);
    fifo.clear();
    CHECK(fifo.bytes() == 0);
    CHECK(fifo.size() == 0);
    append(fifo, pool[0]);
    CHECK(fifo.contains(pool[0]));
    CHECK_FALSE(fifo.contains(pool[1]));
}

TEST_CASE("an identity fifo for which there is no memory stays as it was") {
    const std::vector<Identity> pool = identities_of(0, 6'000, 11);
    IdentityFifo fifo(4'000);
    std::size_t failures = 0;
    for (std::size_t i = 0; i < pool.size(); i += 3) {
        const std::size_t size = fifo.size();
        failures += fail_at_every_allocation(
            [&] { fifo.reserve(3); },
            [&] {
                REQUIRE(fifo.size() == size);
                for (std::size_t j = i - size; j < i; j += 1 + size / 10) REQUIRE(fifo.contains(pool[j]));
                REQUIRE_FALSE(fifo.contains(pool[i]));
            });
        for (std::size_t j = i; j < i + 3; ++j) fifo.append(pool[j]);
        if (fifo.size() > 4'000) fifo.drop_before(fifo.end() - 4'000);
    }
    CHECK(failures > 20);
}
