//go:build tools

// Package kube keeps the two Kubernetes commands among the module's requirements.
package kube

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
