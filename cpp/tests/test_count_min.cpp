// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/row_hash.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Corrupted;
using engagehub::CountMinSketch;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

ItemView number(std::int64_t value) { return ItemView::of(value); }

// Zipf(1) over 1 to names.
class Zipf {
public:
    explicit Zipf(std::size_t names) {
        double sum = 0.0;
        for (std::size_t i = 1; i <= names; ++i) cumulative_.push_back(sum += 1.0 / static_cast<double>(i));
    }
    template <class Random>
    std::int64_t operator()(Random& random) const {
        const double at = std::ldexp(static_cast<double>(random() >> 11U), -53) * cumulative_.back();
        return std::lower_bound(cumulative_.begin(), cumulative_.end(), at) - cumulative_.begin();
    }

private:
    std::vector<double> cumulative_;
};

}  // namespace

// The textbook: a table without any cleverness, beside the sketch on the same stream.
TEST_CASE("CountMinSketch is the conservative sketch of the textbook, and never under-estimates") {
    std::mt19937_64 random(1);
    const Zipf zipf(3'000);
    CountMinSketch sketch({97, 3});
    std::vector<std::vector<std::uint64_t>> table(3, std::vector<std::uint64_t>(97));
    std::map<std::int64_t, std::uint64_t> truth;
    std::uint64_t total = 0;
    const auto cell = [&](std::int64_t item, std::size_t row) -> std::uint64_t& {
        return table[row][engagehub::row_cell(engagehub::hash_of(number(item)), row, 97)];
    };
    const auto least = [&](std::int64_t item) { return std::min({cell(item, 0), cell(item, 1), cell(item, 2)}); };
    for (int i = 0; i < 30'000; ++i) {
        const std::int64_t item = zipf(random);
        const std::uint64_t weight = random() % 4;
        sketch.add(number(item), weight);
        truth[item] += weight;
        total += weight;
        const std::uint64_t target = least(item) + weight;
        for (std::size_t row = 0; row < 3; ++row) cell(item, row) = std::max(cell(item, row), target);
        REQUIRE(sketch.estimate(number(item)) == least(item));
    }
    CHECK(sketch.total() == total);
    for (const auto& [item, count] : truth) REQUIRE(sketch.estimate(number(item)) >= count);
}

// Markov: an estimate exceeds the truth by more than e / width * total in at most e^-depth of all items; conservative
// updates only lower it. With 20,000 items of which at most 1.9 % (depth 4) may miss, a count above 1.9 % is an error
// of the sketch, not of chance, for the expectation is far below (the seeds are fixed).
TEST_CASE("CountMinSketch keeps its error and bounds at the confidence it states") {
    std::mt19937_64 random(2);
    const Zipf zipf(20'000);
    CountMinSketch sketch({256, 4});
    std::map<std::int64_t, std::uint64_t> truth;
    for (int i = 0; i < 200'000; ++i) {
        const std::int64_t item = zipf(random);
        sketch.add(number(item));
        ++truth[item];
    }
    CHECK(sketch.error() == doctest::Approx(std::exp(1.0) / 256));
    CHECK(sketch.confidence() == doctest::Approx(1.0 - std::exp(-4.0)));
    const double slack = sketch.error() * 200'000.0;
    std::size_t beyond = 0;
    for (std::int64_t item = 0; item < 20'000; ++item) {
        const auto bounds = sketch.bounds(number(item));
        const std::uint64_t count = truth.count(item) != 0 ? truth[item] : 0;
        REQUIRE(bounds.high >= count);
        REQUIRE(bounds.estimate == bounds.high);
        REQUIRE(bounds.low <= bounds.high);
        REQUIRE(static_cast<double>(bounds.high) - static_cast<double>(bounds.low) <= slack);
        beyond += bounds.low > count ? 1 : 0;
    }
    CHECK(static_cast<double>(beyond) <= 20'000.0 * (1.0 - sketch.confidence()));
}

// Pairs of items that share a cell in all rows: width^-depth of them, if the rows are independent. Expected 153 and 39
// among 10^7 pairs; being Poisson, a count outside 6 standard deviations has a probability below 1e-7. Rows that depend
// on each other, as sums h1 + row * h2 do, give thousands.
TEST_CASE("CountMinSketch's rows are independent") {
    const auto shared_pairs = [](std::size_t width, std::size_t depth, const std::vector<std::uint64_t>& hashes) {
        std::map<std::vector<std::size_t>, std::uint64_t> groups;
        for (const std::uint64_t hash : hashes) {
            std::vector<std::size_t> cells;
            for (std::size_t row = 0; row < depth; ++row) cells.push_back(engagehub::row_cell(hash, row, width));
            ++groups[cells];
        }
        double pairs = 0.0;
        for (const auto& group : groups) pairs += static_cast<double>(group.second * (group.second - 1)) / 2.0;
        return pairs;
    };
    std::vector<std::uint64_t> numbers;
    std::vector<std::uint64_t> texts;
    std::vector<std::uint64_t> raw;             // no hash before the rows' own
    for (std::int64_t i = 0; i < 4'473; ++i) {  // 10^7 pairs
        numbers.push_back(engagehub::hash_of(number(i)));
        const std::string name = "channel-" + std::to_string(i);
        texts.push_back(engagehub::hash_of(ItemView::of(std::string_view(name))));
        raw.push_back(static_cast<std::uint64_t>(i));
    }
    for (const auto& hashes : {numbers, texts, raw}) {
        const double pairs = 4'473.0 * 4'472.0 / 2.0;
        for (const auto& [width, depth] :
             std::vector<std::pair<std::size_t, std::size_t>>{{16, 4}, {64, 3}, {63, 3}, {64, 2}, {1'000, 1}}) {
            const double expected = pairs * std::pow(static_cast<double>(width), -static_cast<double>(depth));
            const double found = shared_pairs(width, depth, hashes);
            CHECK(std::abs(found - expected) < 6.0 * std::sqrt(expected));
        }
    }
}

TEST_CASE("CountMinSketch's rows are even at any width") {
    std::vector<int> counts(1'000);
    for (std::int64_t i = 0; i < 1'000'000; ++i) ++counts[engagehub::row_cell(engagehub::hash_of(number(i)), 0, 1'000)];
    double chi_squared = 0.0;
    for (const int count : counts) chi_squared += (count - 1'000.0) * (count - 1'000.0) / 1'000.0;
    // 999 degrees of freedom, sd 44.7: six of them either way.
    CHECK(std::abs(chi_squared - 999.0) < 268.0);
    CHECK(engagehub::row_cell(std::numeric_limits<std::uint64_t>::max(), 3, 1) == 0);
}

TEST_CASE("CountMinSketch merges to an upper bound of both") {
    std::mt19937_64 random(3);
    const Zipf zipf(2'000);
    CountMinSketch a({128, 4});
    CountMinSketch b({128, 4});
    std::map<std::int64_t, std::uint64_t> truth;
    for (int i = 0; i < 20'000; ++i) {
        const std::int64_t item = zipf(random);
        (i % 3 == 0 ? a : b).add(number(item));
        ++truth[item];
    }
    CountMinSketch ab = a;
    ab.merge(b);
    CountMinSketch ba = b;
    ba.merge(a);
    CHECK(ab == ba);
    CHECK(ab.total() == 20'000);
    for (const auto& [item, count] : truth) {
        REQUIRE(ab.estimate(number(item)) >= count);
        REQUIRE(ab.estimate(number(item)) >= a.estimate(number(item)) + b.estimate(number(item)));
    }
    ab.merge(ab);
    CHECK(ab.total() == 40'000);
    CHECK_THROWS_AS(a.merge(CountMinSketch({128, 3})), Incompatible);
    CHECK_THROWS_AS(a.merge(CountMinSketch({64, 4})), Incompatible);
    CountMinSketch texts({128, 4});
    texts.add(ItemView::of(std::string_view("a")));
    const CountMinSketch before = a;
    CHECK_THROWS_AS(a.merge(texts), Incompatible);
    CHECK(a == before);
}

TEST_CASE("CountMinSketch refuses what would not fit, and changes nothing") {
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    CountMinSketch sketch({8, 2});
    sketch.add(number(1), kMost);
    CHECK(sketch.estimate(number(1)) == kMost);
    const CountMinSketch full = sketch;
    CHECK_THROWS_AS(sketch.add(number(2)), InvalidArgument);
    CHECK_THROWS_AS(sketch.merge(full), InvalidArgument);
    CHECK_THROWS_AS(sketch.add(ItemView::of(std::string_view("a"))), InvalidType);
    CHECK_THROWS_AS(sketch.estimate(ItemView::of(std::string_view("a"))), InvalidType);
    CHECK(sketch == full);
    CountMinSketch small({8, 2});
    const std::vector<ItemView> items = {number(1), number(2)};
    CHECK_THROWS_AS(small.update(items, std::vector<std::uint64_t>{kMost, 1}, 2), InvalidArgument);
    const std::vector<ItemView> mixed = {number(1), ItemView::of(std::string_view("a"))};
    CHECK_THROWS_AS(small.update(mixed, std::vector<std::uint64_t>{1, 1}, 2), InvalidType);
    small.add(number(1), 0);
    CHECK(small == CountMinSketch({8, 2}));
    small.update(items, std::vector<std::uint64_t>{3, 4}, 2);
    CHECK(small.total() == 7);
    small.clear();
    CHECK(small == CountMinSketch({8, 2}));
    CHECK_THROWS_AS(CountMinSketch({0, 4}), InvalidArgument);
    CHECK_THROWS_AS(CountMinSketch({8, 0}), InvalidArgument);
    CHECK_THROWS_AS(CountMinSketch({8, 65}), InvalidArgument);
    CHECK_THROWS_AS(CountMinSketch({std::size_t{1} << 27U, 2}), InvalidArgument);
    CHECK_THROWS_AS(CountMinSketch({std::numeric_limits<std::size_t>::max(), 64}), InvalidArgument);
}

TEST_CASE("CountMinSketch is sized for an error and a confidence") {
    CHECK(CountMinSketch::size_for(0.001, 0.99) == engagehub::TableSize{2'719, 5});
    CHECK(CountMinSketch::size_for(0.01, 0.5) == engagehub::TableSize{272, 1});
    for (const double bad : {0.0, 1.0, -1.0, std::nan("")}) {
        CHECK_THROWS_AS(CountMinSketch::size_for(bad, 0.5), InvalidArgument);
        CHECK_THROWS_AS(CountMinSketch::size_for(0.5, bad), InvalidArgument);
    }
    CHECK_THROWS_AS(CountMinSketch::size_for(1e-9, 0.99), InvalidArgument);
}

TEST_CASE("CountMinSketch's bytes are golden, and read back") {
    CountMinSketch sketch({3, 2});
    sketch.add(ItemView::of(std::string_view("general")), 3);
    sketch.add(ItemView::of(std::string_view("help")));
    CHECK(
        to_hex(sketch.to_bytes()) ==
        "4548434d01"
        "03000000"
        "02"
        "02"
        "00"
        "0400000000000000"
        "010000000000000000000000000000000300000000000000"
        "030000000000000000000000000000000000000000000000"
        "30f77795");
    CHECK(CountMinSketch::from_bytes(sketch.to_bytes()) == sketch);
    CHECK(CountMinSketch::from_bytes(CountMinSketch().to_bytes()) == CountMinSketch());
    check_damage(sketch.to_bytes(), [](const std::string& bytes) { CountMinSketch::from_bytes(bytes); });
}

TEST_CASE("CountMinSketch refuses states that no sketch has, though the checksum is right") {
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return CountMinSketch::from_bytes(engagehub::seal(std::move(writer)));
    };
    const std::string two_cells = "02000000000000000300000000000000";
    CHECK(
        read(
            "4548434d01"
            "02000000"
            "01"
            "01"
            "00"
            "0500000000000000" +
            two_cells)
            .total() == 5);
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "01"
            "01"
            "00"
            "0400000000000000" +
            two_cells),
        Corrupted);  // row above the total
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "01"
            "00"
            "00"
            "0500000000000000" +
            two_cells),
        Corrupted);  // no kind
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "01"
            "03"
            "00"
            "0500000000000000" +
            two_cells),
        Corrupted);  // unknown kind
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "02"
            "01"
            "00"
            "0500000000000000" +
            two_cells),
        Corrupted);  // cells missing
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "01000000"
            "01"
            "01"
            "00"
            "0500000000000000" +
            two_cells),
        Corrupted);  // cells too many
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "ffffffff"
            "ff"
            "01"
            "00"
            "0500000000000000" +
            two_cells),
        Corrupted);  // absurd sizes
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "00000000"
            "00"
            "01"
            "00"
            "0500000000000000"),
        Corrupted);
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "01"
            "01"
            "01"
            "0500000000000000" +
            two_cells),
        Incompatible);  // hash
}
