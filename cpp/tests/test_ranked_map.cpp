// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <engagehub/ranking/ranked_map.hpp>

#include "tests/support/board_model.hpp"
#include "tests/support/simd_paths.hpp"

using engagehub::ItemView;
using engagehub::RankedMap;
using engagehub::RankKeyCodec;
using engagehub::Scaled;
using engagehub::TieOrder;
using engagehub::Ties;
using engagehub_tests::BoardModel;
using engagehub_tests::Members;

namespace {

void require_equal(const RankedMap& map, const BoardModel& model, Members& members) {
    map.check();
    REQUIRE(map.size() == model.rows().size());
    std::size_t position = 0;
    map.visit(0, map.size(), [&](const RankedMap::Row& row) {
        const auto& expected = model.rows()[position];
        REQUIRE(map.member(row.slot) == members(expected.number));
        REQUIRE(map.score(row.slot).to_double() == expected.stored);
        REQUIRE(row.rank == model.rank(position));
        REQUIRE(map.rank(row.slot) == row.rank);
        REQUIRE(map.position(row.slot) == position);
        REQUIRE(map.at(position) == row.slot);
        ++position;
    });
}

struct Numbers {
    const std::vector<std::int64_t>& values;
    ItemView operator[](std::size_t i) const { return ItemView::of(values[i]); }
};

}  // namespace

TEST_CASE("a ranked map agrees with a model, with few arrival numbers and many, on every search path") {
    engagehub_tests::on_both_paths([] {
        for (const Ties ties : {Ties::kCompetition, Ties::kDense, Ties::kOrdinal}) {
            for (const TieOrder order : {TieOrder::kArrival, TieOrder::kMember}) {
                for (const unsigned arrival_bits : {8U, 9U, 63U}) {
                    CAPTURE(static_cast<int>(ties));
                    CAPTURE(static_cast<int>(order));
                    CAPTURE(arrival_bits);
                    std::mt19937_64 random(arrival_bits);
                    RankedMap map(ties, order, RankKeyCodec({}, arrival_bits));
                    Members members(false);
                    BoardModel model(ties, order, false, members);
                    for (int step = 0; step < 2'000; ++step) {
                        const auto number = static_cast<std::int64_t>(random() % 180);
                        const auto score = static_cast<double>(random() % 15) - 7.0;
                        switch (random() % 12) {
                            case 0: {
                                std::vector<std::int64_t> numbers;
                                std::vector<double> scores;
                                for (std::size_t i = random() % 90; i != 0; --i) {
                                    numbers.push_back(static_cast<std::int64_t>(random() % 180) - 50);
                                    scores.push_back(static_cast<double>(random() % 15) - 7.0);
                                    model.set(numbers.back() + 50, scores.back(), 0);
                                }
                                std::size_t done = 0;
                                map.assign(Numbers{numbers}, scores, numbers.size(), done);
                                REQUIRE(done == numbers.size());
                                break;
                            }
                            case 1:
                                if (random() % 10 == 0) {
                                    const std::size_t length = random() % (map.size() + 1);
                                    map.truncate(length);
                                    model.truncate(length);
                                }
                                break;
                            case 2:
                            case 3:
                                if (const auto slot = map.find(members(number))) {
                                    map.erase(*slot);
                                    model.remove(number);
                                }
                                break;
                            default: {
                                map.assign(members(number), Scaled::of_double(score));
                                model.set(number, score, 0);
                            }
                        }
                        map.check();
                        if (step % 20 == 0) require_equal(map, model, members);
                    }
                    require_equal(map, model, members);
                    RankedMap copy(map);
                    require_equal(copy, model, members);
                    RankedMap other(ties, order, RankKeyCodec({}, arrival_bits));
                    other.swap(copy);
                    require_equal(other, model, members);
                    REQUIRE(copy.size() == 0);
                }
            }
        }
    });
}

TEST_CASE("a map whose arrival numbers don't reach for its members refuses one more and keeps what it has") {
    RankedMap map(Ties::kCompetition, TieOrder::kArrival, RankKeyCodec({}, 3));
    for (std::int64_t number = 0; number < 7; ++number) map.assign(ItemView::of(number), Scaled::of_double(1));
    CHECK_THROWS_AS(map.assign(ItemView::of(7), Scaled::of_double(1)), std::length_error);
    CHECK_THROWS_AS(map.assign(ItemView::of(0), Scaled::of_double(2)), std::length_error);
    CHECK(map.size() == 7);
    map.check();
    map.erase(*map.find(ItemView::of(3)));
    map.assign(ItemView::of(0), Scaled::of_double(2));
    CHECK(map.member(map.at(0)) == ItemView::of(0));
    RankedMap many;
    for (std::int64_t number = 0; number < 9; ++number) many.assign(ItemView::of(number), Scaled::of_double(1));
    const auto same = [](const Scaled& score) { return score; };
    CHECK_THROWS_AS(RankedMap(many, RankKeyCodec({}, 3), same), std::length_error);
    RankedMap by_member(Ties::kCompetition, TieOrder::kMember, RankKeyCodec({}, 3));
    for (std::int64_t number = 0; number < 99; ++number) by_member.assign(ItemView::of(-number), Scaled::of_double(1));
    CHECK(by_member.member(by_member.at(0)) == ItemView::of(-98));
}

TEST_CASE("a batch that isn't committed takes its changes back") {
    RankedMap map;
    const auto zero = engagehub::ItemTable::hash(ItemView::of(0));
    const auto one = engagehub::ItemTable::hash(ItemView::of(1));
    {
        RankedMap::Batch batch(map, 1);
        batch.assign(batch.reach(ItemView::of(0), zero), Scaled::of_double(1));
    }
    CHECK(map.size() == 0);
    CHECK(map.kind() == engagehub::ItemKind::kNone);
    map.assign(ItemView::of(0), Scaled::of_double(5));
    {
        RankedMap::Batch batch(map, 2);
        batch.assign(batch.reach(ItemView::of(0), zero), Scaled::of_double(1));
        batch.assign(batch.reach(ItemView::of(1), one), Scaled::of_double(1));
    }
    map.check();
    CHECK(map.size() == 1);
    CHECK(map.score(*map.find(ItemView::of(0))).to_double() == 5.0);
}

TEST_CASE("converting scores may make ties, which are then listed by the map's order") {
    for (const TieOrder order : {TieOrder::kArrival, TieOrder::kMember}) {
        RankedMap map(Ties::kDense, order);
        for (std::int64_t number = 0; number < 100; ++number) {
            map.assign(ItemView::of(number), Scaled::of_double(static_cast<double>(number % 50)));
        }
        const auto tenths = [](const Scaled& score) { return Scaled::of_double(std::floor(score.to_double() / 10)); };
        const RankedMap converted(map, RankKeyCodec(), tenths);
        converted.check();
        CHECK(converted.rank(*converted.find(ItemView::of(0))) == 5);
        const ItemView first = converted.member(converted.at(0));
        CHECK(first == ItemView::of(order == TieOrder::kArrival ? 49 : 40));
    }
}
