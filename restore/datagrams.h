// What waited in Internet datagram sockets.
#pragma once

namespace mig {

/// Before the fork: the sockets that are needed for it are opened for all.
void find_datagrams();
/// When all sockets are bound: sends it again, from where it came.
void send_datagrams();

}  // namespace mig
