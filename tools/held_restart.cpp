#include "tools/held_restart.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/hold.h"
#include "tools/clock.h"
#include "tools/problem.h"
#include "tools/restart.h"

namespace mig {

namespace {

constexpr double kRestoreLimit = 600, kRunLimit = 60, kEndLimit = 2;  ///< seconds
constexpr int kSlice = 200;                                           ///< milliseconds

void detach() {
  setsid();
  for (int s = 1; s < NSIG; ++s) signal(s, SIG_DFL);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
}

unsigned code_in(const std::string& sentence) {
  size_t at = sentence.rfind("(MIG");
  unsigned code = at == std::string::npos ? 0 : static_cast<unsigned>(atoi(sentence.c_str() + at + 4));
  return code ? code : static_cast<unsigned>(Error::kInternal);
}

}  // namespace

HeldRestart::HeldRestart(const std::vector<std::string>& words) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw Problem(Error::kInternal, "socketpair", kernel_reason(errno));
  socket_.reset(ends[0]);
  ScopedFd theirs(ends[1]);
  child_ = fork();
  if (child_ < 0) throw Problem(Error::kNoMemory, "fork", kernel_reason(errno));
  if (child_ > 0) return;
  detach();
  std::vector<std::string> all = words;
  all.insert(all.begin() + 1, {"--hold-fd", std::to_string(theirs.get())});
  try {
    become_stub(all, theirs.get());
  } catch (const Problem& p) {
    std::string line = std::string("mig: ") + p.what() + "\n";
    write_all(theirs.get(), line.data(), line.size());
  }
  _exit(kExitInternal);
}

HeldRestart::~HeldRestart() {
  if (told_ && !runs_ && child_ > 0) kill(child_, SIGKILL);
  socket_.reset();
  if (runs_ || child_ < 0) return;
  for (double until = monotonic_seconds() + kEndLimit; waitpid(child_, nullptr, WNOHANG) == 0; usleep(2000))
    if (monotonic_seconds() > until) kill(child_, SIGKILL);
}

void HeldRestart::throw_failure() {
  while (!said_.empty() && said_.back() == '\n') said_.pop_back();
  std::string line = said_.substr(said_.rfind('\n') + 1);
  if (line.compare(0, 5, "mig: ") == 0) line.erase(0, 5);
  if (!line.empty()) throw Problem::said(code_in(line), line);
  int status = 0;
  waitpid(child_, &status, 0);
  child_ = -1;
  if (told_ && WIFEXITED(status))
    throw Problem(Error::kResourceFailed, "the restart", "a process of the job ended before any of them ran");
  std::string how = WIFSIGNALED(status) ? fmt::format("signal {} ended it", WTERMSIG(status)) : "it ended";
  throw Problem(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? Error::kNoMemory : Error::kInternal, "the restart",
                how + " before everything was restored");
}

void HeldRestart::wait_for(char wanted, double limit) {
  for (double until = monotonic_seconds() + limit; monotonic_seconds() < until;) {
    pollfd p = {socket_.get(), POLLIN, 0};
    if (poll(&p, 1, kSlice) <= 0) continue;
    char byte;
    ssize_t n = read(socket_.get(), &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_failure();
    if (byte == wanted) return;
    said_ += byte;
  }
  throw Problem(Error::kRequesterTimeout, "the restart", fmt::format("it was not done within {:g} s", limit));
}

std::string HeldRestart::wait_restored() {
  wait_for(kHeld, kRestoreLimit);
  return said_;
}

void HeldRestart::let_go() {
  said_.clear();
  char byte = kLetGo;
  told_ = true;
  if (write_all(socket_.get(), &byte, 1) < 0) throw_failure();
  wait_for(kRuns, kRunLimit);
  runs_ = true;
}

}  // namespace mig
