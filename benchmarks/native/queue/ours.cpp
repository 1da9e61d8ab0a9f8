// SPDX-License-Identifier: MIT
#include <engagehub/queue/blocking_queue.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

#include "contender.hpp"

namespace bench {
namespace {

using engagehub::QueueStatus;

// The ring alone, whose callers wait as those of the yardsticks do.
class Ring {
public:
    void push(const Item& item) {
        while (ring_.try_push(Item(item)) != QueueStatus::kDone) std::this_thread::yield();
    }
    void pop(Item& item) {
        while (ring_.try_pop(item) != QueueStatus::kDone) std::this_thread::yield();
    }

private:
    engagehub::MpmcQueue<Item> ring_{kCapacity};
};

// With waits of its own, which spin and then park.
class Blocking {
public:
    void push(const Item& item) { queue_.push(Item(item)); }
    void pop(Item& item) { queue_.pop(item); }

private:
    engagehub::BlockingQueue<Item> queue_{kCapacity};
};

}  // namespace

void add_ours(Contenders& contenders) {
    contenders.push_back(std::make_unique<Over<Ring>>("MpmcQueue"));
    contenders.push_back(std::make_unique<Over<Blocking>>("BlockingQueue"));
}

}  // namespace bench
