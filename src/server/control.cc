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
                 [&](const ModelReady& question) {
                   answer(repository_.available(question.model, question.version).map([](bool ready) {
                     return Outcome(ready);
                   }));
                 },
                 [&](const ModelMetadata& question) { model_metadata(question, std::move(answer)); },
                 [&](const ListModels& question) { answer(Outcome(list_models(question))); },
                 [&](const ModelVersions& question) { answer(list_versions(question)); },
                 [&](const ReplaceModels& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.replace_models(command, when_done(std::move(answer)));
                 },
                 [&](const LoadModel& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.load_model(command.model, command.actor, when_done(std::move(answer)));
                 },
                 [&](const UnloadModel& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.unload_model(command.model, command.actor, when_done(std::move(answer)));
                 },
                 [&](const ChangeAliases& command) {
                   if (!options_.model_control) return refuse_control();
                   repository_.change_aliases(command, when_done(std::move(answer)));
                 },
                 [&](const ListAliases& question) { answer(Outcome(repository_.aliases(question.model))); },
                 [&](const ReadHistory& question) {
                   answer(repository_.history(question.query).map([](auto&& records) {
                     return Outcome(std::forward<decltype(records)>(records));
                   }));
                 },
                 [&](const auto&) { PROTEAN_CHECK(false && "the request path answers this operation itself"); },
             },
             operation);
}

Result<Outcome> Control::describe_model(const ModelMetadata& question, const VersionHandle& chosen) const {
  ModelInfo info{chosen->model_name, {}, chosen->signature, chosen->version_text};
  for (const auto& function : chosen->functions) info.functions.push_back(function->signature);
  if (!question.version.empty()) {
    info.versions.push_back(chosen->version_text);
    return Outcome(std::move(info));
  }
  TRY(const auto versions, repository_.ready_versions(question.model));
  for (const auto& version : versions) info.versions.push_back(version->version_text);
  return Outcome(std::move(info));
}

/// A sleeping model is loaded for it: its signature is known only then.
void Control::model_metadata(const ModelMetadata& question, Answer answer) const {
  const auto describe = [this, question, answer](Result<VersionHandle> chosen) {
    answer(std::move(chosen).and_then([&](const VersionHandle& handle) { return describe_model(question, handle); }));
  };
  if (auto chosen = repository_.acquire(question.model, question.version)) return describe(*std::move(chosen));
  repository_.wait_for_load(question.model, question.version, kNever, describe);
}

Result<Outcome> Control::list_versions(const ModelVersions& question) const {
  TRY(auto rows, repository_.versions_of(question.model, question.version));
  return Outcome(std::move(rows));
}

std::vector<VersionStatus> Control::list_models(const ListModels& question) const {
  auto rows = repository_.statuses();
  if (question.ready_only) {
    std::erase_if(rows, [](const VersionStatus& row) { return row.state != VersionState::kReady; });
  }
  return rows;
}

}  // namespace protean
