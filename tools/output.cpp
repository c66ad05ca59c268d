#include "tools/output.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mig {

void Table::print() const {
  std::vector<size_t> width(rows_[0].size());
  std::vector<bool> right(rows_[0].size());
  std::vector<std::vector<std::string>> rows = rows_;
  for (size_t c = 0; c < right.size(); ++c)
    if (!rows[0][c].empty() && rows[0][c].back() == '>') right[c] = true, rows[0][c].pop_back();
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size() && c < width.size(); ++c) width[c] = std::max(width[c], row[c].size());
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size() && c < width.size(); ++c) {
      if (right[c]) line += fmt::format("{:>{}}", row[c], width[c]);
      else if (c + 1 == row.size()) line += row[c];
      else line += fmt::format("{:<{}}", row[c], width[c]);
      if (c + 1 < row.size()) line += "  ";
    }
    fmt::print("{}\n", line);
  }
}

std::string size_text(uint64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double v = static_cast<double>(bytes);
  size_t unit = 0;
  while (v >= 1024 && unit < 4) v /= 1024, ++unit;
  return unit ? fmt::format("{:.1f} {}", v, units[unit]) : fmt::format("{} B", bytes);
}

std::string time_text(int64_t nanoseconds) {
  double s = static_cast<double>(nanoseconds) / 1e9;
  if (s < 0.1) return fmt::format("{:.1f} ms", s * 1e3);
  if (s < 120) return fmt::format("{:.2f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  return fmt::format("{:.1f} h", s / 3600);
}

std::string date_text(int64_t nanoseconds) {
  if (!nanoseconds) return "-";
  time_t t = nanoseconds / 1000000000;
  tm parts{};
  char text[64];
  localtime_r(&t, &parts);
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

void print_json(const nlohmann::ordered_json& j) {
  using Json = nlohmann::ordered_json;
  fmt::print("{}\n", j.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace mig
