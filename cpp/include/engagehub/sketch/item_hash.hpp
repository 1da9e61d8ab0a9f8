// SPDX-License-Identifier: MIT
// Purpose: the hash by which a sketch knows its items, chosen when the sketch is made and kept for life: that of Redis
// and Valkey (MurmurHash64A), the same with integers as the decimal text that a client sends, that of PostgreSQL's hll
// (MurmurHash3), or SipHash-1-3 under a secret key, where strangers who choose the items must not choose the hashes.
// Text is hashed as its UTF-8, an integer as its eight little-endian bytes.
// Thread safety: values. Complexity: O(length).
// Failure: require_same() and read() throw Incompatible and name both hashes; read() throws Corrupted.
// Invariant: a secret key is never written; its fingerprint, a SipHash of a fixed text under it, tells keys apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/codec/murmur3.hpp>
#include <engagehub/codec/murmur64a.hpp>
#include <engagehub/codec/siphash.hpp>

namespace engagehub {

class ItemHash {
public:
    // As in every format that holds a sketch.
    enum class Scheme : std::uint8_t { kRedis = 0, kRedisDecimal = 1, kPostgresql = 2, kKeyed = 3 };

    ItemHash() : ItemHash(Scheme::kRedis, {}) {}
    static ItemHash redis() { return {}; }
    static ItemHash redis_decimal() { return {Scheme::kRedisDecimal, {}}; }
    static ItemHash postgresql() { return {Scheme::kPostgresql, {}}; }
    static ItemHash keyed(const SipKey& key) { return {Scheme::kKeyed, key}; }

    Scheme scheme() const { return scheme_; }
    const SipKey& key() const { return key_; }

    // For people: what an error calls this hash.
    std::string name() const {
        switch (scheme_) {
            case Scheme::kRedis: return "redis";
            case Scheme::kRedisDecimal: return "redis with ints as decimal text";
            case Scheme::kPostgresql: return "postgresql";
            case Scheme::kKeyed: break;
        }
        return name_of_key(fingerprint());
    }

    // Calls body(hash) with a function from an item to its hash that has no choice left to make: for batches.
    template <class Body>
    auto dispatch(Body&& body) const {
        switch (scheme_) {
            case Scheme::kRedisDecimal: return body(OfItems<RedisDecimal>{});
            case Scheme::kPostgresql: return body(OfItems<Postgresql>{});
            case Scheme::kKeyed: return body(OfItems<Keyed>{{key_}});
            case Scheme::kRedis: break;
        }
        return body(OfItems<Redis>{});
    }

    std::uint64_t operator()(const ItemView& item) const {
        return dispatch([&](auto hash) { return hash(item); });
    }

    // THROWS: Incompatible.
    void require_same(const ItemHash& other) const {
        if (*this != other) {
            throw Incompatible(
                "sketches of the same hash and key are required, got " + name() + " and " + other.name());
        }
    }

    friend bool operator==(const ItemHash& a, const ItemHash& b) {
        return a.scheme_ == b.scheme_ && a.key_.low == b.key_.low && a.key_.high == b.key_.high;
    }
    friend bool operator!=(const ItemHash& a, const ItemHash& b) { return !(a == b); }

    // One byte; under a key eight more, its fingerprint.
    void write(ByteWriter& writer) const {
        writer.put(static_cast<std::uint8_t>(scheme_));
        if (scheme_ == Scheme::kKeyed) writer.put(fingerprint());
    }

    // The bytes don't hold the key, so a reader of keyed sketches has to bring it; others need none.
    static ItemHash read(ByteReader& reader, const ItemHash& given = ItemHash()) {
        const auto scheme = reader.get<std::uint8_t>();
        if (scheme > static_cast<std::uint8_t>(Scheme::kKeyed))
            throw Incompatible("the hash of a sketch must be 0 to 3, got " + std::to_string(scheme));
        const bool is_keyed = given.scheme_ == Scheme::kKeyed;
        if (static_cast<Scheme>(scheme) == Scheme::kKeyed) {
            const auto fingerprint = reader.get<std::uint64_t>();
            if (!is_keyed || given.fingerprint() != fingerprint) {
                throw Incompatible(
                    "key must be that of the sketch, " + name_of_key(fingerprint) + ", got " +
                    (is_keyed ? given.name() : "none"));
            }
            return given;
        }
        const ItemHash result(static_cast<Scheme>(scheme), {});
        if (is_keyed)
            throw Incompatible("key must be none for a sketch of the hash " + result.name() + ", got " + given.name());
        return result;
    }

    // For formats of sketches that offer the key, but no other choice.
    static ItemHash read_redis_or_keyed(ByteReader& reader, const ItemHash& given = ItemHash()) {
        const ItemHash result = read(reader, given);
        if (result.scheme_ != Scheme::kRedis && result.scheme_ != Scheme::kKeyed)
            reader.fail("has a hash that such a sketch can't have");
        return result;
    }

private:
    // From what hashes a text and a word (as its eight little-endian bytes) to what hashes an item.
    template <class Hash>
    struct OfItems : Hash {
        std::uint64_t operator()(std::string_view text) const { return Hash::of_text(text); }
        std::uint64_t operator()(std::int64_t number) const { return Hash::of_number(number); }
        std::uint64_t operator()(const ItemView& item) const {
            return item.kind == ItemKind::kText ? Hash::of_text(item.text) : Hash::of_number(item.number);
        }
    };

    struct Redis {
        static std::uint64_t of_text(std::string_view text) { return murmur64a(text.data(), text.size()); }
        static std::uint64_t of_number(std::int64_t number) {
            return murmur64a_of_word(static_cast<std::uint64_t>(number));
        }
    };

    struct RedisDecimal {
        static std::uint64_t of_text(std::string_view text) { return Redis::of_text(text); }
        static std::uint64_t of_number(std::int64_t number) {
            std::array<char, 20> digits;
            auto magnitude = static_cast<std::uint64_t>(number);
            if (number < 0) magnitude = 0 - magnitude;
            std::size_t first = digits.size();
            do {
                digits[--first] = static_cast<char>('0' + magnitude % 10);
                magnitude /= 10;
            } while (magnitude != 0);
            if (number < 0) digits[--first] = '-';
            return murmur64a(digits.data() + first, digits.size() - first);
        }
    };

    static std::array<unsigned char, 8> bytes_of(std::int64_t number) {
        std::array<unsigned char, 8> bytes;
        for (unsigned i = 0; i < 8; ++i)
            bytes[i] = static_cast<unsigned char>((static_cast<std::uint64_t>(number) >> (8U * i)) & 0xffU);
        return bytes;
    }

    struct Postgresql {
        static std::uint64_t of_text(std::string_view text) { return murmur3_low(text.data(), text.size()); }
        static std::uint64_t of_number(std::int64_t number) {
            const auto bytes = bytes_of(number);
            return murmur3_low(bytes.data(), bytes.size());
        }
    };

    struct Keyed {
        SipKey key;
        std::uint64_t of_text(std::string_view text) const { return siphash<1, 3>(key, text.data(), text.size()); }
        std::uint64_t of_number(std::int64_t number) const {
            const auto bytes = bytes_of(number);
            return siphash<1, 3>(key, bytes.data(), bytes.size());
        }
    };

    ItemHash(Scheme scheme, const SipKey& key) : scheme_(scheme), key_(key) {}

    std::uint64_t fingerprint() const {
        constexpr std::string_view kText = "engagehub sketch key";
        return siphash<2, 4>(key_, kText.data(), kText.size());
    }

    static std::string name_of_key(std::uint64_t fingerprint) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        std::string name = "keyed ";
        for (unsigned shift = 64; shift != 0;) {
            shift -= 4;
            name += kDigits[(fingerprint >> shift) & 15U];
        }
        return name;
    }

    Scheme scheme_;
    SipKey key_;
};

}  // namespace engagehub
