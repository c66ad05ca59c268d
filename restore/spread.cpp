#include "restore/spread.h"

namespace mig {

Spread::Spread(size_t most) {
  size_t slots = 64;
  while (slots < 2 * most) slots *= 2;
  entries_ = static_cast<Entry*>(home_memory(slots * sizeof(Entry)));
  mask_ = slots - 1;
}

Spread::Entry& Spread::find(const SpreadKey& key) const {
  size_t at = ((key.number ^ key.device * 31 ^ key.type << 56) * 0x9e3779b97f4a7c15) >> 32;
  for (;; ++at) {
    Entry& e = entries_[at & mask_];
    if (!e.used || (e.key.type == key.type && e.key.device == key.device && e.key.number == key.number)) return e;
  }
}

void Spread::note(const SpreadKey& key, int32_t process) {
  Entry& e = find(key);
  if (!e.used) e = {key, process, 1};
  else if (e.process != process) e.process = kSeveral;
}

bool Spread::has_several(const SpreadKey& key) const {
  const Entry& e = find(key);
  return e.used && e.process == kSeveral;
}

}  // namespace mig
