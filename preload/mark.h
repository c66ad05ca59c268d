// The mark of a wrapper that a checkpoint must not split: a thread-local depth. A thread that is stopped inside a
// marked stretch goes on and is stopped again a moment later. Never hold a mark across a call that can block.
#pragma once

namespace mig {

inline thread_local int mark_of_thread __attribute__((tls_model("initial-exec"))) = 0;

inline int mark_depth() {
  return mark_of_thread;
}

class Mark {
 public:
  Mark() { __atomic_fetch_add(&mark_of_thread, 1, __ATOMIC_RELAXED); }
  ~Mark() { __atomic_fetch_sub(&mark_of_thread, 1, __ATOMIC_RELAXED); }
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;
};

/// A mark that may be left before the end of its block.
class LooseMark {
 public:
  LooseMark() { __atomic_fetch_add(&mark_of_thread, 1, __ATOMIC_RELAXED); }
  ~LooseMark() { leave(); }
  LooseMark(const LooseMark&) = delete;
  LooseMark& operator=(const LooseMark&) = delete;

  void leave() {
    if (held_) __atomic_fetch_sub(&mark_of_thread, 1, __ATOMIC_RELAXED);
    held_ = false;
  }

 private:
  bool held_ = true;
};

}  // namespace mig
