// What /proc says about a process, for the commands that look at live jobs.
#pragma once
#include <stdint.h>

#include <optional>
#include <string>
#include <vector>

namespace mig {

struct ProcessStat {
  int pid = 0, ppid = 0;
  char state = '?';
  int threads = 0;
  uint64_t start = 0;  ///< clock ticks since boot; with the pid it names a process for good
  uint64_t rss = 0;    ///< bytes
};

std::optional<ProcessStat> read_stat(int pid);
std::optional<ProcessStat> read_thread_stat(int pid, int tid);
std::vector<int> thread_ids(int pid);
std::vector<std::string> command_of(int pid);
std::string status_field(int pid, const std::string& field);
std::string thread_status_field(int pid, int tid, const std::string& field);
/// It is the process that ran at that time: one with the same number that started later is another. Its first thread may have
/// ended, also for the moment in which another one executes a program.
bool process_alive(int pid, uint64_t start);
/// "running", "sleeping", ...
const char* state_word(char state);
/// For exec: pointers into the words, and the null at the end.
std::vector<char*> argument_vector(const std::vector<std::string>& words);
std::string join_command(const std::vector<std::string>& words);
/// The whole text of a (kernel) file, empty when it cannot be read.
std::string slurp(const std::string& path);

}  // namespace mig
