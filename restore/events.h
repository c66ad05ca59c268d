// Descriptors that exist only to tell of events: eventfd, timerfd, signalfd, epoll.
#pragma once
#include "restore/description.h"

namespace mig {

void open_eventfd(PreparedDescription& p);
void open_timerfd(PreparedDescription& p);
void finish_timerfd(PreparedDescription& p);
void open_signalfd(PreparedDescription& p);
/// Its entries are registered at the commit (restore/files.cpp).
void open_epoll(PreparedDescription& p);

}  // namespace mig
