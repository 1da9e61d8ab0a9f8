// SPDX-License-Identifier: MIT
// Purpose: a small set of items by 32-bit tokens of their hashes: 26 bits and the rank of the other 38, from which the
// register and rank at any precision up to 26 follow. Two items share one with probability 2^-26 / 3, so the number of
// tokens all but counts the items (the sparse mode of Heule, Nunkesser, Hall: HyperLogLog in practice, 2013, with the
// tokens of Ertl's hash4j).
// Thread safety: external; const methods may run side by side.
// Invariants: open addressing with linear probing in a power of two of words, at most 3 / 4 of them in use.
// Complexity: insert O(1); sorted O(size log size). Hashes that strangers chose to collide make insert O(size): the
// keyed hash is for them.
// Failure: std::bad_alloc leaves the set as it was.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <engagehub/sketch/ultra_registers.hpp>

namespace engagehub {

class TokenSet {
public:
    using Token = std::uint32_t;
    static constexpr unsigned kIndexBits = 26;
    static constexpr unsigned kRankBits = 6;
    static constexpr unsigned kMostRank = ultra::highest_rank(kIndexBits);

    static Token token_of(std::uint64_t hash) {
        return static_cast<Token>(ultra::index_of(hash, kIndexBits) << kRankBits) |
            static_cast<Token>(ultra::rank_of_hash(hash, kIndexBits));
    }
    static bool is_token(Token word) {
        const unsigned rank = word & ((1U << kRankBits) - 1);
        return rank >= 1 && rank <= kMostRank;
    }

    // The register that the token's items reach at p, and their rank. REQUIRES: p <= 26.
    static std::pair<std::size_t, unsigned> register_of(Token token, unsigned p) {
        const std::uint32_t index = token >> kRankBits;
        const std::uint32_t rest = index >> p;
        const unsigned rank = token & ((1U << kRankBits) - 1);
        return {
            index & ((std::size_t{1} << p) - 1), rest != 0 ? ultra::trailing_zeros(rest) + 1 : kIndexBits - p + rank};
    }

    std::size_t size() const { return size_; }
    bool contains(Token token) const { return !words_.empty() && words_[place_of(token)] == token; }

    // Whether it is new.
    bool insert(Token token) {
        if (contains(token)) return false;
        if ((size_ + 1) * 4 > words_.size() * 3) grow();
        words_[place_of(token)] = token;
        ++size_;
        return true;
    }

    template <class Visit>
    void each(Visit&& visit) const {
        for (const Token word : words_) {
            if (word != 0) visit(word);
        }
    }

    std::vector<Token> sorted() const {
        std::vector<Token> result;
        result.reserve(size_);
        each([&](Token token) { result.push_back(token); });
        std::sort(result.begin(), result.end());
        return result;
    }

    std::size_t nbytes() const { return words_.capacity() * sizeof(Token); }

    // The same tokens, wherever each lies.
    friend bool operator==(const TokenSet& a, const TokenSet& b) {
        return a.size_ == b.size_ &&
            std::all_of(a.words_.begin(), a.words_.end(), [&](Token word) { return word == 0 || b.contains(word); });
    }

private:
    static constexpr std::size_t kFewestWords = 4;

    // Where the token is, or would go. REQUIRES: a word is free.
    std::size_t place_of(Token token) const {
        const std::size_t mask = words_.size() - 1;
        std::size_t place = (token >> kRankBits) & mask;
        while (words_[place] != 0 && words_[place] != token) place = (place + 1) & mask;
        return place;
    }

    void grow() {
        TokenSet larger;
        larger.words_.resize(words_.empty() ? kFewestWords : words_.size() * 2);
        each([&](Token token) { larger.words_[larger.place_of(token)] = token; });
        words_ = std::move(larger.words_);
    }

    std::vector<Token> words_;
    std::size_t size_ = 0;
};

}  // namespace engagehub
