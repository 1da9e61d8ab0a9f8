// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/window/total_window.hpp>

#include "tests/support/bytes.hpp"
#include "tests/support/failing_new.hpp"

using engagehub::Corrupted;
using engagehub::Incompatible;
using engagehub::Interval;
using engagehub::InvalidArgument;
using engagehub::Total;
using engagehub::TotalWindow;
using engagehub_tests::allocations;
using engagehub_tests::check_damage;
using engagehub_tests::fail_at_every_allocation;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Total whole(std::int64_t value) { return Total::of(value); }

struct Event {
    Total value;
    std::int64_t at;
};

Total recount(const std::vector<Event>& accepted, const Interval& interval) {
    Total result;
    for (const Event& event : accepted) {
        if (event.at >= interval.start && event.at < interval.end) result += event.value;
    }
    return result;
}

std::int64_t floor_div(std::int64_t at, std::int64_t by) { return at >= 0 ? at / by : -((-at + by - 1) / by); }

TotalWindow with_late(const TotalWindow& window, std::uint64_t late) {
    constexpr std::size_t kAt = 17;
    const std::string bytes = window.to_bytes();
    engagehub::ByteWriter writer;
    writer.put_raw(bytes.substr(0, kAt));
    writer.put(late);
    writer.put_raw(bytes.substr(kAt + sizeof late, bytes.size() - kAt - sizeof late - 4));
    return TotalWindow::from_bytes(engagehub::seal(std::move(writer)));
}

}  // namespace

TEST_CASE("TotalWindow answers as a recount of the interval that it names") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 60; ++round) {
        const std::int64_t resolution = std::vector<std::int64_t>{kSecond, kMinute, 7 * kSecond}[random() % 3];
        const std::int64_t buckets = 1 + static_cast<std::int64_t>(random() % 40);
        TotalWindow window(buckets * resolution, resolution);
        std::vector<Event> accepted;
        std::uint64_t late = 0;
        std::optional<std::int64_t> newest;
        std::int64_t now = -20 * resolution;  // across the epoch
        for (int i = 0; i < 400; ++i) {
            now += static_cast<std::int64_t>(
                random() % static_cast<std::uint64_t>(random() % 50 == 0 ? 40 * resolution : resolution));
            const Total value = random() % 3 == 0 ? Total::of(static_cast<double>(random() % 1'000) / 10.0 - 50.0)
                                                  : whole(static_cast<std::int64_t>(random()));
            const std::int64_t at =
                now - static_cast<std::int64_t>(random() % static_cast<std::uint64_t>((buckets + 3) * resolution));
            // The rule, said plainly: its bucket is older than the last `buckets` ones up to the newest.
            const bool is_late = newest && floor_div(at, resolution) <= floor_div(*newest, resolution) - buckets;
            REQUIRE(window.add(value, at) == !is_late);
            if (is_late) {
                ++late;
            } else {
                accepted.push_back({value, at});
                newest = newest ? std::max(*newest, at) : at;
            }
            REQUIRE(window.late() == late);
            if (i % 20 != 0) continue;
            REQUIRE(TotalWindow::from_bytes(window.to_bytes()) == window);
            const std::int64_t length =
                1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(window.span()));
            for (const std::int64_t asked : {now, *newest, *newest - 3 * resolution, *newest + 2 * resolution}) {
                const Interval covered = window.interval(length, asked);
                REQUIRE(window.total(length, asked) == recount(accepted, covered));
                REQUIRE(
                    window.count(length, asked) ==
                    static_cast<std::uint64_t>(std::count_if(accepted.begin(), accepted.end(), [&](const Event& event) {
                        return event.at >= covered.start && event.at < covered.end;
                    })));
                const auto series = window.series(length, asked);
                REQUIRE(series.size() == static_cast<std::size_t>((covered.end - covered.start) / resolution));
                for (std::size_t b = 0; b < series.size(); ++b) {
                    const std::int64_t start = covered.start + static_cast<std::int64_t>(b) * resolution;
                    REQUIRE(series[b] == recount(accepted, {start, start + resolution}));
                }
            }
        }
    }
}

TEST_CASE("TotalWindow merges in any order to the window of all events") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 30; ++round) {
        std::vector<TotalWindow> parts;
        TotalWindow direct(10 * kMinute, kMinute);
        std::vector<std::pair<std::int64_t, double>> events;
        for (int part = 0; part < 3; ++part) {
            parts.emplace_back(10 * kMinute, kMinute);
            std::int64_t at = static_cast<std::int64_t>(random() % 15) * kMinute;
            for (int i = 0; i < 50; ++i) {
                at += static_cast<std::int64_t>(random() % (20 * kSecond));
                const double value = static_cast<double>(random() % 1'000) / 7.0;
                parts.back().add(Total::of(value), at);
                events.push_back({at, value});
            }
        }
        // Newest first: what is late then is what the merge drops.
        std::sort(events.rbegin(), events.rend());
        for (const auto& [at, value] : events) direct.add(Total::of(value), at);
        std::vector<std::size_t> order = {0, 1, 2};
        std::optional<std::string> bytes;
        do {
            TotalWindow merged = parts[order[0]];
            merged.merge(parts[order[1]]);
            merged.merge(parts[order[2]]);
            REQUIRE(TotalWindow::from_bytes(merged.to_bytes()) == merged);
            for (std::int64_t length = kMinute; length <= 10 * kMinute; length += kMinute) {
                REQUIRE(merged.total(length, events[0].first) == direct.total(length, events[0].first));
                REQUIRE(merged.count(length, events[0].first) == direct.count(length, events[0].first));
            }
            if (bytes) REQUIRE(merged.to_bytes() == *bytes);
            bytes = merged.to_bytes();
        } while (std::next_permutation(order.begin(), order.end()));
    }
}

TEST_CASE("TotalWindow refuses bad input and changes nothing") {
    TotalWindow window(kHour, kMinute);
    window.add(whole(1), 0);
    const TotalWindow before = window;
    CHECK_THROWS_AS(window.add(whole(1), kMost), InvalidArgument);
    const std::vector<Total> values = {whole(2), whole(3)};
    CHECK_THROWS_AS(window.update(values, std::vector<std::int64_t>{0, kMost}, 2), InvalidArgument);
    CHECK_THROWS_AS(Total::of(1e19), InvalidArgument);
    CHECK_THROWS_AS(Total::of(-1e19), InvalidArgument);
    CHECK_THROWS_AS(Total::of(std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
    CHECK_THROWS_AS(window.total(0, 0), InvalidArgument);
    CHECK_THROWS_AS(window.count(kHour + 1, 0), InvalidArgument);
    CHECK_THROWS_AS(window.series(kHour, kMost), InvalidArgument);
    CHECK_THROWS_AS(window.merge(TotalWindow(kHour, 2 * kMinute)), Incompatible);
    CHECK_THROWS_AS(window.merge(TotalWindow(2 * kHour, kMinute)), Incompatible);
    CHECK(window == before);
    CHECK(window.update(values, std::vector<std::int64_t>{0, -2 * kHour}, 2) == 1);
    CHECK(window.late() == 1);
    window.clear();
    CHECK(window == TotalWindow(kHour, kMinute));
}

TEST_CASE("TotalWindow refuses more events than its sums have room for") {
    TotalWindow window(kHour, kMinute);
    window.add(whole(kMost), 0);
    for (int i = 0; i < 62; ++i) window.merge(TotalWindow(window));  // 2^62 events
    CHECK(window.total(kHour, 0).sum.to_double() == 0x1p125);
    const TotalWindow before = window;
    CHECK_THROWS_AS(window.add(whole(1), 0), InvalidArgument);
    CHECK_THROWS_AS(window.merge(before), InvalidArgument);
    CHECK_THROWS_AS(window.update(std::vector<Total>{whole(1)}, std::vector<std::int64_t>{0}, 1), InvalidArgument);
    CHECK(window == before);
    CHECK(TotalWindow::from_bytes(window.to_bytes()) == window);
    window.clear();
    CHECK(window.add(whole(1), 0));
}

TEST_CASE("TotalWindow has room again for as many events as its ring has given up") {
    constexpr std::int64_t kSpan = 2 * kMinute;
    const auto crowded_at = [](std::int64_t at, int doublings) {
        TotalWindow window(kSpan, kMinute);
        window.add(whole(1), at);
        for (int i = 0; i < doublings; ++i) window.merge(TotalWindow(window));
        return window;
    };
    const TotalWindow full = crowded_at(0, 62);
    TotalWindow window = full;
    CHECK_THROWS_AS(window.add(whole(1), kMinute), InvalidArgument);
    CHECK(window == full);
    window.merge(crowded_at(2 * kMinute, 61));  // the ring gives up all that it held
    CHECK(window.count(kSpan, 2 * kMinute) == std::uint64_t{1} << 61U);
    CHECK(window.add(whole(1), 3 * kMinute));
    window.merge(crowded_at(3 * kMinute, 60));
    CHECK_THROWS_AS(window.merge(crowded_at(3 * kMinute, 61)), InvalidArgument);
    window.merge(crowded_at(4 * kMinute, 61));  // 2^61 events leave, 2^61 come
    CHECK(window.count(kSpan, 4 * kMinute) == (std::uint64_t{1} << 61U) + (std::uint64_t{1} << 60U) + 1);

    // Of one event a minute nothing is ever counted twice, however many came since the window was made.
    TotalWindow long_lived = crowded_at(0, 61);
    long_lived.merge(crowded_at(kMinute, 60));
    for (std::int64_t minute = 2; minute < 100; minute += 2) {
        long_lived.merge(crowded_at(minute * kMinute, 61));
        REQUIRE(long_lived.update(std::vector<Total>{whole(1)}, std::vector<std::int64_t>{minute * kMinute}, 1) == 1);
    }
}

TEST_CASE("TotalWindow refuses more late events than it can count") {
    constexpr std::uint64_t kMostLate = std::uint64_t{1} << 62U;
    TotalWindow held(kHour, kMinute);
    held.add(whole(1), kHour);
    CHECK_THROWS_AS(with_late(held, kMostLate + 1), Corrupted);
    TotalWindow window = with_late(held, kMostLate);
    REQUIRE(window.late() == kMostLate);
    const TotalWindow before = window;
    CHECK_THROWS_AS(window.add(whole(1), 0), InvalidArgument);
    CHECK_THROWS_AS(window.merge(with_late(held, 1)), InvalidArgument);
    const std::vector<Total> values = {whole(1), whole(1)};
    CHECK_THROWS_AS(window.update(values, std::vector<std::int64_t>{kHour, 0}, 2), InvalidArgument);
    CHECK(window == before);
    CHECK(window.add(whole(1), kHour));
    CHECK(window.update(values, std::vector<std::int64_t>{kHour, kHour}, 2) == 2);
    window.merge(held);
    CHECK(window.late() == kMostLate);
    // What is late only because of the batch's own newest event.
    TotalWindow empty(kHour, kMinute);
    CHECK(empty.update(values, std::vector<std::int64_t>{kHour, 0}, 2) == 1);
    CHECK_THROWS_AS(window.update(values, std::vector<std::int64_t>{2 * kHour, kHour}, 2), InvalidArgument);
    CHECK(window.update(values, std::vector<std::int64_t>{2 * kHour - kMinute, kHour}, 2) == 2);
}

TEST_CASE("TotalWindow's errors name the place in a batch") {
    TotalWindow window(kHour, kMinute);
    CHECK_THROWS_WITH_AS(
        window.update(std::vector<Total>{whole(1), whole(1)}, std::vector<std::int64_t>{0, kMost}, 2),
        "at[1] must be between the years 1 and 9999, got 9223372036854775807 microseconds", InvalidArgument);
    CHECK_THROWS_WITH_AS(Total::of(1e300), "value must be at most 2^63 either way, got 1e+300", InvalidArgument);
    CHECK_THROWS_WITH_AS(Total::of(-1e19, 3), "values[3] must be at most 2^63 either way, got -1e+19", InvalidArgument);
    CHECK_THROWS_WITH_AS(
        Total::of(std::numeric_limits<double>::infinity(), 0), "values[0] must be at most 2^63 either way, got inf",
        InvalidArgument);
    CHECK(Total::of(0.5, 3) == Total::of(0.5));
    CHECK(Total::of(std::int64_t{5}, 3) == whole(5));
}

TEST_CASE("TotalWindow says what it takes") {
    TotalWindow window(kHour, kMinute);
    for (std::int64_t minute = 0; minute < 300; ++minute) window.add(whole(minute), minute * kMinute);
    CHECK(window.nbytes() < 8'192);
    allocations.requested = 0;
    const TotalWindow copy(window);
    CHECK(allocations.requested + sizeof copy == copy.nbytes());
}

TEST_CASE("TotalWindow changes nothing where there is no memory for it") {
    std::size_t failures = 0;
    for (std::int64_t minute = 0; minute < 200; ++minute) {
        TotalWindow window(kHour, kMinute);
        for (std::int64_t earlier = 0; earlier < minute; earlier += 2) window.add(whole(1), earlier * kMinute);
        const std::string before = window.to_bytes();
        const auto unchanged = [&] { REQUIRE(window.to_bytes() == before); };
        failures += fail_at_every_allocation([&] { TotalWindow(window).merge(window); }, unchanged);
        failures += fail_at_every_allocation([&] { window.add(whole(1), minute * kMinute); }, unchanged);
    }
    CHECK(failures > 50);
}

TEST_CASE("TotalWindow's bytes are golden, read back, and every damage is refused") {
    TotalWindow window(2 * kHour, kHour);
    CHECK(TotalWindow::from_bytes(window.to_bytes()) == window);
    window.add(whole(-3), kHour);
    window.add(whole(1), 2 * kHour);
    window.add(Total::of(0.5), 2 * kHour);
    window.add(whole(9), 0);
    CHECK(window.late() == 1);
    CHECK(
        to_hex(window.to_bytes()) ==
        "4548545701"
        "00a493d600000000"
        "02000000"
        "0100000000000000"
        "02000000"
        "0100000000000000"
        "0100000000000000"
        "00"
        "0000000000000000fdffffffffffffffffffffffffffffff"
        "0200000000000000"
        "0200000000000000"
        "01"
        "000000000000008001000000000000000000000000000000"
        "80687584");
    check_damage(window.to_bytes(), [](const std::string& bytes) { TotalWindow::from_bytes(bytes); });
}

TEST_CASE("TotalWindow refuses states that no window has, though the checksum is right") {
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return TotalWindow::from_bytes(engagehub::seal(std::move(writer)));
    };
    const auto refuse = [&](const std::string& hex) { CHECK_THROWS_AS(read(hex), Corrupted); };
    const std::string none = "0000000000000000";
    const std::string head =
        "4548545701"
        "40420f0000000000"
        "02000000" +
        none + "01000000" + "0500000000000000";  // two seconds, none late, one bucket
    const std::string zero = none + none + none;
    CHECK(read(head + "0100000000000000" + "00" + zero).count(kSecond, 5 * kSecond) == 1);
    refuse(head + none + "00" + zero);                                               // no event
    refuse(head + "0100000000000040" + "00" + zero);                                 // too many
    refuse(head + "0100000000000000" + "02" + zero);                                 // an unknown kind of value
    refuse(head + "0100000000000000" + "00" + "01" + none.substr(2) + none + none);  // ints with a fraction
    CHECK_NOTHROW(read(head + "0100000000000000" + "01" + none + "0000000000000080" + none));                // 2^63
    CHECK_NOTHROW(read(head + "0100000000000000" + "01" + none + "0000000000000080" + "ffffffffffffffff"));  // -2^63
    refuse(head + "0100000000000000" + "01" + "01" + none.substr(2) + "0000000000000080" + none);            // more
    refuse(head + "0100000000000000" + "00" + none + none + "0100000000000000");
    refuse(head + "0100000000000000" + "00" + none + none + "0000000000000080");
    CHECK_NOTHROW(read(head + "0200000000000000" + "00" + none + none + "0100000000000000"));  // 2^64 of two
}
