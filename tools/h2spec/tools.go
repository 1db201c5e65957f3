//go:build tools

// SPDX-License-Identifier: Apache-2.0

// Package tools pins h2spec, the HTTP/2 conformance tester: go.sum holds the checksums of what ./dev setup builds.
package tools

import _ "github.com/summerwind/h2spec"
