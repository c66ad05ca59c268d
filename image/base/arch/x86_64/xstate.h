// Extended state (vector and floating point registers) as it stands in a signal frame, and how it must be rewritten
// for another CPU or kernel. Pure functions on buffers: the restart stub uses them, unit tests try them.
//
// A signal frame holds an XSAVE area in the standard format: 512 bytes that FXSAVE knows too (x87, SSE), a header whose
// first word tells which components hold values (XSTATE_BV), then the components at offsets that CPUID leaf 0xD tells
// and that differ from CPU to CPU. In the last bytes of the first part (464 ff.) the kernel notes what it
// wrote (struct _fpx_sw_bytes: a magic number, size, components), and a second magic number stands behind the area.
//
// What rt_sigreturn does with a frame of another CPU (arch/x86/kernel/fpu/signal.c), and so what must be prevented:
//   - larger than this thread's own area, or a magic number missing: it loads x87 and SSE and drops the rest silently;
//   - XSTATE_BV with a component that XCR0 has not: the program gets SIGSEGV.
// Smaller is fine, and what the frame lacks becomes initial. So a frame is rewritten where it stands; it never grows.
//
// Found by trying: XSTATE_BV has bits set whose component is all zeros (AVX-512 masks after a vzeroupper; Intel tracks it
// coarsely). Protection keys are never zero: Linux starts every thread with 0x55555554, which means nothing as long as the
// program has no key. MPX registers hold anything where MPX is off (QEMU). FXSAVE leaves the software bytes as they are: a frame written by a host without XSAVE may
// show the note of an earlier generation at the same place. A thread's area has room for AMX tiles only from its first tile
// instruction on (XFD); before that, a frame with tiles counts as too large.
#pragma once
#include <cpuid.h>
#include <stddef.h>
#include <stdint.h>

namespace mig {

constexpr unsigned kXstateLimit = 32;  ///< components looked at
constexpr uint64_t kXstateLegacy = 3;  ///< x87 and SSE: every x86-64 has them
constexpr unsigned kXstateBounds = 3, kXstateBoundsControl = 4, kXstateKeys = 9, kXstateTiles = 18;
constexpr uint32_t kXstateLegacySize = 512, kXstateHeaderSize = 64;
constexpr uint32_t kXstateMagic1 = 0x46505853, kXstateMagic2 = 0x46505845;

struct XstateComponent {
  uint32_t offset, size;
};

/// Where a CPU keeps what.
struct XstateLayout {
  uint64_t enabled = 0;  ///< XCR0; 0: no XSAVE, frames are written by FXSAVE
  XstateComponent component[kXstateLimit] = {};

  bool has(unsigned i) const { return enabled >> i & 1; }
  /// The size of an area with these components.
  uint32_t size(uint64_t components) const {
    uint32_t end = kXstateLegacySize + kXstateHeaderSize;
    for (unsigned i = 2; i < kXstateLimit; ++i)
      if ((components >> i & 1) && component[i].offset + component[i].size > end) end = component[i].offset + component[i].size;
    return end;
  }
  bool operator==(const XstateLayout& other) const {
    if (enabled != other.enabled) return false;
    for (unsigned i = 2; i < kXstateLimit; ++i)
      if (has(i) && (component[i].offset != other.component[i].offset || component[i].size != other.component[i].size))
        return false;
    return true;
  }
};

/// The components that the operating system keeps for each thread (XCR0); 0: no XSAVE. A CPU with XSAVE has leaf 0xD; to ask for
/// the highest leaf each time would double the cost, which in a virtual machine is 5 to 25 microseconds for each CPUID.
inline uint64_t host_xstate_enabled() {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  if (!(c & bit_OSXSAVE)) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

inline XstateLayout host_xstate_layout() {
  XstateLayout layout;
  layout.enabled = host_xstate_enabled();
  unsigned a, b, c, d;
  for (unsigned i = 2; i < kXstateLimit; ++i)
    if (layout.has(i)) {
      __cpuid_count(0xd, i, a, b, c, d);
      layout.component[i] = {b, a};
    }
  return layout;
}

constexpr const char* xstate_name(unsigned component) {
  switch (component) {
    case 2: return "AVX registers (high halves of YMM)";
    case kXstateBounds:
    case kXstateBoundsControl: return "MPX bounds";
    case 5: return "AVX-512 mask registers";
    case 6: return "AVX-512 registers (high halves of ZMM0-15)";
    case 7: return "AVX-512 registers (ZMM16-31)";
    case kXstateKeys: return "memory protection keys";
    case 17:
    case kXstateTiles: return "AMX tiles";
    case 19: return "APX registers";
    default: return "extended registers";
  }
}

/// What the kernel notes in the area: struct _fpx_sw_bytes of asm/sigcontext.h.
struct XstateNote {
  uint32_t magic, extended_size;
  uint64_t components;
  uint32_t size, padding[7];
};
constexpr uint32_t kXstateNoteOffset = 464;
static_assert(kXstateNoteOffset + sizeof(XstateNote) == kXstateLegacySize);

struct XstateHeader {
  uint64_t in_use, compacted, reserved[6];
};
static_assert(sizeof(XstateHeader) == kXstateHeaderSize);

/// The XSAVE area of a signal frame.
class XstateArea {
 public:
  explicit XstateArea(void* at) : at_(static_cast<unsigned char*>(at)) {}
  XstateNote& note() const { return *reinterpret_cast<XstateNote*>(at_ + kXstateNoteOffset); }
  XstateHeader& header() const { return *reinterpret_cast<XstateHeader*>(at_ + kXstateLegacySize); }
  unsigned char* bytes(uint32_t offset) const { return at_ + offset; }
  /// More than x87 and SSE stands here.
  bool extended() const {
    const XstateNote& n = note();
    return n.magic == kXstateMagic1 && n.size >= kXstateLegacySize + kXstateHeaderSize && n.size <= kLargest &&
           n.extended_size >= n.size + sizeof kXstateMagic2 && end_word() == kXstateMagic2;
  }
  void write_note(uint64_t components, uint32_t size) const {
    note() = {kXstateMagic1, size + static_cast<uint32_t>(sizeof kXstateMagic2), components, size, {}};
    __builtin_memcpy(bytes(size), &kXstateMagic2, sizeof kXstateMagic2);
  }
  static constexpr uint32_t kLargest = 64 << 10;

 private:
  uint32_t end_word() const {
    uint32_t word;
    __builtin_memcpy(&word, bytes(note().size), sizeof word);
    return word;
  }
  unsigned char* at_;
};

struct XstateVerdict {
  enum Result { kFits, kLacks, kNoRoom } result;
  unsigned component;  ///< that the target lacks
};

/// Does the component mean nothing to the program? `keys`: it has protection keys of its own.
inline bool xstate_initial(const XstateArea& area, const XstateLayout& layout, unsigned component, bool keys) {
  const unsigned char* data = area.bytes(layout.component[component].offset);
  const uint32_t size = layout.component[component].size;
  if (component == kXstateKeys) return !keys && !(data[0] & 3);
  if (component == kXstateBounds || component == kXstateBoundsControl) {
    bool controlled = area.header().in_use >> kXstateBoundsControl & 1;
    return !controlled || !(*area.bytes(layout.component[kXstateBoundsControl].offset) & 1);
  }
  for (uint32_t i = 0; i < size; ++i)
    if (data[i]) return false;
  return true;
}

/// x87 and SSE registers that XSTATE_BV calls initial, for a reader that does not look at XSTATE_BV.
inline void fill_legacy(const XstateArea& area, uint64_t in_use) {
  constexpr uint32_t kRegisters = 32, kVectors = 160, kVectorsEnd = 416;
  if (!(in_use & 1)) {
    const uint32_t control = 0x37f;
    __builtin_memset(area.bytes(0), 0, 24);
    __builtin_memset(area.bytes(kRegisters), 0, kVectors - kRegisters);
    __builtin_memcpy(area.bytes(0), &control, sizeof control);
  }
  if (!(in_use & 2)) __builtin_memset(area.bytes(kVectors), 0, kVectorsEnd - kVectors);
}

inline void move_components(const XstateArea& area, const XstateLayout& from, const XstateLayout& to, uint64_t in_use) {
  static unsigned char copy[XstateArea::kLargest];
  const uint32_t begin = kXstateLegacySize + kXstateHeaderSize, size = from.size(in_use);
  __builtin_memcpy(copy + begin, area.bytes(begin), size - begin);
  for (unsigned i = 2; i < kXstateLimit; ++i)
    if (in_use >> i & 1)
      __builtin_memcpy(area.bytes(to.component[i].offset), copy + from.component[i].offset, to.component[i].size);
}

/// Rewrites the area of a frame written under `from` so that a thread with the components `can_have` of `to` loads all of
/// it that holds anything. Unchanged unless the verdict is kFits.
inline XstateVerdict adapt_xstate(void* at, const XstateLayout& from, const XstateLayout& to, uint64_t can_have, bool keys) {
  XstateArea area(at);
  if (!from.enabled || !area.extended()) {
    if (area.note().magic == kXstateMagic1) area.note().magic = 0;
    return {XstateVerdict::kFits, 0};
  }
  const XstateNote note = area.note();
  uint64_t in_use = area.header().in_use & note.components;
  can_have &= to.enabled;
  bool moves = false;
  for (unsigned i = 2; i < kXstateLimit; ++i) {
    if (!(in_use >> i & 1)) continue;
    const XstateComponent &was = from.component[i], &is = to.component[i];
    if (was.offset + was.size > note.size) return {XstateVerdict::kNoRoom, i};
    bool same_size = was.size == is.size && (can_have >> i & 1);
    if (!same_size && !xstate_initial(area, from, i, keys)) return {XstateVerdict::kLacks, i};
    if (!same_size) in_use &= ~(1UL << i);
    else moves = moves || was.offset != is.offset;
  }
  if (!to.enabled) {
    fill_legacy(area, in_use);
    area.note().magic = 0;
    return {XstateVerdict::kFits, 0};
  }
  const uint32_t room = note.extended_size - static_cast<uint32_t>(sizeof kXstateMagic2);
  uint32_t size = to.size(can_have);
  if (size > room) size = to.size(in_use);
  if (size > room) return {XstateVerdict::kNoRoom, 0};
  if (moves) move_components(area, from, to, in_use);
  area.header() = {in_use, 0, {}};
  area.write_note((note.components & can_have) | kXstateLegacy, size);
  return {XstateVerdict::kFits, 0};
}

}  // namespace mig
