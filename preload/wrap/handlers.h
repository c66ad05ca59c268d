// Handlers of the program that need something of ours in front of them.
#pragma once
#include <signal.h>

namespace mig {

/// After a restart: puts ours in front of every SA_SIGINFO handler.
void translate_handlers();
/// The same for every handler that needs it by now.
void put_in_front_of_all();

using InfoHandler = void (*)(int, siginfo_t*, void*);

/// The program's own handler of a signal, as last set.
InfoHandler own_handler(int signal);
/// Ours in place of the program's, in an action that the program sets, if it is needed.
void put_in_front(int signal, InfoHandler& handler, unsigned long flags);
/// `own` in place of ours, in what the kernel told.
void take_from_front(InfoHandler& handler, InfoHandler own);

/// Whether this kind of siginfo has a pid at the usual place (siginfo_layout() in the kernel).
bool has_sender(int signal, int code);
/// si_pid as the program knows it.
void translate_sender(siginfo_t* info);

}  // namespace mig
