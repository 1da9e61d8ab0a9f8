// SPDX-License-Identifier: MIT
// Purpose: how many distinct items were added, within 1.04 / sqrt(2^p) of the truth (one standard error), from 2^p
// small registers (HyperLogLog: Flajolet, Fusy, Gandouet, Meunier 2007), on the bit split of Redis and Valkey: of the
// 64-bit hash the low p bits choose the register, and the rank is 1 + the number of zeros that the other bits end
// with. The estimator is Otmar Ertl's («New cardinality estimation algorithms for HyperLogLog sketches», 2017): no
// switching point, no correction tables.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) the state is a function of the registers and the kind alone: at most 2^p / 16 registers that aren't
// zero are kept as a sorted list (index, rank), more as one byte each; hence equal sets, however merged, give equal
// bytes; (2) a kind is held only if a register isn't zero.
// Complexity: add O(1) dense, O(2^p / 16) worst case sparse; estimate and merge O(2^p) dense, O(registers held)
// sparse.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/kind.hpp>
#include <engagehub/sketch/packed_registers.hpp>

namespace engagehub {

class HyperLogLog {
public:
    static constexpr unsigned kLeastPrecision = 4;
    static constexpr unsigned kMostPrecision = 18;
    static constexpr unsigned kDefaultPrecision = 14;

    explicit HyperLogLog(unsigned p = kDefaultPrecision) : p_(checked(p)) {}

    unsigned p() const { return p_; }
    ItemKind kind() const { return kind_; }
    bool is_empty() const { return list_.empty() && registers_.empty(); }
    bool is_sparse() const { return registers_.empty(); }
    unsigned highest_rank() const { return 64 - p_ + 1; }

    void add(const ItemView& item) {
        require_same_kind(kind_, item, "item");
        add_hash(hash_of(item));
        kind_ = item.kind;
    }

    // All or nothing, as far as the kinds go.
    template <class Items>
    void update(const Items& items, std::size_t size) {
        const ItemKind kind = kind_after(kind_, items, size, "items");
        for (std::size_t i = 0; i < size; ++i) {
            add_hash(hash_of(items[i]));
            kind_ = kind;
        }
    }

    // Items that were hashed elsewhere, by the same hash.
    void add_hash(std::uint64_t hash) {
        const auto index = static_cast<std::uint32_t>(hash & (size() - 1));
        // The bit above the hash ends the run of zeros when all of its upper bits are zero.
        raise(index, trailing_zeros((hash >> p_) | (std::uint64_t{1} << (64 - p_))) + 1);
    }

    // Sets the register to the rank unless it is higher already. REQUIRES: index < 2^p, 1 <= rank <= highest_rank().
    void raise(std::uint32_t index, unsigned rank) {
        if (!is_sparse()) {
            auto& held = registers_[index];
            held = std::max(held, static_cast<std::uint8_t>(rank));
            return;
        }
        const auto found = std::lower_bound(list_.begin(), list_.end(), index << kRankBits);
        if (found != list_.end() && index_of(*found) == index) {
            *found = std::max(*found, token(index, rank));
        } else if (list_.size() < most_listed()) {
            list_.insert(found, token(index, rank));
        } else {
            spread(list_);
            registers_[index] = static_cast<std::uint8_t>(rank);
        }
    }

    // Calls visit(index, rank) for every register that isn't zero, by ascending index.
    template <class Visit>
    void each_register(Visit&& visit) const {
        for (const std::uint32_t held : list_) visit(index_of(held), rank_of(held));
        for (std::size_t i = 0; i < registers_.size(); ++i) {
            if (registers_[i] != 0) visit(static_cast<std::uint32_t>(i), static_cast<unsigned>(registers_[i]));
        }
    }

    double estimate() const {
        if (is_empty()) return 0.0;
        constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)
        std::array<std::uint32_t, 64> histogram{};
        std::uint32_t nonzero = 0;
        each_register([&](std::uint32_t, unsigned rank) {
            ++histogram[rank];
            ++nonzero;
        });
        const auto m = static_cast<double>(size());
        const unsigned saturated = highest_rank();
        double z = m * tau(1.0 - static_cast<double>(histogram[saturated]) / m);
        for (unsigned rank = saturated - 1; rank >= 1; --rank) z = 0.5 * (z + static_cast<double>(histogram[rank]));
        z += m * sigma((m - static_cast<double>(nonzero)) / m);
        return kAlphaInfinity * m * m / z;
    }

    // With bounds of that many standard errors either way; the low one is never below the number of registers that
    // aren't zero, for each of them was touched by an item of its own.
    Answer answer(double sigmas = 2.0) const {
        if (!(sigmas > 0.0) || !std::isfinite(sigmas)) {
            throw InvalidArgument("sigma must be positive and finite, got " + std::to_string(sigmas));
        }
        if (is_empty()) return {0.0, 0.0, 0.0};
        const double value = estimate();
        const double error = sigmas * standard_error();
        std::uint32_t nonzero = 0;
        each_register([&](std::uint32_t, unsigned) { ++nonzero; });
        const double certain = static_cast<double>(nonzero);
        if (std::isinf(value)) return {value, certain, value};  // every register saturated: no stream gets there
        const double high = error < 1.0 ? value / (1.0 - error) : std::numeric_limits<double>::infinity();
        return {value, std::max(certain, value / (1.0 + error)), high};
    }

    double standard_error() const { return 1.04 / std::sqrt(static_cast<double>(size())); }

    // The same items at a lower precision, exactly. REQUIRES: p is no higher than this one's.
    HyperLogLog downsized(unsigned p) const {
        HyperLogLog result(p);
        result.kind_ = kind_;
        const unsigned dropped = p_ - p;
        each_register([&](std::uint32_t index, unsigned rank) {
            // The bits that no longer choose the register are the first ones of the rest.
            const std::uint32_t rest = index >> p;
            result.raise(
                index & static_cast<std::uint32_t>(result.size() - 1),
                rest != 0 ? trailing_zeros(rest) + 1 : dropped + rank);
        });
        return result;
    }

    // The union, at the lower precision of the two.
    void merge(const HyperLogLog& other) {
        const ItemKind kind = merged_kind(kind_, other.kind_);
        if (other.p_ > p_) {
            merge(other.downsized(p_));
            return;
        }
        if (other.p_ < p_) {
            HyperLogLog result = downsized(other.p_);
            result.absorb(other);
            *this = std::move(result);
        } else {
            absorb(other);
        }
        kind_ = kind;
    }

    void clear() { *this = HyperLogLog(p_); }

    friend bool operator==(const HyperLogLog& a, const HyperLogLog& b) {
        return a.p_ == b.p_ && a.kind_ == b.kind_ && a.list_ == b.list_ && a.registers_ == b.registers_;
    }
    friend bool operator!=(const HyperLogLog& a, const HyperLogLog& b) { return !(a == b); }

    // docs/formats/hyperloglog.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        write(writer);
        return seal(std::move(writer));
    }

    static HyperLogLog from_bytes(std::string_view bytes) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        HyperLogLog result = read(reader);
        reader.require_end();
        return result;
    }

    // The format without its frame, for formats that hold sketches.
    void write(ByteWriter& writer) const {
        writer.put(static_cast<std::uint8_t>(p_));
        writer.put(static_cast<std::uint8_t>(kind_));
        writer.put(kRedisHash);
        writer.put(kPlainGrade);
        if (is_sparse()) {
            writer.put(kListForm);
            writer.put(static_cast<std::uint32_t>(list_.size()));
            for (const std::uint32_t held : list_) writer.put(held);
        } else {
            writer.put(kPackedForm);
            writer.put_raw(pack_registers(registers_));
        }
    }

    static HyperLogLog read(ByteReader& reader) {
        const unsigned p = reader.get<std::uint8_t>();
        if (p < kLeastPrecision || p > kMostPrecision) reader.fail("has a precision outside 4 to 18");
        HyperLogLog result(p);
        result.kind_ = read_kind(reader);
        read_hash(reader);
        const auto grade = reader.get<std::uint8_t>();
        if (grade != kPlainGrade)
            throw Incompatible("the grade of the registers must be 0, got " + std::to_string(grade));
        const auto form = reader.get<std::uint8_t>();
        if (form == kListForm) {
            result.read_list(reader);
        } else if (form == kPackedForm) {
            result.read_packed(reader);
        } else {
            reader.fail("has an unknown form of registers");
        }
        if (result.is_empty() && result.kind_ != ItemKind::kNone) reader.fail("has a kind of item but no items");
        return result;
    }

private:
    static constexpr Magic kMagic = {'E', 'H', 'H', 'L'};
    static constexpr std::uint8_t kVersion = 1;
    static constexpr std::uint8_t kPlainGrade = 0;
    static constexpr std::uint8_t kListForm = 0;
    static constexpr std::uint8_t kPackedForm = 1;
    static constexpr unsigned kRankBits = 8;

    static std::uint8_t checked(unsigned p) {
        if (p < kLeastPrecision || p > kMostPrecision)
            throw InvalidArgument("p must be between 4 and 18, got " + std::to_string(p));
        return static_cast<std::uint8_t>(p);
    }

    static constexpr std::uint32_t token(std::uint32_t index, unsigned rank) { return (index << kRankBits) | rank; }
    static constexpr std::uint32_t index_of(std::uint32_t held) { return held >> kRankBits; }
    static constexpr unsigned rank_of(std::uint32_t held) { return held & ((1U << kRankBits) - 1); }

    // REQUIRES: value != 0.
    static unsigned trailing_zeros(std::uint64_t value) {
        unsigned zeros = 0;
        for (unsigned step = 32; step != 0; step /= 2) {
            if ((value & ((std::uint64_t{1} << step) - 1)) == 0) {
                value >>= step;
                zeros += step;
            }
        }
        return zeros;
    }

    // Ertl 2017, sections 4.3 and 4.4: what the registers at zero and the saturated ones contribute.
    static double sigma(double x) {
        double y = 1.0;
        double z = x;
        for (double before = -1.0; z != before;) {
            x *= x;
            before = z;
            z += x * y;
            y += y;
        }
        return z;
    }
    static double tau(double x) {
        if (x == 0.0 || x == 1.0) return 0.0;
        double y = 1.0;
        double z = 1.0 - x;
        for (double before = -1.0; z != before;) {
            x = std::sqrt(x);
            before = z;
            y *= 0.5;
            z -= (1.0 - x) * (1.0 - x) * y;
        }
        return z / 3.0;
    }

    std::size_t size() const { return std::size_t{1} << p_; }
    std::size_t most_listed() const { return size() / 16; }

    // From a list to one byte a register.
    void spread(const std::vector<std::uint32_t>& list) {
        std::vector<std::uint8_t> registers(size());
        for (const std::uint32_t held : list) registers[index_of(held)] = static_cast<std::uint8_t>(rank_of(held));
        registers_ = std::move(registers);
        list_ = {};
    }

    // REQUIRES: the same precision.
    void absorb(const HyperLogLog& other) {
        if (is_sparse() && other.is_sparse()) {
            auto list = merged_lists(list_, other.list_);
            if (list.size() > most_listed()) {
                spread(list);
            } else {
                list_ = std::move(list);
            }
            return;
        }
        if (is_sparse()) spread(list_);
        for (const std::uint32_t held : other.list_) raise(index_of(held), rank_of(held));
        for (std::size_t i = 0; i < other.registers_.size(); ++i)
            registers_[i] = std::max(registers_[i], other.registers_[i]);
    }

    static std::vector<std::uint32_t> merged_lists(
        const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
        std::vector<std::uint32_t> result;
        result.reserve(a.size() + b.size());
        std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
        // Of two tokens with one index the second has the higher rank.
        std::size_t kept = 0;
        for (const std::uint32_t held : result) {
            if (kept != 0 && index_of(result[kept - 1]) == index_of(held)) --kept;
            result[kept++] = held;
        }
        result.resize(kept);
        return result;
    }

    void read_list(ByteReader& reader) {
        const std::size_t count = reader.get<std::uint32_t>();
        if (count > most_listed()) reader.fail("has too many registers for a list");
        if (reader.remaining() / 4 < count) reader.fail("ends early");
        list_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto held = reader.get<std::uint32_t>();
            if (index_of(held) >= size()) reader.fail("has a register outside the sketch");
            if (!list_.empty() && index_of(list_.back()) >= index_of(held)) reader.fail("has registers out of order");
            if (rank_of(held) == 0 || rank_of(held) > highest_rank()) reader.fail("has an impossible rank");
            list_.push_back(held);
        }
    }

    void read_packed(ByteReader& reader) {
        registers_ = unpack_registers(reader.get_raw(packed_size(size())), size());
        std::size_t nonzero = 0;
        for (const std::uint8_t rank : registers_) {
            if (rank > highest_rank()) reader.fail("has an impossible rank");
            if (rank != 0) ++nonzero;
        }
        if (nonzero <= most_listed()) reader.fail("has too few registers to be packed");
    }

    std::vector<std::uint32_t> list_;      // index << 8 | rank, ascending; empty once there are registers
    std::vector<std::uint8_t> registers_;  // empty, or 2^p
    std::uint8_t p_;
    ItemKind kind_ = ItemKind::kNone;
};

}  // namespace engagehub
