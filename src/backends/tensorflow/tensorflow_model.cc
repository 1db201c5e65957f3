// SPDX-License-Identifier: Apache-2.0
// One run: tensors are wrapped, the session runs, tensors are wrapped again.
#include "backends/tensorflow/tensorflow_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "backends/tensorflow/declared_model.h"
#include "base/text.h"

namespace protean {
namespace {

/// TensorFlow keeps an executor for each set of outputs ever asked for. Beyond so many, all outputs are computed.
constexpr std::size_t kOutputSetsMax = 32;

}  // namespace

Result<std::unique_ptr<TensorflowModel>> TensorflowModel::make_one(std::shared_ptr<const TensorflowSession> session,
                                                                   PlannedFunction function) {
  std::unique_ptr<TensorflowModel> model(new TensorflowModel(std::move(session), std::move(function)));
  const auto& planned = model->function_;
  for (std::size_t i = 0; i < planned.inputs.size(); ++i) {
    TRY(model->inputs_.emplace_back(), model->session_->find(planned.inputs[i], planned.signature.inputs[i].type));
  }
  for (std::size_t i = 0; i < planned.outputs.size(); ++i) {
    TRY(model->outputs_.emplace_back(), model->session_->find(planned.outputs[i], planned.signature.outputs[i].type));
  }
  return model;
}

Result<std::unique_ptr<Model>> TensorflowModel::make(std::shared_ptr<const TensorflowSession> session,
                                                     PlannedFunctions planned) {
  auto& functions = planned.functions;
  TRY(auto main, make_one(session, std::move(functions.front())));
  main->main_ = true;
  main->notes_ = std::move(planned.notes);
  for (auto function = functions.begin() + 1; function != functions.end(); ++function) {
    if (!function->callable()) {
      main->others_.push_back(
          std::make_unique<DeclaredModel>(std::move(function->signature), std::move(function->refusal)));
      continue;
    }
    Signature declared = function->signature;
    auto other = make_one(session, std::move(*function));
    if (other) {
      main->others_.push_back(*std::move(other));
    } else {
      main->notes_.push_back(
          fmt::format("signature '{}' cannot be served: {}", printable(declared.function), other.error().message));
      main->others_.push_back(std::make_unique<DeclaredModel>(std::move(declared), main->notes_.back()));
    }
  }
  return main;
}

bool TensorflowModel::may_ask_for(const std::vector<std::size_t>& outputs) {
  if (outputs.size() == outputs_.size()) return true;
  const std::lock_guard lock(mutex_);
  if (asked_.contains(outputs)) return true;
  if (asked_.size() >= kOutputSetsMax) return false;
  asked_.insert(outputs);
  return true;
}

Result<std::vector<Tensor>> TensorflowModel::run_checked(const RunRequest& request) {
  const auto& api = session_->runtime()->api();
  std::vector<TfTensorOwner> owners;
  std::vector<TfTensor*> values;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const Tensor& tensor = request.inputs[i] == nullptr ? function_.defaults[i] : *request.inputs[i];
    TRY(owners.emplace_back(), to_tensorflow_tensor(api, tensor, function_.signature.inputs[i].name));
    values.push_back(owners.back().get());
  }
  // In one order whatever the request's, for that TensorFlow knows outputs asked for in another order anew.
  std::vector<std::size_t> asked(request.outputs.begin(), request.outputs.end());
  std::ranges::sort(asked);
  if (!may_ask_for(asked)) {
    asked.resize(outputs_.size());
    std::iota(asked.begin(), asked.end(), std::size_t{0});
  }
  std::vector<TfOutput> wanted;
  for (const auto index : asked) wanted.push_back(outputs_[index]);
  TRY(auto made, session_->run(inputs_, values, wanted));
  std::vector<Tensor> tensors;
  tensors.reserve(request.outputs.size());
  for (const auto index : request.outputs) {
    const auto place = std::ranges::lower_bound(asked, index) - asked.begin();
    const auto& spec = function_.signature.outputs[index];
    TRY(tensors.emplace_back(),
        from_tensorflow_tensor(session_->runtime(), std::move(made[static_cast<std::size_t>(place)]), spec.type,
                               spec.name));
  }
  return tensors;
}

Result<std::vector<Tensor>> TensorflowModel::run(const RunRequest& request) {
  try {
    return run_checked(request);
  } catch (const std::bad_alloc&) {
    return fail(Code::kResourceExhausted, "no memory left for the model's inputs and outputs");
  }
}

}  // namespace protean
