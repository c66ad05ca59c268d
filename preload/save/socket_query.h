// Questions about a socket that getsockopt(2) has no words for.
#pragma once
#include <stdint.h>

namespace mig {

struct UnixSocket {
  bool known;
  uint32_t state;    ///< TCP_ESTABLISHED, TCP_LISTEN, ...
  uint32_t peer;     ///< inode, 0: none (any more)
  uint32_t pending;  ///< of a listener: connections not yet accepted
  uint32_t backlog;
  uint32_t shutdown;  ///< 1: receives no more, 2: sends no more
  uint32_t file;      ///< inode of its file, as far as 32 bits go, 0: none
};

/// Asks sock_diag(7) about a unix socket by its inode.
UnixSocket query_unix_socket(uint64_t inode);

}  // namespace mig
