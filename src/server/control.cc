// SPDX-License-Identifier: Apache-2.0
// One branch an operation; none of them is on the path of an inference.
#include "server/control.h"

#include <utility>

#include "base/check.h"

namespace protean {
namespace {

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

Repository::Done when_done(Control::Answer answer) {
  return [answer = std::move(answer)](Status status) {
    answer(std::move(status).map([] { return Outcome(std::monostate{}); }));
  };
}

}  // namespace

void Control::execute(const Operation& operation, Answer answer) {
  const auto refuse_control = [&] {
    answer(fail(Code::kPermissionDenied, "loading and unloading by request is switched off (--model-control=false)"));
  };
  std::visit(Overloaded{
                 [&](const ServerLive&) { answer(Outcome(true)); },
                 [&](const ServerReady&) { answer(Outcome(readiness_.ready())); },
                 [&](const ServerMetadata&) { answer(Outcome(options_.info)); },
                 [&](const ModelReady& question) { answer(model_ready(question)); },
                 [&](const ModelMetadata& question) { answer(model_metadata(question)); },
                 [&](const ListModels& question) { answer(Outcome(list_models(question))); },
                 [&](const LoadModel& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.load_model(command.model, when_done(std::move(answer)));
                 },
                 [&](const UnloadModel& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.unload_model(command.model, when_done(std::move(answer)));
                 },
                 [&](const auto&) { PROTEAN_CHECK(false && "the request path answers this operation itself"); },
             },
             operation);
}

Result<Outcome> Control::model_ready(const ModelReady& question) const {
  const auto version = repository_.find(question.model, question.version);
  if (version) return Outcome(true);
  if (version.error().code == Code::kUnavailable) return Outcome(false);
  return tl::unexpected(version.error());
}

Result<Outcome> Control::model_metadata(const ModelMetadata& question) const {
  TRY(const VersionHandle chosen, repository_.find(question.model, question.version));
  ModelInfo info{chosen->model_name, {}, chosen->signature};
  if (!question.version.empty()) {
    info.versions.push_back(chosen->version_text);
    return Outcome(std::move(info));
  }
  TRY(const auto versions, repository_.ready_versions(question.model));
  for (const auto& version : versions) info.versions.push_back(version->version_text);
  return Outcome(std::move(info));
}

std::vector<VersionStatus> Control::list_models(const ListModels& question) const {
  auto rows = repository_.statuses();
  if (question.ready_only) {
    std::erase_if(rows, [](const VersionStatus& row) { return row.state != VersionState::kReady; });
  }
  return rows;
}

}  // namespace protean
