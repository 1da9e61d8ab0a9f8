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
#include "tests/support/zipf_stream.hpp"

using engagehub::Corrupted;
using engagehub::CountMinSketch;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemHash;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::TableSize;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

ItemView number(std::int64_t value) { return ItemView::of(value); }
ItemView text(std::string_view value) { return ItemView::of(value); }
std::uint64_t redis_hash(const ItemView& item) { return ItemHash::redis()(item); }

}  // namespace

// The textbook: a table without any cleverness, beside the sketch on the same stream.
TEST_CASE("CountMinSketch is the conservative sketch of the textbook, and never under-estimates") {
    std::mt19937_64 random(1);
    const engagehub_tests::Zipf zipf(3'000, 1.0);
    CountMinSketch sketch({97, 3});
    std::vector<std::vector<std::uint64_t>> table(3, std::vector<std::uint64_t>(97));
    std::map<std::int64_t, std::uint64_t> truth;
    std::uint64_t total = 0;
    const auto cell = [&](std::int64_t item, std::size_t row) -> std::uint64_t& {
        return table[row][engagehub::row_cell(redis_hash(number(item)), row, 97)];
    };
    const auto least = [&](std::int64_t item) { return std::min({cell(item, 0), cell(item, 1), cell(item, 2)}); };
    for (int i = 0; i < 30'000; ++i) {
        const std::int64_t item = zipf.draw(random);
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
    const engagehub_tests::Zipf zipf(20'000, 1.0);
    CountMinSketch sketch({256, 4});
    std::map<std::int64_t, std::uint64_t> truth;
    for (int i = 0; i < 200'000; ++i) {
        const std::int64_t item = zipf.draw(random);
        sketch.add(number(item));
        ++truth[item];
    }
    CHECK(sketch.size().error() == doctest::Approx(std::exp(1.0) / 256));
    CHECK(sketch.size().confidence() == doctest::Approx(1.0 - std::exp(-4.0)));
    const double slack = sketch.size().error() * 200'000.0;
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
    CHECK(static_cast<double>(beyond) <= 20'000.0 * (1.0 - sketch.size().confidence()));
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
        numbers.push_back(redis_hash(number(i)));
        const std::string name = "channel-" + std::to_string(i);
        texts.push_back(redis_hash(ItemView::of(std::string_view(name))));
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
    for (std::int64_t i = 0; i < 1'000'000; ++i) ++counts[engagehub::row_cell(redis_hash(number(i)), 0, 1'000)];
    double chi_squared = 0.0;
    for (const int count : counts) chi_squared += (count - 1'000.0) * (count - 1'000.0) / 1'000.0;
    // 999 degrees of freedom, sd 44.7: six of them either way.
    CHECK(std::abs(chi_squared - 999.0) < 268.0);
    CHECK(engagehub::row_cell(std::numeric_limits<std::uint64_t>::max(), 3, 1) == 0);
}

TEST_CASE("CountMinSketch merges to an upper bound of both") {
    std::mt19937_64 random(3);
    const engagehub_tests::Zipf zipf(2'000, 1.0);
    CountMinSketch a({128, 4});
    CountMinSketch b({128, 4});
    std::map<std::int64_t, std::uint64_t> truth;
    for (int i = 0; i < 20'000; ++i) {
        const std::int64_t item = zipf.draw(random);
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
    CHECK(TableSize::for_error(0.001, 0.99) == TableSize{2'719, 5});
    CHECK(TableSize::for_error(0.01, 0.5) == TableSize{272, 1});
    for (const double bad : {0.0, 1.0, -1.0, std::nan("")}) {
        CHECK_THROWS_AS(TableSize::for_error(bad, 0.5), InvalidArgument);
        CHECK_THROWS_AS(TableSize::for_error(0.5, bad), InvalidArgument);
    }
    CHECK_THROWS_AS(TableSize::for_error(1e-9, 0.99), InvalidArgument);
}

// Fixed for ever: sketches are merged and read back on other platforms.
TEST_CASE("an item's cells are golden") {
    const auto cells = [](std::uint64_t hash, std::size_t width) {
        std::vector<std::size_t> result;
        for (std::size_t row = 0; row < 5; ++row) result.push_back(engagehub::row_cell(hash, row, width));
        return result;
    };
    using Cells = std::vector<std::size_t>;
    CHECK(cells(0, 2'048) == Cells{1'809, 883, 54, 1'988, 217});
    CHECK(cells(redis_hash(text("general")), 2'048) == Cells{1'386, 445, 1'677, 740, 771});
    CHECK(cells(redis_hash(text("general")), 1'000) == Cells{677, 217, 819, 361, 376});
    CHECK(
        cells(redis_hash(number(-7)), 134'217'728) ==
        Cells{56'304'099, 119'981'692, 21'100'197, 130'735'815, 99'649'836});
    CHECK(cells(ItemHash::keyed({1, 2})(text("general")), 2'048) == Cells{1'017, 33, 138, 1'865, 1'225});
}

TEST_CASE("a batch counts what one call an item counts, at any depth, width and size of batch") {
    std::mt19937_64 random(4);
    const engagehub_tests::Zipf zipf(5'000, 1.0);
    // The last table is larger than what counts as near.
    for (const TableSize size :
         {TableSize{97, 1}, TableSize{97, 4}, TableSize{97, 5}, TableSize{31, 64}, {20'000, 4}}) {
        for (const unsigned bits : {64U, 32U}) {
            for (const ItemHash& hash : {ItemHash::redis(), ItemHash::keyed({1, 2})}) {
                CountMinSketch one(size, bits, hash);
                CountMinSketch batched(size, bits, hash);
                for (const std::size_t count : {0U, 1U, 7U, 8U, 9U, 255U, 256U, 257U, 1'000U}) {
                    std::vector<ItemView> items;
                    std::vector<std::uint64_t> weights;
                    for (std::size_t i = 0; i < count; ++i) {
                        items.push_back(number(zipf.draw(random)));
                        weights.push_back(random() % 3 == 0 ? random() >> 24U : random() % 3);
                        one.add(items.back(), weights.back());
                    }
                    batched.update(items, weights, count);
                    REQUIRE(one == batched);
                }
            }
        }
    }
}

TEST_CASE("cells of 32 bits are those of 64 bits, cut off") {
    std::mt19937_64 random(5);
    const engagehub_tests::Zipf zipf(500, 1.0);
    CountMinSketch wide({31, 3});
    CountMinSketch narrow({31, 3}, 32);
    CHECK(wide.cell_bits() == 64);
    CHECK(narrow.cell_bits() == 32);
    std::map<std::int64_t, std::uint64_t> truth;
    std::size_t saturated = 0;
    for (int i = 0; i < 3'000; ++i) {
        const std::int64_t item = zipf.draw(random);
        const std::uint64_t weight = random() % 50 == 0 ? random() >> 30U : random() >> 40U;
        wide.add(number(item), weight);
        narrow.add(number(item), weight);
        truth[item] += weight;
        const std::uint64_t whole = wide.estimate(number(item));
        const auto bounds = narrow.bounds(number(item));
        REQUIRE(bounds.high >= truth[item]);
        REQUIRE(narrow.total() == wide.total());
        if (whole < 0xffffffffU) {
            REQUIRE(narrow.estimate(number(item)) == whole);
            REQUIRE(bounds.low == wide.bounds(number(item)).low);
        } else {
            // Nothing is known but the total; and no less than where the cells ended.
            ++saturated;
            REQUIRE(narrow.estimate(number(item)) == narrow.total());
            REQUIRE(bounds.high == narrow.total());
            REQUIRE(bounds.low <= wide.bounds(number(item)).low);
        }
    }
    CHECK(saturated > 100);
    CHECK(saturated < 2'900);
}

TEST_CASE("saturated cells stay saturated in a merge") {
    CountMinSketch a({4, 2}, 32);
    CountMinSketch b({4, 2}, 32);
    a.add(number(1), 0xfffffffe);
    CHECK(a.estimate(number(1)) == 0xfffffffe);
    b.add(number(1), 5);
    a.merge(b);
    CHECK(a.bounds(number(1)).high == 0x100000003);
    a.merge(b);
    CHECK(a.bounds(number(1)).high == 0x100000008);
    b.merge(a);
    CHECK(b.bounds(number(1)).high == 0x10000000d);
    CHECK(CountMinSketch::from_bytes(b.to_bytes()) == b);
    CHECK_THROWS_WITH_AS(
        a.merge(CountMinSketch({4, 2})),
        "sketches of the same width, depth and cell_bits are required, got 4 x 2 of 32 bits and 4 x 2 of 64 bits",
        Incompatible);
    CHECK_THROWS_WITH_AS(CountMinSketch({4, 2}, 16), "cell_bits must be 64 or 32, got 16", InvalidArgument);
}

TEST_CASE("a key moves the cells, and sketches of different keys don't mix") {
    const ItemHash key = ItemHash::keyed({1, 2});
    CountMinSketch keyed({64, 4}, 64, key);
    CountMinSketch plain({64, 4});
    for (std::int64_t i = 0; i < 10; ++i) {
        keyed.add(number(i));
        plain.add(number(i));
    }
    const CountMinSketch before = keyed;
    const ItemHash other = ItemHash::keyed({1, 3});
    CHECK_THROWS_WITH_AS(
        keyed.merge(plain),
        ("sketches of the same hash and key are required, got " + key.name() + " and redis").c_str(), Incompatible);
    CHECK_THROWS_WITH_AS(
        keyed.merge(CountMinSketch({64, 4}, 64, other)),
        ("sketches of the same hash and key are required, got " + key.name() + " and " + other.name()).c_str(),
        Incompatible);
    CHECK(keyed == before);
    CHECK(keyed != plain);
    keyed.merge(before);
    CHECK(keyed.estimate(number(3)) >= 2);
    CHECK(CountMinSketch::from_bytes(keyed.to_bytes(), key) == keyed);
    CHECK_THROWS_AS(CountMinSketch::from_bytes(keyed.to_bytes()), Incompatible);
    CHECK_THROWS_AS(CountMinSketch::from_bytes(keyed.to_bytes(), other), Incompatible);
    CHECK_THROWS_AS(CountMinSketch::from_bytes(plain.to_bytes(), key), Incompatible);
    check_damage(keyed.to_bytes(), [&](const std::string& bytes) { CountMinSketch::from_bytes(bytes, key); });
}

TEST_CASE("CountMinSketch's bytes are golden, and read back") {
    for (const bool is_wide : {true, false}) {
        CountMinSketch sketch({3, 2}, is_wide ? 64 : 32);
        sketch.add(text("general"), 3);
        sketch.add(text("help"));
        const std::string wide =
            "010000000000000000000000000000000300000000000000"
            "030000000000000000000000000000000000000000000000"
            "4f42e21d";
        const std::string narrow =
            "010000000000000003000000"
            "030000000000000000000000"
            "eef7417a";
        CHECK(
            to_hex(sketch.to_bytes()) ==
            "4548434d02"
            "03000000"
            "02"
            "02" +
                std::string(is_wide ? "00" : "01") +
                "00"
                "0400000000000000" +
                (is_wide ? wide : narrow));
        CHECK(CountMinSketch::from_bytes(sketch.to_bytes()) == sketch);
        check_damage(sketch.to_bytes(), [](const std::string& bytes) { CountMinSketch::from_bytes(bytes); });
    }
    CHECK(CountMinSketch::from_bytes(CountMinSketch().to_bytes()) == CountMinSketch());
}

TEST_CASE("the first version of CountMinSketch's bytes is read") {
    const std::string bytes = from_hex(
        "4548434d01"
        "03000000"
        "02"
        "02"
        "00"
        "0400000000000000"
        "010000000000000000000000000000000300000000000000"
        "030000000000000000000000000000000000000000000000"
        "30f77795");
    CountMinSketch sketch({3, 2});
    sketch.add(text("general"), 3);
    sketch.add(text("help"));
    CHECK(CountMinSketch::from_bytes(bytes) == sketch);
    check_damage(bytes, [](const std::string& damaged) { CountMinSketch::from_bytes(damaged); });
    CHECK_THROWS_AS(CountMinSketch::from_bytes(bytes, ItemHash::keyed({1, 2})), Incompatible);
}

TEST_CASE("CountMinSketch refuses states that no sketch has, though the checksum is right") {
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return CountMinSketch::from_bytes(engagehub::seal(std::move(writer)));
    };
    // Width, depth, kind, cells, hash, total.
    const std::string start = "4548434d02";
    const std::string two_cells = "02000000000000000300000000000000";
    CHECK(
        read(
            start +
            "02000000"
            "01"
            "01"
            "00"
            "00"
            "0500000000000000" +
            two_cells)
            .total() == 5);
    CHECK(
        read(
            start +
            "02000000"
            "01"
            "01"
            "01"
            "00"
            "0500000000000000"
            "0200000003000000")
            .total() == 5);
    const auto refused = [&](const std::string& state) { CHECK_THROWS_AS(read(start + state), Corrupted); };
    refused(
        "02000000"
        "01"
        "01"
        "00"
        "00"
        "0400000000000000" +
        two_cells);  // a row above the total
    refused(
        "02000000"
        "01"
        "01"
        "01"
        "00"
        "0400000000000000"
        "0200000003000000");
    refused(
        "02000000"
        "01"
        "00"
        "00"
        "00"
        "0500000000000000" +
        two_cells);  // no kind
    refused(
        "02000000"
        "01"
        "01"
        "00"
        "00"
        "0000000000000000"
        "0000000000000000"
        "0000000000000000");  // no total
    refused(
        "02000000"
        "01"
        "03"
        "00"
        "00"
        "0500000000000000" +
        two_cells);  // unknown kind
    refused(
        "02000000"
        "01"
        "01"
        "03"
        "00"
        "0500000000000000" +
        two_cells);  // unknown cells
    refused(
        "02000000"
        "02"
        "01"
        "00"
        "00"
        "0500000000000000" +
        two_cells);  // cells missing
    refused(
        "01000000"
        "01"
        "01"
        "00"
        "00"
        "0500000000000000" +
        two_cells);  // cells too many
    refused(
        "02000000"
        "01"
        "01"
        "01"
        "00"
        "0500000000000000" +
        two_cells);
    refused(
        "ffffffff"
        "ff"
        "01"
        "00"
        "00"
        "0500000000000000" +
        two_cells);  // absurd sizes
    refused(
        "00000000"
        "00"
        "01"
        "00"
        "00"
        "0500000000000000");
    CHECK_THROWS_AS(
        read(
            start +
            "02000000"
            "01"
            "01"
            "00"
            "04"
            "0500000000000000" +
            two_cells),
        Incompatible);
    CHECK_THROWS_AS(
        read(
            "4548434d03"
            "02000000"
            "01"
            "01"
            "00"
            "00"
            "0500000000000000" +
            two_cells),
        Incompatible);
    // The first version had one hash only.
    CHECK_THROWS_AS(
        read(
            "4548434d01"
            "02000000"
            "01"
            "01"
            "01"
            "0500000000000000" +
            two_cells),
        Corrupted);
}
