#include "tools/duration.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/problem.h"

namespace mig {

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& text, const char* wanted) {
  throw Problem(Error::kBadArgument, fmt::format("{} {}", option, text), fmt::format("this is not {}", wanted));
}

}  // namespace

double parse_duration(const std::string& option, const std::string& text) {
  char* end = nullptr;
  double v = strtod(text.c_str(), &end);
  double unit = 0;
  if (!strcmp(end, "") || !strcmp(end, "s")) unit = 1;
  if (!strcmp(end, "ms")) unit = 1e-3;
  if (!strcmp(end, "m") || !strcmp(end, "min")) unit = 60;
  if (!strcmp(end, "h")) unit = 3600;
  if (!strcmp(end, "d")) unit = 86400;
  if (end == text.c_str() || unit == 0 || !(v >= 0) || v > 1e9) refuse(option, text, "a time such as 30, 90s, 10m or 2h");
  return v * unit;
}

long parse_number(const std::string& option, const std::string& text, long low, long high) {
  char* end = nullptr;
  long v = strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || *end || v < low || v > high)
    refuse(option, text, fmt::format("a number from {} to {}", low, high).c_str());
  return v;
}

int parse_signal(const std::string& text) {
  std::string name = text;
  for (char& c : name) c = static_cast<char>(toupper(c));
  if (name.compare(0, 3, "SIG") == 0) name = name.substr(3);
  if (!name.empty() && isdigit(static_cast<unsigned char>(name[0]))) return static_cast<int>(parse_number("signal", name, 0, 64));
  for (int s = 1; s <= 31; ++s)
    if (const char* abbreviation = sigabbrev_np(s); abbreviation && name == abbreviation) return s;
  if (name.compare(0, 5, "RTMIN") == 0)
    return SIGRTMIN + static_cast<int>(name.size() == 5 ? 0 : parse_number("signal", name.substr(5), 0, SIGRTMAX - SIGRTMIN));
  if (name.compare(0, 5, "RTMAX") == 0)
    return SIGRTMAX + static_cast<int>(name.size() == 5 ? 0 : parse_number("signal", name.substr(5), SIGRTMIN - SIGRTMAX, 0));
  refuse("signal", text, "a signal's name or number");
}

std::string signal_name(int signal) {
  if (const char* abbreviation = sigabbrev_np(signal)) return fmt::format("SIG{}", abbreviation);
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  return fmt::format("signal {}", signal);
}

}  // namespace mig
