// The rows of all subcommands; each stands in the file of its name.
#pragma once
#include "tools/command.h"

namespace mig {

Command run_command();
Command ls_command();
Command check_command();
Command checkpoint_command();
Command restart_command();
Command move_command();
Command receive_command();
Command signal_command();
Command log_command();
Command inspect_command();
Command verify_command();
Command core_command();
Command diff_command();
Command doctor_command();
Command explain_command();
Command generate_command();

}  // namespace mig
