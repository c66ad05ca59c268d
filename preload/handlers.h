// Handlers of the program that look at who sent a signal, after a restart.
#pragma once
#include <signal.h>

namespace mig {

/// After a restart: puts ours in front of every SA_SIGINFO handler.
void translate_handlers();

using InfoHandler = void (*)(int, siginfo_t*, void*);

/// The program's own SA_SIGINFO handler of a signal, as last set.
InfoHandler own_handler(int signal);
/// Ours in place of the program's, in an action that the program sets.
void put_in_front(int signal, InfoHandler& handler, unsigned long flags);
/// `own` in place of ours, in what the kernel told.
void take_from_front(InfoHandler& handler, InfoHandler own);

/// si_pid as the program knows it.
void translate_sender(siginfo_t* info);

}  // namespace mig
