// Contexts of the kernel's asynchronous I/O (io_setup(2)), brought to rest.
//
// The kernel does not tell how many requests are under way. But it has only so many places for requests, and one is taken until
// its event has been read: so all that are left are taken, by requests that end at once, and what is missing is under way. How
// many there are follows from the ring's size and the kernel's number of CPUs, since what is less than a CPU's batch is
// never given out. Afterwards the ring is as it was: the same events unread at the same places, and behind them those that have come.
//
// Requests on files end soon, and are waited for. One that waits for an event (IOCB_CMD_POLL) may never end, and nothing
// tells which it is; then the checkpoint is refused.
//
// A child of fork inherits the mapping, but no context. To it the ring is memory like any other.
#include "preload/save/async_contexts.h"

#include "image/base/async_ring.h"
#include "image/base/clock.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr int64_t kPatience = kSecond;  ///< with requests none of which ends

bool refuse_memory() {
  return refuse(Error::kPendingLost, "the events of asynchronous I/O", "the kernel gave no memory for them");
}

/// Places that the kernel gives out: whole batches (fs/aio.c, ioctx_alloc).
uint32_t places(uint32_t entries, uint32_t cpus) {
  uint32_t batch = (entries - 1) / (cpus * 4);
  return batch > 1 ? (entries - 1) / batch * batch : entries - 1;
}

/// One context on its way to rest. Its events are taken out, and put back in the end.
class RestingContext {
 public:
  RestingContext(AsyncRing* ring, EndedRequests& ended)
      : ring_(ring), ended_(ended), head_(ring->head), places_(places(ring->entries, ended.cpus().count)) {}

  bool rest() {
    if (!unread_.reserve(ring_->entries)) return refuse_memory();
    bool quiet = wait();
    if (long r = put_back(); r < 0 && quiet)
      return refuse_errno(Error::kUnsupportedMapping, "asynchronous I/O", "number its requests", r);
    return quiet;
  }

 private:
  auto keeper() {
    return [this](const io_event& e) { unread_.push(e); };
  }

  /// Negative: an error, or more places than this kernel should have.
  long under_way() {
    ended_.read_away(ring_, keeper());
    long r;
    while ((r = ended_.make(ring_, ring_->entries)) > 0) {
    }
    if (r != -EAGAIN) return r;
    uint32_t taken = ring_->unread();
    ended_.read_away(ring_, keeper());
    return taken <= places_ ? places_ - taken : -ERANGE;
  }

  bool wait() {
    const timespec moment = to_timespec(kMillisecond);
    int64_t now = clock_now(CLOCK_MONOTONIC), limit = now + state.stop_limit, changed = now;
    for (long before = -1;; now = clock_now(CLOCK_MONOTONIC)) {
      long open = under_way();
      if (open == 0) return true;
      if (open < 0) return refuse_errno(Error::kUnsupportedMapping, "asynchronous I/O", "count its requests", open);
      if (open != before) before = open, changed = now;
      if (now > limit || now > changed + kPatience) return refuse_open(open);
      sys(__NR_nanosleep, &moment, nullptr);
    }
  }
  bool refuse_open(long open) const {
    char object[96], cause[128];
    (Text(object) << "asynchronous I/O, context 0x").hex(reinterpret_cast<uint64_t>(ring_));
    Text(cause) << open << (open == 1 ? " request does" : " requests do") << " not end (IOCB_CMD_POLL may wait for ever)";
    return refuse(Error::kUnsupportedMapping, object, cause);
  }

  /// Events that come meanwhile stand among those that are to be written over.
  long put_back() {
    if (long r = ended_.advance(ring_, head_, keeper()); r < 0) return r;
    uint32_t first = ring_->tail;
    if (long r = ended_.add(ring_, static_cast<uint32_t>(unread_.size())); r < 0) return r;
    uint32_t there = ring_->distance(first, ring_->end());
    for (uint32_t i = 0; i < there; ++i)
      if (!ended_.made(ring_->event(first + i))) unread_.push(ring_->event(first + i));
    for (uint32_t i = 0; i < there; ++i) ring_->event(first + i) = unread_[i];
    ring_->head = head_;
    return 0;
  }

  AsyncRing* ring_;
  EndedRequests& ended_;
  uint32_t head_, places_;
  Array<io_event> unread_;
};

/// How many contexts all processes of this host have; without /proc/sys: some.
bool host_has_contexts() {
  char text[32];
  return read_text("/proc/sys/fs/aio-nr", text, sizeof text) <= 0 || text[0] != '0';
}

bool list_rings(Array<uint64_t>& addresses) {
  LineReader<> maps("/proc/thread-self/maps");
  if (!maps.ok()) return refuse_errno(Error::kUnsupportedSetting, "/proc/thread-self/maps", "open", -maps.error());
  while (const char* line = maps.next()) {
    if (!text_find(line, kAsyncRingName)) continue;
    Scan scan(line);
    uint64_t start = scan.hex(), end = scan.skip('-').hex();
    if (is_async_ring(start, end - start) && !addresses.push(start)) return refuse_memory();
  }
  return true;
}

}  // namespace

bool is_async_ring(uint64_t address, uint64_t size) {
  return is_async_context(address) && async_ring_size(reinterpret_cast<const AsyncRing*>(address)->entries) == size;
}

bool rest_async_contexts() {
  Array<uint64_t> addresses;
  if (!host_has_contexts()) return true;
  if (!list_rings(addresses)) return false;
  if (!addresses.size()) return true;
  EndedRequests ended;
  if (long r = ended.error(); r < 0) return refuse_errno(Error::kPendingLost, "asynchronous I/O", "make a file for requests", r);
  if (!ended.cpus().count)
    return refuse(Error::kUnsupportedMapping, "asynchronous I/O",
                  "/sys does not tell the number of CPUs, from which its requests are counted");
  for (uint64_t address : addresses)
    if (!RestingContext(reinterpret_cast<AsyncRing*>(address), ended).rest()) return false;
  return true;
}

}  // namespace mig
