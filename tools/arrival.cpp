// The claim is an abstract socket address: it goes when its process does, and leaves nothing.
#include "tools/arrival.h"

#include <errno.h>
#include <fmt/format.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "image/base/checksum.h"
#include "tools/jobs.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

constexpr char kPrefix[] = ".arrived-";

struct ClaimAddress {
  sockaddr_un address = {};
  socklen_t size;
};

ClaimAddress claim_address(const std::string& job) {
  ClaimAddress a;
  std::string who = fmt::format("{} {} {}", geteuid(), run_directory(), job);
  std::string name = fmt::format("mig-receive-{:016x}", checksum(who.data(), who.size()));
  a.address.sun_family = AF_UNIX;
  name.copy(a.address.sun_path + 1, sizeof a.address.sun_path - 1);
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return a;
}

bool claimed(const std::string& job) {
  ClaimAddress a = claim_address(job);
  ScopedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.get(), reinterpret_cast<sockaddr*>(&a.address), a.size) == 0;
}

std::string boot_id() {
  std::string id = slurp("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

}  // namespace

ArrivalClaim::ArrivalClaim(const std::string& job) : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  ClaimAddress a = claim_address(job);
  if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&a.address), a.size) != 0 || listen(socket_.get(), 64) != 0)
    throw Problem(Error::kBusy, "job " + job, "a job of that name is arriving");
}

std::string new_token() {
  uint64_t random = 0;
  while (getrandom(&random, sizeof random, 0) != sizeof random) {
  }
  return fmt::format("{}-{:016x}", boot_id(), random);
}

std::string arrival_path(const std::string& token) {
  bool plain = !token.empty() && token.size() < sizeof JobRequest::token;
  for (char c : token) plain = plain && (isalnum(static_cast<unsigned char>(c)) || c == '-');
  if (!plain) throw Problem(Error::kBadArgument, "token", "this names no arrival");
  return run_directory() + "/" + kPrefix + token;
}

/// Whoever may still make the file is looked for first.
Outcome arrival_outcome(const std::string& token, const std::string& job) {
  std::string path = arrival_path(token);
  bool pending = claimed(job) || find_job_named(job);
  if (access(path.c_str(), F_OK) == 0) return Outcome::kRuns;
  if (pending || token.compare(0, boot_id().size(), boot_id()) != 0) return Outcome::kPending;
  return Outcome::kGone;
}

}  // namespace mig
