// SPDX-License-Identifier: MIT
// Purpose: the distinct members of one bucket of a window: up to eight by their hashes, more by a HyperLogLog. A window
// has many buckets in which few members came, and a sketch object for each would take most of its memory.
// Thread safety: external; const methods may run side by side.
// Invariants: hashes ascend; there are none beside a sketch. The state is a function of the set of hashes alone.
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

namespace engagehub {

class MemberBucket {
public:
    static constexpr std::size_t kMostHashes = 8;

    MemberBucket() = default;
    MemberBucket(const MemberBucket& other)
        : hashes_(other.hashes_), sketch_(other.sketch_ ? std::make_unique<HyperLogLog>(*other.sketch_) : nullptr) {}
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
            return;
        }
        const auto place = std::lower_bound(hashes_.begin(), hashes_.end(), hash);
        if (place != hashes_.end() && *place == hash) return;
        if (hashes_.size() < kMostHashes) {
            hashes_.insert(place, hash);
            return;
        }
        auto sketch = std::make_unique<HyperLogLog>(empty);
        add_to(*sketch);
        sketch->add_hash(hash);
        take(std::move(sketch));
    }

    // Adds the members to a sketch.
    void add_to(HyperLogLog& sketch) const {
        if (!sketch_) {
            for (const std::uint64_t hash : hashes_) sketch.add_hash(hash);
        } else if (sketch.is_empty() && sketch.p() == sketch_->p()) {
            sketch = *sketch_;
        } else {
            sketch.merge(*sketch_);
        }
    }

    // The union, at the precision of the empty sketch, which is the lower of the two.
    void merge(const MemberBucket& other, const HyperLogLog& empty) {
        if (!other.sketch_) {
            for (const std::uint64_t hash : other.hashes_) add(hash, empty);
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
    std::size_t heap_bytes() const {
        return hashes_.capacity() * sizeof(std::uint64_t) + (sketch_ ? sketch_->nbytes() : 0);
    }

    friend bool operator==(const MemberBucket& a, const MemberBucket& b) {
        if (!a.sketch_ || !b.sketch_) return !a.sketch_ && !b.sketch_ && a.hashes_ == b.hashes_;
        return *a.sketch_ == *b.sketch_;
    }

    // docs/formats/distinct-window.md
    void write(ByteWriter& writer) const {
        writer.put(static_cast<std::uint8_t>(hashes_.size()));
        for (const std::uint64_t hash : hashes_) writer.put(hash);
        if (sketch_) sketch_->write(writer);
    }

    static MemberBucket read(ByteReader& reader, const HyperLogLog& empty) {
        const std::size_t count = reader.get<std::uint8_t>();
        if (count > kMostHashes) reader.fail("has too many hashes in a bucket");
        if (count == 0) return of_sketch(reader, HyperLogLog::read(reader, empty.hash()), empty);
        MemberBucket result;
        result.hashes_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto hash = reader.get<std::uint64_t>();
            if (i != 0 && hash <= result.hashes_.back()) reader.fail("has hashes out of order");
            result.hashes_.push_back(hash);
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
        hashes_ = {};
    }

    std::vector<std::uint64_t> hashes_;
    std::unique_ptr<HyperLogLog> sketch_;
};

}  // namespace engagehub
