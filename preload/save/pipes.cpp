// Pipes and FIFOs.
//
// All descriptions of one pipe have one inode. The contents stand behind the first description that can read; tee(2)
// into a pipe of our own copies them without taking them out, packets (O_DIRECT) included. Where no process of the job
// has the other end, poll(2) tells whether it exists at all: POLLHUP for a reader, POLLERR for a writer.
#include "preload/save/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "preload/job/standard.h"
#include "preload/save/contents.h"

namespace mig {
namespace {

constexpr size_t kReadSize = 1 << 20;

constexpr uint32_t kBothEnds = kHasReader | kHasWriter;

short poll_now(int fd) {
  pollfd p{fd, POLLIN | POLLOUT, 0};
  sys(__NR_poll, &p, 1, 0);
  return p.revents;
}

/// A pipe of our own for the length of a scope.
struct ScopedPipe {
  ScopedPipe() {
    int fds[2] = {-1, -1};
    sys(__NR_pipe2, fds, O_CLOEXEC | O_NONBLOCK);
    in.reset(fds[0]), out.reset(fds[1]);
  }
  ScopedFd in, out;
};

bool save_copy(Saving& saving, const OpenDescription& d, int from) {
  auto buffer = static_cast<char*>(scratch(kReadSize));
  if (!buffer) return saving.out_of_memory();
  for (;;) {
    long n = sys(__NR_read, from, buffer, kReadSize);
    if (n == -EAGAIN || n == 0) return true;
    if (n < 0) return refuse_errno(Error::kPendingLost, "the contents of a pipe", "read", n);
    if (!save_bytes(saving, d, buffer, static_cast<size_t>(n))) return false;
  }
}

bool save_pipe_contents(Saving& saving, OpenDescription& d) {
  int bytes = 0;
  sys(__NR_ioctl, d.fd, FIONREAD, &bytes);
  if (!bytes) return true;
  carried(d, "with the bytes that are in it");
  if (saving.only_looking()) return true;
  ScopedPipe copy;
  if (!copy.out.ok()) return refuse(Error::kPendingLost, "a descriptor", "none is free for copying the contents of a pipe");
  sys(__NR_fcntl, copy.out.get(), F_SETPIPE_SZ, d.record.value[0]);
  long n = sys(__NR_tee, d.fd, copy.out.get(), 0x7fffffff, 2);
  if (n != bytes) return unsupported(d, "its contents cannot be copied: the user's limit of memory for pipes is reached");
  return save_copy(saving, d, copy.in.get());
}

bool is_alone(const OpenDescription& d, uint32_t facts) {
  short events = poll_now(d.fd);
  return (facts & kHasReader) ? events & POLLHUP : events & POLLERR;
}

}  // namespace

bool enter_pipe(const OpenDescription& d) {
  uint32_t facts = (can_read(d) ? kHasReader : 0u) | (can_write(d) ? kHasWriter : 0u);
  if (can_write(d) && (d.record.open_flags & O_DIRECT)) facts |= kHasPackets;
  return note_object(object_of(d), facts);
}

bool save_pipe(Saving& saving, OpenDescription& d) {
  bool named = d.path[0] == '/' && d.links;
  uint32_t facts = object_facts(object_of(d));
  long capacity = sys(__NR_fcntl, d.fd, F_GETPIPE_SZ);
  d.record.peer = d.record.inode;
  d.record.value[0] = capacity > 0 ? static_cast<uint64_t>(capacity) : 0;
  d.record.value[1] = (facts & kHasPackets) != 0;
  bool both = (facts & kBothEnds) == kBothEnds;
  if (!both) d.record.flags |= kDescriptionAlone;
  if (!both && !is_alone(d, facts)) {
    if (named) degraded(d, "its other end is outside: the FIFO is opened again by its path");
    else if (was_inherited(d))
      degraded(d, "it was given to the program at its start: its other end stays behind, and it comes back closed");
    else return unsupported(d, "its other end is held by a process outside the job");
  }
  if (!saving.write(d, named ? DescriptionKind::kFifo : DescriptionKind::kPipe)) return false;
  bool first = owns(d) && can_read(d) && claim_object(object_of(d));
  return !first || save_pipe_contents(saving, d);
}

}  // namespace mig
