// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/pipeline/delivery.hpp>

#include "tests/support/failing_new.hpp"
#include "tests/support/played_sink.hpp"

using engagehub::BadAnswer;
using engagehub::BasicDelivery;
using engagehub::DeadLetter;
using engagehub::Deadline;
using engagehub::DeliveryConfig;
using engagehub::DeliveryStats;
using engagehub::EventBatch;
using engagehub::FailureReport;
using engagehub::InvalidArgument;
using engagehub::RefusalSearch;
using engagehub::RetrySchedule;
using engagehub::TransientError;
using engagehub::WriteResult;
using engagehub_tests::allocations;
using engagehub_tests::Batch;
using engagehub_tests::batch_of;
using engagehub_tests::Members;
using engagehub_tests::members_of;
using engagehub_tests::PlayedSink;
using engagehub_tests::PlayedTime;

namespace {

using std::chrono::seconds;
using Delivery = BasicDelivery<PlayedTime>;

void check_sums(const DeliveryStats& stats) {
    REQUIRE(
        stats.taken ==
        stats.delivered + stats.in_flight + stats.dead + stats.dead_evicted + stats.dead_taken + stats.returned);
    REQUIRE(stats.delivered == stats.written + stats.duplicate + stats.rejected);
    REQUIRE(stats.failed_batches <= stats.batches);
    REQUIRE(stats.in_flight <= stats.taken);  // no difference wrapped below nothing
    REQUIRE(stats.dead <= stats.taken);
}

struct Rig {
    explicit Rig(DeliveryConfig config = {}) : delivery(with_seed(config), sink, time) {}
    static DeliveryConfig with_seed(DeliveryConfig config) {
        config.seed = config.seed.value_or(1);
        return config;
    }

    // Refuses every batch that holds one of these, and looks at the account while it is at work.
    void refuse(const std::set<std::int64_t>& bad, bool by_name = false) {
        sink->answer = [this, bad, by_name](const EventBatch& batch) {
            check_sums(delivery.stats());
            for (const std::int64_t member : members_of(batch)) {
                if (bad.count(member) == 0) continue;
                throw std::runtime_error(by_name ? "bad member " + std::to_string(member) : "bad member");
            }
            return WriteResult{batch.size(), 0, 0};
        };
    }
    void fail_for_now(std::size_t times, const char* text = "no connection") {
        sink->answer = [times, text](const EventBatch& batch) mutable {
            if (times != 0) {
                --times;
                throw TransientError(text);
            }
            return WriteResult{batch.size(), 0, 0};
        };
    }
    Members dead() const {
        Members all;
        delivery.visit_dead([&](const Batch& batch, std::string_view, std::uint32_t) {
            const Members members = members_of(*batch);
            all.insert(all.end(), members.begin(), members.end());
        });
        return all;
    }
    DeliveryStats stats() const {
        DeliveryStats stats = delivery.stats();
        check_sums(stats);
        return stats;
    }

    std::shared_ptr<PlayedSink> sink = std::make_shared<PlayedSink>();
    PlayedTime time;
    Delivery delivery;
};

Members range(std::int64_t first, std::int64_t end) {
    Members members;
    for (std::int64_t i = first; i < end; ++i) members.push_back(i);
    return members;
}

DeliveryConfig keeping(std::size_t keep_dead) {
    DeliveryConfig config;
    config.keep_dead = keep_dead;
    return config;
}

// Writes that the search asks for until it has found these bad events and no others.
std::size_t search_writes(const std::vector<bool>& bad) {
    RefusalSearch search(bad.size());
    std::size_t writes = 0;
    std::size_t settled = 0;
    while (!search.is_done()) {
        REQUIRE(search.first() == settled);
        REQUIRE(search.size() >= 1);
        REQUIRE(search.first() + search.size() <= bad.size());
        ++writes;
        const auto begin = bad.begin() + static_cast<std::ptrdiff_t>(search.first());
        const auto end = begin + static_cast<std::ptrdiff_t>(search.size());
        if (std::find(begin, end, true) == end) {
            settled += search.size();
            search.taken();
        } else if (search.size() > 1) {
            search.refused();
        } else {
            settled += 1;
            search.set_aside();
        }
    }
    return writes;
}

std::size_t log2_up(std::size_t n) {
    std::size_t bits = 0;
    while ((std::size_t{1} << bits) < n) ++bits;
    return bits;
}

}  // namespace

TEST_CASE("waits double up to their limit, shortened at random by at most a half") {
    RetrySchedule schedule(RetrySchedule::Seconds(0.05), RetrySchedule::Seconds(30), 7);
    std::set<double> seen;
    for (int round = 0; round < 2; ++round) {
        for (int n = 0; n < 40; ++n) {
            const double longest = std::min(0.05 * std::pow(2.0, n), 30.0);
            const double wait = schedule.next().count();
            CHECK(wait > longest / 2);
            CHECK(wait <= longest);
            seen.insert(wait);
        }
        schedule.restart();
    }
    CHECK(seen.size() == 80);
    RetrySchedule same(RetrySchedule::Seconds(0.05), RetrySchedule::Seconds(30), 7);
    RetrySchedule other(RetrySchedule::Seconds(0.05), RetrySchedule::Seconds(30), 8);
    const double first = same.next().count();
    CHECK(seen.count(first) == 1);
    CHECK(first != other.next().count());
}

TEST_CASE("waits are spread over the whole of their upper half") {
    RetrySchedule schedule(RetrySchedule::Seconds(1), RetrySchedule::Seconds(1), 5);
    int counts[10] = {};
    for (int i = 0; i < 10'000; ++i) ++counts[static_cast<int>((schedule.next().count() - 0.5) * 20 - 1e-9)];
    for (const int count : counts) {
        CHECK(count > 850);  // five sigma
        CHECK(count < 1150);
    }
}

TEST_CASE("a search settles all events in order and keeps to its number of writes") {
    // Every set of bad events of small batches, random ones of large batches.
    for (std::size_t n = 0; n <= 14; ++n) {
        for (std::uint32_t set = 0; set < (1U << n); ++set) {
            std::vector<bool> bad(n);
            std::size_t k = 0;
            for (std::size_t i = 0; i < n; ++i) {
                bad[i] = (set >> i & 1U) != 0;
                k += bad[i] ? 1 : 0;
            }
            const std::size_t writes = search_writes(bad);
            REQUIRE(writes <= 2 * n + log2_up(n) + 1);
            REQUIRE(writes <= (k + 1) * (2 * log2_up(n) + 3));
            if (k == 0) REQUIRE(writes == (n == 0 ? 0 : 1));
            if (k == n && n != 0) REQUIRE(writes == n + log2_up(n));
        }
    }
    // The whole, its halves down to one event, and the bad one: nothing is written whose refusal is known.
    std::vector<bool> last(1024);
    last.back() = true;
    CHECK(search_writes(last) == 12);
    std::mt19937_64 random(11);
    for (int round = 0; round < 400; ++round) {
        const std::size_t n = 1 + random() % 5000;
        const std::size_t most = std::size_t{1} << (random() % 13);
        std::vector<bool> bad(n);
        for (std::size_t i = 0; i < most; ++i) bad[random() % n] = true;
        const auto k = static_cast<std::size_t>(std::count(bad.begin(), bad.end(), true));
        const std::size_t writes = search_writes(bad);
        REQUIRE(writes <= 2 * n + log2_up(n) + 1);
        REQUIRE(writes <= (k + 1) * (2 * log2_up(n) + 3));
    }
}

TEST_CASE("a search ends when the sink changes its mind") {
    std::mt19937_64 random(12);
    for (int round = 0; round < 2000; ++round) {
        RefusalSearch search(1 + random() % 300);
        std::size_t steps = 0;
        while (!search.is_done()) {
            REQUIRE(++steps < 10'000);
            if (random() % 3 == 0) {
                search.taken();
            } else if (search.size() > 1) {
                search.refused();
            } else {
                search.set_aside();
            }
        }
    }
}

TEST_CASE("settings out of range are refused") {
    const auto with = [](auto change) {
        DeliveryConfig config;
        change(config);
        Rig rig(config);
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {0.0, -1.0, nan, 86'401.0}) {
        CHECK_THROWS_AS(with([=](auto& c) { c.retry_first = wrong; }), InvalidArgument);
        CHECK_THROWS_AS(with([=](auto& c) { c.retry_max = wrong; }), InvalidArgument);
    }
    for (const double wrong : {0.0, -1.0, nan}) {
        CHECK_THROWS_AS(with([=](auto& c) { c.sink_timeout = wrong; }), InvalidArgument);
    }
    CHECK_THROWS_WITH_AS(
        with([](auto& c) { c.retry_max = 0.01; }),
        "retry_max must be at least retry_first (0.05) and at most 86400 seconds, got 0.01", InvalidArgument);
    with([](auto& c) { c.retry_max = c.retry_first = 86'400; });
    with([](auto& c) { c.sink_timeout = 1e300; });
}

TEST_CASE("what the sink takes is delivered as it says") {
    Rig rig;
    rig.sink->answer = [](const EventBatch& batch) { return WriteResult{batch.size() - 3, 2, 1}; };
    CHECK(rig.delivery.deliver(batch_of(0, 10)) == 10);
    CHECK(rig.delivery.deliver(batch_of(10, 5)) == 5);
    const DeliveryStats stats = rig.stats();
    CHECK(stats.taken == 15);
    CHECK(stats.delivered == 15);
    CHECK(stats.written == 9);
    CHECK(stats.duplicate == 4);
    CHECK(stats.rejected == 2);
    CHECK(stats.batches == 2);
    CHECK(stats.transactions == 2);
    CHECK(stats.failed_batches == 0);
    CHECK(rig.sink->stored == range(0, 15));
    CHECK(stats.last_success == rig.time.state->now);
    rig.time.state->now += seconds(3);
    CHECK(rig.stats().now - *rig.stats().last_success == seconds(3));
    CHECK(rig.delivery.take_failures().batches == 0);
}

TEST_CASE("without a sink everything counts as written") {
    Delivery delivery({}, nullptr);
    CHECK(delivery.deliver(batch_of(0, 10)) == 10);
    CHECK(delivery.stats().written == 10);
}

TEST_CASE("a transient error is tried again until it passes, and changes nothing but the time") {
    Rig rig;
    rig.fail_for_now(12);
    std::vector<DeliveryStats> seen;
    rig.time.state->on_wait = [&] {
        seen.push_back(rig.stats());
        return false;
    };
    CHECK(rig.delivery.deliver(batch_of(0, 10)) == 10);
    REQUIRE(seen.size() == 12);
    CHECK(seen[0].in_flight == 10);
    CHECK(seen[0].retries == 0);
    CHECK(seen[3].retries == 3);
    CHECK(seen[3].retry_error == "no connection");
    CHECK(seen[3].next_try > seen[2].next_try);
    CHECK(!seen[3].write_since);
    for (std::size_t n = 0; n < 12; ++n) {
        const double longest = std::min(0.05 * std::pow(2.0, static_cast<double>(n)), 30.0);
        CHECK(rig.time.state->waits[n] > longest / 2 - 1e-9);
        CHECK(rig.time.state->waits[n] <= longest);
    }
    const DeliveryStats stats = rig.stats();
    CHECK(stats.retries == 12);
    CHECK(stats.delivered == 10);
    CHECK(stats.transactions == 1);
    CHECK(stats.batches == 1);
    CHECK(stats.failed_batches == 0);
    CHECK(stats.first_error.empty());
    CHECK(stats.retry_error.empty());
    CHECK(!stats.next_try);
    CHECK(rig.delivery.take_failures().batches == 0);
    CHECK(rig.sink->stored == range(0, 10));

    rig.fail_for_now(1);  // a success has ended the long waits
    CHECK(rig.delivery.deliver(batch_of(10, 1)) == 1);
    CHECK(rig.time.state->waits.back() <= 0.05);
}

TEST_CASE("of a batch only the bad events are set aside, each with its reason") {
    Rig rig;
    rig.refuse({17, 4'000, 9'999}, true);
    CHECK(rig.delivery.deliver(batch_of(0, 10'000)) == 10'000);
    CHECK(rig.dead() == Members{17, 4'000, 9'999});
    CHECK(rig.sink->writes <= 90);
    std::vector<std::string> reasons;
    rig.delivery.visit_dead([&](const Batch& batch, std::string_view reason, std::uint32_t attempts) {
        CHECK(batch->size() == 1);
        CHECK(attempts == 1);
        reasons.emplace_back(reason);
    });
    CHECK(reasons == std::vector<std::string>{"bad member 17", "bad member 4000", "bad member 9999"});
    Members good = range(0, 10'000);
    for (const std::int64_t bad : {9'999, 4'000, 17}) good.erase(good.begin() + bad);
    CHECK(rig.sink->stored == good);
    const DeliveryStats stats = rig.stats();
    CHECK(stats.dead == 3);
    CHECK(stats.delivered == 9'997);
    CHECK(stats.batches == 1);
    CHECK(stats.failed_batches == 1);
    CHECK(stats.first_error == "bad member 17");
    const FailureReport report = rig.delivery.take_failures();
    CHECK(report.batches == 1);
    CHECK(report.events == 3);
    CHECK(report.error == "bad member 17");
    CHECK(rig.delivery.take_failures().batches == 0);
}

TEST_CASE("a sink that refuses everything is asked about each event once, and few letters hold it all") {
    Rig rig;
    rig.sink->answer = [](const EventBatch&) -> WriteResult { throw std::logic_error("broken"); };
    CHECK(rig.delivery.deliver(batch_of(0, 1000)) == 1000);
    CHECK(rig.sink->writes == 1010);
    CHECK(rig.dead() == range(0, 1000));
    std::size_t letters = 0;
    rig.delivery.visit_dead([&](const Batch&, std::string_view reason, std::uint32_t) {
        ++letters;
        CHECK(reason == "broken");
    });
    CHECK(letters == 10);
}

TEST_CASE("the first event that is set aside is known while the rest is tried") {
    Rig rig;
    std::size_t writes = 0;
    rig.sink->answer = [&](const EventBatch&) -> WriteResult {
        if (++writes == 10) CHECK(rig.stats().first_error == "broken");  // 64, 32, 16, 8, 4, 2, 1
        throw std::logic_error("broken");
    };
    rig.delivery.deliver(batch_of(0, 64));
    CHECK(writes == 70);
}

TEST_CASE("what was set aside before a wait is known during it") {
    Rig rig;
    bool is_down = true;
    rig.sink->answer = [&](const EventBatch& batch) -> WriteResult {
        if (batch.size() == 1 && batch[0].member.number == 2 && is_down) throw TransientError("later");
        throw std::runtime_error("bad");
    };
    rig.sink->answer = [&, answer = rig.sink->answer](const EventBatch& batch) {
        // The wait is over, and so is its reason.
        CHECK(rig.stats().retry_error == (batch[0].member.number == 2 && !is_down && batch.size() == 1 ? "later" : ""));
        return answer(batch);
    };
    rig.time.state->on_wait = [&] {
        CHECK(rig.dead() == Members{0, 1});
        CHECK(rig.stats().in_flight == 6);
        is_down = false;
        return false;
    };
    rig.delivery.deliver(batch_of(0, 8));
    CHECK_FALSE(is_down);
    CHECK(rig.dead() == range(0, 8));
}

TEST_CASE("a few dead events don't keep the batch that they came in") {
    Rig rig;
    rig.refuse({5});
    Batch batch = batch_of(0, 1000);
    const std::weak_ptr<const EventBatch> watched = batch;
    rig.delivery.deliver(std::exchange(batch, nullptr));
    CHECK(watched.expired());
    CHECK(rig.dead() == Members{5});
}

TEST_CASE("a batch whose answer is nonsense is set aside as a whole, and never written again") {
    const std::size_t huge = std::numeric_limits<std::size_t>::max();
    for (const WriteResult& nonsense :
         {WriteResult{9, 0, 0}, WriteResult{11, 0, 0}, WriteResult{huge, 11, 0}, WriteResult{0, huge, 11}}) {
        Rig rig;
        rig.sink->answer = [&](const EventBatch&) { return nonsense; };
        CHECK(rig.delivery.deliver(batch_of(0, 10)) == 10);
        CHECK(rig.sink->writes == 1);
        CHECK(rig.dead() == range(0, 10));
        CHECK(
            rig.stats().first_error ==
            "the sink's written, duplicate and rejected don't add up to the 10 events of the batch");
        CHECK(rig.stats().transactions == 0);
    }
    Rig rig;
    rig.sink->answer = [&](const EventBatch&) -> WriteResult { throw BadAnswer("write must return WriteResult"); };
    rig.delivery.deliver(batch_of(0, 10));
    CHECK(rig.sink->writes == 1);
    CHECK(rig.dead() == range(0, 10));
    CHECK(rig.stats().first_error == "write must return WriteResult");
}

TEST_CASE("any exception is an answer") {
    Rig rig;
    rig.sink->answer = [](const EventBatch&) -> WriteResult { throw 7; };
    CHECK(rig.delivery.deliver(batch_of(0, 1)) == 1);
    CHECK(rig.stats().first_error == "an exception that is not a std::exception");
    rig.sink->answer = [](const EventBatch& batch) -> WriteResult {
        if (batch.size() > 2) throw std::bad_alloc();  // halves need less
        return {batch.size(), 0, 0};
    };
    CHECK(rig.delivery.deliver(batch_of(1, 16)) == 16);
    CHECK(rig.stats().delivered == 16);
}

TEST_CASE("long reasons are cut between characters") {
    for (const std::size_t shift : {0U, 1U}) {
        Rig rig;
        std::string text(shift, 'x');
        while (text.size() < 5000) text += "é";
        rig.sink->answer = [&](const EventBatch&) -> WriteResult { throw std::runtime_error(text); };
        rig.delivery.deliver(batch_of(0, 1));
        CHECK(rig.stats().first_error == text.substr(0, shift == 0 ? 1000 : 999));
    }
}

TEST_CASE("random sinks leave every event where the model has it") {
    std::mt19937_64 random(21);
    for (int round = 0; round < 150; ++round) {
        const std::size_t keep = random() % 3 == 0 ? random() % 20 : 100'000;
        Rig rig(keeping(keep));
        std::set<std::int64_t> bad;
        const std::size_t share = 1 + random() % 200;
        const std::size_t flaky = random() % 4;
        Members good;
        Members dead;
        rig.sink->answer = [&](const EventBatch& batch) {
            check_sums(rig.delivery.stats());
            if (random() % 8 < flaky) throw TransientError("later");
            for (const std::int64_t member : members_of(batch)) {
                if (bad.count(member) != 0) throw std::runtime_error("bad");
            }
            const std::size_t duplicate = random() % (batch.size() + 1);
            return WriteResult{batch.size() - duplicate, duplicate, 0};
        };
        rig.time.state->on_wait = [&] {
            check_sums(rig.delivery.stats());
            return false;
        };
        std::int64_t next = 0;
        for (int batches = 0; batches < 5; ++batches) {
            const std::size_t size = random() % 300;
            for (std::size_t i = 0; i < size; ++i) {
                const std::int64_t member = next + static_cast<std::int64_t>(i);
                if (random() % share == 0) {
                    bad.insert(member);
                    dead.push_back(member);
                } else {
                    good.push_back(member);
                }
            }
            REQUIRE(rig.delivery.deliver(batch_of(next, size)) == size);
            next += static_cast<std::int64_t>(size);
            const DeliveryStats stats = rig.stats();
            REQUIRE(rig.sink->stored == good);
            REQUIRE(stats.in_flight == 0);
            REQUIRE(stats.dead == std::min(dead.size(), keep));
            REQUIRE(stats.dead_evicted == dead.size() - stats.dead);
            const auto oldest = dead.end() - static_cast<std::ptrdiff_t>(stats.dead);
            REQUIRE(rig.dead() == Members(oldest, dead.end()));
        }
        REQUIRE(rig.delivery.take_failures().events == dead.size());
    }
}

TEST_CASE("the oldest dead letters leave first, event by event") {
    Rig rig(keeping(25));
    rig.sink->answer = [](const EventBatch&) { return WriteResult{}; };  // nonsense: one letter a batch
    rig.delivery.deliver(batch_of(0, 10));
    rig.delivery.deliver(batch_of(10, 10));
    rig.delivery.deliver(batch_of(20, 10));
    CHECK(rig.dead() == range(5, 30));
    CHECK(rig.stats().dead_evicted == 5);
    rig.delivery.deliver(batch_of(30, 40));
    CHECK(rig.dead() == range(45, 70));
    CHECK(rig.stats().dead_evicted == 45);
    Rig none(keeping(0));
    none.refuse({3});
    none.delivery.deliver(batch_of(0, 10));
    CHECK(none.dead().empty());
    CHECK(none.stats().dead_evicted == 1);
    Batch batch = batch_of(0, 10);
    const std::weak_ptr<const EventBatch> watched = batch;
    none.sink->answer = [](const EventBatch&) { return WriteResult{}; };
    none.delivery.deliver(std::exchange(batch, nullptr));
    CHECK(watched.expired());
}

TEST_CASE("dead letters are taken away, oldest first, and stay accounted for") {
    Rig rig;
    rig.sink->answer = [](const EventBatch&) { return WriteResult{}; };
    rig.delivery.deliver(batch_of(0, 10));
    rig.delivery.deliver(batch_of(10, 10));
    Members taken;
    const auto take = [&](std::size_t most) {
        std::list<DeadLetter> letters;
        rig.delivery.take_dead(letters, most);
        for (const DeadLetter& letter : letters) {
            const Members members = members_of(*letter.events());
            taken.insert(taken.end(), members.begin(), members.end());
            CHECK(letter.text().substr(0, 8) == "the sink");
        }
    };
    take(3);
    CHECK(taken == range(0, 3));
    take(0);
    take(12);
    CHECK(taken == range(0, 15));
    CHECK(rig.dead() == range(15, 20));
    CHECK(rig.stats().dead_taken == 15);
    std::list<DeadLetter> rest;
    CHECK(rig.delivery.take_dead(rest) == 5);
    CHECK(rest.size() == 1);
    CHECK(members_of(*rest.front().events()) == range(15, 20));
    CHECK(rig.stats().dead == 0);
    CHECK(rig.delivery.take_dead(rest) == 0);
    CHECK(rest.size() == 1);
}

TEST_CASE("replay puts the dead letters before the sink again, in order") {
    Rig rig;
    rig.refuse({1, 4, 5, 8}, true);
    rig.delivery.deliver(batch_of(0, 10));
    CHECK_FALSE(rig.delivery.deliver_dead());
    CHECK_FALSE(rig.delivery.has_replay());
    CHECK(rig.delivery.replay() == 4);
    CHECK(rig.delivery.has_replay());
    rig.sink->stored.clear();
    Members in_flight;
    rig.sink->answer = [&](const EventBatch& batch) {
        const DeliveryStats stats = rig.stats();
        CHECK(stats.in_flight == 1);
        if (batch[0].member.number == 4) throw std::runtime_error("still bad");
        return WriteResult{batch.size(), 0, 0};
    };
    std::size_t letters = 0;
    while (rig.delivery.deliver_dead()) ++letters;
    CHECK(letters == 4);  // the one that was refused again isn't tried for ever
    CHECK(rig.sink->stored == Members{1, 5, 8});
    CHECK(rig.dead() == Members{4});
    rig.delivery.visit_dead([](const Batch&, std::string_view reason, std::uint32_t attempts) {
        CHECK(reason == "still bad");
        CHECK(attempts == 2);
    });
    const DeliveryStats stats = rig.stats();
    CHECK(stats.taken == 10);
    CHECK(stats.delivered == 9);
    CHECK(stats.dead == 1);
    CHECK(stats.batches == 5);
    CHECK(stats.failed_batches == 2);
    CHECK(stats.first_error == "bad member 1");
    CHECK(rig.delivery.take_failures().events == 5);
}

TEST_CASE("a replay is of the letters that were there, also when some of them have left") {
    Rig rig(keeping(4));
    const auto nonsense = [](const EventBatch&) { return WriteResult{}; };
    rig.sink->answer = nonsense;
    rig.delivery.deliver(batch_of(0, 2));
    rig.delivery.deliver(batch_of(2, 2));
    CHECK(rig.delivery.replay() == 4);
    rig.delivery.deliver(batch_of(4, 2));  // evicts the first letter
    rig.sink->answer = nullptr;
    rig.sink->stored.clear();
    CHECK(rig.delivery.deliver_dead());
    CHECK_FALSE(rig.delivery.deliver_dead());
    CHECK(rig.sink->stored == range(2, 4));
    CHECK(rig.dead() == range(4, 6));
    rig.delivery.replay();
    std::list<DeadLetter> first;
    rig.delivery.take_dead(first, 1);  // a part of a letter: the rest is still to be replayed
    CHECK(rig.delivery.deliver_dead());
    CHECK(rig.sink->stored == Members{2, 3, 5});
}

TEST_CASE("a replay that is stopped leaves the letter where it was") {
    Rig rig;
    rig.sink->answer = [](const EventBatch&) { return WriteResult{}; };
    rig.delivery.deliver(batch_of(0, 4));
    rig.delivery.deliver(batch_of(4, 4));
    rig.delivery.replay();
    rig.refuse({1});
    rig.sink->answer = [&, answer = rig.sink->answer](const EventBatch& batch) {
        if (batch[0].member.number > 1) throw TransientError("later");
        return answer(batch);
    };
    rig.time.state->on_wait = [&] {
        CHECK(rig.stats().in_flight == 2);
        CHECK(rig.dead() == Members{4, 5, 6, 7, 1});
        rig.delivery.abandon();
        return true;
    };
    CHECK(rig.delivery.deliver_dead());
    CHECK(rig.dead() == Members{2, 3, 4, 5, 6, 7, 1});
    CHECK(rig.stats().returned == 0);
    CHECK(rig.stats().delivered == 1);
    CHECK_FALSE(rig.delivery.deliver_dead());  // nothing begins any more
    CHECK_FALSE(rig.delivery.has_replay());
}

TEST_CASE("retry_now ends the wait, and the next one is as long as it would have been") {
    Rig rig;
    rig.fail_for_now(4);
    rig.time.state->on_wait = [&] {
        if (rig.time.state->waits.size() == 3) {
            rig.delivery.retry_now();
            return true;
        }
        return false;
    };
    const Deadline began = rig.time.state->now;
    rig.delivery.deliver(batch_of(0, 1));
    const auto& waits = rig.time.state->waits;
    REQUIRE(waits.size() == 4);
    CHECK(waits[3] > 0.2 - 1e-9);
    const double passed = std::chrono::duration<double>(rig.time.state->now - began).count();
    CHECK(passed == doctest::Approx(waits[0] + waits[1] + waits[3]).epsilon(1e-6));
}

TEST_CASE("who asks while the sink is at work gets a try after that") {
    Rig rig;
    std::size_t writes = 0;
    rig.sink->answer = [&](const EventBatch& batch) {
        if (++writes == 1) rig.delivery.retry_now();
        if (writes <= 3) throw TransientError("later");
        return WriteResult{batch.size(), 0, 0};
    };
    rig.delivery.retry_now();  // before anything was there to be tried: means nothing later
    rig.delivery.deliver(batch_of(0, 1));
    CHECK(rig.time.state->waits.size() == 2);  // of three failures
}

TEST_CASE("spurious wake-ups are no tries") {
    Rig rig;
    rig.fail_for_now(1);
    rig.time.state->on_wait = [&] { return rig.time.state->waits.size() < 5; };
    rig.delivery.deliver(batch_of(0, 1));
    CHECK(rig.sink->writes == 2);
    CHECK(rig.time.state->waits.size() == 5);
}

TEST_CASE("stop_retrying tries at once and then until its deadline") {
    Rig rig;
    rig.fail_for_now(1'000'000);
    const Deadline began = rig.time.state->now;
    rig.time.state->on_wait = [&] {
        if (rig.time.state->waits.size() != 1) return false;
        rig.delivery.stop_retrying(began + seconds(60));
        rig.delivery.stop_retrying(began + seconds(2));
        rig.delivery.stop_retrying(began + seconds(30));  // the earliest counts
        return true;
    };
    CHECK(rig.delivery.deliver(batch_of(0, 7)) == 0);
    CHECK(rig.time.state->now == began + seconds(2));
    CHECK(rig.sink->writes > 4);
    CHECK(rig.time.state->waits[1] > 0.05 - 1e-9);  // the second wait, not the rest of the first
    const DeliveryStats stats = rig.stats();
    CHECK(stats.retry_error.empty());
    CHECK(stats.returned == 7);
    CHECK(stats.in_flight == 0);
    CHECK(stats.dead == 0);
    const std::size_t writes = rig.sink->writes;
    CHECK(rig.delivery.deliver(batch_of(7, 3)) == 0);  // nothing begins any more
    CHECK(rig.sink->writes == writes);
    CHECK(rig.stats().returned == 10);
}

TEST_CASE("after abandon the front of the batch is settled and the rest is returned") {
    Rig rig;
    rig.refuse({2});
    rig.sink->answer = [&, answer = rig.sink->answer](const EventBatch& batch) {
        if (batch[0].member.number == 3) rig.delivery.abandon();
        return answer(batch);
    };
    const std::size_t settled = rig.delivery.deliver(batch_of(0, 16));
    CHECK(settled < 16);
    const DeliveryStats stats = rig.stats();
    CHECK(stats.dead == 1);
    CHECK(stats.delivered == settled - 1);
    CHECK(stats.returned == 16 - settled);
    CHECK(rig.sink->stored.back() == static_cast<std::int64_t>(settled) - 1);
}

TEST_CASE("a write that takes too long is seen while it hangs, and counted once") {
    DeliveryConfig config;
    config.sink_timeout = 30;
    Rig rig(config);
    rig.sink->answer = [&](const EventBatch& batch) {
        const Deadline began = rig.time.state->now;
        CHECK(rig.stats().write_since == began);
        CHECK_FALSE(rig.delivery.is_stalled(began + seconds(29)));
        CHECK(rig.delivery.is_stalled(began + seconds(30)));
        CHECK(rig.stats().timeouts == 0);
        rig.time.state->now += seconds(31);
        CHECK(rig.stats().timeouts == 1);
        CHECK(rig.stats().timeouts == 1);
        return WriteResult{batch.size(), 0, 0};
    };
    rig.delivery.deliver(batch_of(0, 1));
    CHECK(rig.stats().timeouts == 1);
    CHECK(!rig.stats().write_since);
    CHECK_FALSE(rig.delivery.is_stalled(rig.time.state->now + seconds(1000)));
    rig.sink->answer = nullptr;
    rig.delivery.deliver(batch_of(1, 1));
    CHECK(rig.stats().timeouts == 1);
}

TEST_CASE("when memory runs out, at whatever moment, every event is accounted for") {
    // The sink allocates nothing but its exceptions, so that memory fails where the delivery needs it.
    struct Sink : engagehub::BatchSink {
        std::size_t taken = 0;
        WriteResult write(const Batch& batch) override {
            for (std::size_t i = 0; i < batch->size(); ++i) {
                if ((*batch)[i].member.number % 5 == 2)
                    throw std::runtime_error("a reason that is longer than a short text");
            }
            taken += batch->size();
            return {batch->size(), 0, 0};
        }
    };
    std::size_t kept = 0;
    std::size_t lost = 0;
    std::size_t retried = 0;
    for (std::size_t n = 0;; ++n) {
        const auto sink = std::make_shared<Sink>();
        PlayedTime time;
        time.state->waits.reserve(8);
        time.state->on_wait = [] {
            allocations.until_failure = std::numeric_limits<std::uint64_t>::max();  // somebody has given some back
            return false;
        };
        DeliveryConfig config;
        config.seed = 1;
        Delivery delivery(config, sink, time);
        const Batch batch = batch_of(0, 23);
        allocations.until_failure = n;
        const std::size_t settled = delivery.deliver(batch);
        const bool has_failed = allocations.until_failure == 0 || !time.state->waits.empty();
        allocations.until_failure = std::numeric_limits<std::uint64_t>::max();
        CHECK(settled == 23);
        const DeliveryStats stats = delivery.stats();
        check_sums(stats);
        CHECK(stats.in_flight == 0);
        CHECK(stats.delivered == sink->taken);
        CHECK(stats.delivered + stats.dead + stats.dead_evicted == 23);
        CHECK_FALSE(stats.first_error.empty());
        CHECK(delivery.take_failures().events == stats.dead + stats.dead_evicted);
        kept += stats.dead;
        lost += stats.dead_evicted;
        retried += stats.retries;
        if (!has_failed) break;
    }
    CHECK(kept != 0);
    CHECK(lost != 0);
    CHECK(retried != 0);
}

TEST_CASE("a slice is a part of a batch, a copy keeps nothing of the rest") {
    const Batch batch = batch_of(0, 10);
    const Batch part = batch->slice(2, 5);
    CHECK(members_of(*part) == range(2, 7));
    CHECK(members_of(*part->slice(1, 3)) == range(3, 6));
    CHECK(members_of(*part->copy(1, 3)) == range(3, 6));
    CHECK(&part->columns() == &batch->columns());
    CHECK(part->copy(0, 1)->columns().size() == 1);
    CHECK(part->slice(5, 0)->size() == 0);
    CHECK(batch->copy(0, 0)->size() == 0);
}
