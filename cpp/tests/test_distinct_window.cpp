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
#include "tests/support/failing_new.hpp"

using engagehub::Corrupted;
using engagehub::DistinctWindow;
using engagehub::HyperLogLog;
using engagehub::Incompatible;
using engagehub::Interval;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemHash;
using engagehub::ItemView;
using engagehub_tests::allocations;
using engagehub_tests::check_damage;
using engagehub_tests::fail_at_every_allocation;
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
HyperLogLog recount(const std::vector<Event>& accepted, Interval interval, unsigned p) {
    HyperLogLog sketch(p);
    for (const Event& event : accepted) {
        if (event.at >= interval.start && event.at < interval.end) sketch.add_hash(sketch.hash()(number(event.member)));
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
                REQUIRE(window.answer(length, at) == recount(accepted, interval, 8).answer());
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

TEST_CASE("DistinctWindow's answers don't depend on the unions that it keeps") {
    std::mt19937_64 random(7);
    std::size_t most_kept = 0;
    for (int round = 0; round < 6; ++round) {
        const unsigned p = 9 + static_cast<unsigned>(random() % 3);  // dense buckets, so that unions are worth keeping
        const auto buckets = static_cast<std::int64_t>(20 + random() % 100);
        DistinctWindow window(buckets * kSecond, kSecond, p);
        DistinctWindow unasked = window;
        std::vector<Event> accepted;
        std::int64_t now = -30 * kSecond;
        const auto add = [&](std::int64_t member, std::int64_t at) {
            const bool is_counted = window.add(number(member), at);
            REQUIRE(is_counted == unasked.add(number(member), at));
            if (is_counted) accepted.push_back({member, at});
        };
        for (int step = 0; step < 120; ++step) {
            switch (random() % 10) {
                case 0:  // a jump ahead
                    now += static_cast<std::int64_t>(random() % 40) * kSecond;
                    break;
                case 1: {  // a stretch in any order, late events among them
                    for (int i = 0; i < 300; ++i)
                        add(static_cast<std::int64_t>(random() % 5'000),
                            now -
                                static_cast<std::int64_t>(
                                    random() % static_cast<std::uint64_t>((buckets + 5) * kSecond)));
                    break;
                }
                case 2: {  // another window's events
                    DistinctWindow other(buckets * kSecond, kSecond, p);
                    for (int i = 0; i < 200; ++i) {
                        const Event event{
                            static_cast<std::int64_t>(random() % 5'000),
                            now - static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(9 * kSecond))};
                        if (other.add(number(event.member), event.at)) accepted.push_back(event);
                    }
                    window.merge(other);
                    unasked.merge(other);
                    break;
                }
                case 3: window = DistinctWindow(window); break;
                case 4: window = DistinctWindow::from_bytes(window.to_bytes()); break;
                default:
                    now += static_cast<std::int64_t>(random() % (2 * kSecond));
                    for (int i = 0; i < 200; ++i) add(static_cast<std::int64_t>(random() % 5'000), now);
            }
            for (const std::int64_t length :
                 {window.span(), 5 * kSecond, 1 + static_cast<std::int64_t>(random() % 20) * kSecond}) {
                for (const std::int64_t at : {now, now - 3 * kSecond}) {
                    const auto expected = recount(accepted, window.interval(length, at), p).answer();
                    REQUIRE(window.answer(length, at) == expected);
                    REQUIRE(window.answer(length, at, 1.0).estimate == expected.estimate);
                }
            }
            REQUIRE(window == unasked);
            REQUIRE(window.to_bytes() == unasked.to_bytes());
            most_kept = std::max(most_kept, window.nbytes() - DistinctWindow(window).nbytes());
        }
    }
    CHECK(most_kept > 8'192);
}

TEST_CASE("DistinctWindow's series has the estimate of each bucket") {
    DistinctWindow window(4 * kHour, kHour);
    for (int i = 0; i < 20; ++i) window.add(number(i), 0);
    window.add(number(1), 2 * kHour);
    const auto series = window.series(4 * kHour, 3 * kHour);
    REQUIRE(series.size() == 4);
    for (std::int64_t hour = 0; hour < 4; ++hour)
        CHECK(series[static_cast<std::size_t>(hour)] == window.answer(kHour, hour * kHour).estimate);
    CHECK(series[1] == 0.0);
    CHECK(window.series(kHour, 9 * kHour) == std::vector<double>{0.0});
    CHECK(
        window.series(kHour, -9 * kHour).empty() ==
        (window.interval(kHour, -9 * kHour).start == window.interval(kHour, -9 * kHour).end));
}

TEST_CASE("DistinctWindow says what it takes, and takes little") {
    std::mt19937_64 random(8);
    const auto check = [](DistinctWindow window, std::size_t most) {  // a copy, which holds no more room than it needs
        CHECK(window.nbytes() <= most);
        allocations.requested = 0;
        const DistinctWindow copy(window);
        CHECK(allocations.requested + sizeof copy == copy.nbytes());
        allocations.requested = 0;
    };
    for (const std::int64_t buckets : {60, 24, 31}) {
        DistinctWindow dense(buckets * kMinute, kMinute);
        for (std::int64_t bucket = 0; bucket < 2 * buckets; ++bucket) {
            for (int i = 0; i < 8'000; ++i)
                dense.add(number(static_cast<std::int64_t>(random() % 100'000)), bucket * kMinute);
        }
        for (std::int64_t length = 1; length <= buckets; ++length)
            dense.answer(length * kMinute, (2 * buckets - 1) * kMinute);
        CHECK(dense.nbytes() > static_cast<std::size_t>(buckets) * 16'384);
        CHECK(dense.nbytes() <= 2 * 1'048'576);
        check(dense, 2 * 1'048'576);

        for (const std::int64_t spread : {std::int64_t{1}, std::int64_t{11}, buckets}) {
            DistinctWindow few(buckets * kMinute, kMinute);
            for (std::int64_t i = 0; i < 3 * buckets; ++i) few.add(number(i), i * kMinute);  // the ring has turned
            for (std::int64_t i = 0; i < 100; ++i) few.add(number(i), (5 * buckets + i % spread) * kMinute);
            for (std::int64_t length = 1; length <= buckets; ++length)
                few.answer(length * kMinute, (6 * buckets - 1) * kMinute);
            CHECK(few.nbytes() < 8'192);
            check(few, 8'192);
        }
    }
}

TEST_CASE("DistinctWindow takes less than 8 KiB for a hundred members who come back in every bucket") {
    constexpr std::int64_t kMembers = 100;
    const auto come = [](DistinctWindow& window, std::int64_t first, std::int64_t members) {
        for (std::int64_t bucket = first; bucket < first + window.buckets(); ++bucket) {
            for (std::int64_t i = 0; i < members; ++i) window.add(number(i), bucket * window.resolution());
        }
    };
    HyperLogLog sketch;
    for (std::int64_t i = 0; i < kMembers; ++i) sketch.add_hash(sketch.hash()(number(i)));
    for (const auto& [buckets, resolution] :
         {std::pair{60, kMinute}, std::pair{24, kHour}, std::pair{31, kDay}, std::pair{64, kSecond}}) {
        DistinctWindow few(buckets * resolution, resolution);
        come(few, 0, kMembers);
        DistinctWindow crowded(buckets * resolution, resolution);  // before
        come(crowded, -buckets, 5'000);
        for (std::int64_t bucket = 1; bucket <= buckets; ++bucket) crowded.answer(bucket * resolution, -resolution);
        const std::size_t before = crowded.nbytes();
        CHECK(before > 8'192);
        come(crowded, 0, kMembers);
        DistinctWindow merged = few;
        merged.merge(crowded);
        DistinctWindow read = DistinctWindow::from_bytes(crowded.to_bytes());
        for (DistinctWindow* window : {&few, &crowded, &merged, &read}) {
            for (std::int64_t bucket = 1; bucket <= buckets; ++bucket)
                REQUIRE(window->answer(bucket * resolution, (buckets - 1) * resolution) == sketch.answer());
            CHECK(window->nbytes() < 8'192);
            CHECK(*window == few);
            CHECK(window->to_bytes() == few.to_bytes());
        }
        // One table less and more, over and over.
        for (std::int64_t more = 1; more <= 60; ++more) {
            const std::int64_t at = (buckets + more) * resolution;
            for (std::int64_t i = 0; i < kMembers + more % 50; ++i) few.add(number(i), at);
            HyperLogLog all;
            for (std::int64_t i = 0; i < kMembers + std::min<std::int64_t>(more, 49); ++i)
                all.add_hash(all.hash()(number(i)));
            if (buckets >= 60) REQUIRE(few.collect(few.span(), at) == all);
            REQUIRE(DistinctWindow::from_bytes(few.to_bytes()) == few);
        }
        few.clear();
        CHECK(few == DistinctWindow(buckets * resolution, resolution));
        CHECK(few.to_bytes() == DistinctWindow(buckets * resolution, resolution).to_bytes());
    }
}

TEST_CASE("DistinctWindow's state doesn't depend on how many members it had before") {
    for (const unsigned p : {4U, 6U, 10U, 14U}) {
        for (const std::int64_t buckets : {1, 5, 64, 65}) {
            for (const std::int64_t members : {3, 8, 9, 40, 128, 129}) {
                DistinctWindow window(buckets * kSecond, kSecond, p);
                DistinctWindow once_crowded = window;
                for (std::int64_t i = 0; i < 400; ++i) once_crowded.add(number(-i), -i % buckets * kSecond);
                once_crowded.answer(window.span(), 0);
                for (std::int64_t i = 0; i < 5 * buckets; ++i) {
                    const std::int64_t at = (buckets + i % buckets) * kSecond;
                    window.add(number(i % members), at);
                    once_crowded.add(number(i % members), at);
                }
                for (std::int64_t i = 0; i < members; ++i) {
                    window.add(number(i), 2 * buckets * kSecond);
                    once_crowded.add(number(i), 2 * buckets * kSecond);
                }
                REQUIRE(window == once_crowded);
                REQUIRE(once_crowded == window);
                REQUIRE(window.to_bytes() == once_crowded.to_bytes());
                REQUIRE(window.series(window.span(), 0) == once_crowded.series(window.span(), 0));
                DistinctWindow both = window;
                both.merge(once_crowded);
                REQUIRE(both.to_bytes() == window.to_bytes());
                if (p < 10) continue;  // a few registers may have no room for one more
                once_crowded.add(number(-1), 2 * buckets * kSecond);
                REQUIRE(window != once_crowded);
            }
        }
    }
}

TEST_CASE("DistinctWindow knows its members by the hash that it was given") {
    const auto key = ItemHash::keyed({1, 2});
    for (const ItemHash& hash : {ItemHash::redis(), ItemHash::redis_decimal(), ItemHash::postgresql(), key}) {
        DistinctWindow window(kHour, kMinute, 6, hash);
        HyperLogLog sketch(6, hash);
        for (std::int64_t i = 0; i < 300; ++i) {
            window.add(number(i), i % 3 * kMinute);
            sketch.add_hash(hash(number(i)));
        }
        CHECK(window.hash() == hash);
        CHECK(window.collect(kHour, 2 * kMinute) == sketch);
        DistinctWindow other(kHour, kMinute, 6, ItemHash::keyed({1, 3}));
        CHECK_THROWS_AS(window.merge(other), Incompatible);
        CHECK(DistinctWindow::from_bytes(window.to_bytes(), hash == key ? key : ItemHash()) == window);
    }
    DistinctWindow window(kHour, kMinute, 6, key);
    window.add(number(1), 0);
    CHECK_THROWS_AS(DistinctWindow::from_bytes(window.to_bytes()), Incompatible);
    CHECK_THROWS_AS(DistinctWindow::from_bytes(window.to_bytes(), ItemHash::keyed({1, 3})), Incompatible);
    CHECK_THROWS_AS(DistinctWindow::from_bytes(DistinctWindow(kHour, kMinute).to_bytes(), key), Incompatible);
}

TEST_CASE("DistinctWindow changes nothing where there is no memory for it") {
    const auto window_of = [](std::int64_t members) {
        DistinctWindow window(20 * kMinute, kMinute, 10);
        for (std::int64_t i = 0; i < members; ++i) window.add(number(i), i % 17 * kMinute);
        window.answer(20 * kMinute, 16 * kMinute);
        return window;
    };
    std::size_t failures = 0;
    for (const std::int64_t members : {0, 1, 100, 126, 17 * 8, 17 * 9, 17 * 200}) {
        DistinctWindow window = window_of(members);
        const DistinctWindow other = window_of(17 * 30);
        const std::string before = window.to_bytes();
        const auto unchanged = [&] { REQUIRE(window.to_bytes() == before); };
        failures += fail_at_every_allocation([&] { DistinctWindow(window).add(number(-1), 3 * kMinute); }, unchanged);
        failures += fail_at_every_allocation([&] { window.answer(19 * kMinute, 16 * kMinute); }, unchanged);
        failures += fail_at_every_allocation([&] { DistinctWindow(window).merge(other); }, unchanged);
        // A member that is new to a bucket and to the unions that hold it.
        DistinctWindow full = window_of(members);
        for (std::int64_t member = -1; member > -30; --member) {
            const std::string held = full.to_bytes();
            failures += fail_at_every_allocation(
                [&] { full.add(number(member), -member % 25 * kMinute); }, [&] { REQUIRE(full.to_bytes() == held); });
            const auto covered = full.interval(20 * kMinute, 24 * kMinute);
            REQUIRE(full.answer(20 * kMinute, 24 * kMinute) == full.collect(20 * kMinute, 24 * kMinute).answer());
            REQUIRE(covered.end == 25 * kMinute);
        }
    }
    CHECK(failures > 50);
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

TEST_CASE("DistinctWindow refuses more late members than it can count, and names the place in a batch") {
    constexpr std::uint64_t kMostLate = std::uint64_t{1} << 62U;
    constexpr std::size_t kAt = 20;  // in the bytes
    DistinctWindow held(kHour, kMinute);
    held.add(number(1), kHour);
    const auto with_late = [&](std::uint64_t late) {
        const std::string bytes = held.to_bytes();
        engagehub::ByteWriter writer;
        writer.put_raw(bytes.substr(0, kAt));
        writer.put(late);
        writer.put_raw(bytes.substr(kAt + sizeof late, bytes.size() - kAt - sizeof late - 4));
        return DistinctWindow::from_bytes(engagehub::seal(std::move(writer)));
    };
    CHECK_THROWS_AS(with_late(kMostLate + 1), Corrupted);
    DistinctWindow window = with_late(kMostLate);
    const DistinctWindow before = window;
    const std::vector<ItemView> members = {number(2), number(3)};
    CHECK_THROWS_AS(window.add(number(2), 0), InvalidArgument);
    CHECK_THROWS_AS(window.merge(with_late(1)), InvalidArgument);
    CHECK_THROWS_AS(window.update(members, std::vector<std::int64_t>{kHour, 0}, 2), InvalidArgument);
    CHECK(window == before);
    CHECK(window.update(members, std::vector<std::int64_t>{kHour, kHour}, 2) == 2);
    CHECK_THROWS_WITH_AS(
        window.update(members, std::vector<std::int64_t>{kHour, std::numeric_limits<std::int64_t>::max()}, 2),
        "at[1] must be between the years 1 and 9999, got 9223372036854775807 microseconds", InvalidArgument);
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
        "4548445702"
        "00a493d600000000"
        "02000000"
        "04"
        "02"
        "00"
        "0100000000000000"
        "02000000"
        "0100000000000000"
        "01c1cc1935"
        "0200000000000000"
        "0181ae8b6c"
        "e841f872");
    CHECK(DistinctWindow::from_bytes(window.to_bytes()) == window);
    check_damage(window.to_bytes(), [](const std::string& bytes) { DistinctWindow::from_bytes(bytes); });
    std::mt19937_64 random(3);
    DistinctWindow large(31 * kDay, kDay, 12);
    for (int i = 0; i < 20'000; ++i)
        large.add(number(i), static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(31 * kDay)));
    CHECK(DistinctWindow::from_bytes(large.to_bytes()) == large);
}

TEST_CASE("DistinctWindow reads what its first version wrote") {
    const DistinctWindow window = DistinctWindow::from_bytes(from_hex(
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
        "a2b638e3"));
    CHECK(window.span() == 2 * kHour);
    CHECK(window.late() == 1);
    CHECK(window.hash() == ItemHash());
    const auto estimate = [&](std::int64_t at) { return window.collect(kHour, at).estimate(); };
    CHECK(estimate(kHour) == doctest::Approx(1.0).epsilon(0.05));
    CHECK(estimate(2 * kHour) == doctest::Approx(1.0).epsilon(0.05));
    DistinctWindow twice = window;
    twice.merge(window);
    CHECK(twice.collect(2 * kHour, 2 * kHour) == window.collect(2 * kHour, 2 * kHour));
    twice.add(ItemView::of(std::string_view("eve")), 2 * kHour);
    CHECK(twice.collect(kHour, 2 * kHour).estimate() == doctest::Approx(2.0).epsilon(0.1));
    CHECK(DistinctWindow::from_bytes(twice.to_bytes()) == twice);
}

TEST_CASE("DistinctWindow refuses states that no window has, though the checksum is right") {
    const auto read = [](const std::string& hex) {
        engagehub::ByteWriter writer;
        writer.put_raw(from_hex(hex));
        return DistinctWindow::from_bytes(engagehub::seal(std::move(writer)));
    };
    const std::string shape =
        "4548445702"
        "40420f0000000000"
        "02000000";  // two seconds
    const std::string none = "0000000000000000";
    const std::string head = shape + "04" + "01" + "00" + none;  // p 4, ints, the hash of Redis, none late
    const std::string one =
        "01"
        "07000000";
    const std::string bucket = "0500000000000000" + one;
    CHECK(read(head + "01000000" + bucket).interval(kSecond, 5 * kSecond).end == 6 * kSecond);
    const auto refuse = [&](const std::string& hex) { CHECK_THROWS_AS(read(hex), Corrupted); };
    refuse(head + "02000000" + bucket + bucket);                    // one bucket twice
    refuse(head + "02000000" + bucket + "0400000000000000" + one);  // descending
    refuse(head + "02000000" + bucket + "0700000000000000" + one);  // older than the ring
    refuse(head + "02000000" + bucket);                             // one missing
    refuse(head + "ffffffff" + bucket);
    refuse(head + "00000000");                             // a kind without buckets
    refuse(head + "01000000" + "ffffffffffffff7f" + one);  // the end of time
    const std::string members = head + "01000000" + "0500000000000000";
    const std::string tokens = "0100000002000000030000000400000005000000060000000700000008000000";
    CHECK(read(members + "08" + tokens).kind() == engagehub::ItemKind::kInteger);
    refuse(members + "09" + tokens + "09000000");      // too many
    refuse(members + "02" + "07000000" + "07000000");  // one twice
    refuse(members + "02" + "07000000" + "06000000");  // descending
    refuse(members + "01" + "40000000");               // of rank 0
    refuse(members + "01" + "28000000");               // of rank 40: 38 bits have no more than 39
    CHECK_NOTHROW(read(members + "01" + "27000000"));
    const auto with_sketch = [&](const HyperLogLog& sketch) {
        engagehub::ByteWriter writer;
        sketch.write(writer);
        return members + "00" + to_hex(writer.bytes());
    };
    const auto sketch_of = [](HyperLogLog sketch, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i) sketch.add(number(i));
        return sketch;
    };
    CHECK_NOTHROW(read(with_sketch(sketch_of(HyperLogLog(4), 9).without_kind())));
    refuse(with_sketch(HyperLogLog(4)));                                                       // empty
    refuse(with_sketch(sketch_of(HyperLogLog(4), 3).without_kind()));                          // of few members
    refuse(with_sketch(sketch_of(HyperLogLog(5), 9).without_kind()));                          // another p
    refuse(with_sketch(sketch_of(HyperLogLog(4), 9)));                                         // a kind of its own
    refuse(with_sketch(sketch_of(HyperLogLog(4, ItemHash::postgresql()), 9).without_kind()));  // another hash
    const auto empty = [&](const std::string& resolution, const std::string& count, const std::string& p) {
        return "4548445702" + resolution + count + p + "00" + "00" + none + "00000000";
    };
    CHECK_NOTHROW(read(empty("40420f0000000000", "02000000", "04")));
    refuse(empty(none, "02000000", "04"));                                                // resolution 0
    refuse(empty("ffffffffffffff7f", "02000000", "04"));                                  // absurd resolution
    refuse(empty("40420f0000000000", "00000000", "04"));                                  // no buckets
    refuse(empty("40420f0000000000", "ffffffff", "04"));                                  // absurd buckets
    refuse(empty("40420f0000000000", "02000000", "13"));                                  // p 19
    refuse(shape + "04" + "00" + "00" + "0100000000000000" + "00000000");                 // late without events
    CHECK_THROWS_AS(read(shape + "04" + "00" + "04" + none + "00000000"), Incompatible);  // an unknown hash
    CHECK_THROWS_AS(read("4548445703" + shape.substr(10) + "04" + "00" + "00" + none + "00000000"), Incompatible);
}
