// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>

#include "tests/support/leaderboard_operations.hpp"

using engagehub::HalfLife;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::ItemView;
using engagehub::Leaderboard;
using engagehub::TieOrder;
using engagehub::Ties;
using engagehub_tests::BoardBesideModel;
using engagehub_tests::BoardSettings;
using engagehub_tests::RandomChoices;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Operations for each tie policy, order and kind of member: ENGAGEHUB_TEST_OPERATIONS, or a slice.
std::size_t operations() {
    const char* wanted = std::getenv("ENGAGEHUB_TEST_OPERATIONS");
    return wanted == nullptr ? 9'000 : std::stoul(wanted);
}

}  // namespace

TEST_CASE("a leaderboard agrees with a model under random operations, for every tie policy and order") {
    for (const Ties ties : {Ties::kCompetition, Ties::kDense, Ties::kOrdinal}) {
        for (const TieOrder order : {TieOrder::kArrival, TieOrder::kMember}) {
            for (const bool has_texts : {false, true}) {
                // Few members, who meet in ties; more than a block of links can hold; a bounded board.
                for (const std::size_t members : {40U, 6'000U, 300U}) {
                    CAPTURE(static_cast<int>(ties));
                    CAPTURE(static_cast<int>(order));
                    CAPTURE(has_texts);
                    CAPTURE(members);
                    BoardSettings settings{ties, order, has_texts};
                    if (members == 300) settings.max_members = 100;
                    RandomChoices choices(members, operations() / 3);
                    CHECK_NOTHROW(BoardBesideModel<RandomChoices>(settings, choices).run(members));
                }
            }
        }
    }
}

TEST_CASE("a leaderboard lists ties by the UTF-8 bytes of text") {
    Leaderboard board({}, Ties::kCompetition, TieOrder::kMember);
    for (const char* member : {"zoe", "ada", "\xc3\xa9ve", "Ada", "ad"})
        board.add(ItemView::of(std::string_view(member)), 1, 0);
    std::vector<std::string> listed;
    for (const auto& row : board.rows(0, 9, 0)) listed.emplace_back(row.member.text);
    CHECK(listed == std::vector<std::string>{"Ada", "ad", "ada", "zoe", "\xc3\xa9ve"});
}

TEST_CASE("decayed scores stay within rounding of the sum of 2^-(age / half-life), late changes included") {
    std::mt19937_64 random(6);
    for (const std::int64_t half_life : {kSecond, 3'600 * kSecond, 604'800 * kSecond, 315'360'000 * kSecond}) {
        CAPTURE(half_life);
        Leaderboard board(HalfLife::of_micros(half_life));
        std::map<std::int64_t, std::vector<std::pair<std::int64_t, double>>> changes;
        const std::int64_t start = 1'700'000'000 * kSecond;
        std::int64_t newest = start;
        for (int step = 0; step < 3'000; ++step) {
            const auto member = static_cast<std::int64_t>(random() % 20);
            const std::int64_t at =
                start + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(half_life * 12));
            const double points = static_cast<double>(random() % 2'000) / 7.0 - 100.0;
            board.add(ItemView::of(member), points, at);
            changes[member].emplace_back(at, points);
            newest = std::max(newest, at);
        }
        board.check();
        const std::int64_t now = newest + half_life / 3;
        std::vector<std::pair<long double, std::int64_t>> exact;
        for (const auto& [member, list] : changes) {
            long double sum = 0;
            long double magnitude = 0;
            for (const auto& [at, points] : list) {
                const long double part = static_cast<long double>(points) *
                    std::exp2(-static_cast<long double>(now - at) / static_cast<long double>(half_life));
                sum += part;
                magnitude += std::abs(part);
            }
            const auto bound = static_cast<double>(list.size() + 16) * 0x1p-53 * static_cast<double>(magnitude);
            const double shown = board.score(*board.find(ItemView::of(member)), now);
            CHECK(std::abs(shown - static_cast<double>(sum)) <= bound);
            exact.emplace_back(-sum, member);
        }
        std::sort(exact.begin(), exact.end());
        const auto rows = board.rows(0, exact.size(), now);
        for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].member.number == exact[i].second);
    }
}

TEST_CASE("scores too old to show keep their order") {
    Leaderboard board(HalfLife::of_micros(kSecond));
    board.add(ItemView::of(1), 3.0, 0);
    board.add(ItemView::of(2), 2.0, 0);
    board.add(ItemView::of(3), -2.0, 0);
    const std::int64_t century = 3'155'760'000 * kSecond;
    board.add(ItemView::of(4), 1e-300, century);
    const auto rows = board.rows(0, 4, century);
    CHECK(rows[0].member.number == 4);
    CHECK(rows[1].member.number == 1);
    CHECK(rows[2].member.number == 2);
    CHECK(rows[3].member.number == 3);
    CHECK(rows[1].score == 0.0);
    CHECK(rows[2].rank == 3);
    CHECK_FALSE(std::signbit(rows[3].score));
}

TEST_CASE("queries answer as of the newest change at the earliest") {
    Leaderboard board(HalfLife::of_micros(kSecond));
    board.add(ItemView::of(1), 8.0, 10 * kSecond);
    CHECK(board.score(*board.find(ItemView::of(1)), 0) == 8.0);
    CHECK(board.score(*board.find(ItemView::of(1)), 12 * kSecond) == 2.0);
    CHECK(board.add(ItemView::of(1), 8.0, 9 * kSecond) == 12.0);
    CHECK_THROWS_AS(board.set(ItemView::of(1), 1.0, 9 * kSecond), InvalidArgument);
    CHECK(board.set(ItemView::of(1), 1.0, 10 * kSecond) == 1.0);
}

TEST_CASE("counts between limits agree with the scores shown") {
    Leaderboard board;
    for (int i = 0; i < 500; ++i) board.add(ItemView::of(i), i % 50, 0);
    CHECK(board.count_above(10, false, 0) == 390);
    CHECK(board.count_above(10, true, 0) == 400);
    CHECK(board.percentile(*board.find(ItemView::of(10))) == 20.0);
    CHECK(board.percentile(*board.find(ItemView::of(0))) == 0.0);
}

TEST_CASE("merging adds sums, keeps the newest instants and refuses what doesn't fit") {
    Leaderboard one(HalfLife::of_micros(kSecond));
    Leaderboard two(HalfLife::of_micros(kSecond));
    one.add(ItemView::of(1), 4.0, 0);
    two.add(ItemView::of(1), 4.0, 2 * kSecond);
    two.add(ItemView::of(2), 9.0, kSecond);
    one.merge(two);
    CHECK(one.score(*one.find(ItemView::of(1)), 2 * kSecond) == 5.0);
    CHECK(one.last_at(*one.find(ItemView::of(1))) == 2 * kSecond);
    CHECK(one.rank(*one.find(ItemView::of(2))) == 2);
    one.merge(one);
    CHECK(one.score(*one.find(ItemView::of(1)), 2 * kSecond) == 10.0);
    const Leaderboard plain;
    CHECK_THROWS_AS(one.merge(plain), Incompatible);
    Leaderboard text(HalfLife::of_micros(kSecond));
    text.add(ItemView::of(std::string_view("ada")), 1, 0);
    CHECK_THROWS_AS(one.merge(text), Incompatible);
    CHECK(one.size() == 2);
    const Leaderboard copy(one);
    CHECK(copy.score(*copy.find(ItemView::of(1)), 2 * kSecond) == 10.0);
    CHECK(copy.newest() == one.newest());
}

TEST_CASE("points that no sum may hold are refused and change nothing") {
    Leaderboard board;
    for (const double points : {std::nan(""), HUGE_VAL, -HUGE_VAL, 2e290}) {
        CHECK_THROWS_AS(board.add(ItemView::of(1), points, 0), InvalidArgument);
        CHECK_THROWS_AS(board.set(ItemView::of(1), points, 0), InvalidArgument);
    }
    CHECK(board.size() == 0);
}

TEST_CASE("half-lives from a millisecond to ten years keep order and scores, and shorter ones are refused") {
    for (const std::int64_t half_life : {std::int64_t{1'000}, kSecond, 315'576'000 * kSecond}) {
        CAPTURE(half_life);
        Leaderboard board(HalfLife::of_micros(half_life));
        const std::vector<std::int64_t> instants{
            engagehub::kFirstInstant, -1, 0, 1'700'000'000 * kSecond, engagehub::kLastInstant};
        for (std::size_t i = 0; i < instants.size(); ++i) {
            const auto number = static_cast<std::int64_t>(i);
            CHECK(board.add(ItemView::of(number), 1e290, instants[i]) == 1e290);
            CHECK(board.add(ItemView::of(100 + number), 5e-324, instants[i]) == 5e-324);
            CHECK(board.add(ItemView::of(200 + number), -1e290, instants[i]) == -1e290);
            CHECK(board.add(ItemView::of(200 + number), 1e290, instants[i]) == 0.0);
        }
        board.check();
        CHECK(board.rows(0, 1, 0)[0].member.number == 4);
        CHECK(Leaderboard::from_bytes(board.to_bytes()).to_bytes() == board.to_bytes());
        board.rebuild({});
        CHECK(board.score(*board.find(ItemView::of(4)), 0) == 1e290);
    }
    CHECK_THROWS_AS(Leaderboard(HalfLife::of_micros(999)), InvalidArgument);
    Leaderboard board;
    CHECK_THROWS_AS(board.rebuild(HalfLife::of_micros(999)), InvalidArgument);
    CHECK(board.half_life() == HalfLife());
}

TEST_CASE("a board whose members have left keeps their kind, and says so when it merges") {
    Leaderboard board;
    board.add(ItemView::of(1), 1, 0);
    board.remove(*board.find(ItemView::of(1)), 0);
    Leaderboard text;
    text.add(ItemView::of(std::string_view("ada")), 1, 0);
    CHECK_THROWS_AS(board.merge(text), Incompatible);
    board.clear();
    board.merge(text);
    CHECK(board.size() == 1);
}

TEST_CASE("merging refuses a sum that no double shows and changes nothing") {
    Leaderboard board;
    board.add(ItemView::of(1), 1, 0);
    board.add(ItemView::of(2), 1e290, 0);
    while (!(board.score(*board.find(ItemView::of(2)), 0) > 1e308)) board.merge(board);
    const std::string before = board.to_bytes();
    CHECK_THROWS_AS(board.merge(board), InvalidArgument);
    CHECK(board.to_bytes() == before);
}

TEST_CASE("pruning below what is no number is refused") {
    Leaderboard board;
    board.add(ItemView::of(1), 1, 0);
    CHECK_THROWS_AS(board.prune(std::nan(""), 0), InvalidArgument);
    CHECK(board.prune(1.0, 0) == 0);
    CHECK(board.prune(1.5, 0) == 1);
}
