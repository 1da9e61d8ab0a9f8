// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include <engagehub/ranking/skip_list.hpp>

namespace {

using List = engagehub::SkipList<int, std::less<int>>;

void require_equal(const List& list, const std::vector<int>& model) {
    list.check();
    REQUIRE(list.size() == model.size());
    std::vector<int> listed;
    list.visit(0, model.size() + 1, [&](int value) { listed.push_back(value); });
    REQUIRE(listed == model);
}

}  // namespace

TEST_CASE("a skip list agrees with a sorted vector, its invariants checked after every change") {
    // Ranges of values from dense to sparse make blocks split, merge and empty.
    for (const int range : {10, 300, 5'000}) {
        CAPTURE(range);
        std::mt19937_64 random(static_cast<std::uint64_t>(range));
        List list;
        std::vector<int> model;
        for (int step = 0; step < 6'000; ++step) {
            const int value = static_cast<int>(random() % static_cast<std::uint64_t>(range));
            const auto place = std::lower_bound(model.begin(), model.end(), value);
            const bool present = place != model.end() && *place == value;
            const bool growing = (step / 1'500) % 2 == 0;
            if (random() % 4 < (growing ? 3U : 1U)) {
                if (!present) {
                    list.insert(value);
                    model.insert(place, value);
                }
            } else {
                REQUIRE(list.erase(value) == present);
                if (present) model.erase(place);
            }
            list.check();
            if (model.empty()) continue;
            const std::size_t position = random() % model.size();
            REQUIRE(list.at(position) == model[position]);
            const int probe = static_cast<int>(random() % static_cast<std::uint64_t>(range));
            REQUIRE(list.partition_point([&](int other) {
                return other < probe;
            }) == static_cast<std::size_t>(std::lower_bound(model.begin(), model.end(), probe) - model.begin()));
        }
        require_equal(list, model);
    }
}

TEST_CASE("a skip list of ascending, then descending values is emptied from either end") {
    for (const bool from_front : {true, false}) {
        List list;
        for (int i = 0; i < 5'000; ++i) list.insert(i);
        for (int i = -1; i >= -5'000; --i) list.insert(i);
        list.check();
        for (std::size_t left = list.size(); left != 0; --left) {
            REQUIRE(list.erase(list.at(from_front ? 0 : left - 1)));
            if (left % 97 == 0) list.check();
        }
        require_equal(list, {});
        list.insert(1);
        require_equal(list, {1});
    }
}

TEST_CASE("a skip list visits any range, and nothing past its end") {
    List list;
    for (int i = 0; i < 1'000; ++i) list.insert(i);
    const auto visited = [&](std::size_t first, std::size_t count) {
        std::vector<int> values;
        list.visit(first, count, [&](int value) { values.push_back(value); });
        return values;
    };
    CHECK(visited(1'000, 5).empty());
    CHECK(visited(5, 0).empty());
    CHECK(visited(998, 5) == std::vector<int>{998, 999});
    CHECK(visited(62, 4) == std::vector<int>{62, 63, 64, 65});
    list.clear();
    CHECK(visited(0, 5).empty());
}
