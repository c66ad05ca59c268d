// What waited in unix sockets is sent to them again, with the descriptors that were under way and the senders' credentials.
//
// Bytes alone are put back as soon as a pair is made. What comes with more waits until every description is open, and is sent when the
// processes exist: the kernel lets a process tell no number but its own, so each sends its own messages, one after the other.
#pragma once
#include <sys/socket.h>

#include "restore/contents.h"
#include "restore/plan.h"
#include "restore/shared.h"

namespace mig {

struct WaitingMessage {
  MessageRecord record;
  const MessageRight* rights;
  size_t right_count;
  const char* data;
  size_t size;
  const char* sender;  ///< address of a datagram's sender
  size_t sender_size;  ///< 0: it had none
};

/// Calls visit(message) for each that waited in `p`.
template <class Visit>
void each_waiting(const PreparedDescription& p, Visit visit) {
  WaitingMessage m{};
  RecordReader reader = p.behind;
  while (const RecordHeader* h = reader.next()) {
    if (h->type == RecordType::kDescription) return;
    if (h->type == RecordType::kMessage) {
      m.record = record_as<MessageRecord>(h);
      m.rights = reinterpret_cast<const MessageRight*>(record_tail(h));
      m.right_count = h->tail_size / sizeof(MessageRight);
    }
    if (h->type == RecordType::kSocketAddress && record_as<SocketAddressRecord>(h).peer == kAddressOfSender)
      m.sender = record_tail(h), m.sender_size = h->tail_size;
    if (h->type != RecordType::kContents) continue;
    m.data = record_tail(h), m.size = h->tail_size;
    visit(m);
    m = {};
  }
}

/// Some message brings more than bytes.
bool brings_more(const PreparedDescription& p);
/// Sends it through `from` to the address, or to the other end. Returns 0 or a negative error number.
long send_message(const PreparedDescription& to, int from, const WaitingMessage& m, const sockaddr* address = nullptr,
                  size_t size = 0);

/// Before the fork: what several processes need for it is opened for all.
void find_underway();
/// The queue of `p` is filled when the processes exist.
void fill_later(PreparedDescription& p);
/// In each process, when all descriptions are open: fills those.
void fill_queues(const Plan& plan, int32_t process);

}  // namespace mig
