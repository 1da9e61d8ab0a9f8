// SPDX-License-Identifier: MIT
// Purpose: an ordered set with positions: William Pugh's skip list (CACM 1990), whose bottom nodes are blocks of sorted
// entries (a B-skip-list: Golovin, arXiv:1005.0662, 2010) and whose links carry spans, as the widths of Pugh's «A skip
// list cookbook» (1990, section 3.4) do. A look-up touches a few blocks rather than a node an entry.
// Thread safety: external; const methods may run side by side.
// Invariants (check() verifies them): (1) every block but the head holds 1 to kBlockSize entries, sorted over all
// blocks; (2) links[l].span of a block is the number of entries from its first to the first of links[l].next, or to the
// end; (3) no two entries are equal under Before. Complexity: O(log n) expected for insert, erase, position, at; O(log
// n + k) to visit k entries. Failure: insert throws std::bad_alloc and changes nothing. Before and copies of entries
// must not throw.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace engagehub {

template <class Entry, class Before>
class SkipList {
    static_assert(std::is_trivially_copyable_v<Entry>, "blocks move their entries by plain copies");

public:
    static constexpr std::size_t kBlockSize = 64;

    explicit SkipList(Before before = Before()) : before_(std::move(before)), head_(new_block(kMaxHeight)) {}
    SkipList(const SkipList&) = delete;
    SkipList& operator=(const SkipList&) = delete;
    ~SkipList() {
        clear();
        free_block(head_);
    }

    std::size_t size() const { return size_; }

    void clear() {
        for (Block* block = head_->links[0].next; block != nullptr;) {
            Block* next = block->links[0].next;
            free_block(block);
            block = next;
        }
        for (unsigned level = 0; level < kMaxHeight; ++level) head_->links[level] = {};
        height_ = 1;
        size_ = 0;
    }

    // How many entries stand before the first that doesn't satisfy is_before, which must hold for a prefix of the list.
    template <class Predicate>
    std::size_t partition_point(const Predicate& is_before) const {
        const Block* block = head_;
        std::size_t position = 0;
        for (unsigned level = height_; level-- > 0;) {
            for (const Block* next = block->links[level].next; next != nullptr && is_before(next->entries[0]);
                 next = block->links[level].next) {
                position += block->links[level].span;
                block = next;
            }
        }
        return position + index_in(block, is_before);
    }

    // REQUIRES: no equal entry is in the list.
    void insert(const Entry& entry) {
        Path path = path_to(entry);
        Block* block = path.block[0];
        if (block == head_) {
            block = head_->links[0].next;
            if (block == nullptr) block = append_first_block();
            for (unsigned level = 0; level < block->height; ++level) path.block[level] = block;
        }
        if (block->count == kBlockSize) block = split(path, entry);
        const std::size_t index = index_in(block, [&](const Entry& other) { return before_(other, entry); });
        std::copy_backward(block->entries + index, block->entries + block->count, block->entries + block->count + 1);
        block->entries[index] = entry;
        ++block->count;
        for (unsigned level = 0; level < height_; ++level) ++path.block[level]->links[level].span;
        ++size_;
    }

    // Whether an equal entry was there.
    bool erase(const Entry& entry) {
        Path path = path_to(entry);
        Block* block = path.block[0];
        const std::size_t index = index_in(block, [&](const Entry& other) { return before_(other, entry); });
        if (index == block->count || before_(entry, block->entries[index])) return false;
        std::copy(block->entries + index + 1, block->entries + block->count, block->entries + index);
        --block->count;
        for (unsigned level = 0; level < height_; ++level) --path.block[level]->links[level].span;
        --size_;
        if (block->count == 0) {
            unlink_empty(block, entry);
        } else if (block->count < kBlockSize / 4) {
            merge_next_into(block, path);
        }
        return true;
    }

    // The entry at a 0-based position. REQUIRES: position < size().
    const Entry& at(std::size_t position) const {
        const auto [block, index] = locate(position);
        return block->entries[index];
    }

    // Calls visit(entry) for up to count entries from a position on.
    template <class Visit>
    void visit(std::size_t position, std::size_t count, Visit&& visit) const {
        if (position >= size_ || count == 0) return;
        count = std::min(count, size_ - position);
        auto [block, index] = locate(position);
        for (; count != 0; --count) {
            if (index == block->count) {
                block = block->links[0].next;
                index = 0;
            }
            visit(block->entries[index++]);
        }
    }

    // Throws std::logic_error where an invariant doesn't hold. O(n * levels).
    void check() const {
        const auto require = [](bool held, const char* what) {
            if (!held) throw std::logic_error(what);
        };
        std::size_t total = 0;
        const Entry* last = nullptr;
        for (const Block* block = head_->links[0].next; block != nullptr; block = block->links[0].next) {
            require(block->count >= 1 && block->count <= kBlockSize, "a block holds 1 to kBlockSize entries");
            for (std::size_t i = 0; i < block->count; ++i) {
                require(last == nullptr || before_(*last, block->entries[i]), "entries are sorted and distinct");
                last = &block->entries[i];
            }
            total += block->count;
        }
        require(total == size_, "size counts the entries");
        for (unsigned level = 0; level < height_; ++level) {
            const Block* bottom = head_;
            for (const Block* block = head_; block != nullptr; block = block->links[level].next) {
                require(block->height > level, "a linked block is as high as its link");
                std::size_t between = 0;
                for (; bottom != block->links[level].next; bottom = bottom->links[0].next) between += bottom->count;
                require(between == block->links[level].span, "a span counts the entries up to the next block");
            }
        }
        for (unsigned level = height_; level < kMaxHeight; ++level) {
            require(head_->links[level].next == nullptr, "no link above the height");
        }
    }

private:
    // With one block in four a level higher, sixteen levels serve 4^16 blocks.
    static constexpr unsigned kMaxHeight = 16;

    struct Block;
    struct Link {
        Block* next = nullptr;
        std::size_t span = 0;
    };
    struct Block {
        std::uint32_t count = 0;
        std::uint32_t height = 0;
        Link* links = nullptr;  // behind the block, in the same allocation
        Entry entries[kBlockSize];
    };
    // For each level the last block that starts at or before an entry, and how many entries stand before that block.
    struct Path {
        std::array<Block*, kMaxHeight> block;
        std::array<std::size_t, kMaxHeight> position;
    };

    static constexpr std::size_t kLinksOffset = (sizeof(Block) + alignof(Link) - 1) / alignof(Link) * alignof(Link);

    static Block* new_block(unsigned height) {
        void* memory = ::operator new(kLinksOffset + height * sizeof(Link));
        auto* block = new (memory) Block;
        block->height = height;
        block->links = reinterpret_cast<Link*>(static_cast<char*>(memory) + kLinksOffset);
        std::uninitialized_value_construct_n(block->links, height);
        return block;
    }

    static void free_block(Block* block) {
        block->~Block();
        ::operator delete(block);
    }

    // xorshift64: heights need to be spread, not unpredictable, and the same everywhere.
    unsigned random_height() {
        random_ ^= random_ << 13U;
        random_ ^= random_ >> 7U;
        random_ ^= random_ << 17U;
        unsigned height = 1;
        for (std::uint64_t bits = random_; (bits & 3U) == 0 && height < kMaxHeight; bits >>= 2U) ++height;
        return height;
    }

    template <class Predicate>
    static std::size_t index_in(const Block* block, const Predicate& is_before) {
        return static_cast<std::size_t>(
            std::partition_point(block->entries, block->entries + block->count, is_before) - block->entries);
    }

    Path path_to(const Entry& entry) const {
        Path path;
        Block* block = head_;
        std::size_t position = 0;
        for (unsigned level = kMaxHeight; level-- > 0;) {
            if (level < height_) {
                for (Block* next = block->links[level].next; next != nullptr && !before_(entry, next->entries[0]);
                     next = block->links[level].next) {
                    position += block->links[level].span;
                    block = next;
                }
            }
            path.block[level] = block;
            path.position[level] = position;
        }
        return path;
    }

    std::pair<const Block*, std::size_t> locate(std::size_t position) const {
        const Block* block = head_;
        for (unsigned level = height_; level-- > 0;) {
            while (block->links[level].next != nullptr && position >= block->links[level].span) {
                position -= block->links[level].span;
                block = block->links[level].next;
            }
        }
        return {block, position};
    }

    Block* append_first_block() {
        Block* block = new_block(random_height());
        height_ = block->height;
        for (unsigned level = 0; level < height_; ++level) head_->links[level] = {block, 0};
        return block;
    }

    // Moves the upper half of the full block path.block[0] to a new one behind it; returns the half that the entry
    // belongs to, with the path leading there.
    Block* split(Path& path, const Entry& entry) {
        constexpr std::size_t kHalf = kBlockSize / 2;
        Block* lower = path.block[0];
        Block* upper = new_block(random_height());
        for (unsigned level = height_; level < upper->height; ++level) head_->links[level].span = size_;
        height_ = std::max(height_, static_cast<unsigned>(upper->height));
        std::copy(lower->entries + kHalf, lower->entries + kBlockSize, upper->entries);
        lower->count = kHalf;
        upper->count = kBlockSize - kHalf;
        const std::size_t upper_position = path.position[0] + kHalf;
        for (unsigned level = 0; level < upper->height; ++level) {
            Link& link = path.block[level]->links[level];
            const std::size_t distance = upper_position - path.position[level];
            upper->links[level] = {link.next, link.span - distance};
            link = {upper, distance};
        }
        if (before_(entry, upper->entries[0])) return lower;
        for (unsigned level = 0; level < upper->height; ++level) path.block[level] = upper;
        return upper;
    }

    // Takes out a block whose only entry was erased.
    void unlink_empty(Block* block, const Entry& erased) {
        Block* previous = head_;
        for (unsigned level = height_; level-- > 0;) {
            for (Block* next = previous->links[level].next;
                 next != nullptr && next != block && before_(next->entries[0], erased);
                 next = previous->links[level].next) {
                previous = next;
            }
            if (level < block->height) {
                Link& link = previous->links[level];
                link = {block->links[level].next, link.span + block->links[level].span};
            }
        }
        free_block(block);
        lower_height();
    }

    // Keeps sparse blocks from piling up: a quarter-full block takes in its neighbour where both fit with room to
    // spare.
    void merge_next_into(Block* block, Path& path) {
        Block* next = block->links[0].next;
        if (next == nullptr || block->count + next->count > kBlockSize * 3 / 4) return;
        std::copy(next->entries, next->entries + next->count, block->entries + block->count);
        block->count += next->count;
        for (unsigned level = 0; level < next->height; ++level) {
            Link& link = path.block[level]->links[level];
            link = {next->links[level].next, link.span + next->links[level].span};
        }
        free_block(next);
        lower_height();
    }

    void lower_height() {
        while (height_ > 1 && head_->links[height_ - 1].next == nullptr) head_->links[--height_] = {};
    }

    Before before_;
    Block* head_;
    unsigned height_ = 1;
    std::size_t size_ = 0;
    std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
};

}  // namespace engagehub
