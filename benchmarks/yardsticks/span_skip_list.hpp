// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: the skip list as it is known from servers. One node an entry, a link
// for each level that a node reaches (with probability 1/4 each: Pugh, CACM 1990) with the number of entries that it
// spans («A skip list cookbook», 1990, section 3.4), and a link back. Higher scores come first, equal ones by slot. A
// new score that leaves the entry between its neighbours is written in place; otherwise the node is unlinked and linked
// again. Thread safety: external. Complexity: O(log n) expected. Failure: std::bad_alloc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

namespace yardstick {

class SpanSkipList {
public:
    explicit SpanSkipList(const std::vector<double>& scores) : scores_(scores), head_(make(kMaxLevel, 0.0, 0)) {
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const auto slot = static_cast<std::uint32_t>(i);
            unsigned level = 1;
            while (level < kMaxLevel && (random_() & 3U) == 0) ++level;
            link(make(level, scores[i], slot));
        }
    }
    SpanSkipList(const SpanSkipList&) = delete;
    SpanSkipList& operator=(const SpanSkipList&) = delete;
    ~SpanSkipList() {
        for (Node* node = head_; node != nullptr;) {
            Node* next = node->links()[0].next;
            std::free(node);
            node = next;
        }
    }

    void update(std::uint32_t slot, double score) {
        std::array<Node*, kMaxLevel> before;
        Node* node = head_;
        for (unsigned i = level_; i-- > 0;) {
            node = last_before(node, i, scores_[slot], slot);
            before[i] = node;
        }
        node = node->links()[0].next;
        scores_[slot] = score;
        const Node* next = node->links()[0].next;
        const bool stays_behind = node->back == head_ || precedes(*node->back, score, slot);
        if (stays_behind && (next == nullptr || !precedes(*next, score, slot))) {
            node->score = score;
            return;
        }
        unlink(node, before);
        node->score = score;
        link(node);
    }

    // How many entries come before the slot's.
    std::size_t rank(std::uint32_t slot) const {
        std::size_t passed = 0;
        const Node* node = head_;
        for (unsigned i = level_; i-- > 0;) {
            for (const Node* next; (next = node->links()[i].next) != nullptr && precedes(*next, scores_[slot], slot);) {
                passed += node->links()[i].span;
                node = next;
            }
        }
        return passed;
    }

    template <class Visit>
    void visit(Visit&& visit) const {
        for (const Node* node = head_->links()[0].next; node != nullptr; node = node->links()[0].next)
            visit(node->slot);
    }

private:
    static constexpr unsigned kMaxLevel = 32;

    struct Node;
    struct Link {
        Node* next;
        std::uint64_t span;  // to next; to the end where there is none
    };
    struct Node {
        double score;
        std::uint32_t slot;
        std::uint32_t levels;
        Node* back;

        // As many as levels lie behind the node.
        Link* links() { return reinterpret_cast<Link*>(this + 1); }
        const Link* links() const { return reinterpret_cast<const Link*>(this + 1); }
    };

    static Node* make(unsigned levels, double score, std::uint32_t slot) {
        void* memory = std::malloc(sizeof(Node) + levels * sizeof(Link));
        if (memory == nullptr) throw std::bad_alloc();
        auto* node = new (memory) Node{score, slot, levels, nullptr};
        for (unsigned i = 0; i < levels; ++i) new (node->links() + i) Link{nullptr, 0};
        return node;
    }

    static bool precedes(const Node& node, double score, std::uint32_t slot) {
        return node.score != score ? node.score > score : node.slot < slot;
    }

    static Node* last_before(Node* node, unsigned level, double score, std::uint32_t slot) {
        for (Node* next; (next = node->links()[level].next) != nullptr && precedes(*next, score, slot);) node = next;
        return node;
    }

    void link(Node* node) {
        std::array<Node*, kMaxLevel> before;
        std::array<std::uint64_t, kMaxLevel> passed;
        Node* at = head_;
        std::uint64_t position = 0;
        for (unsigned i = level_; i-- > 0;) {
            for (Node* next; (next = at->links()[i].next) != nullptr && precedes(*next, node->score, node->slot);) {
                position += at->links()[i].span;
                at = next;
            }
            before[i] = at;
            passed[i] = position;
        }
        for (; level_ < node->levels; ++level_) {
            before[level_] = head_;
            passed[level_] = 0;
            head_->links()[level_].span = size_;
        }
        for (unsigned i = 0; i < level_; ++i) {
            Link& from = before[i]->links()[i];
            const std::uint64_t skipped = position - passed[i];
            if (i < node->levels) {
                node->links()[i] = {from.next, from.span - skipped};
                from = {node, skipped + 1};
            } else {
                ++from.span;
            }
        }
        node->back = before[0];
        if (Node* next = node->links()[0].next; next != nullptr) next->back = node;
        ++size_;
    }

    void unlink(Node* node, const std::array<Node*, kMaxLevel>& before) {
        for (unsigned i = 0; i < level_; ++i) {
            Link& from = before[i]->links()[i];
            if (from.next == node) {
                from = {node->links()[i].next, from.span + node->links()[i].span - 1};
            } else {
                --from.span;
            }
        }
        if (Node* next = node->links()[0].next; next != nullptr) next->back = node->back;
        while (level_ > 1 && head_->links()[level_ - 1].next == nullptr) --level_;
        --size_;
    }

    std::vector<double> scores_;
    std::mt19937_64 random_{1};
    Node* head_;
    unsigned level_ = 1;
    std::uint64_t size_ = 0;
};

}  // namespace yardstick
