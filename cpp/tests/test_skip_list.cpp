// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <engagehub/ranking/skip_list.hpp>

#include "tests/support/simd_paths.hpp"

using engagehub::RankKey;
using engagehub_tests::on_both_paths;

namespace {

using Slot = std::uint32_t;

// Keys by slot; equal keys are listed by slot.
struct Keys {
    const std::vector<RankKey>* keys;
    const RankKey& key(Slot slot) const { return (*keys)[slot]; }
    bool before(Slot a, Slot b) const { return a < b; }
};

// The list beside a sorted vector of slots.
struct Compared {
    std::vector<RankKey> keys;
    engagehub::SkipList<Keys> list{Keys{&keys}};
    std::vector<Slot> model;

    explicit Compared(std::size_t slots) : keys(slots) {}

    bool before(Slot a, Slot b) const {
        if (keys[a] != keys[b]) return keys[a] < keys[b];
        return a < b;
    }
    std::vector<Slot>::iterator place(Slot slot) {
        return std::lower_bound(model.begin(), model.end(), slot, [&](Slot a, Slot b) { return before(a, b); });
    }
    bool holds(Slot slot) { return place(slot) != model.end() && *place(slot) == slot; }

    void insert(Slot slot, const RankKey& key) {
        keys[slot] = key;
        model.insert(place(slot), slot);
        list.insert(key, slot);
    }
    void erase(Slot slot) {
        model.erase(place(slot));
        list.erase(keys[slot], slot);
    }
    void move(Slot slot, const RankKey& key) {
        model.erase(place(slot));
        list.move(keys[slot], key, slot);
        keys[slot] = key;
        model.insert(place(slot), slot);
    }
    void require_equal() const {
        list.check();
        REQUIRE(list.size() == model.size());
        std::vector<Slot> listed;
        list.visit(0, model.size() + 1, [&](Slot slot) { listed.push_back(slot); });
        REQUIRE(listed == model);
    }
};

// Few high words and few low ones make ties of both kinds.
RankKey random_key(std::mt19937_64& random, std::uint64_t range) {
    const auto high = static_cast<std::int64_t>(random() % range) - static_cast<std::int64_t>(range / 2);
    return {high, random() % 3};
}

}  // namespace

TEST_CASE("a skip list agrees with a sorted vector, its invariants checked after every change") {
    on_both_paths([] {
        // From nearly all tied to nearly all different; growing and shrinking make blocks split, join and empty.
        for (const std::uint64_t range : {1ULL, 6ULL, 300ULL, 1'000'000ULL}) {
            CAPTURE(range);
            std::mt19937_64 random(range);
            constexpr std::size_t kSlots = 1'200;
            Compared both(kSlots);
            for (int step = 0; step < 7'000; ++step) {
                const auto slot = static_cast<Slot>(random() % kSlots);
                const bool growing = (step / 1'700) % 2 == 0;
                if (!both.holds(slot)) {
                    if (random() % 4 < (growing ? 4U : 1U)) both.insert(slot, random_key(random, range));
                } else if (random() % 4 < (growing ? 1U : 3U)) {
                    both.erase(slot);
                } else {
                    const RankKey near{
                        both.keys[slot].high + static_cast<std::int64_t>(random() % 3) - 1, random() % 3};
                    both.move(slot, random() % 2 == 0 ? near : random_key(random, range));
                }
                both.list.check();
                if (both.model.empty()) continue;
                const std::size_t position = random() % both.model.size();
                const Slot there = both.model[position];
                REQUIRE(both.list.at(position) == there);
                REQUIRE(both.list.position(both.keys[there], there) == position);
                const RankKey probe = random_key(random, range);
                const auto below = [&](const RankKey& key) { return key < probe; };
                const auto expected = static_cast<std::size_t>(
                    std::partition_point(
                        both.model.begin(), both.model.end(), [&](Slot each) { return below(both.keys[each]); }) -
                    both.model.begin());
                REQUIRE(both.list.count_below(probe) == expected);
                REQUIRE(both.list.partition_point(below) == expected);
            }
            both.require_equal();
        }
    });
}

TEST_CASE("a skip list of ascending, then descending keys is emptied from either end") {
    for (const bool from_front : {true, false}) {
        Compared both(10'000);
        for (Slot i = 0; i < 5'000; ++i) both.insert(i, {static_cast<std::int64_t>(i), 0});
        for (Slot i = 5'000; i < 10'000; ++i) both.insert(i, {-static_cast<std::int64_t>(i), 0});
        both.require_equal();
        for (std::size_t left = both.model.size(); left != 0; --left) {
            both.erase(both.list.at(from_front ? 0 : left - 1));
            if (left % 97 == 0) both.list.check();
        }
        both.require_equal();
        both.insert(1, {1, 0});
        both.require_equal();
    }
}

TEST_CASE("a skip list built from sorted slots and from another list is the one inserted one by one") {
    std::mt19937_64 random(8);
    for (const std::size_t size : {0U, 1U, 47U, 48U, 49U, 5'000U}) {
        CAPTURE(size);
        Compared both(size + 1'000);
        for (Slot slot = 0; slot < size; ++slot) both.insert(slot, random_key(random, 100));
        std::vector<Slot> added;
        for (auto slot = static_cast<Slot>(size); slot < size + 1'000; ++slot) {
            both.keys[slot] = random_key(random, 100);
            added.push_back(slot);
        }
        std::sort(added.begin(), added.end(), [&](Slot a, Slot b) { return both.before(a, b); });
        engagehub::SkipList<Keys> list(Keys{&both.keys});
        list.build(both.list, added, [](Slot slot) { return slot % 3 != 0; });
        both.list.swap(list);
        std::vector<Slot> expected;
        for (Slot slot = 0; slot < both.keys.size(); ++slot) {
            if (slot >= size || slot % 3 != 0) expected.push_back(slot);
        }
        std::sort(expected.begin(), expected.end(), [&](Slot a, Slot b) { return both.before(a, b); });
        both.model = expected;
        both.require_equal();
        for (int i = 0; i < 2'000 && !both.model.empty(); ++i) {  // it takes changes as any other
            const Slot slot = both.model[random() % both.model.size()];
            if (i % 3 == 0) {
                both.erase(slot);
            } else {
                both.move(slot, random_key(random, 100));
            }
            both.list.check();
        }
        both.require_equal();
    }
}

TEST_CASE("a skip list visits any range, and nothing past its end") {
    Compared both(1'000);
    for (Slot i = 0; i < 1'000; ++i) both.insert(i, {static_cast<std::int64_t>(i), 0});
    const auto visited = [&](std::size_t first, std::size_t count) {
        std::vector<Slot> slots;
        both.list.visit(first, count, [&](Slot slot) { slots.push_back(slot); });
        return slots;
    };
    CHECK(visited(1'000, 5).empty());
    CHECK(visited(5, 0).empty());
    CHECK(visited(998, 5) == std::vector<Slot>{998, 999});
    CHECK(visited(62, 4) == std::vector<Slot>{62, 63, 64, 65});
    both.list.clear();
    CHECK(visited(0, 5).empty());
    both.list.check();
}

TEST_CASE("a hundred thousand equal keys cost a look-up in each block on the way, no more") {
    struct Counting {
        const RankKey* shared;
        std::size_t* asked;
        const RankKey& key(Slot) const {
            ++*asked;
            return *shared;
        }
        bool before(Slot a, Slot b) const { return a < b; }
    };
    const RankKey shared{5, 5};
    std::size_t asked = 0;
    engagehub::SkipList<Counting> list(Counting{&shared, &asked});
    std::mt19937_64 random(4);
    constexpr Slot kSlots = 100'000;
    std::vector<Slot> slots(kSlots);
    for (Slot slot = 0; slot < kSlots; ++slot) slots[slot] = slot;
    std::shuffle(slots.begin(), slots.end(), random);
    std::size_t most = 0;
    const auto watched = [&](const auto& operation) {
        asked = 0;
        operation();
        most = std::max(most, asked);
    };
    for (const Slot slot : slots) watched([&] { list.insert(shared, slot); });
    for (int i = 0; i < 1'000; ++i) {
        const auto slot = static_cast<Slot>(random() % kSlots);
        watched([&] { REQUIRE(list.position(shared, slot) == slot); });
        watched([&] { list.move(shared, shared, slot); });
        REQUIRE(list.at(slot) == slot);
    }
    list.check();
    for (const Slot slot : slots) watched([&] { list.erase(shared, slot); });
    CHECK(list.size() == 0);
    CHECK(most <= 80);
}
