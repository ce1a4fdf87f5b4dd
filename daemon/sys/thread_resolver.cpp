// SPDX-License-Identifier: MIT
#include "daemon/sys/thread_resolver.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include "common/base/fd.hpp"

namespace wgd::sys {
namespace {

Result<std::vector<Endpoint>> look_up(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_protocol = IPPROTO_UDP;
    addrinfo* list = nullptr;
    const int err = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    const int saved = errno;
    if (err == EAI_SYSTEM) return fail_errno(ErrorCode::kResolve, saved, "cannot resolve " + host);
    if (err != 0) return fail(ErrorCode::kResolve, "cannot resolve " + host + ": " + ::gai_strerror(err));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
    std::vector<Endpoint> endpoints;
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next)
        if (auto endpoint = Endpoint::from_sockaddr(at->ai_addr, at->ai_addrlen))
            endpoints.push_back(*endpoint);
    if (endpoints.empty()) return fail(ErrorCode::kResolve, "cannot resolve " + host + ": it has no address");
    return endpoints;
}

} // namespace

struct ThreadResolver::Shared {
    struct Job {
        std::uint64_t id;
        std::string host;
    };
    Fd ready; // eventfd: there are answers
    Lookup lookup;
    std::mutex mutex;
    std::deque<Job> jobs;
    std::deque<std::pair<std::uint64_t, Result<std::vector<Endpoint>>>> answers;
    unsigned threads = 0;

    static void work(const std::shared_ptr<Shared>& shared) {
        std::unique_lock lock(shared->mutex);
        while (!shared->jobs.empty()) {
            const Job job = std::move(shared->jobs.front());
            shared->jobs.pop_front();
            lock.unlock();
            auto answer = shared->lookup(job.host);
            lock.lock();
            shared->answers.emplace_back(job.id, std::move(answer));
            const std::uint64_t one = 1;
            static_cast<void>(!::write(shared->ready.get(), &one, sizeof one));
        }
        --shared->threads;
    }
};

struct ThreadResolver::Waiting {
    struct Entry {
        std::uint16_t port;
        Answer done;
    };
    std::uint64_t next_id = 1;
    std::map<std::uint64_t, Entry> entries;
};

struct ThreadResolver::Handle final : ports::Resolver::Query {
    std::uint64_t id = 0;
    std::weak_ptr<Waiting> waiting;
    std::weak_ptr<Shared> shared;
    ~Handle() override {
        if (const auto entries = waiting.lock()) entries->entries.erase(id);
        if (const auto jobs = shared.lock()) { // if no thread took it yet, none needs to
            const std::lock_guard lock(jobs->mutex);
            jobs->jobs.erase(std::remove_if(jobs->jobs.begin(), jobs->jobs.end(),
                                            [&](const Shared::Job& job) { return job.id == id; }),
                             jobs->jobs.end());
        }
    }
};

ThreadResolver::ThreadResolver(Options options)
    : options_(std::move(options))
    , shared_(std::make_shared<Shared>())
    , waiting_(std::make_shared<Waiting>()) {
    shared_->lookup = options_.lookup ? options_.lookup : look_up;
}

ThreadResolver::~ThreadResolver() {
    waiting_->entries.clear();
    const std::lock_guard lock(shared_->mutex);
    shared_->jobs.clear();
}

Result<std::unique_ptr<ThreadResolver>> ThreadResolver::create(loop::EventLoop& loop, Options options) {
    std::unique_ptr<ThreadResolver> resolver(new ThreadResolver(std::move(options)));
    resolver->shared_->ready = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const int fd = resolver->shared_->ready.get();
    if (fd < 0) return fail_errno(ErrorCode::kInternal, errno, "cannot make an eventfd");
    auto source = loop.add_fd(fd, EPOLLIN, [raw = resolver.get()](std::uint32_t) { raw->deliver(); });
    if (!source) return fail(std::move(source).error());
    resolver->source_ = std::move(*source);
    return resolver;
}

std::unique_ptr<ports::Resolver::Query>
ThreadResolver::resolve(const EndpointSpec& endpoint, const ports::LookupPath& /*path*/, Answer done) {
    auto handle = std::make_unique<Handle>();
    if (const auto numeric = endpoint.numeric()) {
        done(ports::Resolution{{*numeric}, std::nullopt});
        return handle;
    }
    const std::string host = endpoint.scope.empty() ? endpoint.host : endpoint.host + "%" + endpoint.scope;
    std::unique_lock lock(shared_->mutex);
    bool refused = shared_->jobs.size() >= options_.max_waiting;
    if (!refused) {
        handle->id = waiting_->next_id++;
        handle->waiting = waiting_;
        handle->shared = shared_;
        shared_->jobs.push_back({handle->id, host});
        if (shared_->threads < options_.max_threads) {
            // No signal may be delivered to a worker: the loop's thread reads them all.
            sigset_t all;
            sigset_t before;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &before);
            try {
                std::thread([shared = shared_] { Shared::work(shared); }).detach();
                ++shared_->threads;
            } catch (const std::system_error&) {
                refused = shared_->threads == 0; // else a running one takes it
                if (refused) shared_->jobs.pop_back();
            }
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
        }
    }
    lock.unlock();
    if (refused)
        done(fail(ErrorCode::kResolve, "cannot resolve " + host + ": too many names are being resolved"));
    else
        waiting_->entries.emplace(handle->id, Waiting::Entry{endpoint.port, std::move(done)});
    return handle;
}

void ThreadResolver::deliver() {
    std::uint64_t count = 0;
    static_cast<void>(!::read(shared_->ready.get(), &count, sizeof count));
    decltype(Shared::answers) answers;
    {
        const std::lock_guard lock(shared_->mutex);
        answers.swap(shared_->answers);
    }
    const std::shared_ptr<Waiting> waiting = waiting_; // an answer may destroy the resolver
    for (auto& [id, answer] : answers) {
        const auto found = waiting->entries.find(id);
        if (found == waiting->entries.end()) continue; // cancelled
        const Waiting::Entry entry = std::move(found->second);
        waiting->entries.erase(found);
        if (!answer) {
            entry.done(fail(std::move(answer).error()));
            continue;
        }
        for (Endpoint& endpoint : *answer)
            endpoint.port = entry.port;
        entry.done(ports::Resolution{std::move(*answer), std::nullopt});
    }
}

} // namespace wgd::sys
