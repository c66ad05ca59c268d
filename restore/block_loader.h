// Reading the data of the process file into place, block by block of the checksums.
#pragma once
#include <sys/uio.h>

#include "image/layout.h"
#include "restore/home.h"
#include "restore/image_file.h"

namespace mig {

/// Where the bytes of one block belong.
struct Block {
  static constexpr uint32_t kMost = kBlockSize / kPage;
  uint64_t number;
  uint32_t count;    ///< of the pieces
  uint32_t waiting;  ///< 0: nobody needs it any more
  iovec pieces[kMost];
};

/// The thread that plans fills blocks, all threads read them.
class BlockLoader {
 public:
  BlockLoader();
  /// The next `size` bytes of the file belong at `address`; 0: they are not needed, only verified. Whole pages.
  void add(uint64_t address, uint64_t size);
  /// Returns when every byte stands in its place and is verified, and no thread but the caller is left.
  void finish();

 private:
  struct Worker {
    BlockLoader* loader;
    char* unneeded;
    uint32_t lives;
  };
  static constexpr uint32_t kRing = 32, kMostWorkers = 7;

  static void work(void* worker);
  void start_worker();
  Block& at(uint32_t n) { return ring_[n % kRing]; }
  void hand_over();
  bool read_one(char* unneeded);

  Block* ring_;
  uint32_t filled_ = 0, taken_ = 0;     ///< blocks, ever
  uint32_t events_ = 0, finished_ = 0;  ///< what workers wait for
  uint64_t position_ = kDataOffset;
  char* unneeded_;
  Worker workers_[kMostWorkers];
  uint32_t worker_count_ = 0;
};

}  // namespace mig
