// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include <engagehub/queue/broadcast_ring.hpp>

using engagehub::BroadcastRing;
using engagehub::InvalidArgument;
using engagehub::QueueClaim;
using engagehub::QueueStatus;

namespace {

using Ring = BroadcastRing<std::uint64_t>;
using Values = std::vector<std::uint64_t>;

QueueClaim push(Ring& ring, const Values& values) {
    return ring.push(values.size(), [&](std::size_t i, std::uint64_t& slot) noexcept { slot = values[i]; });
}
void check_claim(const QueueClaim& claim, QueueStatus status, std::size_t count, std::uint64_t end) {
    CHECK(claim.status == status);
    CHECK(claim.count == count);
    CHECK(claim.end == end);
}

}  // namespace

TEST_CASE("the ring's capacity is rounded up to a power of two, and refused below two") {
    CHECK(Ring(2, 1).capacity() == 2);
    CHECK(Ring(3, 1).capacity() == 4);
    CHECK(Ring(1024, 3).capacity() == 1024);
    CHECK(Ring(1025, 3).capacity() == 2048);
    CHECK(Ring(2, 3).readers() == 3);
    CHECK_THROWS_WITH_AS(Ring(1, 1), "capacity must be between 2 and 1073741824, got 1", InvalidArgument);
    CHECK_THROWS_AS(Ring(0, 1), InvalidArgument);
    CHECK_THROWS_AS(Ring((std::size_t{1} << 30U) + 1, 1), InvalidArgument);
}

TEST_CASE("a push says how much it took, and a closed ring gives what it has") {
    Ring ring(4, 2);
    check_claim(push(ring, {}), QueueStatus::kDone, 0, 0);
    check_claim(push(ring, {1, 2, 3}), QueueStatus::kDone, 3, 3);
    check_claim(push(ring, {4, 5, 6}), QueueStatus::kFull, 1, 4);
    check_claim(push(ring, {5}), QueueStatus::kFull, 0, 0);
    CHECK_FALSE(ring.has_room());
    ring.advance(0, 4);
    check_claim(push(ring, {5}), QueueStatus::kFull, 0, 0);  // the second reader has passed nothing
    ring.advance(1, 1);
    CHECK(ring.has_room());
    CHECK(ring.passed() == 1);
    check_claim(push(ring, {5}), QueueStatus::kDone, 1, 5);
    CHECK(ring.readable(1, 2) == 2);
    CHECK(ring.readable(1, 100) == 4);
    CHECK(ring.readable(5, 1) == 0);
    CHECK_FALSE(ring.is_closed());
    ring.close();
    ring.close();
    CHECK(ring.is_closed());
    check_claim(push(ring, {6}), QueueStatus::kClosed, 0, 0);
    CHECK(ring.pushed() == 5);
    CHECK(ring.readable(4, 100) == 1);
    CHECK(ring[4] == 5);
}

TEST_CASE("who holds a cursor is alone with it until it is moved, and producers see where it was") {
    Ring ring(2, 1);
    CHECK(push(ring, {1, 2}).count == 2);
    std::uint64_t position = 7;
    while (!ring.hold(0, position)) continue;  // may fail for no reason
    CHECK(position == 0);
    for (int i = 0; i < 10; ++i) CHECK_FALSE(ring.hold(0, position));
    CHECK(ring.position(0) == 0);
    CHECK(push(ring, {3}).status == QueueStatus::kFull);
    ring.advance(0, 1);
    CHECK(push(ring, {3}).status == QueueStatus::kDone);
    while (!ring.hold(0, position)) continue;
    CHECK(position == 1);
}

TEST_CASE("random operations on one thread agree with a deque of which every reader has passed a part") {
    for (const std::size_t capacity : {std::size_t{2}, std::size_t{4}, std::size_t{64}}) {
        for (const std::size_t readers : {std::size_t{1}, std::size_t{2}, std::size_t{4}}) {
            CAPTURE(capacity);
            CAPTURE(readers);
            std::mt19937_64 random(capacity + readers);
            Ring ring(capacity, readers);
            std::deque<std::uint64_t> model;  // from the slowest reader on
            std::uint64_t first = 0;
            std::uint64_t next = 0;
            Values positions(readers, 0);
            for (int step = 0; step < 4000; ++step) {
                const std::size_t count = random() % (capacity + 3);
                if (random() % 2 == 0) {
                    Values values;
                    while (values.size() != count) values.push_back(random());
                    const std::size_t taken = std::min(count, capacity - model.size());
                    const QueueClaim claim = push(ring, values);
                    REQUIRE(claim.count == taken);
                    REQUIRE(claim.status == (taken == count ? QueueStatus::kDone : QueueStatus::kFull));
                    next += taken;
                    if (taken != 0) REQUIRE(claim.end == next);
                    model.insert(model.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(taken));
                } else {
                    const std::size_t reader = random() % readers;
                    std::uint64_t& position = positions[reader];
                    const std::size_t readable = ring.readable(position, count);
                    REQUIRE(readable == std::min<std::uint64_t>(count, next - position));
                    for (std::size_t i = 0; i < readable; ++i) {
                        REQUIRE(ring[position + i] == model[static_cast<std::size_t>(position + i - first)]);
                    }
                    position += readable;
                    ring.advance(reader, position);
                    for (; first != *std::min_element(positions.begin(), positions.end()); ++first) model.pop_front();
                }
                REQUIRE(ring.pushed() == next);
                REQUIRE(ring.passed() == first);
                REQUIRE(ring.has_room() == (model.size() < capacity));
            }
        }
    }
}

namespace {

// Larger than what is read and written at once, so that a reader would see one that is half written.
struct Wide {
    std::array<std::uint64_t, 15> parts;

    void set(std::uint64_t value) noexcept { parts.fill(value); }
    bool is_whole() const noexcept {
        return std::all_of(parts.begin(), parts.end(), [this](std::uint64_t part) { return part == parts[0]; });
    }
};

// What came by one cursor, by position, whoever moved it.
struct Seen {
    std::vector<std::atomic<std::uint64_t>> values;
    std::atomic<std::size_t> torn{0};
    explicit Seen(std::size_t count) : values(count) {}

    // Counts an element as often as it comes: a number of its own in the low bits.
    void add(std::uint64_t position, const Wide& element) {
        if (!element.is_whole()) ++torn;
        values[static_cast<std::size_t>(position)] += element.parts[0];
    }
};

struct Traffic {
    std::size_t producers;
    std::size_t readers;
    std::size_t capacity;
    bool drops;  // producers drop the oldest at the first cursor when the ring is full
};

// Every producer sends its own numbers in order, one or several at once.
void check_traffic(const Traffic& traffic) {
    constexpr std::uint64_t kAll = 8'000;
    const std::uint64_t each = kAll / traffic.producers;
    const std::uint64_t total = each * traffic.producers;
    BroadcastRing<Wide> ring(traffic.capacity, traffic.readers);
    Values put(static_cast<std::size_t>(total), 0);  // by position
    std::deque<Seen> seen;
    for (std::size_t reader = 0; reader != traffic.readers; ++reader) {
        seen.emplace_back(static_cast<std::size_t>(total));
    }
    std::atomic<std::size_t> overfull{0};
    std::atomic<std::uint64_t> dropped{0};

    const auto drop_oldest = [&] {
        std::uint64_t position = 0;
        if (!ring.hold(0, position)) return std::this_thread::yield();
        const bool is_oldest = ring.pushed() - position == ring.capacity() && ring.readable(position, 1) == 1;
        if (is_oldest) {
            seen[0].add(position, ring[position]);
            ++dropped;
        }
        ring.advance(0, position + (is_oldest ? 1 : 0));
        if (!is_oldest) std::this_thread::yield();
    };
    const auto produce = [&](std::size_t producer) {
        std::mt19937_64 random(producer);
        for (std::uint64_t sent = 0; sent != each;) {
            const std::uint64_t most = random() % 3 == 0 ? 1 + random() % 10 : 1;
            const auto count = static_cast<std::size_t>(std::min(each - sent, most));
            const auto value_of = [&](std::size_t i) { return (std::uint64_t{producer + 1} << 32U) + sent + i; };
            const QueueClaim claim =
                ring.push(count, [&](std::size_t i, Wide& slot) noexcept { slot.set(value_of(i)); });
            for (std::size_t i = 0; i != claim.count; ++i) {
                put[static_cast<std::size_t>(claim.end - claim.count) + i] = value_of(i);
            }
            sent += claim.count;
            if (claim.count == count) continue;
            if (traffic.drops) {
                drop_oldest();
            } else {
                std::this_thread::yield();
            }
        }
    };
    const auto read = [&](std::size_t reader) {
        const bool is_shared = traffic.drops && reader == 0;
        while (is_shared && dropped == 0) std::this_thread::yield();  // so slow that something is
        for (std::uint64_t position = 0;;) {
            while (is_shared && !ring.hold(reader, position)) std::this_thread::yield();
            // What is not passed can't be more than there is room for, whatever the others do meanwhile.
            if (ring.pushed() - position > ring.capacity()) ++overfull;
            const bool is_closed = ring.is_closed();
            const std::size_t count = ring.readable(position, 7);
            for (std::size_t i = 0; i != count; ++i) seen[reader].add(position + i, ring[position + i]);
            position += count;
            const bool is_over = is_closed && position == total;
            ring.advance(reader, position);
            if (is_over) return;
            if (count == 0) std::this_thread::yield();
        }
    };

    std::vector<std::thread> readers;
    std::vector<std::thread> producers;
    for (std::size_t reader = 0; reader != traffic.readers; ++reader) readers.emplace_back(read, reader);
    for (std::size_t producer = 0; producer != traffic.producers; ++producer) producers.emplace_back(produce, producer);
    for (auto& producer : producers) producer.join();
    ring.close();
    for (auto& reader : readers) reader.join();

    CHECK(ring.pushed() == total);
    CHECK(ring.passed() == total);
    CHECK(overfull == 0);
    CHECK((dropped == 0) == !traffic.drops);
    Values next(traffic.producers, 0);
    bool in_order = true;
    for (const std::uint64_t value : put) {
        const auto producer = static_cast<std::size_t>(value >> 32U);
        if (producer == 0) FAIL("a position that nobody claimed");
        in_order = in_order && (value & 0xffffffffU) == next[producer - 1]++;
    }
    CHECK(in_order);
    for (const Seen& by_one : seen) {
        CHECK(by_one.torn == 0);
        // Each once: one that came twice is twice the number, one that didn't come is zero.
        CHECK(std::equal(by_one.values.begin(), by_one.values.end(), put.begin(), put.end()));
    }
}

}  // namespace

TEST_CASE("an element that fills cache lines together with its number has them for itself") {
    static_assert((sizeof(Wide) + sizeof(std::uint64_t)) % engagehub::kCacheLine == 0, "");
    const BroadcastRing<Wide> ring(4, 1);
    for (std::uint64_t position = 0; position != 4; ++position) {
        CHECK(reinterpret_cast<std::uintptr_t>(&ring[position]) % engagehub::kCacheLine == sizeof(std::uint64_t));
    }
}

TEST_CASE("threads: every reader sees every element once, whole and in the order of the claims") {
    for (const std::size_t producers : {1U, 2U, 3U, 8U}) {
        for (const std::size_t readers : {1U, 2U, 4U}) {
            CAPTURE(producers);
            CAPTURE(readers);
            check_traffic({producers, readers, producers == 2 ? std::size_t{2} : std::size_t{64}, false});
        }
    }
}

TEST_CASE("threads: what producers drop at one cursor is seen by the others, and nothing is dropped twice") {
    for (const std::size_t producers : {1U, 2U, 8U}) {
        for (const std::size_t readers : {1U, 3U}) {
            CAPTURE(producers);
            CAPTURE(readers);
            check_traffic({producers, readers, 16, true});
        }
    }
}

TEST_CASE("threads: a close among producers is exact, what was accepted is what every reader gets") {
    for (int round = 0; round < 20; ++round) {
        BroadcastRing<Wide> ring(1024, 2);
        std::atomic<std::uint64_t> accepted{0};
        std::vector<std::thread> producers;
        for (int i = 0; i < 3; ++i) {
            producers.emplace_back([&] {
                const auto write = [](std::size_t, Wide& slot) noexcept { slot.set(1); };
                while (ring.push(1, write).status == QueueStatus::kDone) ++accepted;
            });
        }
        while (ring.pushed() < 20) std::this_thread::yield();
        ring.close();
        const std::uint64_t at_close = ring.pushed();
        for (auto& producer : producers) producer.join();
        CHECK(ring.pushed() == at_close);
        CHECK(accepted == at_close);
        CHECK(ring.readable(0, 5000) == at_close);
    }
}
