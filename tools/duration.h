// Durations and signals as people write them on a command line.
#pragma once
#include <string>

namespace mig {

/// "90", "90s", "10m", "2h", "1d" in seconds; throws kBadArgument.
double parse_duration(const std::string& option, const std::string& text);

/// A whole number in [low, high]; throws kBadArgument.
long parse_number(const std::string& option, const std::string& text, long low, long high);

/// "TERM", "SIGTERM", "15", "RTMIN+3"; throws kBadArgument.
int parse_signal(const std::string& text);

std::string signal_name(int signal);

}  // namespace mig
