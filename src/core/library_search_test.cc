// SPDX-License-Identifier: Apache-2.0
// Folders laid out as Python environments are.
#include "core/library_search.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace protean {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LibrarySearch : public testing::Test {
 protected:
  LibrarySearch() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~LibrarySearch() override { fs::remove_all(folder_); }
  fs::path make(const std::string& name) {
    fs::create_directories(folder_ / name);
    return folder_ / name;
  }
  void write(const std::string& name, const std::string& text, bool program = false) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    if (program) fs::permissions(folder_ / name, fs::perms::owner_all);
  }
  const fs::path folder_ = fs::temp_directory_path() / ("library-search-" + std::to_string(::getpid()));
};

TEST_F(LibrarySearch, AnEnvironmentsPackagesAreFoundByItsFolderAndByItsInterpreter) {
  const auto packages = make("env/lib/python3.11/site-packages");
  write("env/bin/python3", "", true);
  write("env/pyvenv.cfg", "home = /nowhere/bin\ninclude-system-site-packages = false\n");
  EXPECT_THAT(python_package_folders(folder_ / "env", ""), ElementsAre(packages));
  EXPECT_THAT(python_package_folders(folder_ / "env/bin/python3", ""), ElementsAre(packages));
}

TEST_F(LibrarySearch, TheFirstInterpreterOnThePathIsAsked) {
  make("one/bin");
  write("two/bin/python3", "", true);
  const auto packages = make("two/lib/python3.12/site-packages");
  EXPECT_THAT(python_package_folders("", (folder_ / "one/bin").string() + ":" + (folder_ / "two/bin").string()),
              ElementsAre(packages));
  EXPECT_THAT(python_package_folders("", (folder_ / "one/bin").string()), IsEmpty());
}

TEST_F(LibrarySearch, TheBasesPackagesComeAlongWhereTheEnvironmentSaysSo) {
  const auto own = make("env/lib/python3.11/site-packages");
  const auto base = make("base/lib/python3.11/dist-packages");
  write("env/pyvenv.cfg", "home = " + (folder_ / "base/bin").string() + "\ninclude-system-site-packages = true\n");
  EXPECT_THAT(python_package_folders(folder_ / "env", ""), ElementsAre(own, base));
}

TEST_F(LibrarySearch, WhatIsNoLibraryIsNamed) {
  write("lib.so", "not one");
  const auto opened = open_library(folder_ / "lib.so");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("lib.so"));
}

}  // namespace
}  // namespace protean
