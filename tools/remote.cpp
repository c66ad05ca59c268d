#include "tools/remote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/problem.h"
#include "tools/process.h"

namespace mig {

namespace {

/// Runs a command without a shell and returns what it prints.
std::string output_of(const std::vector<std::string>& words, int& status) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Problem(Error::kInternal, "pipe", kernel_reason(errno));
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    std::vector<char*> argv = argument_vector(words);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  if (child < 0 || waitpid(child, &status, 0) != child) throw Problem(Error::kInternal, words[0], "it could not be run");
  return text;
}

}  // namespace

nlohmann::ordered_json remote_doctor(const std::string& host) {
  if (host.empty() || host[0] == '-') throw Problem(Error::kBadArgument, host, "this is not a host's name");
  int status = 0;
  std::string text = output_of({"ssh", "-o", "ConnectTimeout=15", "-T", "--", host, "mig", "doctor", "--json"}, status);
  auto j = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!j.is_discarded()) return j;
  const char* cause = status >> 8 == 127 ? "mig (or ssh) is not installed there, or not in PATH" : "ssh or mig failed there";
  throw Problem(Error::kTransport, "host " + host, cause);
}

}  // namespace mig
