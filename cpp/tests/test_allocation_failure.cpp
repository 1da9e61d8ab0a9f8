// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/sketch/top_k.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::HalfLife;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::Leaderboard;
using engagehub::TieOrder;
using engagehub::Ties;
using engagehub::TopK;
using engagehub_tests::allocations;
using engagehub_tests::fail_at_every_allocation;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

// Texts from slot to slot shorter and longer than a cell of their column.
std::string name_of(std::size_t i) { return std::string(i % 2 == 0 ? 1 : 24, 'm') + std::to_string(i); }

ItemView view_of(std::string_view name) { return ItemView::of(name); }

std::unique_ptr<Leaderboard> board_of(std::size_t members, Ties ties, TieOrder order, std::size_t most) {
    auto board = std::make_unique<Leaderboard>(HalfLife::of_micros(kSecond), ties, order, most);
    for (std::size_t i = 0; i < members; ++i) {
        const std::string name = name_of(i);
        board->add(view_of(name), static_cast<double>(i % 37), static_cast<std::int64_t>(i % 5) * kSecond);
    }
    return board;
}

template <class Body>
void for_boards(const std::vector<std::size_t>& sizes, const Body& body) {
    for (const Ties ties : {Ties::kCompetition, Ties::kDense}) {
        for (const TieOrder order : {TieOrder::kArrival, TieOrder::kMember}) {
            for (const std::size_t members : sizes) {
                CAPTURE(static_cast<int>(ties));
                CAPTURE(static_cast<int>(order));
                CAPTURE(members);
                body([=] { return board_of(members, ties, order, Leaderboard::kUnbounded); });
            }
        }
    }
}

// Memory fails at every allocation of a change; it has changed nothing then, the kind of members included.
template <class Change>
std::size_t check_all_or_nothing(Leaderboard& board, const Change& change) {
    const std::string before = board.to_bytes();
    const ItemKind kind = board.kind();
    return fail_at_every_allocation(
        [&] { change(board); },
        [&] {
            board.check();
            REQUIRE(board.to_bytes() == before);
            REQUIRE(board.kind() == kind);
        });
}

struct Names {
    const std::vector<std::string>& names;
    ItemView operator[](std::size_t i) const { return view_of(names[i]); }
};

}  // namespace

TEST_CASE("a change of one member for which there is no memory changes nothing") {
    std::size_t failures = 0;
    for_boards({0, 6, 64, 1'024}, [&](const auto& make) {  // where tables, columns and blocks are full
        const auto board = make();
        for (std::size_t i = 0; i < 150; ++i) {  // new members at one place, which cut blocks
            const std::string name = "new" + name_of(i);
            failures +=
                check_all_or_nothing(*board, [&](Leaderboard& each) { each.add(view_of(name), 5.0, 5 * kSecond); });
        }
        for (std::size_t i = 0; i < 150; ++i) {  // those move to another
            const std::string name = "new" + name_of(i);
            failures +=
                check_all_or_nothing(*board, [&](Leaderboard& each) { each.set(view_of(name), -1.0, 6 * kSecond); });
        }
        CHECK(board->position(*board->find(view_of("newm0"))) + 150 >= board->size());
    });
    CHECK(failures > 100);
}

TEST_CASE("a board that is merged, rebuilt, pruned or copied without memory for it stays as it was") {
    for_boards({0, 6, 64, 300}, [](const auto& make) {
        const auto board = make();
        const auto other = board_of(100, Ties::kCompetition, TieOrder::kArrival, Leaderboard::kUnbounded);
        other->add(view_of("another"), 3.0, 9 * kSecond);
        const std::string others = other->to_bytes();
        CHECK(check_all_or_nothing(*board, [&](Leaderboard& each) { each.merge(*other); }) > 3);
        CHECK(other->to_bytes() == others);
        CHECK(check_all_or_nothing(*board, [](Leaderboard& each) { each.merge(each); }) > 3);
        CHECK(check_all_or_nothing(*board, [](Leaderboard& each) { each.rebuild({}); }) > 3);
        CHECK(check_all_or_nothing(*board, [](const Leaderboard& each) { const Leaderboard copy(each); }) > 3);
        const double middle = board->rows(board->size() / 2, 1, 0)[0].score;
        CHECK(check_all_or_nothing(*board, [&](Leaderboard& each) { each.prune(middle, 0); }) > 0);
        CHECK(board->size() < 1'000);
    });
}

TEST_CASE("an update for which memory runs out has made the changes that it counts, and no other") {
    std::size_t partly = 0;
    for_boards({0, 6, 64, 300}, [&](const auto& make) {
        for (const std::size_t size : {12U, 200U}) {  // one by one, and where the board is small in one pass
            CAPTURE(size);
            std::vector<std::string> names;
            std::vector<double> points;
            std::vector<std::int64_t> instants;
            for (std::size_t i = 0; i < size; ++i) {
                names.push_back((i % 3 == 0 ? "new" : "") + name_of(i * 5));
                points.push_back(static_cast<double>(i % 7));
                instants.push_back(static_cast<std::int64_t>(i % 9) * kSecond);
            }
            for (std::size_t n = 0;; ++n) {
                const auto board = make();
                const auto expected = make();
                std::size_t done = size + 1;
                bool failed = false;
                allocations.until_failure = n;
                try {
                    board->update(Names{names}, points, instants, size, done);
                } catch (const std::bad_alloc&) {
                    failed = true;
                }
                allocations.until_failure = UINT64_MAX;
                for (std::size_t i = 0; i < done; ++i) {
                    expected->add(view_of(names[i]), points[i], instants[i]);
                }
                board->check();
                REQUIRE(board->to_bytes() == expected->to_bytes());
                REQUIRE(board->kind() == expected->kind());
                if (!failed) {
                    REQUIRE(done == size);
                    break;
                }
                partly += done != 0 ? 1 : 0;
            }
        }
    });
    CHECK(partly > 10);
}

TEST_CASE("a bounded board updates and evicts as far as memory reaches") {
    const std::vector<std::string> names{"a", "a member with a long name", "c", "d", "e", "f", "g", "h", "i", "j"};
    const std::vector<double> points(names.size(), 50.0);
    const std::vector<std::int64_t> instants(names.size(), 9 * kSecond);
    for (std::size_t n = 0;; ++n) {
        const auto board = board_of(64, Ties::kDense, TieOrder::kArrival, 64);
        std::size_t done = 0;
        bool failed = false;
        allocations.until_failure = n;
        try {
            board->update(Names{names}, points, instants, names.size(), done);
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        allocations.until_failure = UINT64_MAX;
        board->check();
        REQUIRE(board->size() == 64);
        REQUIRE(board->evicted() == done);
        if (!failed) break;
    }
}

TEST_CASE("reading and writing a board fail without a leak where memory does") {
    for_boards({0, 6, 64, 300}, [](const auto& make) {
        const auto board = make();
        const std::string bytes = board->to_bytes();
        const auto nothing = [] {};
        std::size_t size = 0;
        fail_at_every_allocation([&] { size = Leaderboard::from_bytes(bytes).size(); }, nothing);
        CHECK(size == board->size());
        fail_at_every_allocation([&] { size = board->to_bytes().size(); }, nothing);
        CHECK(size == bytes.size());
        fail_at_every_allocation([&] { size = board->rows(0, 10, 0).size(); }, nothing);
        CHECK(size == std::min<std::size_t>(10, board->size()));
    });
}

TEST_CASE("a count of rows that the bytes can't hold asks for no memory") {
    Leaderboard board;
    board.add(ItemView::of(1), 1.0, 0);
    std::string bytes = board.to_bytes();
    constexpr std::size_t kCount = 40;
    for (std::size_t i = kCount; i < kCount + 8; ++i) bytes[i] = '\x7f';
    bytes.resize(bytes.size() - 4);
    engagehub::ByteWriter writer;
    writer.put_raw(bytes);
    const std::string hostile = engagehub::seal(std::move(writer));
    allocations.largest = 0;
    CHECK_THROWS_AS(Leaderboard::from_bytes(hostile), engagehub::Corrupted);
    CHECK(allocations.largest < 1'000);
}

TEST_CASE("a TopK without memory has counted nothing, and still writes what can be read") {
    const HalfLife half_life = HalfLife::of_micros(kSecond);
    for (const HalfLife baseline : {HalfLife(), HalfLife::of_micros(10 * kSecond)}) {
        for (const std::size_t items : {0U, 1U, 8U, 40U}) {
            // Within the same frame of exponents, and so far ahead that it moves.
            for (const std::int64_t at : {std::int64_t{5} * kSecond, std::int64_t{5'000} * kSecond}) {
                TopK sketch(20, {half_life, baseline}, {16, 2});
                for (std::size_t i = 0; i < items; ++i)
                    sketch.add(view_of(name_of(i)), 1.0, static_cast<std::int64_t>(i % 5) * kSecond);
                const std::string before = sketch.to_bytes();
                const std::string name(100, 'n');
                const std::size_t failures = fail_at_every_allocation(
                    [&] { sketch.add(view_of(name), 1.0, at); },
                    [&] {
                        REQUIRE(sketch.to_bytes() == before);
                        REQUIRE(TopK::from_bytes(before) == sketch);
                    });
                REQUIRE(failures > 0);
                REQUIRE(sketch.answer(view_of(name), at).high >= 1.0);
                REQUIRE(TopK::from_bytes(sketch.to_bytes()) == sketch);
            }
        }
    }
}
