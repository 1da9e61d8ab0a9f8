// SPDX-License-Identifier: MIT
// Measures what add_yardsticks and add_ours bring, interleaved, and prints the raw figures as JSON; what they mean is
// decided by the Python package engagehub_bench, which compiles and runs this.
//
//   driver SIZE REPEATS OPERATIONS SEED
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
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
            std::uint64_t score = 0;
            std::memcpy(&score, &steps[i].score, sizeof score);
            asm volatile("" : : "r"(steps[i].slot), "r"(score));
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
    bool is_correct(const std::vector<double>& /*scores*/) const override { return true; }
};

// Of this thread, so that what other processes take from it doesn't count.
double processor_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Body>
double nanoseconds_each(std::size_t count, const Body& body) {
    const double began = processor_nanoseconds();
    body();
    return (processor_nanoseconds() - began) / static_cast<double>(count);
}

struct Samples {
    std::vector<double> update;
    std::vector<double> rank;
    std::vector<double> hash_loop;  // beside each repeat
    bool is_correct = true;
};

std::uint64_t sum_of_positions(const std::vector<std::uint32_t>& slots, const std::vector<Step>& steps) {
    std::vector<std::uint64_t> position(slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) position[slots[i]] = i;
    std::uint64_t sum = 0;
    for (const Step& step : steps) sum += slots.empty() ? 0 : position[step.slot];
    return sum;
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
    add_ours(contenders, scores);
    std::vector<Samples> samples(contenders.size());

    yardstick::HashLoop hash_loop;
    std::uint64_t kept = 0;
    const auto hash_loop_each = [&] {
        constexpr std::size_t kItems = 500'000;
        const double each = nanoseconds_each(kItems, [&] { hash_loop.run(random(), kItems); });
        kept += hash_loop.sum();
        return each;
    };

    const std::size_t warm_up = operations / 8;
    std::vector<Step> steps(warm_up + operations);
    for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
        for (Step& step : steps) step = {static_cast<std::uint32_t>(random() % size), any_score(random)};
        for (const Step& step : steps) scores[step.slot] = step.score;
        for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
            const std::size_t which = (turn + repeat) % contenders.size();
            Contender& contender = *contenders[which];
            Samples& own = samples[which];
            contender.prepare(steps);
            const double before = hash_loop_each();
            contender.update(steps.data(), warm_up);
            own.update.push_back(
                nanoseconds_each(operations, [&] { contender.update(steps.data() + warm_up, operations); }));
            std::uint64_t total = 0;
            if (contender.knows_ranks()) {
                total = contender.rank(steps.data(), warm_up);
                own.rank.push_back(
                    nanoseconds_each(operations, [&] { total += contender.rank(steps.data() + warm_up, operations); }));
            }
            own.hash_loop.push_back((before + hash_loop_each()) / 2);
            if (repeat + 1 != repeats) continue;
            own.is_correct = contender.is_correct(scores);
            if (own.is_correct && contender.knows_ranks()) {
                own.is_correct = total == sum_of_positions(contender.listed(), steps);
            }
        }
    }

    std::printf(
        "{\"size\": %zu, \"operations\": %zu, \"checksum\": %llu,\n", size, operations,
        static_cast<unsigned long long>(kept));
    std::printf("\"contenders\": [\n");
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        std::printf("{\"name\": \"%s\", ", contenders[i]->name().c_str());
        print("update", samples[i].update);
        std::printf(", ");
        print("rank", samples[i].rank);
        std::printf(", ");
        print("hash_loop", samples[i].hash_loop);
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
