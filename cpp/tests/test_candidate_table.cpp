// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <engagehub/sketch/candidate_table.hpp>

using engagehub::CandidateTable;
using engagehub::ItemView;

TEST_CASE("a candidate table agrees with a map, hashes that collide included") {
    for (const std::uint64_t hashes : {3ULL, 200ULL, ~0ULL}) {
        CAPTURE(hashes);
        CandidateTable table;
        std::map<std::string, CandidateTable::Slot> model;
        std::mt19937_64 random(1);
        const auto hash_of = [&](const std::string& name) { return std::hash<std::string>()(name) % hashes; };
        std::size_t room = 0;
        for (int i = 0; i < 20'000; ++i) {
            // Some are too long for a cell.
            const std::string name(1 + random() % 40, static_cast<char>('a' + random() % 3));
            const auto item = ItemView::of(std::string_view(name));
            const auto slot = table.find(item, hash_of(name));
            REQUIRE(slot.has_value() == (model.count(name) != 0));
            if (slot) {
                REQUIRE(*slot == model[name]);
                REQUIRE(table[*slot] == item);
                REQUIRE(table.hash(*slot) == hash_of(name));
                if (random() % 2 == 0) {
                    table.erase(*slot);
                    model.erase(name);
                }
            } else {
                if (model.size() == room) table.reserve(room = room * 2 + 1);
                const auto given = table.insert(item, hash_of(name));
                REQUIRE(given < room);
                model[name] = given;
            }
            if (i % 1'000 == 0) {
                CandidateTable copy = table;
                copy.reserve(room);
                table = copy;
            }
        }
        for (const auto& [name, slot] : model) REQUIRE(table[slot].text == name);
    }
}

TEST_CASE("a candidate table holds one kind of item") {
    CandidateTable table;
    CHECK_FALSE(table.find(ItemView::of(std::int64_t{1}), 1));
    table.reserve(1);
    const auto slot = table.insert(ItemView::of(std::int64_t{-5}), 9);
    CHECK(table[slot].number == -5);
    CHECK(table.find(ItemView::of(std::int64_t{-5}), 9) == slot);
    CHECK_FALSE(table.find(ItemView::of(std::string_view("-5")), 9));
    CHECK(table.bytes() >= 8 * 4 + 8 + 8);
}
