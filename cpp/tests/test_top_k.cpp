// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <engagehub/sketch/top_k.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Answer;
using engagehub::Corrupted;
using engagehub::HalfLife;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemView;
using engagehub::TopK;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kYear = 31'557'600 * kSecond;

ItemView number(std::int64_t value) { return ItemView::of(value); }

// Every event, and the truth from scratch. The exponent of each term is exact; long double keeps 64 bits of the sum.
class Model {
public:
    explicit Model(std::int64_t half_life) : half_life_(half_life) {}
    void add(std::int64_t item, double weight, std::int64_t at) {
        events_[item].push_back({weight, at});
        newest_ = std::max(newest_, at);
    }
    long double truth(std::int64_t item, std::int64_t at) const {
        const auto found = events_.find(item);
        if (found == events_.end()) return 0.0L;
        long double sum = 0.0L;
        for (const auto& [weight, when] : found->second) {
            const auto age = static_cast<long double>(std::max(at, newest_) - when);
            sum += half_life_ == 0 ? weight : weight * std::exp2(-age / static_cast<long double>(half_life_));
        }
        return sum;
    }
    std::set<std::int64_t> items() const {
        std::set<std::int64_t> result;
        for (const auto& [item, events] : events_) result.insert(item);
        return result;
    }

private:
    std::int64_t half_life_;
    std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();
    std::map<std::int64_t, std::vector<std::pair<double, std::int64_t>>> events_;
};

void check_against(const TopK& sketch, const Model& model, std::int64_t at) {
    // The model's own rounding, far inside the sketch's margin.
    constexpr long double kTolerance = 1e-17L;
    for (const std::int64_t item : model.items()) {
        const long double truth = model.truth(item, at);
        const Answer answer = sketch.answer(number(item), at);
        REQUIRE(static_cast<long double>(answer.low) <= truth * (1.0L + kTolerance));
        REQUIRE(static_cast<long double>(answer.high) >= truth * (1.0L - kTolerance));
        REQUIRE(answer.low <= answer.estimate);
        REQUIRE(answer.estimate <= answer.high);
        if (answer.low == answer.high) REQUIRE(static_cast<long double>(answer.estimate) == truth);
    }
    const auto rows = sketch.top(sketch.k(), at);
    REQUIRE(rows.size() == sketch.size());
    for (std::size_t i = 1; i < rows.size(); ++i) {
        const bool ordered = rows[i - 1].answer.estimate > rows[i].answer.estimate ||
            (rows[i - 1].answer.estimate == rows[i].answer.estimate && rows[i - 1].item.number < rows[i].item.number);
        REQUIRE(ordered);
    }
    for (const auto& row : rows) REQUIRE(row.answer == sketch.answer(row.item, at));
}

std::int64_t skewed(std::mt19937_64& random, std::int64_t names) {
    const double uniform = std::ldexp(static_cast<double>(random() >> 11U), -53);
    return static_cast<std::int64_t>(std::pow(static_cast<double>(names), uniform)) - 1;
}

}  // namespace

TEST_CASE("TopK counts exactly while everybody is among the k") {
    std::mt19937_64 random(1);
    TopK sketch(50, {}, {16, 2});
    std::map<std::int64_t, double> truth;
    for (int i = 0; i < 5'000; ++i) {
        const std::int64_t item = skewed(random, 50);
        const auto weight = static_cast<double>(random() % 5);
        sketch.add(number(item), weight);
        if (weight > 0.0) truth[item] += weight;
    }
    CHECK(sketch.size() == truth.size());
    for (const auto& [item, count] : truth) REQUIRE(sketch.answer(number(item)) == Answer{count, count, count});
    CHECK(sketch.answer(number(1'000)) == Answer{0.0, 0.0, 0.0});
}

TEST_CASE("TopK's bounds hold the truth at every step, with plain counts") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 20; ++round) {
        TopK sketch(1 + random() % 12, {}, {1 + random() % 24, 1 + random() % 3});
        Model model(0);
        const bool fractions = round % 4 == 3;
        for (int i = 0; i < 600; ++i) {
            const std::int64_t item = skewed(random, 80);
            const double weight =
                fractions ? 0.1 * static_cast<double>(random() % 30) : static_cast<double>(random() % 4);
            sketch.add(number(item), weight);
            if (weight != 0.0) model.add(item, weight, 0);
            if (i % 20 == 0) check_against(sketch, model, 0);
        }
        check_against(sketch, model, 0);
    }
}

TEST_CASE("TopK's bounds hold the truth with every half-life over a century, late events included") {
    std::mt19937_64 random(3);
    for (const std::int64_t half_life : {kSecond, 3'600 * kSecond, 7 * 86'400 * kSecond, 10 * kYear}) {
        for (int round = 0; round < 6; ++round) {
            TopK sketch(8, HalfLife::of_micros(half_life), {20, 2});
            Model model(half_life);
            std::int64_t now = -30 * kYear;
            for (int i = 0; i < 500; ++i) {
                // Seconds, some half-lives, or months at a time, through 100 years and more.
                const int step = static_cast<int>(random() % 10);
                now += static_cast<std::int64_t>(
                    random() %
                    static_cast<std::uint64_t>(
                        step < 6       ? 3 * half_life
                            : step < 9 ? 60 * kSecond
                                       : kYear));
                now = std::min(now, 100 * kYear);
                const std::int64_t late = random() % 4 == 0
                    ? static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(5 * half_life))
                    : 0;
                const std::int64_t item = skewed(random, 60);
                const double weight = 0.5 + static_cast<double>(random() % 8);
                sketch.add(number(item), weight, now - late);
                model.add(item, weight, now - late);
                if (i % 25 == 0)
                    check_against(sketch, model, now + static_cast<std::int64_t>(random() % 3) * half_life);
            }
            check_against(sketch, model, now);
            check_against(sketch, model, now + 2'000 * kSecond);
        }
    }
}

TEST_CASE("TopK halves a weight in every half-life, whatever the distance from the first event") {
    for (const std::int64_t half_life : {kSecond, 86'400 * kSecond, 10 * kYear}) {
        TopK sketch(4, HalfLife::of_micros(half_life));
        sketch.add(number(1), 8.0, -50 * kYear);
        sketch.add(number(2), 8.0, 50 * kYear);
        CHECK(sketch.answer(number(2), 50 * kYear).estimate == 8.0);
        CHECK(sketch.answer(number(2), 50 * kYear + half_life).estimate == 4.0);
        CHECK(sketch.answer(number(2), 50 * kYear + 3 * half_life).estimate == 1.0);
        // Before the newest event there is no other answer than at it.
        CHECK(sketch.answer(number(2), 0) == sketch.answer(number(2), 50 * kYear));
        const double left = sketch.answer(number(1), 50 * kYear).estimate;
        CHECK(left == doctest::Approx(half_life == 10 * kYear ? 8.0 * std::exp2(-10.0) : 0.0).epsilon(1e-15));
        CHECK(sketch.top(2, 50 * kYear)[0].item == number(2));
    }
}

TEST_CASE("TopK counts a late event with what is left of its weight") {
    TopK sketch(4, HalfLife::of_micros(kSecond));
    sketch.add(number(1), 1.0, 10 * kSecond);
    sketch.add(number(1), 4.0, 8 * kSecond);
    CHECK(sketch.answer(number(1), 10 * kSecond).estimate == 2.0);
    // A late event doesn't move the newest instant.
    CHECK(sketch.as_of(0) == 10 * kSecond);
    CHECK(sketch.answer(number(1), 8 * kSecond).estimate == 2.0);
    // 2,000 halvings late: nothing that a double could hold, and yet not forgotten by the upper bound.
    sketch.add(number(2), 4.0, -1'990 * kSecond);
    const Answer forgotten = sketch.answer(number(2), 10 * kSecond);
    CHECK(forgotten.low == 0.0);
    CHECK(forgotten.high > 0.0);
    CHECK(forgotten.high < 1e-300);
    CHECK(sketch.answer(number(1), 10 * kSecond).estimate == 2.0);
}

TEST_CASE("TopK finds the heavy hitters of a skewed stream") {
    std::mt19937_64 random(4);
    TopK sketch(100, {}, {1'024, 4});
    std::map<std::int64_t, double> truth;
    for (int i = 0; i < 200'000; ++i) {
        const std::int64_t item = skewed(random, 20'000);
        sketch.add(number(item));
        ++truth[item];
    }
    std::vector<std::pair<double, std::int64_t>> exact;
    for (const auto& [item, count] : truth) exact.push_back({-count, item});
    std::sort(exact.begin(), exact.end());
    std::set<std::int64_t> found;
    for (const auto& row : sketch.top(100)) found.insert(row.item.number);
    int hits = 0;
    for (std::size_t i = 0; i < 100; ++i) hits += found.count(exact[i].second) != 0 ? 1 : 0;
    CHECK(hits >= 95);
    // The heaviest came early and never left: their bounds are equal.
    for (std::size_t i = 0; i < 10; ++i) {
        const Answer answer = sketch.answer(number(exact[i].second));
        CHECK(answer.low == answer.high);
        CHECK(answer.estimate == -exact[i].first);
    }
}

TEST_CASE("TopK orders equal estimates by item") {
    TopK numbers(5);
    for (const std::int64_t item : {3, -7, 12, 0, 5}) numbers.add(number(item));
    std::vector<std::int64_t> order;
    for (const auto& row : numbers.top(5)) order.push_back(row.item.number);
    CHECK(order == std::vector<std::int64_t>{-7, 0, 3, 5, 12});
    TopK texts(5);
    for (const std::string item : {"b", "\xc3\xa9", "a", "", "z"}) texts.add(ItemView::of(std::string_view(item)));
    std::vector<std::string> names;
    for (const auto& row : texts.top(3)) names.emplace_back(row.item.text);
    CHECK(names == std::vector<std::string>{"", "a", "b"});
    CHECK(texts.top(99).back().item.text == "\xc3\xa9");
    CHECK(texts.top(0).empty());
}

TEST_CASE("TopK counts whoever comes, in the place of the lowest candidate") {
    TopK sketch(2, {}, {512, 4});
    for (const std::int64_t item : {7, 7, 8, 8, 9, 9}) sketch.add(number(item));
    sketch.add(number(1));
    CHECK(sketch.answer(number(1)) == Answer{1.0, 1.0, 1.0});
    CHECK(sketch.size() == 2);
    // The fifth item takes the place of the lowest, whose bound stays behind: an estimate without a lower bound.
    sketch.add(number(2));
    CHECK(sketch.answer(number(1)) == Answer{1.0, 0.0, 1.0});
    CHECK(sketch.answer(number(2)) == Answer{1.0, 1.0, 1.0});
    // Back again, it takes its bound with it; of equal bounds the last item goes.
    for (int i = 0; i < 2; ++i) sketch.add(number(1));
    CHECK(sketch.answer(number(1)) == Answer{3.0, 2.0, 3.0});
    for (const std::int64_t item : {7, 8, 9}) CHECK(sketch.answer(number(item)) == Answer{2.0, 2.0, 2.0});
    CHECK(sketch.top(2)[0].item == number(1));
    sketch.add(number(3));
    CHECK(sketch.answer(number(9)) == Answer{2.0, 0.0, 2.0});
    CHECK(sketch.answer(number(8)) == Answer{2.0, 2.0, 2.0});
}

TEST_CASE("TopK displaces the last item among those that have nothing left") {
    TopK sketch(1, HalfLife::of_micros(kSecond), {512, 4});
    sketch.add(number(1), 1.0, 0);
    sketch.add(number(2), 2.0, 0);
    // Both bounds are the least possible one now, and item 2 comes after item 1.
    sketch.add(number(3), 1.0, 5'000 * kSecond);
    sketch.add(number(3), 1.0, 0);
    CHECK(sketch.answer(number(1), 0).high == sketch.answer(number(2), 0).high);
    sketch.add(number(2), 1.0, 5'000 * kSecond);
    CHECK(sketch.answer(number(2), 0).low > 0.5);
    CHECK(sketch.answer(number(3), 0).low > 0.5);
}

TEST_CASE("TopK estimates what a displaced item had by what strangers leave in the table") {
    // A table full of single items, each of which stands for what an item leaves that never came.
    std::mt19937_64 random(8);
    TopK sketch(1, {}, {64, 2});
    for (std::int64_t i = 0; i < 4'000; ++i) sketch.add(number(1'000 + i));
    double bounds = 0.0;
    double estimates = 0.0;
    for (std::int64_t i = 0; i < 500; ++i) {
        const Answer answer = sketch.answer(number(-1 - i));
        CHECK(answer.low == 0.0);
        bounds += answer.high;
        estimates += answer.estimate;
    }
    CHECK(bounds / 500 > 30.0);
    CHECK(estimates < 0.2 * bounds);
    // And one that did come is nearly all its own.
    for (int i = 0; i < 1'000; ++i) {
        sketch.add(number(7));
        sketch.add(number(1'000 + static_cast<std::int64_t>(random() % 4'000)));
        sketch.add(number(1'000 + static_cast<std::int64_t>(random() % 4'000)));
    }
    sketch.clear();
    for (int i = 0; i < 50; ++i) {
        for (std::int64_t other = 1; other <= 20; ++other) sketch.add(number(other));
    }
    const Answer answer = sketch.answer(number(1));
    CHECK(answer.estimate >= 0.8 * 50);
    CHECK(answer.estimate <= answer.high);
}

TEST_CASE("TopK merges to bounds of both streams") {
    std::mt19937_64 random(5);
    for (int round = 0; round < 24; ++round) {
        const std::int64_t half_life = round % 3 == 0 ? 0 : round % 3 == 1 ? 3'600 * kSecond : kSecond;
        const auto decay = HalfLife::of_micros(half_life);
        const std::size_t k = 1 + random() % 10;
        TopK a(k, decay, {16, 2});
        TopK b(k, decay, {16, 2});
        Model model(half_life);
        std::int64_t now = 0;
        for (int i = 0; i < 400; ++i) {
            // The two may be thousands of half-lives apart.
            now += static_cast<std::int64_t>(random() % (i == 200 ? 5'000'000 * kSecond : 30 * kSecond));
            const std::int64_t item = skewed(random, 40);
            const double weight = 1.0 + static_cast<double>(random() % 3);
            (i < 200 ? a : b).add(number(item), weight, now);
            model.add(item, weight, now);
        }
        TopK ab = a;
        ab.merge(b);
        TopK ba = b;
        ba.merge(a);
        REQUIRE(ab == ba);
        check_against(ab, model, now);
        TopK empty(k, decay, {16, 2});
        empty.merge(a);
        REQUIRE(empty == a);
        empty.merge(TopK(k, decay, {16, 2}));
        REQUIRE(empty == a);
        // A merged sketch goes on counting, and displacing.
        for (int i = 0; i < 100; ++i) {
            const std::int64_t item = skewed(random, 80);
            ab.add(number(item), 2.0, now);
            model.add(item, 2.0, now);
        }
        check_against(ab, model, now);
    }
}

TEST_CASE("TopK refuses what doesn't fit, and changes nothing") {
    TopK sketch(2, HalfLife::of_micros(kSecond), {8, 2});
    sketch.add(number(1), 1.0, 0);
    const TopK before = sketch;
    CHECK_THROWS_AS(sketch.add(ItemView::of(std::string_view("a"))), InvalidType);
    CHECK_THROWS_AS(sketch.answer(ItemView::of(std::string_view("a"))), InvalidType);
    for (const double weight : {-1.0, -1e-300, std::nan(""), static_cast<double>(INFINITY), 9007199254740994.0}) {
        CHECK_THROWS_AS(sketch.add(number(1), weight, 0), InvalidArgument);
    }
    CHECK_THROWS_AS(sketch.add(number(1), 1.0, std::numeric_limits<std::int64_t>::max()), InvalidArgument);
    CHECK_THROWS_AS(sketch.top(1, std::numeric_limits<std::int64_t>::min()), InvalidArgument);
    const std::vector<ItemView> items = {number(1), number(2)};
    CHECK_THROWS_AS(
        sketch.update(items, std::vector<double>{1.0, -1.0}, std::vector<std::int64_t>{0, 0}, 2), InvalidArgument);
    sketch.add(number(2), 0.0, kYear);
    CHECK(sketch == before);
    CHECK_THROWS_AS(sketch.merge(TopK(3, HalfLife::of_micros(kSecond), {8, 2})), Incompatible);
    CHECK_THROWS_AS(sketch.merge(TopK(2, HalfLife::of_micros(kSecond + 1), {8, 2})), Incompatible);
    CHECK_THROWS_AS(sketch.merge(TopK(2, HalfLife::of_micros(kSecond), {8, 3})), Incompatible);
    TopK texts(2, HalfLife::of_micros(kSecond), {8, 2});
    texts.add(ItemView::of(std::string_view("a")));
    CHECK_THROWS_AS(sketch.merge(texts), Incompatible);
    CHECK(sketch == before);
    sketch.clear();
    CHECK(sketch == TopK(2, HalfLife::of_micros(kSecond), {8, 2}));
    CHECK_THROWS_AS(TopK(0), InvalidArgument);
    CHECK_THROWS_AS(TopK((std::size_t{1} << 20U) + 1), InvalidArgument);
    CHECK_THROWS_AS(TopK(1, {}, {0, 1}), InvalidArgument);
    const auto second = HalfLife::of_micros(kSecond);
    CHECK_THROWS_AS(TopK(1, {{}, second}), InvalidArgument);
    CHECK_THROWS_AS(TopK(1, {second, second}), InvalidArgument);
    CHECK_THROWS_AS(TopK(1, second).growth(1), InvalidArgument);
    CHECK_THROWS_AS(
        TopK(2, second, {8, 2}).merge(TopK(2, {second, HalfLife::of_micros(2 * kSecond)}, {8, 2})), Incompatible);
}

TEST_CASE("TopK takes the largest weights without a loss") {
    TopK sketch(2, HalfLife::of_micros(kSecond), {8, 2});
    for (std::int64_t i = 0; i < 600; ++i) sketch.add(number(1), engagehub::decayed_sum::kMostWeight, i * kSecond);
    CHECK(
        sketch.answer(number(1), 600 * kSecond).estimate ==
        doctest::Approx(engagehub::decayed_sum::kMostWeight).epsilon(1e-15));
    TopK plain(2);
    plain.add(number(1), engagehub::decayed_sum::kMostWeight - 1.0);
    CHECK(plain.answer(number(1)).low == plain.answer(number(1)).high);
    plain.add(number(1), 2.0);  // 2^53 + 1 is no double
    CHECK(plain.answer(number(1)).low < 9007199254740992.0);
    CHECK(plain.answer(number(1)).high > 9007199254740992.0);
}

TEST_CASE("TopK goes on from its bytes as from itself") {
    std::mt19937_64 random(6);
    for (const std::int64_t half_life : {std::int64_t{0}, kSecond, 3'600 * kSecond}) {
        TopK sketch(6, HalfLife::of_micros(half_life), {12, 2});
        std::int64_t now = 0;
        for (int i = 0; i < 300; ++i) {
            now += static_cast<std::int64_t>(random() % (20 * kSecond));
            if (i % 10 == 0) {
                TopK read = TopK::from_bytes(sketch.to_bytes());
                REQUIRE(read == sketch);
                sketch = read;
            }
            TopK twin = sketch;
            const std::string name = "channel-" + std::to_string(skewed(random, 30));
            sketch.add(ItemView::of(std::string_view(name)), 1.0, now);
            twin.add(ItemView::of(std::string_view(name)), 1.0, now);
            REQUIRE(twin == sketch);
        }
    }
}

TEST_CASE("TopK's bytes are golden, and every damage is refused") {
    TopK sketch(1, HalfLife::of_micros(kSecond), {3, 1});
    sketch.add(ItemView::of(std::string_view("general")), 3.0, 0);
    sketch.add(ItemView::of(std::string_view("help")), 1.0, kSecond);
    sketch.add(ItemView::of(std::string_view("off")), 0.5, kSecond);
    CHECK(
        to_hex(sketch.to_bytes()) ==
        "4548544b02"
        "01000000"
        "03000000"
        "01"
        "02"
        "00"
        "01"
        "40420f0000000000"
        "0000000000000000"
        "0300000000000000"
        "0000000000001240"
        "40420f0000000000"
        "0000000000000000"
        "0000000000000000"
        "02000000"
        "0700000067656e6572616c"
        "0000000000000840"
        "0000000000000840"
        "00000000"
        "030000006f6666"
        "000000000000f03f"
        "000000000000f03f"
        "00000000"
        "000000000040"
        "000000000000"
        "000000000000"
        "c1ba7460");
    check_damage(sketch.to_bytes(), [](const std::string& bytes) { TopK::from_bytes(bytes); });
    TopK grows(1, {HalfLife::of_micros(kSecond), HalfLife::of_micros(2 * kSecond)}, {1, 1});
    grows.add(number(7), 1.0, -2 * kSecond);
    grows.add(number(8), 1.0, 0);
    grows.add(number(-1), 2.0, 0);
    CHECK(
        to_hex(grows.to_bytes()) ==
        "4548544b02"
        "01000000"
        "01000000"
        "01"
        "01"
        "00"
        "00"
        "40420f0000000000"
        "80841e0000000000"
        "0300000000000000"
        "0000000000001040"
        "0000000000000000"
        "807be1ffffffffff"
        "feffffffffffffff"
        "ffffffffffffffff"
        "02000000"
        "ffffffffffffffff"
        "0000000000002040"
        "0000000000002040"
        "00000000"
        "0000000000001040"
        "0000000000001040"
        "00000000"
        "0800000000000000"
        "0000000000001040"
        "0000000000001040"
        "00000000"
        "0000000000000040"
        "0000000000000040"
        "00000000"
        "00000000f03f"
        "00000000f03f"
        "a687836c");
    check_damage(grows.to_bytes(), [](const std::string& bytes) { TopK::from_bytes(bytes); });
    CHECK(TopK::from_bytes(TopK(3).to_bytes()) == TopK(3));
}

TEST_CASE("TopK reads its first version, with the estimates that it had") {
    const std::string bytes = from_hex(
        "4548544b01"
        "02000000"
        "03000000"
        "01"
        "02"
        "00"
        "01"
        "40420f0000000000"
        "0300000000000000"
        "0000000000001240"
        "40420f0000000000"
        "0000000000000000"
        "02000000"
        "0700000067656e6572616c"
        "0000000000000840"
        "0000000000000840"
        "0400000068656c70"
        "0000000000000040"
        "0000000000000040"
        "000000000000f03f"
        "0000000000000000"
        "0000000000000000"
        "4222eedb");
    const TopK sketch = TopK::from_bytes(bytes);
    CHECK(sketch.k() == 2);
    CHECK(sketch.half_life() == HalfLife::of_micros(kSecond));
    const auto answer = [&](std::string_view item) { return sketch.answer(ItemView::of(item), kSecond); };
    CHECK(answer("general").estimate == 1.5);
    CHECK(answer("help").estimate == 1.0);
    CHECK(answer("off").high >= 0.5);
    CHECK(answer("off").low == 0.0);
    CHECK(TopK::from_bytes(sketch.to_bytes()) == sketch);
    CHECK(static_cast<int>(sketch.to_bytes()[4]) == 2);
    check_damage(bytes, [](const std::string& damaged) { TopK::from_bytes(damaged); });
}

TEST_CASE("TopK refuses states of its first version that no sketch has, though the checksum is right") {
    const std::string one = "0000000000000000000000000000f03f";  // low 0, high 1
    const std::string head =
        "4548544b01"
        "02000000"
        "01000000"
        "01"
        "01"
        "00"
        "00";
    const std::string state =
        "0000000000000000"
        "0200000000000000"
        "0000000000000040"
        "0000000000000000"
        "0000000000000000";
    const std::string cell = "0000000000000000";
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return TopK::from_bytes(engagehub::seal(std::move(writer)));
    };
    const std::string five = "0500000000000000";
    const std::string six = "0600000000000000";
    CHECK(read(head + state + "02000000" + five + one + six + one + cell).size() == 2);
    const auto refuse = [&](const std::string& hex) { CHECK_THROWS_AS(read(hex), Corrupted); };
    refuse(head + state + "02000000" + six + one + five + one + cell);    // out of order
    refuse(head + state + "02000000" + five + one + five + one + cell);   // twice
    refuse(head + state + "01000000" + five + one);                       // no cells
    refuse(head + state + "00000000" + cell);                             // additions without candidates
    refuse(head + state + "ffffffff" + five + one + cell);                // absurd number of candidates
    refuse(head + state + "01000000" + five + one + "000000000000f87f");  // NaN
    refuse(head + state + "01000000" + five + one + "000000000000f07f");  // infinity
    refuse(head + state + "01000000" + five + one + "0000000000000080");  // -0.0
    refuse(
        head + state + "01000000" + five +
        "0000000000000040"
        "000000000000f03f" +
        cell);  // low above high
    refuse(
        head + state + "01000000" + five +
        "0000000000000000"
        "0000000000000000" +
        cell);  // nothing counted
    refuse(
        "4548544b01"
        "00000000"
        "01000000"
        "01"
        "01"
        "00"
        "00" +
        state + "01000000" + five + one + cell);  // k 0
    refuse(
        "4548544b01"
        "02000000"
        "ffffff07"
        "01"
        "01"
        "00"
        "00" +
        state + "01000000" + five + one + cell);  // 2^27 cells
    const std::string far =
        "0000000000000000"
        "0200000000000000"
        "0000000000000040"
        "ffffffffffffff7f"
        "0000000000000000";
    refuse(head + far + "01000000" + five + one + cell);  // the newest event at the end of time
    const std::string exponent =
        "0000000000000000"
        "0200000000000000"
        "0000000000000040"
        "0000000000000000"
        "0100000000000000";
    refuse(head + exponent + "01000000" + five + one + cell);   // an exponent without a half-life
    const auto decayed = [&](const std::string& relative_to) {  // half-life and newest event at 1 s: exponent 1
        return head +
            "40420f0000000000"
            "0200000000000000"
            "0000000000000040"
            "40420f0000000000" +
            relative_to + "01000000" + five + one + cell;
    };
    CHECK(read(decayed("0100000000000000")).size() == 1);
    CHECK(read(decayed("01feffffffffffff")).size() == 1);
    refuse(decayed("0200000000000000"));  // ahead of the newest event
    refuse(decayed("00feffffffffffff"));  // 513 halvings behind it
}

TEST_CASE("merging refuses more additions than can be counted, and changes nothing") {
    engagehub::TopK trends(2);
    trends.add(engagehub::ItemView::of(1));
    bool refused = false;
    for (int i = 0; i < 70 && !refused; ++i) {
        const std::string before = trends.to_bytes();
        try {
            trends.merge(engagehub::TopK(trends));
        } catch (const engagehub::InvalidArgument&) {
            refused = true;
            CHECK(trends.to_bytes() == before);
        }
    }
    CHECK(refused);
    CHECK(engagehub::TopK::from_bytes(trends.to_bytes()) == trends);
}

TEST_CASE("TopK refuses states that no sketch has, though the checksum is right") {
    struct State {
        std::string hash = "00";
        std::string half_life = "40420f0000000000";
        std::string baseline = "80841e0000000000";
        std::string newest = "40420f0000000000";
        std::string oldest = "0000000000000000";
        std::string exponents = "01000000000000000000000000000000";
        std::string share = "0000803f";
        std::string second_share = "00000000";
        std::string cell = "00000000f03f";
        std::string cells = "0000000000000000f03f";
    };
    const auto read = [](const State& state) {
        const std::string one = "000000000000f03f";
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(
            "4548544b02"
            "01000000"
            "01000000"
            "01"
            "01" +
            state.hash + "00" + state.half_life + state.baseline +
            "0200000000000000"
            "0000000000000040" +
            state.newest + state.oldest + state.exponents + "01000000" +
            "0500000000000000"
            "0000000000000000" +
            one + state.share + one + one + state.second_share + state.cell + state.cells.substr(8)));
        return TopK::from_bytes(engagehub::seal(std::move(writer)));
    };
    State good;
    CHECK(read(good).size() == 1);
    CHECK(read(good).answer(number(5), kSecond).estimate == 1.0);
    const auto refuse = [&](const auto& change) {
        State state;
        change(state);
        CHECK_THROWS_AS(read(state), Corrupted);
    };
    refuse([](State& state) { state.half_life = "80841e0000000000"; });  // not shorter than the baseline
    refuse([](State& state) { state.half_life = "0000000000000000"; });  // none beside a baseline
    refuse([](State& state) { state.baseline = "ffffffffffffffff"; });   // negative
    refuse([](State& state) { state.baseline = "0000000000000000"; });   // none, and yet its exponent and cells
    refuse([](State& state) { state.oldest = "41420f0000000000"; });     // newer than the newest
    refuse([](State& state) { state.oldest = "ffffffffffffff7f"; });     // beyond the end of time
    refuse([](State& state) { state.exponents[0] = '1'; });              // far ahead of the newest event
    refuse([](State& state) { state.exponents[17] = '1'; });             // that of the baseline
    refuse([](State& state) { state.share = "0100803f"; });              // above 1
    refuse([](State& state) { state.share = "00000080"; });              // -0
    refuse([](State& state) { state.share = "0000c07f"; });              // NaN
    refuse([](State& state) { state.second_share = "000080bf"; });       // negative
    refuse([](State& state) { state.cell = "00000000f07f"; });           // infinity
    refuse([](State& state) { state.cell = "000000000080"; });           // -0
    refuse([](State& state) { state.cells += "00"; });                   // more than there are
    State unknown;
    unknown.hash = "04";
    CHECK_THROWS_AS(read(unknown), Incompatible);
}

TEST_CASE("TopK under a key is told apart from others, and reads with that key only") {
    const auto key = engagehub::ItemHash::keyed({1, 2});
    const auto other = engagehub::ItemHash::keyed({1, 3});
    TopK sketch(2, {}, {8, 2}, key);
    for (std::int64_t i = 0; i < 40; ++i) sketch.add(number(i % 7), static_cast<double>(i));
    const std::string bytes = sketch.to_bytes();
    CHECK(TopK::from_bytes(bytes, key) == sketch);
    CHECK_THROWS_AS(TopK::from_bytes(bytes), Incompatible);
    CHECK_THROWS_AS(TopK::from_bytes(bytes, other), Incompatible);
    CHECK_THROWS_AS(TopK::from_bytes(TopK(2).to_bytes(), key), Incompatible);
    CHECK(TopK(2, {}, {8, 2}, other) != TopK(2, {}, {8, 2}, key));
    try {
        sketch.merge(TopK(2, {}, {8, 2}));
        FAIL("merged");
    } catch (const Incompatible& error) {
        const std::string text = error.what();
        CHECK(text.find(key.name() + " and redis") != std::string::npos);
    }
    sketch.clear();
    CHECK(sketch == TopK(2, {}, {8, 2}, key));
    check_damage(bytes, [&](const std::string& damaged) { TopK::from_bytes(damaged, key); });
}

TEST_CASE("TopK's growth is that of exact decayed counts while everybody has a place") {
    std::mt19937_64 random(9);
    for (const std::int64_t hours : {2, 30, 3'000}) {
        const std::int64_t hour = 3'600 * kSecond;
        TopK sketch(20, {HalfLife::of_micros(hour), HalfLife::of_micros(24 * hour)});
        Model recent(hour);
        Model baseline(24 * hour);
        std::vector<std::int64_t> instants(400);
        for (auto& at : instants)
            at = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(hours * hour)) - 7 * kYear;
        for (const std::int64_t at : instants) {  // in no order
            const std::int64_t item = skewed(random, 20);
            const double weight = 1.0 + static_cast<double>(random() % 3);
            sketch.add(number(item), weight, at);
            recent.add(item, weight, at);
            baseline.add(item, weight, at);
        }
        const std::int64_t oldest = *std::min_element(instants.begin(), instants.end());
        const std::int64_t now = *std::max_element(instants.begin(), instants.end()) + 60 * kSecond;
        const engagehub::GrowthScale scale(sketch.half_life(), sketch.baseline(), now - oldest);
        const auto rows = sketch.growth(20, now);
        REQUIRE(rows.size() == recent.items().size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::int64_t item = rows[i].item.number;
            const auto wanted =
                scale(static_cast<double>(recent.truth(item, now)), static_cast<double>(baseline.truth(item, now)));
            CHECK(rows[i].growth.rate == doctest::Approx(wanted.rate).epsilon(1e-12));
            CHECK(rows[i].growth.baseline == doctest::Approx(wanted.baseline).epsilon(1e-9));
            CHECK(rows[i].growth.ratio == doctest::Approx(wanted.ratio).epsilon(1e-9));
            CHECK(std::abs(rows[i].growth.score - wanted.score) < 1e-6);
            if (i != 0) CHECK(rows[i - 1].growth.score >= rows[i].growth.score);
        }
        CHECK(sketch.growth(3, now).size() == 3);
        CHECK(sketch.growth(3, now)[2].item == rows[2].item);
    }
}

TEST_CASE("TopK remembers the past of an item that was displaced, and finds who grows") {
    const std::int64_t hour = 3'600 * kSecond;
    const std::int64_t minute = 60 * kSecond;
    TopK sketch(20, {HalfLife::of_micros(hour), HalfLife::of_micros(24 * hour)});
    std::mt19937_64 random(10);
    // Five days of 300 names, each four times an hour; then, for half an hour, 299 and the new 1000 come three times a
    // minute.
    for (std::int64_t at = 0; at < 5 * 24 * 60; ++at) {
        for (int i = 0; i < 20; ++i) sketch.add(number(static_cast<std::int64_t>(random() % 300)), 1.0, at * minute);
        if (at < 5 * 24 * 60 - 30) continue;
        for (int i = 0; i < 3; ++i) {
            sketch.add(number(299), 1.0, at * minute);
            sketch.add(number(1'000), 1.0, at * minute);
        }
    }
    const auto rows = sketch.growth(20, 5 * 24 * hour);
    CHECK(rows[0].item == number(1'000));
    CHECK(rows[1].item == number(299));
    // It had no place before, and yet the second table knows that it isn't new.
    CHECK(rows[1].growth.baseline == doctest::Approx(4.0).epsilon(0.5));
    CHECK(rows[0].growth.baseline < 1.0);
    CHECK(rows[1].growth.ratio < rows[0].growth.ratio);
    CHECK(rows[1].growth.score > 5.0);
    CHECK(rows[2].growth.score < 4.5);
}

TEST_CASE("TopK with a baseline merges and goes on from its bytes") {
    std::mt19937_64 random(11);
    const TopK::HalfLives half_lives(HalfLife::of_micros(60 * kSecond), HalfLife::of_micros(3'600 * kSecond));
    for (int round = 0; round < 10; ++round) {
        TopK a(3, half_lives, {16, 2});
        TopK b(3, half_lives, {16, 2});
        std::int64_t now = 0;
        for (int i = 0; i < 300; ++i) {
            now += static_cast<std::int64_t>(random() % (i == 150 ? 100'000 * kSecond : 30 * kSecond));
            const ItemView item = number(skewed(random, 30));
            TopK& chosen = i < 150 ? a : b;
            if (i % 50 == 0) chosen = TopK::from_bytes(chosen.to_bytes());
            TopK twin = chosen;
            chosen.add(item, 1.0, now);
            twin.add(item, 1.0, now);
            REQUIRE(twin == chosen);
        }
        TopK ab = a;
        ab.merge(b);
        TopK ba = b;
        ba.merge(a);
        REQUIRE(ab == ba);
        const auto rows = ab.growth(3, now);
        REQUIRE(rows.size() == 3);
        for (const auto& row : rows) {
            // Estimates add up: those of a were made when its newest event was.
            CHECK(row.growth.rate >= 0.0);
            CHECK(std::isfinite(row.growth.score));
        }
        REQUIRE(TopK::from_bytes(ab.to_bytes()) == ab);
    }
}
