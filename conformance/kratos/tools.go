//go:build tools

// Package tools pins the real Kratos that the conformance suites run against.
package tools

import _ "github.com/ory/kratos"
