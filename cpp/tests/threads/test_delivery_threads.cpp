// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include <engagehub/pipeline/delivery.hpp>

#include "tests/support/played_sink.hpp"

using engagehub::DeadLetter;
using engagehub::Deadline;
using engagehub::deadline_after;
using engagehub::Delivery;
using engagehub::DeliveryConfig;
using engagehub::DeliveryStats;
using engagehub::EventBatch;
using engagehub::TransientError;
using engagehub::WriteResult;
using engagehub_tests::Batch;
using engagehub_tests::batch_of;
using engagehub_tests::PlayedSink;

namespace {

// Waits that a test would not live to see the end of: whatever ends them is what the test is about.
DeliveryConfig patient() {
    DeliveryConfig config;
    config.retry_first = config.retry_max = 86'400;
    return config;
}

// Until the sink's thread waits for its retry.
void await_wait(const Delivery& delivery) {
    while (!delivery.stats().next_try) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a wait of a day is ended by another thread, for one try each time") {
    const auto sink = std::make_shared<PlayedSink>();
    std::size_t failures = 3;
    sink->answer = [&](const EventBatch& batch) {
        if (failures != 0) {
            --failures;
            throw TransientError("no connection");
        }
        return WriteResult{batch.size(), 0, 0};
    };
    Delivery delivery(patient(), sink);
    std::thread thread([&] { CHECK(delivery.deliver(batch_of(0, 5)) == 5); });
    for (std::uint64_t n = 0; n < 3; ++n) {
        while (delivery.stats().retries != n) std::this_thread::yield();
        await_wait(delivery);
        CHECK(delivery.stats().retry_error == "no connection");
        CHECK(delivery.stats().in_flight == 5);
        delivery.retry_now();
    }
    thread.join();
    CHECK(delivery.stats().delivered == 5);
    CHECK(delivery.stats().retries == 3);
}

TEST_CASE("a wait of a day is ended by abandon, and by the deadline of stop_retrying") {
    for (const bool at_once : {true, false}) {
        const auto sink = std::make_shared<PlayedSink>();
        sink->answer = [](const EventBatch&) -> WriteResult { throw TransientError("no connection"); };
        Delivery delivery(patient(), sink);
        std::thread thread([&] { CHECK(delivery.deliver(batch_of(0, 5)) == 0); });
        await_wait(delivery);
        if (at_once) {
            delivery.abandon();
        } else {
            delivery.stop_retrying(deadline_after(0.05));
        }
        thread.join();
        CHECK(sink->writes <= (at_once ? 1U : 2U));  // there may be no time for the second
        CHECK(delivery.stats().returned == 5);
    }
}

TEST_CASE("threads that ask, take, replay and wake leave the account right in every snapshot") {
    constexpr std::int64_t kBatches = 300;
    constexpr std::size_t kSize = 40;
    const auto sink = std::make_shared<PlayedSink>();
    std::mt19937_64 random(5);
    sink->answer = [&](const EventBatch& batch) {
        if (random() % 6 == 0) throw TransientError("no connection");
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (batch[i].member.number % 17 == 3 && random() % 4 != 0) throw std::runtime_error("bad");
        }
        return WriteResult{batch.size(), 0, 0};
    };
    DeliveryConfig config;
    config.retry_first = config.retry_max = 0.0005;
    config.keep_dead = 100;
    Delivery delivery(config, sink);
    std::atomic<bool> is_over{false};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> taken{0};
    const auto check_sums = [&] {
        const DeliveryStats stats = delivery.stats();
        CHECK(
            stats.taken ==
            stats.delivered + stats.in_flight + stats.dead + stats.dead_evicted + stats.dead_taken + stats.returned);
        CHECK(stats.delivered == stats.written + stats.duplicate + stats.rejected);
        CHECK(stats.dead <= 100);
        CHECK(stats.failed_batches <= stats.batches);
    };
    std::vector<std::thread> threads;
    for (int n = 0; n < 2; ++n) {
        threads.emplace_back([&, n] {
            std::mt19937_64 choice(static_cast<std::uint64_t>(n));
            std::list<DeadLetter> letters;
            while (!is_over.load()) {
                check_sums();
                failures += delivery.take_failures().events;
                switch (choice() % 5) {
                    case 0: delivery.replay(); break;
                    case 1:
                        letters.clear();
                        taken += delivery.take_dead(letters, choice() % 7);
                        break;
                    case 2: delivery.visit_dead([](const Batch&, std::string_view, std::uint32_t) {}); break;
                    case 3: delivery.is_stalled(std::chrono::steady_clock::now()); break;
                    default: delivery.retry_now();
                }
                std::this_thread::yield();
            }
        });
    }
    for (std::int64_t n = 0; n < kBatches; ++n) {
        CHECK(delivery.deliver(batch_of(n * static_cast<std::int64_t>(kSize), kSize)) == kSize);
        delivery.deliver_dead();
    }
    is_over.store(true);
    for (auto& thread : threads) thread.join();
    check_sums();
    const DeliveryStats stats = delivery.stats();
    CHECK(stats.taken == kBatches * kSize);
    CHECK(stats.in_flight == 0);
    CHECK(stats.delivered == sink->stored.size());
    CHECK(stats.dead_taken == taken.load());
    CHECK(failures.load() + delivery.take_failures().events >= stats.dead + stats.dead_evicted + stats.dead_taken);
    CHECK(stats.dead_taken + stats.dead_evicted != 0);
}
