// image/base/arena.h: arrays on pages of the kernel.
#include "image/base/arena.h"

#include <catch2/catch.hpp>

using namespace mig;

TEST_CASE("pages", "[arena]") {
  CHECK(page_up(0) == 0);
  CHECK(page_up(1) == 4096);
  CHECK(page_up(4096) == 4096);
  CHECK(page_down(4095) == 0);
}

TEST_CASE("an array grows, keeps its elements, and new ones are zero", "[arena]") {
  Array<uint64_t> a;
  CHECK(a.size() == 0);
  for (uint64_t i = 0; i < 100000; ++i) REQUIRE(a.push(i));
  for (uint64_t i = 0; i < 100000; ++i) REQUIRE(a[i] == i);
  uint64_t* more = a.add(1000);
  REQUIRE(more);
  for (int i = 0; i < 1000; ++i) REQUIRE(more[i] == 0);
  CHECK(a.size() == 101000);
  a.resize_down(5);
  CHECK(a.size() == 5);
  a.clear();
  CHECK(a.size() == 0);
  CHECK(a.push(1));
}

TEST_CASE("an impossible size is refused, not a crash", "[arena]") {
  Array<uint64_t> a;
  a.push(3);
  CHECK_FALSE(a.reserve(size_t{1} << 50));
  CHECK(a[0] == 3);
}
