// image/layout.h, errors.h and job.h: numbers that files and users rely on.
#include "image/layout.h"

#include <catch2/catch.hpp>
#include <cstddef>
#include <set>

#include "image/base/checksum.h"
#include "image/errors.h"
#include "image/job.h"

using namespace mig;

TEST_CASE("blocks cover the data exactly", "[layout]") {
  CHECK(block_count(kDataOffset) == 0);
  CHECK(block_count(kDataOffset + 1) == 1);
  CHECK(block_count(kDataOffset + kBlockSize) == 1);
  CHECK(block_count(kDataOffset + kBlockSize + 1) == 2);
  CHECK(note_align(1) == 4);
  CHECK(note_align(8) == 8);
}

TEST_CASE("the trailer's checksum covers all before it", "[layout]") {
  CHECK(sizeof(Trailer) == 64);
  CHECK(offsetof(Trailer, checksum) == 56);
}

TEST_CASE("the checksum is XXH3", "[layout]") {
  CHECK(checksum("", 0) == 0x2d06800538d394c2);
  CHECK(checksum("mig", 3) != checksum("mih", 3));
}

TEST_CASE("codes are unique and every error has its words", "[layout]") {
  std::set<unsigned> seen;
  for (const ErrorInfo& e : kErrors) {
    CHECK(seen.insert(e.code).second);
    if (!e.code) continue;
    CHECK(*e.title);
    CHECK(*e.cause);
    CHECK(*e.remedy);
    CHECK(e.exit != kExitDone);
    CHECK(error_info(e.code) == &e);
  }
  CHECK(error_info(31337) == nullptr);
}

TEST_CASE("the control block has room", "[layout]") {
  CHECK(kMaxMembers >= 1024);
  CHECK(sizeof(JobRequest::images) == 4096);
  CHECK(offsetof(JobRequest, phase) % 4 == 0);
  CHECK(offsetof(Job, request) % 8 == 0);
}
