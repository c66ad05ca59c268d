// A directory below the run directory for the time of one command. A child of this mig removes it, so that it goes also when
// this mig is killed.
#pragma once
#include <sys/types.h>

#include <string>

namespace mig {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& purpose);
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  pid_t remover_ = -1;
  int alive_ = -1;  ///< end of a pipe: closed when this process ends
};

}  // namespace mig
