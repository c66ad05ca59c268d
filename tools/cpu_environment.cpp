// The level is kept by those who choose: glibc (string functions, libm, the lazy-binding trampoline, the
// hwcaps library folders) takes glibc.cpu.hwcaps; OpenSSL and OpenBLAS have variables of their own. A library
// that asks the CPUID instruction itself and knows no variable still chooses freely.
//
// glibc masks a feature that it knows and ignores the others, so both the names up to 2.32 (X_Usable) and the
// later ones are given. The loader's trampoline for lazy binding saves registers by XSAVEC into an area whose size it
// learnt from the CPU at the start: too small where the next CPU has more of them. So LD_BIND_NOW leaves it unused.
#include "tools/cpu_environment.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <map>
#include <vector>

#include "image/cpu.h"
#include "tools/problem.h"

namespace mig {

namespace {

/// glibc's names for a feature of ours, where they are not ours in capitals.
const std::map<std::string, std::vector<const char*>>& glibc_names() {
  static const std::map<std::string, std::vector<const char*>> names = {
      {"avx", {"AVX", "AVX_Usable", "AVX_Fast_Unaligned_Load"}},
      {"avx2", {"AVX2", "AVX2_Usable"}},
      {"fma", {"FMA", "FMA_Usable"}},
      {"fma4", {"FMA4", "FMA4_Usable"}},
      {"xop", {"XOP", "XOP_Usable"}},
      {"abm", {"LZCNT"}},
      {"sha_ni", {"SHA"}},
      {"pclmulqdq", {"PCLMULQDQ"}},
      {"xsavec", {"XSAVEC", "XSAVEC_Usable"}},
      {"avx512f", {"AVX512F", "AVX512F_Usable"}},
      {"avx512dq", {"AVX512DQ", "AVX512DQ_Usable"}},
      {"avx512cd", {"AVX512CD", "AVX512CD_Usable"}},
      {"avx512bw", {"AVX512BW", "AVX512BW_Usable"}},
      {"avx512vl", {"AVX512VL", "AVX512VL_Usable"}},
      {"avx512vbmi", {"AVX512_VBMI"}},
      {"avx512ifma", {"AVX512_IFMA"}},
  };
  return names;
}

std::string capitals(std::string s) {
  for (char& c : s) c = static_cast<char>(toupper(c));
  return s;
}

std::string glibc_mask(const CpuSet& off) {
  std::string s;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i) {
    if (!off.has(i) || kCpuFeatures[i].hint) continue;
    auto known = glibc_names().find(kCpuFeatures[i].name);
    if (known == glibc_names().end()) {
      s += ",-" + capitals(kCpuFeatures[i].name);
      continue;
    }
    for (const char* name : known->second) s += fmt::format(",-{}", name);
  }
  return s.empty() ? s : s.substr(1);
}

/// The bits of one CPUID register that are off.
uint64_t register_bits(const CpuSet& off, uint32_t leaf, CpuRegister where) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i) {
    const CpuFeature& f = kCpuFeatures[i];
    if (off.has(i) && f.leaf == leaf && f.subleaf == 0 && f.where == where) bits |= uint64_t{1} << f.bit;
  }
  return bits;
}

std::string openssl_mask(const CpuSet& off) {
  return fmt::format("~{:#x}:~{:#x}", register_bits(off, 1, CpuRegister::kEcx) << 32,
                     register_bits(off, 7, CpuRegister::kEcx) << 32 | register_bits(off, 7, CpuRegister::kEbx));
}

void append_tunable(const std::string& tunable) {
  const char* old = getenv("GLIBC_TUNABLES");
  setenv("GLIBC_TUNABLES", (old && *old ? std::string(old) + ":" + tunable : tunable).c_str(), 1);
}

const char* openblas_core(int level) {
  const char* cores[] = {"Prescott", "Nehalem", "Haswell", "SkylakeX"};
  return cores[level - 1];
}

std::string names_of(const CpuSet& set) {
  std::string s;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i)
    if (set.has(i)) s += (s.empty() ? "" : " ") + std::string(kCpuFeatures[i].name);
  return s;
}

}  // namespace

void set_cpu_environment(const std::string& level) {
  int number = cpu_level_number(level.c_str());
  if (!number)
    throw Problem(Error::kBadArgument, "--cpu " + level, "this is not a CPU level",
                  "Levels are x86-64-v1, x86-64-v2, x86-64-v3 and x86-64-v4.");
  CpuSet mask = cpu_level_mask(level.c_str());
  if (CpuSet missing = mask - cpu_features(); !missing.empty())
    throw Problem(Error::kCpuFeatures, "--cpu " + level, "this CPU is below that level: it lacks " + names_of(missing),
                  "Choose a lower level.");
  CpuSet off = cpu_level_mask(nullptr) - mask;
  setenv("MIG_CPU", level.c_str(), 1);
  append_tunable("glibc.cpu.hwcaps=" + glibc_mask(off));
  setenv("OPENSSL_ia32cap", openssl_mask(off).c_str(), 0);
  setenv("OPENBLAS_CORETYPE", openblas_core(number), 0);
  setenv("LD_BIND_NOW", "1", 1);
}

}  // namespace mig
