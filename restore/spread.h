// Which objects are in more than one process.
#pragma once
#include "restore/home.h"

namespace mig {

struct SpreadKey {
  uint64_t type, device, number;
};

/// A hash table of objects, each with the process that has it, or the note that several have.
class Spread {
 public:
  static constexpr int32_t kSeveral = -1;
  explicit Spread(size_t most);
  void note(const SpreadKey& key, int32_t process);
  bool has_several(const SpreadKey& key) const;

 private:
  struct Entry {
    SpreadKey key;
    int32_t process;
    uint32_t used;
  };
  Entry& find(const SpreadKey& key) const;
  Entry* entries_;
  size_t mask_;
};

}  // namespace mig
