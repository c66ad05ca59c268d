// The functions of mig.h.
#include "preload/api.h"

#include <errno.h>
#include <string.h>

#include "image/base/arena.h"
#include "image/base/futex.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int kCallbacks = 32, kRanges = 64;

struct Callback {
  mig_callback function;
  void* data;
};
struct Range {
  uint64_t start, end;
};

Callback callbacks[kCallbacks];
Range ranges[kRanges];
int callback_count, range_count, forbidden_depth;

}  // namespace

bool checkpoints_forbidden() {
  return __atomic_load_n(&forbidden_depth, __ATOMIC_ACQUIRE) > 0;
}

void tell_program(mig_event event) {
  for (int i = 0; i < __atomic_load_n(&callback_count, __ATOMIC_ACQUIRE); ++i)
    if (callbacks[i].function) callbacks[i].function(event, callbacks[i].data);
}

uint64_t saved_until(uint64_t start, uint64_t end, uint64_t& excluded_until) {
  uint64_t first = end;
  excluded_until = end;
  for (int i = 0; i < range_count; ++i) {
    if (ranges[i].end <= start || ranges[i].start >= end) continue;
    uint64_t begin = ranges[i].start > start ? ranges[i].start : start;
    if (begin < first) first = begin, excluded_until = ranges[i].end < end ? ranges[i].end : end;
  }
  return first;
}

}  // namespace mig

using namespace mig;

#define MIG_API extern "C" __attribute__((visibility("default")))

MIG_API int mig_active() {
  return state.active;
}

MIG_API unsigned long mig_generation() {
  return state.generation;
}

MIG_API const char* mig_error() {
  return state.failure.message;
}

MIG_API int mig_checkpoint() {
  if (!state.active) {
    errno = EAGAIN;
    return -1;
  }
  uint64_t generation = state.generation;
  siginfo_t info{};
  info.si_signo = state.signal;
  info.si_code = SI_QUEUE;
  long tid = sys(__NR_gettid);
  sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), tid, state.signal, &info);
  if (state.generation != generation) return 1;
  if (state.failure.error == Error::kNone) return 0;
  errno = EAGAIN;
  return -1;
}

MIG_API int mig_on_event(mig_callback callback, void* data) {
  int at = __atomic_fetch_add(&callback_count, 1, __ATOMIC_ACQ_REL);
  if (at < kCallbacks) {
    callbacks[at] = {callback, data};
    return 0;
  }
  __atomic_fetch_sub(&callback_count, 1, __ATOMIC_ACQ_REL);
  errno = ENOSPC;
  return -1;
}

MIG_API int mig_exclude(void* address, size_t size) {
  auto start = reinterpret_cast<uint64_t>(address);
  if (start % kPage || size % kPage || range_count >= kRanges) {
    errno = range_count >= kRanges ? ENOSPC : EINVAL;
    return -1;
  }
  ranges[range_count++] = {start, start + size};
  return 0;
}

MIG_API void mig_forbid() {
  __atomic_fetch_add(&forbidden_depth, 1, __ATOMIC_ACQ_REL);
}

MIG_API void mig_allow() {
  __atomic_fetch_sub(&forbidden_depth, 1, __ATOMIC_ACQ_REL);
}
