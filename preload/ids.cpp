// Virtual ids. Until the first restart every number is the kernel's own, and nothing is translated. After it, a table
// leads from the numbers the program knows to those of today and back.
#include "preload/ids.h"

#include <sys/types.h>

#include "image/base/arch/x86_64/syscall.h"
#include "image/base/futex.h"
#include "preload/process.h"
#include "preload/state.h"

namespace mig {

int32_t process_vpid() {
  return state.vpid;
}
int32_t process_vppid() {
  return state.vppid;
}

int32_t virtual_id(int32_t real) {
  for (uint32_t i = 0; i < state.id_count; ++i)
    if (state.ids[i].real_number == real) return state.ids[i].virtual_number;
  return real;
}

int32_t real_id(int32_t virtual_number) {
  for (uint32_t i = 0; i < state.id_count; ++i)
    if (state.ids[i].virtual_number == virtual_number) return state.ids[i].real_number;
  return virtual_number;
}

void learn_real_ids() {
  uint32_t claimed = load(&state.claimed);
  if (state.id_capacity < claimed) {
    unmap_pages(state.ids, state.id_capacity * sizeof(IdPair));
    state.id_capacity = claimed + 64;
    state.ids = static_cast<IdPair*>(map_pages(state.id_capacity * sizeof(IdPair)));
    if (!state.ids) state.id_capacity = 0;
  }
  state.id_count = 0;
  for (uint32_t i = 0; i < claimed && i < state.id_capacity; ++i)
    state.ids[state.id_count++] = {slot_at(i)->record.vtid, slot_at(i)->real_tid};
}

}  // namespace mig
