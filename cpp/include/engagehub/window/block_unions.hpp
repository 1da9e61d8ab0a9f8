// SPDX-License-Identifier: MIT
// Purpose: unions of the closed buckets of a window, so that an answer merges a few of them instead of each bucket: of
// aligned blocks of 4, 16, 64... buckets, which change no more but by an event out of order. A block's union is made
// when first asked for, and kept where that saves work: where the states of its buckets take 4 KiB at least.
// Thread safety: external.
// Invariants: a union that is kept holds the members of all buckets of its block, none of which the ring has given up,
// and none of which is its newest. So an answer never depends on what is kept.
// Complexity: gather() merges at most 6 sketches a level, of log4(buckets) levels; add() touches one sketch a level.
// Failure: std::bad_alloc in gather() leaves unions that are whole, in add() none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/window/bucket_ring.hpp>
#include <engagehub/window/member_bucket.hpp>

namespace engagehub {

class BlockUnions {
public:
    using Ring = BucketRing<MemberBucket>;

    // Adds the members of the buckets first to last to a sketch of the ring's precision and hash. REQUIRES: the ring
    // isn't empty, and has given up none of the buckets.
    void gather(const Ring& ring, std::int64_t first, std::int64_t last, HyperLogLog& sketch) {
        const HyperLogLog empty(sketch.p(), sketch.hash());
        const Walk walk{*this, ring, empty};
        unsigned level = 0;
        while (block_of(last, level) - block_of(first, level) >= kFan) ++level;
        for (std::int64_t block = block_of(first, level); block <= block_of(last, level); ++block)
            walk.gather(level, block, {first, last}, sketch);
    }

    // A member came in a bucket: in every union that holds the bucket it comes, too.
    void add(std::int64_t number, std::uint64_t hash) {
        try {
            for (unsigned level = 1; level <= levels_.size(); ++level) {
                if (HyperLogLog* kept = find(level, block_of(number, level))) kept->add_hash(hash);
            }
        } catch (const std::bad_alloc&) {
            clear();  // they will be made again
        }
    }

    // The ring has given up the buckets before the number.
    void drop_before(std::int64_t number) {
        for (unsigned level = 1; level <= levels_.size(); ++level) {
            Level& held = levels_[level - 1];
            const std::int64_t dropped = block_of(number - 1, level) + 1 - held.base;
            if (dropped <= 0) continue;
            const auto end = std::min(dropped, static_cast<std::int64_t>(held.unions.size()));
            held.unions.erase(held.unions.begin(), held.unions.begin() + static_cast<std::ptrdiff_t>(end));
            held.base += dropped;
        }
    }

    // Whether keeping the union of the buckets first to last saves work.
    static bool is_worth(const Ring& ring, std::int64_t first, std::int64_t last) {
        std::size_t size = 0;
        for (auto held = ring.from(first); held != ring.end() && held->first <= last && size < kWorth; ++held)
            size += held->second.heap_bytes();
        return size >= kWorth;
    }

    void clear() { levels_ = std::vector<Level>(); }

    std::size_t heap_bytes() const {
        std::size_t size = levels_.capacity() * sizeof(Level);
        for (const Level& level : levels_) {
            size += level.unions.capacity() * sizeof(level.unions[0]);
            for (const auto& kept : level.unions) size += kept ? kept->nbytes() : 0;
        }
        return size;
    }

private:
    static constexpr std::int64_t kFan = 4;  // a power of two
    static constexpr unsigned kFanBits = 2;
    static constexpr std::size_t kWorth = 4'096;

    struct Level {
        std::int64_t base = 0;  // the block of the first place
        std::vector<std::unique_ptr<HyperLogLog>> unions;
    };

    struct Range {
        std::int64_t first;
        std::int64_t last;
    };

    // One call of gather().
    struct Walk {
        BlockUnions& kept;
        const Ring& ring;
        const HyperLogLog& empty;

        // Adds those buckets of the block that are in the range.
        void gather(unsigned level, std::int64_t block, const Range& range, HyperLogLog& sketch) const {
            const std::int64_t size = std::int64_t{1} << (kFanBits * level);
            const Range whole{block * size, block * size + size - 1};
            const Range part{std::max(whole.first, range.first), std::min(whole.last, range.last)};
            if (part.first > part.last) return;
            const bool is_whole = part.first == whole.first && part.last == whole.last;
            if (level != 0 && is_whole && whole.last < ring.newest()) {
                if (const HyperLogLog* found = kept.find(level, block)) return join(*found, sketch);
                if (is_worth(ring, whole.first, whole.last))
                    return join(kept.keep(level, block, made(level, block, whole)), sketch);
            }
            if (level <= 1 || !is_worth(ring, part.first, part.last)) return gather_each(part, sketch);
            gather_parts(level, block, range, sketch);
        }

        HyperLogLog made(unsigned level, std::int64_t block, const Range& whole) const {
            HyperLogLog result = empty;
            gather_parts(level, block, whole, result);
            return result;
        }

        void gather_parts(unsigned level, std::int64_t block, const Range& range, HyperLogLog& sketch) const {
            for (std::int64_t part = block * kFan; part < (block + 1) * kFan; ++part)
                gather(level - 1, part, range, sketch);
        }

        void gather_each(const Range& range, HyperLogLog& sketch) const {
            for (auto held = ring.from(range.first); held != ring.end() && held->first <= range.last; ++held)
                held->second.add_to(sketch);
        }

        static void join(const HyperLogLog& found, HyperLogLog& sketch) {
            if (sketch.is_empty()) {
                sketch = found;
            } else {
                sketch.merge(found);
            }
        }
    };

    // Also of numbers before the epoch: to the lower one.
    static std::int64_t block_of(std::int64_t number, unsigned level) {
        const unsigned bits = kFanBits * level;
        return number >= 0 ? number >> bits : ~(~number >> bits);
    }

    HyperLogLog* find(unsigned level, std::int64_t block) {
        if (level > levels_.size()) return nullptr;
        Level& held = levels_[level - 1];
        const std::int64_t place = block - held.base;
        if (place < 0 || place >= static_cast<std::int64_t>(held.unions.size())) return nullptr;
        return held.unions[static_cast<std::size_t>(place)].get();
    }

    const HyperLogLog& keep(unsigned level, std::int64_t block, HyperLogLog made) {
        auto kept = std::make_unique<HyperLogLog>(std::move(made));
        if (levels_.size() < level) levels_.resize(level);
        Level& held = levels_[level - 1];
        if (held.unions.empty()) held.base = block;
        if (block < held.base) {
            std::vector<std::unique_ptr<HyperLogLog>> before(static_cast<std::size_t>(held.base - block));
            held.unions.insert(
                held.unions.begin(), std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()));
            held.base = block;
        }
        const auto place = static_cast<std::size_t>(block - held.base);
        if (held.unions.size() <= place) held.unions.resize(place + 1);
        held.unions[place] = std::move(kept);
        return *held.unions[place];
    }

    std::vector<Level> levels_;  // of blocks of kFan, kFan^2...
};

}  // namespace engagehub
