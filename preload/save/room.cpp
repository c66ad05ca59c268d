// Room for the few descriptors that a checkpoint needs.
//
// Most programs are far from their limit, and many of the others have only their soft limit to blame, which may be
// raised for a moment. Whether there is room is found out by taking it: copies of a descriptor of our own, since
// closing a copy of one of the program's would drop its POSIX locks.
#include "preload/save/room.h"

#include <sys/resource.h>

#include "image/base/file.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int kNeeded = 8;
uint64_t limit[2];
bool noted;

bool there_is_room() {
  ScopedFd taken[kNeeded];
  taken[0].reset(sys(__NR_eventfd2, 0, O_CLOEXEC));
  for (int i = 1; i < kNeeded && taken[i - 1].ok(); ++i) taken[i].reset(sys(__NR_fcntl, taken[0].get(), F_DUPFD_CLOEXEC, 0));
  return taken[kNeeded - 1].ok();
}

}  // namespace

bool ScopedDescriptorRoom::raise(uint64_t current, uint64_t maximum) {
  uint64_t raised[2] = {current, maximum};
  raised_ = sys(__NR_prlimit64, 0, RLIMIT_NOFILE, raised, nullptr) == 0;
  noted = raised_;
  return raised_ && there_is_room();
}

ScopedDescriptorRoom::ScopedDescriptorRoom() {
  noted = false;
  ok_ = there_is_room();
  if (ok_ || sys(__NR_prlimit64, 0, RLIMIT_NOFILE, nullptr, limit) < 0) return;
  if (limit[0] < limit[1]) ok_ = raise(limit[0] + 64 < limit[1] ? limit[0] + 64 : limit[1], limit[1]);
  if (!ok_) ok_ = raise(limit[1] + 64, limit[1] + 64);  // root may
  if (!ok_)
    refuse(Error::kPendingLost, "the program's descriptors", "it has used up its limit of them, and a checkpoint needs a few");
}

ScopedDescriptorRoom::~ScopedDescriptorRoom() {
  if (raised_) sys(__NR_prlimit64, 0, RLIMIT_NOFILE, limit, nullptr);
  raised_ = noted = false;
}

void ScopedDescriptorRoom::release() {
  raised_ = noted = false;
}

const uint64_t* noted_descriptor_limit() {
  return noted ? limit : nullptr;
}

}  // namespace mig
