#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "tools/clock.h"

namespace mig {

namespace {

constexpr double kMoment = 0.5, kInterval = 0.1;  ///< seconds

}  // namespace

Progress::Progress() : shown_(isatty(2)), next_(monotonic_seconds() + kMoment) {}

void Progress::show(const std::string& line) {
  if (!shown_ || monotonic_seconds() < next_) return;
  fmt::print(stderr, "\r\033[Kmig: {}", line);
  fflush(stderr);
  drawn_ = true;
  next_ = monotonic_seconds() + kInterval;
}

void Progress::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace mig
