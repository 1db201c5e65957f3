// SPDX-License-Identifier: Apache-2.0
// What may be read by going from holder to held, and what may not.
#include "backends/scikit_learn/value_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace protean::sklearn {
namespace {

using ::testing::HasSubstr;

class ValueGraph : public ::testing::Test {
 protected:
  Ref list(std::vector<Ref> items) {
    const Ref ref = *pool_.add_container(Kind::kList);
    pool_.items_of(ref) = std::move(items);
    return ref;
  }
  /// `levels` lists, each holding the next twice.
  Ref chain(unsigned levels) {
    Ref ref = list({});
    for (unsigned i = 1; i < levels; ++i) ref = list({ref, ref});
    return ref;
  }
  ValuePool pool_{1 << 20};
};

TEST_F(ValueGraph, TakesSharedValuesInTimeOfTheirNumber) {
  EXPECT_TRUE(check_value_graph(pool_, chain(kValueDepthMax)));  // 2^249 ways lead to the innermost
}

TEST_F(ValueGraph, RefusesWhatIsTooDeepByAnyWay) {
  const auto checked = check_value_graph(pool_, chain(kValueDepthMax + 1));
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("deeper than 250 levels"));
  // The deep part is walked first, at the top, where it fits; then it is met again one level further down.
  const Ref deep = chain(kValueDepthMax - 1);
  EXPECT_TRUE(check_value_graph(pool_, list({deep})));
  EXPECT_FALSE(check_value_graph(pool_, list({deep, list({list({deep})})})));
}

TEST_F(ValueGraph, RefusesValuesThatHoldThemselves) {
  const Ref inner = list({});
  const Ref outer = list({list({}), list({inner})});
  pool_.items_of(inner) = {outer};
  const auto checked = check_value_graph(pool_, outer);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("holds itself"));
}

TEST_F(ValueGraph, LooksIntoStatesAndArguments) {
  for (const auto part : {&Node::callable, &Node::args, &Node::state}) {
    Node object;
    object.kind = Kind::kObject;
    const Ref ref = *pool_.add(object);
    EXPECT_TRUE(check_value_graph(pool_, ref));
    pool_.node(ref).*part = ref;
    EXPECT_FALSE(check_value_graph(pool_, ref));
  }
}

}  // namespace
}  // namespace protean::sklearn
