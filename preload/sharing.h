// What clone(2) lets processes have in common and a restart cannot give them again.
#pragma once

namespace mig {

/// True: nothing of the kind. False: the failure says what this process shares with which other member.
bool shares_no_tables();

}  // namespace mig
