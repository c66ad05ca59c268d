#include "preload/save/file_limit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "image/base/file.h"
#include "preload/start.h"

namespace mig {
namespace {

constexpr uint64_t kSignal = uint64_t{1} << (SIGXFSZ - 1);

struct Limit {
  uint64_t soft, hard;
};

/// A signal that the program had pending before stays.
long size_with_signal_blocked(int fd, uint64_t size) {
  uint64_t before = 0, pending = 0;
  sys(__NR_rt_sigprocmask, SIG_BLOCK, &kSignal, &before, sizeof before);
  sys(__NR_rt_sigpending, &pending, sizeof pending);
  long r = sys(__NR_ftruncate, fd, size);
  if (r == -EFBIG && !(pending & kSignal)) take_back_signal(SIGXFSZ);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
  return r;
}

}  // namespace

MIG_START long size_own_file(int fd, uint64_t size) {
  Limit limit{};
  sys(__NR_prlimit64, 0, RLIMIT_FSIZE, nullptr, &limit);
  if (limit.soft >= size) return sys(__NR_ftruncate, fd, size);
  Limit wider{limit.hard, limit.hard};
  sys(__NR_prlimit64, 0, RLIMIT_FSIZE, &wider, nullptr);
  long r = size_with_signal_blocked(fd, size);
  sys(__NR_prlimit64, 0, RLIMIT_FSIZE, &limit, nullptr);
  return r;
}

}  // namespace mig
