//go:build tools

// Package tools pins Istio's istioctl, whose checks the conformance suites run.
package tools

import _ "istio.io/istio/istioctl/cmd/istioctl"
