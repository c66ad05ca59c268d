// What stops a command: the object it is about, the cause, the remedy and the stable number
// (image/errors.def).
#pragma once
#include <exception>
#include <string>

#include "image/errors.h"

namespace mig {

class Problem : public std::exception {
 public:
  /// `cause` and `remedy` default to the words of the table.
  explicit Problem(Error error, std::string object, std::string cause = "", std::string remedy = "");
  /// One that has its sentence already, from the job or from a file.
  static Problem said(unsigned code, std::string sentence);

  const char* what() const noexcept override { return sentence_.c_str(); }
  unsigned code() const { return code_; }
  int exit_code() const;

 private:
  Problem() = default;
  unsigned code_ = 0;
  std::string sentence_;
};

/// "MIG0040"
std::string code_text(unsigned code);

/// The kernel's words for an error number, positive or negative.
std::string kernel_reason(long error);

}  // namespace mig
