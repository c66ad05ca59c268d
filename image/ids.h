// The numbers that the program knows its processes, threads, groups and sessions by, against the kernel's numbers of today:
// one table for the whole job, in its control block (image/job.h), written by the stub and by every member.
//
// Two hash tables with open addressing, one per direction. An entry is read and written as one 64-bit word, so that
// readers need no lock; writers take `lock`. {0, 0}: free, {-1, -1}: was in use.
//
// What is not in the table is its own number: processes outside the job, and members born since the last restart. A new
// process or thread whose real number is some member's virtual one gets a fresh number, which no kernel gives out.
#pragma once
#include <stdint.h>

namespace mig {

struct IdEntry {
  int32_t virtual_number, real_number;
};

constexpr uint32_t kIdSlots = 1 << 16;      ///< a power of two; at most a quarter of it is used
constexpr int32_t kFirstFreshId = 1 << 22;  ///< PID_MAX_LIMIT of the kernel

struct IdSpace {
  uint32_t lock;
  uint32_t moved;      ///< 1: some number differs, so there is something to translate
  int32_t next_fresh;  ///< 0: kFirstFreshId
  uint32_t reserved;
  IdEntry group, session;  ///< those that the job's first process shares with somebody outside (its shell)
  IdEntry by_virtual[kIdSlots];
  IdEntry by_real[kIdSlots];
};

}  // namespace mig
