//go:build tools

// Package tools pins the modules whose CustomResourceDefinitions the generated objects are held to.
package tools

import (
	_ "github.com/envoyproxy/gateway/api/v1alpha1"
	_ "istio.io/api/networking/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
