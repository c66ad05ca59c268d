// What waits in a socket to be received.
#pragma once
#include "preload/description.h"

namespace mig {

/// Copies it behind the record written last, message by message, without taking it out.
bool save_socket_queue(Saving& saving, OpenDescription& d);

/// The same for a TCP connection.
bool save_tcp_queue(Saving& saving, OpenDescription& d);

}  // namespace mig
