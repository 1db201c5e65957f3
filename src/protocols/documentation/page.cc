// SPDX-License-Identifier: Apache-2.0
// Fills page.html. Markup is written here, looks are in page.css, and page.js only adds comfort: the page
// reads the same without it.
#include "protocols/documentation/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "core/example_request.h"
#include "protocols/documentation/embedded_files.h"
#include "protocols/documentation/example_python.h"

namespace protean {
namespace {

constexpr std::size_t kCategoriesShown = 20;

/// The versions of one model, in the order of the repository.
struct ModelGroup {
  std::string name;
  std::vector<const VersionStatus*> versions;
};

std::vector<ModelGroup> group_by_model(std::span<const VersionStatus> models) {
  std::vector<ModelGroup> groups;
  for (const auto& version : models) {
    if (groups.empty() || groups.back().name != version.model) groups.push_back({version.model, {}});
    groups.back().versions.push_back(&version);
  }
  return groups;
}

/// The version whose state stands for the model: the default one, else the last.
const VersionStatus& leading(const ModelGroup& group) {
  const auto found =
      std::find_if(group.versions.begin(), group.versions.end(), [](const auto* v) { return v->is_default; });
  return found == group.versions.end() ? *group.versions.back() : **found;
}

std::string_view state_class(VersionState state) noexcept {
  switch (state) {
    case VersionState::kReady: return "ready";
    case VersionState::kUnavailable: return "unavailable";
    case VersionState::kAsleep: return "asleep";
    default: return "moving";
  }
}

std::string badge(VersionState state) {
  return fmt::format(R"(<span class="badge {}">{}</span>)", state_class(state), version_state_name(state));
}

std::string format_parameter(const Parameter& parameter) {
  return std::visit(
      [](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          return value;
        } else {
          return fmt::format("{}", value);
        }
      },
      parameter);
}

std::string tensor_rows(const std::vector<TensorSpec>& tensors) {
  std::string out;
  for (const auto& tensor : tensors) {
    std::string notes = tensor.optional ? "optional" : "";
    for (const auto& [name, value] : tensor.parameters) {
      notes += fmt::format("{}{}: {}", notes.empty() ? "" : "; ", name, format_parameter(value));
    }
    out += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
                       escape_html(tensor.name), data_type_name(tensor.type), format_shape(tensor.shape),
                       escape_html(notes));
  }
  return out;
}

std::string tensor_table(std::string_view title, const std::vector<TensorSpec>& tensors) {
  if (tensors.empty()) return fmt::format("<h4>{}</h4><p class=\"quiet\">none</p>\n", title);
  return fmt::format(
      "<h4>{}</h4>\n<div class=\"scroll\"><table "
      "class=\"tensors\"><thead><tr><th>name</th><th>type</th><th>shape</th><th></th></tr></thead>"
      "<tbody>\n{}</tbody></table></div>\n",
      title, tensor_rows(tensors));
}

std::string column_table(const std::vector<Column>& columns) {
  if (columns.empty()) return {};
  std::string rows;
  for (const auto& column : columns) {
    std::string notes = column.nullable ? (column.required ? "may be null" : "may be null or left out") : "";
    for (std::size_t i = 0; i < std::min(column.categories.size(), kCategoriesShown); ++i) {
      notes += fmt::format("{}{}", i != 0 ? ", " : (notes.empty() ? "one of " : "; one of "), column.categories[i]);
    }
    if (column.categories.size() > kCategoriesShown) {
      notes += fmt::format(" and {} more", column.categories.size() - kCategoriesShown);
    }
    rows += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", escape_html(column.name),
                        data_type_name(column.type), escape_html(notes));
  }
  return fmt::format(
      "<h4>Columns</h4>\n<div class=\"scroll\"><table class=\"tensors\"><thead><tr><th>name</th><th>type</th><th></th>"
      "</tr></thead><tbody>\n{}</tbody></table></div>\n",
      rows);
}

std::string code_block(std::string_view title, std::string_view code) {
  return fmt::format(
      "<figure class=\"code\"><figcaption>{}<button type=\"button\" class=\"copy\" hidden>Copy</button></figcaption>"
      "<pre><code>{}</code></pre></figure>\n",
      title, escape_html(code));
}

/// `3.2 KiB`; exact bytes are in the title.
std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const double kib = static_cast<double>(bytes) / 1024;
  return kib < 1024 ? fmt::format("{:.1f} KiB", kib) : fmt::format("{:.1f} MiB", kib / 1024);
}

std::string facts(const VersionStatus& version) {
  std::string out;
  const auto fact = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escape_html(value));
  };
  fact("backend", version.backend);
  if (version.signature) fact("platform", version.signature->platform);
  if (version.files_bytes != 0) fact("size", size_text(version.files_bytes));
  if (version.signature && version.load_ms > 0)
    fact("loaded in", fmt::format("{:.0f} ms", std::max(version.load_ms, 1.0)));
  fact("runs", version.scheduling);
  return out.empty() ? out : "<dl>" + out + "</dl>\n";
}

std::string version_section(const VersionStatus& version, std::string_view url, bool alone) {
  const std::string number = version.version.empty() ? "no readable version" : "version " + version.version;
  std::string out = fmt::format("<details class=\"version\"{}><summary><h3>{}</h3>{}{}</summary>\n",
                                version.is_default || alone ? " open" : "", escape_html(number), badge(version.state),
                                version.is_default && !alone ? "<span class=\"quiet\">default</span>" : "");
  if (!version.reason.empty()) out += fmt::format("<p class=\"reason\">{}</p>\n", escape_html(version.reason));
  out += facts(version);
  if (version.signature) {
    const Signature& signature = *version.signature;
    // The default version is called without its number, as most clients do.
    const std::string_view called = version.is_default ? std::string_view() : std::string_view(version.version);
    out += "<div class=\"signature\"><div>" + column_table(signature.columns) +
           tensor_table("Inputs", signature.inputs) + "</div><div>" + tensor_table("Outputs", signature.outputs) +
           "</div></div>\n";
    out += fmt::format("<p class=\"path\"><b>POST</b> <code>{}/infer</code></p>\n",
                       escape_html(model_path(version.model, called)));
    if (signature.streams) {
      out += fmt::format("<p class=\"path\"><b>POST</b> <code>{}/infer_stream</code> sends the answer in parts</p>\n",
                         escape_html(model_path(version.model, called)));
    }
    out += code_block("curl", example_curl(url, version.model, called, signature));
    out += "<details class=\"more\"><summary>Python</summary>\n" +
           code_block("Python, tritonclient", example_python(url, version.model, called, signature)) + "</details>\n";
  }
  return out + "</details>\n";
}

std::string model_section(const ModelGroup& group, std::size_t number, std::string_view url) {
  std::string out =
      fmt::format("<section class=\"model\" id=\"model-{}\">\n<h2>{}</h2>\n", number, escape_html(group.name));
  const bool alone = group.versions.size() == 1;
  // The newest first: it is what most visitors look for.
  for (auto version = group.versions.rbegin(); version != group.versions.rend(); ++version) {
    out += version_section(**version, url, alone);
  }
  return out + "</section>\n";
}

std::string navigation(const std::vector<ModelGroup>& groups) {
  std::string out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto state = leading(groups[i]).state;
    out += fmt::format("<li><a href=\"#model-{}\"><span class=\"dot {}\" title=\"{}\"></span>{}</a></li>\n", i,
                       state_class(state), version_state_name(state), escape_html(groups[i].name));
  }
  return out;
}

std::string summary(const std::vector<ModelGroup>& groups) {
  const auto ready = std::count_if(groups.begin(), groups.end(), [](const ModelGroup& group) {
    return std::any_of(group.versions.begin(), group.versions.end(),
                       [](const auto* v) { return v->state == VersionState::kReady; });
  });
  return fmt::format("{} of {} {} ready", ready, groups.size(), groups.size() == 1 ? "model" : "models");
}

/// Replaces each `{{name}}` of the template by value(name), in one pass: values are never looked at again.
std::string fill(std::string_view text, const std::function<std::string(std::string_view)>& value) {
  std::string out;
  while (true) {
    const auto open = text.find("{{");
    const auto close = open == std::string_view::npos ? open : text.find("}}", open);
    out += text.substr(0, close == std::string_view::npos ? text.size() : open);
    if (close == std::string_view::npos) return out;
    out += value(text.substr(open + 2, close - open - 2));
    text.remove_prefix(close + 2);
  }
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string format_page(std::span<const VersionStatus> models, std::string_view url) {
  const auto groups = group_by_model(models);
  return fill(find_embedded_file("page.html").value_or(""), [&](std::string_view name) -> std::string {
    if (name == "version") return PROTEAN_VERSION;
    if (name == "summary") return summary(groups);
    if (name == "url") return escape_html(url);
    if (name == "authority") return escape_html(authority_of(url));
    if (name == "navigation") return navigation(groups);
    if (name != "models") return {};
    std::string sections;
    for (std::size_t i = 0; i < groups.size(); ++i) sections += model_section(groups[i], i, url);
    return sections.empty()
               ? "<p class=\"empty\">No models yet. Put <code>NAME.onnx</code>, <code>NAME/model.onnx</code> "
                 "or <code>NAME/VERSION/model.onnx</code> into the folder that the server watches.</p>"
               : sections;
  });
}

}  // namespace protean
