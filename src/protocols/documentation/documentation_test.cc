// SPDX-License-Identifier: Apache-2.0
// The pages as a browser gets them: status, headers, escaping, and a document that a machine can read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/example_request.h"
#include "protocols/documentation/example_python.h"
#include "protocols/documentation/openapi.h"
#include "protocols/documentation/page.h"
#include "protocols/documentation/protocol.h"

namespace protean {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

VersionStatus version(std::string model, std::string number, bool is_default, Signature signature) {
  VersionStatus status;
  status.model = std::move(model);
  status.version = std::move(number);
  status.state = VersionState::kReady;
  status.backend = "onnxruntime";
  status.signature = std::make_shared<Signature>(std::move(signature));
  status.is_default = is_default;
  return status;
}

Signature iris() {
  return {"onnx_onnxv1",
          {{"x", DataType::kFp32, {-1, 4}, {}, false}},
          {{"label", DataType::kInt64, {-1}, {{"class_labels", std::string("a,b")}}, false}}};
}

std::vector<VersionStatus> some_models() {
  VersionStatus broken;
  broken.model = "broken";
  broken.state = VersionState::kUnavailable;
  broken.reason = "the file <ends> early";
  return {broken, version("iris", "1", false, iris()), version("iris", "2", true, iris())};
}

struct Answer {
  Response response;
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  [[nodiscard]] std::string text() const { return response.body.empty() ? "" : std::string(response.body[0].text()); }
};

Answer get(std::string path, std::string_view accept = "", std::string method = "GET") {
  const auto protocol = make_documentation();
  RequestHead head;
  head.method = std::move(method);
  head.path = std::move(path);
  head.scheme_host = "http://localhost:9";
  if (!accept.empty()) head.headers.add("accept", accept);
  const Slice body;
  const RequestView request{head, body};
  EXPECT_TRUE(protocol->claims(head));
  const auto operation = protocol->decode(request);
  EXPECT_TRUE(operation.has_value());
  return {*protocol->encode(request, *operation, some_models())};
}

TEST(Documentation, TheFrontDoorLeadsBrowsersToThePageAndTellsPrograms) {
  const Answer browser = get("/", "text/html,application/xhtml+xml");
  EXPECT_EQ(browser.response.status, 302);
  EXPECT_EQ(browser.header("location"), "/docs");
  const Answer program = get("/");
  EXPECT_EQ(program.response.status, 200);
  EXPECT_EQ(json::parse(program.text()).at("docs"), "/docs");
}

TEST(Documentation, ServesPageStyleScriptAndDocument) {
  EXPECT_EQ(get("/docs").header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(get("/docs/page.css").header("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(get("/docs/page.js").header("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/openapi.json").header("content-type"), "application/json");
  EXPECT_THAT(get("/docs").header("content-security-policy"), HasSubstr("default-src 'none'"));
  for (const char* path : {"/docs", "/docs/page.css", "/docs/page.js", "/openapi.json"}) {
    EXPECT_EQ(get(path).response.status, 200) << path;
    EXPECT_GT(get(path).text().size(), 1000) << path;
  }
}

TEST(Documentation, TakesGetAndHeadOnly) {
  EXPECT_EQ(get("/docs", "", "HEAD").response.status, 200);
  const Answer refusal = get("/docs", "", "POST");
  EXPECT_EQ(refusal.response.status, 405);
  EXPECT_EQ(refusal.header("allow"), "GET, HEAD");
}

TEST(Documentation, ClaimsNothingElse) {
  const auto protocol = make_documentation();
  for (const char* path : {"", "/docs/", "/docs/page.html", "/docs/../docs", "/v2", "/metrics", "/openapi.jsonx"}) {
    RequestHead head;
    head.path = path;
    EXPECT_FALSE(protocol->claims(head)) << path;
  }
}

TEST(Documentation, AnErrorHasItsStatus) {
  const auto protocol = make_documentation();
  RequestHead head;
  head.path = "/docs";
  const Slice body;
  const Response response = protocol->encode_error({head, body}, Error{Code::kUnavailable, "later", {}});
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body[0].text(), "{\"error\":\"later\"}\n");
}

TEST(Page, ShowsModelsStatesReasonsAndLinesToPaste) {
  const std::string page = format_page(some_models(), "http://localhost:9");
  EXPECT_THAT(page, HasSubstr("1 of 2 models ready"));
  EXPECT_THAT(page, HasSubstr("the file &lt;ends&gt; early"));
  EXPECT_THAT(page, HasSubstr("<td><code>x</code></td><td>FP32</td><td><code>[-1,4]</code></td>"));
  EXPECT_THAT(page, HasSubstr("class_labels: a,b"));
  EXPECT_THAT(page, HasSubstr(escape_html(example_curl("http://localhost:9", "iris", "", iris()))));
  EXPECT_THAT(page, HasSubstr(escape_html(example_curl("http://localhost:9", "iris", "1", iris()))));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
}

TEST(Page, NeedsNothingFromElsewhere) {
  const std::string page = format_page({}, "");
  for (const char* reference : {"src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import"}) {
    EXPECT_THAT(page, Not(HasSubstr(reference)));
  }
  EXPECT_THAT(page, HasSubstr("No models yet"));
}

TEST(Page, NothingFromModelsOrClientsBecomesMarkup) {
  const std::string evil = "<script>alert('x')</script>\"&{{models}}";
  Signature signature = {
      evil, {{evil, DataType::kFp32, {1}, {{evil, evil}}, false}}, {{evil, DataType::kBytes, {1}, {}, true}}};
  VersionStatus status = version(evil, evil, false, std::move(signature));
  status.reason = status.backend = status.scheduling = evil;
  const std::string page = format_page(std::span(&status, 1), "http://" + evil);
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("alert('x')")));
  EXPECT_EQ(page.find("<section class=\"model\""), page.rfind("<section class=\"model\""));
}

TEST(OpenApi, HasPathsForEveryReadyVersion) {
  const json document = json::parse(format_openapi(some_models(), "http://localhost:9"));
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  const json& paths = document.at("paths");
  for (const char* path :
       {"/v2/models/iris/infer", "/v2/models/iris/versions/1/infer", "/v2/models/iris/versions/2/infer",
        "/v2/models/iris", "/v2/models/iris/versions/1/ready", "/v2/health/ready", "/metrics"}) {
    EXPECT_TRUE(paths.contains(path)) << path;
  }
  EXPECT_FALSE(paths.contains("/v2/models/broken/infer"));
  const json& body = paths["/v2/models/iris/infer"]["post"]["requestBody"]["content"]["application/json"];
  EXPECT_EQ(body["example"],
            json::parse(R"({"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0.5,0.5,0.5,0.5]}]})"));
  const json& tensor = body["schema"]["properties"]["inputs"]["items"]["anyOf"][0]["properties"];
  EXPECT_EQ(tensor["name"]["const"], "x");
  EXPECT_EQ(tensor["datatype"]["const"], "FP32");
  EXPECT_EQ(tensor["shape"], json::parse(R"({"type":"array","minItems":2,"maxItems":2,
                                             "prefixItems":[{"type":"integer","minimum":0},{"const":4}]})"));
}

TEST(OpenApi, OperationIdsAreUnique) {
  const json document = json::parse(format_openapi(some_models(), "http://localhost:9"));
  std::set<std::string> ids;
  for (const auto& [path, methods] : document.at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      EXPECT_TRUE(ids.insert(operation.at("operationId")).second) << path;
    }
  }
}

TEST(OpenApi, SurvivesAnyName) {
  const std::string evil = "a/{b}\xFF\"\n";
  const std::vector<VersionStatus> models = {
      version(evil, "1", true, {evil, {{evil, DataType::kUint64, {}, {}, true}}, {}})};
  const json document = json::parse(format_openapi(models, "http://h"));
  EXPECT_TRUE(document.at("paths").contains("/v2/models/a%2F%7Bb%7D%FF%22%0A/infer"));
}

TEST(OpenApi, LargeTensorsHaveNoExampleWithoutTheirBytes) {
  const std::vector<VersionStatus> models = {
      version("image", "1", true, {"onnx_onnxv1", {{"x", DataType::kFp32, {1, 3, 224, 224}, {}, false}}, {}})};
  const std::string text = format_openapi(models, "http://h");
  EXPECT_LT(text.size(), 40'000);
  EXPECT_FALSE(
      json::parse(text)["paths"]["/v2/models/image/infer"]["post"]["requestBody"]["content"]["application/json"]
          .contains("example"));
}

TEST(ExamplePython, FillsArraysAndQuotesNames) {
  const Signature signature = {"onnx_onnxv1",
                               {{"x\"1", DataType::kFp32, {-1, 4}, {}, false}, {"s", DataType::kBytes, {2}, {}, false}},
                               {{"y", DataType::kFp32, {-1}, {}, false}}};
  EXPECT_EQ(example_python("https://h:1", "iris", "2", signature),
            "# pip install \"tritonclient[http]\"\n"
            "import numpy as np\n"
            "import tritonclient.http as http\n"
            "\n"
            "client = http.InferenceServerClient(\"h:1\", ssl=True)\n"
            "inputs = []\n"
            "inputs.append(http.InferInput(\"x\\\"1\", [1, 4], \"FP32\"))\n"
            "inputs[-1].set_data_from_numpy(np.full([1, 4], 0.5, dtype=np.float32))\n"
            "inputs.append(http.InferInput(\"s\", [2], \"BYTES\"))\n"
            "inputs[-1].set_data_from_numpy(np.full([2], \"text\", dtype=np.object_))\n"
            "result = client.infer(\"iris\", inputs, model_version=\"2\")\n"
            "print(result.as_numpy(\"y\"))\n");
}

TEST(ExamplePython, TakesBfloat16FromThePackageThatHasIt) {
  const Signature signature = {"onnx_onnxv1", {{"x", DataType::kBf16, {-1}, {}, false}}, {}};
  const std::string program = example_python("http://h:1", "m", "", signature);
  EXPECT_THAT(program, HasSubstr("\nimport ml_dtypes\nimport numpy as np\n"));
  EXPECT_THAT(program, HasSubstr("np.full([1], 0.5, dtype=ml_dtypes.bfloat16)"));
}

Signature houses() {
  Signature signature = {"xgboost", {{"x", DataType::kFp32, {-1, 2}, {}}}, {{"y", DataType::kFp32, {-1}, {}}}};
  signature.columns = {{"area", DataType::kFp32}, {"<kind>", DataType::kBytes, true, {"flat", "loft"}}};
  return signature;
}

TEST(Page, ShowsColumns) {
  const VersionStatus status = version("houses", "1", true, houses());
  const std::string page = format_page(std::span(&status, 1), "http://h");
  EXPECT_THAT(page, HasSubstr("<tr><td><code>area</code></td><td>FP32</td><td></td></tr>"));
  EXPECT_THAT(page, HasSubstr("<tr><td><code>&lt;kind&gt;</code></td><td>BYTES</td><td>may be null or left out; one of "
                              "flat, loft</td></tr>"));
  EXPECT_THAT(page, HasSubstr(escape_html(R"({"records":[{"area":0.5,"<kind>":"flat"}]})")));
}

TEST(OpenApi, TakesATableAsRecordsOrByColumn) {
  const VersionStatus status = version("houses", "1", true, houses());
  const json document = json::parse(format_openapi(std::span(&status, 1), "http://h"));
  const json& body = document["paths"]["/v2/models/houses/infer"]["post"]["requestBody"]["content"]["application/json"];
  EXPECT_EQ(body["example"], json::parse(R"({"records":[{"area":0.5,"<kind>":"flat"}]})"));
  const json& record = body["schema"]["properties"]["records"]["items"];
  EXPECT_EQ(record["required"], json::parse(R"(["area"])"));
  EXPECT_EQ(record["properties"]["<kind>"]["anyOf"][0]["enum"], json::parse(R"(["flat","loft"])"));
  EXPECT_EQ(body["schema"]["properties"]["inputs"]["items"]["anyOf"].size(), 3U);
}

TEST(OpenApi, TellsWhichModelsAnswerInParts) {
  Signature signature = houses();
  const VersionStatus whole = version("whole", "1", true, signature);
  signature.streams = true;
  const std::vector<VersionStatus> versions = {version("parts", "1", true, signature), whole};
  const json paths = json::parse(format_openapi(versions, "http://h"))["paths"];
  EXPECT_FALSE(paths.contains("/v2/models/whole/infer_stream"));
  const json& answer = paths["/v2/models/parts/infer_stream"]["post"]["responses"]["200"]["content"];
  EXPECT_TRUE(answer.contains("text/event-stream")) << answer.dump();
  EXPECT_EQ(answer.size(), 1U);
  EXPECT_THAT(format_page(versions, "http://h"), HasSubstr("/v2/models/parts/infer_stream</code> sends the answer"));
}

TEST(ExamplePython, SendsOneArrayAColumn) {
  const std::string program = example_python("http://h:1", "m", "", houses());
  EXPECT_THAT(program, HasSubstr("inputs.append(http.InferInput(\"area\", [1], \"FP32\"))\n"
                                 "inputs[-1].set_data_from_numpy(np.array([0.5], dtype=np.float32))\n"));
  EXPECT_THAT(program, HasSubstr("np.array([\"flat\"], dtype=np.object_)"));
}

}  // namespace
}  // namespace protean
