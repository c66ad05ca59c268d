#include "tools/command.h"

#include <fmt/format.h>

#include "tools/commands.h"

namespace mig {

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  auto at = values_.find(name);
  return at == values_.end() ? otherwise : at->second.back();
}

const std::vector<std::string>& Arguments::list(const std::string& name) const {
  static const std::vector<std::string> none;
  auto at = values_.find(name);
  return at == values_.end() ? none : at->second;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      run_command(),     ls_command(),     check_command(),   checkpoint_command(), restart_command(), move_command(),
      receive_command(), signal_command(), log_command(),     inspect_command(),    verify_command(),  core_command(),
      diff_command(),    doctor_command(), explain_command(), generate_command(),
  };
  return all;
}

const Command* find_command(const std::string& name) {
  for (const Command& c : commands())
    if (name == c.name) return &c;
  return nullptr;
}

std::string environment_name(const std::string& option) {
  std::string s = "MIG_";
  for (char c : option) s += c == '-' ? '_' : static_cast<char>(toupper(c));
  return s;
}

std::string usage_line(const Command& command) {
  std::string s = fmt::format("mig {}", command.name);
  if (!command.options.empty()) s += " [OPTIONS]";
  for (const Positional& p : command.positionals) s += p.required ? fmt::format(" {}", p.name) : fmt::format(" [{}]", p.name);
  if (command.rest) s += fmt::format(" [--] {}", command.rest);
  return s;
}

}  // namespace mig
