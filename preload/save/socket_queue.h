// What waits in a socket to be received.
#pragma once
#include "preload/save/description.h"

namespace mig {

/// What waits in a unix socket: its messages, or the bytes of a stream that belong together.
struct SocketQueue {
  struct Message {
    size_t size;
    uint32_t first_right, rights;  ///< descriptors under way
    int32_t pid;                   ///< of the sender, as the kernel knows it; 0: it did not say
    uint32_t uid, gid;
    uint32_t first_name, name;  ///< bytes of the address of a datagram's sender
  };
  struct Right {
    int32_t fd;  ///< ours
    uint32_t description;
  };
  ScratchArray<Message> messages;
  ScratchArray<Right> rights;
  ScratchArray<char> names;
};

void forget_socket_queues();
/// Looks what waits in a unix socket, and takes copies of the descriptors under way. `queue`: nullptr if nothing does. False: the
/// failure is set.
bool list_socket_queue(const OpenDescription& d, SocketQueue*& queue);
/// Copies it behind the record written last, message by message, without taking it out.
bool save_socket_queue(Saving& saving, OpenDescription& d);

/// The same for an Internet datagram socket, with the senders' addresses.
bool save_datagrams(Saving& saving, OpenDescription& d);
/// The same for a TCP connection.
bool save_tcp_queue(Saving& saving, OpenDescription& d);

}  // namespace mig
