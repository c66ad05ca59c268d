// mig generate: manual pages and shell completion from the table of commands. Hidden: the build calls it.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "tools/commands.h"
#include "tools/config.h"
#include "tools/problem.h"

namespace mig {

namespace {

std::string roff(const std::string& text) {
  std::string s;
  for (char c : text) {
    if (c == '\\') s += "\\e";
    else if (c == '-') s += "\\-";
    else if (c == '\'' && s.empty()) s += "\\(aq";
    else s += c;
  }
  return !s.empty() && s[0] == '.' ? "\\&" + s : s;
}

std::string head(const std::string& title) {
  return fmt::format(".TH {} 1 \"\" \"mig {}\" \"User Commands\"\n", title, MIG_VERSION);
}

std::string option_page(const Option& o) {
  std::string names = o.brief ? fmt::format("\\-{}, \\-\\-{}", o.brief, roff(o.name)) : fmt::format("\\-\\-{}", roff(o.name));
  std::string value = o.value ? fmt::format(" \\fI{}\\fR", o.value) : "";
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}{}. Environment: {}.\n", names, value, roff(o.help),
                     o.repeats ? " (may be given several times)" : "", environment_name(o.name));
}

std::string command_page(const Command& c) {
  std::string s = head(fmt::format("MIG\\-{}", c.name));
  s += fmt::format(".SH NAME\nmig\\-{} \\- {}\n.SH SYNOPSIS\n\\fB{}\\fR\n.SH DESCRIPTION\n{}\n", c.name, roff(c.summary),
                   roff(usage_line(c)), roff(c.description));
  if (!c.positionals.empty() || !c.options.empty()) s += ".SH OPTIONS\n";
  for (const Positional& p : c.positionals) s += fmt::format(".TP\n\\fI{}\\fR\n{}.\n", p.name, roff(p.help));
  for (const Option& o : c.options) s += option_page(o);
  if (!c.examples.empty()) s += ".SH EXAMPLES\n.nf\n";
  for (const char* e : c.examples) s += roff(e) + "\n";
  if (!c.examples.empty()) s += ".fi\n";
  return s + ".SH SEE ALSO\n\\fBmig\\fR(1)\n";
}

constexpr char kExitStatus[] =
    ".SH EXIT STATUS\n0 done; 1 the request is wrong (no such job ...); 2 usage; 3 refused by the "
    "environment; 4 done in part; "
    "5 deadline missed; 6 image damaged or of an unknown format; 7 transport failed; 10 internal. run and "
    "restart end with the "
    "program's own status, 128 + n after signal n.\n";

constexpr char kEnvironment[] =
    ".SH ENVIRONMENT\nEvery option has a variable: MIG_ and its name in capitals.\n.TP\nMIG_RUN\nWhere jobs "
    "are registered; default "
    "$XDG_RUNTIME_DIR/mig, else /tmp/mig\\-UID.\n.TP\nMIG_STOP_LIMIT\nSeconds for the threads of a job to "
    "stop.\n.TP\n"
    "MIG_ANSWER_LIMIT\nSeconds for a job to take a request.\n";

std::string main_page() {
  std::string s = head("MIG");
  s += ".SH NAME\nmig \\- checkpoint, restart and move running programs, without root\n.SH "
       "SYNOPSIS\n\\fBmig\\fR \\fICOMMAND\\fR [OPTIONS] ...\n"
       ".SH DESCRIPTION\nmig saves a running, unmodified program to files and lets it go on from them, on "
       "this host or another one, "
       "outside the kernel and without privilege. A program started by \\fBmig run\\fR or under "
       "LD_PRELOAD=libmig.so is a job.\n.SH COMMANDS\n";
  for (const Command& c : commands())
    if (!c.hidden)
      s += fmt::format(".TP\n\\fB{}\\fR\n{}. See \\fBmig\\-{}\\fR(1).\n", roff(usage_line(c)), roff(c.summary), c.name);
  return s + kEnvironment + kExitStatus + ".SH SEE ALSO\n\\fBcriu\\fR(8), \\fBld.so\\fR(8), \\fBcore\\fR(5)\n";
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  if (!out.flush()) throw Problem(Error::kNotWritable, path.string());
}

void generate_manual(const std::filesystem::path& directory) {
  write_file(directory / "mig.1", main_page());
  for (const Command& c : commands())
    if (!c.hidden) write_file(directory / fmt::format("mig-{}.1", c.name), command_page(c));
}

std::string option_words(const Command& c) {
  std::string s = "--help";
  for (const Option& o : c.options) s += fmt::format(" --{}", o.name);
  return s;
}

bool takes_target(const Command& c) {
  return !c.positionals.empty() && std::string(c.positionals[0].name) == "TARGET";
}

std::string bash_completion() {
  std::string names, cases;
  for (const Command& c : commands()) {
    if (c.hidden) continue;
    names += fmt::format("{} ", c.name);
    std::string jobs = takes_target(c) ? " $(mig ls 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u)" : "";
    const char* action = c.rest ? "-A command" : "-f";
    cases += fmt::format("    {}) words=\"{}{}\"; action=\"{}\" ;;\n", c.name, option_words(c), jobs, action);
  }
  return "# bash completion for mig; generated from the table of commands\n_mig() {\n  local "
         "current=${COMP_WORDS[COMP_CWORD]} words= action=-f\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
         names +
         "--help --version\" -- \"$current\"))\n    return\n  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  [ \"${current#-}\" = \"$current\" ] && COMPREPLY+=($(compgen $action -- "
         "\"$current\"))\n}\ncomplete -o filenames -F _mig mig\n";
}

/// Quoted for a zsh _arguments specification.
std::string zsh_text(const std::string& text) {
  std::string s;
  for (char c : text) {
    if (c == '\'') s += "'\\''";
    else if (c == '[' || c == ']' || c == ':') s += std::string("\\") + c;
    else s += c;
  }
  return s;
}

std::string zsh_option(const Option& o) {
  std::string value = o.value ? fmt::format(":{}:_files", o.value) : "";
  return fmt::format(" '{}--{}[{}]{}'", o.repeats ? "*" : "", o.name, zsh_text(o.help), value);
}

std::string zsh_completion() {
  std::string names, cases;
  for (const Command& c : commands()) {
    if (c.hidden) continue;
    names += fmt::format("    '{}:{}'\n", c.name, zsh_text(c.summary));
    std::string words;
    for (const Option& o : c.options) words += zsh_option(o);
    if (takes_target(c)) words += " '1:job:($(mig ls 2>/dev/null | awk \"NR > 1 { print \\$1 }\" | sort -u))'";
    words += c.rest ? " '*::program:_normal'" : " '*:file:_files'";
    cases += fmt::format("    {}) _arguments{} ;;\n", c.name, words);
  }
  return "#compdef mig\n# generated from the table of commands\n_mig() {\n  local -a commands=(\n" + names +
         "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n  local "
         "command=$words[2]\n  shift words\n  (( CURRENT-- ))\n"
         "  case $command in\n" +
         cases + "  esac\n}\n_mig \"$@\"\n";
}

int run(const Arguments& a) {
  std::string what = a.text("WHAT"), argument = a.text("ARGUMENT");
  if (what == "man") generate_manual(argument);
  else if (what == "completion" && argument == "bash") fmt::print("{}", bash_completion());
  else if (what == "completion" && argument == "zsh") fmt::print("{}", zsh_completion());
  else
    throw Problem(Error::kBadArgument, "generate " + what + " " + argument,
                  "it is `man DIR`, `completion bash` or `completion zsh`");
  return 0;
}

}  // namespace

Command generate_command() {
  Command c = {"generate",
               "write manual pages and completion",
               "Writes the manual pages into a directory, or completion to standard output.",
               {{"WHAT", "man or completion"}, {"ARGUMENT", "the directory, or bash or zsh"}},
               {},
               nullptr,
               {"mig generate man man1", "mig generate completion bash"},
               run};
  c.hidden = true;
  return c;
}

}  // namespace mig
