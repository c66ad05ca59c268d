// What a subcommand is: a row of words and options, and the function that does it. The rows are the one
// source of the command line, of `--help`, of the manual pages and of the shell completion.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace mig {

struct Option {
  const char* name;   ///< long name, without dashes
  const char* brief;  ///< one letter, or nullptr
  const char* value;  ///< what its value is called, or nullptr for a switch
  const char* help;
  bool repeats = false;
};

struct Positional {
  const char* name;
  const char* help;
  bool required = true;
};

/// The options and arguments that were given, by name.
class Arguments {
 public:
  bool has(const std::string& name) const { return values_.count(name) != 0; }
  std::string text(const std::string& name, const std::string& otherwise = "") const;
  const std::vector<std::string>& list(const std::string& name) const;
  void add(const std::string& name, std::string value) { values_[name].push_back(std::move(value)); }

  std::vector<std::string> rest;  ///< the program and its arguments

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

struct Command {
  const char* name;
  const char* summary;
  const char* description;
  std::vector<Positional> positionals;
  std::vector<Option> options;
  const char* rest;  ///< what follows the options untouched ("PROG [ARG...]"), or nullptr
  std::vector<const char*> examples;
  int (*run)(const Arguments&);
  bool hidden = false;
};

/// All subcommands in the order of the help.
const std::vector<Command>& commands();
const Command* find_command(const std::string& name);

/// MIG_IMAGES for "images", MIG_READY_FD for "ready-fd".
std::string environment_name(const std::string& option);

/// "mig checkpoint [OPTIONS] TARGET"
std::string usage_line(const Command& command);

}  // namespace mig
