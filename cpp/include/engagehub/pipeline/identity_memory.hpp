// SPDX-License-Identifier: MIT
// Purpose: recognises what was accepted before. Whether an identity is known, whether its event is accepted and that it
// is known from then on is one step: of any number of threads that offer it at once, one has it accepted.
// An identity is remembered for the horizon by the clock of acceptance (acceptance_marks.hpp says how exactly), up to a
// maximum of identities; where more come, the oldest leave before their time and are counted. Up to a maximum of 65,536
// those are the oldest of all. Above, four bits of an identity choose one of sixteen shards, each with a lock of its
// own and a sixteenth of the maximum: the first leave a little before all together are the maximum, a hundredth of it
// for a million and less for more. Thread safety: every method from any thread. Each holds the lock of a shard at a
// time; check_many() holds those of a block, taken in order. accept is called under them, so it must be quick and must
// not come back here. Complexity: O(1) an identity, amortised: 10 ns of lock, 10 ns of search and, where prefetch() was
// not called in time, one access to memory. At worst a shard doubles its table: about 15 ns for each identity that it
// holds. Memory: 23 to 30 bytes an identity where there are many; at least 4 KiB a shard, once it has one. Failure:
// std::bad_alloc, thrown before anything is accepted.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/pipeline/acceptance_marks.hpp>
#include <engagehub/pipeline/identity.hpp>
#include <engagehub/pipeline/identity_fifo.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

namespace engagehub {

class IdentityMemory {
public:
    // check_many() works in blocks of so many.
    static constexpr std::size_t kBlock = IdentityFifo::kMostReserved;
    enum class Outcome : std::uint8_t {
        kAccepted,
        kDuplicate,    // of one that was accepted
        kNotAccepted,  // new, and new the next time, too
    };

    static constexpr std::int64_t kMaxHorizon = 36'525LL * 86'400 * 1'000'000;
    static constexpr std::size_t kMaximum = 1'000'000'000;
    static_assert(kLastInstant + 2 * kMaxHorizon > kLastInstant, "marks add them");

    // Microseconds and identities. THROWS: InvalidArgument.
    IdentityMemory(std::int64_t horizon, std::size_t maximum) {
        if (horizon < 1 || horizon > kMaxHorizon) {
            throw InvalidArgument(
                "horizon must be between 1 microsecond and 100 years, got " + std::to_string(horizon) +
                " microseconds");
        }
        if (maximum < 1 || maximum > kMaximum) {
            throw InvalidArgument(
                "maximum must be between 1 and " + std::to_string(kMaximum) + " identities, got " +
                std::to_string(maximum));
        }
        const std::size_t count = maximum <= kMostInOneShard ? 1 : kShards;
        for (std::size_t i = 0; i < count; ++i)
            shards_.push_back(std::make_unique<Shard>(horizon, maximum / count + (i < maximum % count ? 1 : 0)));
    }

    // How much longer than the horizon an identity may be remembered, in microseconds.
    std::int64_t granularity() const { return shards_[0]->marks.granularity(); }

    // Loads what check() waits for longest where much is remembered: best called as soon as the identity is known, with
    // other work before check().
    void prefetch(const Identity& identity) const noexcept { shard_of(identity).identities.prefetch(identity); }

    // If the identity is new, calls accept(), which says whether the event was accepted; only then is it remembered.
    // REQUIRES here and below: now is an instant. THROWS: std::bad_alloc, before it calls accept().
    template <class Accept>
    Outcome check(const Identity& identity, std::int64_t now, Accept&& accept) {
        static_assert(std::is_nothrow_invocable_r_v<bool, Accept&>, "what accept has accepted must be remembered");
        Shard& shard = shard_of(identity);
        const std::lock_guard<std::mutex> lock(shard.mutex);
        shard.advance(now);
        if (shard.identities.contains(identity)) return Outcome::kDuplicate;
        shard.identities.reserve(1);
        if (!accept()) return Outcome::kNotAccepted;
        shard.identities.append(identity);
        shard.keep_share();
        return Outcome::kAccepted;
    }

    // Offers many in order, up to the first that is new and not accepted. Those below `settled`, which is right also
    // when this throws, have their outcomes; those from it on are as if they had not been offered, and theirs say
    // nothing. It goes by blocks. For each, accept(first, last) takes the events from first to last whose outcome is
    // kAccepted, and returns how many of them it accepted, which are the first ones. An id that comes twice is a
    // duplicate the second time. For a full memory the oldest leave at the end of a block.
    // A block keeps its locks from the search to accept(), as one event does: what others see is all or nothing of it,
    // and the locks cost a nanosecond an event where one for each would cost ten. It is short, for others wait.
    // THROWS: std::bad_alloc, before it calls accept() for the block.
    template <class Accept>
    void check_many(
        const Identity* identities, std::size_t count, std::int64_t now, Outcome* outcomes, std::size_t& settled,
        Accept&& accept) {
        static_assert(
            std::is_nothrow_invocable_r_v<std::size_t, Accept&, std::size_t, std::size_t>,
            "what accept has accepted must be remembered");
        settled = 0;
        while (settled < count) {
            const std::size_t last = settled + std::min(count - settled, kBlock);
            const std::size_t end = check_block(identities, settled, last, now, outcomes, accept);
            settled = end;
            if (end != last) return;
        }
    }

    bool remembers(const Identity& identity, std::int64_t now) {
        Shard& shard = shard_of(identity);
        const std::lock_guard<std::mutex> lock(shard.mutex);
        shard.advance(now);
        return shard.identities.contains(identity);
    }

    // What the memory holds; in a shard that has not been asked for a while, some are older than the horizon.
    std::size_t size() const {
        return sum_of<std::size_t>([](const Shard& shard) { return shard.identities.size(); });
    }
    // Identities that left before the horizon to make room for others.
    std::uint64_t forgotten() const {
        return sum_of<std::uint64_t>([](const Shard& shard) { return shard.forgotten; });
    }
    std::size_t bytes() const {
        return sum_of<std::size_t>([](const Shard& shard) { return sizeof shard + shard.identities.bytes(); });
    }

    // Forgets all, shard by shard, and gives the memory back; forgotten() stays as it is.
    void clear() {
        for (const auto& shard : shards_) {
            const std::lock_guard<std::mutex> lock(shard->mutex);
            shard->identities.clear();
        }
    }

private:
    static constexpr std::size_t kShards = 16;
    static constexpr std::size_t kMostInOneShard = 65'536;
    static_assert(kMaximum / kShards + 1 <= IdentityFifo::kMaximum);

    struct alignas(kCacheLine) Shard {
        Shard(std::int64_t horizon, std::size_t most) : marks(horizon), identities(most), share(most) {}

        void advance(std::int64_t now) { identities.drop_before(marks.first_remembered(now, identities.end())); }
        void keep_share() {
            if (identities.size() <= share) return;
            const std::size_t excess = identities.size() - share;
            identities.drop_before(identities.begin() + excess);
            forgotten += excess;
        }

        std::mutex mutex;
        AcceptanceMarks marks;
        IdentityFifo identities;
        std::size_t share;
        std::uint64_t forgotten = 0;
    };

    // By other bits than those that the shard's table uses.
    std::size_t index_of(const Identity& identity) const {
        return static_cast<std::size_t>(identity.high >> 60U) & (shards_.size() - 1);
    }
    Shard& shard_of(const Identity& identity) const { return *shards_[index_of(identity)]; }

    // Returns the first that was not accepted, or `last`.
    template <class Accept>
    std::size_t check_block(
        const Identity* identities, std::size_t first, std::size_t last, std::int64_t now, Outcome* outcomes,
        Accept& accept) {
        std::array<std::size_t, kShards> offered{};
        for (std::size_t i = first; i < last; ++i) ++offered[index_of(identities[i])];
        std::array<std::unique_lock<std::mutex>, kShards> locks;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            if (offered[i] == 0) continue;
            locks[i] = std::unique_lock<std::mutex>(shards_[i]->mutex);
            shards_[i]->advance(now);
            shards_[i]->identities.reserve(offered[i]);
        }

        constexpr std::size_t kAhead = 12;
        std::size_t fresh = 0;
        for (std::size_t i = first; i < last; ++i) {
            if (i + kAhead < last) shard_of(identities[i + kAhead]).identities.prefetch(identities[i + kAhead]);
            IdentityFifo& known = shard_of(identities[i]).identities;
            const bool is_known = known.contains(identities[i]);
            outcomes[i] = is_known ? Outcome::kDuplicate : Outcome::kAccepted;
            if (is_known) continue;
            known.append(identities[i]);
            ++fresh;
        }

        const std::size_t refused = fresh == 0 ? 0 : fresh - accept(first, last);
        std::size_t end = last;
        for (std::size_t left = refused; left != 0;) {
            --end;
            if (outcomes[end] != Outcome::kAccepted) continue;
            shard_of(identities[end]).identities.take_back();
            outcomes[end] = Outcome::kNotAccepted;
            --left;
        }
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            if (offered[i] != 0) shards_[i]->keep_share();
        }
        return end;
    }

    template <class Sum, class Part>
    Sum sum_of(const Part& part) const {
        Sum sum = 0;
        for (const auto& shard : shards_) {
            const std::lock_guard<std::mutex> lock(shard->mutex);
            sum += part(*shard);
        }
        return sum;
    }

    std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace engagehub
