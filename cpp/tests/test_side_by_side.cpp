// SPDX-License-Identifier: MIT
// Const methods of the sketches, asked by several threads at once: the thread sanitizer sees what they remember.
#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/top_k.hpp>

using engagehub::CountMinSketch;
using engagehub::HyperLogLog;
using engagehub::ItemView;
using engagehub::TopK;

namespace {

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
