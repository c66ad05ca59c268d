// Fresh pages are made in one call for a long piece, and hashed while what was read into them is still in the cache: a block of
// 1 MiB is read and verified by one thread. Large files are read by several: making and filling fresh pages keeps a processor
// busy for as long as it takes to copy them twice, and memory is faster than one processor. Where no thread can be created
// there is one less.
//
// Blocks wait in a ring. The thread that plans reads one itself when the ring is full.
#include "restore/block_loader.h"

#include <errno.h>
#include <sched.h>

#include "image/base/checksum.h"
#include "image/base/futex.h"
#include "restore/arch/x86_64/switch.h"
#include "restore/failure.h"

namespace mig {
namespace {

constexpr uint64_t kWorthThread = 16 << 20;  ///< bytes for each thread
constexpr size_t kWorkerStack = 64 << 10;
constexpr size_t kLong = 64 << 10;
constexpr int kPopulateWrite = 23;  ///< MADV_POPULATE_WRITE, Linux 5.14
constexpr unsigned long kWorkerFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

uint32_t processors() {
  uint64_t set[128] = {};
  long bytes = sys(__NR_sched_getaffinity, 0, sizeof set, set);
  uint32_t n = 0;
  for (long i = 0; i < bytes / 8; ++i)
    for (uint64_t word = set[i]; word; word &= word - 1) ++n;
  return n;
}

/// A page fault for each page of fresh memory would cost more. Where this does not work, they come.
void populate(const iovec& piece) {
  if (piece.iov_len >= kLong) sys(__NR_madvise, piece.iov_base, piece.iov_len, kPopulateWrite);
}

/// Reads one block, and hashes what has just arrived.
class BlockReader {
 public:
  explicit BlockReader(Block& block) : block_(block), at_(kDataOffset + block.number * kBlockSize) { XXH3_64bits_reset(&hash_); }

  void read() {
    while (next_ < block_.count) {
      long n = sys(__NR_preadv, image.fd(), block_.pieces + next_, block_.count - next_, at_, 0L);
      if (n == -EINTR) continue;
      if (n == -EFAULT || n == -ENOMEM) give_up(Error::kNoMemory, image.path(), "load its pages", n);
      if (n < 0) give_up(Error::kChecksum, image.path(), "read", n);
      if (n == 0) give_up(Error::kTruncated, image.path(), "it ends before its data does");
      at_ += static_cast<uint64_t>(n);
      pass(static_cast<uint64_t>(n));
    }
    if (XXH3_64bits_digest(&hash_) != image.block_checksum(block_.number))
      give_up(Error::kChecksum, image.path(), "a checksum does not match");
  }

 private:
  void pass(uint64_t n) {
    while (n) {
      iovec& v = block_.pieces[next_];
      uint64_t m = v.iov_len < n ? v.iov_len : n;
      XXH3_64bits_update(&hash_, v.iov_base, m);
      v.iov_base = static_cast<char*>(v.iov_base) + m;
      v.iov_len -= m, n -= m;
      if (!v.iov_len) ++next_;
    }
  }

  Block& block_;
  uint64_t at_;
  uint32_t next_ = 0;
  alignas(64) XXH3_state_t hash_;
};

/// `unneeded`: where the bytes go that have no place.
void load_block(Block& block, char* unneeded) {
  for (uint32_t i = 0; i < block.count; ++i) {
    iovec& piece = block.pieces[i];
    if (piece.iov_base) populate(piece);
    else piece.iov_base = unneeded, unneeded += piece.iov_len;
  }
  BlockReader(block).read();
}

}  // namespace

BlockLoader::BlockLoader()
    : ring_(static_cast<Block*>(home_memory(kRing * sizeof(Block)))), unneeded_(static_cast<char*>(home_memory(kBlockSize))) {
  uint64_t worth = (image.data_end() - kDataOffset) / kWorthThread;
  for (uint32_t n = 1, most = processors(); n < most && n < worth && n <= kMostWorkers; ++n) start_worker();
}

void BlockLoader::start_worker() {
  Worker& w = workers_[worker_count_];
  w = {this, static_cast<char*>(home_memory(kBlockSize)), 1};
  auto stack = static_cast<char*>(home_memory(kWorkerStack)) + kWorkerStack;
  if (!failed(mig_clone(kWorkerFlags, stack, work, &w))) ++worker_count_;
}

/// The kernel writes a zero to `lives` when the thread needs its memory no more.
void BlockLoader::work(void* worker) {
  auto w = static_cast<Worker*>(worker);
  BlockLoader& loader = *w->loader;
  sys(__NR_set_tid_address, &w->lives);
  for (;;) {
    uint32_t seen = load(&loader.events_);
    if (loader.read_one(w->unneeded)) continue;
    if (load(&loader.finished_)) break;
    futex_wait(&loader.events_, seen, kSecond);
  }
  for (;;) sys(__NR_exit, 0);
}

void BlockLoader::add(uint64_t address, uint64_t size) {
  if ((address | size) % kPage) give_up(Error::kChecksum, image.path(), "a run of its data is no whole number of pages");
  while (size) {
    uint64_t in_block = (position_ - kDataOffset) % kBlockSize;
    uint64_t n = size < kBlockSize - in_block ? size : kBlockSize - in_block;
    Block& block = at(filled_);
    block.pieces[block.count++] = {reinterpret_cast<void*>(address), n};
    position_ += n, size -= n;
    if (address) address += n;
    if ((position_ - kDataOffset) % kBlockSize == 0) hand_over();
  }
}

/// And takes the next one to fill, when it is free.
void BlockLoader::hand_over() {
  store(&at(filled_).waiting, 1);
  store(&filled_, filled_ + 1);
  __atomic_add_fetch(&events_, 1, __ATOMIC_ACQ_REL);
  if (worker_count_) futex_wake(&events_);
  Block& next = at(filled_);
  while (load(&next.waiting))
    if (!read_one(unneeded_)) futex_wait(&next.waiting, 1, kSecond);
  next.number = filled_, next.count = 0;
}

/// False: there is none that nobody reads.
bool BlockLoader::read_one(char* unneeded) {
  uint32_t n = load(&taken_);
  do
    if (n == load(&filled_)) return false;
  while (!__atomic_compare_exchange_n(&taken_, &n, n + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
  load_block(at(n), unneeded);
  store(&at(n).waiting, 0);
  if (worker_count_) futex_wake(&at(n).waiting);
  return true;
}

void BlockLoader::finish() {
  if ((position_ - kDataOffset) % kBlockSize) hand_over();
  if (position_ != image.data_end()) give_up(Error::kChecksum, image.path(), "its tables do not fit its data");
  while (read_one(unneeded_)) {
  }
  store(&finished_, 1);
  __atomic_add_fetch(&events_, 1, __ATOMIC_ACQ_REL);
  futex_wake(&events_);
  for (uint32_t i = 0; i < worker_count_; ++i)
    while (uint32_t lives = load(&workers_[i].lives)) futex_wait(&workers_[i].lives, lives, kSecond, true);
}

}  // namespace mig
