#include "tools/problem.h"

#include <fmt/format.h>
#include <string.h>

namespace mig {

namespace {

std::string as_sentence(std::string s) {
  while (!s.empty() && (s.back() == '\n' || s.back() == ' ')) s.pop_back();
  if (!s.empty() && s.back() != '.' && s.back() != '!' && s.back() != '?') s += '.';
  return s;
}

}  // namespace

std::string code_text(unsigned code) {
  return fmt::format("MIG{:04}", code);
}

std::string kernel_reason(long error) {
  return strerror(static_cast<int>(error < 0 ? -error : error));
}

Problem::Problem(Error error, std::string object, std::string cause, std::string remedy) : code_(static_cast<unsigned>(error)) {
  const ErrorInfo* info = error_info(code_);
  if (cause.empty() && info) cause = info->title;
  if (remedy.empty() && info) remedy = info->remedy;
  sentence_ = fmt::format("{}: {} {} ({})", object, as_sentence(cause), as_sentence(remedy), code_text(code_));
}

Problem Problem::said(unsigned code, std::string sentence) {
  Problem p;
  p.code_ = code;
  if (sentence.empty())
    if (const ErrorInfo* info = error_info(code)) sentence = as_sentence(info->title) + " " + info->remedy;
  p.sentence_ = as_sentence(sentence);
  if (p.sentence_.find("(MIG") == std::string::npos) p.sentence_ += fmt::format(" ({})", code_text(code));
  return p;
}

int Problem::exit_code() const {
  const ErrorInfo* info = error_info(code_);
  return info ? info->exit : kExitInternal;
}

}  // namespace mig
