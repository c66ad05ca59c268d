// What the restart stub tells the library about the new process: a structure inside the library's own memory,
// found through ProcessRecord::resume_address and filled in by the stub after the memory is back. The library comes out of
// the image, so it may be older than the stub: fields are only ever added at the end, and the stub writes no more than
// ProcessRecord::resume_size bytes.
#pragma once
#include <stdint.h>

namespace mig {

struct ResumeInfo {
  uint32_t restarted;  ///< 1: filled in by the stub
  int32_t real_pid;
  int32_t ready_fd;             ///< gets one byte and is closed when the process runs; -1: none
  int32_t job_fd;               ///< of the job's file, to be mapped and closed; -1: none
  uint64_t vdso;                ///< where the running kernel's vDSO is, or 0
  int64_t restarted_at;         ///< CLOCK_REALTIME when the stub began
  int64_t monotonic, boottime;  ///< the kernel's clocks when the first timer began to run again
  uint64_t home, home_size;     ///< the stub's memory, to be unmapped when no thread needs it any more
  uint32_t environment_size;    ///< of `environment`: K=V sets, K alone removes; each with its zero byte
  uint32_t reserved;
  char environment[8192];
  char job[64];         ///< the job's name from now on
  char image[4096];     ///< directory of the image
  char directory[256];  ///< run directory (image/job.h)
};

}  // namespace mig
