// SPDX-License-Identifier: MIT
// Purpose: how many distinct items were added, from 2^p small registers: a HyperLogLog (Flajolet, Fusy, Gandouet,
// Meunier 2007) on the bit split of Redis and Valkey, whose registers keep two bits more (Ertl, «UltraLogLog», VLDB
// 2024): one standard error is 0.761 / sqrt(2^p), 0.59 % at p = 14. Few items are kept one by one, as tokens of their
// hashes, and counted all but exactly.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) the state is a function of the set of items, the precision and the hash alone: at most 3 * 2^p / 16
// distinct tokens are kept as such, more as one byte a register; hence equal sets, however merged, give equal bytes;
// (2) where any part came from registers of a plain HyperLogLog, which lack the two bits, the whole is of the plain
// grade: registers alone, their lower bits zero, estimated as a plain HyperLogLog; (3) a kind is held only if an item
// is.
// Complexity: add O(1); estimate O(2^p), O(1) once known and while nothing changes; merge O(2^p); less of both while
// the items are few.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/distinct_estimators.hpp>
#include <engagehub/sketch/hash_batch.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>
#include <engagehub/sketch/ranks_format.hpp>
#include <engagehub/sketch/token_set.hpp>
#include <engagehub/sketch/ultra_registers.hpp>

namespace engagehub {

class HyperLogLog {
public:
    static constexpr unsigned kLeastPrecision = 4;
    static constexpr unsigned kMostPrecision = 18;
    static constexpr unsigned kDefaultPrecision = 14;

    // As in the format.
    enum class Grade : std::uint8_t { kPlain = 0, kUltra = 1 };

    explicit HyperLogLog(unsigned p = kDefaultPrecision, const ItemHash& hash = ItemHash())
        : hash_(hash), p_(checked(p)) {}

    // The registers of a plain HyperLogLog: ranks, by index. THROWS: InvalidArgument.
    static HyperLogLog of_ranks(unsigned p, const ItemHash& hash, const std::vector<std::uint8_t>& ranks) {
        HyperLogLog result(p, hash);
        if (ranks.size() != result.registers())
            throw InvalidArgument(
                "ranks must be " + std::to_string(result.registers()) + ", got " + std::to_string(ranks.size()));
        const unsigned most = ultra::highest_rank(p);
        std::vector<std::uint8_t> bytes(ranks.size());
        bool is_empty = true;
        for (std::size_t i = 0; i < ranks.size(); ++i) {
            if (ranks[i] == 0) continue;
            if (ranks[i] > most)
                throw InvalidArgument(
                    "ranks must be at most " + std::to_string(most) + ", got " + std::to_string(ranks[i]));
            bytes[i] = static_cast<std::uint8_t>(ultra::level_of(ranks[i], p) << 2U);
            is_empty = false;
        }
        if (!is_empty) {
            result.bytes_ = std::move(bytes);
            result.grade_ = Grade::kPlain;
        }
        return result;
    }

    unsigned p() const { return p_; }
    ItemKind kind() const { return kind_; }
    const ItemHash& hash() const { return hash_; }
    Grade grade() const { return grade_; }
    bool is_sparse() const { return bytes_.empty(); }
    bool is_empty() const { return is_sparse() && tokens_.size() == 0; }
    std::size_t nbytes() const { return sizeof *this + tokens_.nbytes() + bytes_.capacity(); }

    void add(const ItemView& item) {
        require_same_kind(kind_, item, "item");
        add_hash(hash_(item));
        kind_ = item.kind;
    }

    // All or nothing, as far as the kinds go.
    template <class Items>
    void update(const Items& items, std::size_t size) {
        const ItemKind kind = kind_after(kind_, items, size, "items");
        each_hash_piece(hash_, items, size, [&](const std::uint64_t* hashes, std::size_t /*first*/, std::size_t count) {
            std::size_t i = 0;
            for (; i < count && (is_sparse() || grade_ == Grade::kPlain); ++i) {
                add_hash(hashes[i]);
                kind_ = kind;
            }
            raise_all(hashes + i, count - i);
            kind_ = kind;
        });
    }

    // Items that were hashed elsewhere, by the same hash.
    void add_hash(std::uint64_t hash) {
        if (is_sparse()) {
            insert_token(TokenSet::token_of(hash));
        } else {
            raise(ultra::index_of(hash, p_), ultra::rank_of_hash(hash, p_));
        }
    }

    // Items of whose hashes the token was kept: it says all that any precision takes from them.
    void add_token(TokenSet::Token token) {
        if (is_sparse()) {
            insert_token(token);
        } else {
            const auto [index, rank] = TokenSet::register_of(token, p_);
            raise(index, rank);
        }
    }

    // How many tokens are kept, and a call of visit(token) for each, in any order: none where there are registers.
    std::size_t tokens() const { return tokens_.size(); }
    template <class Visit>
    void each_token(Visit&& visit) const {
        tokens_.each(std::forward<Visit>(visit));
    }

    // Calls visit(index, rank) for every register of a plain HyperLogLog of the same items that isn't zero, by
    // ascending index.
    template <class Visit>
    void each_rank(Visit&& visit) const {
        const std::vector<std::uint8_t> spread = is_sparse() ? spread_tokens() : std::vector<std::uint8_t>();
        const std::vector<std::uint8_t>& bytes = is_sparse() ? spread : bytes_;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (bytes[i] != 0) visit(static_cast<std::uint32_t>(i), ultra::rank_of(bytes[i], p_));
        }
    }

    double estimate() const {
        if (is_sparse()) return distinct::token_estimate(tokens_.size());
        const double known = estimate_.get();
        if (known >= 0.0) return known;
        const auto histogram = distinct::histogram_of(bytes_.data(), bytes_.size());
        const double value =
            grade_ == Grade::kUltra ? distinct::ultra_estimate(histogram, p_) : distinct::plain_estimate(histogram, p_);
        estimate_.set(value);
        return value;
    }

    // With bounds of that many standard errors either way. No stream with fewer items than tokens, or than registers in
    // use, reaches this state. (Their number can be above the estimate where items were chosen by their hashes.)
    Answer answer(double sigmas = 2.0) const {
        if (!(sigmas > 0.0) || !std::isfinite(sigmas)) {
            throw InvalidArgument("sigma must be positive and finite, got " + shown(sigmas));
        }
        const double value = estimate();
        if (is_sparse()) return {value, static_cast<double>(tokens_.size()), most_behind_tokens(sigmas)};
        const auto certain = static_cast<double>(
            bytes_.size() - static_cast<std::size_t>(std::count(bytes_.begin(), bytes_.end(), std::uint8_t{0})));
        if (std::isinf(value)) return {value, certain, value};  // every register saturated: no stream gets there
        const double error = sigmas * standard_error(value);
        const double high = error < 1.0 ? value / (1.0 - error) : std::numeric_limits<double>::infinity();
        return {value, std::min(value, std::max(certain, value / (1.0 + error))), high};
    }

    // Of an estimate of many items, relative to it.
    double standard_error() const { return grade_ == Grade::kUltra ? at_best(0.7608) : at_best(1.0390); }

    // The same items at a lower precision, exactly. REQUIRES: p is no higher than this one's.
    HyperLogLog downsized(unsigned p) const {
        HyperLogLog result(p, hash_);
        result.kind_ = kind_;
        result.grade_ = grade_;
        if (is_sparse()) {
            result.absorb_tokens(tokens_);
        } else {
            result.bytes_.resize(result.registers());
            ultra::fold(bytes_.data(), p_, p, [&](std::size_t index, std::uint8_t byte) { result.join(index, byte); });
        }
        return result;
    }

    // The same items, as if their kind had never been told.
    HyperLogLog without_kind() const {
        HyperLogLog result = *this;
        result.kind_ = ItemKind::kNone;
        return result;
    }

    void downsize(unsigned p) {
        if (p < kLeastPrecision || p > p_)
            throw InvalidArgument(
                "p must be between 4 and the sketch's " + std::to_string(p_) + ", got " + std::to_string(p));
        if (p < p_) *this = downsized(p);
    }

    // The union, at the lower precision of the two and, unless a sketch is empty, of the lower grade.
    // THROWS: Incompatible, and changes nothing; so does std::bad_alloc.
    void merge(const HyperLogLog& other) {
        hash_.require_same(other.hash_);
        const ItemKind kind = merged_kind(kind_, other.kind_);
        if (other.p_ > p_) {
            absorb(other.downsized(p_));
        } else if (other.p_ < p_) {
            HyperLogLog result = downsized(other.p_);
            result.absorb(other);
            *this = std::move(result);
        } else {
            absorb(other);
        }
        kind_ = kind;
    }

    void clear() { *this = HyperLogLog(p_, hash_); }

    friend bool operator==(const HyperLogLog& a, const HyperLogLog& b) {
        return a.p_ == b.p_ && a.hash_ == b.hash_ && a.kind_ == b.kind_ && a.grade_ == b.grade_ &&
            a.tokens_ == b.tokens_ && a.bytes_ == b.bytes_;
    }
    friend bool operator!=(const HyperLogLog& a, const HyperLogLog& b) { return !(a == b); }

    // docs/formats/hyperloglog.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        write(writer);
        return seal(std::move(writer));
    }

    // A keyed sketch needs its hash given, for the key isn't in the bytes.
    static HyperLogLog from_bytes(std::string_view bytes, const ItemHash& given = ItemHash()) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        HyperLogLog result = read(reader, given, static_cast<std::uint8_t>(bytes[kMagic.size()]));
        reader.require_end();
        return result;
    }

    // The format without its frame, for formats that hold sketches.
    void write(ByteWriter& writer) const {
        writer.put(static_cast<std::uint8_t>(p_));
        writer.put(static_cast<std::uint8_t>(kind_));
        hash_.write(writer);
        writer.put(static_cast<std::uint8_t>(grade_));
        if (is_sparse()) {
            writer.put(kTokens);
            writer.put(static_cast<std::uint32_t>(tokens_.size()));
            for (const TokenSet::Token token : tokens_.sorted()) writer.put(token);
        } else if (grade_ == Grade::kUltra) {
            writer.put(kRegisters);
            writer.put_raw({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()});
        } else {
            std::vector<std::uint8_t> ranks(registers());
            each_rank([&](std::uint32_t index, unsigned rank) { ranks[index] = static_cast<std::uint8_t>(rank); });
            write_ranks(writer, ranks);
        }
    }

    // Reads what any version wrote: the first one had the plain grade alone, for empty sketches, too.
    static HyperLogLog read(ByteReader& reader, const ItemHash& given = ItemHash(), std::uint8_t version = kVersion) {
        const unsigned p = reader.get<std::uint8_t>();
        if (p < kLeastPrecision || p > kMostPrecision) reader.fail("has a precision outside 4 to 18");
        const ItemKind kind = read_kind(reader);
        const ItemHash hash = ItemHash::read(reader, given);
        const auto grade = reader.get<std::uint8_t>();
        if (grade > static_cast<std::uint8_t>(Grade::kUltra))
            throw Incompatible("the grade of the registers must be 0 or 1, got " + std::to_string(grade));
        if (version == 1 && (hash != ItemHash::redis() || grade != static_cast<std::uint8_t>(Grade::kPlain)))
            reader.fail("has a hash or a grade that its version doesn't know");
        const auto form = reader.get<std::uint8_t>();
        HyperLogLog result(p, hash);
        if (grade == static_cast<std::uint8_t>(Grade::kUltra)) {
            if (form == kTokens) {
                result.read_tokens(reader);
            } else if (form == kRegisters) {
                result.read_registers(reader);
            } else {
                reader.fail("has an unknown form of registers");
            }
        } else {
            result = of_ranks(p, hash, read_ranks(reader, p, form));
        }
        if (version > 1 && result.grade_ != static_cast<Grade>(grade)) reader.fail("has the grade plain but no items");
        if (result.is_empty() && kind != ItemKind::kNone) reader.fail("has a kind of item but no items");
        result.kind_ = kind;
        return result;
    }

private:
    // A number that const methods may remember side by side; copies know it, too.
    class Remembered {
    public:
        Remembered() = default;
        Remembered(const Remembered& other) noexcept : value_(other.get()) {}
        Remembered& operator=(const Remembered& other) noexcept {
            set(other.get());
            return *this;
        }
        ~Remembered() = default;
        double get() const noexcept { return value_.load(std::memory_order_relaxed); }
        void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
        void forget() { set(kNothing); }

    private:
        static constexpr double kNothing = -1.0;
        std::atomic<double> value_{kNothing};
    };

    static constexpr Magic kMagic = {'E', 'H', 'H', 'L'};
    static constexpr std::uint8_t kVersion = 2;
    // Forms of the state, after those of plain ranks.
    static constexpr std::uint8_t kTokens = 2;
    static constexpr std::uint8_t kRegisters = 3;

    static std::uint8_t checked(unsigned p) {
        if (p < kLeastPrecision || p > kMostPrecision)
            throw InvalidArgument("p must be between 4 and 18, got " + std::to_string(p));
        return static_cast<std::uint8_t>(p);
    }

    std::size_t registers() const { return std::size_t{1} << p_; }
    // The set of so many takes 2^p bytes, as the registers do.
    std::size_t most_tokens() const { return registers() / 16 * 3; }

    double at_best(double constant) const { return constant / std::sqrt(static_cast<double>(registers())); }
    // Ertl's estimator of 2017 takes a little less from the registers than theory has in them.
    double standard_error(double items) const {
        return grade_ == Grade::kUltra ? distinct::expected_error(items, p_, 2)
                                       : distinct::expected_error(items, p_, 0) * (1.0390 / 1.0370);
    }

    // Collisions of tokens are rare and independent: a Poisson variable. The result leaves more of them to chance no
    // more than a normal variable leaves beyond so many sigmas.
    double most_behind_tokens(double sigmas) const {
        constexpr std::size_t kMost = 128;  // the mean is below 7 at p = 18
        const double mean = distinct::token_collisions(static_cast<double>(tokens_.size()));
        std::array<double, kMost> probability{};
        probability[0] = std::exp(-mean);
        for (std::size_t i = 1; i < kMost; ++i) probability[i] = probability[i - 1] * mean / static_cast<double>(i);
        const double beyond = std::erfc(sigmas / std::sqrt(2.0));
        // From the end, for a difference to 1 would lose what is small.
        std::size_t collisions = kMost - 1;
        double more = probability[collisions];
        while (collisions > 0 && more <= beyond) more += probability[--collisions];
        return std::max(estimate(), static_cast<double>(tokens_.size() + collisions));
    }

    void raise(std::size_t index, unsigned rank) {
        const unsigned level = ultra::level_of(rank, p_);
        const std::uint8_t held = bytes_[index];
        const std::uint8_t byte = grade_ == Grade::kUltra ? ultra::raised(held, level)
                                                          : std::max(held, static_cast<std::uint8_t>(level << 2U));
        if (byte == held) return;
        bytes_[index] = byte;
        estimate_.forget();
    }

    // REQUIRES: dense and of the grade ultra, unless there are none.
    void raise_all(const std::uint64_t* hashes, std::size_t count) {
        std::uint8_t* const bytes = bytes_.data();
        const unsigned p = p_;
        bool is_changed = false;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint8_t& held = bytes[ultra::index_of(hashes[i], p)];
            const std::uint8_t byte = ultra::raised(held, ultra::level_of(ultra::rank_of_hash(hashes[i], p), p));
            is_changed |= byte != held;
            held = byte;
        }
        if (is_changed) estimate_.forget();
    }

    void join(std::size_t index, std::uint8_t byte) {
        bytes_[index] = grade_ == Grade::kUltra
            ? ultra::joined(bytes_[index], byte)
            : std::max(bytes_[index], static_cast<std::uint8_t>(byte & ultra::kPlainBits));
    }

    // REQUIRES: sparse.
    void insert_token(TokenSet::Token token) {
        if (tokens_.size() < most_tokens() || tokens_.contains(token)) {
            tokens_.insert(token);
            return;
        }
        bytes_ = spread_tokens();
        tokens_ = {};
        estimate_.forget();
        const auto [index, rank] = TokenSet::register_of(token, p_);
        raise(index, rank);
    }

    std::vector<std::uint8_t> spread_tokens() const {
        std::vector<std::uint8_t> bytes(registers());
        tokens_.each([&](TokenSet::Token token) {
            const auto [index, rank] = TokenSet::register_of(token, p_);
            bytes[index] = ultra::raised(bytes[index], ultra::level_of(rank, p_));
        });
        return bytes;
    }

    // REQUIRES: of the same precision.
    void absorb(const HyperLogLog& other) {
        if (other.is_sparse()) {
            absorb_tokens(other.tokens_);
            return;
        }
        if (is_sparse()) {
            const bool was_empty = is_empty();
            std::vector<std::uint8_t> ours = was_empty ? std::vector<std::uint8_t>() : spread_tokens();
            bytes_ = other.bytes_;
            grade_ = other.grade_;
            estimate_ = other.estimate_;
            tokens_ = {};
            if (!was_empty) absorb_registers(ours, Grade::kUltra);
            return;
        }
        absorb_registers(other.bytes_, other.grade_);
    }

    // REQUIRES: dense.
    void absorb_registers(const std::vector<std::uint8_t>& others, Grade grade) {
        if (grade_ == Grade::kUltra && grade == Grade::kUltra) {
            ultra::join(bytes_.data(), others.data(), bytes_.size());
        } else {
            if (grade_ == Grade::kUltra) {
                for (std::uint8_t& byte : bytes_) byte &= ultra::kPlainBits;
                grade_ = Grade::kPlain;
            }
            ultra::join_ranks(bytes_.data(), others.data(), bytes_.size());
        }
        estimate_.forget();
    }

    void absorb_tokens(const TokenSet& others) {
        if (is_sparse()) {
            HyperLogLog result = *this;
            others.each([&](TokenSet::Token token) { result.add_token(token); });
            *this = std::move(result);
        } else {
            others.each([&](TokenSet::Token token) { add_token(token); });
        }
    }

    void read_tokens(ByteReader& reader) {
        const std::size_t count = reader.get<std::uint32_t>();
        if (count > most_tokens()) reader.fail("has too many tokens");
        TokenSet::Token last = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const auto token = reader.get<TokenSet::Token>();
            if (!TokenSet::is_token(token)) reader.fail("has an impossible token");
            if (token <= last) reader.fail("has tokens out of order");
            tokens_.insert(token);
            last = token;
        }
    }

    void read_registers(ByteReader& reader) {
        const std::string_view raw = reader.get_raw(registers());
        std::vector<std::uint8_t> bytes(raw.begin(), raw.end());
        bool is_empty = true;
        for (const std::uint8_t byte : bytes) {
            if (!ultra::is_reachable(byte, p_)) reader.fail("has an impossible register");
            is_empty = is_empty && byte == 0;
        }
        if (is_empty) reader.fail("has registers that nothing reached");
        bytes_ = std::move(bytes);
    }

    TokenSet tokens_;                  // empty once there are registers
    std::vector<std::uint8_t> bytes_;  // empty, or 2^p
    mutable Remembered estimate_;      // of the registers
    ItemHash hash_;
    std::uint8_t p_;
    Grade grade_ = Grade::kUltra;
    ItemKind kind_ = ItemKind::kNone;
};

}  // namespace engagehub
