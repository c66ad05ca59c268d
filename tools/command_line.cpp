#include "tools/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <sstream>

#include "tools/command.h"
#include "tools/config.h"
#include "tools/problem.h"

namespace mig {

namespace {

constexpr size_t kHelpColumn = 24, kHelpWidth = 100;

/// Where CLI11 puts what it parsed, until the one command that was chosen is known.
struct Slot {
  std::string name;
  bool is_switch;
  bool switched = false;
  std::string value;
  std::vector<std::string> values;
};
using Slots = std::vector<std::unique_ptr<Slot>>;

std::string flags_of(const Option& o) {
  return o.brief ? fmt::format("-{},--{}", o.brief, o.name) : fmt::format("--{}", o.name);
}

/// Breaks a text into lines of at most `width` letters; the later ones begin with `indent`.
std::string wrap(const std::string& text, size_t width, const std::string& indent) {
  std::istringstream in(text);
  std::string out;
  size_t column = 0;
  for (std::string word; in >> word;) {
    bool breaks = column && column + 1 + word.size() > width;
    if (breaks) out.append("\n").append(indent);
    else if (column) out += ' ';
    out += word;
    column = (breaks || !column ? 0 : column + 1) + word.size();
  }
  return out;
}

std::string help_row(const std::string& names, const std::string& help) {
  const std::string indent(kHelpColumn, ' ');
  std::string s = fmt::format("  {:<{}}", names, kHelpColumn - 2);
  if (s.size() > kHelpColumn) s += "\n" + indent;
  return s + wrap(help, kHelpWidth - kHelpColumn, indent) + "\n";
}

std::string option_row(const Option& o) {
  std::string names = o.brief ? fmt::format("-{}, --{}", o.brief, o.name) : fmt::format("    --{}", o.name);
  if (o.value) names += std::string(" ") + o.value;
  return help_row(names, fmt::format("{} [{}]{}", o.help, environment_name(o.name), o.repeats ? " (repeatable)" : ""));
}

std::string help_of(const Command& c) {
  std::string s = fmt::format("Usage: {}\n\n{}\n", usage_line(c), wrap(c.description, kHelpWidth, ""));
  if (!c.positionals.empty()) s += "\nArguments:\n";
  for (const Positional& p : c.positionals) s += help_row(p.name, p.help);
  s += "\nOptions [each also by its environment variable]:\n";
  for (const Option& o : c.options) s += option_row(o);
  s += help_row("-h, --help", "print this help") + "\nExample:\n";
  for (const char* e : c.examples) s += fmt::format("  {}\n", e);
  return s;
}

std::string help_of_all() {
  std::string s =
      "Usage: mig COMMAND [OPTIONS] ...\n\nCheckpoint, restart and move running programs, without "
      "root.\n\nCommands:\n";
  for (const Command& c : commands())
    if (!c.hidden) s += help_row(c.name, c.summary);
  return s +
         "\nExample:\n  mig run --name job -- ./prog\n  mig checkpoint job --kill\n  mig restart job.mig\n\n"
         "`mig COMMAND --help` explains a command, `mig explain CODE` an error.\n";
}

/// The help comes from our table, not from CLI11.
class Words : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    const Command* c = find_command(app->get_name());
    return c ? help_of(*c) : help_of_all();
  }
};

void add_option(CLI::App& app, const Option& o, Slots& slots) {
  slots.push_back(std::make_unique<Slot>(Slot{o.name, !o.value, false, "", {}}));
  Slot& slot = *slots.back();
  CLI::Option* option;
  if (!o.value) {
    option = app.add_flag(flags_of(o), slot.switched, o.help);
  } else if (o.repeats) {
    option = app.add_option(flags_of(o), slot.values, o.help)->type_name(o.value)->allow_extra_args(false);
  } else {
    option = app.add_option(flags_of(o), slot.value, o.help)->type_name(o.value)->take_last();
  }
  option->envname(environment_name(o.name));
}

void add_positional(CLI::App& app, const Positional& p, Slots& slots) {
  slots.push_back(std::make_unique<Slot>(Slot{p.name, false, false, "", {}}));
  app.add_option(p.name, slots.back()->value, p.help)->required(p.required)->type_name("");
}

void add_command(CLI::App& app, const Command& c, Slots& slots) {
  CLI::App* sub = app.add_subcommand(c.name, c.summary);
  if (c.hidden) sub->group("");
  for (const Positional& p : c.positionals) add_positional(*sub, p, slots);
  for (const Option& o : c.options) add_option(*sub, o, slots);
}

bool takes_value(const Command& c, const std::string& word) {
  for (const Option& o : c.options) {
    if (!o.value) continue;
    if (word == std::string("--") + o.name || (o.brief && word == std::string("-") + o.brief)) return true;
  }
  return false;
}

/// Cuts off the program and its arguments: what follows `--`, or the first word that is no option.
std::vector<std::string> split_rest(const Command& c, std::vector<std::string>& words) {
  size_t at = 1;
  while (at < words.size() && words[at].size() > 1 && words[at][0] == '-' && words[at] != "--")
    at += takes_value(c, words[at]) ? 2 : 1;
  at = std::min(at, words.size());
  size_t program = at < words.size() && words[at] == "--" ? at + 1 : at;
  std::vector<std::string> rest(words.begin() + static_cast<long>(program), words.end());
  words.resize(at);
  return rest;
}

Arguments collect(const Slots& slots) {
  Arguments a;
  for (const auto& s : slots) {
    if (s->switched) a.add(s->name, "1");
    if (!s->value.empty()) a.add(s->name, s->value);
    for (const std::string& v : s->values) a.add(s->name, v);
  }
  return a;
}

}  // namespace

int run_command_line(std::vector<std::string> words) {
  CLI::App app("Checkpoint, restart and move running programs, without root.", "mig");
  app.formatter(std::make_shared<Words>());
  app.set_version_flag("--version", "mig " MIG_VERSION);
  app.require_subcommand(1);
  const Command* command = words.empty() ? nullptr : find_command(words[0]);
  std::vector<std::string> rest;
  if (command && command->rest) rest = split_rest(*command, words);
  if (words.size() == 1 && words[0] == "help") words[0] = "--help";
  Slots slots;
  for (const Command& c : commands())
    if (!command || command == &c) add_command(app, c, slots);
  try {
    std::reverse(words.begin(), words.end());
    app.parse(words);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::string object = command ? command->name : "command line";
    std::string help = command ? fmt::format("See `mig {} --help`.", command->name) : "See `mig --help`.";
    throw Problem(Error::kBadArgument, object, e.what(), help);
  }
  Arguments arguments = collect(slots);
  arguments.rest = std::move(rest);
  return command->run(arguments);
}

}  // namespace mig
