// The program's environment after a restart (`mig restart --env K=V --unset K`).
#pragma once

namespace mig {

/// Applies what the stub was given to `environ`.
void change_environment();

}  // namespace mig
