//go:build tools

// Package tools pins Envoy Gateway's egctl, whose translator the conformance suites run.
package tools

import _ "github.com/envoyproxy/gateway/cmd/egctl"
