// SPDX-License-Identifier: MIT
// Purpose: what the driver measures. A contender holds the slots 0 to n - 1 with a score each and runs whole loops, so
// that no virtual call stands in one. Thread safety: external.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Step {
    std::uint32_t slot;
    double score;
};

class Contender {
public:
    Contender() = default;
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;
    virtual ~Contender() = default;

    virtual std::string name() const = 0;
    // Sees all steps of a repeat before the clock runs.
    virtual void prepare(const std::vector<Step>& /*steps*/) {}
    // Gives each step's slot its score.
    virtual void update(const Step* steps, std::size_t count) = 0;
    virtual bool knows_ranks() const = 0;
    // The sum of the 0-based positions of the steps' slots. REQUIRES: knows_ranks().
    virtual std::uint64_t rank(const Step* steps, std::size_t count) const = 0;
    // All slots, highest score first.
    virtual std::vector<std::uint32_t> listed() const = 0;
    // Whether the list is right: each slot once, by falling score. Scores are those of the steps.
    virtual bool is_correct(const std::vector<double>& scores) const {
        const std::vector<std::uint32_t> slots = listed();
        std::vector<bool> seen(scores.size(), false);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            if (slots[i] >= scores.size() || seen[slots[i]]) return false;
            if (i != 0 && scores[slots[i - 1]] < scores[slots[i]]) return false;
            seen[slots[i]] = true;
        }
        return slots.size() == scores.size();
    }
};

// A structure with update(slot, score), rank(slot) unless it knows none, and visit(function of slot).
template <class Structure, bool kRanks>
class Over final : public Contender {
public:
    template <class... Arguments>
    explicit Over(std::string name, Arguments&&... arguments)
        : name_(std::move(name)), structure_(std::forward<Arguments>(arguments)...) {}

    std::string name() const override { return name_; }
    void update(const Step* steps, std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) structure_.update(steps[i].slot, steps[i].score);
    }
    bool knows_ranks() const override { return kRanks; }
    std::uint64_t rank(const Step* steps, std::size_t count) const override {
        std::uint64_t total = 0;
        if constexpr (kRanks) {
            for (std::size_t i = 0; i < count; ++i) total += structure_.rank(steps[i].slot);
        }
        return total;
    }
    std::vector<std::uint32_t> listed() const override {
        std::vector<std::uint32_t> slots;
        structure_.visit([&](std::uint32_t slot) { slots.push_back(slot); });
        return slots;
    }

private:
    std::string name_;
    Structure structure_;
};

using Contenders = std::vector<std::unique_ptr<Contender>>;

void add_yardsticks(Contenders& contenders, const std::vector<double>& scores);
void add_ours(Contenders& contenders, const std::vector<double>& scores);

}  // namespace bench
