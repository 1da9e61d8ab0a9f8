// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/pipeline/identity_memory.hpp>

#include "tests/support/failing_new.hpp"

using engagehub::Identity;
using engagehub::IdentityMemory;
using engagehub::InvalidArgument;
using engagehub_tests::fail_at_every_allocation;
using Outcome = IdentityMemory::Outcome;

namespace {

constexpr std::int64_t kHorizon = 6'400;
constexpr std::int64_t kGranularity = 100;

Identity identity(std::uint64_t i) {
    std::mt19937_64 random(i);
    const std::uint64_t low = random();
    return {low, random()};
}

std::vector<Identity> identities(std::uint64_t first, std::uint64_t last) {
    std::vector<Identity> result;
    for (; first < last; ++first) result.push_back(identity(first));
    return result;
}

Outcome offer(IdentityMemory& memory, const Identity& each, std::int64_t now, bool accepts = true) {
    return memory.check(each, now, [accepts]() noexcept { return accepts; });
}

struct Offered {
    std::vector<Outcome> outcomes;  // of those that were settled
    std::size_t accepted = 0;
};

// Offers a batch to a queue with room for so many.
Offered offer_many(IdentityMemory& memory, const std::vector<Identity>& batch, std::int64_t now, std::size_t room) {
    Offered result;
    result.outcomes.resize(batch.size());
    std::size_t settled = 0;
    memory.check_many(
        batch.data(), batch.size(), now, result.outcomes.data(), settled,
        [&](std::size_t first, std::size_t last) noexcept {
            const auto begin = result.outcomes.begin();
            const auto fresh = static_cast<std::size_t>(std::count(
                begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last),
                Outcome::kAccepted));
            const std::size_t taken = std::min(fresh, room);
            room -= taken;
            result.accepted += taken;
            return taken;
        });
    result.outcomes.resize(settled);
    return result;
}

// Every identity with its instant, shard by shard, the oldest first; marks stand at multiples of the granularity,
// as long as the clock moves by multiples of it.
class Model {
public:
    Model(std::size_t maximum, std::size_t shards) : shards_(shards), maximum_(maximum) {}

    Outcome offer(const Identity& each, std::int64_t now, bool accepts) {
        const std::size_t index = static_cast<std::size_t>(each.high >> 60U) % shards_.size();
        auto& shard = shards_[index];
        while (!shard.empty() && now - shard.front().at >= kHorizon + kGranularity) shard.pop_front();
        for (const Known& known : shard) {
            if (known.identity == each) return Outcome::kDuplicate;
        }
        if (!accepts) return Outcome::kNotAccepted;
        shard.push_back({each, now});
        if (shard.size() > maximum_ / shards_.size() + (index < maximum_ % shards_.size() ? 1 : 0)) {
            shard.pop_front();
            ++forgotten;
        }
        return Outcome::kAccepted;
    }

    std::uint64_t forgotten = 0;

private:
    struct Known {
        Identity identity;
        std::int64_t at;
    };
    std::vector<std::deque<Known>> shards_;
    std::size_t maximum_;
};

}  // namespace

TEST_CASE("an identity is accepted once within the horizon") {
    IdentityMemory memory(kHorizon, 1'000);
    CHECK(memory.granularity() == kGranularity);
    const Identity ada = identity(1);
    CHECK_FALSE(memory.remembers(ada, 0));
    CHECK(offer(memory, ada, 0) == Outcome::kAccepted);
    CHECK(memory.check(ada, kHorizon, []() noexcept {
        FAIL("a duplicate was offered");
        return true;
    }) == Outcome::kDuplicate);
    CHECK(offer(memory, identity(2), kHorizon) == Outcome::kAccepted);
    CHECK(memory.remembers(ada, kHorizon + kGranularity - 1));
    CHECK_FALSE(memory.remembers(ada, kHorizon + kGranularity));
    CHECK(memory.size() == 1);
    CHECK(offer(memory, ada, kHorizon + kGranularity) == Outcome::kAccepted);
    CHECK(memory.forgotten() == 0);
}

TEST_CASE("an identity that was not accepted is not remembered") {
    IdentityMemory memory(kHorizon, 1'000);
    CHECK(offer(memory, identity(1), 0, false) == Outcome::kNotAccepted);
    CHECK(memory.size() == 0);
    CHECK(offer(memory, identity(1), 0, false) == Outcome::kNotAccepted);
    CHECK(offer(memory, identity(1), 0) == Outcome::kAccepted);
    CHECK(offer(memory, identity(1), 0, false) == Outcome::kDuplicate);
}

TEST_CASE("beyond the maximum the oldest leave, and are counted") {
    IdentityMemory memory(kHorizon, 100);
    for (std::uint64_t i = 0; i < 150; ++i) CHECK(offer(memory, identity(i), 0) == Outcome::kAccepted);
    CHECK(memory.size() == 100);
    CHECK(memory.forgotten() == 50);
    for (std::uint64_t i = 0; i < 150; ++i) CHECK(memory.remembers(identity(i), 0) == (i >= 50));
    CHECK(offer(memory, identity(0), 0, false) == Outcome::kNotAccepted);  // makes no room
    CHECK(memory.remembers(identity(50), 0));
    CHECK(memory.forgotten() == 50);
    CHECK_FALSE(memory.remembers(identity(149), 2 * kHorizon));
    CHECK(memory.forgotten() == 50);  // who left at the horizon doesn't count
    memory.clear();
    CHECK(memory.size() == 0);
    CHECK(memory.forgotten() == 50);
    CHECK_FALSE(memory.remembers(identity(149), 0));
}

TEST_CASE("a memory does what a list of identities and instants does") {
    for (const std::size_t maximum : {1U, 7U, 500U, 70'000U}) {
        CAPTURE(maximum);
        std::mt19937_64 random(maximum);
        IdentityMemory memory(kHorizon, maximum);
        Model model(maximum, maximum > 65'536 ? 16 : 1);
        std::int64_t now = 0;
        const std::size_t pool = std::min<std::size_t>(2 * maximum, 3'000);
        std::array<std::size_t, 3> outcomes{};
        for (int i = 0; i < 60'000; ++i) {
            if (random() % 100 == 0) now += kGranularity * static_cast<std::int64_t>(random() % 20);
            const Identity each = identity(random() % pool);
            const bool accepts = random() % 4 != 0;
            const Outcome outcome = offer(memory, each, now, accepts);
            REQUIRE(outcome == model.offer(each, now, accepts));
            REQUIRE(memory.forgotten() == model.forgotten);
            ++outcomes[static_cast<std::size_t>(outcome)];
        }
        for (const std::size_t count : outcomes) CHECK(count > 1'000);
    }
}

TEST_CASE("sixteen shards divide a large maximum") {
    constexpr std::size_t kMaximum = 70'003;  // three shards have one more
    IdentityMemory memory(kHorizon, kMaximum);
    std::array<std::uint64_t, 16> offered{};
    const auto all = identities(0, 90'000);
    for (const Identity& each : all) {
        REQUIRE(offer(memory, each, 0) == Outcome::kAccepted);
        ++offered[static_cast<std::size_t>(each.high >> 60U)];
    }
    CHECK(memory.size() == kMaximum);
    CHECK(memory.forgotten() == all.size() - kMaximum);
    for (const Identity& each : all) {  // the oldest of each shard have left
        const auto shard = static_cast<std::size_t>(each.high >> 60U);
        REQUIRE(memory.remembers(each, 0) == (offered[shard] <= kMaximum / 16 + (shard < 3 ? 1 : 0)));
        --offered[shard];
    }
}

TEST_CASE("a batch is what its events are one by one, up to the first that is not accepted") {
    for (const std::size_t maximum : {40'000U, 70'000U}) {
        CAPTURE(maximum);
        std::mt19937_64 random(maximum);
        IdentityMemory batches(kHorizon, maximum);
        IdentityMemory singles(kHorizon, maximum);
        std::int64_t now = 0;
        std::uint64_t newest = 0;
        std::size_t cut = 0;
        for (int i = 0; i < 400; ++i) {
            now += static_cast<std::int64_t>(random() % 150);
            std::vector<Identity> batch;
            for (std::size_t left = random() % (random() % 4 == 0 ? 2'000 : 10); left != 0; --left)
                batch.push_back(identity(random() % 3 == 0 ? newest - random() % (newest + 1) : ++newest));
            std::size_t room = random() % 3 == 0 ? random() % (batch.size() + 1) : batch.size();
            const Offered offered = offer_many(batches, batch, now, room);
            for (std::size_t j = 0; j < offered.outcomes.size(); ++j)
                REQUIRE(offered.outcomes[j] == offer(singles, batch[j], now));
            if (offered.outcomes.size() < batch.size()) {
                CHECK(offered.accepted == room);
                const std::size_t refused = offered.outcomes.size();
                REQUIRE(offer(singles, batch[refused], now, false) == Outcome::kNotAccepted);
                ++cut;
            }
            for (const Identity& each : batch) REQUIRE(batches.remembers(each, now) == singles.remembers(each, now));
            REQUIRE(batches.size() == singles.size());
        }
        CHECK(cut > 20);
    }
}

TEST_CASE("a full memory forgets for a batch what it forgets for single events, and nothing for refused ones") {
    IdentityMemory memory(kHorizon, 1'000);
    const auto old = identities(0, 1'000);
    CHECK(offer_many(memory, old, 0, 1'000).accepted == 1'000);
    CHECK(memory.forgotten() == 0);
    const auto batch = identities(1'000, 1'600);
    CHECK(offer_many(memory, batch, 0, 0).outcomes.empty());
    CHECK(memory.forgotten() == 0);
    CHECK(memory.remembers(old[0], 0));
    CHECK(offer_many(memory, batch, 0, 300).outcomes == std::vector<Outcome>(300, Outcome::kAccepted));
    CHECK(memory.forgotten() == 300);
    CHECK(memory.size() == 1'000);
    for (std::size_t i = 0; i < old.size(); ++i) REQUIRE(memory.remembers(old[i], 0) == (i >= 300));
    for (std::size_t i = 0; i < batch.size(); ++i) REQUIRE(memory.remembers(batch[i], 0) == (i < 300));
}

TEST_CASE("a batch of duplicates and an empty one ask nobody to accept") {
    IdentityMemory memory(kHorizon, 1'000);
    const auto batch = identities(0, 600);
    CHECK(offer_many(memory, batch, 0, 600).accepted == 600);
    std::vector<Outcome> outcomes(batch.size());
    std::size_t settled = 0;
    const auto never = [](std::size_t, std::size_t) noexcept -> std::size_t {
        FAIL("duplicates were offered");
        return 0;
    };
    memory.check_many(batch.data(), batch.size(), 0, outcomes.data(), settled, never);
    CHECK(settled == batch.size());
    CHECK(outcomes == std::vector<Outcome>(batch.size(), Outcome::kDuplicate));
    memory.check_many(batch.data(), 0, 0, outcomes.data(), settled, never);
    CHECK(settled == 0);
}

TEST_CASE("a clock that steps back forgets nothing") {
    for (const std::size_t maximum : {1'000U, 100'000U}) {
        IdentityMemory memory(kHorizon, maximum);
        CHECK(offer(memory, identity(1), 1'000'000) == Outcome::kAccepted);
        CHECK(offer(memory, identity(2), 1'000'050) == Outcome::kAccepted);
        const std::int64_t now = 500;
        CHECK(offer(memory, identity(1), now) == Outcome::kDuplicate);
        CHECK(offer(memory, identity(2), now) == Outcome::kDuplicate);
        CHECK(offer(memory, identity(3), now) == Outcome::kAccepted);
        for (const std::uint64_t i : {1U, 2U, 3U}) CHECK(memory.remembers(identity(i), now + kHorizon));
        for (const std::uint64_t i : {1U, 2U, 3U})
            CHECK_FALSE(memory.remembers(identity(i), now + kHorizon + kGranularity));
    }
}

TEST_CASE("an event for which there is no memory is not accepted") {
    for (const std::size_t maximum : {3'000U, 70'000U}) {
        IdentityMemory memory(kHorizon, maximum);
        std::size_t failures = 0;
        for (std::uint64_t i = 0; i < 5'000; ++i) {
            bool was_asked = false;
            const std::size_t size = memory.size();
            const auto accept = [&was_asked]() noexcept { return was_asked = true; };
            failures += fail_at_every_allocation(
                [&] { memory.check(identity(i), 0, accept); },
                [&] {
                    REQUIRE_FALSE(was_asked);
                    REQUIRE(memory.size() == size);
                    REQUIRE_FALSE(memory.remembers(identity(i), 0));
                });
            REQUIRE(memory.remembers(identity(i), 0));
        }
        CHECK(failures > 20);
    }
}

TEST_CASE("a batch for which memory runs out has settled whole blocks, and no other event is remembered") {
    for (const std::size_t maximum : {3'000U, 70'000U}) {
        IdentityMemory memory(kHorizon, maximum);
        std::size_t partly = 0;
        const auto batch = identities(0, 2'000);
        std::vector<Outcome> outcomes(batch.size());
        std::size_t settled = 0;
        std::size_t accepted = 0;
        const auto accept = [&](std::size_t first, std::size_t last) noexcept {
            accepted = last;
            return last - first;
        };
        fail_at_every_allocation(
            [&] {
                memory.clear();
                accepted = 0;
                memory.check_many(batch.data(), batch.size(), 0, outcomes.data(), settled, accept);
            },
            [&] {
                REQUIRE(accepted == settled);
                REQUIRE(memory.size() == settled);
                for (std::size_t i = 0; i < batch.size(); ++i) REQUIRE(memory.remembers(batch[i], 0) == (i < settled));
                partly += settled != 0 ? 1 : 0;
            });
        CHECK(settled == batch.size());
        CHECK(partly > 5);
    }
}

TEST_CASE("a memory grows as it is used, to 30 bytes an identity") {
    IdentityMemory memory(kHorizon, 10'000'000);
    CHECK(memory.bytes() < 50'000);
    std::mt19937_64 random(1);
    for (int i = 0; i < 300'000; ++i) {
        const std::uint64_t low = random();
        CHECK_NOTHROW(offer(memory, {low, random()}, 0));
        if (i % 10'000 == 9'999 && i > 100'000) CHECK(memory.bytes() <= 30 * memory.size());
    }
    CHECK(memory.size() == 300'000);
    memory.clear();
    CHECK(memory.bytes() < 50'000);
}

TEST_CASE("a horizon or maximum that is out of range is refused") {
    CHECK_THROWS_WITH_AS(
        IdentityMemory(0, 1), "horizon must be between 1 microsecond and 100 years, got 0 microseconds",
        InvalidArgument);
    CHECK_THROWS_AS(IdentityMemory(-1, 1), InvalidArgument);
    CHECK_THROWS_AS(IdentityMemory(std::numeric_limits<std::int64_t>::max(), 1), InvalidArgument);
    CHECK_THROWS_WITH_AS(
        IdentityMemory(1, 0), "maximum must be between 1 and 1000000000 identities, got 0", InvalidArgument);
    CHECK_THROWS_AS(IdentityMemory(1, IdentityMemory::kMaximum + 1), InvalidArgument);
    IdentityMemory most(IdentityMemory::kMaxHorizon, IdentityMemory::kMaximum);
    CHECK(offer(most, identity(1), engagehub::kFirstInstant) == Outcome::kAccepted);
    CHECK(offer(most, identity(1), engagehub::kLastInstant) == Outcome::kAccepted);
    CHECK(offer(most, identity(1), engagehub::kFirstInstant) == Outcome::kDuplicate);
}
