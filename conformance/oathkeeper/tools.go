//go:build tools

// Package tools pins the real Oathkeeper that the conformance suites run against and the benchmark measures.
package tools

import _ "github.com/ory/oathkeeper"
