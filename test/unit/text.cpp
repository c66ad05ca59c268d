// image/base/text.h: text in fixed buffers.
#include "image/base/text.h"

#include <catch2/catch.hpp>
#include <climits>
#include <string>

using namespace mig;

TEST_CASE("text functions", "[text]") {
  CHECK(text_length("") == 0);
  CHECK(text_equal("abc", "abc"));
  CHECK_FALSE(text_equal("abc", "ab"));
  CHECK_FALSE(text_equal("ab", "abc"));
  CHECK(text_starts("/dev/null", "/dev/"));
  CHECK_FALSE(text_starts("/de", "/dev/"));
  CHECK(text_ends("name (deleted)", " (deleted)"));
  CHECK_FALSE(text_ends("d)", " (deleted)"));
  CHECK(std::string(text_find("a=b=c", "=c")) == "=c");
  CHECK(text_find("abc", "d") == nullptr);
  char small[4] = "xxx";
  text_copy(small, "abcdef", sizeof small);
  CHECK(std::string(small) == "abc");
}

TEST_CASE("numbers in all widths", "[text]") {
  char buffer[200];
  Text t(buffer);
  t << LONG_MIN << " " << LONG_MAX << " " << ULONG_MAX << " " << 0 << " " << -7;
  CHECK(std::string(t.c_str()) == "-9223372036854775808 9223372036854775807 18446744073709551615 0 -7");
  Text h(buffer);
  h.hex(0).put(' ').hex(0xabc, 8).put(' ').hex(ULONG_MAX);
  CHECK(std::string(h.c_str()) == "0 00000abc ffffffffffffffff");
}

TEST_CASE("a full buffer is cut, ended and remembered", "[text]") {
  char buffer[5];
  Text t(buffer);
  t << "abcdefgh";
  CHECK(std::string(t.c_str()) == "abcd");
  CHECK(t.overflow());
  CHECK(t.size() == 4);
}

TEST_CASE("JSON strings", "[text]") {
  char buffer[100];
  Text t(buffer);
  t.json("a\"b\\c\n\x01\xc3\xa4");
  CHECK(std::string(t.c_str()) == "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa4\"");
}

TEST_CASE("scanning a line of maps", "[text]") {
  Scan s("7f00-7fff rw-p 00001000 fd:01 42   /lib/x y.so");
  CHECK(s.hex() == 0x7f00);
  CHECK(s.skip('-').hex() == 0x7fff);
  s.skip_spaces();
  CHECK(s.next() == 'r');
  s.after(' ');
  CHECK(s.hex() == 0x1000);
  CHECK(s.hex() == 0xfd);
  CHECK(s.skip(':').hex() == 1);
  CHECK(s.number() == 42);
  CHECK(std::string(s.skip_spaces().at()) == "/lib/x y.so");
  CHECK(Scan("-12").number() == -12);
  CHECK(Scan("0755").octal() == 0755);
  CHECK(Scan("").next() == '\0');
}
