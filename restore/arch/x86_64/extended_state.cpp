// Extended state on a CPU or kernel that may differ (image/base/arch/x86_64/xstate.h tells what must be done and why).
//
// Where both hosts lay it out alike, nothing is looked at. Memory is loaded and nothing of the user's is changed yet, so a
// refusal costs nothing.
//
// AMX: the permission that a program had asked for is asked for again, before there are other threads. A thread whose frame
// has room for tiles runs one tile instruction before it returns through that frame: only then does the kernel give it the
// larger area.
//
// Going to a CPU with protection keys from one without: the frame says nothing of them, and the thread's rights become
// "all" instead of Linux's "none but key 0". No key is in use then, and pkey_alloc(2) sets the rights of the caller.
#include "restore/extended_state.h"

#include <asm/prctl.h>
#include <ucontext.h>

#include "image/base/arch/x86_64/syscall.h"
#include "image/base/arch/x86_64/xstate.h"
#include "restore/arch/x86_64/frames.h"
#include "restore/failure.h"
#include "restore/image_file.h"

namespace mig {
namespace {

constexpr int kGetPermission = 0x1022, kRequestPermission = 0x1023;  ///< ARCH_*_XCOMP_PERM, Linux 5.16
constexpr uint64_t kNeedPermission = 1UL << kXstateTiles;

struct Adaptation {
  XstateLayout from, to;
  uint64_t can_have;
  bool keys;
  XstateVerdict verdict;
};

uint64_t permitted() {
  uint64_t components = 0;
  return sys(__NR_arch_prctl, kGetPermission, &components) < 0 ? ~kNeedPermission : components;
}

void request_permission(uint64_t wanted) {
  uint64_t missing = wanted & kNeedPermission & ~permitted();
  if (!missing || !(host_xstate_enabled() & missing)) return;
  if (long r = sys(__NR_arch_prctl, kRequestPermission, kXstateTiles); r < 0)
    give_up(Error::kCpuFeatures, xstate_name(kXstateTiles), "ask the kernel for them (ARCH_REQ_XCOMP_PERM)", r);
}

bool uses_keys() {
  bool keys = false;
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) { keys = p.protection_keys > 1; });
  return keys;
}

void* area_of(const ThreadRecord& t) {
  return reinterpret_cast<const ucontext_t*>(t.frame)->uc_mcontext.fpregs;
}

/// The thread had an area with room for tiles: it gets one again where this CPU has them.
bool has_tiles(const ThreadRecord& t) {
  XstateArea area(area_of(t));
  return area.extended() && (area.note().components & kNeedPermission);
}

bool adapt_area(void* area, void* argument) {
  auto a = static_cast<Adaptation*>(argument);
  a->verdict = adapt_xstate(area, a->from, a->to, a->can_have, a->keys);
  return a->verdict.result == XstateVerdict::kFits;
}

[[noreturn]] void refuse(const ThreadRecord& t, const XstateVerdict& v) {
  char object[160];
  Text(object) << "thread " << t.vtid << ": " << xstate_name(v.component);
  give_up(Error::kCpuFeatures, object,
          v.result == XstateVerdict::kLacks ? "they hold values, and this CPU (or its kernel) has none"
                                            : "this CPU keeps them where the thread's signal frame has no room");
}

void adapt_thread(const ThreadRecord& t, Adaptation a) {
  if ((t.flags & kThreadDead) || !t.frame || !area_of(t)) return;
  a.can_have = a.to.enabled & (has_tiles(t) ? ~0UL : ~kNeedPermission) & (permitted() | ~kNeedPermission);
  if (!each_frame(t.frame, a.from.enabled, adapt_area, &a)) refuse(t, a.verdict);
}

XstateLayout layout_of(const ExtendedStateRecord& r, const RecordHeader* h) {
  XstateLayout layout;
  layout.enabled = r.enabled;
  size_t count = h->tail_size / sizeof(XstateComponent);
  if (count > kXstateLimit - 2) count = kXstateLimit - 2;
  __builtin_memcpy(layout.component + 2, record_tail(h), count * sizeof(XstateComponent));
  return layout;
}

}  // namespace

void adapt_extended_state() {
  Adaptation a{};
  a.from = a.to = host_xstate_layout();
  image.each(RecordType::kExtendedState, [&](const RecordHeader* h) {
    auto record = record_as<ExtendedStateRecord>(h);
    a.from = layout_of(record, h);
    request_permission(record.permitted);
  });
  if (a.from == a.to) return;
  a.keys = uses_keys();
  image.each_as<ThreadRecord>(RecordType::kThread, [&](const ThreadRecord& t, const char*) { adapt_thread(t, a); });
}

void enter_extended_state(const ThreadRecord& t) {
  if (!t.frame || !area_of(t) || !has_tiles(t)) return;
  alignas(64) unsigned char configuration[64] = {1};
  configuration[16] = 64, configuration[48] = 1;
  asm volatile("ldtilecfg %0\n tilezero %%tmm0\n tilerelease" ::"m"(configuration));
}

}  // namespace mig
