// SPDX-License-Identifier: MIT
// Purpose: a set of identities that the oldest leave first. They lie in chunks in the order in which they came; a table
// of buckets, each one cache line, says where: a cell of 32 bits holds the low bits of an identity's number and, in the
// bits that those leave free, a piece of the identity, so that a search reads few identities but the one that it finds.
// An identity goes to the bucket of its low bits or, where that is full, to the next with room; each full bucket counts
// what was passed on, which tells a search where to stop and makes leaving O(1) without a tombstone.
// What drop_before() drops is forgotten at once and leaves the memory little by little, two for every one that comes,
// so that no call waits for a million of them.
// Thread safety: external; const methods may run side by side.
// Invariants: identities have the numbers begin() to end() - 1; [held_, begin()) were dropped and still have a cell.
// Cells are at most kFill of a bucket's on the mean; cells of a bucket have no gap.
// Complexity: O(1) expected, where the identities' bits are as good as random; reserve() is amortised, and in the
// worst case O(size), when the table doubles. Memory: 16 bytes an identity and 6 to 13 of the table, which grow as
// identities come. Chunks are given back as identities leave; the table keeps its size until clear().
// Failure: reserve() throws std::bad_alloc and changes nothing; nothing else throws.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <engagehub/base/prefetch.hpp>
#include <engagehub/pipeline/identity.hpp>

namespace engagehub {

class IdentityFifo {
public:
    using Number = std::uint64_t;

    static constexpr std::size_t kMaximum = std::size_t{1} << 27U;
    static constexpr std::size_t kMostReserved = 256;

    // REQUIRES: whenever reserve() is called, the size is at most `maximum`, which is at most kMaximum.
    explicit IdentityFifo(std::size_t maximum) {
        // No more come than leave while some that were dropped are still there, so that there are never more than
        // maximum + kMostReserved; the oldest and the newest chunk may hold one each.
        while (positions_ < maximum + kMostReserved + kChunk) positions_ *= 2;
    }

    std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
    Number begin() const { return begin_; }
    Number end() const { return end_; }

    bool contains(const Identity& identity) const {
        if (begin_ == end_) return false;
        const std::uint32_t wanted = tag(identity);
        // Counted, for all buckets may have passed something on at one time or another.
        std::size_t at = home(identity);
        for (std::size_t left = buckets_.size(); left != 0; --left) {
            const Bucket& bucket = buckets_[at];
            // All cells, used or not, for the end of a loop of a fixed length is foreseen by the processor. An unused
            // one does no harm: what a cell says is looked up.
            for (const std::uint32_t cell : bucket.cells) {
                if ((cell & ~position_mask()) == wanted && holds(cell & position_mask(), identity)) return true;
            }
            if (bucket.passed == 0) return false;
            at = next(at);
        }
        return false;
    }

    // Loads what contains() and append() will read first. From any thread at any time.
    void prefetch(const Identity& identity) const noexcept {
        const std::uintptr_t table = table_.load(std::memory_order_relaxed);  // relaxed: old ones only load in vain
        const std::size_t bucket = static_cast<std::size_t>(identity.low) & mask_.load(std::memory_order_relaxed);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): of a table that may be gone, hence a number
        engagehub::prefetch(reinterpret_cast<const void*>(table + bucket * sizeof(Bucket)));
    }

    // After this append() may be called so often. REQUIRES: 1 <= count <= kMostReserved.
    void reserve(std::size_t count) {
        release(2 * count);
        if (cells() + count > buckets_.size() * kFill) rebuild(cells() + count);
        const Number first = held_ / kChunk;
        const Number last = (end_ + count - 1) / kChunk;
        if (last - first >= chunks_.size()) widen(first, last);
        for (Number number = end_ / kChunk; number <= last; ++number) {
            Chunk& chunk = chunk_at(number);
            if (chunk == nullptr)
                chunk = spare_ != nullptr ? std::move(spare_) : std::make_unique<Chunk::element_type>();
        }
    }

    // REQUIRES: reserve(); it isn't there.
    void append(const Identity& identity) noexcept {
        Identity& newest = at(end_);
        newest = identity;
        if (end_ % kChunk < kChunk - kLine) engagehub::prefetch(&newest + kLine);
        place(buckets_, identity, cell_of(identity, end_));
        ++end_;
    }

    // Takes the last append() back. REQUIRES: it was not dropped.
    void take_back() noexcept {
        --end_;
        remove(at(end_), end_);
    }

    // Forgets those whose number is lower.
    void drop_before(Number number) noexcept { begin_ = std::max(begin_, std::min(number, end_)); }

    void clear() noexcept {
        use(Buckets());
        chunks_ = std::vector<Chunk>();
        spare_.reset();
        held_ = begin_ = end_;
    }

    std::size_t bytes() const {
        std::size_t chunks = spare_ != nullptr ? 1 : 0;
        for (const auto& chunk : chunks_) chunks += chunk != nullptr ? 1 : 0;
        return chunks * kChunk * sizeof(Identity) + chunks_.capacity() * sizeof chunks_[0] +
            buckets_.capacity() * sizeof(Bucket);
    }

    // THROWS: std::logic_error if an invariant is broken. For tests.
    void check() const {
        std::vector<std::uint32_t> passed(buckets_.size());
        for (Number number = held_; number != end_; ++number) {
            const Identity& identity = at(number);
            const std::uint32_t wanted = cell_of(identity, number);
            std::size_t place = home(identity);
            for (std::size_t left = buckets_.size(); left != 0; --left, place = next(place)) {
                const auto* const begin = buckets_[place].cells.data();
                const auto* const end = begin + buckets_[place].used;
                if (std::find(begin, end, wanted) != end) break;
                ++passed[place];
                if (left == 1) throw std::logic_error("an identity has no cell");
            }
        }
        std::size_t used = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            used += buckets_[i].used;
            if (buckets_[i].passed != passed[i]) throw std::logic_error("a bucket has passed on as many as it says");
        }
        if (used != cells()) throw std::logic_error("an identity has one cell");
    }

private:
    static constexpr std::size_t kChunk = 256;
    static constexpr std::size_t kLine = 4;  // identities in a cache line
    static constexpr std::size_t kCells = 14;
    static constexpr std::size_t kFill = 10;

    struct alignas(64) Bucket {
        std::uint32_t used;
        std::uint32_t passed;  // identities whose way from their own bucket led over this one
        std::array<std::uint32_t, kCells> cells;
    };
    using Buckets = std::vector<Bucket>;
    using Chunk = std::unique_ptr<std::array<Identity, kChunk>>;

    std::size_t cells() const { return static_cast<std::size_t>(end_ - held_); }
    std::uint32_t position_mask() const { return positions_ - 1; }
    // Of other bits than the bucket.
    std::uint32_t tag(const Identity& identity) const {
        return static_cast<std::uint32_t>(identity.high) & ~position_mask();
    }
    std::uint32_t cell_of(const Identity& identity, Number number) const {
        return tag(identity) | (static_cast<std::uint32_t>(number) & position_mask());
    }
    static std::size_t home(const Buckets& buckets, const Identity& identity) {
        return static_cast<std::size_t>(identity.low) & (buckets.size() - 1);
    }
    std::size_t home(const Identity& identity) const { return home(buckets_, identity); }
    std::size_t next(std::size_t bucket) const { return (bucket + 1) & (buckets_.size() - 1); }

    // The list of chunks is a ring whose length is a power of two, and no longer than the positions.
    Chunk& chunk_at(Number number) { return chunks_[static_cast<std::size_t>(number) & (chunks_.size() - 1)]; }
    const Identity& at(Number number) const {
        const Chunk& chunk = chunks_[static_cast<std::size_t>(number / kChunk) & (chunks_.size() - 1)];
        return (*chunk)[static_cast<std::size_t>(number % kChunk)];
    }
    Identity& at(Number number) { return (*chunk_at(number / kChunk))[static_cast<std::size_t>(number % kChunk)]; }

    bool holds(std::uint32_t position, const Identity& identity) const {
        const std::uint32_t age = (position - static_cast<std::uint32_t>(begin_)) & position_mask();
        return age < size() && (*chunks_[position / kChunk & (chunks_.size() - 1)])[position % kChunk] == identity;
    }

    static void place(Buckets& buckets, const Identity& identity, std::uint32_t cell) noexcept {
        for (std::size_t at = home(buckets, identity);; at = (at + 1) & (buckets.size() - 1)) {
            Bucket& bucket = buckets[at];
            if (bucket.used < kCells) {
                bucket.cells[bucket.used++] = cell;
                return;
            }
            ++bucket.passed;
        }
    }

    void remove(const Identity& identity, Number number) noexcept {
        const std::uint32_t wanted = cell_of(identity, number);
        for (std::size_t at = home(identity);; at = next(at)) {
            Bucket& bucket = buckets_[at];
            for (std::uint32_t i = 0; i < bucket.used; ++i) {
                if (bucket.cells[i] == wanted) {
                    bucket.cells[i] = bucket.cells[--bucket.used];
                    return;
                }
            }
            --bucket.passed;
        }
    }

    // Gives the memory of up to `count` that were dropped back.
    void release(std::size_t count) noexcept {
        constexpr Number kAhead = 2 * kLine;
        for (; count != 0 && held_ != begin_; --count) {
            if (held_ + 2 * kAhead < end_) {  // those may be the next to leave
                engagehub::prefetch(&at(held_ + 2 * kAhead));
                prefetch(at(held_ + kAhead));
            }
            remove(at(held_), held_);
            leave(held_ + 1);
        }
    }

    // Moves the end of the oldest; of the chunks that it passes one is kept.
    void leave(Number number) noexcept {
        for (; held_ / kChunk != number / kChunk; held_ = (held_ / kChunk + 1) * kChunk) {
            Chunk chunk = std::move(chunk_at(held_ / kChunk));
            if (spare_ == nullptr) spare_ = std::move(chunk);
        }
        held_ = number;
    }

    // A table for so many. REQUIRES: none that was dropped is held; as long as some are, more leave than come.
    void rebuild(std::size_t count) {
        std::size_t length = 1;
        while (length * kFill < count) length *= 2;
        Buckets buckets(length);
        constexpr Number kAhead = 16;
        for (Number number = begin_; number != end_; ++number) {
            if (number + kAhead < end_) engagehub::prefetch(&buckets[home(buckets, at(number + kAhead))]);
            place(buckets, at(number), cell_of(at(number), number));
        }
        use(std::move(buckets));
    }

    void use(Buckets buckets) noexcept {
        buckets_ = std::move(buckets);
        table_.store(reinterpret_cast<std::uintptr_t>(buckets_.data()), std::memory_order_relaxed);
        mask_.store(buckets_.size() - 1, std::memory_order_relaxed);
    }

    void widen(Number first, Number last) {
        std::size_t length = std::max<std::size_t>(chunks_.size(), 1);
        while (length <= last - first) length *= 2;
        std::vector<Chunk> chunks(length);
        for (Number number = first; number != first + chunks_.size(); ++number)
            chunks[static_cast<std::size_t>(number) & (length - 1)] = std::move(chunk_at(number));
        chunks_ = std::move(chunks);
    }

    std::uint32_t positions_ = kChunk;  // a power of two: numbers are kept modulo this
    Number held_ = 0;
    Number begin_ = 0;
    Number end_ = 0;
    Buckets buckets_;
    std::atomic<std::uintptr_t> table_{0};
    std::atomic<std::size_t> mask_{0};
    std::vector<Chunk> chunks_;
    Chunk spare_;
};

}  // namespace engagehub
