// SPDX-License-Identifier: MIT
// Measures everything that add_* of contender.hpp bring, interleaved, and prints the raw figures as JSON; what they
// mean is decided by the Python package engagehub_bench, which compiles and runs this. Usage: driver SIZE REPEATS
// OPERATIONS SEED
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "../yardsticks/hash_loop.hpp"
#include "contender.hpp"

namespace bench {
namespace {

// Takes the steps as the others do, and keeps nothing: its time is the loop's own.
class Nothing final : public Contender {
public:
    std::string name() const override { return "empty loop"; }
    void update(const Step* steps, std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) {
            const Step step = steps[i];
            asm volatile("" : : "r"(step.slot), "x"(step.score));
        }
    }
    bool knows_ranks() const override { return true; }
    std::uint64_t rank(const Step* steps, std::size_t count) const override {
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t slot = steps[i].slot;
            asm volatile("" : : "r"(slot));
        }
        return 0;
    }
    std::vector<std::uint32_t> listed() const override { return {}; }
};

template <class Body>
double nanoseconds_each(std::size_t count, const Body& body) {
    const auto began = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    return took.count() / static_cast<double>(count);
}

struct Samples {
    std::vector<double> update;
    std::vector<double> rank;
    bool is_correct = true;
};

// The slots must be there once each, by falling score.
bool lists(const std::vector<std::uint32_t>& slots, const std::vector<double>& scores) {
    if (slots.size() != scores.size()) return false;
    std::vector<bool> seen(slots.size(), false);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i] >= slots.size() || seen[slots[i]]) return false;
        if (i != 0 && scores[slots[i - 1]] < scores[slots[i]]) return false;
        seen[slots[i]] = true;
    }
    return true;
}

void print(const char* key, const std::vector<double>& values) {
    std::printf("\"%s\": [", key);
    for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.4f", i == 0 ? "" : ", ", values[i]);
    std::printf("]");
}

int run(std::size_t size, std::size_t repeats, std::size_t operations, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> any_score(0.0, 1e6);
    std::vector<double> scores(size);
    for (double& score : scores) score = any_score(random);

    Contenders contenders;
    contenders.push_back(std::make_unique<Nothing>());
    add_yardsticks(contenders, scores);
    std::vector<Samples> samples(contenders.size());

    std::vector<std::uint64_t> items(1'000'000);
    for (std::uint64_t& item : items) item = random();
    yardstick::HashLoop hash_loop;
    std::vector<double> calibration;
    std::uint64_t kept = 0;

    const std::size_t warm_up = operations / 8;
    std::vector<Step> steps(warm_up + operations);
    for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
        for (Step& step : steps) step = {static_cast<std::uint32_t>(random() % size), any_score(random)};
        for (const Step& step : steps) scores[step.slot] = step.score;
        hash_loop.clear();
        calibration.push_back(nanoseconds_each(items.size(), [&] { hash_loop.run(items); }));
        kept += hash_loop.sum();
        std::vector<std::size_t> position(size);
        for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
            const std::size_t which = (turn + repeat) % contenders.size();
            Contender& contender = *contenders[which];
            Samples& own = samples[which];
            contender.update(steps.data(), warm_up);
            own.update.push_back(
                nanoseconds_each(operations, [&] { contender.update(steps.data() + warm_up, operations); }));
            const std::vector<std::uint32_t> slots = contender.listed();
            if (!contender.knows_ranks()) {
                own.is_correct = own.is_correct && lists(slots, scores);
                continue;
            }
            std::uint64_t total = contender.rank(steps.data(), warm_up);
            own.rank.push_back(
                nanoseconds_each(operations, [&] { total += contender.rank(steps.data() + warm_up, operations); }));
            if (which == 0) continue;
            own.is_correct = own.is_correct && lists(slots, scores);
            for (std::size_t i = 0; i < slots.size(); ++i) position[slots[i]] = i;
            std::uint64_t expected = 0;
            for (const Step& step : steps) expected += position[step.slot];
            own.is_correct = own.is_correct && total == expected;
        }
    }

    std::printf(
        "{\"size\": %zu, \"operations\": %zu, \"checksum\": %llu,\n", size, operations, (unsigned long long)kept);
    print("hash_loop", calibration);
    std::printf(",\n\"contenders\": [\n");
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        std::printf("{\"name\": \"%s\", ", contenders[i]->name().c_str());
        print("update", samples[i].update);
        std::printf(", ");
        print("rank", samples[i].rank);
        std::printf(
            ", \"correct\": %s}%s\n", samples[i].is_correct ? "true" : "false", i + 1 < contenders.size() ? "," : "");
    }
    std::printf("]}\n");
    return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: driver SIZE REPEATS OPERATIONS SEED\n", stderr);
        return 2;
    }
    try {
        const auto number = [&](int i) { return std::stoull(argv[i]); };
        return bench::run(number(1), number(2), number(3), number(4));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "driver: %s\n", error.what());
        return 1;
    }
}
