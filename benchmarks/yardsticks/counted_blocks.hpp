// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: how fast ranks over dense slots can be. Sorted entries lie in blocks of
// 64, keys and slots apart so that AVX2 compares four keys at a time; up to 64 blocks form a group that knows each
// block's first key and its number of entries, and one array holds the first keys and the totals of the groups. A
// counted B+ tree of three levels (Knuth, volume 3, section 6.2.3, for the counts; Bayer and McCreight, 1972, for the
// blocks), with blocks that are given back when they are empty (Johnson and Shasha, «Why free-at-empty is better than
// merge-at-half», 1993). Higher scores come first, equal ones by slot. Thread safety: external. Invariants: a block and
// a group hold 1 to 64 entries, what is unused of a block's keys is lower than any score; counts and totals are those
// of the entries. Complexity: O(64 + number of groups). Failure: std::bad_alloc.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace yardstick {

class CountedBlocks {
public:
    static constexpr std::size_t kBlock = 64;

    explicit CountedBlocks(const std::vector<double>& scores) : scores_(scores) {
        std::vector<std::uint32_t> slots(scores.size());
        for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<std::uint32_t>(i);
        std::sort(slots.begin(), slots.end(), [&](std::uint32_t a, std::uint32_t b) {
            return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
        });
        constexpr std::size_t kFilled = kBlock * 3 / 4;
        for (std::size_t from = 0; from < slots.size(); from += kFilled) {
            if (groups_.empty() || groups_.back()->size == kFilled) push_group();
            Group& group = *groups_.back();
            auto* block = new Block;
            const std::size_t count = std::min(kFilled, slots.size() - from);
            for (std::size_t i = 0; i < count; ++i) block->put(i, i, scores[slots[from + i]], slots[from + i]);
            group.first[group.size] = block->key[0];
            group.count[group.size] = static_cast<std::uint32_t>(count);
            group.block[group.size++].reset(block);
            totals_.back() += static_cast<std::uint32_t>(count);
        }
        for (std::size_t i = 0; i < groups_.size(); ++i) firsts_[i] = groups_[i]->first[0];
    }

    void update(std::uint32_t slot, double score) {
        const Place source = find(scores_[slot], slot);
        erase(source);
        scores_[slot] = score;
        Place target = find(score, slot);
        if (groups_[target.group]->count[target.block] == kBlock) {
            split(target);
            target = find(score, slot);
        }
        insert(target, score, slot);
    }

    // How many entries come before the slot's.
    std::size_t rank(std::uint32_t slot) const {
        const Place place = find(scores_[slot], slot);
        const Group& group = *groups_[place.group];
        return sum(totals_.data(), place.group) + sum(group.count.data(), place.block) + place.index;
    }

    template <class Visit>
    void visit(Visit&& visit) const {
        for (const auto& group : groups_) {
            for (std::size_t b = 0; b < group->size; ++b) {
                for (std::size_t i = 0; i < group->count[b]; ++i) visit(group->block[b]->slot[i]);
            }
        }
    }

private:
    static constexpr double kLowest = -std::numeric_limits<double>::infinity();

    struct alignas(64) Block {
        std::array<double, kBlock> key;
        std::array<std::uint32_t, kBlock> slot;

        Block() { key.fill(kLowest); }

        void put(std::size_t index, std::size_t count, double score, std::uint32_t which) {
            std::memmove(&key[index] + 1, &key[index], (count - index) * sizeof(double));
            std::memmove(&slot[index] + 1, &slot[index], (count - index) * sizeof(std::uint32_t));
            key[index] = score;
            slot[index] = which;
        }
        void cut(std::size_t index, std::size_t count) {
            std::memmove(&key[index], &key[index] + 1, (count - index - 1) * sizeof(double));
            std::memmove(&slot[index], &slot[index] + 1, (count - index - 1) * sizeof(std::uint32_t));
            key[count - 1] = kLowest;
        }
    };
    struct alignas(64) Group {
        std::array<double, kBlock> first;
        std::array<std::uint32_t, kBlock> count{};
        std::array<std::unique_ptr<Block>, kBlock> block;
        std::size_t size = 0;

        Group() { first.fill(kLowest); }
    };
    struct Place {
        std::size_t group;
        std::size_t block;
        std::size_t index;
    };

    // How many of 64 keys are higher.
    static std::size_t count_above(const std::array<double, kBlock>& keys, double key) {
#if defined(__AVX2__)
        const __m256d wanted = _mm256_set1_pd(key);
        __m256i found = _mm256_setzero_si256();
        for (std::size_t i = 0; i < kBlock; i += 4) {
            const __m256d above = _mm256_cmp_pd(_mm256_load_pd(&keys[i]), wanted, _CMP_GT_OQ);
            found = _mm256_sub_epi64(found, _mm256_castpd_si256(above));
        }
        alignas(32) std::array<std::uint64_t, 4> parts;
        _mm256_store_si256(reinterpret_cast<__m256i*>(parts.data()), found);
        return parts[0] + parts[1] + parts[2] + parts[3];
#else
        std::size_t found = 0;
        for (const double each : keys) found += each > key ? 1 : 0;
        return found;
#endif
    }

    static std::size_t sum(const std::uint32_t* counts, std::size_t size) {
        std::uint32_t total = 0;
        for (std::size_t i = 0; i < size; ++i) total += counts[i];
        return total;
    }

    // How many of the groups begin with a higher key.
    std::size_t groups_above(double key) const {
        const double* base = firsts_.data();
        for (std::size_t size = firsts_.size(); size > 1;) {
            const std::size_t half = size / 2;
            base = base[half - 1] > key ? base + half : base;
            size -= half;
        }
        return static_cast<std::size_t>(base - firsts_.data()) + (*base > key ? 1 : 0);
    }

    // Where the entry is or would be. Equal keys may reach over blocks: there the slots decide.
    Place find(double key, std::uint32_t slot) const {
        Place place{groups_above(key), 0, 0};
        if (place.group < groups_.size() && firsts_[place.group] == key) return find_equal(place.group, key, slot);
        place.group -= place.group != 0 ? 1 : 0;
        const Group& group = *groups_[place.group];
        place.block = count_above(group.first, key);
        if (place.block < group.size && group.first[place.block] == key) return find_equal(place.group, key, slot);
        place.block -= place.block != 0 ? 1 : 0;
        const Block& block = *group.block[place.block];
        for (std::size_t i = 0; i < kBlock; i += 16) __builtin_prefetch(&block.slot[i], 1);
        place.index = count_above(block.key, key);
        const std::size_t count = group.count[place.block];
        while (place.index < count && block.key[place.index] == key && block.slot[place.index] < slot) ++place.index;
        return place;
    }

    // The same entry by entry, for keys at which a block begins.
    Place find_equal(std::size_t group_above, double key, std::uint32_t slot) const {
        Place place{group_above == 0 ? 0 : group_above - 1, 0, 0};
        const auto passes = [&](std::size_t g, std::size_t b, std::size_t i) {
            const Block& block = *groups_[g]->block[b];
            return block.key[i] > key || (block.key[i] == key && block.slot[i] < slot);
        };
        for (std::size_t g = place.group; g < groups_.size() && passes(g, 0, 0); ++g) place.group = g;
        const Group& group = *groups_[place.group];
        for (std::size_t b = 0; b < group.size && passes(place.group, b, 0); ++b) place.block = b;
        while (place.index < group.count[place.block] && passes(place.group, place.block, place.index)) ++place.index;
        // An entry that begins a block is where it is, not behind the last one of the block before.
        if (place.index == group.count[place.block]) {
            Place next{place.group, place.block + 1, 0};
            if (next.block == group.size) next = {place.group + 1, 0, 0};
            if (next.group < groups_.size()) {
                const Block& block = *groups_[next.group]->block[next.block];
                if (block.key[0] == key && block.slot[0] == slot) return next;
            }
        }
        return place;
    }

    void insert(const Place& place, double key, std::uint32_t slot) {
        Group& group = *groups_[place.group];
        group.block[place.block]->put(place.index, group.count[place.block], key, slot);
        ++group.count[place.block];
        ++totals_[place.group];
        if (place.index == 0) note_first(place);
    }

    void erase(const Place& place) {
        Group& group = *groups_[place.group];
        group.block[place.block]->cut(place.index, group.count[place.block]);
        --totals_[place.group];
        if (--group.count[place.block] == 0 && scores_.size() > 1) {
            cut_block(place);
        } else if (place.index == 0) {
            note_first(place);
        }
    }

    void note_first(const Place& place) {
        Group& group = *groups_[place.group];
        group.first[place.block] = group.block[place.block]->key[0];
        firsts_[place.group] = group.first[0];
    }

    void cut_block(const Place& place) {
        Group& group = *groups_[place.group];
        for (std::size_t b = place.block; b + 1 < group.size; ++b) {
            group.first[b] = group.first[b + 1];
            group.count[b] = group.count[b + 1];
            group.block[b] = std::move(group.block[b + 1]);
        }
        --group.size;
        group.first[group.size] = kLowest;
        group.block[group.size].reset();
        if (group.size != 0) {
            firsts_[place.group] = group.first[0];
            return;
        }
        const auto at = static_cast<std::ptrdiff_t>(place.group);
        groups_.erase(groups_.begin() + at);
        firsts_.erase(firsts_.begin() + at);
        totals_.erase(totals_.begin() + at);
    }

    // Cuts a full block in its middle, and a full group before.
    void split(Place place) {
        if (groups_[place.group]->size == kBlock) {
            split_group(place.group);
            if (place.block >= kBlock / 2) place = {place.group + 1, place.block - kBlock / 2, 0};
        }
        Group& group = *groups_[place.group];
        for (std::size_t b = group.size; b > place.block + 1; --b) {
            group.first[b] = group.first[b - 1];
            group.count[b] = group.count[b - 1];
            group.block[b] = std::move(group.block[b - 1]);
        }
        ++group.size;
        constexpr std::size_t kHalf = kBlock / 2;
        Block& left = *group.block[place.block];
        auto right = std::make_unique<Block>();
        std::copy(left.key.begin() + kHalf, left.key.end(), right->key.begin());
        std::copy(left.slot.begin() + kHalf, left.slot.end(), right->slot.begin());
        std::fill(left.key.begin() + kHalf, left.key.end(), kLowest);
        group.first[place.block + 1] = right->key[0];
        group.count[place.block] = group.count[place.block + 1] = kHalf;
        group.block[place.block + 1] = std::move(right);
    }

    void split_group(std::size_t which) {
        push_group();
        std::rotate(groups_.begin() + static_cast<std::ptrdiff_t>(which) + 1, groups_.end() - 1, groups_.end());
        Group& left = *groups_[which];
        Group& right = *groups_[which + 1];
        for (std::size_t b = kBlock / 2; b < kBlock; ++b) {
            right.first[right.size] = left.first[b];
            right.count[right.size] = left.count[b];
            right.block[right.size++] = std::move(left.block[b]);
            left.first[b] = kLowest;
        }
        left.size = kBlock / 2;
        for (std::size_t g = which; g < groups_.size(); ++g) {
            firsts_[g] = groups_[g]->first[0];
            totals_[g] = static_cast<std::uint32_t>(sum(groups_[g]->count.data(), groups_[g]->size));
        }
    }

    void push_group() {
        groups_.push_back(std::make_unique<Group>());
        firsts_.push_back(kLowest);
        totals_.push_back(0);
    }

    std::vector<double> scores_;
    std::vector<std::unique_ptr<Group>> groups_;
    std::vector<double> firsts_;
    std::vector<std::uint32_t> totals_;
};

}  // namespace yardstick
