// SPDX-License-Identifier: MIT
// Purpose: structures of one type that events keep current by a rule: one for all events, or one for each community,
// made when its first event comes.
// Thread safety: as Projection; find() may be called by any thread. Cell guards a structure, or a lane: Cell<T> is
// constructed as T is; locked(work), for threads that apply, and asked(work), for all others, call work(T&) while no
// other thread has it. Locked (locked.hpp) is one.
// Invariants: (1) which communities have a structure depends on the order of events within each lane only: room is
// given out by lane, and a question makes no room dear; (2) a structure that find() made for a community without
// events is the one that its events change, as long as somebody holds it.
// Complexity: a look-up for each run of events of one community; one lock for up to kRun events.
// Failure: the constructor and find() throw what making a structure throws.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>

namespace engagehub {

template <class TheRule, template <class> class Cell>
class Projected final : public Projection {
public:
    using Rule = TheRule;
    using Instance = Cell<typename Rule::Structure>;
    using Handle = std::shared_ptr<Instance>;

    // One structure for all events, unless there is a limit of communities: then one for each. They aren't spread
    // evenly over the lanes, so each lane has room for half as many again as its share and a few more: a projection
    // takes in limit communities (but for a chance below 1 in 10,000), and never more than 1.5 * limit + 4,096.
    explicit Projected(Rule rule, std::optional<std::size_t> limit = std::nullopt)
        : rule_(std::move(rule)),
          all_(limit ? nullptr : make()),
          lanes_(limit ? std::make_unique<Lanes>() : nullptr),
          room_in_lane_(limit ? *limit / kLanes + *limit / (2 * kLanes) + 16 : 0) {}

    const Rule& rule() const noexcept { return rule_; }
    bool is_per_community() const noexcept override { return lanes_ != nullptr; }

    void apply(const QueuedEvent* const* events, std::size_t count) noexcept override {
        if (!is_per_community()) return change(*all_, events, count);
        for (std::size_t begin = 0; begin < count;) {
            const ItemView community = events[begin]->community();
            std::size_t end = begin + 1;
            while (end < count && events[end]->community() == community) ++end;
            apply_run(community, events + begin, end - begin);
            begin = end;
        }
    }

    // The structure of all events. REQUIRES: !is_per_community().
    Handle find() const noexcept { return all_; }

    // The structure of a community. One that has had no event gets an empty one: it takes none of the room.
    // REQUIRES: is_per_community().
    Handle find(const ItemView& community) {
        const std::uint64_t hash = hash_of_community(community);
        return (*lanes_)[lane_of_hash(hash)].asked([&](Lane& lane) {
            if (const Entry* entry = lane.find(community, hash)) return entry->instance;
            return lane.asked(community, hash, [&] { return make(); });
        });
    }

    Account account() const override {
        Account result;
        result.skipped = skips_.count();
        result.first_reason = skips_.first_reason();
        if (lanes_) {
            for (auto& lane : *lanes_) result.communities += lane.asked([](Lane& held) { return held.size(); });
        }
        return result;
    }

private:
    // A query waits for this many changes at the most.
    static constexpr std::size_t kRun = 64;

    struct Name {
        explicit Name(const ItemView& community)
            : kind(community.kind), number(community.number), text(community.text) {}
        bool is(const ItemView& community) const {
            return kind == community.kind && number == community.number && text == community.text;
        }

        ItemKind kind;
        std::int64_t number;
        std::string text;
    };
    struct Entry {
        Name community;
        Handle instance;
    };
    struct Asked {
        Name community;
        std::weak_ptr<Instance> instance;
    };
    // Hashes are as good as random, and the keys are kept apart by the communities themselves.
    struct AsItIs {
        std::size_t operator()(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash); }
    };
    template <class Value>
    using Table = std::unordered_multimap<std::uint64_t, Value, AsItIs>;

    class Lane {
    public:
        std::size_t size() const noexcept { return entries_.size(); }

        const Entry* find(const ItemView& community, std::uint64_t hash) { return find_in(entries_, community, hash); }

        // A new one, or that which somebody has asked for before there was an event.
        template <class Make>
        Handle admit(const ItemView& community, std::uint64_t hash, const Make& make) {
            Asked* const asked = find_in(asked_, community, hash);
            Handle instance = asked == nullptr ? nullptr : asked->instance.lock();
            if (instance == nullptr) instance = make();
            entries_.emplace(hash, Entry{Name(community), instance});
            if (asked != nullptr) asked->instance.reset();  // to be swept
            return instance;
        }

        template <class Make>
        Handle asked(const ItemView& community, std::uint64_t hash, const Make& make) {
            Asked* const known = find_in(asked_, community, hash);
            if (known != nullptr) {
                if (Handle instance = known->instance.lock()) return instance;
            }
            Handle instance = make();
            if (known != nullptr) {
                known->instance = instance;
            } else {
                if (asked_.size() >= worth_sweeping_) sweep();
                asked_.emplace(hash, Asked{Name(community), instance});
            }
            return instance;
        }

    private:
        template <class Value>
        static Value* find_in(Table<Value>& table, const ItemView& community, std::uint64_t hash) {
            const auto range = table.equal_range(hash);
            for (auto each = range.first; each != range.second; ++each) {
                if (each->second.community.is(community)) return &each->second;
            }
            return nullptr;
        }

        // Forgets what nobody holds any more.
        void sweep() {
            for (auto each = asked_.begin(); each != asked_.end();)
                each = each->second.instance.expired() ? asked_.erase(each) : std::next(each);
            worth_sweeping_ = std::max(kFewAsked, 2 * asked_.size());
        }

        static constexpr std::size_t kFewAsked = 8;

        Table<Entry> entries_;
        Table<Asked> asked_;
        std::size_t worth_sweeping_ = kFewAsked;
    };
    using Lanes = std::array<Cell<Lane>, kLanes>;

    Handle make() const { return std::make_shared<Instance>(rule_.empty); }

    // The events are of this community.
    void apply_run(const ItemView& community, const QueuedEvent* const* events, std::size_t count) noexcept {
        // Whoever does nothing that counts gets no structure.
        while (count != 0 && !rule_.takes(**events)) {
            ++events;
            --count;
        }
        if (count == 0) return;
        Handle instance;
        try {
            instance = instance_of(community);
        } catch (const std::exception&) {
            return skip(events, count, "there must be memory for another community, got none");
        }
        if (instance == nullptr) return skip(events, count, "communities must be at most max_communities, got more");
        change(*instance, events, count);
    }

    // Null where there is no room for it.
    Handle instance_of(const ItemView& community) {
        const std::uint64_t hash = hash_of_community(community);
        return (*lanes_)[lane_of_hash(hash)].locked([&](Lane& lane) -> Handle {
            if (const Entry* entry = lane.find(community, hash)) return entry->instance;
            if (lane.size() >= room_in_lane_) return nullptr;
            return lane.admit(community, hash, [&] { return make(); });
        });
    }

    void change(Instance& instance, const QueuedEvent* const* events, std::size_t count) noexcept {
        for (std::size_t begin = 0; begin < count; begin += kRun) {
            instance.locked([&](typename Rule::Structure& structure) {
                rule_.apply(structure, events + begin, std::min(kRun, count - begin), skips_);
            });
        }
    }

    void skip(const QueuedEvent* const* events, std::size_t count, std::string_view reason) noexcept {
        const auto taken =
            std::count_if(events, events + count, [&](const auto* event) { return rule_.takes(*event); });
        skips_.note(reason, static_cast<std::size_t>(taken));
    }

    Rule rule_;
    Handle all_;
    std::unique_ptr<Lanes> lanes_;
    std::size_t room_in_lane_;
    Skips skips_;
};

}  // namespace engagehub
