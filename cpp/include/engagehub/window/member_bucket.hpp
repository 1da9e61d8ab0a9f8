// SPDX-License-Identifier: MIT
// Purpose: the distinct members of one bucket of a window: up to eight by the tokens of their hashes, more by a
// HyperLogLog, and counted as it counts them either way. A window has many buckets in which few members came, and a
// sketch object for each would take most of its memory.
// Thread safety: external; const methods may run side by side.
// Invariants: tokens ascend; there are none beside a sketch. The state is a function of the set of members, the
// precision and the hash alone, as that of a HyperLogLog is.
// Complexity: that of a HyperLogLog.
// Failure: std::bad_alloc changes nothing; read() throws Corrupted and Incompatible. Sketches given and held are of one
// hash; those held have the precision of the one given, as long as the window's stays the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/kind.hpp>
#include <engagehub/sketch/token_set.hpp>

namespace engagehub {

class MemberBucket {
public:
    using Token = TokenSet::Token;
    static constexpr std::size_t kMostTokens = 8;

    MemberBucket() = default;
    MemberBucket(const MemberBucket& other)
        : tokens_(other.tokens_), sketch_(other.sketch_ ? std::make_unique<HyperLogLog>(*other.sketch_) : nullptr) {}
    MemberBucket(MemberBucket&&) noexcept = default;
    MemberBucket& operator=(const MemberBucket& other) {
        if (this != &other) *this = MemberBucket(other);
        return *this;
    }
    MemberBucket& operator=(MemberBucket&&) noexcept = default;
    ~MemberBucket() = default;

    // A sketch that grows out of the bucket begins as a copy of the empty one.
    void add(std::uint64_t hash, const HyperLogLog& empty) {
        if (sketch_) {
            sketch_->add_hash(hash);
        } else {
            add_token(TokenSet::token_of(hash), empty);
        }
    }

    void add_token(Token token, const HyperLogLog& empty) {
        if (sketch_) {
            sketch_->add_token(token);
            return;
        }
        const auto place = std::lower_bound(tokens_.begin(), tokens_.end(), token);
        if (place != tokens_.end() && *place == token) return;
        if (tokens_.size() < kMostTokens) {
            tokens_.insert(place, token);
            return;
        }
        auto sketch = std::make_unique<HyperLogLog>(empty);
        add_to(*sketch);
        sketch->add_token(token);
        take(std::move(sketch));
    }

    // Whether it has its members as tokens, whoever keeps them, and a call of visit(token) for each, in any order.
    bool is_of_tokens() const { return !sketch_ || sketch_->is_sparse(); }
    template <class Visit>
    void each_token(Visit&& visit) const {
        for (const Token token : tokens_) visit(token);
        if (sketch_) sketch_->each_token(visit);
    }

    // Adds the members to a sketch.
    void add_to(HyperLogLog& sketch) const {
        if (!sketch_) {
            for (const Token token : tokens_) sketch.add_token(token);
        } else if (sketch.is_empty() && sketch.p() == sketch_->p()) {
            sketch = *sketch_;
        } else {
            sketch.merge(*sketch_);
        }
    }

    // The union, at the precision of the empty sketch, which is the lower of the two.
    void merge(const MemberBucket& other, const HyperLogLog& empty) {
        if (!other.sketch_) {
            for (const Token token : other.tokens_) add_token(token, empty);
            return;
        }
        auto sketch = std::make_unique<HyperLogLog>(empty);
        add_to(*sketch);
        other.add_to(*sketch);
        take(std::move(sketch));
    }

    void downsize(unsigned p) {
        if (sketch_ && sketch_->p() != p) *sketch_ = sketch_->downsized(p);
    }

    // What it takes beside the object.
    std::size_t heap_bytes() const { return tokens_.capacity() * sizeof(Token) + (sketch_ ? sketch_->nbytes() : 0); }

    friend bool operator==(const MemberBucket& a, const MemberBucket& b) {
        if (!a.sketch_ || !b.sketch_) return !a.sketch_ && !b.sketch_ && a.tokens_ == b.tokens_;
        return *a.sketch_ == *b.sketch_;
    }

    // docs/formats/distinct-window.md
    void write(ByteWriter& writer) const {
        writer.put(static_cast<std::uint8_t>(tokens_.size()));
        for (const Token token : tokens_) writer.put(token);
        if (sketch_) sketch_->write(writer);
    }

    static MemberBucket read(ByteReader& reader, const HyperLogLog& empty) {
        const std::size_t count = reader.get<std::uint8_t>();
        if (count > kMostTokens) reader.fail("has too many tokens in a bucket");
        if (count == 0) {
            const HyperLogLog sketch = HyperLogLog::read(reader, empty.hash());
            if (sketch.is_sparse() && sketch.tokens() <= kMostTokens) reader.fail("has too few members for a sketch");
            return of_sketch(reader, sketch, empty);
        }
        MemberBucket result;
        result.tokens_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto token = reader.get<Token>();
            if (!TokenSet::is_token(token)) reader.fail("has an impossible token");
            if (i != 0 && token <= result.tokens_.back()) reader.fail("has tokens out of order");
            result.tokens_.push_back(token);
        }
        return result;
    }

    // All that the first version of the format had; its sketches held the kind of the window's members.
    static MemberBucket read_first_version(ByteReader& reader, const HyperLogLog& empty, ItemKind kind) {
        const HyperLogLog sketch = HyperLogLog::read(reader, empty.hash(), 1);
        if (sketch.kind() != ItemKind::kNone && sketch.kind() != kind)
            reader.fail("has a bucket that doesn't fit the window");
        return of_sketch(reader, sketch.without_kind(), empty);
    }

private:
    static MemberBucket of_sketch(const ByteReader& reader, const HyperLogLog& sketch, const HyperLogLog& empty) {
        const bool fits = sketch.p() == empty.p() && sketch.hash() == empty.hash() && sketch.kind() == ItemKind::kNone;
        if (sketch.is_empty() || !fits) reader.fail("has a bucket that doesn't fit the window");
        MemberBucket result;
        result.sketch_ = std::make_unique<HyperLogLog>(sketch);
        return result;
    }

    void take(std::unique_ptr<HyperLogLog> sketch) {
        sketch_ = std::move(sketch);
        tokens_ = std::vector<Token>();
    }

    std::vector<Token> tokens_;
    std::unique_ptr<HyperLogLog> sketch_;
};

}  // namespace engagehub
