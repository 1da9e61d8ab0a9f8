// SPDX-License-Identifier: MIT
// Purpose: slots ordered by their RankKey, with positions: William Pugh's skip list (CACM 1990) in blocks (a
// B-skip-list: Golovin, arXiv:1005.0662, 2010). The bottom level is a chain of blocks of sorted entries. Each level
// above holds, in blocks again, a link to every block of the level below, with the number of entries that it spans («A
// skip list cookbook», Pugh 1990, section 3.4). A new block draws its height by coins: at each level that it reaches,
// it begins a block of links. A block that is full is cut in its middle, so that no draw makes a block larger than
// kBlock.
// Order is a copyable object that knows the keys: key(slot) answers the key of a slot that is in the list, and
// before(a, b) how two different slots with equal keys are listed.
// Thread safety: external; const methods may run side by side.
// Invariants (check() verifies them): (1) entries are sorted over all leaves, with the keys that order knows; (2) a
// block holds 1 to kBlock entries or links, and the rest of its words is padded; (3) a link repeats the first entry of
// its block and spans the entries below it; (4) all leaves are at the same depth and chained in order, and the top
// block of links has two or more. Complexity: O(log n) expected to insert, erase, move and find a position; O(log n +
// k) to visit k entries; O(n) to build. Failure: insert, move and build throw std::bad_alloc and change no entry.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <engagehub/base/prefetch.hpp>
#include <engagehub/ranking/block_search.hpp>
#include <engagehub/ranking/rank_key.hpp>

namespace engagehub {

template <class Order>
class SkipList {
public:
    using Slot = std::uint32_t;
    static constexpr std::size_t kBlock = 64;

    explicit SkipList(Order order) : order_(std::move(order)) {}
    SkipList(const SkipList&) = delete;
    SkipList& operator=(const SkipList&) = delete;
    ~SkipList() { clear(); }

    std::size_t size() const { return size_; }

    void clear() noexcept {
        if (root_ != nullptr) free_below(root_, height_);
        forget();
    }

    // How many entries stand before the slot with this key, be it in the list or not.
    std::size_t position(const RankKey& key, Slot slot) const { return count_before({key, slot, false}); }

    // How many entries have a lower key.
    std::size_t count_below(const RankKey& key) const { return count_before({key, kNoSlot, false}); }

    // How many entries stand before the first whose key doesn't satisfy is_before, which must hold for a prefix.
    template <class Predicate>
    std::size_t partition_point(const Predicate& is_before) const {
        if (root_ == nullptr) return 0;
        std::size_t position = 0;
        void* block = root_;
        for (unsigned level = height_; level > 0; --level) {
            const Links& links = *static_cast<Links*>(block);
            std::size_t i = halve(0, links.count, [&](std::size_t at) { return is_before(links.key(at)); });
            if (i != 0) --i;
            position += sum(links, 0, i);
            block = links.child[i];
        }
        const Leaf& leaf = *static_cast<Leaf*>(block);
        return position + halve(0, leaf.count, [&](std::size_t at) { return is_before(order_.key(leaf.slot[at])); });
    }

    // REQUIRES: the slot isn't in the list.
    void insert(const RankKey& key, Slot slot) {
        const Probe probe{key, slot, false};
        if (root_ == nullptr) root_ = first_ = new Leaf;
        Path path = path_to(probe);
        if (path.leaf->count == kBlock) {
            split(path);
            path = path_to(probe);
        }
        insert_at(path, probe);
    }

    // REQUIRES: the slot is in the list with this key.
    void erase(const RankKey& key, Slot slot) noexcept {
        const Path path = path_to({key, slot, true});
        erase_at(path, index_of(*path.leaf, key, slot));
    }

    // Gives a slot that is in the list another key. REQUIRES: order.key(slot) answers the old one until it returns.
    void move(const RankKey& from, const RankKey& to, Slot slot) {
        const Probe probe{to, slot, false};
        Path source = path_to({from, slot, true});
        Path target = path_to(probe);
        if (source.leaf == target.leaf) {
            move_inside(source, index_of(*source.leaf, from, slot), probe);
            return;
        }
        if (target.leaf->count == kBlock) {
            split(target);
            source = path_to({from, slot, true});
            target = path_to(probe);
        }
        // Blocks that were joined have room to spare: nothing is allocated any more.
        if (erase_at(source, index_of(*source.leaf, from, slot))) target = path_to(probe);
        insert_at(target, probe);
    }

    // Asks the memory for the leaves that a move between these keys would touch.
    void prefetch(const RankKey& key) const {
        if (root_ != nullptr) prefetch_leaf(*path_to({key, kNoSlot, false}).leaf);
    }

    // Becomes what source is without the slots that don't satisfy keep and with sorted other slots merged in.
    // REQUIRES: this list is empty, and its order answers for all of these slots, none of which is twice among them.
    template <class Keep>
    void build(const SkipList& source, const std::vector<Slot>& sorted, const Keep& keep) {
        Builder builder(*this);
        auto next = sorted.begin();
        const auto high_of_next = [&] { return next == sorted.end() ? block_search::kPad : order_.key(*next).high; };
        std::int64_t next_high = high_of_next();
        for (const Leaf* leaf = source.first_; leaf != nullptr; leaf = leaf->next) {
            for (std::size_t i = 0; i < leaf->count; ++i) {
                const Slot slot = leaf->slot[i];
                const std::int64_t high = leaf->high[i];
                const bool kept = keep(slot);
                if (kept && next_high <= high) {
                    for (; next != sorted.end() && precedes(*next, high, slot); ++next) {
                        builder.append(order_.key(*next).high, *next, true);
                    }
                    next_high = high_of_next();
                }
                builder.append(high, slot, kept);
            }
        }
        for (; next != sorted.end(); ++next) builder.append(order_.key(*next).high, *next, true);
        builder.finish();
    }

    // REQUIRES: the orders of both know the same keys.
    void swap(SkipList& other) noexcept {
        std::swap(root_, other.root_);
        std::swap(first_, other.first_);
        std::swap(height_, other.height_);
        std::swap(size_, other.size_);
    }

    // The slot at a 0-based position. REQUIRES: position < size().
    Slot at(std::size_t position) const {
        const auto [leaf, index] = locate(position);
        return leaf->slot[index];
    }

    // Calls visit(slot) for up to count entries from a position on.
    template <class Visit>
    void visit(std::size_t position, std::size_t count, Visit&& visit) const {
        if (position >= size_ || count == 0) return;
        count = std::min(count, size_ - position);
        auto [leaf, index] = locate(position);
        for (; count != 0; --count) {
            if (index == leaf->count) {
                leaf = leaf->next;
                index = 0;
            }
            visit(leaf->slot[index++]);
        }
    }

    // Throws std::logic_error where an invariant doesn't hold. O(n).
    void check() const {
        if (root_ == nullptr) {
            require(size_ == 0 && height_ == 0 && first_ == nullptr, "an empty list has no block");
            return;
        }
        const Leaf* leaf = first_;
        require(check_below(root_, height_, leaf) == size_, "size counts the entries");
        require(leaf == nullptr, "the chain ends with the last leaf");
        require(height_ == 0 || static_cast<const Links*>(root_)->count >= 2, "the top block has two links or more");
    }

private:
    static constexpr Slot kNoSlot = 0xffffffffU;
    // Blocks are joined where together they are at most this full, so that the next few insertions don't cut them.
    static constexpr std::size_t kJoined = kBlock * 3 / 4;
    static constexpr std::size_t kJoinedLinks = kBlock / 4;
    static constexpr std::size_t kFilled = kBlock * 3 / 4;
    static constexpr std::uint64_t kCoin = kBlock;  // one block in so many reaches the next level
    static constexpr unsigned kMaxHeight = 24;
    static constexpr unsigned kMaxDrawn = 12;

    using Words = std::array<std::int64_t, kBlock>;

    struct Leaf {
        Words high = padded();
        std::array<Slot, kBlock> slot;
        std::uint32_t count = 0;
        Leaf* previous = nullptr;
        Leaf* next = nullptr;
    };
    struct Link {
        RankKey key;
        Slot slot;
        std::uint32_t span;
        void* child;
    };
    struct Links {
        Words high = padded();
        std::array<std::uint64_t, kBlock> low;
        std::array<Slot, kBlock> slot;
        std::array<std::uint32_t, kBlock> span;
        std::array<void*, kBlock> child;  // blocks of the level below: Links, or Leaf under the lowest
        std::uint32_t count = 0;

        RankKey key(std::size_t i) const { return {high[i], low[i]}; }
        Link get(std::size_t i) const { return {key(i), slot[i], span[i], child[i]}; }
        void set_first(std::size_t i, const RankKey& key, Slot first) {
            high[i] = key.high;
            low[i] = key.low;
            slot[i] = first;
        }
        void insert(std::size_t i, const Link& link) {
            const auto shift = [&](auto& column) {
                std::copy_backward(column.begin() + i, column.begin() + count, column.begin() + count + 1);
            };
            shift(high);
            shift(low);
            shift(slot);
            shift(span);
            shift(child);
            ++count;
            set_first(i, link.key, link.slot);
            span[i] = link.span;
            child[i] = link.child;
        }
        void erase(std::size_t i) {
            const auto shift = [&](auto& column) {
                std::copy(column.begin() + i + 1, column.begin() + count, column.begin() + i);
            };
            shift(high);
            shift(low);
            shift(slot);
            shift(span);
            shift(child);
            high[--count] = block_search::kPad;
        }
        // Appends other's links from i on to this block, and cuts them off there.
        void take(Links& other, std::size_t i) {
            for (std::size_t at = i; at < other.count; ++at) insert(count, other.get(at));
            std::fill(other.high.begin() + static_cast<std::ptrdiff_t>(i), other.high.end(), block_search::kPad);
            other.count = static_cast<std::uint32_t>(i);
        }
    };
    // What is looked for: the entries before (key, slot), and the one at it where inclusive; without a slot, the
    // entries whose key is lower.
    struct Probe {
        RankKey key;
        Slot slot;
        bool inclusive;
    };
    // For each level from 1 the block of links and the link in it that lead to a leaf.
    struct Path {
        std::array<Links*, kMaxHeight + 1> links;
        std::array<std::uint32_t, kMaxHeight + 1> index;
        Leaf* leaf;
    };

    static Words padded() {
        Words words;
        words.fill(block_search::kPad);
        return words;
    }

    static void require(bool held, const char* what) {
        if (!held) throw std::logic_error(what);
    }

    static void prefetch_leaf(const Leaf& leaf) {
        for (std::size_t i = 0; i < kBlock; i += 8) engagehub::prefetch(&leaf.high[i]);
        for (std::size_t i = 0; i < kBlock; i += 16) engagehub::prefetch(&leaf.slot[i]);
        engagehub::prefetch(&leaf.count);
    }

    // The first of [from, to) that doesn't satisfy a predicate which holds for a prefix.
    template <class Predicate>
    static std::size_t halve(std::size_t from, std::size_t to, const Predicate& holds) {
        while (from < to) {
            const std::size_t middle = from + (to - from) / 2;
            if (holds(middle)) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        return from;
    }

    static std::size_t sum(const Links& links, std::size_t from, std::size_t to) {
        std::uint32_t total = 0;  // no list holds more than 2^32 - 2 slots
        for (std::size_t i = from; i < to; ++i) total += links.span[i];
        return total;
    }

    // Whether an entry whose key has the probe's high word is one of those looked for.
    bool passes(std::uint64_t low, Slot slot, const Probe& probe) const {
        if (low != probe.key.low) return low < probe.key.low;
        if (probe.slot == kNoSlot) return false;
        return slot == probe.slot ? probe.inclusive : order_.before(slot, probe.slot);
    }

    bool precedes(Slot slot, std::int64_t high, Slot other) const {
        const RankKey key = order_.key(slot);
        if (key.high != high) return key.high < high;
        const std::uint64_t low = order_.key(other).low;
        return key.low != low ? key.low < low : order_.before(slot, other);
    }

    // The last link whose first entry passes, or the first link.
    std::uint32_t index_in(const Links& links, const Probe& probe) const {
        std::size_t i = block_search::count_below(links.high.data(), links.count, probe.key.high);
        if (i < links.count && links.high[i] == probe.key.high) {
            i = halve(i, links.count, [&](std::size_t at) {
                return links.high[at] == probe.key.high && passes(links.low[at], links.slot[at], probe);
            });
        }
        return static_cast<std::uint32_t>(i == 0 ? 0 : i - 1);
    }

    // How many entries of the leaf pass.
    std::size_t index_in(const Leaf& leaf, const Probe& probe) const {
        const std::int64_t high = probe.key.high;
        const std::size_t first = block_search::count_below(leaf.high.data(), leaf.count, high);
        if (first == leaf.count || leaf.high[first] != high) return first;
        const auto at_passes = [&](std::size_t at) {
            return passes(order_.key(leaf.slot[at]).low, leaf.slot[at], probe);
        };
        std::size_t end = first + 1;
        if (end != leaf.count && leaf.high[end] == high)
            end = halve(end, leaf.count, [&](std::size_t at) { return leaf.high[at] == high; });
        if (at_passes(end - 1)) return end;  // the newest arrival among its ties, or the only entry
        return halve(first, end - 1, at_passes);
    }

    // REQUIRES: the slot is in the leaf with this key.
    static std::size_t index_of(const Leaf& leaf, const RankKey& key, Slot slot) {
        std::size_t i = block_search::count_below(leaf.high.data(), leaf.count, key.high);
        while (leaf.slot[i] != slot) ++i;
        return i;
    }

    // REQUIRES: there is a block.
    Path path_to(const Probe& probe) const {
        Path path;
        void* block = root_;
        for (unsigned level = height_; level > 0; --level) {
            path.links[level] = static_cast<Links*>(block);
            path.index[level] = index_in(*path.links[level], probe);
            block = path.links[level]->child[path.index[level]];
        }
        path.leaf = static_cast<Leaf*>(block);
        return path;
    }

    std::size_t count_before(const Probe& probe) const {
        if (root_ == nullptr) return 0;
        std::size_t position = 0;
        void* block = root_;
        for (unsigned level = height_; level > 0; --level) {
            const Links& links = *static_cast<Links*>(block);
            const std::size_t i = index_in(links, probe);
            block = links.child[i];
            position += sum(links, 0, i);
        }
        return position + index_in(*static_cast<Leaf*>(block), probe);
    }

    std::pair<const Leaf*, std::size_t> locate(std::size_t position) const {
        void* block = root_;
        for (unsigned level = height_; level > 0; --level) {
            const Links& links = *static_cast<Links*>(block);
            std::size_t i = 0;
            for (; position >= links.span[i]; ++i) position -= links.span[i];
            block = links.child[i];
        }
        return {static_cast<Leaf*>(block), position};
    }

    void insert_at(const Path& path, const Probe& probe) {
        put(*path.leaf, index_in(*path.leaf, probe), probe, path);
        for (unsigned level = 1; level <= height_; ++level) ++path.links[level]->span[path.index[level]];
        ++size_;
    }

    // REQUIRES: the leaf has room.
    void put(Leaf& leaf, std::size_t index, const Probe& probe, const Path& path) {
        std::copy_backward(
            leaf.high.begin() + index, leaf.high.begin() + leaf.count, leaf.high.begin() + leaf.count + 1);
        std::copy_backward(
            leaf.slot.begin() + index, leaf.slot.begin() + leaf.count, leaf.slot.begin() + leaf.count + 1);
        leaf.high[index] = probe.key.high;
        leaf.slot[index] = probe.slot;
        ++leaf.count;
        if (index == 0) repeat_first(path, 1, probe.key, probe.slot);
    }

    static void cut_out(Leaf& leaf, std::size_t index) {
        std::copy(leaf.high.begin() + index + 1, leaf.high.begin() + leaf.count, leaf.high.begin() + index);
        std::copy(leaf.slot.begin() + index + 1, leaf.slot.begin() + leaf.count, leaf.slot.begin() + index);
        leaf.high[--leaf.count] = block_search::kPad;
    }

    // Whether blocks went away, so that other paths lead astray.
    bool erase_at(const Path& path, std::size_t index) noexcept {
        Leaf& leaf = *path.leaf;
        cut_out(leaf, index);
        for (unsigned level = 1; level <= height_; ++level) --path.links[level]->span[path.index[level]];
        --size_;
        if (leaf.count == 0) {
            drop(path);
            return true;
        }
        if (index == 0) repeat_first(path, 1, order_.key(leaf.slot[0]), leaf.slot[0]);
        return join_leaf(path);
    }

    void move_inside(const Path& path, std::size_t index, const Probe& probe) {
        Leaf& leaf = *path.leaf;
        cut_out(leaf, index);
        const std::size_t target = index_in(leaf, probe);
        put(leaf, target, probe, path);
        if (index == 0 && target != 0) repeat_first(path, 1, order_.key(leaf.slot[0]), leaf.slot[0]);
    }

    // Tells the links from a level up that their block begins with this entry now.
    void repeat_first(const Path& path, unsigned level, const RankKey& key, Slot slot) {
        for (; level <= height_; ++level) {
            path.links[level]->set_first(path.index[level], key, slot);
            if (path.index[level] != 0) return;
        }
    }

    // Takes an empty leaf out.
    void drop(const Path& path) noexcept {
        unchain(path.leaf);
        if (height_ == 0) {
            forget();
        } else {
            erase_link(path, 1, path.index[1]);
        }
    }

    bool join_leaf(const Path& path) noexcept {
        if (height_ == 0) return false;
        Links& links = *path.links[1];
        std::uint32_t left = path.index[1];
        const auto fits = [&](std::size_t at) { return links.span[at] + links.span[at + 1] <= kJoined; };
        if (left + 1 == links.count || !fits(left)) {
            if (left == 0 || !fits(left - 1)) return false;
            --left;
        }
        auto& taker = *static_cast<Leaf*>(links.child[left]);
        auto* taken = static_cast<Leaf*>(links.child[left + 1]);
        std::copy_n(taken->high.begin(), taken->count, taker.high.begin() + taker.count);
        std::copy_n(taken->slot.begin(), taken->count, taker.slot.begin() + taker.count);
        taker.count += taken->count;
        links.span[left] += links.span[left + 1];
        unchain(taken);
        erase_link(path, 1, left + 1);
        return true;
    }

    void unchain(Leaf* leaf) noexcept {
        (leaf->previous == nullptr ? first_ : leaf->previous->next) = leaf->next;
        if (leaf->next != nullptr) leaf->next->previous = leaf->previous;
        delete leaf;
    }

    // Takes a link out, whose block is gone already, and with it what it leaves empty or nearly so.
    void erase_link(const Path& path, unsigned level, std::uint32_t index) noexcept {
        Links* links = path.links[level];
        links->erase(index);
        if (links->count == 0) {
            delete links;
            erase_link(path, level + 1, path.index[level + 1]);
            return;
        }
        if (index == 0) repeat_first(path, level + 1, links->key(0), links->slot[0]);
        if (level == height_) {
            while (height_ > 0 && static_cast<Links*>(root_)->count == 1) {
                auto* top = static_cast<Links*>(root_);
                root_ = top->child[0];
                delete top;
                --height_;
            }
            return;
        }
        Links& above = *path.links[level + 1];
        const std::uint32_t place = path.index[level + 1];
        if (place + 1 == above.count) return;
        auto* next = static_cast<Links*>(above.child[place + 1]);
        if (links->count + next->count > kJoinedLinks) return;
        links->take(*next, 0);
        above.span[place] += above.span[place + 1];
        delete next;
        erase_link(path, level + 1, place + 1);
    }

    // How many levels above the leaves a new block reaches: xorshift64, for heights need to be spread, not
    // unpredictable, and the same everywhere.
    unsigned draw_height() {
        random_ ^= random_ << 13U;
        random_ ^= random_ >> 7U;
        random_ ^= random_ << 17U;
        unsigned height = 0;
        for (std::uint64_t bits = random_; bits % kCoin == 0 && height < kMaxDrawn; bits /= kCoin) ++height;
        return height;
    }

    // Moves the upper half of a full leaf to a new one behind it. Invalidates paths.
    void split(const Path& path) {
        const unsigned drawn = draw_height();
        const auto is_cut = [&](unsigned level) { return level <= drawn || path.links[level]->count == kBlock; };
        // All memory first, so that a failure changes nothing: a block for every cut, one more where the top is cut.
        std::array<std::unique_ptr<Links>, kMaxHeight + 1> fresh;
        for (unsigned level = 1; level > height_ || is_cut(level); ++level) {
            fresh[level] = std::make_unique<Links>();
            if (level > height_) break;
        }
        auto* upper = new Leaf;
        constexpr std::size_t kHalf = kBlock / 2;
        Leaf& lower = *path.leaf;
        std::copy(lower.high.begin() + kHalf, lower.high.end(), upper->high.begin());
        std::copy(lower.slot.begin() + kHalf, lower.slot.end(), upper->slot.begin());
        std::fill(lower.high.begin() + kHalf, lower.high.end(), block_search::kPad);
        lower.count = kHalf;
        upper->count = kBlock - kHalf;
        upper->next = std::exchange(lower.next, upper);
        upper->previous = &lower;
        if (upper->next != nullptr) upper->next->previous = upper;

        Link added{order_.key(upper->slot[0]), upper->slot[0], upper->count, upper};
        for (unsigned level = 1; level <= height_; ++level) {
            Links& links = *path.links[level];
            const std::uint32_t behind = path.index[level] + 1;
            links.span[behind - 1] -= added.span;
            if (!is_cut(level)) {
                links.insert(behind, added);
                return;
            }
            Links* cut = fresh[level].release();
            if (level <= drawn) {
                cut->insert(0, added);
                cut->take(links, behind);
            } else {
                cut->take(links, kHalf);
                if (behind <= kHalf) {
                    links.insert(behind, added);
                } else {
                    cut->insert(behind - kHalf, added);
                }
            }
            added = {cut->key(0), cut->slot[0], static_cast<std::uint32_t>(sum(*cut, 0, cut->count)), cut};
        }
        ++height_;
        Links* top = fresh[height_].release();
        const Slot first = first_->slot[0];
        top->insert(0, {order_.key(first), first, static_cast<std::uint32_t>(size_ - added.span), root_});
        top->insert(1, added);
        root_ = top;
    }

    // Puts an empty list together from its sorted entries.
    class Builder {
    public:
        explicit Builder(SkipList& list) : list_(list) { open_leaf(); }
        Builder(const Builder&) = delete;
        Builder& operator=(const Builder&) = delete;
        ~Builder() {
            for (Leaf* leaf : leaves_) delete leaf;
            for (Links* links : links_) delete links;
        }

        // Without a branch for an entry that isn't kept: the next one overwrites it.
        void append(std::int64_t high, Slot slot, bool kept) {
            leaf_->high[count_] = high;
            leaf_->slot[count_] = slot;
            count_ += kept ? 1 : 0;
            if (count_ == kFilled) {
                close_leaf();
                open_leaf();
            }
        }

        // Draws the heights and hands the blocks to the list.
        void finish() {
            close_leaf();
            if (count_ == 0) {
                delete leaves_.back();
                leaves_.pop_back();
                if (leaves_.empty()) return;
                leaves_.back()->next = nullptr;
            }
            std::vector<Link> below;
            below.reserve(leaves_.size());
            for (Leaf* leaf : leaves_)
                below.push_back({list_.order_.key(leaf->slot[0]), leaf->slot[0], leaf->count, leaf});
            unsigned height = 0;
            for (; below.size() > 1; ++height) below = level_above(below);
            list_.root_ = below[0].child;
            list_.first_ = leaves_[0];
            list_.height_ = height;
            list_.size_ = size_;
            leaves_.clear();
            links_.clear();
        }

    private:
        void open_leaf() {
            leaves_.push_back(nullptr);
            leaves_.back() = leaf_ = new Leaf;
            count_ = 0;
            if (leaves_.size() == 1) return;
            leaf_->previous = leaves_[leaves_.size() - 2];
            leaf_->previous->next = leaf_;
        }

        void close_leaf() {
            leaf_->count = count_;
            leaf_->high[count_] = block_search::kPad;  // where an entry may have been that wasn't kept
            size_ += count_;
        }

        std::vector<Link> level_above(const std::vector<Link>& below) {
            std::vector<Link> above;
            Links* block = nullptr;
            for (const Link& link : below) {
                if (block == nullptr || block->count == kFilled || (block->count != 1 && list_.draw_height() != 0)) {
                    links_.push_back(nullptr);
                    links_.back() = block = new Links;
                    above.push_back({link.key, link.slot, 0, block});
                }
                block->insert(block->count, link);
                above.back().span += link.span;
            }
            return above;
        }

        SkipList& list_;
        std::vector<Leaf*> leaves_;
        std::vector<Links*> links_;
        Leaf* leaf_ = nullptr;
        std::uint32_t count_ = 0;
        std::size_t size_ = 0;
    };

    static void free_below(void* block, unsigned level) noexcept {
        if (level == 0) {
            delete static_cast<Leaf*>(block);
            return;
        }
        auto* links = static_cast<Links*>(block);
        for (std::size_t i = 0; i < links->count; ++i) free_below(links->child[i], level - 1);
        delete links;
    }

    void forget() noexcept {
        root_ = nullptr;
        first_ = nullptr;
        height_ = 0;
        size_ = 0;
    }

    // How many entries there are below; leaf is the next one in the chain.
    std::size_t check_below(const void* block, unsigned level, const Leaf*& leaf) const {
        if (level == 0) {
            require(block == leaf, "leaves are chained in order");
            check_leaf(*leaf);
            const std::size_t count = leaf->count;
            require(leaf->next == nullptr || leaf->next->previous == leaf, "the chain leads back");
            leaf = leaf->next;
            return count;
        }
        const Links& links = *static_cast<const Links*>(block);
        require(links.count >= 1 && links.count <= kBlock, "a block holds 1 to kBlock links");
        for (std::size_t i = links.count; i < kBlock; ++i) require(links.high[i] == block_search::kPad, "padded links");
        std::size_t total = 0;
        for (std::size_t i = 0; i < links.count; ++i) {
            require(leaf != nullptr && links.slot[i] == leaf->slot[0], "a link repeats the slot of the first entry");
            require(links.key(i) == order_.key(links.slot[i]), "a link repeats the key of the first entry");
            const std::size_t below = check_below(links.child[i], level - 1, leaf);
            require(below == links.span[i], "a link spans the entries below it");
            total += below;
        }
        return total;
    }

    void check_leaf(const Leaf& leaf) const {
        require(leaf.count >= 1 && leaf.count <= kBlock, "a block holds 1 to kBlock entries");
        const Leaf* previous = leaf.previous;
        Slot last = previous == nullptr ? kNoSlot : previous->slot[previous->count - 1];
        for (std::size_t i = 0; i < leaf.count; ++i) {
            const Slot slot = leaf.slot[i];
            require(leaf.high[i] == order_.key(slot).high, "an entry has the slot's key");
            require(last == kNoSlot || precedes(last, leaf.high[i], slot), "entries are sorted");
            last = slot;
        }
        for (std::size_t i = leaf.count; i < kBlock; ++i) require(leaf.high[i] == block_search::kPad, "padded entries");
    }

    Order order_;
    void* root_ = nullptr;  // the top block of links, or the only leaf
    Leaf* first_ = nullptr;
    unsigned height_ = 0;  // levels of links
    std::size_t size_ = 0;
    std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
};

}  // namespace engagehub
