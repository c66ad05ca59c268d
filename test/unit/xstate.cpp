// Extended state rewritten for another CPU: areas as kernels of imagined CPUs write them.
#include "image/base/arch/x86_64/xstate.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "image/cpu.h"

using namespace mig;

namespace {

constexpr uint64_t kAvx = 1 << 2, kAvx512 = 7 << 5, kKeys = 1 << kXstateKeys, kTiles = 3UL << 17;

XstateLayout nothing() {
  return {};
}
XstateLayout sse() {
  XstateLayout l;
  l.enabled = 3;
  return l;
}
XstateLayout avx() {
  XstateLayout l = sse();
  l.enabled |= kAvx;
  l.component[2] = {576, 256};
  return l;
}
/// Keys stand directly behind AVX where there is no AVX-512.
XstateLayout avx_and_keys() {
  XstateLayout l = avx();
  l.enabled |= kKeys;
  l.component[kXstateKeys] = {832, 8};
  return l;
}
XstateLayout server() {
  XstateLayout l = avx();
  l.enabled |= kAvx512 | kKeys | kTiles;
  l.component[5] = {1088, 64}, l.component[6] = {1152, 512}, l.component[7] = {1664, 1024};
  l.component[kXstateKeys] = {2688, 8};
  l.component[17] = {2752, 64}, l.component[kXstateTiles] = {2816, 8192};
  return l;
}

/// An area as the kernel writes it, with every component in use filled with its number.
struct Area {
  Area(const XstateLayout& layout, uint64_t components, uint64_t in_use) : bytes(16384), area(start()) {
    for (unsigned i = 2; i < kXstateLimit; ++i)
      if (in_use >> i & 1) memset(area.bytes(layout.component[i].offset), static_cast<int>(i), layout.component[i].size);
    memset(area.bytes(32), 0x11, 128);
    memset(area.bytes(160), 0x22, 256);
    if (!layout.enabled) return;
    area.header() = {in_use | kXstateLegacy, 0, {}};
    area.write_note(components, layout.size(components));
  }
  void* start() { return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(bytes.data()) + 63) & ~uintptr_t{63}); }
  bool holds(const XstateLayout& layout, unsigned i) const {
    for (uint32_t b = 0; b < layout.component[i].size; ++b)
      if (*area.bytes(layout.component[i].offset + b) != i) return false;
    return true;
  }
  std::vector<unsigned char> bytes;
  XstateArea area;
};

XstateVerdict adapt(Area& a, const XstateLayout& from, const XstateLayout& to, bool keys = false, uint64_t can_have = ~0UL) {
  return adapt_xstate(a.start(), from, to, can_have, keys);
}

bool loads_on(const Area& a, const XstateLayout& to) {
  const XstateNote& n = a.area.note();
  return a.area.extended() && n.size <= to.size(to.enabled) && !(a.area.header().in_use & ~to.enabled) &&
         !a.area.header().compacted;
}

}  // namespace

TEST_CASE("a frame for the same CPU stays as it is", "[xstate]") {
  XstateLayout cpu = server();
  Area a(cpu, cpu.enabled & ~kTiles, kAvx | kAvx512 | kKeys);
  auto before = a.bytes;
  CHECK(adapt(a, cpu, cpu, false, ~kTiles).result == XstateVerdict::kFits);
  CHECK(memcmp(before.data(), a.bytes.data(), before.size()) == 0);
}

TEST_CASE("components that hold nothing are dropped for a smaller CPU", "[xstate]") {
  XstateLayout from = server(), to = avx();
  Area a(from, from.enabled & ~kTiles, kAvx);
  a.area.header().in_use |= kAvx512;  // marked, but all zeros
  REQUIRE(adapt(a, from, to).result == XstateVerdict::kFits);
  CHECK(loads_on(a, to));
  CHECK(a.area.note().size == to.size(to.enabled));
  CHECK(a.area.header().in_use == (kAvx | kXstateLegacy));
  CHECK(a.holds(to, 2));
}

TEST_CASE("a component that holds something is refused by its number, and nothing changes", "[xstate]") {
  XstateLayout from = server(), to = avx();
  for (unsigned i : {5u, 6u, 7u, 17u, 18u}) {
    Area a(from, from.enabled, kAvx | 1UL << i);
    auto before = a.bytes;
    XstateVerdict v = adapt(a, from, to);
    CHECK(v.result == XstateVerdict::kLacks);
    CHECK(v.component == i);
    CHECK(memcmp(before.data(), a.bytes.data(), before.size()) == 0);
  }
}

TEST_CASE("components move to where the other CPU keeps them", "[xstate]") {
  XstateLayout from = server(), to = avx_and_keys();
  Area a(from, from.enabled & ~kTiles, kAvx | kKeys);
  REQUIRE(adapt(a, from, to, true).result == XstateVerdict::kFits);
  CHECK(loads_on(a, to));
  CHECK(a.holds(to, kXstateKeys));
  CHECK(a.holds(to, 2));
}

TEST_CASE("a frame has no room to grow, and takes what fits", "[xstate]") {
  XstateLayout from = avx(), to = server();
  Area a(from, from.enabled, kAvx);
  REQUIRE(adapt(a, from, to).result == XstateVerdict::kFits);
  CHECK(loads_on(a, to));
  CHECK(a.area.note().size == from.size(from.enabled));
  Area b(avx_and_keys(), avx_and_keys().enabled, kAvx | kKeys);
  CHECK(adapt(b, avx_and_keys(), to, true).result == XstateVerdict::kNoRoom);
}

TEST_CASE("rights of protection keys that the program never used are nothing", "[xstate]") {
  XstateLayout from = server(), to = avx();
  for (bool used : {false, true}) {
    Area a(from, from.enabled & ~kTiles, kAvx);
    const uint32_t usual = 0x55555554;
    memcpy(a.area.bytes(from.component[kXstateKeys].offset), &usual, sizeof usual);
    a.area.header().in_use |= kKeys;
    CHECK((adapt(a, from, to, used).result == XstateVerdict::kFits) == !used);
  }
}

TEST_CASE("bounds registers mean nothing while MPX is off", "[xstate]") {
  XstateLayout from = avx();
  from.enabled |= 3UL << kXstateBounds;
  from.component[kXstateBounds] = {960, 64}, from.component[kXstateBoundsControl] = {1024, 64};
  for (bool on : {false, true}) {
    Area a(from, from.enabled, kAvx | 3UL << kXstateBounds);
    *a.area.bytes(1024) = on;
    CHECK((adapt(a, from, avx()).result == XstateVerdict::kFits) == !on);
  }
}

TEST_CASE("a CPU without XSAVE reads only x87 and SSE", "[xstate]") {
  Area a(server(), server().enabled & ~kTiles, 0);
  a.area.header().in_use = 2;  // x87 untouched
  REQUIRE(adapt(a, server(), nothing()).result == XstateVerdict::kFits);
  CHECK(a.area.note().magic == 0);
  CHECK(*a.area.bytes(160) == 0x22);
  CHECK(*a.area.bytes(32) == 0);
  CHECK(*a.area.bytes(0) == 0x7f);
  Area b(avx(), avx().enabled, kAvx);
  CHECK(adapt(b, avx(), nothing()).component == 2);
}

TEST_CASE("a note that a CPU without XSAVE has left standing is not believed", "[xstate]") {
  Area stale(avx(), avx().enabled, kAvx);
  REQUIRE(adapt(stale, nothing(), avx()).result == XstateVerdict::kFits);
  CHECK_FALSE(stale.area.extended());
}

TEST_CASE("tiles fit only a thread that has room for them", "[xstate]") {
  XstateLayout cpu = server();
  Area a(cpu, cpu.enabled, kAvx | kTiles);
  CHECK(adapt(a, cpu, cpu, false, ~(1UL << kXstateTiles)).component == kXstateTiles);
  Area b(cpu, cpu.enabled, kAvx | kTiles);
  CHECK(adapt(b, cpu, cpu).result == XstateVerdict::kFits);
  CHECK(b.holds(cpu, kXstateTiles));
}

TEST_CASE("levels and sets of CPU features", "[xstate]") {
  CpuSet v2 = cpu_level_mask("x86-64-v2"), v3 = cpu_level_mask("x86-64-v3"), all = cpu_level_mask(nullptr);
  CHECK((v2 - v3).empty());
  CHECK_FALSE((v3 - v2).empty());
  CHECK((v3 - v2).has(static_cast<unsigned>(cpu_feature_index("avx2"))));
  CHECK_FALSE(v3.has(static_cast<unsigned>(cpu_feature_index("avx512f"))));
  CHECK(cpu_level_of(v2) == 2);
  CHECK(cpu_level_of(v3) == 3);
  CHECK(cpu_level_of(CpuSet{}) == 1);
  CHECK((all - cpu_binding_mask()).has(static_cast<unsigned>(cpu_feature_index("erms"))));
  CHECK(cpu_feature_index("no such thing") == -1);
  CHECK(cpu_level_number("x86-64-v5") == 0);
}
