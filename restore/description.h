// One open file description while it is being restored, and the kinds of thing it can be.
#pragma once
#include "image/records.h"

namespace mig {

struct PreparedDescription {
  DescriptionRecord record;
  const char* path;
  int fd;
};

/// Opens it anew, without changing anything of the user's; gives up if that cannot be done. `begin`..`end`: all
/// descriptions, for kinds that have two ends. Returns the descriptor.
int open_description(PreparedDescription& p, PreparedDescription* begin, PreparedDescription* end);

/// At the commit: cuts a written file back to the length it had, and sets the position.
void finish_description(PreparedDescription& p);

}  // namespace mig
