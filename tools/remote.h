// The mig of another host, reached through the user's own ssh.
#pragma once
#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mig {

/// `ssh HOST mig WORDS...`, its standard input and output in our hands; its messages go to our stderr.
class RemoteMig {
 public:
  RemoteMig(const std::string& host, const std::vector<std::string>& words);
  RemoteMig(const RemoteMig&) = delete;
  RemoteMig& operator=(const RemoteMig&) = delete;
  ~RemoteMig();
  int in() const { return in_; }    ///< what it says
  int out() const { return out_; }  ///< what it is told
  /// Closes both and waits. The exit status: of mig there, 127 without one, 255 of ssh itself.
  int finish();
  /// kTransport, with the reason as far as the exit status tells it.
  [[noreturn]] void throw_ended();

 private:
  std::string host_;
  pid_t child_ = -1;
  int in_ = -1, out_ = -1;
};

/// What `mig doctor --json` says there. Throws when ssh or that mig fails.
nlohmann::ordered_json remote_doctor(const std::string& host);

}  // namespace mig
