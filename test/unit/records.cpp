// image/records.h: the reader walks well-formed streams to the end and stops at damaged ones.
#include "image/records.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace mig;

static void append(std::vector<char>& to, RecordType type, const void* fixed, uint32_t size, const std::string& tail = "") {
  RecordHeader h{type, 0, size, static_cast<uint32_t>(tail.size())};
  auto p = reinterpret_cast<const char*>(&h);
  to.insert(to.end(), p, p + sizeof h);
  auto f = static_cast<const char*>(fixed);
  to.insert(to.end(), f, f + size);
  to.insert(to.end(), tail.begin(), tail.end());
  to.resize((to.size() + 7) / 8 * 8);
}

TEST_CASE("records are read back in order", "[records]") {
  std::vector<char> stream;
  LimitRecord limit{7, 0, 100, 200};
  TextRecord text{TextRole::kExecutable, 0};
  append(stream, RecordType::kLimit, &limit, sizeof limit);
  append(stream, RecordType::kText, &text, sizeof text, std::string("/bin/cat\0", 9));
  append(stream, RecordType::kLimit, &limit, sizeof limit);
  RecordReader reader(stream.data(), stream.size());
  auto first = reader.next();
  REQUIRE(first);
  CHECK(record_as<LimitRecord>(first).maximum == 200);
  auto second = reader.next();
  REQUIRE(second);
  CHECK(std::string(record_tail(second)) == "/bin/cat");
  CHECK(reader.next());
  CHECK(reader.next() == nullptr);
  CHECK_FALSE(reader.damaged());
}

TEST_CASE("fields that a record does not have are zero, and unknown ones are passed over", "[records]") {
  std::vector<char> stream;
  LimitRecord limit{7, 0, 100, 200};
  append(stream, RecordType::kLimit, &limit, 16);
  char longer[48] = {};
  std::memcpy(longer, &limit, sizeof limit);
  longer[40] = 99;
  append(stream, RecordType::kLimit, longer, sizeof longer);
  RecordReader reader(stream.data(), stream.size());
  auto cut = record_as<LimitRecord>(reader.next());
  CHECK(cut.current == 100);
  CHECK(cut.maximum == 0);
  CHECK(record_as<LimitRecord>(reader.next()).maximum == 200);
  CHECK(reader.next() == nullptr);
  CHECK_FALSE(reader.damaged());
}

TEST_CASE("a stream cut anywhere is damaged or shorter, never read beyond", "[records]") {
  std::vector<char> stream;
  LimitRecord limit{7, 0, 100, 200};
  for (int i = 0; i < 3; ++i) append(stream, RecordType::kLimit, &limit, sizeof limit, "tail");
  size_t whole = stream.size() / 3;
  for (size_t size = 0; size < stream.size(); ++size) {
    std::vector<char> cut(stream.begin(), stream.begin() + static_cast<long>(size));
    RecordReader reader(cut.data(), cut.size());
    size_t count = 0;
    while (reader.next()) ++count;
    CHECK(count == size / whole);
    CHECK(reader.damaged() == (size % whole != 0));
  }
}

TEST_CASE("random bytes end the walk", "[records]") {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint32_t> noise(64);
    for (auto& n : noise) n = random() >> (random() % 32);
    RecordReader reader(noise.data(), noise.size() * 4);
    auto end = reinterpret_cast<const char*>(noise.data() + noise.size());
    int count = 0;
    while (auto h = reader.next()) {
      REQUIRE(record_tail(h) + h->tail_size <= end);
      REQUIRE(++count < 100);
    }
  }
}
