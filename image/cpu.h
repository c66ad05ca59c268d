// Which instructions a program may have chosen its code by: one table of x86-64 features, and the levels of
// the x86-64 psABI over it.
//
// A program (or its libc) looks at the CPU once, at its start, and keeps function pointers to the best code;
// a restart on a CPU without those instructions would die long after. So an image records the features that
// the program could see, and a restart compares. A feature counts only if the operating system enabled its
// registers (XGETBV), as the program would have checked. Features with `hint` change speed only, and are
// never required.
//
// Freestanding: used by the preloaded library, by the restart stub and by mig. In a virtual machine each CPUID takes 5 to 25
// microseconds, and a checkpoint stops the program for it: each is asked once.
#pragma once
#include <cpuid.h>
#include <stdint.h>

namespace mig {

enum class CpuRegister : uint8_t { kEax, kEbx, kEcx, kEdx };

/// The parts of XCR0 that must be on before the feature can be used.
constexpr uint32_t kStateNone = 0;
constexpr uint32_t kStateAvx = 0x6;
constexpr uint32_t kStateAvx512 = 0xe6;
constexpr uint32_t kStateAmx = 0x60000;
constexpr uint32_t kStateApx = 0x80000;

struct CpuFeature {
  const char* name;  ///< as /proc/cpuinfo has it, where it does
  uint32_t leaf, subleaf;
  CpuRegister where;
  uint8_t bit;
  uint8_t level;  ///< first x86-64-vN that has it; 0: none
  bool hint;      ///< works (or is ignored) everywhere, only faster here
  uint32_t state;
};

inline constexpr CpuFeature kCpuFeatures[] = {
    {"sse3", 1, 0, CpuRegister::kEcx, 0, 2, false, kStateNone},
    {"pclmulqdq", 1, 0, CpuRegister::kEcx, 1, 0, false, kStateNone},
    {"ssse3", 1, 0, CpuRegister::kEcx, 9, 2, false, kStateNone},
    {"fma", 1, 0, CpuRegister::kEcx, 12, 3, false, kStateAvx},
    {"cx16", 1, 0, CpuRegister::kEcx, 13, 2, false, kStateNone},
    {"sse4_1", 1, 0, CpuRegister::kEcx, 19, 2, false, kStateNone},
    {"sse4_2", 1, 0, CpuRegister::kEcx, 20, 2, false, kStateNone},
    {"movbe", 1, 0, CpuRegister::kEcx, 22, 3, false, kStateNone},
    {"popcnt", 1, 0, CpuRegister::kEcx, 23, 2, false, kStateNone},
    {"aes", 1, 0, CpuRegister::kEcx, 25, 0, false, kStateNone},
    {"xsave", 1, 0, CpuRegister::kEcx, 26, 3, false, kStateNone},
    {"osxsave", 1, 0, CpuRegister::kEcx, 27, 3, false, kStateNone},
    {"avx", 1, 0, CpuRegister::kEcx, 28, 3, false, kStateAvx},
    {"f16c", 1, 0, CpuRegister::kEcx, 29, 3, false, kStateAvx},
    {"rdrand", 1, 0, CpuRegister::kEcx, 30, 0, false, kStateNone},
    {"fsgsbase", 7, 0, CpuRegister::kEbx, 0, 0, false, kStateNone},
    {"bmi1", 7, 0, CpuRegister::kEbx, 3, 3, false, kStateNone},
    {"hle", 7, 0, CpuRegister::kEbx, 4, 0, true, kStateNone},
    {"avx2", 7, 0, CpuRegister::kEbx, 5, 3, false, kStateAvx},
    {"bmi2", 7, 0, CpuRegister::kEbx, 8, 3, false, kStateNone},
    {"erms", 7, 0, CpuRegister::kEbx, 9, 0, true, kStateNone},
    {"rtm", 7, 0, CpuRegister::kEbx, 11, 0, false, kStateNone},
    {"avx512f", 7, 0, CpuRegister::kEbx, 16, 4, false, kStateAvx512},
    {"avx512dq", 7, 0, CpuRegister::kEbx, 17, 4, false, kStateAvx512},
    {"rdseed", 7, 0, CpuRegister::kEbx, 18, 0, false, kStateNone},
    {"adx", 7, 0, CpuRegister::kEbx, 19, 0, false, kStateNone},
    {"avx512ifma", 7, 0, CpuRegister::kEbx, 21, 0, false, kStateAvx512},
    {"clflushopt", 7, 0, CpuRegister::kEbx, 23, 0, false, kStateNone},
    {"clwb", 7, 0, CpuRegister::kEbx, 24, 0, false, kStateNone},
    {"avx512pf", 7, 0, CpuRegister::kEbx, 26, 0, false, kStateAvx512},
    {"avx512er", 7, 0, CpuRegister::kEbx, 27, 0, false, kStateAvx512},
    {"avx512cd", 7, 0, CpuRegister::kEbx, 28, 4, false, kStateAvx512},
    {"sha_ni", 7, 0, CpuRegister::kEbx, 29, 0, false, kStateNone},
    {"avx512bw", 7, 0, CpuRegister::kEbx, 30, 4, false, kStateAvx512},
    {"avx512vl", 7, 0, CpuRegister::kEbx, 31, 4, false, kStateAvx512},
    {"avx512vbmi", 7, 0, CpuRegister::kEcx, 1, 0, false, kStateAvx512},
    {"pku", 7, 0, CpuRegister::kEcx, 3, 0, false, kStateNone},
    {"ospke", 7, 0, CpuRegister::kEcx, 4, 0, false, kStateNone},
    {"waitpkg", 7, 0, CpuRegister::kEcx, 5, 0, false, kStateNone},
    {"avx512_vbmi2", 7, 0, CpuRegister::kEcx, 6, 0, false, kStateAvx512},
    {"gfni", 7, 0, CpuRegister::kEcx, 8, 0, false, kStateNone},
    {"vaes", 7, 0, CpuRegister::kEcx, 9, 0, false, kStateAvx},
    {"vpclmulqdq", 7, 0, CpuRegister::kEcx, 10, 0, false, kStateAvx},
    {"avx512_vnni", 7, 0, CpuRegister::kEcx, 11, 0, false, kStateAvx512},
    {"avx512_bitalg", 7, 0, CpuRegister::kEcx, 12, 0, false, kStateAvx512},
    {"avx512_vpopcntdq", 7, 0, CpuRegister::kEcx, 14, 0, false, kStateAvx512},
    {"rdpid", 7, 0, CpuRegister::kEcx, 22, 0, false, kStateNone},
    {"cldemote", 7, 0, CpuRegister::kEcx, 25, 0, true, kStateNone},
    {"movdiri", 7, 0, CpuRegister::kEcx, 27, 0, false, kStateNone},
    {"movdir64b", 7, 0, CpuRegister::kEcx, 28, 0, false, kStateNone},
    {"avx512_4vnniw", 7, 0, CpuRegister::kEdx, 2, 0, false, kStateAvx512},
    {"avx512_4fmaps", 7, 0, CpuRegister::kEdx, 3, 0, false, kStateAvx512},
    {"fsrm", 7, 0, CpuRegister::kEdx, 4, 0, true, kStateNone},
    {"avx512_vp2intersect", 7, 0, CpuRegister::kEdx, 8, 0, false, kStateAvx512},
    {"serialize", 7, 0, CpuRegister::kEdx, 14, 0, false, kStateNone},
    {"tsxldtrk", 7, 0, CpuRegister::kEdx, 16, 0, false, kStateNone},
    {"amx_bf16", 7, 0, CpuRegister::kEdx, 22, 0, false, kStateAmx},
    {"avx512_fp16", 7, 0, CpuRegister::kEdx, 23, 0, false, kStateAvx512},
    {"amx_tile", 7, 0, CpuRegister::kEdx, 24, 0, false, kStateAmx},
    {"amx_int8", 7, 0, CpuRegister::kEdx, 25, 0, false, kStateAmx},
    {"sha512", 7, 1, CpuRegister::kEax, 0, 0, false, kStateAvx},
    {"sm3", 7, 1, CpuRegister::kEax, 1, 0, false, kStateAvx},
    {"sm4", 7, 1, CpuRegister::kEax, 2, 0, false, kStateAvx},
    {"avx_vnni", 7, 1, CpuRegister::kEax, 4, 0, false, kStateAvx},
    {"avx512_bf16", 7, 1, CpuRegister::kEax, 5, 0, false, kStateAvx512},
    {"cmpccxadd", 7, 1, CpuRegister::kEax, 7, 0, false, kStateNone},
    {"fzrm", 7, 1, CpuRegister::kEax, 10, 0, true, kStateNone},
    {"fsrs", 7, 1, CpuRegister::kEax, 11, 0, true, kStateNone},
    {"fsrc", 7, 1, CpuRegister::kEax, 12, 0, true, kStateNone},
    {"amx_fp16", 7, 1, CpuRegister::kEax, 21, 0, false, kStateAmx},
    {"avx_ifma", 7, 1, CpuRegister::kEax, 23, 0, false, kStateAvx},
    {"avx_vnni_int8", 7, 1, CpuRegister::kEdx, 4, 0, false, kStateAvx},
    {"avx_ne_convert", 7, 1, CpuRegister::kEdx, 5, 0, false, kStateAvx},
    {"amx_complex", 7, 1, CpuRegister::kEdx, 8, 0, false, kStateAmx},
    {"avx_vnni_int16", 7, 1, CpuRegister::kEdx, 10, 0, false, kStateAvx},
    {"prefetchi", 7, 1, CpuRegister::kEdx, 14, 0, true, kStateNone},
    {"avx10", 7, 1, CpuRegister::kEdx, 19, 0, false, kStateAvx512},
    {"apx_f", 7, 1, CpuRegister::kEdx, 21, 0, false, kStateApx},
    {"xsaveopt", 0xd, 1, CpuRegister::kEax, 0, 0, false, kStateNone},
    {"xsavec", 0xd, 1, CpuRegister::kEax, 1, 0, false, kStateNone},
    {"xgetbv1", 0xd, 1, CpuRegister::kEax, 2, 0, false, kStateNone},
    {"lahf_lm", 0x80000001, 0, CpuRegister::kEcx, 0, 2, false, kStateNone},
    {"abm", 0x80000001, 0, CpuRegister::kEcx, 5, 3, false, kStateNone},
    {"sse4a", 0x80000001, 0, CpuRegister::kEcx, 6, 0, false, kStateNone},
    {"3dnowprefetch", 0x80000001, 0, CpuRegister::kEcx, 8, 0, true, kStateNone},
    {"xop", 0x80000001, 0, CpuRegister::kEcx, 11, 0, false, kStateAvx},
    {"fma4", 0x80000001, 0, CpuRegister::kEcx, 16, 0, false, kStateAvx},
    {"tbm", 0x80000001, 0, CpuRegister::kEcx, 21, 0, false, kStateNone},
    {"mwaitx", 0x80000001, 0, CpuRegister::kEcx, 29, 0, false, kStateNone},
    {"rdtscp", 0x80000001, 0, CpuRegister::kEdx, 27, 0, false, kStateNone},
    {"3dnowext", 0x80000001, 0, CpuRegister::kEdx, 30, 0, false, kStateNone},
    {"3dnow", 0x80000001, 0, CpuRegister::kEdx, 31, 0, false, kStateNone},
    {"clzero", 0x80000008, 0, CpuRegister::kEbx, 0, 0, false, kStateNone},
};
constexpr unsigned kCpuFeatureCount = sizeof kCpuFeatures / sizeof kCpuFeatures[0];
static_assert(kCpuFeatureCount <= 128);

/// One bit per entry of kCpuFeatures. Bits are of this build only: files hold names.
struct CpuSet {
  uint64_t word[2] = {0, 0};
  constexpr bool has(unsigned i) const { return word[i / 64] >> (i % 64) & 1; }
  constexpr void add(unsigned i) { word[i / 64] |= uint64_t{1} << (i % 64); }
  constexpr bool empty() const { return !word[0] && !word[1]; }
};
constexpr CpuSet operator&(const CpuSet& a, const CpuSet& b) {
  return {{a.word[0] & b.word[0], a.word[1] & b.word[1]}};
}
/// What `a` has and `b` has not.
constexpr CpuSet operator-(const CpuSet& a, const CpuSet& b) {
  return {{a.word[0] & ~b.word[0], a.word[1] & ~b.word[1]}};
}

constexpr bool cpu_name_equal(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

/// The index of a feature by its name, or -1.
constexpr int cpu_feature_index(const char* name) {
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (cpu_name_equal(kCpuFeatures[i].name, name)) return static_cast<int>(i);
  return -1;
}

/// 1 to 4 for "x86-64" (or "x86-64-v1") to "x86-64-v4"; 0 for any other name.
constexpr int cpu_level_number(const char* name) {
  if (cpu_name_equal(name, "x86-64") || cpu_name_equal(name, "x86-64-v1")) return 1;
  if (cpu_name_equal(name, "x86-64-v2")) return 2;
  if (cpu_name_equal(name, "x86-64-v3")) return 3;
  if (cpu_name_equal(name, "x86-64-v4")) return 4;
  return 0;
}

/// The features of a level. Without a (known) level: every feature.
constexpr CpuSet cpu_level_mask(const char* name) {
  int level = name ? cpu_level_number(name) : 0;
  CpuSet set;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (!level || (kCpuFeatures[i].level && kCpuFeatures[i].level <= level)) set.add(i);
  return set;
}

/// Features that a restart must find: all but the hints.
constexpr CpuSet cpu_binding_mask() {
  CpuSet set;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (!kCpuFeatures[i].hint) set.add(i);
  return set;
}

/// The extended state that the operating system keeps for each thread (XCR0), or 0.
inline uint64_t cpu_enabled_state() {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  if (!(c & (1u << 27))) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

/// The size of the XSAVE area for all that the operating system enabled; 512 (FXSAVE) without XSAVE.
inline uint32_t cpu_xstate_bytes() {
  if (!cpu_enabled_state()) return 512;
  unsigned a, b, c, d;
  __cpuid_count(0xd, 0, a, b, c, d);
  return b;
}

/// What this CPU has and its operating system lets programs use.
inline CpuSet cpu_features() {
  CpuSet set;
  const uint64_t state = cpu_enabled_state();
  const uint32_t highest[] = {static_cast<uint32_t>(__get_cpuid_max(0, nullptr)),
                              static_cast<uint32_t>(__get_cpuid_max(1u << 31, nullptr))};
  unsigned r[4] = {};
  uint32_t leaf = ~0u, subleaf = ~0u;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i) {
    const CpuFeature& f = kCpuFeatures[i];
    if (f.leaf != leaf || f.subleaf != subleaf) {
      leaf = f.leaf, subleaf = f.subleaf;
      r[0] = r[1] = r[2] = r[3] = 0;
      if (leaf == 7 && subleaf && highest[0] >= 7) __cpuid_count(7, 0, r[0], r[1], r[2], r[3]);
      bool has = leaf <= highest[leaf >> 31] && (leaf != 7 || r[0] >= subleaf) && (leaf != 0xd || state);
      r[0] = r[1] = r[2] = r[3] = 0;
      if (has) __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
    }
    bool present = r[static_cast<unsigned>(f.where)] >> f.bit & 1;
    if (present && (state & f.state) == f.state) set.add(i);
  }
  return set;
}

/// The highest level whose features are all in `set`: 1 to 4.
constexpr int cpu_level_of(const CpuSet& set) {
  const char* names[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
  int level = 1;
  for (const char* name : names) {
    if (!(cpu_level_mask(name) - set).empty()) break;
    ++level;
  }
  return level;
}

}  // namespace mig
