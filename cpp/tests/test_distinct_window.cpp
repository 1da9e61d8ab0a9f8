// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <engagehub/window/distinct_window.hpp>

#include "tests/support/bytes.hpp"

using engagehub::Corrupted;
using engagehub::DistinctWindow;
using engagehub::HyperLogLog;
using engagehub::Incompatible;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemView;
using engagehub_tests::check_damage;
using engagehub_tests::from_hex;
using engagehub_tests::to_hex;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

ItemView number(std::int64_t value) { return ItemView::of(value); }

struct Event {
    std::int64_t member;
    std::int64_t at;
};

// What the answer must be: one sketch of the accepted events of the interval.
HyperLogLog recount(const std::vector<Event>& accepted, DistinctWindow::Interval interval, unsigned p) {
    HyperLogLog sketch(p);
    for (const Event& event : accepted) {
        if (event.at >= interval.start && event.at < interval.end) sketch.add(number(event.member));
    }
    return sketch;
}

}  // namespace

TEST_CASE("DistinctWindow answers as a recount of the interval that it names") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 40; ++round) {
        const std::int64_t resolution = std::vector<std::int64_t>{kSecond, kMinute, kHour, 7 * kSecond}[random() % 4];
        const std::int64_t buckets = 1 + static_cast<std::int64_t>(random() % 30);
        DistinctWindow window(buckets * resolution, resolution, 8);
        std::vector<Event> accepted;
        std::uint64_t late = 0;
        std::optional<std::int64_t> newest;
        std::int64_t now = -20 * resolution;  // across the epoch
        for (int i = 0; i < 400; ++i) {
            now += static_cast<std::int64_t>(
                random() % static_cast<std::uint64_t>(random() % 50 == 0 ? 40 * resolution : resolution));
            const Event event{
                static_cast<std::int64_t>(random() % 300),
                now - static_cast<std::int64_t>(random() % static_cast<std::uint64_t>((buckets + 3) * resolution))};
            // The rule, said plainly: its bucket is older than the last `buckets` ones up to the newest.
            const auto floor_div = [&](std::int64_t at) {
                return at >= 0 ? at / resolution : -((-at + resolution - 1) / resolution);
            };
            const bool is_late = newest && floor_div(event.at) <= floor_div(*newest) - buckets;
            REQUIRE(window.add(number(event.member), event.at) == !is_late);
            if (is_late) {
                ++late;
            } else {
                accepted.push_back(event);
                newest = newest ? std::max(*newest, event.at) : event.at;
            }
            REQUIRE(window.late() == late);
            if (i % 20 != 0) continue;
            // The reader refuses buckets that the ring should have given up.
            REQUIRE(DistinctWindow::from_bytes(window.to_bytes()) == window);
            const std::int64_t length =
                1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(window.span()));
            for (const std::int64_t at :
                 {now, *newest, *newest - 3 * resolution, *newest + 2 * resolution, *newest - 100 * resolution}) {
                const auto interval = window.interval(length, at);
                REQUIRE(window.collect(length, at) == recount(accepted, interval, 8));
                REQUIRE(interval.end % resolution == 0);
                REQUIRE(interval.start % resolution == 0);
                REQUIRE(at < interval.end);
                REQUIRE(at >= interval.end - resolution);
                REQUIRE(interval.end - interval.start <= length + resolution - 1);
                if (at >= *newest) REQUIRE(interval.end - interval.start >= length);
            }
        }
    }
}

TEST_CASE("DistinctWindow gives up what is older than its span, and answers the past from what it holds") {
    DistinctWindow window(3 * kHour, kHour);
    CHECK(window.interval(3 * kHour, 10 * kHour).start == 8 * kHour);
    window.add(number(1), 0);
    window.add(number(2), kHour);
    window.add(number(3), 2 * kHour + 5);
    CHECK(window.collect(3 * kHour, 2 * kHour).estimate() == doctest::Approx(3.0).epsilon(0.01));
    window.add(number(4), 4 * kHour);
    CHECK(window.answer(3 * kHour, 4 * kHour).estimate == doctest::Approx(2.0).epsilon(0.01));
    CHECK(window.interval(3 * kHour, 3 * kHour).start == 2 * kHour);
    CHECK(window.interval(3 * kHour, 3 * kHour).end == 4 * kHour);
    CHECK(window.answer(3 * kHour, 3 * kHour).estimate == doctest::Approx(1.0).epsilon(0.01));
    CHECK(window.interval(kHour, 0).start == window.interval(kHour, 0).end);
    CHECK(window.answer(kHour, 0).estimate == 0.0);
    CHECK(window.answer(kHour, 9 * kHour).estimate == 0.0);
    CHECK_FALSE(window.add(number(5), 2 * kHour - 1));
    CHECK(window.add(number(5), 2 * kHour));
    CHECK(window.late() == 1);
}

TEST_CASE("DistinctWindow chooses the largest resolution of which the span holds 24") {
    CHECK(DistinctWindow::default_resolution(24 * kDay) == kDay);
    CHECK(DistinctWindow::default_resolution(24 * kDay - 1) == kHour);
    CHECK(DistinctWindow::default_resolution(24 * kHour) == kHour);
    CHECK(DistinctWindow::default_resolution(24 * kHour - 1) == kMinute);
    CHECK(DistinctWindow::default_resolution(24 * kMinute) == kMinute);
    CHECK(DistinctWindow::default_resolution(24 * kMinute - 1) == kSecond);
    CHECK(DistinctWindow::default_resolution(1) == kSecond);
}

TEST_CASE("DistinctWindow rounds its span up to whole buckets and refuses impossible ones") {
    CHECK(DistinctWindow(90 * kMinute, kHour).span() == 2 * kHour);
    CHECK(DistinctWindow(90 * kMinute, kHour).buckets() == 2);
    CHECK_THROWS_AS(DistinctWindow(0, kHour), InvalidArgument);
    CHECK_THROWS_AS(DistinctWindow(kHour, 0), InvalidArgument);
    CHECK_THROWS_AS(DistinctWindow(std::numeric_limits<std::int64_t>::max(), kDay), InvalidArgument);
    CHECK_THROWS_AS(DistinctWindow(kDay, std::numeric_limits<std::int64_t>::max()), InvalidArgument);
    CHECK_THROWS_AS(DistinctWindow(100'001 * kSecond, kSecond), InvalidArgument);
    CHECK_NOTHROW(DistinctWindow(100'000 * kSecond, kSecond));
    CHECK_THROWS_AS(DistinctWindow(kHour, kMinute, 3), InvalidArgument);
}

TEST_CASE("DistinctWindow refuses bad input and changes nothing") {
    DistinctWindow window(kHour, kMinute);
    window.add(number(1), 0);
    const DistinctWindow before = window;
    CHECK_THROWS_AS(window.add(ItemView::of(std::string_view("a")), 0), InvalidType);
    CHECK_THROWS_AS(window.add(number(1), std::numeric_limits<std::int64_t>::max()), InvalidArgument);
    const std::vector<ItemView> members = {number(2), number(3)};
    CHECK_THROWS_AS(
        window.update(members, std::vector<std::int64_t>{0, std::numeric_limits<std::int64_t>::min()}, 2),
        InvalidArgument);
    CHECK_THROWS_AS(window.interval(0, 0), InvalidArgument);
    CHECK_THROWS_AS(window.interval(kHour + 1, 0), InvalidArgument);
    CHECK_THROWS_AS(window.interval(kHour, std::numeric_limits<std::int64_t>::max()), InvalidArgument);
    CHECK_THROWS_AS(window.merge(DistinctWindow(kHour, 2 * kMinute)), Incompatible);
    CHECK_THROWS_AS(window.merge(DistinctWindow(2 * kHour, kMinute)), Incompatible);
    DistinctWindow texts(kHour, kMinute);
    texts.add(ItemView::of(std::string_view("a")), 0);
    CHECK_THROWS_AS(window.merge(texts), Incompatible);
    CHECK(window == before);
    CHECK(window.update(members, std::vector<std::int64_t>{0, -kDay}, 2) == 1);
    CHECK(window.late() == 1);
    window.clear();
    CHECK(window == DistinctWindow(kHour, kMinute));
}

TEST_CASE("DistinctWindow merges in any order to the window of all events") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 30; ++round) {
        const unsigned least = 4 + static_cast<unsigned>(random() % 3);
        std::vector<DistinctWindow> parts;
        DistinctWindow direct(10 * kMinute, kMinute, least);
        std::vector<std::pair<std::int64_t, std::int64_t>> events;
        for (unsigned part = 0; part < 3; ++part) {
            parts.emplace_back(10 * kMinute, kMinute, least + part);
            const auto start = static_cast<std::int64_t>(random() % 15) * kMinute;
            std::int64_t at = start;
            for (int i = 0; i < 50; ++i) {
                at += static_cast<std::int64_t>(random() % (20 * kSecond));
                const auto member = static_cast<std::int64_t>(random() % 100);
                parts.back().add(number(member), at);
                events.push_back({at, member});
            }
        }
        // Newest first: what is late then is what the merge drops.
        std::sort(events.rbegin(), events.rend());
        for (const auto& [at, member] : events) direct.add(number(member), at);
        std::vector<std::size_t> order = {0, 1, 2};
        std::optional<std::string> bytes;
        do {
            DistinctWindow merged = parts[order[0]];
            merged.merge(parts[order[1]]);
            merged.merge(parts[order[2]]);
            REQUIRE(merged.p() == least);
            REQUIRE(DistinctWindow::from_bytes(merged.to_bytes()) == merged);
            REQUIRE(merged.late() == parts[0].late() + parts[1].late() + parts[2].late());
            for (std::int64_t length = kMinute; length <= 10 * kMinute; length += kMinute) {
                REQUIRE(merged.collect(length, events[0].first) == direct.collect(length, events[0].first));
            }
            if (bytes) REQUIRE(merged.to_bytes() == *bytes);
            bytes = merged.to_bytes();
        } while (std::next_permutation(order.begin(), order.end()));
    }
}

TEST_CASE("DistinctWindow's bytes are golden, read back, and every damage is refused") {
    DistinctWindow window(2 * kHour, kHour, 4);
    CHECK(DistinctWindow::from_bytes(window.to_bytes()) == window);
    window.add(ItemView::of(std::string_view("ada")), kHour);
    window.add(ItemView::of(std::string_view("bob")), 2 * kHour);
    window.add(ItemView::of(std::string_view("cy")), 0);
    CHECK(window.late() == 1);
    CHECK(
        to_hex(window.to_bytes()) ==
        "4548445701"
        "00a493d600000000"
        "02000000"
        "04"
        "02"
        "0100000000000000"
        "02000000"
        "0100000000000000"
        "0402000000"
        "01000000"
        "01030000"
        "0200000000000000"
        "0402000000"
        "01000000"
        "010a0000"
        "a2b638e3");
    CHECK(DistinctWindow::from_bytes(window.to_bytes()) == window);
    check_damage(window.to_bytes(), [](const std::string& bytes) { DistinctWindow::from_bytes(bytes); });
    std::mt19937_64 random(3);
    DistinctWindow large(31 * kDay, kDay, 12);
    for (int i = 0; i < 20'000; ++i)
        large.add(number(i), static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(31 * kDay)));
    CHECK(DistinctWindow::from_bytes(large.to_bytes()) == large);
}

TEST_CASE("DistinctWindow refuses states that no window has, though the checksum is right") {
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return DistinctWindow::from_bytes(engagehub::seal(std::move(writer)));
    };
    const std::string head =
        "4548445701"
        "40420f0000000000"
        "02000000"
        "04"
        "01"
        "0000000000000000";  // two seconds, p 4, ints
    const std::string sketch =
        "0401000000"
        "01000000"
        "01030000";
    const std::string none = "0000000000000000";
    CHECK(read(head + "01000000" + "0500000000000000" + sketch).interval(kSecond, 5 * kSecond).end == 6 * kSecond);
    const auto refuse = [&](const std::string& hex) { CHECK_THROWS_AS(read(hex), Corrupted); };
    refuse(head + "02000000" + "0500000000000000" + sketch + "0500000000000000" + sketch);  // one bucket twice
    refuse(head + "02000000" + "0500000000000000" + sketch + "0400000000000000" + sketch);  // descending
    refuse(head + "02000000" + "0500000000000000" + sketch + "0700000000000000" + sketch);  // older than the ring
    refuse(head + "02000000" + "0500000000000000" + sketch);                                // one missing
    refuse(head + "ffffffff" + "0500000000000000" + sketch);
    refuse(head + "00000000");                                // a kind without buckets
    refuse(head + "01000000" + "ffffffffffffff7f" + sketch);  // the end of time
    refuse(
        head + "01000000" + "0500000000000000" +
        "0501000000"
        "01000000"
        "01030000");  // another p
    refuse(
        head + "01000000" + "0500000000000000" +
        "0402000000"
        "01000000"
        "01030000");  // another kind
    refuse(
        head + "01000000" + "0500000000000000" +
        "0400000000"
        "00000000");  // an empty bucket
    refuse(
        "4548445701" + none +
        "02000000"
        "04"
        "00" +
        none + "00000000");  // resolution 0
    refuse(
        "4548445701"
        "ffffffffffffff7f"
        "02000000"
        "04"
        "00" +
        none + "00000000");  // absurd resolution
    refuse(
        "4548445701"
        "40420f0000000000"
        "00000000"
        "04"
        "00" +
        none + "00000000");  // no buckets
    refuse(
        "4548445701"
        "40420f0000000000"
        "ffffffff"
        "04"
        "00" +
        none + "00000000");  // absurd buckets
    refuse(
        "4548445701"
        "40420f0000000000"
        "02000000"
        "13"
        "00" +
        none + "00000000");  // p 19
    refuse(
        "4548445701"
        "40420f0000000000"
        "02000000"
        "04"
        "00"
        "0100000000000000"
        "00000000");  // late without events
}
