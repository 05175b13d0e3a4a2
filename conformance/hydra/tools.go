//go:build tools

// Package tools pins the real Hydra that the conformance suites run against.
package tools

import _ "github.com/ory/hydra/v2"
