// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <engagehub/ranking/block_search.hpp>
#include <engagehub/ranking/skip_list.hpp>

using engagehub::RankKey;

namespace block_search = engagehub::block_search;

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

template <class Body>
void on_both_paths(Body&& body) {
    for (const bool plain : {false, true}) {
        block_search::force_plain(plain);
        CAPTURE(block_search::name_of(block_search::path()));
        body();
    }
    block_search::force_plain(false);
}

}  // namespace

TEST_CASE("words below a value are counted the same by every path") {
    std::mt19937_64 random(3);
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    for (int round = 0; round < 2'000; ++round) {
        std::vector<std::int64_t> words(64, block_search::kPad);
        const std::size_t count = random() % 65;
        for (std::size_t i = 0; i < count; ++i) {
            words[i] = round % 3 == 0 ? static_cast<std::int64_t>(random()) : static_cast<std::int64_t>(random() % 9) - 4;
            if (random() % 50 == 0) words[i] = random() % 2 == 0 ? kMost : kLeast;
        }
        std::sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
        for (int probe = 0; probe < 20; ++probe) {
            std::int64_t value = static_cast<std::int64_t>(random() % 11) - 5;
            if (probe == 0) value = kMost;
            if (probe == 1) value = kLeast;
            if (probe > 10 && count != 0) value = words[random() % count];
            const auto expected = static_cast<std::size_t>(
                std::lower_bound(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count), value) -
                words.begin());
            on_both_paths([&] { REQUIRE(block_search::count_below(words.data(), count, value) == expected); });
        }
    }
}

TEST_CASE("the plain path can be forced, and is left again") {
    block_search::force_plain(true);
    CHECK(block_search::path() == block_search::Path::kPlain);
    block_search::force_plain(false);
    CHECK(block_search::path() == block_search::best_path());
}

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
                    const RankKey near{both.keys[slot].high + static_cast<std::int64_t>(random() % 3) - 1, random() % 3};
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
