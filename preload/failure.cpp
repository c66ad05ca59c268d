#include "image/base/error_text.h"
#include "image/base/text.h"
#include "preload/state.h"

namespace mig {

State state;

bool refuse(Error error, const char* object, const char* cause) {
  state.failure.error = error;
  Text(state.failure.message) << object << ": " << cause;
  return false;
}

bool refuse_errno(Error error, const char* object, const char* action, long result) {
  state.failure.error = error;
  Text(state.failure.message) << object << ": " << action << " failed: " << error_text(result);
  return false;
}

}  // namespace mig
