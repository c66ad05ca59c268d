// Contexts of the kernel's asynchronous I/O: made anew, with the events that nobody has read.
//
// The ring was loaded as ordinary memory. A new context gets a ring of the same size, whose tail is brought to the same place
// (image/base/async_ring.h), and takes the address, which is the context's id. The kernel's own number of it stays in it.
#include "restore/async_rings.h"

#include <errno.h>

#include "image/base/async_ring.h"
#include "restore/failure.h"

namespace mig {
namespace {

[[noreturn]] void ring_failed(const char* action, long result) {
  give_up(Error::kResourceFailed, "a context of asynchronous I/O", action, result);
}

AsyncRing* make_ring(const AsyncRing& wanted) {
  uint64_t context = 0;
  long r = sys(__NR_io_setup, smallest_request(async_ring_size(wanted.entries)), &context);
  if (r == -EAGAIN)
    give_up(Error::kResourceFailed, "a context of asynchronous I/O", "this host has no more requests to give (fs.aio-max-nr)");
  if (r < 0) ring_failed("io_setup", r);
  auto ring = reinterpret_cast<AsyncRing*>(context);
  if (ring->entries != wanted.entries)
    give_up(Error::kResourceFailed, "a context of asynchronous I/O",
            "this kernel counts with so many CPUs that it makes a larger ring than the program has room for");
  return ring;
}

}  // namespace

void restore_async_ring(const MappingRecord& mapping) {
  auto saved = reinterpret_cast<AsyncRing*>(mapping.start);
  uint64_t size = mapping.end - mapping.start;
  EndedRequests ended;
  if (long r = ended.error(); r < 0) ring_failed("make a file for its requests", r);
  AsyncRing* ring = make_ring(*saved);
  long r = ended.advance(ring, saved->head, [](const io_event&) {});
  if (r == 0) r = ended.add(ring, saved->unread());
  if (r < 0) ring_failed("number its requests", r);
  __builtin_memcpy(ring->events, saved->events, size - sizeof *saved);
  ring->head = saved->head;
  r = sys(__NR_mremap, ring, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, mapping.start);
  if (failed(r)) ring_failed("move it to its address", r);
}

}  // namespace mig
