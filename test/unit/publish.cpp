// image/publish.h: numbering of images.
#include "image/publish.h"

#include <catch2/catch.hpp>

using namespace mig;

TEST_CASE("numbers of images", "[publish]") {
  CHECK(image_number("1") == 1);
  CHECK(image_number("120") == 120);
  CHECK(image_number("0") == 0);
  CHECK(image_number("01") == 0);
  CHECK(image_number("1a") == 0);
  CHECK(image_number("latest") == 0);
  CHECK(image_number("") == 0);
  CHECK(image_number("99999999999999999999999") == 0);
}
