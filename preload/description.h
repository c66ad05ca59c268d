// One open file description while it is being saved, and the kinds of thing it can be.
#pragma once
#include "preload/ids.h"
#include "preload/image_writer.h"
#include "preload/state.h"

namespace mig {

struct OpenDescription {
  int32_t fd;  ///< the first descriptor that refers to it
  uint32_t links;
  DescriptionRecord record;
  char path[4096];  ///< as the kernel shows it
};

/// Decides the kind of `d` and writes its records. `begin`..`end`: all descriptions of the process, for kinds that
/// have two ends. False: it cannot be saved; `state.failure` names it and says why.
bool save_description(ImageWriter& writer, OpenDescription& d, OpenDescription* begin, OpenDescription* end);

/// `fd 7 (PATH)`, for messages.
void describe_descriptor(class Text& text, const OpenDescription& d);

}  // namespace mig
