// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <engagehub/queue/blocking_queue.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

using engagehub::BlockingQueue;
using engagehub::InvalidArgument;
using engagehub::kNoDeadline;
using engagehub::MpmcQueue;
using engagehub::QueueClaim;
using engagehub::QueueStatus;

namespace {

constexpr std::uint64_t kWrap = std::numeric_limits<std::uint64_t>::max() / 2;  // of positions: indices count in twos

struct Counted {
    static int& alive() {
        static int count = 0;
        return count;
    }
    int value = 0;
    Counted() noexcept { ++alive(); }
    explicit Counted(int of) noexcept : value(of) { ++alive(); }
    Counted(Counted&& other) noexcept : value(other.value) {
        other.value = -1;
        ++alive();
    }
    Counted& operator=(Counted&& other) noexcept {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~Counted() { --alive(); }
};

}  // namespace

TEST_CASE("capacity is rounded up to a power of two, and refused below two") {
    CHECK(MpmcQueue<int>(2).capacity() == 2);
    CHECK(MpmcQueue<int>(3).capacity() == 4);
    CHECK(MpmcQueue<int>(1024).capacity() == 1024);
    CHECK(MpmcQueue<int>(1025).capacity() == 2048);
    CHECK_THROWS_WITH_AS(MpmcQueue<int>(1), "capacity must be between 2 and 1073741824, got 1", InvalidArgument);
    CHECK_THROWS_AS(MpmcQueue<int>(0), InvalidArgument);
    CHECK_THROWS_AS(MpmcQueue<int>(MpmcQueue<int>::kMaxCapacity + 1), InvalidArgument);
}

TEST_CASE("random operations on one thread agree with a deque, also while the indices wrap") {
    // kWrap - 700 comes to the end of the indices soon after the test began, kWrap - 3 within the first lap.
    for (const std::uint64_t initial : {std::uint64_t{0}, std::uint64_t{5}, kWrap - 700, kWrap - 3, kWrap}) {
        for (const std::size_t capacity : {std::size_t{2}, std::size_t{4}, std::size_t{64}}) {
            CAPTURE(initial);
            CAPTURE(capacity);
            std::mt19937_64 random(capacity + initial);
            MpmcQueue<std::uint64_t> queue(capacity, initial);
            std::deque<std::uint64_t> model;
            std::uint64_t next = 0;
            std::uint64_t taken = 0;
            for (int step = 0; step < 4000; ++step) {
                const auto choice = random() % 4;
                const std::size_t count = random() % (capacity + 3);
                if (choice == 0) {
                    std::uint64_t value = next;
                    const auto status = queue.try_push(std::move(value));
                    REQUIRE(status == (model.size() == capacity ? QueueStatus::kFull : QueueStatus::kDone));
                    if (status == QueueStatus::kDone) model.push_back(next++);
                } else if (choice == 1) {
                    std::uint64_t value = 0;
                    const auto status = queue.try_pop(value);
                    REQUIRE(status == (model.empty() ? QueueStatus::kEmpty : QueueStatus::kDone));
                    if (status == QueueStatus::kDone) {
                        REQUIRE(value == model.front());
                        model.pop_front();
                        ++taken;
                    }
                } else if (choice == 2) {
                    std::vector<std::uint64_t> values;
                    for (std::size_t i = 0; i < count; ++i) values.push_back(next + i);
                    const QueueClaim claim = queue.try_push_n(values.begin(), count);
                    REQUIRE(claim.count == std::min(count, capacity - model.size()));
                    for (std::size_t i = 0; i < claim.count; ++i) model.push_back(next++);
                    if (claim.count != 0) REQUIRE(claim.end == next);
                    if (count != 0 && claim.count == 0) REQUIRE(claim.status == QueueStatus::kFull);
                    if (claim.count == count) REQUIRE(claim.status == QueueStatus::kDone);
                } else {
                    std::vector<std::uint64_t> values;
                    values.reserve(count);
                    const std::size_t before = model.size();
                    const QueueClaim claim =
                        queue.try_pop_n(count, [&](std::uint64_t&& value) noexcept { values.push_back(value); });
                    REQUIRE(claim.count == std::min(count, before));
                    REQUIRE(values.size() == claim.count);
                    for (const auto value : values) {
                        REQUIRE(value == model.front());
                        model.pop_front();
                        ++taken;
                    }
                    if (claim.count != 0) REQUIRE(claim.end == taken);
                    if (count != 0 && claim.count == 0) REQUIRE(claim.status == QueueStatus::kEmpty);
                }
                REQUIRE(queue.size() == model.size());
                REQUIRE(queue.pushed() == next);
                REQUIRE(queue.popped() == taken);
                std::deque<std::uint64_t> seen;
                queue.visit([&](std::uint64_t value) {
                    seen.push_back(value);
                    return true;
                });
                REQUIRE(seen == model);
            }
        }
    }
}

TEST_CASE("every element is destroyed once, those that are left by the destructor") {
    Counted::alive() = 0;
    {
        MpmcQueue<Counted> queue(4, kWrap - 2);
        for (int i = 0; i < 3; ++i) CHECK(queue.try_push(Counted(i)) == QueueStatus::kDone);
        CHECK(Counted::alive() == 3);
        Counted out;
        CHECK(queue.try_pop(out) == QueueStatus::kDone);
        CHECK(out.value == 0);
        CHECK(Counted::alive() == 3);  // two inside, and out
        CHECK(queue.try_push(Counted(3)) == QueueStatus::kDone);
        CHECK(queue.try_push(Counted(4)) == QueueStatus::kDone);
        Counted refused(5);
        CHECK(queue.try_push(std::move(refused)) == QueueStatus::kFull);
        CHECK(refused.value == 5);  // not moved from
        CHECK(Counted::alive() == 6);
    }
    CHECK(Counted::alive() == 0);
}

TEST_CASE("a queue of owning pointers gives each back") {
    MpmcQueue<std::unique_ptr<int>> queue(8);
    for (int i = 0; i < 5; ++i) CHECK(queue.try_push(std::make_unique<int>(i)) == QueueStatus::kDone);
    std::unique_ptr<int> out;
    CHECK(queue.try_pop(out) == QueueStatus::kDone);
    CHECK(*out == 0);
}

TEST_CASE("a closed queue takes nothing more and gives what it has") {
    MpmcQueue<int> queue(4);
    CHECK(queue.try_push(1) == QueueStatus::kDone);
    CHECK(queue.try_push(2) == QueueStatus::kDone);
    queue.close();
    queue.close();
    CHECK(queue.is_closed());
    CHECK(queue.try_push(3) == QueueStatus::kClosed);
    CHECK(queue.pushed() == 2);
    CHECK(queue.size() == 2);
    int out = 0;
    CHECK(queue.try_pop(out) == QueueStatus::kDone);
    CHECK(queue.try_pop(out) == QueueStatus::kDone);
    CHECK(out == 2);
    CHECK(queue.try_pop(out) == QueueStatus::kClosed);
}

namespace {

// A take that stops in the middle of its claim shows what others see meanwhile.
struct Slow {
    std::atomic<bool>* is_inside = nullptr;
    std::atomic<bool>* may_leave = nullptr;
    Slow() noexcept = default;
    Slow(std::atomic<bool>* inside, std::atomic<bool>* leave) noexcept : is_inside(inside), may_leave(leave) {}
    Slow(Slow&& other) noexcept : is_inside(other.is_inside), may_leave(other.may_leave) {
        if (is_inside == nullptr) return;
        is_inside->store(true);
        while (!may_leave->load()) std::this_thread::yield();
    }
    Slow& operator=(Slow&& other) noexcept = default;
};

}  // namespace

TEST_CASE("a slot that is claimed and not yet published answers busy, neither empty nor full") {
    std::atomic<bool> is_inside{false};
    std::atomic<bool> may_leave{false};
    MpmcQueue<Slow> queue(2);
    std::thread producer([&] { CHECK(queue.try_push(Slow(&is_inside, &may_leave)) == QueueStatus::kDone); });
    while (!is_inside.load()) std::this_thread::yield();
    Slow out;
    CHECK(queue.try_pop(out) == QueueStatus::kBusy);
    CHECK(queue.size() == 1);
    may_leave.store(true);
    producer.join();

    CHECK(queue.try_push(Slow()) == QueueStatus::kDone);
    CHECK(queue.try_push(Slow()) == QueueStatus::kFull);
    is_inside.store(false);
    may_leave.store(false);
    std::thread consumer([&] {
        const auto claim = queue.try_pop_n(1, [&](Slow&&) noexcept {
            is_inside.store(true);
            while (!may_leave.load()) std::this_thread::yield();
        });
        CHECK(claim.count == 1);
    });
    while (!is_inside.load()) std::this_thread::yield();
    CHECK(queue.try_push(Slow()) == QueueStatus::kBusy);
    may_leave.store(true);
    consumer.join();
    CHECK(queue.try_push(Slow()) == QueueStatus::kDone);
}

TEST_CASE("close is exact among racing producers: what was accepted is what comes out") {
    for (int round = 0; round < 50; ++round) {
        MpmcQueue<int> queue(1024);
        std::atomic<int> accepted{0};
        std::vector<std::thread> producers;
        for (int i = 0; i < 3; ++i) {
            producers.emplace_back([&] {
                while (queue.try_push(1) == QueueStatus::kDone) ++accepted;
            });
        }
        while (queue.size() < 20) std::this_thread::yield();
        queue.close();
        const std::uint64_t at_close = queue.pushed();
        for (auto& producer : producers) producer.join();
        CHECK(queue.pushed() == at_close);
        CHECK(queue.pushed() == static_cast<std::uint64_t>(accepted.load()));
        std::uint64_t taken = 0;
        int out = 0;
        while (queue.try_pop(out) == QueueStatus::kDone) ++taken;
        CHECK(taken == at_close);
    }
}

namespace {

// Every producer sends its own numbers in order, by one or by several; nothing may be lost, doubled or overtaken.
template <class Push, class Pop>
void stress(std::size_t producers, std::size_t consumers, std::uint64_t each, Push push, Pop pop) {
    std::vector<std::thread> threads;
    std::vector<std::vector<std::uint64_t>> seen(consumers);
    for (std::size_t p = 0; p < producers; ++p) {
        threads.emplace_back([=] {
            std::mt19937_64 random(p);
            for (std::uint64_t i = 0; i < each;) {
                std::vector<std::uint64_t> values;
                const std::uint64_t count =
                    std::min<std::uint64_t>(each - i, random() % 3 == 0 ? random() % 10 + 1 : 1);
                for (std::uint64_t k = 0; k < count; ++k) values.push_back((std::uint64_t{p} << 40U) + i + k);
                push(values);
                i += count;
            }
        });
    }
    for (std::size_t c = 0; c < consumers; ++c) {
        threads.emplace_back([&seen, c, pop] {
            while (pop(seen[c])) {
            }
        });
    }
    for (std::size_t p = 0; p < producers; ++p) threads[p].join();
    push(std::vector<std::uint64_t>{});  // the end
    for (std::size_t c = 0; c < consumers; ++c) threads[producers + c].join();

    std::vector<std::vector<int>> times(producers, std::vector<int>(each, 0));
    for (const auto& values : seen) {
        std::vector<std::int64_t> last(producers, -1);
        bool in_order = true;
        for (const auto value : values) {
            const auto producer = static_cast<std::size_t>(value >> 40U);
            const auto number = static_cast<std::int64_t>(value & ((std::uint64_t{1} << 40U) - 1));
            in_order = in_order && number > last[producer];
            last[producer] = number;
            ++times[producer][static_cast<std::size_t>(number)];
        }
        CHECK(in_order);
    }
    for (const auto& counts : times)
        CHECK(std::all_of(counts.begin(), counts.end(), [](int count) { return count == 1; }));
}

}  // namespace

TEST_CASE("stress of the ring: nothing lost, nothing twice, every producer's order kept") {
    for (const std::size_t threads : {std::size_t{2}, std::size_t{4}}) {
        CAPTURE(threads);
        MpmcQueue<std::uint64_t> queue(64, kWrap - 1000);
        stress(
            threads, threads, 20'000,
            [&](std::vector<std::uint64_t> values) {
                if (values.empty()) queue.close();
                std::size_t done = 0;
                while (done != values.size()) {
                    const auto claim =
                        queue.try_push_n(values.begin() + static_cast<std::ptrdiff_t>(done), values.size() - done);
                    done += claim.count;
                    if (claim.count == 0) std::this_thread::yield();
                }
            },
            [&](std::vector<std::uint64_t>& out) {
                out.reserve(out.size() + 7);
                const auto claim = queue.try_pop_n(7, [&](std::uint64_t&& value) noexcept { out.push_back(value); });
                if (claim.count == 0 && claim.status != QueueStatus::kClosed) std::this_thread::yield();
                return claim.count != 0 || claim.status != QueueStatus::kClosed;
            });
    }
}

TEST_CASE("stress of the waiting queue: a tiny ring, so that both sides park") {
    for (const std::size_t threads : {std::size_t{2}, std::size_t{4}}) {
        CAPTURE(threads);
        BlockingQueue<std::uint64_t> queue(2);
        stress(
            threads, threads, 5'000,
            [&](std::vector<std::uint64_t> values) {
                if (values.empty()) queue.close();
                for (auto value : values) CHECK(queue.push(std::move(value)) == QueueStatus::kDone);
            },
            [&](std::vector<std::uint64_t>& out) {
                std::uint64_t value = 0;
                const auto status = queue.pop(value);
                if (status == QueueStatus::kDone) out.push_back(value);
                return status == QueueStatus::kDone;
            });
    }
}

TEST_CASE("a single consumer that parks sees every element of a slow producer") {
    BlockingQueue<int> queue(8);
    std::thread consumer([&] {
        int out = 0;
        for (int i = 0; i < 200; ++i) {
            CHECK(queue.pop(out) == QueueStatus::kDone);
            CHECK(out == i);
        }
    });
    for (int i = 0; i < 200; ++i) {
        // Longer than the consumer spins: it is parked by now, or about to be.
        if (i % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        CHECK(queue.push(int{i}) == QueueStatus::kDone);
    }
    consumer.join();
}

TEST_CASE("a deadline ends a wait, and shutdown ends all of them") {
    BlockingQueue<int> queue(2);
    int out = 0;
    const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::milliseconds(20); };
    auto until = soon();
    CHECK(queue.pop(out, until) == QueueStatus::kEmpty);
    CHECK(std::chrono::steady_clock::now() >= until);
    CHECK(queue.push(1) == QueueStatus::kDone);
    CHECK(queue.push(2) == QueueStatus::kDone);
    until = soon();
    CHECK(queue.push(3, until) == QueueStatus::kFull);
    CHECK(std::chrono::steady_clock::now() >= until);

    std::thread producer([&] { CHECK(queue.push(4, kNoDeadline) == QueueStatus::kClosed); });
    queue.close();
    producer.join();
    CHECK(queue.pop(out) == QueueStatus::kDone);
    CHECK(queue.pop(out) == QueueStatus::kDone);
    CHECK(queue.pop(out) == QueueStatus::kClosed);

    BlockingQueue<int> empty(2);
    std::vector<std::thread> consumers;
    for (int i = 0; i < 3; ++i) {
        consumers.emplace_back([&] {
            int unused = 0;
            CHECK(empty.pop(unused) == QueueStatus::kClosed);
        });
    }
    empty.close();
    for (auto& consumer : consumers) consumer.join();
}
