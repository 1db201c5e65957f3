// SPDX-License-Identifier: Apache-2.0
#include "backends/python/recognise.h"

#include <gtest/gtest.h>

#include <fstream>

#include "backends/python/worker_test_support.h"

namespace protean::python {
namespace {

TEST(Recognise, SeesAClassThatDerivesFromModel) {
  EXPECT_TRUE(looks_like_model("from protean_worker import Model\nclass A(Model):\n  pass\n"));
  EXPECT_TRUE(looks_like_model("import protean_worker\nclass A(protean_worker.Model): pass"));
  EXPECT_TRUE(looks_like_model("import protean_worker as pw\r\nclass A(Base, pw.Model): pass"));
  EXPECT_TRUE(looks_like_model("from protean_worker import (  # names\n  Input,\n  Model as M,\n)\nclass A(M): pass"));
  EXPECT_TRUE(
      looks_like_model("\xef\xbb\xbf'''doc'''\nfrom protean_worker import \\\n Model\n\nclass A(\n  Model\n):\n pass"));
}

TEST(Recognise, IsNotMisledByStringsCommentsAndOtherCode) {
  EXPECT_FALSE(looks_like_model(""));
  EXPECT_FALSE(looks_like_model("class Model: pass\nclass A(Model): pass"));
  EXPECT_FALSE(looks_like_model("'''\nfrom protean_worker import Model\nclass A(Model): pass\n'''"));
  EXPECT_FALSE(looks_like_model("# from protean_worker import Model\nclass A(Model): pass"));
  EXPECT_FALSE(looks_like_model("from protean_worker import Model\ndef f():\n  class A(Model): pass"));
  EXPECT_FALSE(looks_like_model("from protean_worker import Input\nclass A(Model): pass"));
  EXPECT_FALSE(looks_like_model("from protean_worker import Model\nx = 'class A(Model): pass'\nclass B(Other): pass"));
  EXPECT_FALSE(looks_like_model("from protean_worker import Model\n\"unfinished\nclass A(Models): pass"));
}

TEST(Recognise, ReadsAnyBytesToTheirEnd) {
  for (const std::string_view text :
       {"\"", "'''", "\\", "'\\", "(", "class A(", "class A(Model", "from protean_worker import Model as"}) {
    EXPECT_FALSE(looks_like_model(text)) << text;
  }
}

TEST(Recognise, LooksAtFilesNamedModelOnly) {
  const ModelsFolder folder;
  const auto files = folder.add("a", "");
  EXPECT_TRUE(*is_python_model(files.path));
  const auto other = files.folder / "helper.py";
  std::filesystem::copy_file(files.path, other);
  EXPECT_FALSE(*is_python_model(other));
  EXPECT_FALSE(*is_python_model(files.folder));
  EXPECT_EQ(is_python_model(folder.path() / "model.py").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace protean::python
