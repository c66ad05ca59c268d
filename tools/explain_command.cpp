// mig explain: an error code in full, from the table of errors.
#include <fmt/format.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/output.h"
#include "tools/problem.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

const char* exit_words(int code) {
  switch (code) {
    case kExitDone: return "done";
    case kExitRequest: return "the request is wrong";
    case kExitUsage: return "usage";
    case kExitRefused: return "refused by the environment";
    case kExitPartial: return "done in part";
    case kExitDeadline: return "deadline missed";
    case kExitDamaged: return "image damaged or of an unknown format";
    case kExitTransport: return "transport failed";
    default: return "internal";
  }
}

const ErrorInfo& look_up(const std::string& word) {
  std::string digits = word;
  if (digits.size() > 3 && (digits[0] == 'M' || digits[0] == 'm')) digits = digits.substr(3);
  bool number = !digits.empty() && digits.size() < 6 && digits.find_first_not_of("0123456789") == std::string::npos;
  const ErrorInfo* info = number ? error_info(static_cast<unsigned>(atoi(digits.c_str()))) : nullptr;
  if (info) return *info;
  throw Problem(Error::kBadArgument, word, "no error has that code", "`mig explain` without a code lists all of them.");
}

Json error_json(const ErrorInfo& e) {
  return {{"code", code_text(e.code)},
          {"title", e.title},
          {"cause", e.cause},
          {"remedy", e.remedy},
          {"exit", static_cast<int>(e.exit)}};
}

int list_all(bool json) {
  Table table({"CODE", "EXIT>", "ERROR"});
  Json all = Json::array();
  for (const ErrorInfo& e : kErrors) {
    if (!e.code) continue;
    table.add({code_text(e.code), std::to_string(e.exit), e.title});
    all.push_back(error_json(e));
  }
  if (json) print_json({{"schema_version", 1}, {"errors", all}});
  else table.print();
  return 0;
}

int run(const Arguments& a) {
  if (!a.has("CODE")) return list_all(a.has("json"));
  const ErrorInfo& e = look_up(a.text("CODE"));
  if (a.has("json")) {
    Json j = {{"schema_version", 1}};
    j.update(error_json(e));
    print_json(j);
    return 0;
  }
  fmt::print("{}: {}\n\n  {}\n  {}\n\n  Exit code {} ({}).\n", code_text(e.code), e.title, e.cause, e.remedy,
             static_cast<int>(e.exit), exit_words(e.exit));
  return 0;
}

}  // namespace

Command explain_command() {
  return {"explain",
          "explain an error code",
          "Prints what an error code means, why it happens and what to do. Without a code: all of them.",
          {{"CODE", "the code, with or without MIG", false}},
          {{"json", nullptr, nullptr, "print JSON"}},
          nullptr,
          {"mig explain MIG0040"},
          run};
}

}  // namespace mig
