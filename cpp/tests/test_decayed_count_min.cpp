// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/instant.hpp>
#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/decayed_count_min.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Answer;
using engagehub::Corrupted;
using engagehub::DecayedCountMin;
using engagehub::HalfLife;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemHash;
using engagehub::ItemView;
using engagehub::TableSize;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kYear = 31'557'600 * kSecond;

ItemView number(std::int64_t value) { return ItemView::of(value); }

// Every weight that an item got, summed in long doubles: good for 18 digits, where the sketch promises 15.
class Weights {
public:
    explicit Weights(std::int64_t half_life) : half_life_(half_life) {}
    void add(std::int64_t item, double weight, std::int64_t at) { all_[item].emplace_back(weight, at); }
    long double of(std::int64_t item, std::int64_t at) const {
        long double sum = 0;
        const auto found = all_.find(item);
        if (found == all_.end()) return sum;
        for (const auto& [weight, when] : found->second)
            sum += weight * std::exp2(static_cast<long double>(when - at) / static_cast<long double>(half_life_));
        return sum;
    }
    const std::map<std::int64_t, std::vector<std::pair<double, std::int64_t>>>& all() const { return all_; }

private:
    std::int64_t half_life_;
    std::map<std::int64_t, std::vector<std::pair<double, std::int64_t>>> all_;
};

void check_upper_bounds(const DecayedCountMin& sketch, const Weights& weights, std::int64_t now) {
    for (const auto& entry : weights.all()) {
        const Answer answer = sketch.answer(number(entry.first), now);
        REQUIRE(answer.low <= answer.estimate);
        REQUIRE(answer.estimate <= answer.high);
        // The model's own rounding.
        REQUIRE(answer.high >= static_cast<double>(weights.of(entry.first, now) * (1.0L - 1e-17L)));
        REQUIRE(sketch.estimate(number(entry.first), now) == answer.estimate);
    }
}

}  // namespace

TEST_CASE("DecayedCountMin halves with every half-life, and answers no earlier than its newest weight") {
    DecayedCountMin sketch({64, 4}, HalfLife::of_micros(3'600 * kSecond));
    sketch.add(number(1), 8, 0);
    for (int i = 0; i < 60; ++i) CHECK(sketch.estimate(number(1), i * 3'600 * kSecond) == std::ldexp(8.0, -i));
    CHECK(sketch.estimate(number(1), -kYear) == 8.0);
    CHECK(sketch.estimate(number(2), 0) == 0.0);
    sketch.add(number(1), 8, -3'600 * kSecond);  // late: half of it is left
    CHECK(sketch.estimate(number(1), 0) == 12.0);
    CHECK(sketch.total() == 12.0);
    sketch.add(number(2), 1, 7'200 * kSecond);
    CHECK(sketch.estimate(number(1), 0) == 3.0);
    CHECK(sketch.total() == 4.0);
}

TEST_CASE("DecayedCountMin never under-estimates, at any half-life and distance of time") {
    std::mt19937_64 random(1);
    for (const std::int64_t half_life : {std::int64_t{1}, kSecond, 3'600 * kSecond, 10 * kYear}) {
        CAPTURE(half_life);
        DecayedCountMin sketch({7, 3}, HalfLife::of_micros(half_life));
        Weights weights(half_life);
        std::int64_t now = -50 * kYear;
        for (int i = 0; i < 600; ++i) {
            const std::int64_t steps[] = {0, 1, kSecond, 3'600 * kSecond, kYear / 12};
            now += steps[random() % 5];
            const auto item = static_cast<std::int64_t>(random() % 30);
            const double weight = static_cast<double>(random() % 1'000) / 8.0;
            const std::int64_t at = now - static_cast<std::int64_t>(random() % 50) * (half_life / 4);
            sketch.add(number(item), weight, at);
            if (weight != 0.0) weights.add(item, weight, at);
        }
        std::int64_t newest = engagehub::kFirstInstant;
        for (const auto& entry : weights.all())
            for (const auto& [weight, at] : entry.second) newest = std::max(newest, at);
        check_upper_bounds(sketch, weights, newest);
        check_upper_bounds(sketch, weights, newest + 3 * half_life + 1);
        check_upper_bounds(sketch, weights, std::min(newest + 900 * half_life, engagehub::kLastInstant));
        CHECK(DecayedCountMin::from_bytes(sketch.to_bytes()) == sketch);
    }
}

// As for CountMinSketch: Markov's bound on the share of items, far from what is expected; the seed is fixed.
TEST_CASE("DecayedCountMin keeps its error at the confidence it states") {
    std::mt19937_64 random(2);
    DecayedCountMin sketch({256, 4}, HalfLife::of_micros(10'000));
    Weights weights(10'000);
    for (int i = 0; i < 100'000; ++i) {
        const double uniform = std::ldexp(static_cast<double>(random() >> 11U), -53);
        const auto item = static_cast<std::int64_t>(std::pow(20'000.0, uniform));
        sketch.add(number(item), 1.0, i);
        weights.add(item, 1.0, i);
    }
    std::size_t beyond = 0;
    for (std::int64_t item = 0; item < 20'000; ++item) {
        const Answer answer = sketch.answer(number(item), 100'000);
        const auto truth = static_cast<double>(weights.of(item, 100'000));
        REQUIRE(answer.high >= truth);
        REQUIRE(answer.high - answer.low <= sketch.size().error() * sketch.total() * 1.001);
        beyond += answer.low > truth ? 1U : 0U;
    }
    CHECK(static_cast<double>(beyond) <= 20'000.0 * (1.0 - sketch.size().confidence()));
}

TEST_CASE("DecayedCountMin counts a batch as one call an item, also where the exponent moves in the middle") {
    std::mt19937_64 random(3);
    for (const TableSize size : {TableSize{5, 2}, TableSize{97, 4}}) {
        DecayedCountMin one(size, HalfLife::of_micros(kSecond));
        DecayedCountMin batched(size, HalfLife::of_micros(kSecond));
        std::int64_t now = 0;
        for (const std::size_t count : {0U, 1U, 255U, 256U, 257U, 1'000U}) {
            std::vector<ItemView> items;
            std::vector<double> weights;
            std::vector<std::int64_t> instants;
            for (std::size_t i = 0; i < count; ++i) {
                now += static_cast<std::int64_t>(random() % 40) * kSecond;
                items.push_back(number(static_cast<std::int64_t>(random() % 100)));
                weights.push_back(static_cast<double>(random() % 3));
                instants.push_back(now - static_cast<std::int64_t>(random() % 1'500) * kSecond);
                one.add(items.back(), weights.back(), instants.back());
            }
            batched.update(items, weights, instants, count);
            REQUIRE(one == batched);
        }
    }
}

TEST_CASE("DecayedCountMin merges to an upper bound of both, in either order") {
    std::mt19937_64 random(4);
    Weights weights(kSecond);
    DecayedCountMin a({16, 3}, HalfLife::of_micros(kSecond));
    DecayedCountMin b({16, 3}, HalfLife::of_micros(kSecond));
    const DecayedCountMin empty = a;
    for (int i = 0; i < 2'000; ++i) {
        const auto item = static_cast<std::int64_t>(random() % 40);
        // b is of 600 half-lives later, and overlaps a.
        const bool is_late = i % 3 == 0;
        const std::int64_t at = i * kSecond / 2 + (is_late ? 600 * kSecond : 0);
        (is_late ? b : a).add(number(item), 3.0, at);
        weights.add(item, 3.0, at);
    }
    DecayedCountMin ab = a;
    ab.merge(b);
    DecayedCountMin ba = b;
    ba.merge(a);
    CHECK(ab == ba);
    check_upper_bounds(ab, weights, 1'600 * kSecond);
    DecayedCountMin same = a;
    same.merge(empty);
    CHECK(same == a);
    same = empty;
    same.merge(a);
    CHECK(same == a);
    ab = a;
    ab.merge(ab);
    CHECK(ab.estimate(number(3), 0) == 2 * a.estimate(number(3), 0));
}

TEST_CASE("DecayedCountMin refuses what doesn't belong, and changes nothing") {
    const HalfLife second = HalfLife::of_micros(kSecond);
    DecayedCountMin sketch({8, 2}, second);
    sketch.add(number(1), 2, 0);
    const DecayedCountMin before = sketch;
    for (const double bad : {-1.0, std::nan(""), 1e16}) {
        CHECK_THROWS_AS(sketch.add(number(1), bad, 0), InvalidArgument);
        CHECK_THROWS_AS(
            sketch.update(
                std::vector<ItemView>{number(1), number(2)}, std::vector<double>{1.0, bad},
                std::vector<std::int64_t>{0, 0}, 2),
            InvalidArgument);
    }
    CHECK_THROWS_AS(sketch.add(number(1), 1, engagehub::kLastInstant + 1), InvalidArgument);
    CHECK_THROWS_AS(sketch.estimate(number(1), engagehub::kFirstInstant - 1), InvalidArgument);
    CHECK_THROWS_AS(sketch.add(ItemView::of(std::string_view("a")), 1, 0), InvalidType);
    CHECK_THROWS_AS(sketch.answer(ItemView::of(std::string_view("a")), 0), InvalidType);
    for (const DecayedCountMin& other :
         {DecayedCountMin({8, 3}, second), DecayedCountMin({9, 2}, second),
          DecayedCountMin({8, 2}, HalfLife::of_micros(kSecond + 1)),
          DecayedCountMin({8, 2}, second, ItemHash::keyed({1, 2}))}) {
        CHECK_THROWS_AS(sketch.merge(other), Incompatible);
    }
    DecayedCountMin texts({8, 2}, second);
    texts.add(ItemView::of(std::string_view("a")), 1, 0);
    CHECK_THROWS_AS(sketch.merge(texts), Incompatible);
    sketch.add(number(7), 0, 5 * kSecond);
    CHECK(sketch == before);
    sketch.clear();
    CHECK(sketch == DecayedCountMin({8, 2}, second));
    CHECK_THROWS_AS(DecayedCountMin({8, 2}, HalfLife()), InvalidArgument);
}

TEST_CASE("DecayedCountMin's bytes are golden, and read back") {
    DecayedCountMin sketch({3, 2}, HalfLife::of_micros(3'600 * kSecond));
    sketch.add(ItemView::of(std::string_view("general")), 3, 0);
    sketch.add(ItemView::of(std::string_view("help")), 1, 7'200 * kSecond);
    CHECK(
        to_hex(sketch.to_bytes()) ==
        "4548434d02"
        "03000000"
        "02"
        "02"
        "02"
        "00"
        "00a493d600000000"
        "0200000000000000"
        "004827ad01000000"
        "0000000000000000"
        "0000000000001c40"
        "000000000000104000000000000000000000000000000840"
        "000000000000104000000000000000000000000000000000"
        "4272b8a7");
    CHECK(DecayedCountMin::from_bytes(sketch.to_bytes()) == sketch);
    const DecayedCountMin empty({3, 2}, HalfLife::of_micros(1));
    CHECK(DecayedCountMin::from_bytes(empty.to_bytes()) == empty);
    check_damage(sketch.to_bytes(), [](const std::string& bytes) { DecayedCountMin::from_bytes(bytes); });
    const ItemHash key = ItemHash::keyed({1, 2});
    DecayedCountMin keyed({3, 2}, HalfLife::of_micros(1), key);
    keyed.add(number(1), 1, 0);
    CHECK(DecayedCountMin::from_bytes(keyed.to_bytes(), key) == keyed);
    CHECK_THROWS_AS(DecayedCountMin::from_bytes(keyed.to_bytes()), Incompatible);
    CHECK_THROWS_AS(engagehub::CountMinSketch::from_bytes(sketch.to_bytes()), Incompatible);
    CHECK_THROWS_AS(DecayedCountMin::from_bytes(engagehub::CountMinSketch({3, 2}).to_bytes()), Incompatible);
}

TEST_CASE("DecayedCountMin refuses states that no sketch has, though the checksum is right") {
    DecayedCountMin sketch({2, 1}, HalfLife::of_micros(kSecond));
    sketch.add(number(1), 2, 10 * kSecond);
    const std::string good = sketch.to_bytes();
    const auto with = [&](std::size_t at, const std::string& hex) {
        std::string bytes = good.substr(0, good.size() - 4);
        const std::string raw = from_hex(hex);
        bytes.replace(at, raw.size(), raw);
        engagehub::ByteWriter writer;
        writer.put_raw(bytes);
        return engagehub::seal(std::move(writer));
    };
    CHECK(DecayedCountMin::from_bytes(with(0, "4548434d")) == sketch);
    const auto refused = [&](std::size_t at, const std::string& hex) {
        CHECK_THROWS_AS(DecayedCountMin::from_bytes(with(at, hex)), Corrupted);
    };
    refused(10, "00");                // no kind
    refused(13, "0000000000000000");  // no half-life
    refused(13, "ffffffffffffffff");
    refused(21, "0000000000000000");  // no additions
    refused(21, "0100000000000040");  // too many
    refused(29, "ffffffffffffff7f");  // an instant beyond the year 9999
    refused(37, "0b00000000000000");  // an exponent after the newest weight's
    refused(37, "09feffffffffffff");  // and one too far before it
    refused(45, "0000000000000000");  // no total
    refused(45, "000000000000f03f");  // below a cell
    refused(45, "000000000000f07f");  // infinite
    refused(45, "00000000000000c0");  // negative
    refused(53, "000000000000f87f");  // NaN in a cell
    refused(53, "0000000000000080");  // -0.0
    DecayedCountMin wide({2, 2}, HalfLife::of_micros(kSecond));
    CHECK_THROWS_AS(DecayedCountMin::from_bytes(wide.to_bytes().substr(0, 60)), Corrupted);
}
