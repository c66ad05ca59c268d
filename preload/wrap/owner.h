// Who owns a descriptor's signals, and who holds a lock: fcntl(2) with ids.
#pragma once

namespace mig {

/// fcntl(2) by the kernel's convention, with virtual ids.
long control_with_ids(int fd, int command, long argument);

}  // namespace mig
