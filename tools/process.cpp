#include "tools/process.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace mig {

namespace {

std::optional<ProcessStat> parse_stat(const std::string& text) {
  size_t close = text.rfind(')');  // the name may hold anything, parentheses too
  if (close == std::string::npos) return {};
  ProcessStat s;
  s.pid = atoi(text.c_str());
  std::istringstream in(text.substr(close + 1));
  std::string skip;
  in >> s.state >> s.ppid;
  for (int field = 5; field < 20; ++field) in >> skip;
  in >> s.threads >> skip >> s.start >> skip >> s.rss;
  if (!in) return {};
  s.rss *= static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return s;
}

std::string find_field(const std::string& text, const std::string& field) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, field.size() + 1, field + ":") == 0) {
      size_t at = line.find_first_not_of(" \t", field.size() + 1);
      return at == std::string::npos ? "" : line.substr(at);
    }
  return "";
}

}  // namespace

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::optional<ProcessStat> read_stat(int pid) {
  return parse_stat(slurp("/proc/" + std::to_string(pid) + "/stat"));
}

std::optional<ProcessStat> read_thread_stat(int pid, int tid) {
  return parse_stat(slurp("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat"));
}

std::vector<int> thread_ids(int pid) {
  std::vector<int> ids;
  DIR* d = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (!d) return ids;
  while (dirent* e = readdir(d))
    if (int tid = atoi(e->d_name)) ids.push_back(tid);
  closedir(d);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string> command_of(int pid) {
  std::vector<std::string> words;
  std::istringstream in(slurp("/proc/" + std::to_string(pid) + "/cmdline"));
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  return words;
}

std::string status_field(int pid, const std::string& field) {
  return find_field(slurp("/proc/" + std::to_string(pid) + "/status"), field);
}

std::string thread_status_field(int pid, int tid, const std::string& field) {
  return find_field(slurp("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status"), field);
}

namespace {

constexpr int kLooks = 3;

bool has_ended(const ProcessStat& s) {
  return s.state == 'X' || (s.state == 'Z' && s.threads < 2);
}

}  // namespace

/// A look at a process in which another thread than the first executes a program may find the thread that has just gone.
bool process_alive(int pid, uint64_t start) {
  if (pid <= 0) return false;
  for (int i = 0; i < kLooks; ++i) {
    auto s = read_stat(pid);
    if (s && s->start > start) return false;
    if (s && !has_ended(*s)) return true;
    sched_yield();
  }
  return false;
}

const char* state_word(char state) {
  switch (state) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "uninterruptible";
    case 'T': return "stopped";
    case 't': return "traced";
    case 'Z': return "zombie";
    case 'I': return "idle";
    default: return "dead";
  }
}

std::vector<char*> argument_vector(const std::vector<std::string>& words) {
  std::vector<char*> v;
  v.reserve(words.size() + 1);
  for (const std::string& w : words) v.push_back(const_cast<char*>(w.c_str()));
  v.push_back(nullptr);
  return v;
}

std::string join_command(const std::vector<std::string>& words) {
  std::string s;
  for (const std::string& w : words) s += (s.empty() ? "" : " ") + w;
  return s;
}

}  // namespace mig
