// SPDX-License-Identifier: MIT
// Purpose: how queues are compared in C++: producers hand 24-byte items to consumers, each thread a whole loop of its
// own, so that no virtual call stands in one. Thread safety: external.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

struct Item {
    std::uint64_t producer;
    std::uint64_t number;  // from 0 on, each producer's own
    std::uint64_t mark;
};
static_assert(sizeof(Item) == 24);

// Of items that were put or taken: equal when none was lost, doubled or torn.
struct Total {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    bool is_ordered = true;  // what one producer puts comes out in that order, for whoever takes it

    void add(const Item& item) {
        ++count;
        sum += mixed(item.producer + mixed(item.number) + item.mark);
    }
    void operator+=(const Total& other) {
        count += other.count;
        sum += other.sum;
        is_ordered = is_ordered && other.is_ordered;
    }
    bool operator==(const Total& other) const {
        return count == other.count && sum == other.sum && is_ordered && other.is_ordered;
    }

private:
    static std::uint64_t mixed(std::uint64_t value) {
        value = (value + 1) * 0x9e3779b97f4a7c15ULL;
        return value ^ (value >> 32U);
    }
};

struct Transfer {
    double nanoseconds = 0;  // from the moment where all threads run until the last one is done
    bool is_correct = false;
};

class Contender {
public:
    Contender() = default;
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;
    virtual ~Contender() = default;

    virtual const std::string& name() const = 0;
    // REQUIRES: items is a multiple of both numbers.
    virtual Transfer transfer(std::size_t producers, std::size_t consumers, std::size_t items) = 0;
};

// A queue with push(item) and pop(item) that wait until it is done.
template <class Queue>
class Over final : public Contender {
public:
    template <class... Arguments>
    explicit Over(std::string name, Arguments&&... arguments)
        : name_(std::move(name)), queue_(std::forward<Arguments>(arguments)...) {}

    const std::string& name() const override { return name_; }

    Transfer transfer(std::size_t producers, std::size_t consumers, std::size_t items) override {
        std::vector<Total> taken(consumers);
        std::vector<Clock::time_point> ends(consumers);
        std::vector<std::thread> threads;
        std::atomic<std::size_t> arrived{0};
        std::atomic<bool> is_open{false};
        const auto start = [&] {
            ++arrived;
            while (!is_open) std::this_thread::yield();
        };
        for (std::size_t i = 0; i < producers; ++i) {
            threads.emplace_back([&, i] {
                start();
                produce(i, items / producers);
            });
        }
        for (std::size_t i = 0; i < consumers; ++i) {
            threads.emplace_back([&, i] {
                start();
                taken[i] = consume(producers, items / consumers);
                ends[i] = Clock::now();
            });
        }
        while (arrived != threads.size()) std::this_thread::yield();
        const Clock::time_point began = Clock::now();
        is_open = true;
        for (std::thread& thread : threads) thread.join();
        const auto passed = *std::max_element(ends.begin(), ends.end()) - began;

        Total put;
        for (std::size_t i = 0; i < producers; ++i) {
            for (std::uint64_t number = 0; number < items / producers; ++number) put.add(item(i, number));
        }
        Total all_taken;
        for (const Total& each : taken) all_taken += each;
        return {std::chrono::duration<double, std::nano>(passed).count(), put == all_taken};
    }

private:
    using Clock = std::chrono::steady_clock;

    static Item item(std::uint64_t producer, std::uint64_t number) { return {producer, number, producer ^ number}; }

    void produce(std::uint64_t producer, std::uint64_t count) {
        for (std::uint64_t number = 0; number < count; ++number) queue_.push(item(producer, number));
    }

    Total consume(std::size_t producers, std::uint64_t count) {
        std::vector<std::uint64_t> next(producers, 0);
        Total total;
        Item item{};
        for (std::uint64_t i = 0; i < count; ++i) {
            queue_.pop(item);
            total.add(item);
            total.is_ordered = total.is_ordered && item.number >= next[item.producer];
            next[item.producer] = item.number + 1;
        }
        return total;
    }

    std::string name_;
    Queue queue_;
};

using Contenders = std::vector<std::unique_ptr<Contender>>;

inline constexpr std::size_t kCapacity = 16'384;

void add_yardsticks(Contenders& contenders);
void add_ours(Contenders& contenders);

}  // namespace bench
