// Memory for code that must not call malloc: whole mappings from the kernel, and arrays that grow by mremap.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {

constexpr size_t kPage = 4096;

/// Left free below what grows down: what a stack may grow by, and more.
constexpr size_t kGrowthRoom = 64 << 20;

constexpr uint64_t page_down(uint64_t v) {
  return v & ~(kPage - 1);
}
constexpr uint64_t page_up(uint64_t v) {
  return (v + kPage - 1) & ~(kPage - 1);
}

/// Fresh zero pages anywhere, or nullptr.
inline void* map_pages(size_t size) {
  long p = sys(__NR_mmap, 0L, page_up(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  return failed(p) ? nullptr : reinterpret_cast<void*>(p);
}
inline void unmap_pages(void* p, size_t size) {
  if (p) sys(__NR_munmap, p, page_up(size));
}

/// Memory for arrays straight from the kernel, a mapping each.
struct Pages {
  static constexpr bool kGivesBack = true;
  static void* grow(void* old, size_t old_bytes, size_t bytes) {
    if (!old) return map_pages(bytes);
    long p = sys(__NR_mremap, old, old_bytes, bytes, MREMAP_MAYMOVE);
    return failed(p) ? nullptr : reinterpret_cast<void*>(p);
  }
  static void give_back(void* p, size_t bytes) { unmap_pages(p, bytes); }
};

/// Where the elements of an Array stand. What can be given back is, in the end; the other kind needs no destructor.
template <class Memory, bool kGivesBack = Memory::kGivesBack>
struct ArrayMemory {
  void* at = nullptr;
  size_t bytes = 0;
};
template <class Memory>
struct ArrayMemory<Memory, true> : ArrayMemory<Memory, false> {
  ArrayMemory() = default;
  ArrayMemory(const ArrayMemory&) = delete;
  ArrayMemory& operator=(const ArrayMemory&) = delete;
  ~ArrayMemory() {
    if (this->at) Memory::give_back(this->at, this->bytes);
  }
};

/// A growing array of plain structures. Elements move when it grows: keep indexes, not pointers.
template <class T, class Memory = Pages>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  /// Appends a zeroed element; nullptr when the kernel has no memory left.
  T* add() { return add(1); }
  T* add(size_t n) {
    if (!reserve(used_ + n)) return nullptr;
    T* at = begin() + used_;
    used_ += n;
    return at;
  }
  bool push(const T& v) {
    T* at = add();
    if (at) *at = v;
    return at;
  }
  bool reserve(size_t n) {
    size_t bytes = page_up(n * sizeof(T));
    if (bytes <= memory_.bytes) return true;
    if (bytes < 2 * memory_.bytes) bytes = 2 * memory_.bytes;
    void* p = Memory::grow(memory_.at, memory_.bytes, bytes);
    if (!p) return false;
    memory_.at = p;
    memory_.bytes = bytes;
    return true;
  }
  /// Gives the memory back.
  void clear() {
    if (memory_.at) Memory::give_back(memory_.at, memory_.bytes);
    memory_.at = nullptr;
    used_ = memory_.bytes = 0;
  }
  void resize_down(size_t n) { used_ = n < used_ ? n : used_; }
  T* begin() { return static_cast<T*>(memory_.at); }
  T* end() { return begin() + used_; }
  const T* begin() const { return static_cast<const T*>(memory_.at); }
  const T* end() const { return begin() + used_; }
  T& operator[](size_t i) { return begin()[i]; }
  const T& operator[](size_t i) const { return begin()[i]; }
  size_t size() const { return used_; }

 private:
  ArrayMemory<Memory> memory_;
  size_t used_ = 0;
};

}  // namespace mig
