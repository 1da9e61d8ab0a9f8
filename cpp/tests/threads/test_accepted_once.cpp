// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <engagehub/pipeline/identity_memory.hpp>

using engagehub::Identity;
using engagehub::IdentityMemory;
using Outcome = IdentityMemory::Outcome;

namespace {

constexpr std::int64_t kHorizon = 86'400'000'000;
constexpr int kThreads = 8;
constexpr std::size_t kIdentities = 4'000;

template <class Body>
void run_threads(const Body& body) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) threads.emplace_back([&body, i] { body(i); });
    for (auto& thread : threads) thread.join();
}

std::vector<Identity> all_identities() {
    std::mt19937_64 random(3);
    std::vector<Identity> result(kIdentities);
    for (auto& each : result) each = {random(), random()};
    return result;
}

using Counts = std::vector<std::atomic<int>>;

// Offers every identity until it is settled, in an order of the thread's own: the odd threads in batches, the even ones
// one by one; what accepts refuses one of eight at first.
void offer_all(
    IdentityMemory& memory, const std::vector<Identity>& identities, int thread, std::int64_t now, Counts& accepted) {
    std::mt19937 random(static_cast<unsigned>(thread));
    std::vector<std::size_t> order(identities.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    if (thread % 2 == 0) {
        for (const std::size_t i : order) {
            bool refuses = random() % 8 == 0;
            memory.prefetch(identities[i]);
            const auto accept = [&]() noexcept {
                if (refuses) return false;
                ++accepted[i];
                return true;
            };
            if (memory.check(identities[i], now, accept) == Outcome::kNotAccepted) {
                refuses = false;
                memory.check(identities[i], now, accept);
            }
        }
        return;
    }
    std::vector<Identity> batch;
    for (const std::size_t i : order) batch.push_back(identities[i]);
    std::vector<Outcome> outcomes(batch.size());
    for (std::size_t done = 0; done < batch.size();) {
        std::size_t settled = 0;
        memory.check_many(
            batch.data() + done, std::min<std::size_t>(batch.size() - done, 700), now, outcomes.data() + done, settled,
            [&](std::size_t first, std::size_t last) noexcept {
                std::size_t taken = 0;
                for (std::size_t i = first; i < last; ++i) {
                    if (outcomes[done + i] != Outcome::kAccepted) continue;
                    if (random() % 64 == 0) break;
                    ++accepted[order[done + i]];
                    ++taken;
                }
                return taken;
            });
        done += settled;
    }
}

}  // namespace

TEST_CASE("of all threads that offer an identity at once one has it accepted, once a horizon") {
    for (const std::size_t maximum : {std::size_t{60'000}, std::size_t{1'000'000}}) {  // one shard, and sixteen
        IdentityMemory memory(kHorizon, maximum);
        const auto identities = all_identities();
        for (int round = 1; round <= 3; ++round) {
            Counts accepted(identities.size());
            run_threads([&](int thread) {
                const std::int64_t late = thread % 3;  // clocks are read before locks are taken
                offer_all(memory, identities, thread, 2 * kHorizon * round - late, accepted);
            });
            for (const auto& count : accepted) REQUIRE(count == 1);
            CHECK(memory.size() == identities.size());
        }
        CHECK(memory.forgotten() == 0);
    }
}

TEST_CASE("threads that fill a memory beyond its maximum agree on what was accepted and what was forgotten") {
    constexpr std::size_t kMaximum = 1'000;
    IdentityMemory memory(kHorizon, kMaximum);
    const auto identities = all_identities();
    Counts accepted(identities.size());
    run_threads([&](int thread) { offer_all(memory, identities, thread, 0, accepted); });
    std::uint64_t total = 0;
    for (const auto& count : accepted) {
        REQUIRE(count >= 1);
        total += static_cast<std::uint64_t>(count);
    }
    CHECK(memory.size() == kMaximum);
    CHECK(memory.forgotten() == total - kMaximum);
}

TEST_CASE("a memory is asked and cleared while threads fill it") {
    IdentityMemory memory(kHorizon, 100'000);
    const auto identities = all_identities();
    Counts accepted(identities.size());
    std::atomic<std::size_t> wrong{0};
    run_threads([&](int thread) {
        if (thread < 6) {
            offer_all(memory, identities, thread, thread, accepted);
            return;
        }
        for (int i = 0; i < 200; ++i) {
            if (memory.size() > identities.size() || memory.forgotten() != 0 || memory.bytes() == 0) ++wrong;
            if (thread == 6 && i % 20 == 0) memory.clear();
            memory.remembers(identities[static_cast<std::size_t>(i)], 0);
        }
    });
    CHECK(wrong == 0);
    for (const auto& count : accepted) REQUIRE(count >= 1);
    memory.clear();
    CHECK(memory.size() == 0);
}
