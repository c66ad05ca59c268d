// Descriptors that exist only to tell of events: eventfd, timerfd, signalfd, epoll, pidfd.
#pragma once
#include "preload/save/description.h"

namespace mig {

bool save_eventfd(Saving& saving, OpenDescription& d);
bool save_timerfd(Saving& saving, OpenDescription& d);
bool save_signalfd(Saving& saving, OpenDescription& d);
bool save_epoll(Saving& saving, OpenDescription& d);
bool save_pidfd(Saving& saving, OpenDescription& d);

}  // namespace mig
