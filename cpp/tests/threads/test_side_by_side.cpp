// SPDX-License-Identifier: MIT
// Const methods of boards and sketches, asked by several threads at once: the thread sanitizer sees what they remember.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <engagehub/decay/half_life.hpp>
#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/top_k.hpp>

using engagehub::CountMinSketch;
using engagehub::HalfLife;
using engagehub::HyperLogLog;
using engagehub::ItemView;
using engagehub::Leaderboard;
using engagehub::Ties;
using engagehub::TopK;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

// How many of three threads see another answer than this one.
template <class Ask>
int dissenters(const Ask& ask) {
    std::vector<decltype(ask())> answers(3);
    std::vector<std::thread> readers;
    readers.reserve(answers.size());
    for (auto& answer : answers) readers.emplace_back([&] { answer = ask(); });
    for (auto& reader : readers) reader.join();
    const auto expected = ask();
    int wrong = 0;
    for (const auto& answer : answers) wrong += answer == expected ? 0 : 1;
    return wrong;
}

}  // namespace

TEST_CASE("a sketch may be asked by several threads at once") {
    HyperLogLog distinct;
    CountMinSketch counts;
    TopK top(10);
    for (std::int64_t i = 0; i < 20'000; ++i) {
        distinct.add(ItemView::of(i));
        counts.add(ItemView::of(i % 100));
        top.add(ItemView::of(i % 30));
    }
    CHECK_FALSE(distinct.is_sparse());
    CHECK(dissenters([&] { return distinct.estimate(); }) == 0);
    CHECK(dissenters([&] { return distinct.to_bytes(); }) == 0);
    CHECK(dissenters([&] { return counts.estimate(ItemView::of(7)); }) == 0);
    CHECK(dissenters([&] { return top.top(1).at(0).answer.high; }) == 0);
}

TEST_CASE("a board may be asked by several threads at once") {
    Leaderboard board(HalfLife::of_micros(kSecond), Ties::kDense);
    for (int i = 0; i < 3'000; ++i) board.add(ItemView::of(i), i % 100, i * kSecond / 1'000);
    const std::string bytes = board.to_bytes();
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&, reader] {
            for (int i = reader; i < 3'000; i += 7) {
                const auto slot = board.find(ItemView::of(i));
                const auto rows = board.rows(board.position(*slot), 2, 0);
                if (rows[0].member.number != i || rows[0].rank != board.rank(*slot)) ++wrong;
                if (board.count_above(rows[0].score, false, 0) > board.position(*slot)) ++wrong;
            }
            if (board.to_bytes() != bytes) ++wrong;
        });
    }
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
}
