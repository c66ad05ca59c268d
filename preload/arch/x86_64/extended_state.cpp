#include "preload/extended_state.h"

#include "image/base/arch/x86_64/xstate.h"

namespace mig {

constexpr int kGetPermission = 0x1022;  ///< ARCH_GET_XCOMP_PERM, Linux 5.16

bool save_extended_state(ImageWriter& writer) {
  XstateLayout layout = host_xstate_layout();
  ExtendedStateRecord r{layout.enabled, 0};
  if (sys(__NR_arch_prctl, kGetPermission, &r.permitted) < 0) r.permitted = 0;
  return writer.record(RecordType::kExtendedState, r, layout.component + 2,
                       sizeof layout.component - 2 * sizeof layout.component[0]);
}

bool has_protection_keys() {
  return host_xstate_enabled() >> kXstateKeys & 1;
}

}  // namespace mig
