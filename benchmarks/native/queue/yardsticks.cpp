// SPDX-License-Identifier: MIT
#include "../../yardsticks/vyukov_ring.hpp"

#include "contender.hpp"

#if __has_include(<concurrentqueue/concurrentqueue.h>)
#include <concurrentqueue/concurrentqueue.h>
#define ENGAGEHUB_BENCH_HAS_MOODYCAMEL
#endif

namespace bench {
namespace {

// Who can't go on lets another thread do so.
template <std::size_t kAlignment>
class Ring {
public:
    void push(const Item& item) {
        while (!ring_.push(item)) std::this_thread::yield();
    }
    void pop(Item& item) {
        while (!ring_.pop(item)) std::this_thread::yield();
    }

private:
    yardstick::VyukovRing<Item, kAlignment> ring_{kCapacity};
};

#ifdef ENGAGEHUB_BENCH_HAS_MOODYCAMEL
class Moodycamel {
public:
    void push(const Item& item) { queue_.enqueue(item); }
    void pop(Item& item) {
        while (!queue_.try_dequeue(item)) std::this_thread::yield();
    }

private:
    moodycamel::ConcurrentQueue<Item> queue_{kCapacity};
};
#endif

}  // namespace

void add_yardsticks(Contenders& contenders) {
    contenders.push_back(std::make_unique<Over<Ring<alignof(Item)>>>("Vyukov ring, packed"));
    contenders.push_back(std::make_unique<Over<Ring<yardstick::kCacheLine>>>("Vyukov ring, padded"));
#ifdef ENGAGEHUB_BENCH_HAS_MOODYCAMEL
    contenders.push_back(std::make_unique<Over<Moodycamel>>("moodycamel"));
#endif
}

}  // namespace bench
