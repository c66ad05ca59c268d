// Sockets.
#pragma once
#include <sys/socket.h>

#include "restore/description.h"

namespace mig {

/// Listening, datagram and fresh sockets of every family: made and, unless that would touch a file, bound.
void open_socket(PreparedDescription& p);
/// Unix paths are bound, and listeners listen.
void finish_socket(PreparedDescription& p);
/// The socket of the job that is bound to this address, or nullptr.
PreparedDescription* socket_with_name(const char* address, size_t size);
/// When every unix socket has its name: the datagrams that waited in this process's sockets are sent to them again.
void send_unix_datagrams();
/// Connects datagram sockets again, which may be to one that another process binds.
void settle_socket(PreparedDescription& p, int fd);
/// Connected inside the job; with what waited in both directions.
void open_socket_pair(PreparedDescription& p);
/// A pair whose queues are filled when the processes exist (restore/messages.h): the descriptor through which its messages are sent, and
/// what is done when they are.
int far_end(PreparedDescription& p);
void complete_socket_pair(PreparedDescription& p);
/// TCP to ourselves; what cannot be connected again comes back as lost.
void open_tcp_pair(PreparedDescription& p);
/// A connection that the program sees as reset.
void open_lost_connection(PreparedDescription& p);

struct SocketAddress {
  sockaddr_storage storage;
  socklen_t size;
};
SocketAddress saved_address(const PreparedDescription& p, bool of_peer);

/// Sets the options that differ from the new socket's. `strict`: gives up if one cannot be set.
void set_socket_options(const PreparedDescription& p, bool strict);
/// The option that was kept otherwise until every listener listens.
void settle_options(PreparedDescription& p, int fd);
/// One option, if it was saved; returns whether it was.
bool set_saved_option(const PreparedDescription& p, int level, int name);

}  // namespace mig
