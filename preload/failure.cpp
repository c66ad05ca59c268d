#include <string.h>

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
  const char* name = strerrordesc_np(static_cast<int>(-result));
  Text(state.failure.message) << object << ": " << action << " failed: " << (name ? name : "unknown error");
  return false;
}

}  // namespace mig
