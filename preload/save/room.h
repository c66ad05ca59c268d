// Room for the few descriptors that a checkpoint needs.
#pragma once
#include <stdint.h>

namespace mig {

/// Raises the limit of descriptors, if it leaves too few, for the length of a scope.
class ScopedDescriptorRoom {
 public:
  ScopedDescriptorRoom();
  ~ScopedDescriptorRoom();
  /// False: no room could be made; `state.failure` says so.
  bool ok() const { return ok_; }
  /// After a restart: the stub has set the limit already.
  void release();

 private:
  bool raise(uint64_t current, uint64_t maximum);
  bool ok_, raised_ = false;
};

/// The limit as the program knows it; nullptr: as the kernel tells.
const uint64_t* noted_descriptor_limit();

}  // namespace mig
