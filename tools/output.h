// How commands say things: aligned tables, sizes and times for people, JSON for programs.
#pragma once
#include <stdint.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace mig {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The last column is not padded; numbers (columns whose header ends in '>') stand right.
  void print() const;
  bool empty() const { return rows_.size() < 2; }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string size_text(uint64_t bytes);
std::string time_text(int64_t nanoseconds);             ///< a duration
std::string date_text(int64_t nanoseconds_since_1970);  ///< local time, "-" for 0
void print_json(const nlohmann::ordered_json& j);

}  // namespace mig
