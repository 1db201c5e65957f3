// SPDX-License-Identifier: Apache-2.0
// Just enough of Python's lexical rules (The Python Language Reference, chapter 2) to tell code from strings and
// comments, and statements at the top level from those below it.
#include "backends/python/recognise.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "backends/python/descriptor.h"
#include "base/text.h"

namespace protean::python {
namespace {

constexpr std::string_view kPackage = "protean_worker";

/// Walks the text; take_statement() gives one logical line at a time without strings, comments and line breaks.
class Statements {
 public:
  explicit Statements(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

  std::string take_statement() {
    std::string code;
    std::size_t open = 0;  // brackets
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '#') {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
        continue;
      }
      if (c == '"' || c == '\'') {
        skip_string(c);
        code += "''";
        continue;
      }
      rest_.remove_prefix(1);
      if (c == '\\' && !rest_.empty() && (rest_.front() == '\n' || rest_.front() == '\r')) {
        skip_line_break();
        code += ' ';
        continue;
      }
      if (c == '\n' && open == 0) return code;
      if (c == '(' || c == '[' || c == '{') ++open;
      if ((c == ')' || c == ']' || c == '}') && open > 0) --open;
      code += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    }
    return code;
  }

 private:
  void skip_line_break() {
    if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
    rest_.remove_prefix(1);
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool is_long = rest_.starts_with(triple);
    const std::string_view end = is_long ? std::string_view(triple) : std::string_view(triple).substr(0, 1);
    rest_.remove_prefix(end.size());
    while (!rest_.empty() && !rest_.starts_with(end)) {
      if (!is_long && rest_.front() == '\n') return;
      rest_.remove_prefix(rest_.front() == '\\' ? std::min<std::size_t>(2, rest_.size()) : 1);
    }
    rest_.remove_prefix(std::min(end.size(), rest_.size()));
  }

  std::string_view rest_;
};

/// Words and single other characters.
std::vector<std::string_view> tokens_of(std::string_view code) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
  };
  std::vector<std::string_view> tokens;
  for (std::size_t i = 0; i < code.size();) {
    std::size_t end = i + 1;
    if (is_word(code[i])) {
      while (end < code.size() && is_word(code[end])) ++end;
    }
    if (code[i] != ' ') tokens.push_back(code.substr(i, end - i));
    i = end;
  }
  return tokens;
}

/// `from protean_worker import Model [as name], ...`: the name it has then; empty when it is not among them.
std::string imported_model(const std::vector<std::string_view>& tokens) {
  for (std::size_t i = 3; i < tokens.size(); ++i) {
    if (tokens[i] != "Model") continue;
    const bool renamed = i + 2 < tokens.size() && tokens[i + 1] == "as";
    return std::string(renamed ? tokens[i + 2] : tokens[i]);
  }
  return {};
}

}  // namespace

bool looks_like_model(std::string_view text) {
  Statements statements(text);
  std::vector<std::string> models;  // what the base class is called here, its last word
  while (!statements.done()) {
    const std::string code = statements.take_statement();
    if (code.empty() || code.front() == ' ') continue;
    const auto tokens = tokens_of(code);
    const bool of_package = tokens.size() >= 2 && tokens[1] == kPackage;
    if (of_package && tokens[0] == "import") models.emplace_back("Model");
    if (of_package && tokens[0] == "from") models.push_back(imported_model(tokens));
    if (tokens.size() < 4 || tokens[0] != "class" || tokens[2] != "(") continue;
    for (std::size_t i = 3; i < tokens.size() && tokens[i] != ")"; ++i) {
      for (const auto& model : models) {
        if (tokens[i] == model) return true;
      }
    }
  }
  return false;
}

Result<bool> is_python_model(const std::filesystem::path& path) {
  if (path.filename() != kModelFileName) return false;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kUnavailable,
                "'" + printable(path.string()) + "' cannot be opened: " + std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_size > static_cast<off_t>(kModelFileBytesMax)) return false;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const auto count = ::read(file.get(), text.data() + got, text.size() - got);
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  return looks_like_model(std::string_view(text).substr(0, got));
}

}  // namespace protean::python
