#include "tools/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/clock.h"
#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

constexpr double kEndLimit = 5;  ///< seconds for ssh to end when both pipes are closed

/// A dead link is noticed within half a minute.
const std::vector<std::string> kSsh = {
    "ssh", "-T", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "--"};

[[noreturn]] void become(const std::vector<std::string>& words, int in, int out) {
  dup2(in, 0), dup2(out, 1);
  signal(SIGPIPE, SIG_DFL);
  std::vector<char*> argv = argument_vector(words);
  execvp(argv[0], argv.data());
  _exit(127);
}

void close_one(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

}  // namespace

RemoteMig::RemoteMig(const std::string& host, const std::vector<std::string>& words) : host_(host) {
  if (host.empty() || host[0] == '-') throw Problem(Error::kBadArgument, host, "this is not a host's name");
  std::vector<std::string> command = kSsh;
  command.insert(command.end(), {host, "mig"});
  command.insert(command.end(), words.begin(), words.end());
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) throw Problem(Error::kInternal, "pipe", kernel_reason(errno));
  child_ = fork();
  if (child_ == 0) become(command, to[0], from[1]);
  close(to[0]), close(from[1]);
  out_ = to[1], in_ = from[0];
  if (child_ < 0) throw Problem(Error::kNoMemory, "ssh", "it could not be run");
}

RemoteMig::~RemoteMig() {
  finish();
}

int RemoteMig::finish() {
  close_one(out_), close_one(in_);
  if (child_ < 0) return -1;
  int status = 0;
  for (double until = monotonic_seconds() + kEndLimit; waitpid(child_, &status, WNOHANG) == 0; usleep(2000))
    if (monotonic_seconds() > until) kill(child_, SIGTERM), until += kEndLimit;
  child_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void RemoteMig::throw_ended() {
  int status = finish();
  const char* cause = status == 127 ? "mig (or ssh) is not installed there, or not in PATH" : "ssh or mig failed there";
  throw Problem(Error::kTransport, "host " + host_, cause);
}

nlohmann::ordered_json remote_doctor(const std::string& host) {
  RemoteMig remote(host, {"doctor", "--json"});
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(remote.in(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  auto j = nlohmann::ordered_json::parse(text, nullptr, false);
  if (j.is_discarded()) remote.throw_ended();
  return j;
}

}  // namespace mig
