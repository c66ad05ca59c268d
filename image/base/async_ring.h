// The ring of a context of the kernel's asynchronous I/O (io_setup(2)), and how it is brought into a wanted state.
//
// The address of the ring is the context's id; mremap moves both. All of the ring can be written, but the kernel has a tail of
// its own and counts the places that are taken, and only a request that ends moves those. So the tail is brought to where
// it must be by requests that end at once (reading nothing from an empty file), and what is to be unread is such requests too,
// over which the events are written.
//
// The kernel makes a ring of whole pages for twice the requests that were asked for, or for eight times its CPUs if that is
// more; `smallest_request` gives the fewest that make a ring of this size, so that never more of fs.aio-max-nr is taken than
// before. Places are handed to CPUs in batches, and given back where a request ends: who is to find all must ask on each CPU.
#pragma once
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

inline constexpr char kAsyncRingName[] = "/[aio]";  ///< in /proc/PID/maps

/// struct aio_ring (fs/aio.c).
struct AsyncRing {
  uint32_t id;  ///< the kernel's, and none of the program's business
  uint32_t entries;
  uint32_t head, tail;
  uint32_t magic, compatible, incompatible, header_size;
  io_event events[];

  uint32_t distance(uint32_t from, uint32_t to) const { return (to % entries + entries - from % entries) % entries; }
  uint32_t end() const { return __atomic_load_n(&tail, __ATOMIC_ACQUIRE); }
  uint32_t unread() const { return distance(head, end()); }
  io_event& event(uint32_t position) { return events[position % entries]; }
};
static_assert(sizeof(AsyncRing) == sizeof(io_event));

constexpr uint64_t async_ring_size(uint32_t entries) {
  return (uint64_t{entries} + 1) * sizeof(io_event);
}
constexpr uint32_t smallest_request(uint64_t size) {
  constexpr uint32_t kPerPage = kPage / sizeof(io_event) / 2;
  return size > kPage ? static_cast<uint32_t>(size / kPage - 1) * kPerPage - 1 : 1;
}

inline bool is_async_context(uint64_t address) {
  const long none[2] = {};
  return sys(__NR_io_getevents, address, 0, 0, nullptr, none) == 0;
}

/// The CPUs that the kernel counts with: how many, and one more than the highest number. Zero: /sys does not tell.
struct PossibleCpus {
  uint32_t count, limit;
};
inline PossibleCpus possible_cpus() {
  char text[512];
  PossibleCpus cpus{0, 0};
  if (read_text("/sys/devices/system/cpu/possible", text, sizeof text) <= 0) return cpus;
  Scan scan(text);
  for (char separator = ','; separator == ','; separator = scan.next()) {
    auto first = static_cast<uint32_t>(scan.number()), last = first;
    if (*scan.at() == '-') last = static_cast<uint32_t>(scan.skip('-').number());
    cpus.count += last - first + 1, cpus.limit = last + 1;
  }
  return cpus;
}

/// Lets the calling thread go from CPU to CPU, and come back to where it may run at the end of its scope.
class ScopedCpu {
 public:
  ScopedCpu() { size_ = sys(__NR_sched_getaffinity, 0, sizeof before_, before_); }
  ~ScopedCpu() {
    if (size_ > 0) sys(__NR_sched_setaffinity, 0, size_, before_);
  }
  ScopedCpu(const ScopedCpu&) = delete;
  ScopedCpu& operator=(const ScopedCpu&) = delete;
  bool go(uint32_t cpu) {
    if (size_ <= 0 || cpu >= sizeof before_ * 8) return false;
    uint64_t only[kWords] = {};
    only[cpu / 64] = uint64_t{1} << cpu % 64;
    return sys(__NR_sched_setaffinity, 0, sizeof only, only) == 0;
  }

 private:
  static constexpr size_t kWords = 16;
  uint64_t before_[kWords] = {};
  long size_;
};

/// Requests that end as soon as they are made.
class EndedRequests {
 public:
  EndedRequests() : cpus_(possible_cpus()), file_(sys(__NR_memfd_create, "", 1 /* MFD_CLOEXEC */)) {
    request_.aio_lio_opcode = IOCB_CMD_PREAD;
    request_.aio_fildes = static_cast<uint32_t>(file_.get());
    for (iocb*& r : list_) r = &request_;
  }
  long error() const { return file_.ok() ? 0 : file_.get(); }
  const PossibleCpus& cpus() const { return cpus_; }
  bool made(const io_event& e) const { return e.obj == reinterpret_cast<uint64_t>(&request_); }

  /// Some of `count` requests: how many. -EAGAIN: no CPU has a place left.
  long make(const AsyncRing* ring, uint32_t count) {
    long r = make_here(ring, count);
    for (uint32_t i = 0; r == -EAGAIN && i < cpus_.limit; ++i)
      if (cpu_.go(i)) r = make_here(ring, count);
    return r;
  }
  /// `count` of them, which stay unread.
  long add(const AsyncRing* ring, uint32_t count) {
    while (count) {
      long r = make(ring, count);
      if (r < 0) return r;
      count -= static_cast<uint32_t>(r);
    }
    return 0;
  }
  /// Until the ring's tail stands at `position`. All events are read away; those of other requests are given to `keep`.
  template <class Keep>
  long advance(AsyncRing* ring, uint32_t position, Keep keep) {
    for (;;) {
      read_away(ring, keep);
      uint32_t missing = ring->distance(ring->tail, position);
      if (!missing) return 0;
      if (long r = make(ring, missing); r < 0) return r;
    }
  }
  template <class Keep>
  void read_away(AsyncRing* ring, Keep keep) {
    uint32_t at = ring->head, tail = ring->end();
    for (uint32_t left = ring->distance(at, tail); left; --left, ++at)
      if (!made(ring->event(at))) keep(ring->event(at));
    ring->head = tail;
  }

 private:
  static constexpr uint32_t kAtOnce = 128;
  long make_here(const AsyncRing* ring, uint32_t count) {
    return sys(__NR_io_submit, ring, count < kAtOnce ? count : kAtOnce, list_);
  }
  PossibleCpus cpus_;
  ScopedCpu cpu_;
  ScopedFd file_;
  iocb request_{};
  iocb* list_[kAtOnce];
};

}  // namespace mig
