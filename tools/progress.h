// One line that is rewritten, on a terminal only.
#pragma once
#include <string>

namespace mig {

class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }
  /// Shown once the work takes longer than a moment, and not more often than it can be read.
  void show(const std::string& line);
  void clear();

 private:
  bool shown_, drawn_ = false;
  double next_;
};

}  // namespace mig
