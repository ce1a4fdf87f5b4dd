// SPDX-License-Identifier: MIT
// What holds for every profile and every system, on many made at random (from a fixed seed: a failure is
// repeatable).
#include <random>

#include "daemon/plan/op_json.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;

namespace {

class Maker {
  public:
    explicit Maker(unsigned seed)
        : random_(seed) {}

    // Few values, so that they meet: the same peers, overlapping prefixes, the same addresses.
    std::string profile() {
        std::string text = interface();
        if (one_in(2)) text += "ListenPort = " + std::to_string(50000 + below(3)) + "\n";
        if (one_in(4)) text += "MTU = " + std::string(one_in(3) ? "1200" : "1380") + "\n";
        if (one_in(5)) text += "FwMark = " + std::to_string(100 + below(2)) + "\n";
        if (one_in(6)) text += std::string("Table = ") + (one_in(2) ? "off" : "77") + "\n";
        for (unsigned i = 0, n = below(4); i < n; ++i)
            text += "Address = " +
                    pick({"10.1.0.2/24", "10.1.0.3/24", "10.1.0.4/32", "10.2.0.1/16", "fd01::2/64",
                          "fd01::3/64", "fd02::1/128"}) +
                    "\n";
        for (const std::string& key : {fakes::kPeerA, fakes::kPeerB, fakes::kPeerC}) {
            if (one_in(3)) continue;
            text += "[Peer]\nPublicKey = " + key + "\n";
            if (one_in(3))
                text += "PresharedKey = " + (one_in(2) ? fakes::kPresharedKey : fakes::kPrivateKey) + "\n";
            if (one_in(2)) text += "PersistentKeepalive = " + std::to_string(20 + below(2)) + "\n";
            if (one_in(2))
                text += "Endpoint = " + pick({"198.51.100.7:1", "198.51.100.8:2", "[2001:db8::1]:3"}) + "\n";
            for (unsigned i = 0, n = below(5); i < n; ++i)
                text +=
                    "AllowedIPs = " +
                    pick({"0.0.0.0/0", "::/0", "10.1.0.0/24", "10.1.0.9/32", "10.3.0.0/16", "10.3.1.0/24",
                          "10.4.0.0/16", "fd01::/64", "fd03::/48", "fd04::/48", "0.0.0.0/1", "128.0.0.0/1"}) +
                    "\n";
        }
        return text;
    }
    bool one_in(unsigned n) { return below(n) == 0; }
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  private:
    std::string pick(std::initializer_list<const char*> of) {
        return *(of.begin() + below(static_cast<unsigned>(of.size())));
    }
    std::minstd_rand random_;
};

} // namespace

TEST_CASE("random profiles: applied means converged, planned twice means the same, gone means gone") {
    for (unsigned seed = 1; seed <= 400; ++seed) {
        Maker maker(seed);
        Bench bench;
        bench.policy.backend = maker.one_in(2) ? Backend::kKernel : Backend::kUserspace;
        if (maker.one_in(6)) bench.kernel.set_ipv6(false);
        const std::string before = bench.kernel.dump();
        const std::string text = maker.profile();
        INFO("seed " << seed << "\n" << text);
        const auto desired = bench.try_derive(text);
        if (!desired) { // only IPv6 addresses where there is no IPv6
            CHECK(desired.error().code == ErrorCode::kUnsupported);
            continue;
        }
        const Plan plan = bench.steps(*desired);
        CHECK(texts(plan) == texts(bench.steps(bench.derive(text))));
        bench.apply(plan);
        CHECK(texts(bench.steps(*desired)).empty());
        bench.remember(*desired);
        CHECK(texts(bench.steps(bench.derive(text))).empty());
        bench.remove();
        CHECK(bench.kernel.dump() == before);
    }
}

TEST_CASE("random reloads: from any profile to any other, and back from half of it") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        Maker maker(seed * 7919);
        Bench bench;
        bench.policy.backend = maker.one_in(2) ? Backend::kKernel : Backend::kUserspace;
        const std::string before = bench.kernel.dump();
        const std::string first = maker.profile(), second = maker.profile();
        INFO("seed " << seed << "\n" << first << "\n----\n" << second);
        if (!bench.try_derive(first) || !bench.try_derive(second)) continue;
        bench.converge(first);
        const std::string after_first = bench.kernel.dump();

        const Desired desired = bench.derive(second);
        const Plan plan = bench.steps(desired);
        // Fail after every step, the step itself done or not; undo; nothing may have changed.
        for (std::size_t k = 0; k < plan.steps.size(); ++k) {
            for (const bool done : {false, true}) {
                INFO("failing " << (done ? "after " : "before ") << describe(plan.steps[k].act));
                for (std::size_t i = 0; i < k + (done ? 1 : 0); ++i)
                    REQUIRE(bench.kernel.apply(plan.steps[i].act));
                for (std::size_t i = k + 1; i-- > 0;)
                    for (const Op& op : plan.steps[i].undo)
                        if (const auto undone = bench.kernel.apply(op); !undone)
                            FAIL(describe(op) << ": " << undone.error().message);
                REQUIRE(bench.kernel.dump() == after_first);
            }
        }
        bench.apply(plan);
        CHECK(texts(bench.steps(desired)).empty());
        bench.remember(desired);
        CHECK(texts(bench.steps(bench.derive(second))).empty());

        // The same system as if the second had come up alone, but for the order in which things came.
        bench.remove();
        CHECK(bench.kernel.dump() == before);
    }
}

TEST_CASE("random undo survives being written down, but for its keys") {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        Maker maker(seed * 104729);
        Bench bench;
        const std::string first = maker.profile(), second = maker.profile();
        INFO("seed " << seed << "\n" << first << "\n----\n" << second);
        if (!bench.try_derive(first) || !bench.try_derive(second)) continue;
        bench.converge(first);
        for (const Step& step : bench.steps(bench.derive(second)).steps) {
            const std::string json = ops_to_json(step.undo);
            CHECK(json.find(fakes::kPresharedKey) == std::string::npos);
            CHECK(json.find(fakes::kPrivateKey) == std::string::npos);
            const auto read = ops_from_json(json);
            REQUIRE(read);
            CHECK(ops_to_json(*read) == json);
        }
    }
}
